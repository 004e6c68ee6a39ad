"""Are the gateways there, and how far away are they?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gemel.facts.fact import Column, Fact, Options, Sources

WINDOW = 30
"""Probes that count: one a second, so that this is half a minute."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One look at a gateway. `rtt_ms` None: no answer."""

    at: float
    rtt_ms: float | None


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """`status`: online, offline, lossy, unknown, not monitored. `rtt_ms` is the mean over the last probes, `loss` a
    share (0 to 1)."""

    name: str
    interface: str
    address: str
    default: bool
    status: str
    rtt_ms: float | None
    loss: float
    since: float | None
    silent_for: float | None = None
    """Seconds since its last answer; None if there was none lately."""
    missed_for: float | None = None
    """Seconds since the first of the questions that it has left unanswered to this day; None if it answered the
    last."""


@dataclass(frozen=True, slots=True)
class GatewayRows:
    """In the order of the list of gateways."""

    rows: tuple[GatewayRow, ...]


def health(probes: Sequence[Probe]) -> tuple[str, float | None, float]:
    """Status, mean round trip in ms and loss. Two answers missing in a row mean offline; one may just be lost."""
    if not probes:
        return "unknown", None, 0.0
    answers = [p.rtt_ms for p in probes if p.rtt_ms is not None]
    loss = 1 - len(answers) / len(probes)
    mean = round(sum(answers) / len(answers), 2) if answers else None
    last_two = [p.rtt_ms for p in probes[-2:]]
    if last_two[-1] is None and (len(last_two) == 1 or last_two[0] is None):
        return ("offline" if len(probes) > 1 else "unknown"), mean, round(loss, 2)
    return ("lossy" if loss > 0.2 else "online"), mean, round(loss, 2)


def silence(probes: Sequence[Probe], now: float) -> tuple[float | None, float | None]:
    """Seconds since the last answer, and since the first question that was left unanswered after it."""
    answered = next((p.at for p in reversed(probes) if p.rtt_ms is not None), None)
    missed = next((p.at for p in probes if p.rtt_ms is None and (answered is None or p.at > answered)), None)
    return (None if answered is None else now - answered), (None if missed is None else now - missed)


def gateway_rows(gateways: Iterable[Mapping[str, Any]], now: float | None = None) -> tuple[GatewayRow, ...]:
    """Of configured gateways (name, interface, address, default, probes: `Probe`, since); `now` is on the probes'
    clock."""
    rows = []
    for one in gateways:
        status, rtt, loss = health(one["probes"])
        if not one.get("monitor", True):
            status = "not monitored"
        silent, missed = silence(one["probes"], now) if now is not None else (None, None)
        rows.append(
            GatewayRow(
                one["name"], one["interface"], one["address"], one["default"], status, rtt, loss, one.get("since"),
                silent, missed,
            )
        )
    return tuple(rows)


def _gateways(sources: Sources, _options: Options) -> GatewayRows:
    return GatewayRows(gateway_rows(sources["gateways"]))


GATEWAY_STATUS = Fact(
    name="gateways",
    label="Gateways",
    menu="Status > Gateways",
    help="Whether each gateway answers, and how quickly; asked every few seconds.",
    shape=GatewayRows,
    read=_gateways,
    sources=("gateways",),
    columns=(
        Column("name", "Name"),
        Column("interface", "Interface"),
        Column("address", "Gateway"),
        Column("default", "Default", "yes"),
        Column("status", "Status", "state"),
        Column("rtt_ms", "Round trip (ms)", "count"),
        Column("loss", "Loss", "share"),
    ),
)
