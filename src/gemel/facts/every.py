"""The explicit list of facts. A new one is a `Fact` and one line here; page, REST and command follow from it."""

from typing import Any

from gemel.facts.console import CONSOLE
from gemel.facts.dhcp import DHCP_LEASES
from gemel.facts.fact import Fact, Options, Sources
from gemel.facts.gateways import GATEWAY_STATUS
from gemel.facts.logs import LOG
from gemel.facts.machine import FILTER_LOG, NEIGHBOURS, RULE_COUNTERS, SERVICES
from gemel.facts.metrics import METRICS
from gemel.facts.samples import GRAPHS, INTERFACE_STATUS
from gemel.facts.state_sync import STATE_SYNC
from gemel.facts.states import STATES
from gemel.facts.transitions import EVENTS, SYNC_HISTORY, TRANSITIONS


def _status(sources: Sources, _options: Options) -> dict[str, Any]:
    status: dict[str, Any] = sources["status"]
    return status


STATUS: Fact[dict[str, Any]] = Fact(
    name="status",
    label="Status",
    menu="Status > Dashboard",
    help="This node and what it knows of its peer, on one page; `facts.status` describes it.",
    shape=dict[str, Any],
    read=_status,
    sources=("status",),
)

FACTS: tuple[Fact[Any], ...] = (
    STATUS,
    TRANSITIONS,
    INTERFACE_STATUS,
    GATEWAY_STATUS,
    DHCP_LEASES,
    SERVICES,
    STATES,
    STATE_SYNC,
    NEIGHBOURS,
    RULE_COUNTERS,
    LOG,
    FILTER_LOG,
    EVENTS,
    SYNC_HISTORY,
    GRAPHS,
    METRICS,
    CONSOLE,
)


def fact(name: str) -> Fact[Any]:
    """The fact of that name.

    Raises:
        KeyError: there is none.
    """
    for one in FACTS:
        if one.name == name:
            return one
    raise KeyError(name)
