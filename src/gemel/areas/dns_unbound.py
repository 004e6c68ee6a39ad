"""What the DNS areas come to: unbound's configuration, and the names that no lease may take."""

from collections.abc import Iterable
from ipaddress import ip_address

from gemel.areas.dhcp import DHCP, DHCP_MAPPINGS
from gemel.areas.dhcp6 import DHCP6_MAPPINGS, Dhcp6Mapping
from gemel.areas.dhcp_server import StaticMapping
from gemel.areas.dns_resolver import DNS_DOMAINS, DNS_HOSTS, DNS_RESOLVER, listening
from gemel.areas.interfaces import INTERFACES
from gemel.areas.system import SYSTEM
from gemel.core.area import NodeState
from gemel.core.config import Config
from gemel.core.want import File, Service, Want

CONFIG = "/etc/unbound/gemel.conf"
CONTROL = "/run/unbound.ctl"
PID = "/run/unbound.pid"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fd00::/8", "fe80::/10")

Names = dict[str, list[str]]


def compile_dns(config: Config, _node: NodeState) -> Iterable[Want]:
    """unbound, where it is enabled."""
    if config[DNS_RESOLVER].enabled:
        yield Service(
            "unbound",
            (File(CONFIG, unbound_conf(config)),),
            ("unbound", "-d", "-c", CONFIG),
            check=("unbound-checkconf", "{path}"),
        )


def fixed_names(config: Config) -> Names:
    """Name -> addresses that are configured: the firewall's own, host overrides, static mappings."""
    model, system = config[DNS_RESOLVER], config[SYSTEM]
    names: Names = {}

    def add(name: str, address: str) -> None:
        there = names.setdefault(name.lower().rstrip("."), [])
        if address not in there:
            there.append(address)

    own = [a.partition("/")[0] for i in config[INTERFACES].items if i.enabled and not i.gateway for a in i.own]
    for address in own:
        add(f"{system.hostname}.{system.domain}" if system.domain else system.hostname, address)
    for one in config[DNS_HOSTS].items:
        for name in (one.name, *one.aliases):
            add(name, one.address)
    if model.register_mappings:
        mappings: list[StaticMapping | Dhcp6Mapping] = [*config[DHCP_MAPPINGS].items, *config[DHCP6_MAPPINGS].items]
        for mapping in mappings:
            if mapping.hostname and mapping.address:
                add(f"{mapping.hostname}.{lease_domain(config, mapping.interface)}".rstrip("."), mapping.address)
    return names


def lease_domain(config: Config, interface: str) -> str:
    """The domain of the hosts that a DHCP server knows."""
    server = config[DHCP].on(interface)
    return (server.domain if server else "") or config[SYSTEM].domain


def unbound_conf(config: Config) -> str:
    """The whole configuration file."""
    model = config[DNS_RESOLVER]
    lines = [
        "server:", "  username: unbound", '  chroot: ""', f"  pidfile: {PID}", "  use-syslog: no", '  logfile: ""',
        "  num-threads: 1", "  msg-cache-size: 8m", "  rrset-cache-size: 16m", "  hide-identity: yes",
        "  hide-version: yes", "  harden-glue: yes", "  harden-dnssec-stripped: yes", "  prefetch: yes",
        "  serve-expired: yes", "  serve-expired-ttl: 3600", "  ip-freebind: yes", "  do-not-query-localhost: no",
        "  unwanted-reply-threshold: 10000000", '  root-hints: "/usr/share/dns/root.hints"',
        f'  tls-cert-bundle: "{CERTIFICATES}"',
        '  module-config: "validator iterator"' if model.dnssec else '  module-config: "iterator"',
    ]  # fmt: skip
    if model.dnssec:
        lines.append('  trust-anchor-file: "/usr/share/dns/root.key"')
    lines += [f"  interface: {address}" for address in listening(config)]
    lines += [f"  outgoing-interface: {address}" for address in _asks_from(config)]
    lines += [f"  access-control: {network} allow" for network in _may_ask(config)]
    if model.rebind_protection:
        lines += [f"  private-address: {network}" for network in PRIVATE]
    lines += _local(config)
    lines += ["remote-control:", "  control-enable: yes", f'  control-interface: "{CONTROL}"', "  control-use-cert: no"]
    lines += _forwards(config)
    return "\n".join(lines) + "\n"


def _asks_from(config: Config) -> Iterable[str]:
    for key in config[DNS_RESOLVER].outgoing:
        interface = config[INTERFACES].get(key)
        for address in interface.own if interface and interface.enabled else ():
            yield address.partition("/")[0]


def _may_ask(config: Config) -> Iterable[str]:
    networks = ["127.0.0.0/8", "::1/128"]
    networks += [str(n) for i in config[INTERFACES].items if i.enabled and not i.gateway for n in i.networks]
    return dict.fromkeys([*networks, *config[DNS_RESOLVER].access])


def _local(config: Config) -> list[str]:
    """Names of our own. What is not there is asked for outside, as ever, except in the system's own domain."""
    domains = {config[SYSTEM].domain} | {lease_domain(config, s.interface) for s in config[DHCP].items}
    lines = [f'  local-zone: "{d}." transparent' for d in sorted(filter(None, domains))]
    lines += [f'  private-domain: "{d}."' for d in sorted({*filter(None, domains), *_overridden(config)})]
    lines += [f'  domain-insecure: "{d}."' for d in sorted(_overridden(config))]
    for name, addresses in fixed_names(config).items():
        host = name.removeprefix("*.")
        if host != name:
            lines.append(f'  local-zone: "{host}." redirect')
        for address in addresses:
            kind = "AAAA" if ":" in address else "A"
            lines.append(f'  local-data: "{host}. {kind} {address}"')
        if host == name:
            lines.append(f'  local-data-ptr: "{addresses[0]} {name}."')
    lines += [f'  local-zone: "{z}" nodefault' for z in _reverse_overrides(config)]
    return lines


def _overridden(config: Config) -> set[str]:
    return {one.domain.lower() for one in config[DNS_DOMAINS].items}


def _reverse_overrides(config: Config) -> Iterable[str]:
    """unbound answers for private reverse zones itself, unless it is told that somebody else does."""
    return sorted(f"{d}." for d in _overridden(config) if d.endswith(("in-addr.arpa", "ip6.arpa")))


def _forwards(config: Config) -> list[str]:
    model, lines = config[DNS_RESOLVER], list[str]()
    for one in config[DNS_DOMAINS].items:
        lines += ["forward-zone:", f'  name: "{one.domain}."', *_to(one.server, one.tls)]
    if model.forwarding:
        servers = model.forwarders or config[SYSTEM].dns_servers
        lines += ["forward-zone:", '  name: "."']
        lines += [line for server in servers for line in _to(server, model.forward_tls)[:1]]
        lines += ["  forward-tls-upstream: yes"] if model.forward_tls else []
    return lines


def _to(server: str, tls: bool) -> list[str]:
    head, hash_sign, name = server.partition("#")
    address, _, port = head.partition("@")
    port = port or ("853" if tls else "53")
    line = f"  forward-addr: {ip_address(address)}@{port}{hash_sign}{name}"
    return [line, "  forward-tls-upstream: yes"] if tls else [line]
