"""Interfaces: which device is WAN, LAN, SYNC…, and its addresses. Stays on each node; the ids must mean the same on
both.

Everything else refers to an interface by its id (``wan``, ``lan``, ``opt1``…), pages show its description.
Reference pfsense-semantics §1.
"""

from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from typing import Any

from gemel.areas.fields import DeviceName, GatewayRef, Line, OwnIpv4, OwnIpv6
from gemel.core.area import Area, NodeState
from gemel.core.config import Config
from gemel.core.model import Item, Model, field
from gemel.core.problem import Problem
from gemel.core.want import Address, Want

PRIVATE = tuple(ip_network(n) for n in ("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
RESERVED_WORDS = {"any", "self", "this firewall", "all", "none", "lo0", "loopback", "pass", "block", "reject", "port"}

IpNetwork = IPv4Network | IPv6Network


class Interface(Item):
    """One assigned device."""

    device: DeviceName = field(label="Network port", help="The network device, such as eth1.")
    enabled: bool = field(
        False, label="Enable interface", help="Without this the device is left alone and filters nothing."
    )
    description: Line = field(
        "", label="Description", help="What pages and rules call it, for example SYNC.", max_length=31
    )
    ipv4: OwnIpv4 = field(
        "", label="IPv4 address", help="Static address with mask, for example 172.16.1.2/24; empty for none."
    )
    gateway: GatewayRef = field(
        "",
        label="IPv4 Upstream gateway",
        help="Only where this interface leads to the Internet; local networks have none.",
    )
    ipv6: OwnIpv6 = field("", label="IPv6 address", help="Static address with prefix length; empty for none.")
    gateway6: GatewayRef = field(
        "", label="IPv6 Upstream gateway", help="Only where this interface leads to the Internet."
    )
    block_private: bool = field(
        False,
        label="Block private networks",
        help="Drops what arrives from private, loopback and unique local sources.",
    )
    block_bogons: bool = field(False, label="Block bogon networks", help="Drops what arrives from reserved sources.")
    mtu: int | None = field(
        None, label="MTU", help="In bytes, 576 to 9000; empty leaves the device's own.", ge=576, le=9000
    )

    @classmethod
    def id_for(cls, values: Mapping[str, Any], taken: Collection[str]) -> str:
        return next_id(taken)

    def called(self) -> tuple[str, ...]:
        return (self.description,) if self.description else ()

    @property
    def title(self) -> str:
        """What people see: the description, or the id in capitals."""
        return self.description or self.id.upper()

    @property
    def own(self) -> tuple[str, ...]:
        """The interface's own addresses with masks, IPv4 first."""
        return tuple(a for a in (self.ipv4, self.ipv6) if a)

    @property
    def networks(self) -> tuple[IpNetwork, ...]:
        """The networks of its own addresses."""
        return tuple(ip_interface(a).network for a in self.own)


class Interfaces(Model):
    """The assigned interfaces, WAN first."""

    items: tuple[Interface, ...] = ()

    def get(self, key: str) -> Interface | None:
        """The interface of that id."""
        return next((i for i in self.items if i.id == key), None)


def next_id(taken: Iterable[str]) -> str:
    """The id of the next interface: ``wan``, ``lan``, then the lowest free ``optN``."""
    ids = set(taken)
    for first in ("wan", "lan"):
        if first not in ids:
            return first
    number = 1
    while f"opt{number}" in ids:
        number += 1
    return f"opt{number}"


def _check(config: Config) -> Iterable[Problem]:
    items = config[INTERFACES].items
    seen_devices: dict[str, Interface] = {}
    seen_names = {item.id: item for item in items}
    for item in items:
        path = f"interfaces[{item.id}]"
        other = seen_devices.setdefault(item.device, item)
        if other is not item:
            yield Problem(f"{path}.device", f"{item.device} is assigned to {other.title} already")
        yield from _check_name(item, seen_names)
        if item.gateway and not item.ipv4:
            yield Problem(f"{path}.gateway", "a gateway needs an IPv4 address on this interface")
        if item.gateway6 and not item.ipv6:
            yield Problem(f"{path}.gateway6", "a gateway needs an IPv6 address on this interface")
        if item.block_private:
            for network in item.networks:
                if any(network.version == p.version and network.subnet_of(p) for p in PRIVATE):  # type: ignore[arg-type]
                    text = f"the network of {item.title} itself, {network}, is private: this blocks everybody on it"
                    yield Problem(f"{path}.block_private", text, "warning")
    yield from _check_overlap([i for i in items if i.enabled])


def _check_name(item: Interface, seen: dict[str, Interface]) -> Iterable[Problem]:
    path, name = f"interfaces[{item.id}].description", item.title.lower()
    if name in RESERVED_WORDS:
        yield Problem(path, f"{item.title!r} has a meaning of its own in rules: choose another description")
    elif item.description.isdigit():
        yield Problem(path, "must not be a number only")
    elif item.description.startswith("pkg_"):
        yield Problem(path, "must not begin with pkg_")
    other = seen.setdefault(name, item)
    if other is not item:
        yield Problem(path, f"{item.title} is what the interface {other.id} is called already")


def _check_overlap(items: list[Interface]) -> Iterable[Problem]:
    """Two interfaces of one node in one network would make it a matter of luck where a packet leaves."""
    for index, item in enumerate(items):
        for attribute in ("ipv4", "ipv6"):
            mine = getattr(item, attribute)
            for other in items[:index]:
                theirs = getattr(other, attribute)
                if mine and theirs and ip_interface(mine).network.overlaps(ip_interface(theirs).network):
                    text = f"{mine} overlaps with {theirs} of {other.title}: every interface needs a network of its own"
                    yield Problem(f"interfaces[{item.id}].{attribute}", text)


def _compile(config: Config, _node: NodeState) -> Iterable[Want]:
    for item in config[INTERFACES].items:
        if item.enabled:  # its link stands with all the others: `links_compile`
            for address in item.own:
                yield Address(item.device, address)


INTERFACES = Area(
    name="interfaces",
    label="Interfaces",
    noun="interface",
    model=Interfaces,
    item=Interface,
    help="Assign devices, give them names and addresses. The same id must mean the same network on both nodes.",
    availability="local",
    check=_check,
    compile=_compile,
    columns=("id", "description", "device", "enabled", "ipv4", "ipv6", "gateway"),
)
