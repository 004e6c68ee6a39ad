"""The status of two nodes of a cluster that is well, to be spoilt by tests."""

from typing import Any


def vhid(interface: str, number: int, state: str) -> dict[str, Any]:
    """One entry of the key `carp`."""
    return {
        "interface": interface, "description": interface.upper(), "vhid": number, "addresses": ["192.0.2.1"],
        "state": state, "advbase": 1, "advskew": 1, "effective_skew": 1, "since": 5.0, "reason": "so", "master": None,
    }  # fmt: skip


def node_status(name: str = "fw1", state: str = "MASTER", **changes: Any) -> dict[str, Any]:
    """The status as the agent makes it."""
    first = name == "fw1"
    status: dict[str, Any] = {
        "node": name, "role_config": "primary" if first else "secondary", "problems": [],
        "carp": [vhid("wan", 200, state), vhid("lan", 1, state)], "demotion": {}, "maintenance": False,
        "carp_enabled": True, "pending": 0, "warnings": [], "notices": [],
        "state_sync": {
            "status": "in sync", "states": 5, "lag_ms": 0.4, "in_sync": True, "host_id": "1" if first else "2",
            "peer": "172.16.1.3", "creators": {"1": 3, "2": 2},
        },
        "config_sync": {
            "status": "in sync" if first else "receiving", "revision": 7, "proven_revision": 7 if first else None,
            "last_error": None, "peer": "fw2" if first else "fw1", "since": 1.0,
        },
        "gateways": [{"name": "WANGW", "status": "online", "rtt_ms": 1.5}],
        "transitions": [], "counters": {"carp": {"late loop": 1}, "state_sync": {"batches": 2}},
        "peer": None, "safe_to_fail_over": {"verdict": "safe", "standby": "fw2", "reasons": [], "holds": []},
    }  # fmt: skip
    for path, value in changes.items():
        section, _, key = path.partition("__")
        if key:
            status[section] = {**status[section], key: value}
        else:
            status[section] = value
    return status
