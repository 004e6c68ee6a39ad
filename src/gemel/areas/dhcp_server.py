"""What is said of a DHCP server for one interface, and of a client that always gets the same address.

Reference pfsense-semantics §7.1. The areas are in `dhcp`, what is checked of a server in its network in `dhcp_checks`.
"""

from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import AfterValidator

from gemel.areas.dhcp_fields import (
    ClientId,
    DomainSearch,
    Ipv4s,
    Mac,
    MacPrefixes,
    OptionalIpv4,
    Options,
    Span,
    Spans,
    at_most,
    span,
)
from gemel.areas.fields import DomainName, InterfaceRef, Line, host_name
from gemel.areas.one_per_interface import OnePerInterface
from gemel.core.model import Item, Model, field

SHORTEST_LEASE = 60


def _gateway(value: str) -> str:
    text = value.strip().lower()
    if text in ("", "none"):
        return text
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise ValueError(f"{value!r} is no IPv4 address: enter one, none, or nothing") from None


class DhcpServer(OnePerInterface):
    """The DHCP server of one interface."""

    interface: InterfaceRef = field(label="Interface", help="A static IPv4 address is needed on it.")
    enabled: bool = field(False, label="Enable DHCP server", help="Give addresses to the hosts on this interface.")
    range_from: OptionalIpv4 = field("", label="Range from", help="The first address of the pool.")
    range_to: OptionalIpv4 = field("", label="Range to", help="The last address of the pool.")
    pools: Spans = field(
        (), label="Additional pools", help="Further ranges, such as 192.168.1.150-192.168.1.200."
    )
    deny_unknown: Literal["allow", "enabled", "class"] = field(
        "allow",
        label="Deny unknown clients",
        help="Whether everybody gets an address, or only clients with a static mapping: on any interface (enabled), or "
        "on this one (class).",
    )
    ignore_client_ids: bool = field(
        False, label="Ignore client identifiers", help="Know clients by their MAC only; two systems of one PC are one."
    )
    dns_servers: Annotated[Ipv4s, AfterValidator(at_most(4, "DNS servers"))] = field(
        (),
        label="DNS Server",
        help="At most four. In a cluster the CARP VIP of this interface. Empty: the CARP VIP, or else the interface's "
        "address, where the DNS Resolver answers there; otherwise the system's DNS servers.",
    )
    wins_servers: Annotated[Ipv4s, AfterValidator(at_most(2, "WINS servers"))] = field(
        (), label="WINS servers", help="At most two."
    )
    gateway: Annotated[str, AfterValidator(_gateway)] = field(
        "",
        label="Gateway",
        help="In a cluster the CARP VIP of this interface. Empty: the CARP VIP, or else the interface's address; none: "
        "clients are told of no gateway.",
    )
    domain: DomainName = field("", label="Domain name", help="Empty: the system's domain.")
    domain_search: DomainSearch = field(
        (), label="Domain search list", help="Domains that clients try behind a name without dots."
    )
    default_lease: int = field(
        7200, label="Default lease time", help="Seconds, for clients that do not ask for a time of their own.",
        ge=SHORTEST_LEASE, le=31536000,
    )  # fmt: skip
    max_lease: int = field(
        86400, label="Maximum lease time", help="Seconds, for clients that ask.", ge=SHORTEST_LEASE, le=31536000
    )
    failover_peer_ip: OptionalIpv4 = field(
        "",
        label="Failover Peer IP",
        help="The other node's own address on this interface. The peer gets this node's by itself. Leases are "
        "replicated; the node that holds the CARP VIP answers.",
    )
    ntp_servers: Annotated[Ipv4s, AfterValidator(at_most(4, "NTP servers"))] = field(
        (), label="NTP servers", help="At most four."
    )
    tftp_server: Line = field("", label="TFTP server", help="Name or address (option 66).", max_length=255)
    next_server: OptionalIpv4 = field("", label="Next server", help="Address of the server for network boot.")
    boot_file: Line = field("", label="Default BIOS file name", help="For network boot.", max_length=127)
    boot_file_uefi: Line = field("", label="UEFI 64 bit file name", help="For network boot.", max_length=127)
    root_path: Line = field("", label="Root path", help="For diskless clients (option 17).", max_length=255)
    options: Options = field(
        (),
        label="Additional options",
        help="Number, type and value, such as 252 text http://proxy/wpad.dat. Types: text, hex, "
        "boolean, uint8, uint16, uint32, int8, int16, int32, ip.",
    )
    allow_macs: MacPrefixes = field(
        (), label="MAC allow", help="Only these MAC addresses, or beginnings of them, get an address. Empty: all."
    )
    deny_macs: MacPrefixes = field((), label="MAC deny", help="These, or what begins with them, get none.")
    description: Line = field("", label="Description", help="For people.")

    @property
    def spans(self) -> tuple[Span, ...]:
        """All pools, the range first; empty while there is no range."""
        whole = self.range_from and self.range_to
        main = ((int(IPv4Address(self.range_from)), int(IPv4Address(self.range_to))),) if whole else ()
        return main + tuple(span(p) for p in self.pools)


class Dhcp(Model):
    """The servers, at most one for each interface."""

    items: tuple[DhcpServer, ...] = ()

    def on(self, interface: str) -> DhcpServer | None:
        """The server of an interface."""
        return next((s for s in self.items if s.interface == interface), None)


class StaticMapping(Item):
    """A client that always gets the same address, or is known at least."""

    interface: InterfaceRef = field(label="Interface", help="Where the client is.")
    mac: Mac = field("", label="MAC address", help="Of the client's network card.")
    client_id: ClientId = field("", label="Client identifier", help="Instead of the MAC, or beside it.")
    address: OptionalIpv4 = field("", label="IP address", help="In the interface's network, outside of all pools.")
    hostname: Annotated[str, AfterValidator(lambda v: host_name(v) if v else "")] = field(
        "", label="Hostname", help="Without domain. The DNS Resolver knows it."
    )
    description: Line = field("", label="Description", help="For people.")

    def called(self) -> tuple[str, ...]:
        return tuple(v for v in (self.mac, self.address, self.hostname) if v)


class StaticMappings(Model):
    """All static mappings."""

    items: tuple[StaticMapping, ...] = ()
