"""Who uses a virtual IP by its plain address, and what becomes of that when the VIP changes (reference
pfsense-semantics §4.3).

Rules and NAT refer to a VIP that both nodes have by its id, so nothing can come apart there. A VIP that stays on one
node is written into them as an address, since the other node would know nothing of its id: here such addresses follow
an edit, and a VIP that is used, or that another one needs, cannot be deleted.
"""

from collections.abc import Iterator
from ipaddress import ip_address, ip_interface
from typing import Any

from gemel.areas.interfaces import INTERFACES
from gemel.areas.nat import OUTBOUND_NAT, PORT_FORWARDS
from gemel.areas.rules import RULES
from gemel.areas.virtual_ip import VirtualIp, VirtualIps
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.core.config import Config
from gemel.core.problem import Invalid, Problem

_USERS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (PORT_FORWARDS, ("destination",)),
    (OUTBOUND_NAT, ("translation",)),
    (RULES, ("source", "destination")),
)


def followed(before: Config, after: Config) -> Config:
    """`after`, with plain addresses of VIPs that were changed also changed where they are used.

    Raises:
        Invalid: a VIP is gone that is still used; the problems are where.
    """
    old, new = before[VIRTUAL_IPS], after[VIRTUAL_IPS]
    if old is new or old == new:
        return after
    problems: list[Problem] = []
    for vip in old.items:
        now = new.get(vip.id)
        if now is None:
            problems += _still_used(vip, after)
        elif now.address != vip.address:
            after = _moved(after, vip, now)
    if problems:
        raise Invalid(problems)
    return after


def _still_used(vip: VirtualIp, config: Config) -> Iterator[Problem]:
    words = vip.description or vip.address
    for area, fields in _USERS:
        for item in config[area].items:
            for name in fields:
                if _names_it(getattr(item, name), vip):
                    text = f"this uses the virtual IP {words}: change it first, then delete"
                    yield Problem(f"{area.name}[{item.id}].{name}", text)
    if vip.type == "ipalias" and vip.parent_vip is None:
        for other in _left_alone(vip, config):
            text = f"this is in the network of the IP alias {words} and in no other here: delete it first"
            yield Problem(f"virtual_ips[{other.id}].address", text)


def _names_it(endpoint: str, vip: VirtualIp) -> bool:
    names = {vip.ip, f"{vip.ip}/{128 if vip.family == 6 else 32}"}
    if not vip.is_present:
        names.add(vip.address)
    return endpoint.removeprefix("!") in names


def _left_alone(alias: VirtualIp, config: Config) -> Iterator[VirtualIp]:
    """CARP VIPs of the extra network that the alias brought to its interface, if nothing else brings it."""
    vips: VirtualIps = config[VIRTUAL_IPS]
    interface = config[INTERFACES].get(alias.interface)
    others = [v for v in vips.items if v.type == "ipalias" and v.interface == alias.interface]
    left = [*(interface.networks if interface else ()), *(ip_interface(v.address).network for v in others)]
    network = ip_interface(alias.address).network
    for vip in vips.items:
        address = ip_address(vip.ip)
        needs = vip.type == "carp" and vip.interface == alias.interface and address in network
        if needs and not any(address in there for there in left if there.version == address.version):
            yield vip


def _moved(config: Config, old: VirtualIp, new: VirtualIp) -> Config:
    for area, fields in _USERS:
        model = config[area]
        items = tuple(_renamed(item, fields, old, new) for item in model.items)
        if any(one is not other for one, other in zip(items, model.items, strict=True)):
            config = config.having(**{area.name: model.model_copy(update={"items": items})})
    return config


def _renamed(item: Any, fields: tuple[str, ...], old: VirtualIp, new: VirtualIp) -> Any:
    changed = {}
    for name in fields:
        value = getattr(item, name)
        if _names_it(value, old):
            inverted = "!" if value.startswith("!") else ""
            changed[name] = inverted + (new.address if value.removeprefix("!") == old.address else new.ip)
    return item.model_copy(update=changed) if changed else item
