"""What the DHCP areas for IPv4 come to: Kea's configuration, and what leased is told of it."""

import json
from collections.abc import Iterable
from ipaddress import IPv4Address, ip_interface
from typing import Any

from gemel.areas.dhcp import DHCP_MAPPINGS, active
from gemel.areas.dhcp_checks import carp_vip
from gemel.areas.dhcp_fields import option
from gemel.areas.dhcp_server import DhcpServer, StaticMapping
from gemel.areas.dns_resolver import DNS_RESOLVER, listening
from gemel.areas.dns_unbound import CONTROL, PID, fixed_names, lease_domain
from gemel.areas.high_availability import HIGH_AVAILABILITY
from gemel.areas.interfaces import INTERFACES, Interface
from gemel.areas.system import SYSTEM
from gemel.core.config import Config
from gemel.core.want import File, Service
from gemel.leases.settings import KEEPER_PORT, PEER_PORT, Naming, Scope, Settings
from gemel.rules import ir
from gemel.rules.addresses import parse_range

CONFIG = "/etc/kea/kea-dhcp4.conf"  # where Debian's AppArmor profile lets Kea read; likewise the others
SOCKET = "/run/kea/kea4-ctrl-socket"
LEASES = "/var/lib/kea/kea-leases4.csv"
HOOKS = "/usr/lib/x86_64-linux-gnu/kea/hooks"
LEASED_SETTINGS = "/run/gemel/leased.json"
FOLDERS = "/run/kea /run/lock/kea /var/lib/kea"
CHECK = 'sed \'/^ *"[^" ]*\\/[0-9.]*",\\?$/d\' "$1" | KEA_LOCKFILE_DIR=none kea-dhcp4 -t /dev/stdin'
"""Kea's own check, without the addresses that it would listen on: they may come with the same change."""
SIGHUP = 1
SERVER_PORT = 67


def kea_service(config: Config) -> Service:
    """The server; only where one is active."""
    text = json.dumps(kea_config(config), indent=1) + "\n"
    return Service(
        "kea-dhcp4",
        (File(CONFIG, text, 0o640),),
        ("/bin/sh", "-c", f"mkdir -p -m 750 {FOLDERS}; exec kea-dhcp4 -c {CONFIG}"),
        check=("/bin/sh", "-c", CHECK, "sh", "{path}"),
        signal=SIGHUP,
        devices=tuple(interface.device for _, interface in active(config)),
    )


def lease_settings(config: Config) -> Settings:
    """Who serves where, and where the peer is: on each interface with a Failover Peer IP, and on SYNC."""
    scopes = []
    for server, interface in active(config):
        vip = carp_vip(config, interface.id)
        own = ip_interface(interface.ipv4)
        scopes.append(
            Scope(
                interface.id, interface.device, str(own.ip), str(own.network), subnet_id(interface.id),
                vip.ip if vip else "", server.failover_peer_ip, interface.title,
                lease_domain(config, interface.id),
            )
        )  # fmt: skip
    here = tuple(s.address for s in scopes if s.peer)
    there = tuple(s.peer for s in scopes if s.peer)
    sync = sync_path(config) if here else None
    if sync is not None:
        here, there = (*here, sync[1]), (*there, sync[2])
    resolver, naming = config[DNS_RESOLVER], None
    if resolver.enabled and resolver.register_leases:
        naming = Naming(CONTROL, PID, tuple(sorted(fixed_names(config))))
    return Settings(tuple(scopes), tuple(dict.fromkeys(here)), tuple(dict.fromkeys(there)), naming=naming)


def sync_path(config: Config) -> tuple[Interface, str, str] | None:
    """The SYNC interface, this node's address on it and the peer's; a way for leases when the others are cut."""
    ha = config[HIGH_AVAILABILITY]
    interface = config[INTERFACES].get(ha.synchronize_interface)
    if interface is None or not interface.enabled or not interface.ipv4 or not ha.peer_ip or ":" in ha.peer_ip:
        return None
    return interface, interface.ipv4.partition("/")[0], ha.peer_ip


def automatic_rules(config: Config, interface: Interface) -> Iterable[ir.Rule]:
    """What a DHCP server brings to the firewall: clients may ask, and the peer, nobody else, may replicate."""
    for server, there in active(config):
        if there.id == interface.id:
            clients = ir.Match(family=4, protocols=frozenset({ir.UDP}), destination_ports=ir.ports(SERVER_PORT))
            yield ir.Rule(f"auto_dhcp_{interface.id}", clients, ir.Action.PASS, description="DHCP clients")
            if server.failover_peer_ip:
                own = interface.ipv4.partition("/")[0]
                yield peer_rule(f"auto_dhcp_peer_{interface.id}", server.failover_peer_ip, own, PEER_PORT)
    sync = sync_path(config)
    if sync is not None and sync[0].id == interface.id and any(s.failover_peer_ip for s, _ in active(config)):
        yield peer_rule(f"auto_dhcp_peer_{interface.id}", sync[2], sync[1], PEER_PORT)


