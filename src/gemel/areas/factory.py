"""What a node has after its first boot, and how a configured one comes back to that."""

from typing import Any

from gemel.areas.every import SCHEMA
from gemel.areas.gateways import GATEWAYS
from gemel.areas.interfaces import INTERFACES
from gemel.areas.links import BONDS, BRIDGES, VLANS, Bonds, Bridges, Vlans
from gemel.areas.system import SYSTEM
from gemel.core.config import Config
from gemel.core.edit import Edit, edited_all
from gemel.core.model import Model
from gemel.core.problem import Invalid, errors

FIRST_RULES: tuple[dict[str, Any], ...] = tuple(
    {
        "interface": "lan", "protocol": "any", "family": family, "source": "net:lan",
        "description": f"Default allow LAN {name}to any rule",
    }
    for family, name in (("inet", ""), ("inet6", "IPv6 "))
)  # fmt: skip
"""LAN may go anywhere; nothing else is open."""


def factory_default(config: Config) -> Config:
    """Only the answers of the first boot are left: the node's name and name servers, WAN and LAN with their addresses,
    upstream gateways and what they stand on, the first rules. A node that nobody can reach would be of no use to who
    asked for this.

    Raises:
        Invalid: even these do not go together; what is said is about the fields as they are now.
    """
    ports = tuple(i for i in config[INTERFACES].items if i.id in ("wan", "lan"))
    upstream = {g for i in ports for g in (i.gateway, i.gateway6) if g}
    gateways = tuple(g for g in config[GATEWAYS].items if g.id in upstream)
    found = SCHEMA.default().having(
        system=config[SYSTEM],
        interfaces=config[INTERFACES].model_copy(update={"items": ports}),
        gateways=GATEWAYS.model(items=gateways),
        **_below(config, {i.device for i in ports}),
    )
    if any(i.id == "lan" for i in ports):
        found, _ = edited_all(SCHEMA, found, [Edit("rules", "add", values=dict(rule)) for rule in FIRST_RULES])
    problems = SCHEMA.check(found)
    if errors(problems):
        raise Invalid(problems)
    return found


def _below(config: Config, devices: set[str]) -> dict[str, Model]:
    """The VLANs, bonds and bridges that these devices are, or stand on."""
    vlans, bonds, bridges = config[VLANS], config[BONDS], config[BRIDGES]
    under: dict[str, tuple[str, ...]] = {v.device: (v.parent,) for v in vlans.items}
    under |= {b.device: b.members for b in bridges.items}
    todo = list(devices)
    needed = set(devices)
    while todo:
        new = [device for device in under.get(todo.pop(), ()) if device not in needed]
        needed.update(new)
        todo += new
    return {
        "vlans": Vlans(items=tuple(v for v in vlans.items if v.device in needed)),
        "bonds": Bonds(items=tuple(b for b in bonds.items if b.device in needed)),
        "bridges": Bridges(items=tuple(b for b in bridges.items if b.device in needed)),
    }
