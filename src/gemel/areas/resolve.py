"""What sources, destinations and ports mean on this node: names become ranges of addresses and spans of ports."""

from ipaddress import ip_interface
from typing import Any

from gemel.areas.aliases import ALIASES, Aliases, ranges_of, spans_of
from gemel.areas.interfaces import INTERFACES, Interfaces
from gemel.areas.rules import FAMILIES, ICMP_TYPES, Rule
from gemel.areas.virtual_ip import VirtualIps
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.core.config import Config
from gemel.core.remember import OfEach, OfTogether
from gemel.rules import ir
from gemel.rules.addresses import Range, merge, parse_range

_IPV4 = frozenset((4,))


class Nothing(Exception):
    """A source or destination has no address here and now."""


class Resolver:
    """What endpoints mean on this node."""

    def __init__(self, own: Interfaces, vips: VirtualIps, aliases: Aliases) -> None:
        interfaces = own.items
        self._aliases = aliases
        self.rule: OfEach[Rule, ir.Rule | None] = OfEach(self._rule)
        """A rule of the list as the compiler takes it; None if a part of it stands for nothing."""
        self.own = tuple(host(a) for i in interfaces if i.enabled for a in i.own)
        self.vips = tuple(host(v.address) for v in vips.items if v.is_present)
        self._vip = {v.id: host(v.address) if v.is_present else parse_range(v.address) for v in vips.items}
        self._address = {i.id: tuple(host(a) for a in i.own) for i in interfaces}
        self._net = {i.id: tuple(parse_range(str(n)) for n in i.networks) for i in interfaces}
        for vip in vips.items:
            key, net = vips.interface_of(vip), parse_range(str(ip_interface(vip.address).network))
            if vip.is_present and key in self._net and net not in self._net[key]:
                self._net[key] = (*self._net[key], net)
        self._known: dict[str, ir.Addresses | None] = {"any": None}
        self._there: dict[str, frozenset[int]] = {"any": frozenset((4, 6))}

    def addresses(self, endpoint: str) -> ir.Addresses | None:
        """What the endpoint stands for; None is any.

        Raises:
            Nothing: it stands for nothing at the moment.
        """
        if endpoint not in self._known:
            self._known[endpoint] = self._resolved(endpoint)
        return self._known[endpoint]

    def _resolved(self, endpoint: str) -> ir.Addresses:
        negated = endpoint.startswith("!")
        text = endpoint.removeprefix("!")
        kind, _, key = text.partition(":")
        if kind == "alias":
            if not ranges_of(self._aliases, key):
                raise Nothing(endpoint)
            return ir.Addresses(aliases=(key,), negated=negated)
        match kind if key else text:
            case "self":
                ranges = (*self.own, *self.vips)
            case "net":
                ranges = self._net.get(key, ())
            case "address":
                ranges = self._address.get(key, ())
            case "vip":
                ranges = (self._vip[key],) if key in self._vip else ()
            case _:
                ranges = (parse_range(text),)
        if not ranges:
            raise Nothing(endpoint)
        return ir.Addresses(merge(ranges), negated=negated)

    def ports(self, spec: str) -> ir.Ports | None:
        """The ports of a specification; None is any.

        Raises:
            Nothing: an empty alias.
        """
        if not spec:
            return None
        if spec.startswith("alias:"):
            if not spans_of(self._aliases, spec[6:]):
                raise Nothing(spec)
            return ir.Ports(sets=(spec[6:],))
        low, _, high = spec.partition("-")
        return ir.Ports(((int(low), int(high or low)),))

    def _families(self, endpoint: str) -> frozenset[int]:
        """The address families in which the endpoint stands for something: *not LAN net* is not any in the others."""
        if endpoint not in self._there:
            if ":" not in endpoint and "." in endpoint:  # an IPv4 literal, as thousands of rules have
                self._there[endpoint] = _IPV4
                return _IPV4
            addresses = self.addresses(endpoint) or ir.Addresses()
            ranges = [r for key in addresses.aliases for r in ranges_of(self._aliases, key)]
            self._there[endpoint] = frozenset(r.family for r in (*addresses.ranges, *ranges))
        return self._there[endpoint]

    def is_an_interfaces(self, endpoint: str) -> bool:
        """An interface's net or address that is there, if only in the other family: nothing that anybody would miss."""
        kind, _, key = endpoint.partition(":")
        return kind in ("net", "address") and bool(self._address.get(key))

    def families(self, item: Any) -> tuple[int, ...]:
        """The address families in which a rule, mapping or forward can match anything.

        Raises:
            Nothing: one of its parts stands for nothing, if only in the families that are asked for.
        """
        families = FAMILIES[item.family]
        for endpoint in (item.source, item.destination):
            there = self._there.get(endpoint) or self._families(endpoint)
            families = tuple(f for f in families if f in there)
            if not families:
                raise Nothing(endpoint)
        for spec in (item.source_port, item.destination_port):
            if spec.startswith("alias:"):
                self.ports(spec)
        return families

    def _rule(self, rule: Rule) -> ir.Rule | None:
        try:
            match = self.match(rule)
        except Nothing:
            return None
        return ir.Rule(rule.id, match, ir.Action(rule.action), rule.log, rule.no_state_sync, rule.description)

    def match(self, item: Any) -> ir.Match:
        """The match of a rule, mapping or forward.

        Raises:
            Nothing: as `families`.
        """
        families = self.families(item)
        types = tuple(getattr(item, "icmp_types", ()))
        return ir.Match(
            family=families[0] if len(families) == 1 else None,  # type: ignore[arg-type]
            protocols=_protocols(item.protocol, families),
            source=self.addresses(item.source),
            destination=self.addresses(item.destination),
            source_ports=self.ports(item.source_port),
            destination_ports=self.ports(item.destination_port),
            icmp_types=frozenset(n for t in types if (n := ICMP_TYPES[t][0]) is not None) if types else None,
            icmp6_types=frozenset(n for t in types if (n := ICMP_TYPES[t][1]) is not None) if types else None,
        )


_resolver: OfTogether[Resolver] = OfTogether(Resolver)


def resolver_of(config: Config) -> Resolver:
    """The resolver of a configuration: the same one as long as nothing has changed that names stand for, so that of
    10,000 rules only those are looked at again that changed."""
    return _resolver(config[INTERFACES], config[VIRTUAL_IPS], config[ALIASES])


def host(address: str) -> Range:
    """The single address of ``192.168.1.2/24``."""
    return parse_range(address.partition("/")[0])


def _protocols(protocol: str, families: tuple[int, ...]) -> frozenset[int] | None:
    if protocol == "any":
        return None
    if protocol == "icmp":
        return frozenset(ir.ICMP if f == 4 else ir.ICMP6 for f in families)
    return frozenset(ir.PROTOCOLS[p] for p in protocol.split("/"))