def peer_rule(name: str, peer: str, own: str, port: int) -> ir.Rule:
    """The peer may send its leases to this port of an own address."""
    match = ir.Match(
        family=6 if ":" in own else 4,
        protocols=frozenset({ir.TCP}),
        source=ir.Addresses((parse_range(peer),)),
        destination=ir.Addresses((parse_range(own),)),
        destination_ports=ir.ports(port),
    )
    return ir.Rule(name, match, ir.Action.PASS, no_state_sync=True, description="DHCP failover")


def subnet_id(interface: str) -> int:
    """Kea's number of an interface's network: the same on both nodes, and for ever."""
    if interface in ("wan", "lan"):
        return 1 + ("wan", "lan").index(interface)
    digits = "".join(c for c in interface if c.isdigit())
    return 10 + int(digits or 0)


# Kea's configuration --------------------------------------------------------------------------------------------------


def kea_config(config: Config) -> dict[str, Any]:
    """The whole of it (Kea 2.2)."""
    servers = active(config)
    everybody = [_known(m) for m in config[DHCP_MAPPINGS].items]
    classes = [c for server, interface in servers for c in _classes(server, interface)]
    dhcp4: dict[str, Any] = {
        "interfaces-config": {
            "interfaces": [f"{i.device}/{i.ipv4.partition('/')[0]}" for _, i in servers],
            "dhcp-socket-type": "raw",
        },
        "control-socket": {"socket-type": "unix", "socket-name": SOCKET},
        "lease-database": {"type": "memfile", "persist": True, "name": LEASES, "lfc-interval": 3600},
        "multi-threading": {"enable-multi-threading": False},
        "authoritative": True,
        "host-reservation-identifiers": ["hw-address", "client-id"],
        "hooks-libraries": [
            {"library": f"{HOOKS}/libdhcp_lease_cmds.so"},
            {"library": f"{HOOKS}/libdhcp_ha.so", "parameters": {"high-availability": [keeper(KEEPER_PORT)]}},
        ],
        "subnet4": [_subnet(config, server, interface) for server, interface in servers],
        "loggers": [
            {"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]},
            {"name": "kea-dhcp4.commands", "severity": "WARN", "output_options": [{"output": "stdout"}]},
        ],
    }
    if classes:
        dhcp4["client-classes"] = classes
    if any(s.deny_unknown == "enabled" for s, _ in servers):
        dhcp4["reservations"] = _without_twins(everybody)
    return {"Dhcp4": dhcp4}


def keeper(port: int) -> dict[str, Any]:
    """Kea waits for leased before it acknowledges: leased looks to it like a backup server, at this port."""
    return {
        "this-server-name": "node",
        "mode": "passive-backup",
        "wait-backup-ack": True,
        "multi-threading": {"enable-multi-threading": False},
        "peers": [
            {"name": "node", "url": f"http://127.0.0.1:{port + 1}/", "role": "primary"},
            {"name": "leased", "url": f"http://127.0.0.1:{port}/", "role": "backup"},
        ],
    }


def _subnet(config: Config, server: DhcpServer, interface: Interface) -> dict[str, Any]:
    allowed = _allowed_class(server)
    pools: list[dict[str, Any]] = []
    for first, last in server.spans:
        pool: dict[str, Any] = {"pool": f"{IPv4Address(first)}-{IPv4Address(last)}"}
        if allowed:
            pool["client-class"] = allowed
        pools.append(pool)
    subnet: dict[str, Any] = {
        "id": subnet_id(interface.id),
        "subnet": str(ip_interface(interface.ipv4).network),
        "interface": interface.device,
        "pools": pools,
        "valid-lifetime": server.default_lease,
        "min-valid-lifetime": min(60, server.default_lease),
        "max-valid-lifetime": server.max_lease,
        "calculate-tee-times": True,
        "match-client-id": not server.ignore_client_ids,
        "reservations-in-subnet": True,
        "reservations-out-of-pool": True,
        "reservations-global": server.deny_unknown == "enabled",
        "reservations": [_reservation(m) for m in config[DHCP_MAPPINGS].items if m.interface == interface.id],
        "option-data": list(_options(config, server, interface)),
    }
    if server.next_server:
        subnet["next-server"] = server.next_server
    if server.boot_file:
        subnet["boot-file-name"] = server.boot_file
    return subnet


def _options(config: Config, server: DhcpServer, interface: Interface) -> Iterable[dict[str, Any]]:
    vip, own = carp_vip(config, interface.id), interface.ipv4.partition("/")[0]
    shared = vip.ip if vip else own
    system = config[SYSTEM]
    if server.gateway != "none":
        yield {"name": "routers", "data": server.gateway or shared}
    dns = server.dns_servers or resolver_address(config, interface.id, shared) or _ipv4_only(system.dns_servers)
    domain = server.domain or system.domain
    for name, values in (
        ("domain-name-servers", dns),
        ("domain-name", (domain,) if domain else ()),
        ("domain-search", server.domain_search),
        ("netbios-name-servers", server.wins_servers),
        ("ntp-servers", server.ntp_servers),
        ("tftp-server-name", (server.tftp_server,) if server.tftp_server else ()),
        ("root-path", (server.root_path.replace(",", "\\,"),) if server.root_path else ()),
        # One server for clients, whichever node answers: a renewal goes to whoever is master.
        ("dhcp-server-identifier", (vip.ip,) if vip else ()),
    ):
        if values:
            yield {"name": name, "data": ", ".join(values)}
    for text in server.options:
        found = option(text)
        yield {"code": found.number, "csv-format": False, "data": found.data.hex().upper(), "always-send": True}


def resolver_address(config: Config, interface: str, shared: str) -> tuple[str, ...]:
    """Where the DNS Resolver of this firewall answers the clients of an interface; nothing if it does not."""
    resolver = config[DNS_RESOLVER]
    return (shared,) if resolver.enabled and shared in listening(config) else ()


def _ipv4_only(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(a for a in addresses if ":" not in a)


def _known(one: StaticMapping) -> dict[str, Any]:
    """A reservation of nothing but the client's name. Kea wants it to hold something: a private option that no client
    asks for."""
    who = {"hw-address": one.mac} if one.mac else {"client-id": _client_id(one)}
    return {**who, "option-data": [{"code": 224, "csv-format": False, "data": "00"}]}


def _without_twins(known: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({json.dumps(k, sort_keys=True): k for k in known}.values())


def _reservation(one: StaticMapping) -> dict[str, Any]:
    found = _known(one)
    if one.address:
        found["ip-address"] = one.address
    if one.hostname:
        found["hostname"] = one.hostname
    return found


def _client_id(one: StaticMapping) -> str:
    """Hexadecimal pairs as they are; text in quotes."""
    pairs = one.client_id.lower().split(":")
    if len(pairs) > 1 and all(len(p) == 2 and set(p) <= set("0123456789abcdef") for p in pairs):
        return one.client_id
    return f"'{one.client_id}'"


def _classes(server: DhcpServer, interface: Interface) -> Iterable[dict[str, Any]]:
    """Client classes of one server: who is let in by MAC, and who boots by UEFI."""
    tests = []
    if server.allow_macs:
        tests.append("(" + " or ".join(_begins(p) for p in server.allow_macs) + ")")
    if server.deny_macs:
        tests.append("not (" + " or ".join(_begins(p) for p in server.deny_macs) + ")")
    if tests:
        yield {"name": f"macs_{server.id}", "test": " and ".join(tests)}
    if server.boot_file_uefi:
        # RFC 4578: 7 and 9 are EFI for x86-64.
        test = f"(option[93].hex == 0x0007 or option[93].hex == 0x0009) and pkt.iface == '{interface.device}'"
        yield {"name": f"uefi_{server.id}", "test": test, "boot-file-name": server.boot_file_uefi}
    if tests and server.deny_unknown != "allow":
        yield {
            "name": f"known_{server.id}", "test": f"member('KNOWN') and member('macs_{server.id}')",
        }  # fmt: skip


def _on(server: DhcpServer) -> str:
    return f"pkt.iface != '' and '{server.interface}' != ''"


def _begins(prefix: str) -> str:
    length = prefix.count(":") + 1
    return f"substring(pkt4.mac, 0, {length}) == 0x{prefix.replace(':', '')}"


def _allowed_class(server: DhcpServer) -> str:
    """The class whose members get addresses of the pools; empty: everybody."""
    by_mac, known = bool(server.allow_macs or server.deny_macs), server.deny_unknown != "allow"
    if by_mac and known:
        return f"known_{server.id}"
    return f"macs_{server.id}" if by_mac else "KNOWN" if known else ""
