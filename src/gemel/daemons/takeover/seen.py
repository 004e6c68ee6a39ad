"""What a machine has now, read from what `ip -json` and /etc/resolv.conf say. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_interface
from typing import Any

LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class Port:
    """One network device: addresses with their masks, and whether they were leased (DHCP, router advertisements)."""

    device: str
    mac: str
    up: bool
    addresses: tuple[str, ...] = ()
    leased: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Addresses with masks, those of its own first."""
        return (*self.addresses, *self.leased)


@dataclass(frozen=True, slots=True)
class Via:
    """A default route. `onlink`: whoever made it did not ask whether the gateway is on the port's network. `metric`:
    of several, the lowest is used."""

    gateway: str
    device: str
    onlink: bool = False
    metric: int = 0

    @property
    def how(self) -> tuple[str, ...]:
        """For `ip route`."""
        return (*(("onlink",) if self.onlink else ()), *(("metric", str(self.metric)) if self.metric else ()))


@dataclass(frozen=True, slots=True)
class Seen:
    """A machine's network as it works at this moment. `routes` are those that somebody set, without default routes."""

    hostname: str
    ports: tuple[Port, ...] = ()
    default: Via | None = None
    default6: Via | None = None
    routes: tuple[tuple[str, str, str], ...] = ()
    nameservers: tuple[str, ...] = ()
    domain: str = ""
    owners: tuple[str, ...] = field(default=())

    def port(self, device: str) -> Port | None:
        """The port of that name."""
        return next((p for p in self.ports if p.device == device), None)

    def port_with(self, address: str) -> Port | None:
        """The port that has this address (without mask)."""
        wanted = ip_address(address)
        return next((p for p in self.ports if any(ip_interface(a).ip == wanted for a in p.all)), None)


def ports(links: Iterable[dict[str, Any]]) -> tuple[Port, ...]:
    """Of `ip -json address`: Ethernet devices that could be assigned; no loopback, no port of a bridge or bond."""
    found = []
    for link in links:
        if link.get("link_type") != "ether" or "master" in link:
            continue
        infos = [i for i in link.get("addr_info", ()) if i.get("scope") == "global" and not i.get("temporary")]
        by_origin: dict[bool, list[str]] = {False: [], True: []}
        for info in infos:
            by_origin[bool(info.get("dynamic"))].append(f"{info['local']}/{info['prefixlen']}")
        found.append(
            Port(
                link["ifname"],
                link.get("address", ""),
                "UP" in link.get("flags", ()),
                tuple(by_origin[False]),
                tuple(by_origin[True]),
            )
        )
    return tuple(found)


def made_since(ledger: Any, before: Seen) -> tuple[str, ...]:
    """Of what the agent keeps of what it put in place: the VLANs, bonds and bridges that the machine did not have."""
    links = (entry["want"] for entry in ledger.get("have", ()) if entry.get("kind") == "Link")
    return tuple(w["device"] for w in links if w.get("kind") and not before.port(w["device"]))


def default_route(routes: Iterable[dict[str, Any]]) -> Via | None:
    """Of `ip -json route show default`: the one that is used, which has the lowest metric."""
    usable = [r for r in routes if r.get("dst") == "default" and "gateway" in r]
    best = min(usable, key=lambda r: r.get("metric", 0), default=None)
    if best is None:
        return None
    return Via(best["gateway"], best["dev"], "onlink" in best.get("flags", ()), best.get("metric", 0))


def other_routes(routes: Iterable[dict[str, Any]]) -> tuple[tuple[str, str, str], ...]:
    """Of `ip -json route`: destination, gateway and device of routes through a gateway that somebody set."""
    return tuple((r["dst"], r["gateway"], r["dev"]) for r in routes if r.get("dst") != "default" and "gateway" in r)


def resolver(text: str) -> tuple[tuple[str, ...], str]:
    """Of /etc/resolv.conf: name servers that can be asked from here on, and the first domain searched. A stub that only
    listens on loopback ends with its owner, so it does not count."""
    servers, domain = [], ""
    for line in text.splitlines():
        word, *rest = line.split("#")[0].split() or [""]
        if word == "nameserver" and rest and not ip_address(rest[0].partition("%")[0]).is_loopback:
            servers.append(rest[0])
        elif word in ("search", "domain") and rest and not domain:
            domain = rest[0].strip(".")
    return tuple(servers), domain


def gone_and_new(before: Sequence[str], after: Sequence[str]) -> tuple[list[str], list[str]]:
    """Addresses to add again and to take away, to come from `after` to `before`."""
    return [a for a in before if a not in after], [a for a in after if a not in before]
