"""Services > DNS Resolver: unbound on both nodes, on chosen interfaces and virtual IPs. Applied at Save.

It listens at a virtual IP whether the node holds it or not, so queries there are answered by whichever node is master,
and nothing is started or stopped at a failover. It asks from the node's own addresses only. Reference
pfsense-semantics §10.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from gemel.areas.dhcp_fields import listed
from gemel.areas.fields import DomainName, IpAddress, Line, domain_name, names_in
from gemel.areas.interfaces import INTERFACES
from gemel.areas.system import SYSTEM
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.core.area import Area
from gemel.core.config import Config
from gemel.core.model import Item, Model, field
from gemel.core.problem import Problem

ALL, LOCALHOST = "all", "localhost"
_LABEL = re.compile(r"^(\*|[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)$", re.IGNORECASE)


def _places(value: Any, info: ValidationInfo) -> Any:
    """Interfaces by name or id, virtual IPs by address, all, localhost."""
    value, names = listed(value), names_in(info)
    if not isinstance(value, list | tuple) or names is None:
        return value
    found = []
    for word in value:
        text = str(word).strip()
        if text.lower() in (ALL, LOCALHOST):
            found.append(text.lower())
        elif text in names.known_vips.values():
            found.append(text)
        elif (interface := names.interface(text)) is not None:
            found.append(interface)
        else:
            known = ", ".join((ALL, LOCALHOST, *names.known_interfaces.values(), *names.known_vips.values()))
            raise ValueError(f"{text!r} is neither an interface nor a virtual IP (there are: {known})")
    return tuple(dict.fromkeys(found))


def _outgoing(value: Any, info: ValidationInfo) -> Any:
    value, names = listed(value), names_in(info)
    if not isinstance(value, list | tuple) or names is None:
        return value
    found = []
    for word in value:
        text = str(word).strip()
        if text in names.known_vips.values():
            raise ValueError(f"{text} is a virtual IP: the node that does not hold it could ask nobody")
        interface = names.interface(text)
        if interface is None:
            known = ", ".join(names.known_interfaces.values())
            raise ValueError(f"there is no interface {text!r} (there are: {known})")
        found.append(interface)
    return tuple(dict.fromkeys(found))


def _forwarder(value: str) -> str:
    """``9.9.9.9``, ``9.9.9.9@853``, ``9.9.9.9@853#dns.quad9.net``."""
    head, _, name = value.partition("#")
    address, at, port = head.partition("@")
    try:
        address = str(ip_address(address))
    except ValueError:
        raise ValueError(f"{value!r} is no server such as 9.9.9.9 or 9.9.9.9@853#dns.quad9.net") from None
    if at and not (port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError(f"{value}: the port is a number from 1 to 65535")
    if name:
        domain_name(name)
    return address + (f"@{int(port)}" if at else "") + (f"#{name}" if name else "")


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    for value in values:
        try:
            found.append(str(ip_network(value)))
        except ValueError:
            raise ValueError(f"{value!r} is no network such as 10.8.0.0/24") from None
    return tuple(dict.fromkeys(found))


def _host(value: str) -> str:
    if value and not all(_LABEL.match(part) for part in value.split(".")):
        raise ValueError(f"{value!r} is no host name")
    return value.lower()


class DnsResolver(Model):
    """The fields of the page, in its order."""

    enabled: bool = field(False, label="Enable DNS resolver", help="Answer the DNS queries of local hosts.")
    interfaces: Annotated[tuple[str, ...], BeforeValidator(_places)] = field(
        (ALL,),
        label="Network interfaces",
        help="Where to answer: interfaces, virtual IPs by address, all, localhost. In a cluster all, or the LAN CARP "
        "VIP.",
    )
    outgoing: Annotated[tuple[str, ...], BeforeValidator(_outgoing)] = field(
        (),
        label="Outgoing network interfaces",
        help="From which interfaces to ask others; never a virtual IP. Empty: any.",
    )
    dnssec: bool = field(True, label="DNSSEC", help="Answers that do not prove genuine are withheld.")
    forwarding: bool = field(
        False, label="Forwarding mode", help="Ask the servers below, instead of going through the tree of names."
    )
    forwarders: Annotated[
        tuple[Annotated[str, AfterValidator(_forwarder)], ...], BeforeValidator(listed)
    ] = field(
        (),
        label="Forward to",
        help="Servers such as 9.9.9.9, with port and name for TLS: 9.9.9.9@853#dns.quad9.net. Empty: the system's.",
    )
    forward_tls: bool = field(False, label="TLS for forwarding", help="Ask these servers by TLS, on port 853.")
    register_leases: bool = field(
        True, label="DHCP registration", help="Names of hosts with a DHCP lease are known, on both nodes."
    )
    register_mappings: bool = field(True, label="Static DHCP", help="Names of static mappings are known.")
    rebind_protection: bool = field(
        True, label="DNS rebinding check", help="Answers from outside that hold private addresses are withheld."
    )
    access: Annotated[tuple[str, ...], BeforeValidator(listed), AfterValidator(_networks)] = field(
        (), label="Further networks", help="That may ask, beside those of the interfaces: 10.8.0.0/24."
    )


class HostOverride(Item):
    """A name with an address of our own."""

    host: Annotated[str, AfterValidator(_host)] = field(
        "", label="Host", help="Without domain; empty: the domain itself."
    )
    domain: DomainName = field(label="Domain", help="For example corp.example.")
    address: IpAddress = field(label="IP address", help="What the name stands for.")
    aliases: Annotated[tuple[DomainName, ...], BeforeValidator(listed)] = field(
        (), label="Additional names", help="Whole names with the same address."
    )
    description: Line = field("", label="Description", help="For people.")

    def called(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def name(self) -> str:
        """The whole name."""
        return f"{self.host}.{self.domain}" if self.host else self.domain


class HostOverrides(Model):
    """All host overrides."""

    items: tuple[HostOverride, ...] = ()


class DomainOverride(Item):
    """A domain about which another server is asked."""

    domain: DomainName = field(label="Domain", help="And all below it.")
    server: Annotated[str, AfterValidator(_forwarder)] = field(
        label="Server", help="Its address, with port if it is not 53: 10.0.0.53@5353."
    )
    tls: bool = field(False, label="TLS queries", help="Ask it by TLS, on port 853.")
    description: Line = field("", label="Description", help="For people.")

    def called(self) -> tuple[str, ...]:
        return (self.domain,)


class DomainOverrides(Model):
    """All domain overrides."""

    items: tuple[DomainOverride, ...] = ()


def listening(config: Config) -> tuple[str, ...]:
    """The addresses at which the resolver answers; virtual ones whether the node holds them or not."""
    chosen = config[DNS_RESOLVER].interfaces or (ALL,)
    vips = config[VIRTUAL_IPS]
    found = ["127.0.0.1", "::1"] if {ALL, LOCALHOST} & set(chosen) else []
    for interface in config[INTERFACES].items:
        if interface.enabled and (ALL in chosen or interface.id in chosen):
            found += [a.partition("/")[0] for a in interface.own]
    for vip in vips.items:
        on = config[INTERFACES].get(vips.interface_of(vip))
        if (on is not None and on.enabled and ALL in chosen) or vip.ip in chosen:
            found.append(vip.ip)
    return tuple(dict.fromkeys(found))


def _check(config: Config) -> Iterable[Problem]:
    model = config[DNS_RESOLVER]
    if not model.enabled:
        return
    path = "dns_resolver"
    vips = {v.ip for v in config[VIRTUAL_IPS].items}
    interfaces = {i.id: i for i in config[INTERFACES].items}
    for place in model.interfaces:
        if place in (ALL, LOCALHOST) or place in vips:
            continue
        if place not in interfaces:
            text = f"there is neither an interface nor a virtual IP {place!r} on this node"
            yield Problem(f"{path}.interfaces", text)
        elif not interfaces[place].own:
            yield Problem(f"{path}.interfaces", f"{interfaces[place].title} has no address")
    for place in model.outgoing:
        if place not in interfaces or not interfaces[place].own:
            yield Problem(f"{path}.outgoing", f"there is no interface {place!r} with an address on this node")
    if model.forwarding and not (model.forwarders or config[SYSTEM].dns_servers):
        text = "forwarding needs servers: enter some here, or under System > General Setup"
        yield Problem(f"{path}.forwarders", text)
    if model.forward_tls and any("#" not in f for f in model.forwarders):
        text = "without a name (9.9.9.9@853#dns.quad9.net) nobody proves to be that server"
        yield Problem(f"{path}.forwarders", text, "warning")
    if not {ALL, LOCALHOST} & set(model.interfaces):
        yield Problem(f"{path}.interfaces", "this firewall itself cannot ask: localhost is not chosen", "warning")


def _check_hosts(config: Config) -> Iterable[Problem]:
    seen: dict[tuple[str, int], HostOverride] = {}
    for one in config[DNS_HOSTS].items:
        if not one.domain:
            yield Problem(f"dns_hosts[{one.id}].domain", "a domain is needed")
        key = (one.name.lower(), ip_address(one.address).version)
        if seen.setdefault(key, one) is not one:
            yield Problem(f"dns_hosts[{one.id}].host", f"{one.name} stands for {seen[key].address} as well", "warning")


def _check_domains(config: Config) -> Iterable[Problem]:
    seen: dict[str, DomainOverride] = {}
    for one in config[DNS_DOMAINS].items:
        if not one.domain:
            yield Problem(f"dns_domains[{one.id}].domain", "a domain is needed")
        elif seen.setdefault(one.domain.lower(), one) is not one:
            yield Problem(f"dns_domains[{one.id}].domain", f"there is an override of {one.domain} already")
        if one.server.partition("@")[0].partition("#")[0] in listening(config):
            text = "this firewall's own address: it would ask itself for ever"
            yield Problem(f"dns_domains[{one.id}].server", text)


DNS_RESOLVER = Area(
    name="dns_resolver",
    label="DNS Resolver",
    noun="dns",
    model=DnsResolver,
    help="Answers the DNS queries of local hosts, on both nodes; at a virtual IP the master answers.",
    availability="runs on both",
    at_save=True,
    sync="dns",
    check=_check,
)

DNS_HOSTS = Area(
    name="dns_hosts",
    label="Host Overrides",
    noun="dns-host",
    model=HostOverrides,
    item=HostOverride,
    help="Names with addresses of our own.",
    availability="runs on both",
    at_save=True,
    items_at_save=True,
    sync="dns",
    check=_check_hosts,
    columns=("host", "domain", "address", "aliases", "description"),
)

DNS_DOMAINS = Area(
    name="dns_domains",
    label="Domain Overrides",
    noun="dns-domain",
    model=DomainOverrides,
    item=DomainOverride,
    help="Domains about which another server is asked.",
    availability="runs on both",
    at_save=True,
    items_at_save=True,
    sync="dns",
    check=_check_domains,
    columns=("domain", "server", "tls", "description"),
)
