"""What the DHCPv6 areas come to: Kea's configuration, and what leased is told of it."""

import json
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_interface
from typing import Any

from gemel.areas.dhcp6 import DHCP6_MAPPINGS, Dhcp6Mapping, Dhcp6Server, active6
from gemel.areas.dhcp_kea import FOLDERS, HOOKS, SIGHUP, keeper, peer_rule, subnet_id, sync_path
from gemel.areas.dns_resolver import DNS_RESOLVER, listening
from gemel.areas.dns_unbound import lease_domain
from gemel.areas.followed_vip import followed_vip, vhid_of
from gemel.areas.interfaces import Interface
from gemel.areas.system import SYSTEM
from gemel.core.config import Config
from gemel.core.want import File, Service
from gemel.leases.settings import KEEPER_PORT6, PEER_PORT6, Scope, Settings
from gemel.rules import ir

CONFIG = "/etc/kea/kea-dhcp6.conf"
SOCKET = "/run/kea/kea6-ctrl-socket"
LEASES = "/var/lib/kea/kea-leases6.csv"
CHECK = f'mkdir -p -m 750 {FOLDERS}; KEA_LOCKFILE_DIR=none kea-dhcp6 -t /dev/stdin <"$1"'
SERVER_PORT = 547
ETHERNET = 1  # hardware type in a DUID
VIRTUAL_MAC = "00005E0001"
TRIES, EVERY = 120, 500
"""How often Kea tries to listen on an interface, and milliseconds between: after a start the kernel makes sure for a
second or two that nobody else has its link-local address, and until then nobody can listen there."""


def kea6_service(config: Config) -> Service:
    """The server; only where one is active."""
    return Service(
        "kea-dhcp6",
        (File(CONFIG, json.dumps(kea6_config(config), indent=1) + "\n", 0o640),),
        ("/bin/sh", "-c", f"mkdir -p -m 750 {FOLDERS}; exec kea-dhcp6 -c {CONFIG}"),
        check=("/bin/sh", "-c", CHECK, "sh", "{path}"),
        signal=SIGHUP,
        devices=tuple(interface.device for _, interface in active6(config)),
    )


def lease_settings6(config: Config) -> Settings:
    """Who serves where, and where the peer is: on each interface with a Failover Peer IP, and on SYNC."""
    scopes = []
    for server, interface in active6(config):
        vip = followed_vip(config, interface.id, 6)
        own = ip_interface(interface.ipv6)
        scopes.append(
            Scope(
                interface.id, interface.device, str(own.ip), str(own.network), subnet_id(interface.id),
                vip.ip if vip else "", server.failover_peer_ip, interface.title, lease_domain(config, interface.id),
            )
        )  # fmt: skip
    here = tuple(s.address for s in scopes if s.peer)
    there = tuple(s.peer for s in scopes if s.peer)
    sync = sync_path(config) if here else None
    if sync is not None:
        here, there = (*here, sync[1]), (*there, sync[2])
    return Settings(
        tuple(scopes), tuple(dict.fromkeys(here)), tuple(dict.fromkeys(there)), kea=SOCKET, kea_config=CONFIG,
        port=PEER_PORT6, keeper_port=KEEPER_PORT6, family=6,
    )  # fmt: skip


def automatic_rules6(config: Config, interface: Interface) -> Iterable[ir.Rule]:
    """What a DHCPv6 server brings to the firewall: hosts may ask, and the peer, nobody else, may replicate."""
    servers = active6(config)
    for server, there in servers:
        if there.id == interface.id:
            hosts = ir.Match(family=6, protocols=frozenset({ir.UDP}), destination_ports=ir.ports(SERVER_PORT))
            name = f"auto_dhcp6_{interface.id}"
            yield ir.Rule(name, hosts, ir.Action.PASS, no_state_sync=True, description="DHCPv6 clients")
            if server.failover_peer_ip:
                own = interface.ipv6.partition("/")[0]
                yield peer_rule(f"auto_dhcp6_peer_{interface.id}", server.failover_peer_ip, own, PEER_PORT6)
    sync = sync_path(config)
    if sync is not None and sync[0].id == interface.id and any(s.failover_peer_ip for s, _ in servers):
        yield peer_rule(f"auto_dhcp6_sync_{interface.id}", sync[2], sync[1], PEER_PORT6)


