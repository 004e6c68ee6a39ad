"""The recipe's two nodes as configurations, made by the same edits as on the command line, in the same words."""

import functools
from typing import Any

from gemel.areas.every import SCHEMA
from gemel.core.config import Config
from gemel.core.edit import Edit, edited
from gemel.core.problem import Invalid, Problem

LAN, WAN, SYNC = "192.168.1.0/24", "198.51.100.0/24", "172.16.1.0/24"


def changed(
    config: Config, area: str, verb: Any = "set", item: str = "", position: str = "bottom", **values: Any
) -> Config:
    """The configuration after one edit."""
    return edited(SCHEMA, config, Edit(area, verb, item, values, position)).config


def added(config: Config, area: str, key: str, position: str = "bottom", **values: Any) -> Config:
    """With one more item, of that id."""
    return changed(config, area, "add", "", position, id=key, **values)


@functools.cache
def node(number: int) -> Config:
    """A node after the recipe's SYNC interface: 1 has the addresses .201 .2 .2, 2 has .202 .3 .3."""
    config = SCHEMA.default()
    for key, description, address in (
        ("wan", "WAN", f"198.51.100.20{number}/24"),
        ("lan", "LAN", f"192.168.1.{1 + number}/24"),
        ("opt1", "SYNC", f"172.16.1.{1 + number}/24"),
    ):
        device = "sync" if key == "opt1" else key
        config = added(config, "interfaces", key, device=device, description=description, enabled=True, ipv4=address)
    config = changed(config, "gateways", "add", name="WANGW", interface="WAN", address="198.51.100.1")
    return changed(config, "interfaces", "set", "wan", gateway="WANGW")


@functools.cache
def primary() -> Config:
    """The first node when the recipe has been carried out, with one of everything else."""
    config = node(1)
    config = added(config, "aliases", "web", name="web_servers", type="host", entries=["192.168.1.80", "192.168.1.81"])
    config = added(config, "aliases", "ports", name="web_ports", type="port", entries=["HTTPS", "8000-8010"])
    for key, values in {
        "https": {"protocol": "tcp", "source": "SYNC net", "destination": "SYNC address", "destination_port": "HTTPS"},
        "pfsync": {"protocol": "pfsync", "source": "SYNC net"},
        "icmp": {"protocol": "icmp", "source": "SYNC net", "destination": "SYNC net"},
    }.items():
        config = added(config, "rules", key, "top", interface="SYNC", **values)
    config = added(config, "rules", "to_web", interface="lan", destination="web_servers", destination_port="web_ports")
    shared = {"base": 1, "skew": 1, "password": "secret"}
    config = added(config, "virtual_ips", "wan_vip", interface="wan", address="198.51.100.200/24", vhid=200, **shared)
    config = added(config, "virtual_ips", "lan_vip", interface="lan", address="192.168.1.1/24", vhid=1, **shared)
    for key, parent, address in (
        ("stacked", "198.51.100.200", "198.51.100.210/24"),
        ("plain", "wan", "198.51.100.220/24"),
    ):
        config = added(config, "virtual_ips", key, type="ipalias", interface=parent, address=address)
    config = changed(config, "outbound_nat", "set", mode="hybrid")
    config = added(config, "outbound_nat", "general", interface="wan", source=LAN, translation="198.51.100.200")
    mail = {"destination_port": "25", "target": "192.168.1.25", "description": "Mail"}
    config = added(config, "port_forwards", "mail", destination="198.51.100.200", **mail)
    states = {"synchronize_states": True, "synchronize_interface": "SYNC", "peer_ip": "172.16.1.3"}
    config = changed(config, "high_availability", **states)
    return changed(config, "high_availability", synchronize_config_to="172.16.1.3", password="secret", areas="all")


def problems(config: Config) -> dict[str, Problem]:
    """What is wrong with it, by path."""
    return {p.path: p for p in SCHEMA.check(config)}


def refusal(config: Config, area: str, verb: Any = "set", item: str = "", **values: Any) -> dict[str, str]:
    """Why an edit is refused, at the field or for what it means elsewhere: path -> sentence. Empty: it is not."""
    try:
        SCHEMA.checked(changed(config, area, verb, item, **values))
    except Invalid as error:
        return {p.path: p.text for p in error.problems if p.level == "error"}
    return {}
