"""What a policy means, one packet at a time: rule after rule, as a person would read them.

Slow and plain on purpose: the compiler is tested against it, and *explain* is built on it. It knows packets that begin
a flow; those of known flows pass without being asked. Source: reference pfsense-semantics §2.4, §2.5, §5.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gemel.rules.addresses import Family, Range, parse_range
from gemel.rules.ir import (
    CARP,
    ICMP,
    ICMP6,
    PFSYNC,
    STATE_SYNC_PORT,
    TCP,
    UDP,
    WITH_PORTS,
    Action,
    Addresses,
    Interface,
    Match,
    Policy,
    PortForward,
    Ports,
    Rule,
    SourceNat,
)
from gemel.rules.reserved import BOGONS, LINK_LOCAL, PRIVATE

NEIGHBOURS = tuple(
    (parse_range(source), parse_range(destination))
    for source, destination in (
        ("fe80::/10", "fe80::/10"), ("fe80::/10", "ff02::/16"), ("::/128", "ff02::/16"), ("ff02::/16", "fe80::/10"),
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet that comes in through `device`; addresses as numbers, ports 0 where there are none.

    `begins`: a TCP packet with SYN and without ACK. `out_device`: where routing sends it; None if it is for the node
    itself.
    """

    device: str
    family: Family
    protocol: int
    source: int
    destination: int
    source_port: int = 0
    destination_port: int = 0
    icmp_type: int = 0
    begins: bool = True
    out_device: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a packet. `decided_by` is a rule's id, or a built-in rule's label such as `default`.

    `seen` is the packet as the rules saw it, that is after a port forward. `forward` and `mapping` are those that
    matched, also when they say not to translate.
    """

    action: Action
    decided_by: str
    rule: Rule | None
    seen: Packet
    forward: PortForward | None = None
    mapping: SourceNat | None = None


class Interpreter:
    """Reads one policy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._aliases = {alias.id: alias for alias in policy.aliases}
        self._port_sets = {port_set.id: port_set for port_set in policy.port_sets}
        self._interfaces = {interface.device: interface for interface in policy.interfaces}

    def outcome(self, packet: Packet) -> Outcome:
        """What becomes of a packet that begins a flow."""
        forward = self._forward(packet)
        seen = _redirected(packet, forward)
        action, decided_by, rule = self._filter(seen)
        mapping = self._mapping(seen) if action is Action.PASS else None
        return Outcome(action, decided_by, rule, seen, forward, mapping)

    def matches(self, match: Match, packet: Packet) -> bool:
        """Whether all that `match` asks holds."""
        return (
            match.family in (None, packet.family)
            and self._in(match.source, packet.family, packet.source)
            and self._in(match.destination, packet.family, packet.destination)
            and self._transport(match, packet)
        )

    def misses(self, match: Match, packet: Packet) -> list[str]:
        """What of `match` does not hold, in words of the rule page; empty if it matches."""
        transport = replace(match, family=None, source=None, destination=None)
        by_protocol = replace(transport, source_ports=None, destination_ports=None, icmp_types=None, icmp6_types=None)
        asked = {
            "address family": Match(match.family),
            "source": Match(source=match.source),
            "destination": Match(destination=match.destination),
            "protocol": by_protocol,
        }
        missed = [name for name, part in asked.items() if not self.matches(part, packet)]
        if "protocol" in missed or self._transport(match, packet):
            return missed
        if match.source_ports is not None and not self._port_in(match.source_ports, packet.source_port):
            missed.append("source port")
        if match.destination_ports is not None and not self._port_in(match.destination_ports, packet.destination_port):
            missed.append("destination port")
        return missed if missed and missed[-1].endswith("port") else [*missed, "protocol or ICMP type"]

    def _transport(self, match: Match, packet: Packet) -> bool:
        if match.source_ports is not None or match.destination_ports is not None:
            return (
                packet.protocol in WITH_PORTS
                and (match.protocols is None or packet.protocol in match.protocols)
                and self._port_in(match.source_ports, packet.source_port)
                and self._port_in(match.destination_ports, packet.destination_port)
            )
        protocols = match.protocols
        icmp, types = (ICMP, match.icmp_types) if packet.family == 4 else (ICMP6, match.icmp6_types)
        if types is not None and packet.protocol == icmp:
            return (protocols is None or icmp in protocols) and packet.icmp_type in types
        if types is not None and protocols is None:
            return False
        if protocols is None or packet.protocol in protocols:
            return True
        return PFSYNC in protocols and packet.protocol in (TCP, UDP) and packet.destination_port == STATE_SYNC_PORT

    def _in(self, side: Addresses | None, family: Family, value: int) -> bool:
        if side is None:
            return True
        ranges = [*side.ranges, *(r for alias in side.aliases for r in self._aliases[alias].ranges)]
        return holds(ranges, family, value) != side.negated

    def _port_in(self, side: Ports | None, port: int) -> bool:
        if side is None:
            return True
        spans = [*side.spans, *(span for name in side.sets for span in self._port_sets[name].spans)]
        return any(low <= port <= high for low, high in spans)

    def _filter(self, packet: Packet) -> tuple[Action, str, Rule | None]:
        if packet.device == "lo" and packet.out_device is None:
            return Action.PASS, "loopback", None
        interface = self._interfaces.get(packet.device)
        built_in = self._before_interfaces(packet) or (self._before_rules(interface, packet) if interface else None)
        if built_in:
            return *built_in, None
        for rule in (*interface.automatic, *interface.rules) if interface else ():
            if self.matches(rule.match, packet):
                return rule.action, rule.id, rule
        return Action.BLOCK, "default", None

    def _before_interfaces(self, packet: Packet) -> tuple[Action, str] | None:
        family, source, destination = packet.family, packet.source, packet.destination
        if self._policy.block_link_local and any(holds([LINK_LOCAL], family, value) for value in (source, destination)):
            return Action.BLOCK, "link-local"
        if family == 6 and packet.protocol == ICMP6 and _is_required(packet):
            return Action.PASS, "required ICMPv6"
        if packet.protocol in (TCP, UDP) and 0 in (packet.source_port, packet.destination_port):
            return Action.BLOCK, "port 0"
        if self._policy.carp and packet.protocol == CARP:
            if holds((*self._policy.addresses, *self._policy.vips), family, source):
                return Action.BLOCK, "own CARP"
            return Action.PASS, "CARP"
        if packet.protocol == TCP and not packet.begins:
            return Action.BLOCK, "out of state"
        return None

    def _before_rules(self, interface: Interface, packet: Packet) -> tuple[Action, str] | None:
        if interface.block_private and holds(PRIVATE, packet.family, packet.source):
            return Action.BLOCK, "private"
        bogons = BOGONS if self._policy.bogons is None else self._policy.bogons
        if interface.block_bogons and holds(bogons, packet.family, packet.source):
            return Action.BLOCK, "bogons"
        if packet.protocol == TCP and packet.destination_port in interface.lockout_ports \
                and holds(interface.lockout_addresses, packet.family, packet.destination):  # fmt: skip
            return Action.PASS, "anti-lockout"
        return None

    def _forward(self, packet: Packet) -> PortForward | None:
        forwards = (f for f in self._policy.port_forwards if f.device == packet.device)
        return next((f for f in forwards if self._is_tracked(packet) and self.matches(f.match, packet)), None)

    def _mapping(self, packet: Packet) -> SourceNat | None:
        mappings = (m for m in self._policy.source_nat if m.device == packet.out_device)
        return next((m for m in mappings if self._is_tracked(packet) and self.matches(m.match, packet)), None)

    def _is_tracked(self, packet: Packet) -> bool:
        return not (self._policy.carp and packet.protocol == CARP)


def holds(ranges: Iterable[Range], family: Family, value: int) -> bool:
    """Whether one of the ranges has the address."""
    return any(r.family == family and r.first <= value <= r.last for r in ranges)


def _is_required(packet: Packet) -> bool:
    if packet.icmp_type in (1, 2, 135, 136):
        return True
    return packet.icmp_type in (128, 133, 134) and any(
        holds([source], 6, packet.source) and holds([destination], 6, packet.destination)
        for source, destination in NEIGHBOURS
    )


def _redirected(packet: Packet, forward: PortForward | None) -> Packet:
    if forward is None or forward.to is None:
        return packet
    port = packet.destination_port
    if forward.first_port is not None and forward.match.destination_ports is not None:
        port += forward.first_port - min(low for low, _ in forward.match.destination_ports.spans)
    return replace(packet, destination=forward.to.first, destination_port=port)
