"""Firewall > Virtual IPs: CARP addresses that follow the master, and IP aliases, plain or stacked on a CARP VIP.

Reference pfsense-semantics §4. A CARP VIP is known by (interface, VHID); the peer gets the same with skew + 100, at
most 254. Plain IP aliases belong to one node and stay there.
"""

from collections.abc import Iterable
from ipaddress import ip_address, ip_interface
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from gemel.areas.fields import AddressWithMask, Line, names_in
from gemel.areas.interfaces import INTERFACES, Interface
from gemel.core.area import Area, NodeState
from gemel.core.config import Config
from gemel.core.model import Item, Model, field
from gemel.core.problem import Problem
from gemel.core.want import Address, Want

LONGEST_PASSWORD = 19
"""Bytes. The kernel key of BSD's CARP has 20, of which ifconfig uses 19; longer ones would be cut silently there."""

PEER_SKEW = 100
"""With base 0, where the skew is the whole interval, the peer's is one more instead."""
HIGHEST_SKEW = 254


def _parent(value: Any, info: ValidationInfo) -> Any:
    """An interface, or a CARP VIP (by address or ``vip:ID``) to stack an alias on."""
    names = names_in(info)
    if not isinstance(value, str) or names is None:
        return value
    if value.startswith("vip:"):
        if value[4:] not in names.known_vips:
            raise ValueError(f"there is no virtual IP {value!r}")
        return value
    if value in names.vips:
        return f"vip:{names.vips[value]}"
    found = names.interface(value)
    if found is None:
        known = ", ".join(names.known_interfaces.values()) or "none is assigned yet"
        raise ValueError(f"there is no interface {value!r} (there are: {known})")
    return found


def _password(value: str) -> str:
    if len(value.encode()) > LONGEST_PASSWORD:
        raise ValueError(
            f"at most {LONGEST_PASSWORD} bytes: other CARP implementations would cut it, and then not agree"
        )
    if "\0" in value:
        raise ValueError("must not contain a zero byte")
    return value


class VirtualIp(Item):
    """One virtual address."""

    type: Literal["carp", "ipalias"] = field(
        "carp", label="Type", help="carp follows the master; ipalias is a further address."
    )
    interface: Annotated[str, BeforeValidator(_parent)] = field(
        label="Interface", help="The interface; for an IP alias also a CARP VIP, with which it then moves."
    )
    address: AddressWithMask = field(
        label="Address(es)", help="With the mask of the interface's network: 198.51.100.200/24."
    )
    vhid: int | None = field(None, label="VHID Group", help="1 to 255, unique on the interface.", ge=1, le=255)
    base: int = field(
        1,
        label="Base",
        help="Advertising frequency, whole seconds; the same on both nodes. 0 with a skew of at least 1 is faster than "
        "a second, for pairs of Gemel or OpenBSD.",
        ge=0,
        le=254,
    )
    skew: int = field(
        0,
        label="Skew",
        help="1/256 seconds more, 0 to 254. The lower one is master; 0 or 1 on the primary.",
        ge=0,
        le=254,
    )
    password: Annotated[str, AfterValidator(_password)] = field(
        "", label="Virtual IP Password", help="Shared by the nodes; any text of up to 19 characters.", secret=True
    )
    description: Line = field("", label="Description", help="For people.")

    def called(self) -> tuple[str, ...]:
        return (self.address, self.address.partition("/")[0], self.description)

    @property
    def ip(self) -> str:
        """The address without its mask."""
        return self.address.partition("/")[0]

    @property
    def parent_vip(self) -> str | None:
        """The id of the CARP VIP that an alias is stacked on."""
        return self.interface[4:] if self.interface.startswith("vip:") else None


class VirtualIps(Model):
    """All virtual addresses."""

    items: tuple[VirtualIp, ...] = ()

    def get(self, key: str) -> VirtualIp | None:
        """The VIP of that id."""
        return next((v for v in self.items if v.id == key), None)

    def interface_of(self, vip: VirtualIp) -> str:
        """The interface id that a VIP is on, also for one that is stacked."""
        parent = self.get(vip.parent_vip) if vip.parent_vip else None
        return parent.interface if parent else vip.interface


def follows_carp(vip: VirtualIp) -> bool:
    """Whether carpd gives and takes this address."""
    return vip.type == "carp" or vip.parent_vip is not None


