"""Interfaces, aliases, rules and NAT of this node, resolved to one `Policy` for the rule compiler.

What is node-relative becomes concrete here: *SYNC address* is this node's. A rule whose source or destination comes to
nothing (an interface without address, an empty alias) is left out; it never becomes *any* (reference pfsense-semantics
§2.3).
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_interface, ip_network
from typing import Any

from gemel.areas.aliases import ALIASES, ranges_of, spans_of
from gemel.areas.conntrack_helpers import wanted
from gemel.areas.dhcp import DHCP
from gemel.areas.dhcp6 import DHCP6
from gemel.areas.dhcp6_kea import automatic_rules6
from gemel.areas.dhcp_kea import automatic_rules
from gemel.areas.dhcp_relay import DHCP6_RELAY, DHCP_RELAY, relay_rules
from gemel.areas.gateways import GATEWAYS, ROUTES
from gemel.areas.high_availability import HIGH_AVAILABILITY
from gemel.areas.interfaces import INTERFACES, PRIVATE, Interface
from gemel.areas.names import names_of
from gemel.areas.nat import OUTBOUND_NAT, PORT_FORWARDS, Mapping, PortForward
from gemel.areas.resolve import Nothing, Resolver, host, resolver_of
from gemel.areas.rules import FAMILIES, RULES
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.core.area import Area, NodeState
from gemel.core.config import Config
from gemel.core.model import plain
from gemel.core.problem import Problem
from gemel.core.want import Ruleset, Want
from gemel.rules import ir, nft
from gemel.rules.addresses import Range, parse_range
from gemel.rules.delta import delta
from gemel.rules.ruleset import Ruleset as CompiledRuleset
from gemel.rules.virtual_mac import VirtualMac, virtual_mac_texts, without_device

LOCKOUT_PORTS = (80, 443)
ISAKMP = 500
NOTHING_SPECIAL = NodeState()
COMPILER = "2"
"""Raised whenever the same configuration compiles to something else, so that an upgraded node loads it."""


class Filter:
    """The filter and NAT tables as a `core.want.Program`; compiled when first loaded."""

    def __init__(self, policy: ir.Policy, fingerprint: str) -> None:
        self.policy = policy
        self._fingerprint = fingerprint
        self._compiled: CompiledRuleset | None = None

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def text(self) -> str:
        self._compiled = nft.compile(self.policy)
        return self._compiled.text()

    def text_from(self, previous: Any) -> str:
        if not isinstance(previous, Filter) or previous._compiled is None:
            return self.text()
        self._compiled = nft.compile(self.policy, previous._compiled)
        return delta(previous._compiled, self._compiled)

    def text_without(self) -> str:
        return ""  # no moment without a firewall


@dataclass(frozen=True)
class VirtualMacs:
    """What opens and closes the virtual MACs of one device, or what all need, as a `core.want.Program`. Loading it
    again moves nothing."""

    loaded: str
    removed: str = ""

    @property
    def fingerprint(self) -> str:
        return hashlib.blake2b(self.loaded.encode(), digest_size=8).hexdigest()

    def text(self) -> str:
        return self.loaded

    def text_from(self, previous: Any) -> str:
        return self.loaded

    def text_without(self) -> str:
        return self.removed


def compile_firewall(config: Config, node: NodeState) -> Iterable[Want]:
    """The rulesets of a node: its filter, and those of its virtual MACs."""
    for device, text in virtual_mac_texts(virtual_macs(config)).items():
        if device:
            yield Ruleset(f"virtual_mac {device}", VirtualMacs(text, without_device(device)), (device,))
        else:
            yield Ruleset("virtual_mac", VirtualMacs(text))
    yield Ruleset("filter", Filter(policy(config, node), _fingerprint(config, node)))


def _fingerprint(config: Config, node: NodeState) -> str:
    """Of everything that the policy is made from: the models' JSON is ten times quicker to make than the policy's."""
    found = hashlib.blake2b(COMPILER.encode(), digest_size=8)
    policies = (INTERFACES, GATEWAYS, ROUTES, ALIASES, RULES, OUTBOUND_NAT, PORT_FORWARDS, VIRTUAL_IPS)
    services = (DHCP, DHCP6, DHCP_RELAY, DHCP6_RELAY, HIGH_AVAILABILITY)  # they bring rules of their own
    for name in (area.name for area in (*policies, *services)):
        found.update(config.named(name).model_dump_json(exclude={"separators"}).encode())
    for helper in wanted(config, node):
        found.update(helper.name.encode())
    return found.hexdigest()


def virtual_macs(config: Config) -> list[VirtualMac]:
    """One for each VHID with a virtual MAC on an enabled interface, with all addresses that move with it."""
    vips = config[VIRTUAL_IPS]
    found = []
    for vip in vips.items:
        interface = config[INTERFACES].get(vip.interface)
        if vip.type == "carp" and vip.vhid and vip.virtual_mac and interface and interface.enabled:
            own6 = interface.ipv6.partition("/")[0]
            found.append(VirtualMac(interface.device, vip.vhid, vips.addresses_of(vip), vip.base, own6))
    return found


def policy(config: Config, node: NodeState = NOTHING_SPECIAL) -> ir.Policy:
    """The whole firewall of this node, resolved."""
    resolver = resolver_of(config)
    enabled = [i for i in config[INTERFACES].items if i.enabled]
    return ir.Policy(
        interfaces=tuple(_interface(config, resolver, i) for i in enabled),
        addresses=resolver.own,
        vips=resolver.vips,
        carp=any(v.type == "carp" for v in config[VIRTUAL_IPS].items),
        aliases=tuple(
            ir.Alias(a.id, ranges_of(config[ALIASES], a.id)) for a in config[ALIASES].items if a.type != "port"
        ),
        port_sets=tuple(
            ir.PortSet(a.id, spans_of(config[ALIASES], a.id)) for a in config[ALIASES].items if a.type == "port"
        ),
        source_nat=tuple(_outbound(config, resolver)),
        port_forwards=tuple(_forwards(config, resolver)),
        helpers=wanted(config, node),
    )


def _interface(config: Config, resolver: Resolver, interface: Interface) -> ir.Interface:
    lockout = interface.id == lockout_interface(config)
    vips = config[VIRTUAL_IPS]
    here = [host(v.address) for v in vips.items if v.is_present and vips.interface_of(v) == interface.id]
    return ir.Interface(
        id=interface.id,
        device=interface.device,
        rules=tuple(_rules(config, resolver, interface.id)),
        automatic=(
            *automatic_rules(config, interface),
            *automatic_rules6(config, interface),
            *relay_rules(config, interface),
            *_passed_forwards(config, resolver, interface.id),
        ),
        lockout_addresses=tuple(map(host, interface.own)) + tuple(here) if lockout else (),
        lockout_ports=LOCKOUT_PORTS if lockout else (),
        block_private=interface.block_private,
        block_bogons=interface.block_bogons,
    )


def lockout_interface(config: Config) -> str | None:
    """Where the GUI stays reachable whatever the rules say: LAN, or WAN on a machine with one interface."""
    enabled = [i.id for i in config[INTERFACES].items if i.enabled]
    return "lan" if "lan" in enabled else enabled[0] if len(enabled) == 1 else None


def _rules(config: Config, resolver: Resolver, key: str) -> Iterator[ir.Rule]:
    for rule in config[RULES].items:
        if rule.interface == key and not rule.disabled:
            resolved = resolver.rule(rule)
            if resolved is not None:
                yield resolved


def skipped(config: Config) -> Iterator[Problem]:
    """A warning for each rule, mapping and forward that is left out because a part of it stands for nothing."""
    found = list(_left_out(config))
    names = names_of({area: plain(config.named(area)) for area in ("interfaces", "virtual_ips", "aliases") if found})
    for path, part in found:
        yield Problem(path, f"{names.show(part)} stands for nothing on this node: this line is left out", "warning")


def _left_out(config: Config) -> Iterator[tuple[str, str]]:
    resolver = resolver_of(config)
    lists: tuple[tuple[Area[Any], tuple[Any, ...]], ...] = (
        (RULES, config[RULES].items),
        (OUTBOUND_NAT, config[OUTBOUND_NAT].items),
        (PORT_FORWARDS, config[PORT_FORWARDS].items),
    )
    for area, items in lists:
        for item in items:
            try:
                if not item.disabled:
                    resolver.families(item)
            except Nothing as nothing:
                if resolver.is_an_interfaces(str(nothing)):
                    continue
                places = ("source", "destination", "source_port", "destination_port")
                place = next(name for name in places if getattr(item, name) == str(nothing))
                yield f"{area.name}[{item.id}].{place}", str(nothing)


def _outbound(config: Config, resolver: Resolver) -> Iterator[ir.SourceNat]:
    mode = config[OUTBOUND_NAT].mode
    if mode in ("hybrid", "manual"):
        for item in config[OUTBOUND_NAT].items:
            interface = config[INTERFACES].get(item.interface)
            if not item.disabled and interface and interface.enabled:
                try:
                    yield _mapping(config, resolver, interface, item)
                except Nothing:
                    continue
    if mode in ("automatic", "hybrid"):
        for interface in config[INTERFACES].items:
            if interface.enabled and interface.gateway and interface.ipv4:
                yield from _automatic(config, interface)


def _mapping(config: Config, resolver: Resolver, interface: Interface, item: Mapping) -> ir.SourceNat:
    to: Range | None
    if item.no_nat:
        to = None
    elif item.translation == "interface":
        own = interface.ipv4 if item.family == "inet" else interface.ipv6
        if not own:
            raise Nothing(f"address:{interface.id}")
        to = host(own)
    else:
        addresses = resolver.addresses(item.translation)
        to = addresses.ranges[0] if addresses else None
    return ir.SourceNat(item.id, interface.device, resolver.match(item), to, item.static_port)


def automatic_sources(config: Config) -> list[str]:
    """The networks that automatic outbound NAT translates: those behind interfaces without a gateway."""
    inner = [i for i in config[INTERFACES].items if i.enabled and not i.gateway]
    found = ["127.0.0.0/8"]
    found += [str(n) for i in inner for n in i.networks if n.version == 4]
    vips = [v for v in config[VIRTUAL_IPS].items if v.is_present]
    inside = [v for v in vips if config[VIRTUAL_IPS].interface_of(v) in {i.id for i in inner}]
    found += [str(n) for v in inside if (n := ip_interface(v.address).network).version == 4 and str(n) not in found]
    behind = {g.id for g in config[GATEWAYS].items if g.interface in {i.id for i in inner}}
    for route in config[ROUTES].items:
        network = ip_network(route.network)
        private = network.version == 4 and any(p.version == 4 and network.subnet_of(p) for p in PRIVATE)
        if private and route.gateway in behind and not route.disabled:
            found.append(route.network)
    return found


def _automatic(config: Config, interface: Interface) -> Iterator[ir.SourceNat]:
    source = ir.addresses(*automatic_sources(config))
    to = host(interface.ipv4)
    isakmp = ir.Match(family=4, protocols=frozenset({ir.UDP}), source=source, destination_ports=ir.ports(ISAKMP))
    yield ir.SourceNat(f"auto_{interface.id}_isakmp", interface.device, isakmp, to, static_port=True)
    yield ir.SourceNat(f"auto_{interface.id}", interface.device, ir.Match(family=4, source=source), to)


def _forwards(config: Config, resolver: Resolver) -> Iterator[ir.PortForward]:
    for item in config[PORT_FORWARDS].items:
        interface = config[INTERFACES].get(item.interface)
        if item.disabled or not interface or not interface.enabled:
            continue
        try:
            match = resolver.match(item)
            to = None if item.no_rdr else _target(config, item)
        except Nothing:
            continue
        first = int(item.local_port) if item.local_port and not item.local_port.startswith("alias:") else None
        yield ir.PortForward(item.id, interface.device, match, to, first)


def _target(config: Config, item: PortForward) -> Range:
    if not item.target.startswith("alias:"):
        return parse_range(item.target)
    family = FAMILIES[item.family][0]
    ranges = [r for r in ranges_of(config[ALIASES], item.target[6:]) if r.family == family]
    if not ranges:
        raise Nothing(item.target)
    return ranges[0]


def _passed_forwards(config: Config, resolver: Resolver, key: str) -> Iterator[ir.Rule]:
    """For forwards with *Pass*: what they translate to is let in without a rule of its own."""
    for item in config[PORT_FORWARDS].items:
        if item.interface == key and item.filter_rule == "pass" and not item.disabled and not item.no_rdr:
            try:
                translated = item.model_copy(update=translated_destination(item))
                yield ir.Rule(item.id, resolver.match(translated), ir.Action.PASS, description=item.description)
            except Nothing:
                continue


def translated_destination(item: PortForward) -> dict[str, str]:
    """Destination and destination port as filter rules see them, after the translation."""
    port = item.local_port or item.destination_port
    if item.local_port and "-" in item.destination_port and not item.local_port.startswith("alias:"):
        low, _, high = item.destination_port.partition("-")
        port = f"{item.local_port}-{int(item.local_port) + int(high) - int(low)}"
    return {"destination": item.target, "destination_port": port}
