"""What a machine has now, read from what `ip -json`, /etc/resolv.conf and others say. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from itertools import chain
from typing import Any

from gemel.daemons.takeover.devices import Device


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
    """A way to a gateway. `onlink`: whoever made it did not ask whether the gateway is on the port's network. `metric`:
    of several, the lowest is used. `protocol` (who made it) and `source` (the address that is sent from) are as
    `ip route` says them; whoever made it knows it again by all of these."""

    gateway: str
    device: str
    onlink: bool = False
    metric: int = 0
    protocol: str = ""
    source: str = ""

    @classmethod
    def of(cls, route: dict[str, Any]) -> "Via":
        """Of a route of `ip -json route`, with or without a gateway."""
        return cls(
            route.get("gateway", ""),
            route.get("dev", ""),
            "onlink" in route.get("flags", ()),
            route.get("metric", 0),
            route.get("protocol", ""),
            route.get("prefsrc", ""),
        )

    @property
    def how(self) -> tuple[str, ...]:
        """For `ip route`."""
        said = {"metric": self.metric or "", "proto": self.protocol, "src": self.source}
        pairs = ((name, str(value)) for name, value in said.items() if value)
        return (*(("onlink",) if self.onlink else ()), *chain.from_iterable(pairs))


@dataclass(frozen=True, slots=True)
class Seen:
    """A machine's network as it works at this moment. `routes` are those that somebody set, without default routes:
    destination, gateway, device, and what else `ip route` is told of it; `odd_routes` are those that Gemel has no words
    for, as `ip route` would show them."""

    hostname: str
    ports: tuple[Port, ...] = ()
    default: Via | None = None
    default6: Via | None = None
    routes: tuple[tuple[str, ...], ...] = ()
    nameservers: tuple[str, ...] = ()
    domain: str = ""
    owners: tuple[str, ...] = field(default=())
    devices: tuple[Device, ...] = ()
    odd_routes: tuple[str, ...] = ()

    def port(self, device: str) -> Port | None:
        """The port of that name."""
        return next((p for p in self.ports if p.device == device), None)

    def known(self, name: str) -> Device | None:
        """The network device of that name, assignable or not."""
        return next((d for d in self.devices if d.name == name), None)

    def device_with(self, address: str) -> str:
        """The network device that has this address (without mask; a link-local one says by its zone), or nothing."""
        if zone := address.partition("%")[2]:
            return zone
        wanted = ip_address(address)
        ports = (p.device for p in self.ports if any(ip_interface(a).ip == wanted for a in p.all))
        others = (d.name for d in self.devices if any(ip_address(a) == wanted for a in d.addresses))
        return next(chain(ports, others), "")


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
    there = {*(p.device for p in before.ports), *(d.name for d in before.devices)}
    return tuple(w["device"] for w in links if w.get("kind") and w["device"] not in there)


def default_route(routes: Iterable[dict[str, Any]]) -> Via | None:
    """Of `ip -json route show default`: the one that is used, which has the lowest metric."""
    usable = [r for r in routes if r.get("dst") == "default" and "gateway" in r]
    best = min(usable, key=lambda r: r.get("metric", 0), default=None)
    return None if best is None else Via.of(best)


def other_routes(routes: Iterable[dict[str, Any]]) -> tuple[tuple[str, ...], ...]:
    """Of `ip -json route`: routes through a gateway that somebody set, as `Seen` has them."""
    found = (r for r in routes if r.get("dst") != "default" and "gateway" in r)
    return tuple((r["dst"], r["gateway"], r["dev"], *Via.of(r).how) for r in found)


def odd_routes(routes: Iterable[dict[str, Any]], ports: Iterable[Port]) -> tuple[str, ...]:
    """Of `ip -json route`: those that neither `default_route` nor `other_routes` has, and no address brings along."""
    near = {p.device: [ip_interface(a).network for a in p.all] for p in ports}
    listed = [r for r in routes if r.get("protocol") != "kernel"]
    defaults = [r for r in listed if r["dst"] == "default" and "gateway" in r]
    used = min(defaults, key=lambda r: r.get("metric", 0), default=None)
    odd = [r for r in listed if r is not used and (r in defaults or "gateway" not in r)]
    return tuple(_words(r) for r in odd if not _is_near(r, near.get(r.get("dev", ""), [])))


def _is_near(route: dict[str, Any], networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Whether it only says that something in a network of the port is on that port."""
    if route["dst"] == "default" or not {"gateway", "via", "nexthops"}.isdisjoint(route):
        return False
    to = ip_network(route["dst"])
    return any(to.version == n.version and to.subnet_of(n) for n in networks)  # type: ignore[arg-type]


def _words(route: dict[str, Any]) -> str:
    via = route.get("via", {}).get("host", route.get("gateway"))
    hops = [f"via {hop['gateway']}" for hop in route.get("nexthops", ()) if "gateway" in hop]
    kind = route.get("type", "unicast")
    parts = [kind if kind != "unicast" else "", route["dst"], f"via {via}" if via else "", *hops]
    parts += [f"{name} {route[name]}" for name in ("dev", "metric") if name in route]
    return " ".join(part for part in parts if part)


def resolver(text: str) -> tuple[tuple[str, ...], str]:
    """Of /etc/resolv.conf: name servers that can be asked from here on, and the first domain searched. A stub that only
    listens on loopback ends with its owner, so it does not count."""
    servers, domain = [], ""
    for line in text.splitlines():
        word, *rest = line.split("#")[0].split() or [""]
        if word == "nameserver" and rest and _is_elsewhere(rest[0]):
            servers.append(rest[0])
        elif word in ("search", "domain") and rest and not domain:
            domain = rest[0].strip(".")
    return tuple(servers), domain


def _is_elsewhere(server: str) -> bool:
    try:
        return not ip_address(server).is_loopback
    except ValueError:
        return False


def resolvers(texts: Iterable[str]) -> tuple[tuple[str, ...], str]:
    """Name servers of the first of these files that names one beyond loopback, and the first domain searched."""
    domain = ""
    for text in texts:
        servers, searched = resolver(text)
        domain = domain or searched
        if servers:
            return servers, domain
    return (), domain


def gone_and_new(before: Sequence[str], after: Sequence[str]) -> tuple[list[str], list[str]]:
    """Addresses to add again and to take away, to come from `after` to `before`."""
    return [a for a in before if a not in after], [a for a in after if a not in before]
