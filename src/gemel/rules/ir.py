"""What one node filters and translates, with every name resolved: the input of the rule compiler.

Everything is concrete and node-relative. Areas turn "LAN net", "This firewall" or an interface id into ranges and
device names before they build these values; disabled rules, and rules whose source or destination resolves to
nothing, are left out by them. `None` for addresses, ports, protocols or types always means *any*. A rule may appear
twice with one id (say, on two devices): its counters add up.

Semantics: reference pfsense-semantics §2.4, §2.5, §2.7, §3 and §5.
"""

from dataclasses import dataclass
from enum import Enum

from gemel.rules.addresses import Family, Range, parse_range

PROTOCOLS: dict[str, int] = {
    "icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51, "icmp6": 58, "ospf": 89,
    "etherip": 97, "pim": 103, "carp": 112, "sctp": 132, "pfsync": 240,
}  # fmt: skip
ICMP, TCP, UDP, ICMP6, CARP, SCTP, PFSYNC = 1, 6, 17, 58, 112, 132, 240
WITH_PORTS = frozenset({TCP, UDP, SCTP})

STATE_SYNC_PORT = 3240
"""Gemel's state synchronisation: a TCP stream and UDP heartbeats. A rule with protocol pfsync means these, too."""

NO_STATE_SYNC_MARK = 0x8000_0000
"""This bit of the conntrack mark says: the state stays on this node. A mark travels with the states that are synced."""

LOG_GROUP = 1
"""nflog group of every logging rule; the prefix is `gemel:<action>:<rule id>`."""


class Action(Enum):
    """What a rule does with a packet that begins a flow."""

    PASS = "pass"
    BLOCK = "block"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Addresses:
    """A set of addresses: ranges and aliases together, or (`negated`) all others.

    Ranges of the other family than the packet's never hold it. `aliases` are ids in `Policy.aliases`.
    """

    ranges: tuple[Range, ...] = ()
    aliases: tuple[str, ...] = ()
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Ports:
    """Spans `(low, high)` with both ends included, and ids in `Policy.port_sets`."""

    spans: tuple[tuple[int, int], ...] = ()
    sets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """Which packets. All that is given must hold.

    Ports restrict to TCP, UDP and SCTP, whatever else `protocols` names. ICMP types hold for protocol 1 in IPv4
    packets, ICMPv6 types for 58 in IPv6 packets; other protocols of the rule do not look at them, and types without
    protocols mean ICMP alone. Protocol 240 also means `STATE_SYNC_PORT`.
    """

    family: Family | None = None
    protocols: frozenset[int] | None = None
    source: Addresses | None = None
    destination: Addresses | None = None
    source_ports: Ports | None = None
    destination_ports: Ports | None = None
    icmp_types: frozenset[int] | None = None
    icmp6_types: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of an interface's list. `id` is the item's stable id; it labels counters and log lines."""

    id: str
    match: Match
    action: Action
    log: bool = False
    no_state_sync: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Alias:
    """A named set of addresses, both families mixed, nested ones flattened, in any order.

    `changing`: contents come from names or tables that are refreshed; the compiler then never looks at them, so that a
    refresh touches nothing but the set itself.
    """

    id: str
    ranges: tuple[Range, ...]
    changing: bool = False


@dataclass(frozen=True, slots=True)
class PortSet:
    """A named set of ports, flattened."""

    id: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class SourceNat:
    """Outbound NAT: flows that match and leave through `device` get the source `to`.

    `match.family` must be given, and be that of `to`. `to` is an address (or a pool range), concrete also where the
    admin chose "interface address"; None means: no NAT for these. `static_port` keeps the source port; otherwise one
    outside of `ports` is changed to one inside. The first match wins.
    """

    id: str
    device: str
    match: Match
    to: Range | None
    static_port: bool = False
    ports: tuple[int, int] = (1024, 65535)


@dataclass(frozen=True, slots=True)
class PortForward:
    """Flows that match and come in through `device` go to `to`; filter rules see that destination.

    `match.family` must be given, and be that of `to`. `to` None means: no redirection for these (and no later forward
    either). `first_port` is where the lowest destination port goes, the others keep their distance; None keeps ports
    as they are.
    """

    id: str
    device: str
    match: Match
    to: Range | None
    first_port: int | None = None


@dataclass(frozen=True, slots=True)
class Helper:
    """A conntrack helper, by the kernel's name, for flows to `port` of `protocol` (TCP or UDP) as they come in."""

    name: str
    protocol: int
    port: int


@dataclass(frozen=True, slots=True)
class Interface:
    """One device and its rules, for packets that come in through it.

    `automatic` are the rules that services bring (a DHCP server's, say); they stand before the user's.
    `lockout_ports` are TCP ports that are open to `lockout_addresses` whatever the rules say (anti-lockout; LAN only,
    empty elsewhere).
    """

    id: str
    device: str
    rules: tuple[Rule, ...] = ()
    automatic: tuple[Rule, ...] = ()
    lockout_addresses: tuple[Range, ...] = ()
    lockout_ports: tuple[int, ...] = ()
    block_private: bool = False
    block_bogons: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything of one node.

    `addresses`: the node's own; `vips`: all its virtual addresses, whether it holds them at the moment or not.
    `carp`: there is at least one CARP VIP. `source_nat` is in order: manual mappings, then the automatic ones.
    `helpers` are those that the kernel has. `log_default_deny` logs what no rule matched. `bogons` None means the
    built-in list.
    """

    interfaces: tuple[Interface, ...]
    addresses: tuple[Range, ...] = ()
    vips: tuple[Range, ...] = ()
    carp: bool = False
    aliases: tuple[Alias, ...] = ()
    port_sets: tuple[PortSet, ...] = ()
    source_nat: tuple[SourceNat, ...] = ()
    port_forwards: tuple[PortForward, ...] = ()
    helpers: tuple[Helper, ...] = ()
    log_default_deny: bool = True
    log_private: bool = True
    log_bogons: bool = True
    block_link_local: bool = True
    bogons: tuple[Range, ...] | None = None


def addresses(*texts: str, aliases: tuple[str, ...] = (), negated: bool = False) -> Addresses:
    """`Addresses` from their usual notation: `addresses("10.0.0.0/8", "2001:db8::1")`.

    Raises:
        ValueError: a text is no address, network or range.
    """
    return Addresses(tuple(map(parse_range, texts)), aliases, negated)


def ports(*spans: int | tuple[int, int], sets: tuple[str, ...] = ()) -> Ports:
    """`Ports` from single numbers and spans: `ports(80, (8000, 8010))`."""
    return Ports(tuple((s, s) if isinstance(s, int) else s for s in spans), sets)
