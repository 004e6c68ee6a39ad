"""Services > Router Advertisements: hosts learn their IPv6 router, prefix and DNS servers. Applied at Save.

radvd runs on both nodes and names the virtual link-local address of the interface as its only source. It says nothing
where that address is not, so the master alone advertises, from an address that stays the same: hosts notice nothing of
a failover, and nothing is started or stopped at one. RFC 4861, RFC 4862, RFC 8106; reference pfsense-semantics §7.
"""

from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network, ip_interface
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from gemel.areas.dhcp6 import active6
from gemel.areas.dhcp_fields import DomainSearch, Ipv6s, at_most, listed
from gemel.areas.dhcp_relay import RELAY6, relaying
from gemel.areas.dns_resolver import DNS_RESOLVER, listening
from gemel.areas.fields import InterfaceRef, Line
from gemel.areas.interfaces import INTERFACES, Interface
from gemel.areas.one_per_interface import OnePerInterface
from gemel.areas.virtual_ip import VirtualIp, follows_carp
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.core.area import Area, NodeState
from gemel.core.config import Config
from gemel.core.model import Model, field
from gemel.core.problem import Problem
from gemel.core.want import File, Service, Want

SERVICE = "radvd"
CONFIG = "/etc/radvd.conf"
PID = "/run/radvd.pid"
SIGHUP = 1
LONGEST_LIFETIME = 9000  # seconds: RFC 4861 §6.2.1, AdvDefaultLifetime

MODES = {
    "disabled": (False, False, False),
    "router": (False, False, False),
    "unmanaged": (False, False, True),
    "managed": (True, True, False),
    "assisted": (True, True, True),
    "stateless": (False, True, True),
}
"""Mode -> the flags M (addresses by DHCPv6), O (other settings by DHCPv6) and A (hosts make addresses themselves)."""


def _prefix(value: str) -> str:
    try:
        found = IPv6Network(value)
    except ValueError:
        raise ValueError(f"{value!r} is no IPv6 network such as 2001:db8:1::/64") from None
    if found.is_link_local or found.is_multicast:
        raise ValueError(f"{found} cannot be a network of hosts")
    return str(found)


class Advertised(OnePerInterface):
    """What is advertised on one interface."""

    interface: InterfaceRef = field(label="Interface", help="A static IPv6 address is needed on it.")
    mode: Literal["disabled", "router", "unmanaged", "managed", "assisted", "stateless"] = field(
        "disabled",
        label="Router mode",
        help="disabled: nothing is said. router: only that here is a router. unmanaged: hosts make their addresses "
        "themselves (SLAAC). managed: they get them by DHCPv6. assisted: both. stateless: addresses by SLAAC, the rest "
        "by DHCPv6.",
    )
    priority: Literal["low", "medium", "high"] = field(
        "medium", label="Router priority", help="Where a network has several routers, hosts prefer the higher one."
    )
    prefixes: Annotated[
        tuple[Annotated[str, AfterValidator(_prefix)], ...], BeforeValidator(listed)
    ] = field((), label="Subnets", help="Networks such as 2001:db8:1::/64. Empty: that of the interface.")
    dns_servers: Annotated[Ipv6s, AfterValidator(at_most(4, "DNS servers"))] = field(
        (),
        label="DNS servers",
        help="IPv6 addresses, at most four; in a cluster the CARP VIP. Empty: that VIP, or else the interface's "
        "address, where the DNS Resolver answers there.",
    )
    domain_search: DomainSearch = field(
        (), label="Domain search list", help="Domains that hosts try behind a name without dots."
    )
    valid_lifetime: int = field(
        86400, label="Default valid lifetime", help="Seconds that a host may keep an address without hearing of it.",
        ge=60, le=31536000,
    )  # fmt: skip
    preferred_lifetime: int = field(
        14400, label="Default preferred lifetime", help="Seconds that it may begin connections from it.",
        ge=60, le=31536000,
    )  # fmt: skip
    max_interval: int = field(
        600, label="Maximum RA interval", help="Seconds between two that nobody asked for.", ge=4, le=1800
    )
    min_interval: int = field(
        200, label="Minimum RA interval", help="Seconds; at most three quarters of the maximum.", ge=3, le=1350
    )
    router_lifetime: int = field(
        1800, label="Router lifetime", help="Seconds that hosts use this router without hearing of it; 0: not as their "
        "gateway.", ge=0, le=LONGEST_LIFETIME,
    )  # fmt: skip
    description: Line = field("", label="Description", help="For people.")

    @property
    def enabled(self) -> bool:
        """Whether anything is advertised."""
        return self.mode != "disabled"


