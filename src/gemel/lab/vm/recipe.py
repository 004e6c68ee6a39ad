"""The recipe as calls of REST, and what the stories add to it. Pure."""

from dataclasses import dataclass
from typing import Any

from gemel.lab.topology import LAN_VIP, NODES, WAN_VIP, other
from gemel.lab.virtual import DMZ, GUEST, PASSWORD, VLAN

APPLY = "/apply"
GUEST_NET = f"10.0.{VLAN}.0/24"
GUEST_VIP = f"10.0.{VLAN}.1"
DMZ_VHID = 40


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a node's REST."""

    node: str
    method: str
    path: str
    body: dict[str, Any]


def recipe() -> list[Call]:
    """The same steps as in a browser, in its order."""
    calls = [c for node in NODES for c in _sync_of(node)]
    target = NODES["fw2"].sync.partition("/")[0]
    given = {"synchronize_config_to": target, "username": "admin", "password": PASSWORD, "areas": "all"}
    calls.append(Call("fw1", "PATCH", "/high_availability", given))
    calls += [Call("fw1", "POST", "/virtual_ips", {**_CARP, **vip}) for vip in _VIPS]
    calls.append(Call("fw1", "POST", APPLY, {}))
    calls.append(Call("fw1", "PATCH", "/outbound_nat/settings?apply=true", {"mode": "hybrid"}))
    calls += [Call("fw1", "POST", path, {**_LAN_TO_WAN, **mapping}) for path, mapping in _MAPPINGS]
    calls.append(Call("fw1", "POST", APPLY, {}))
    calls.append(Call("fw1", "POST", "/dhcp", _DHCP))
    calls.append(Call("fw1", "PATCH", "/dns_resolver?apply=true", {"enabled": True}))
    return calls


def vlan() -> list[Call]:
    """A VLAN on LAN's card on both nodes, and on the primary its virtual IP, rule and translation."""
    calls = []
    for node, plan in NODES.items():
        calls.append(Call(node, "POST", "/vlans", {"parent": "eth1", "tag": VLAN, "description": "guests"}))
        own = f"10.0.{VLAN}.{plan.number + 1}/24"
        port = {"device": f"eth1.{VLAN}", "enabled": True, "description": "GUESTS", "ipv4": own}
        calls.append(Call(node, "POST", "/interfaces", port))
        calls.append(Call(node, "POST", APPLY, {}))
    rule = {"interface": "opt2", "protocol": "any", "source": "GUESTS net", "description": "Guests may go anywhere"}
    calls.append(Call("fw1", "POST", "/rules", rule))
    vip = {"interface": "opt2", "address": f"{GUEST_VIP}/24", "vhid": VLAN, "password": "guests-password-1"}
    calls.append(Call("fw1", "POST", "/virtual_ips", {**_CARP, **vip, "description": "GUESTS CARP VIP"}))
    translation = {"source": GUEST_NET, "description": f"{GUEST.name}s to WAN"}
    calls.append(Call("fw1", "POST", "/outbound_nat", {**_LAN_TO_WAN, **translation}))
    calls.append(Call("fw1", "POST", APPLY, {}))
    return calls


def bond() -> list[Call]:
    """The two cards of the fourth network as one port on both nodes, the first of them as long as it has a link."""
    calls = []
    for node, plan in NODES.items():
        ports = {"name": "bond0", "members": ["eth3", "eth4"], "mode": "active-backup", "primary": "eth3"}
        calls.append(Call(node, "POST", "/bonds", {**ports, "description": "DMZ"}))
        own = f"{DMZ.address.rpartition('.')[0]}.{plan.number + 1}/24"
        port = {"device": "bond0", "enabled": True, "description": "DMZ", "ipv4": own}
        calls.append(Call(node, "POST", "/interfaces", port))
        calls.append(Call(node, "POST", APPLY, {}))
    return calls


def bond_in_service(interface: str) -> list[Call]:
    """On the primary, the bond's virtual IP, rule and translation; `interface` is what the node calls its port."""
    rule = {"interface": interface, "protocol": "any", "source": "DMZ net", "description": "DMZ may go anywhere"}
    vip = {"interface": interface, "address": f"{DMZ.gateway}/24", "vhid": DMZ_VHID, "password": "dmz-password-1"}
    network = f"{DMZ.address.rpartition('.')[0]}.0/24"
    return [
        Call("fw1", "POST", "/rules", rule),
        Call("fw1", "POST", "/virtual_ips", {**_CARP, **vip, "description": "DMZ CARP VIP"}),
        Call("fw1", "POST", "/outbound_nat", {**_LAN_TO_WAN, "source": network, "description": "DMZ to WAN"}),
        Call("fw1", "POST", APPLY, {}),
    ]


def _sync_of(node: str) -> list[Call]:
    plan = NODES[node]
    port = {"enabled": True, "description": "SYNC", "ipv4": plan.sync}
    calls = [Call(node, "PATCH", "/interfaces/opt1", port)]
    calls += [Call(node, "POST", "/rules?position=top", {"interface": "opt1", **rule}) for rule in _RULES[node]]
    calls.append(Call(node, "POST", APPLY, {}))
    settings = {
        "synchronize_states": True,
        "synchronize_interface": "opt1",
        "filter_host_id": str(plan.number),
        "peer_ip": NODES[other(node)].sync.partition("/")[0],
    }
    calls.append(Call(node, "PATCH", "/high_availability", settings))
    return calls


_RULES: dict[str, tuple[dict[str, Any], ...]] = {
    "fw1": (
        {
            "protocol": "tcp", "source": "SYNC net", "destination": "SYNC address", "destination_port": "443",
            "description": "Allow configuration synchronization",
        },
        {"protocol": "pfsync", "source": "SYNC net", "description": "Allow state synchronization"},
        {
            "protocol": "icmp", "source": "SYNC net", "destination": "SYNC net",
            "description": "Allow ICMP for diagnostics",
        },
    ),
    "fw2": ({"protocol": "any", "source": "SYNC net", "description": "Temp rule for sync"},),
}  # fmt: skip

_CARP = {"type": "carp", "base": 1, "skew": 1}
_VIPS: tuple[dict[str, Any], ...] = (
    {
        "interface": "wan", "address": f"{WAN_VIP}/24", "vhid": 200, "password": "wan-password-1",
        "description": "WAN CARP VIP",
    },
    {
        "interface": "lan", "address": f"{LAN_VIP}/24", "vhid": 1, "password": "lan-password-1",
        "description": "LAN CARP VIP",
    },
)  # fmt: skip

_LAN_TO_WAN = {"interface": "wan", "source": "192.168.1.0/24", "translation": WAN_VIP}
_MAPPINGS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/outbound_nat", {"description": "LAN to WAN"}),
    (
        "/outbound_nat?position=top",
        {"destination_port": "500", "protocol": "udp", "static_port": True, "description": "ISAKMP - LAN to WAN"},
    ),
)

_DHCP = {
    "interface": "lan", "enabled": True, "range_from": "192.168.1.100", "range_to": "192.168.1.199",
    "dns_servers": [LAN_VIP], "gateway": LAN_VIP, "failover_peer_ip": "192.168.1.3",
}  # fmt: skip
