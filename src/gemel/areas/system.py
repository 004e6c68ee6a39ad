"""System > General: the node's name, its name servers, and where its pages are. Stays on each node."""

from collections.abc import Iterable
from ipaddress import ip_interface
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from gemel.areas.fields import DomainName, HostName, IpAddress
from gemel.areas.interfaces import INTERFACES
from gemel.core.area import Area, NodeState
from gemel.core.config import Config
from gemel.core.model import Model, field
from gemel.core.want import File, Hostname, Service, Sysctl, Want


def _web_address(value: str) -> str:
    value = value.strip().rstrip("/")
    if not value:
        return ""
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname or parts.path or parts.query or not value.isprintable():
        raise ValueError(f"{value!r} is no address such as https://fw1.example.org or https://192.168.1.2:8443")
    return value


class System(Model):
    """Who this node is."""

    hostname: HostName = field(
        "gemel", label="Hostname", help="Name of this node, without domain. Give the nodes different names."
    )
    domain: DomainName = field("home.arpa", label="Domain", help="Domain of this node, for example corp.example.")
    dns_servers: tuple[IpAddress, ...] = field(
        (),
        label="DNS Servers",
        help="Name servers that the node itself uses. Set them on both nodes: they do not synchronise.",
    )
    revisions_kept: int = field(
        100,
        label="Configuration Revisions",
        help="How many old configurations Configuration History keeps, from 10 to 1000; the oldest go.",
        ge=10,
        le=1000,
    )
    web_address: Annotated[str, AfterValidator(_web_address)] = field(
        "",
        label="GUI Address",
        help="Where people reach this node's pages, as the other node's pages link to them: https://fw1.example.org. "
        "Empty: the LAN address.",
    )


def web_address(config: Config) -> str:
    """Where this node's pages are: as set, else at the address on LAN, else on the first interface that has one."""
    if config[SYSTEM].web_address:
        return config[SYSTEM].web_address
    there = [i for i in config[INTERFACES].items if i.enabled and i.own]
    for interface in sorted(there, key=lambda i: (i.id != "lan", i.id == "wan")):
        own = ip_interface(interface.own[0]).ip
        return f"https://{own}" if own.version == 4 else f"https://[{own}]"
    return ""


def _compile(config: Config, _node: NodeState) -> Iterable[Want]:
    system = config[SYSTEM]
    yield Hostname(system.hostname, system.domain)
    lines = [f"search {system.domain}"] if system.domain else []
    lines += [f"nameserver {server}" for server in system.dns_servers]
    yield Service("resolver-client", files=(File("/etc/resolv.conf", "\n".join(lines) + "\n"),))
    for name, value in _KERNEL.items():
        yield Sysctl(name, value)


_KERNEL = {
    "net.ipv4.ip_forward": "1",
    "net.ipv6.conf.all.forwarding": "1",
    # Both nodes, every entry: after a round trip the old master's own entries are stale, and one RST would end the
    # connection.
    "net.netfilter.nf_conntrack_tcp_be_liberal": "1",
    # Entries made while nobody listens would otherwise never emit an event, not even their end.
    "net.netfilter.nf_conntrack_events": "1",
    # An address that leaves must not take the other addresses of its network along.
    "net.ipv4.conf.all.promote_secondaries": "1",
    # A node must not answer on one interface for an address that it has on another, the peer might own that network's
    # VIP.
    "net.ipv4.conf.all.arp_ignore": "1",
    "net.ipv4.conf.all.arp_announce": "2",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
    "net.ipv4.conf.all.accept_redirects": "0",
    "net.ipv6.conf.all.accept_redirects": "0",
    "net.ipv6.conf.all.accept_ra": "0",
    "net.ipv4.conf.all.accept_source_route": "0",
}


SYSTEM = Area(
    name="system",
    label="General Setup",
    noun="system",
    model=System,
    help="Host name, domain and name servers of this node.",
    availability="local",
    compile=_compile,
)
