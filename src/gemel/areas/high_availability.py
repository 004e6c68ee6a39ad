"""System > High Avail. Sync: state synchronisation and configuration synchronisation. Stays on each node; applied at
Save.

Reference pfsense-semantics §6.1, §6.2.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from gemel.areas.fields import InterfaceRef, OptionalIpAddress
from gemel.areas.interfaces import INTERFACES
from gemel.core.area import Area
from gemel.core.config import Config
from gemel.core.model import Model, field
from gemel.core.problem import Problem

BOXES = {
    "users": "User manager users and groups",
    "rules": "Firewall rules",
    "aliases": "Firewall aliases",
    "nat": "NAT configuration",
    "static_routes": "Static Route configuration",
    "virtual_ips": "Virtual IPs",
    "dhcp": "DHCP Server settings",
    "dns": "DNS Forwarder and DNS Resolver configurations",
}
"""The check boxes of *Select options to sync*, for the areas that there are. `admin` has a field of its own."""


def _host_id(value: str) -> str:
    text = value.strip().lower()
    if text and (not re.fullmatch(r"[0-9a-f]{1,8}", text) or int(text, 16) == 0):
        raise ValueError("1 to 8 hexadecimal digits, not 0; another one on each node")
    return text.lstrip("0")


def _boxes(value: Any) -> Any:
    if value == "all" or value == ["all"] or value == ("all",):
        return tuple(BOXES)
    if isinstance(value, str):
        value = [v.strip() for v in value.split(",") if v.strip()]
    wrong = [v for v in value if v not in BOXES] if isinstance(value, list | tuple) else []
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no area to synchronise; there are all, {', '.join(BOXES)}")
    return value


class HighAvailability(Model):
    """The fields of the page, in its order."""

    synchronize_states: bool = field(
        False,
        label="Synchronize states",
        help="Send this node's states to the peer, so that connections survive. On both nodes.",
    )
    synchronize_interface: InterfaceRef = field(
        "", label="Synchronize Interface", help="The dedicated interface, SYNC."
    )
    filter_host_id: Annotated[str, AfterValidator(_host_id)] = field(
        "", label="Filter Host ID", help="1 to 8 hexadecimal digits, a different one on each node, for example 1 and 2."
    )
    peer_ip: OptionalIpAddress = field(
        "", label="pfsync Synchronize Peer IP", help="The other node's address on the synchronize interface."
    )
    preempt: bool = field(
        True,
        label="Preempt",
        help="The node with the lower skew takes the virtual IPs back when it has recovered, and one lost link moves "
        "all of them. The same on both nodes.",
    )
    hold_down: int = field(
        0,
        label="Hold-down",
        help="Seconds that this node waits after its start, or after a link came back, before it preempts: 0 to 3600.",
        ge=0,
        le=3600,
    )
    fast_detection: bool = field(
        True,
        label="Fast failure detection",
        help="Take over within a tenth of a second when the peer dies, once the nodes know each other. Off: CARP's "
        "own timers decide.",
    )
    heartbeat_interval: int = field(
        20, label="Heartbeat interval", help="Milliseconds between two heartbeats over SYNC, 5 to 1000.", ge=5, le=1000
    )
    heartbeat_misses: int = field(
        3,
        label="Heartbeat misses",
        help="How many heartbeats may be missing before the peer counts as dead, 2 to 50. It must also be silent on "
        "every CARP interface, while somebody else answers there.",
        ge=2,
        le=50,
    )
    synchronize_config_to: OptionalIpAddress = field(
        "",
        label="Synchronize Config to IP",
        help="On the primary only: the secondary's SYNC address. Empty on the secondary.",
    )
    username: str = field(
        "admin", label="Remote System Username", help="An account on the peer with the right to synchronise."
    )
    password: str = field(
        "", label="Remote System Password", help="The password of that account on the peer.", secret=True
    )
    synchronize_admin: bool = field(
        False, label="Synchronize admin", help="Also give the peer this node's admin account, with its password."
    )
    areas: Annotated[tuple[str, ...], BeforeValidator(_boxes)] = field(
        (), label="Select options to sync", help=f"What to give the peer: all, or some of {', '.join(BOXES)}."
    )


def boxes(model: HighAvailability) -> tuple[str, ...]:
    """All ticked boxes, the admin's too."""
    return (*model.areas, "admin") if model.synchronize_admin else model.areas


def _check(config: Config) -> Iterable[Problem]:
    ha = config[HIGH_AVAILABILITY]
    interface = config[INTERFACES].get(ha.synchronize_interface) if ha.synchronize_interface else None
    path = "high_availability"
    if ha.synchronize_interface and interface is None:
        yield Problem(f"{path}.synchronize_interface", f"there is no interface {ha.synchronize_interface!r}")
    if ha.synchronize_states:
        if not ha.synchronize_interface:
            yield Problem(f"{path}.synchronize_interface", "state synchronisation needs an interface")
        elif interface is not None and not interface.own:
            yield Problem(f"{path}.synchronize_interface", f"{interface.title} has no address")
        if not ha.peer_ip:
            yield Problem(
                f"{path}.peer_ip", "enter the other node's address: states are sent to it alone, never by multicast"
            )
    own = {str(a).partition("/")[0]: i.title for i in config[INTERFACES].items for a in i.own}
    for name in ("peer_ip", "synchronize_config_to"):
        address = getattr(ha, name)
        if address in own:
            yield Problem(
                f"{path}.{name}", f"{address} is this node's own address ({own[address]}): enter the other node's"
            )
        elif address and interface and not any(ip_address(address) in network for network in interface.networks):
            yield Problem(f"{path}.{name}", f"{address} is not in the network of {interface.title}", "warning")
    if ha.synchronize_config_to and not ha.password:
        yield Problem(f"{path}.password", "the peer's account needs its password")
    if ha.synchronize_config_to and not boxes(ha):
        yield Problem(f"{path}.areas", "nothing is selected: no area will be synchronised", "warning")


HIGH_AVAILABILITY = Area(
    name="high_availability",
    label="High Avail. Sync",
    noun="ha",
    model=HighAvailability,
    help="State synchronisation on both nodes, configuration synchronisation on the primary.",
    availability="local",
    at_save=True,
    check=_check,
)