class RouterAdvertisements(Model):
    """At most one for each interface."""

    items: tuple[Advertised, ...] = ()


def virtual(config: Config, interface: str) -> list[VirtualIp]:
    """The IPv6 addresses that follow CARP on an interface."""
    vips = config[VIRTUAL_IPS]
    return [v for v in vips.items if v.family == 6 and follows_carp(v) and vips.interface_of(v) == interface]


def _link_local(found: Iterable[VirtualIp]) -> list[str]:
    return [v.ip for v in found if IPv6Address(v.ip).is_link_local]


def _networks(one: Advertised, interface: Interface) -> list[str]:
    return list(one.prefixes) or [str(ip_interface(interface.ipv6).network)]


# Checks ---------------------------------------------------------------------------------------------------------------


def _check(config: Config) -> Iterable[Problem]:
    seen: set[str] = set()
    for one in config[ROUTER_ADVERTISEMENTS].items:
        path = f"router_advertisements[{one.id}]"
        interface = config[INTERFACES].get(one.interface)
        if interface is None:
            yield Problem(f"{path}.interface", f"there is no interface {one.interface!r} on this node")
            continue
        if one.interface in seen:
            yield Problem(f"{path}.interface", f"{interface.title} has router advertisements already: change those")
        seen.add(one.interface)
        yield from _check_times(one, path)
        if one.enabled:
            yield from _check_enabled(config, one, interface, path)
    yield from _check_unheard(config)


def _check_times(one: Advertised, path: str) -> Iterable[Problem]:
    if one.preferred_lifetime > one.valid_lifetime:
        yield Problem(f"{path}.preferred_lifetime", f"must be at most the valid lifetime, {one.valid_lifetime} s")
    if one.min_interval > one.max_interval * 3 // 4:
        most = one.max_interval * 3 // 4
        yield Problem(f"{path}.min_interval", f"must be at most three quarters of the maximum: {most} s")
    if 0 < one.router_lifetime < one.max_interval:
        text = f"must be 0, or at least the maximum interval, {one.max_interval} s: hosts would lose it between"
        yield Problem(f"{path}.router_lifetime", text)


def _check_enabled(config: Config, one: Advertised, interface: Interface, path: str) -> Iterable[Problem]:
    if not interface.enabled:
        yield Problem(f"{path}.mode", f"{interface.title} is not enabled: enable the interface first")
        return
    if not interface.ipv6:
        yield Problem(f"{path}.mode", f"{interface.title} has no static IPv6 address: a router needs one")
        return
    if MODES[one.mode][2]:
        for network in _networks(one, interface):
            if IPv6Network(network).prefixlen != 64:
                name = "prefixes" if one.prefixes else "mode"
                yield Problem(f"{path}.{name}", f"{network}: hosts make addresses of their own only in a /64")
    if MODES[one.mode][1] and interface.id not in _answered(config):
        text = f"{interface.title} has no DHCPv6 server or relay here: hosts need another one on this network"
        yield Problem(f"{path}.mode", text, "warning")
    yield from _check_source(config, interface, path)


def _answered(config: Config) -> set[str]:
    """Interfaces whose hosts have a DHCPv6 server here, or a way to one."""
    return {i.id for _, i in active6(config)} | {i.id for i in relaying(config, RELAY6)}


def _check_unheard(config: Config) -> Iterable[Problem]:
    """DHCPv6 servers that hosts are not told to ask."""
    asked = {one.interface for one, _ in active(config) if MODES[one.mode][1]}
    for server, interface in active6(config):
        if interface.id not in asked:
            text = f"hosts on {interface.title} are not told to ask: choose managed, assisted or stateless in Services "
            yield Problem(f"dhcp6[{server.id}].enabled", text + "> Router Advertisements", "warning")