def _check(config: Config) -> Iterable[Problem]:
    vips = config[VIRTUAL_IPS]
    taken = {str(ip_interface(a).ip): i.title for i in config[INTERFACES].items for a in i.own}
    vhids: dict[tuple[str, int], VirtualIp] = {}
    for vip in vips.items:
        path = f"virtual_ips[{vip.id}]"
        if vip.ip in taken:
            yield Problem(f"{path}.address", f"{vip.ip} is in use already: {taken[vip.ip]}")
        taken[vip.ip] = f"virtual IP {vip.description or vip.ip}"
        interface = config[INTERFACES].get(vips.interface_of(vip))
        if interface is None:
            yield Problem(f"{path}.interface", f"there is no interface {vip.interface!r} on this node")
        elif not interface.own:
            yield Problem(
                f"{path}.interface", f"{interface.title} has no address of its own: a virtual IP needs one beside it"
            )
        elif vip.type == "carp" and not interface.ipv4:
            text = f"{interface.title} has no IPv4 address of its own, from which CARP would be spoken"
            yield Problem(f"{path}.interface", text)
        else:
            yield from _check_place(vip, interface, path)
        yield from _check_carp(vip, vhids, path) if vip.type == "carp" else _check_alias(vip, vips, path)


def _check_place(vip: VirtualIp, interface: Interface, path: str) -> Iterable[Problem]:
    parsed = ip_interface(vip.address)
    network = parsed.network
    if (
        parsed.version == 4
        and network.prefixlen < 31
        and parsed.ip in (network.network_address, network.broadcast_address)
    ):
        yield Problem(f"{path}.address", f"{vip.ip} is the network or broadcast address of {network}")
    around = [n for n in interface.networks if n.version == parsed.version and ip_address(vip.ip) in n]
    if not around:
        text = f"{vip.ip} is in no network of {interface.title}: hosts there will not find it by themselves"
        yield Problem(f"{path}.address", text, "warning")
    elif vip.type == "carp" and around[0].prefixlen != network.prefixlen:
        text = f"the mask is /{network.prefixlen}, that of {interface.title} is /{around[0].prefixlen}: use the same"
        yield Problem(f"{path}.address", text, "warning")


def _check_carp(vip: VirtualIp, vhids: dict[tuple[str, int], VirtualIp], path: str) -> Iterable[Problem]:
    if vip.parent_vip is not None:
        yield Problem(f"{path}.interface", "only an IP alias can be stacked on a CARP VIP")
    if ip_interface(vip.address).version != 4:
        yield Problem(f"{path}.address", "CARP for IPv6 is not supported yet: use an IPv4 address")
    if vip.vhid is None:
        yield Problem(f"{path}.vhid", "a CARP VIP needs a VHID, 1 to 255")
    else:
        other = vhids.setdefault((vip.interface, vip.vhid), vip)
        if other is not vip:
            yield Problem(f"{path}.vhid", f"VHID {vip.vhid} is used on this interface already, by {other.ip}")
    if vip.base == 0 and vip.skew == 0:
        yield Problem(f"{path}.skew", "base 0 needs a skew of at least 1: it alone is the interval, in 1/256 s")
    if not vip.password:
        yield Problem(f"{path}.password", "a CARP VIP needs a password, the same on both nodes")


def _check_alias(vip: VirtualIp, vips: VirtualIps, path: str) -> Iterable[Problem]:
    if vip.vhid is not None:
        yield Problem(
            f"{path}.vhid", "an IP alias has no VHID: to let it follow CARP, choose the CARP VIP as its interface"
        )
    if vip.parent_vip is None:
        return
    parent = vips.get(vip.parent_vip)
    if parent is None or parent.type != "carp":
        yield Problem(f"{path}.interface", "must be an interface or a CARP VIP")
    elif ip_interface(parent.address).version != ip_interface(vip.address).version:
        yield Problem(f"{path}.address", f"must be of the same family as its CARP VIP {parent.ip}")


def _compile(config: Config, _node: NodeState) -> Iterable[Want]:
    """Plain aliases are ordinary addresses; everything that follows CARP is in carpd's settings (`cluster`)."""
    for vip in config[VIRTUAL_IPS].items:
        interface = config[INTERFACES].get(vip.interface)
        if not follows_carp(vip) and interface and interface.enabled:
            yield Address(interface.device, vip.address)


def _shared(model: VirtualIps, _config: Config) -> VirtualIps:
    return model.model_copy(update={"items": tuple(v for v in model.items if follows_carp(v))})


def _for_peer(model: VirtualIps, _config: Config) -> VirtualIps:
    items = (
        v.model_copy(update={"skew": min(v.skew + (PEER_SKEW if v.base else 1), HIGHEST_SKEW)})
        if v.type == "carp"
        else v
        for v in model.items
    )
    return model.model_copy(update={"items": tuple(items)})


VIRTUAL_IPS = Area(
    name="virtual_ips",
    label="Virtual IPs",
    noun="vip",
    model=VirtualIps,
    item=VirtualIp,
    help="Addresses that move between the nodes (CARP), and further addresses (IP alias).",
    availability="follows a VIP",
    sync="virtual_ips",
    check=_check,
    compile=_compile,
    shared=_shared,
    for_peer=_for_peer,
    columns=("address", "interface", "type", "vhid", "base", "skew", "description"),
)