# Kea's configuration --------------------------------------------------------------------------------------------------


def kea6_config(config: Config) -> dict[str, Any]:
    """The whole of it (Kea 2.2)."""
    servers = active6(config)
    dhcp6: dict[str, Any] = {
        "interfaces-config": {
            "interfaces": [i.device for _, i in servers],
            "service-sockets-max-retries": TRIES,
            "service-sockets-retry-wait-time": EVERY,
        },
        "control-socket": {"socket-type": "unix", "socket-name": SOCKET},
        "lease-database": {"type": "memfile", "persist": True, "name": LEASES, "lfc-interval": 3600},
        "multi-threading": {"enable-multi-threading": False},
        "host-reservation-identifiers": ["duid"],
        "hooks-libraries": [
            {"library": f"{HOOKS}/libdhcp_lease_cmds.so"},
            {"library": f"{HOOKS}/libdhcp_ha.so", "parameters": {"high-availability": [keeper(KEEPER_PORT6)]}},
        ],
        "subnet6": [_subnet(config, server, interface) for server, interface in servers],
        "loggers": [
            {"name": "kea-dhcp6", "severity": "INFO", "output_options": [{"output": "stdout"}]},
            {"name": "kea-dhcp6.commands", "severity": "WARN", "output_options": [{"output": "stdout"}]},
        ],
    }
    if duid := _server_duid(config):
        dhcp6["server-id"] = duid
    return {"Dhcp6": dhcp6}


def _server_duid(config: Config) -> dict[str, Any] | None:
    """One server for hosts, whichever node answers: made of the lowest followed VHID's virtual MAC, so that both nodes
    come to the same. None: no virtual IP is followed, and Kea makes one of its own and keeps it."""
    followed = [v for _, i in active6(config) if (v := followed_vip(config, i.id, 6)) is not None]
    lowest = min((vhid_of(config, v) for v in followed), default=0)
    if not lowest:
        return None
    return {"type": "LL", "htype": ETHERNET, "identifier": f"{VIRTUAL_MAC}{lowest:02X}", "persist": False}


def _subnet(config: Config, server: Dhcp6Server, interface: Interface) -> dict[str, Any]:
    pools = []
    if server.span:
        pools.append({"pool": "-".join(str(IPv6Address(end)) for end in server.span)})
    return {
        "id": subnet_id(interface.id),
        "subnet": str(ip_interface(interface.ipv6).network),
        "interface": interface.device,
        "pools": pools,
        "valid-lifetime": server.default_lease,
        "preferred-lifetime": server.default_lease * 5 // 8,
        "calculate-tee-times": True,
        "reservations-in-subnet": True,
        "reservations-out-of-pool": True,
        "reservations": [_reservation(m) for m in config[DHCP6_MAPPINGS].items if m.interface == interface.id],
        "option-data": list(_options(config, server, interface)),
    }


def _reservation(one: Dhcp6Mapping) -> dict[str, Any]:
    found: dict[str, Any] = {"duid": one.duid, "ip-addresses": [one.address] if one.address else []}
    if one.hostname:
        found["hostname"] = one.hostname
    return found


def _options(config: Config, server: Dhcp6Server, interface: Interface) -> Iterable[dict[str, Any]]:
    vip, system = followed_vip(config, interface.id, 6), config[SYSTEM]
    shared = vip.ip if vip else interface.ipv6.partition("/")[0]
    resolves = config[DNS_RESOLVER].enabled and shared in listening(config)
    dns = server.dns_servers or ((shared,) if resolves else tuple(a for a in system.dns_servers if ":" in a))
    search = server.domain_search or ((system.domain,) if system.domain else ())
    for name, values in (("dns-servers", dns), ("domain-search", search)):
        if values:
            yield {"name": name, "data": ", ".join(values)}