def _check_source(config: Config, interface: Interface, path: str) -> Iterable[Problem]:
    """Hosts keep the router's link-local address: it must be one that moves."""
    found = virtual(config, interface.id)
    if found and not _link_local(found):
        parent = next((v for v in found if v.type == "carp"), found[0])
        text = (
            f"{interface.title} has no link-local virtual IP, so hosts would keep a router that fails: add fe80::1/64 "
            f"in Firewall > Virtual IPs, an IP alias on {parent.ip}"
        )
        yield Problem(f"{path}.interface", text)
    carp = any(v.type == "carp" and v.interface == interface.id for v in config[VIRTUAL_IPS].items)
    if not found and carp:
        text = f"{interface.title} has no IPv6 CARP VIP: each node advertises itself, also while it is BACKUP"
        yield Problem(f"{path}.interface", text, "warning")


# What radvd gets ------------------------------------------------------------------------------------------------------


def active(config: Config) -> list[tuple[Advertised, Interface]]:
    """What is advertised, with its interface."""
    found = []
    for one in config[ROUTER_ADVERTISEMENTS].items:
        interface = config[INTERFACES].get(one.interface)
        if one.enabled and interface is not None and interface.enabled and interface.ipv6:
            found.append((one, interface))
    return found


def _compile(config: Config, _node: NodeState) -> Iterable[Want]:
    wanted = ["\n".join(_stanza(config, one, interface)) + "\n" for one, interface in active(config)]
    if wanted:
        yield Service(
            SERVICE,
            (File(CONFIG, "\n".join(wanted)),),
            ("radvd", "-n", "-u", "radvd", "-m", "stderr_clean", "-C", CONFIG, "-p", PID),
            check=("radvd", "-c", "-C", "{path}"),
            signal=SIGHUP,
        )


def _stanza(config: Config, one: Advertised, interface: Interface) -> Iterable[str]:
    managed, other, autonomous = (_on(flag) for flag in MODES[one.mode])
    found = virtual(config, interface.id)
    yield f"interface {interface.device} {{"
    yield "  IgnoreIfMissing on;"
    yield "  AdvSendAdvert on;"
    yield f"  MinRtrAdvInterval {one.min_interval};"
    yield f"  MaxRtrAdvInterval {one.max_interval};"
    yield f"  AdvDefaultLifetime {one.router_lifetime};"
    yield f"  AdvDefaultPreference {one.priority};"
    yield f"  AdvManagedFlag {managed};"
    yield f"  AdvOtherConfigFlag {other};"
    if found:
        # The card's own MAC is not where the virtual address is: hosts ask for it, and carpd answers.
        yield "  AdvSourceLLAddress off;"
        yield f"  AdvRASrcAddress {{ {' '.join(f'{a};' for a in _link_local(found))} }};"
    if one.mode != "router":
        for network in _networks(one, interface):
            yield f"  prefix {network} {{"
            yield f"    AdvOnLink on; AdvAutonomous {autonomous};"
            yield f"    AdvValidLifetime {one.valid_lifetime}; AdvPreferredLifetime {one.preferred_lifetime};"
            yield "  };"
    lifetime = max(one.router_lifetime, 3 * one.max_interval)
    if servers := one.dns_servers or _resolver(config, interface, found):
        yield f"  RDNSS {' '.join(servers)} {{ AdvRDNSSLifetime {lifetime}; }};"
    if one.domain_search:
        yield f"  DNSSL {' '.join(one.domain_search)} {{ AdvDNSSLLifetime {lifetime}; }};"
    yield "};"


def _on(flag: bool) -> str:
    return "on" if flag else "off"


def _resolver(config: Config, interface: Interface, found: Iterable[VirtualIp]) -> tuple[str, ...]:
    """Where this firewall's DNS Resolver answers the hosts of an interface; nothing if it does not."""
    shared = [v.ip for v in found if not IPv6Address(v.ip).is_link_local]
    address = shared[0] if shared else interface.ipv6.partition("/")[0]
    return (address,) if config[DNS_RESOLVER].enabled and address in listening(config) else ()


ROUTER_ADVERTISEMENTS = Area(
    name="router_advertisements",
    label="Router Advertisements",
    noun="ra",
    model=RouterAdvertisements,
    item=Advertised,
    help="Hosts learn their IPv6 router, network and DNS servers. In a cluster the node that holds the virtual "
    "link-local address advertises it.",
    availability="follows a VIP",
    at_save=True,
    items_at_save=True,
    grouped_by="interface",
    sync="dhcp",
    check=_check,
    compile=_compile,
    columns=("interface", "mode", "priority", "prefixes", "dns_servers", "router_lifetime"),
)
