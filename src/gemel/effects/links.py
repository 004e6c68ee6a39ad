"""Network devices by netlink: ports of the machine up, VLANs, bonds and bridges made, changed and unmade.

A port that joins or leaves a bond, or a bond whose mode changes, goes down for a moment, and the kernel then forgets
routes and IPv6 addresses. Those that were there for good are put back: that a device is another one now is no reason
for its addresses to go, and whoever wants them away says so.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import EOPNOTSUPP
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from gemel.core.want import Link

BOND_MODES = {"active-backup": 1, "802.3ad": 4}
LACP_RATES = {"slow": 0, "fast": 1}
HASHES = {"layer2": 0, "layer3+4": 1, "layer2+3": 2}
LISTENED = 1500  # 1/100 s, before a port of a bridge learns, and again before it passes anything on; the usual
CARRIER_LOOKED_AT = 100  # ms between a bond's looks at the carrier of its ports

_PARTS = {"vlan": ("802.1Q VLANs", "8021q"), "bond": ("bonds", "bonding"), "bridge": ("bridges", "bridge")}

PERMANENT, NODAD = 0x80, 0x02  # IFA_F_…
GLOBAL = 0  # RT_SCOPE_UNIVERSE
MAIN_TABLE, BY_KERNEL = 254, 2  # RT_TABLE_MAIN, RTPROT_KERNEL


class WrongLink(Exception):
    """The device is not there, or it is something else."""


class Links:
    """The devices of this machine."""

    def __init__(self, netlink: IPRoute) -> None:
        self._netlink = netlink

    def index(self, device: str) -> int:
        """The kernel's number of a device.

        Raises:
            WrongLink: there is none of that name.
        """
        found = self._netlink.link_lookup(ifname=device)
        if not found:
            raise WrongLink(f"there is no network device {device} on this machine")
        return int(found[0])

    def check(self, wanted: Iterable[Link]) -> None:
        """Are the ports there that are not made here?

        Raises:
            WrongLink: one is not.
        """
        wanted = list(wanted)
        made = {w.device for w in wanted if w.kind}
        for device in (d for w in wanted for d in (w.device, *w.needs)):
            if device not in made:
                self.index(device)

    def put(self, want: Link) -> None:
        """Make the device what is wanted, and up.

        Raises:
            WrongLink, NetlinkError: it cannot be.
        """
        if want.kind:
            self._make(want)
        index = self.index(want.device)
        self._join(index, want.master)
        changes: dict[str, Any] = {"mtu": want.mtu} if want.mtu else {}
        self._netlink.link("set", index=index, state="up", **changes)

    def drop(self, want: Link) -> None:
        """Unmake the device, or let a port of the machine stand alone and down."""
        found = self._netlink.link_lookup(ifname=want.device)
        if not found:
            return
        if want.kind:
            self._netlink.link("del", index=found[0])
            return
        if want.master:
            self._join(int(found[0]), "")
        self._netlink.link("set", index=found[0], state="down")

    def _make(self, want: Link) -> None:
        settings = dict(want.settings)
        found = self._netlink.link_lookup(ifname=want.device)
        attributes = _ATTRIBUTES[want.kind](settings, self._index_or_0)
        if not found:
            below = {"link": self.index(want.over)} if want.over else {}
            with _said_if_missing(want):
                self._netlink.link("add", ifname=want.device, kind=want.kind, **below, **attributes)
            return
        index = int(found[0])
        now = self._netlink.get_links(index)[0]
        if now.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") != want.kind:
            raise WrongLink(f"{want.device} is there on this machine already, and it is no {want.kind}")
        if want.kind == "vlan":
            self._same_vlan(want, settings, now)
            attributes.pop("vlan_id")
        elif want.kind == "bond" and self._bond_is_another(settings, now):
            self._remake_bond(index, attributes)
            return
        if want.kind == "bond":  # the kernel takes these from a bond that is down only, and they are as they should be
            for name in ("bond_mode", "bond_ad_lacp_rate"):
                attributes.pop(name, None)
        # One by one, in this order: together, the kernel measures a bridge's delay by the Spanning Tree that it leaves.
        for name, value in attributes.items():
            self._netlink.link("set", index=index, kind=want.kind, **{name: value})

    def _same_vlan(self, want: Link, settings: dict[str, str], now: Any) -> None:
        tag = now.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA", "IFLA_VLAN_ID")
        if str(tag) != settings["tag"] or now.get_attr("IFLA_LINK") != self.index(want.over):
            raise WrongLink(f"{want.device} is there on this machine already, and it is another VLAN")

    def _bond_is_another(self, settings: dict[str, str], now: Any) -> bool:
        def has(name: str) -> Any:
            return now.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA", name)

        if has("IFLA_BOND_MODE") != BOND_MODES[settings["mode"]]:
            return True
        rate = settings.get("lacp_rate")
        return rate is not None and has("IFLA_BOND_AD_LACP_RATE") != LACP_RATES[rate]

    def _remake_bond(self, index: int, attributes: dict[str, Any]) -> None:
        """The kernel wants it down and without ports for that."""
        ports = [int(p["index"]) for p in self._netlink.get_links() if p.get_attr("IFLA_MASTER") == index]
        carried = [int(v["index"]) for v in self._netlink.get_links() if v.get_attr("IFLA_LINK") == index]
        with self._kept(index, *carried):
            for port in ports:
                self._netlink.link("set", index=port, master=0)
            self._netlink.link("set", index=index, state="down")
            self._netlink.link("set", index=index, kind="bond", **attributes)
            for port in ports:
                self._netlink.link("set", index=port, state="down")
                self._netlink.link("set", index=port, master=index)
            self._netlink.link("set", index=index, state="up")

    def _join(self, index: int, master: str) -> None:
        """Become a part of this bond or bridge, or (empty) stand alone."""
        wanted = self.index(master) if master else 0
        now = self._netlink.get_links(index)[0]
        if (now.get_attr("IFLA_MASTER") or 0) == wanted:
            return
        with self._kept(index):
            if wanted and self._kind(wanted) == "bond":  # it takes no port that is up
                self._netlink.link("set", index=index, state="down")
            self._netlink.link("set", index=index, master=wanted)
            self._netlink.link("set", index=index, state="up")

    def _kind(self, index: int) -> str:
        return str(self._netlink.get_links(index)[0].get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") or "")

    def _index_or_0(self, device: str) -> int:
        found = self._netlink.link_lookup(ifname=device)
        return int(found[0]) if found else 0

    @contextmanager
    def _kept(self, *devices: int) -> Iterator[None]:
        """Addresses that were there for good, and routes that somebody set, are there again afterwards. Those with a
        lifetime are carpd's, who renews them by itself."""
        addresses = [a for d in devices for a in self._netlink.get_addr(index=d) if _is_permanent(a)]
        routes = [r for d in devices for r in self._netlink.get_routes(oif=d, table=MAIN_TABLE) if _was_set(r)]
        try:
            yield
        finally:
            self._put_back(addresses, routes)

    def _put_back(self, addresses: Iterable[Any], routes: Iterable[Any]) -> None:
        for one in addresses:
            extra = {"flags": NODAD} if one["family"] == 10 else {}
            text, length = one.get_attr("IFA_ADDRESS"), one["prefixlen"]
            self._netlink.addr("replace", index=one["index"], address=text, prefixlen=length, **extra)
        for route in routes:
            to = route.get_attr("RTA_DST")
            where = f"{to}/{route['dst_len']}" if to else "default"
            metric = route.get_attr("RTA_PRIORITY")
            extra = {} if metric is None else {"priority": metric}
            with suppress(NetlinkError):  # its gateway may be in a network that has left
                self._netlink.route(
                    "replace", dst=where, gateway=route.get_attr("RTA_GATEWAY"), oif=route.get_attr("RTA_OIF"),
                    family=route["family"], proto=route["proto"], **extra,
                )  # fmt: skip


@contextmanager
def _said_if_missing(want: Link) -> Iterator[None]:
    """What the kernel has no part for is named, rather than called "not supported"."""
    try:
        yield
    except NetlinkError as error:
        if error.code != EOPNOTSUPP:
            raise
        part, module = _PARTS[want.kind]
        or_below = f", or {want.over} carries none" if want.over else ""
        text = f"{want.device} cannot be made: this machine's kernel has no {part} (module {module}){or_below}"
        raise WrongLink(text) from None


def _is_permanent(address: Any) -> bool:
    flags = address.get_attr("IFA_FLAGS")
    return bool((address["flags"] if flags is None else flags) & PERMANENT) and address["scope"] == GLOBAL


def _was_set(route: Any) -> bool:
    return route["proto"] != BY_KERNEL and route.get_attr("RTA_GATEWAY") is not None


# What netlink calls the settings ------------------------------------------------------------------------------------

Lookup = Callable[[str], int]


def _vlan(settings: dict[str, str], _index: Lookup) -> dict[str, Any]:
    marks = {"from": 0, "to": int(settings["priority"])}
    return {"vlan_id": int(settings["tag"]), "vlan_egress_qos": marks}


def _bond(settings: dict[str, str], index: Lookup) -> dict[str, Any]:
    found: dict[str, Any] = {"bond_mode": BOND_MODES[settings["mode"]], "bond_miimon": CARRIER_LOOKED_AT}
    if "hash" in settings:
        found["bond_xmit_hash_policy"] = HASHES[settings["hash"]]
    if "lacp_rate" in settings:
        found["bond_ad_lacp_rate"] = LACP_RATES[settings["lacp_rate"]]
    if "primary" in settings:
        found["bond_primary"] = index(settings["primary"]) if settings["primary"] else 0
    return found


def _bridge(settings: dict[str, str], _index: Lookup) -> dict[str, Any]:
    """Without Spanning Tree there is nothing to listen for, and the kernel has a port do it all the same."""
    stp = settings["stp"] == "yes"
    return {"br_stp_state": int(stp), "br_forward_delay": LISTENED if stp else 0}


_ATTRIBUTES: dict[str, Callable[[dict[str, str], Lookup], dict[str, Any]]] = {
    "vlan": _vlan, "bond": _bond, "bridge": _bridge,
}  # fmt: skip
