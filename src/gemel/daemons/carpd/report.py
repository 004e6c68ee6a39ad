"""What carpd says about itself, made from its protocol core."""

from collections.abc import Callable

from gemel.carp.events import State
from gemel.carp.machine import Machine
from gemel.carp.node import Node
from gemel.carp.peer import Peer
from gemel.control.carpd import (
    CarpReport,
    DetectorReport,
    FindingReport,
    StepReport,
    TransitionReport,
    VhidReport,
)
from gemel.daemons.carpd.journal import Entry, Journal

CLOCK_SET = 0.05  # seconds by which the two clocks must have moved apart for somebody to have set one of them


class Epoch:
    """Seconds from the epoch to the zero of the node's own clock. They stay the same until somebody sets the clock."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._epoch = 0.0

    def __call__(self, now: float) -> float:
        found = self._wall() - now
        if abs(found - self._epoch) > CLOCK_SET:
            self._epoch = found
        return self._epoch


def carp_report(node: Node, journal: Journal, now: float, epoch: float) -> CarpReport:
    """Return the state of `node` at `now` (its own clock, whose zero is at `epoch`), with times as seconds since the
    epoch."""
    return CarpReport(
        vhids=tuple(_vhid(machine, node.settings.enabled, journal) for machine in node.machines.values()),
        demotion=node.reasons(),
        allowed=node.settings.enabled,
        transitions=tuple(_transition(entry) for entry in journal.entries()),
        counters=dict(node.ledger.counters),
        problems=node.problems(now),
        detector=_detector(node.peer, now, epoch) if node.peer else None,
        waived=node.demotion.waived(),
    )


def _transition(entry: Entry) -> TransitionReport:
    report = entry.report
    steps = tuple(StepReport(name, round(seconds * 1e3, 3)) for name, seconds in entry.steps)
    return TransitionReport(
        entry.at, report.interface, report.vhid, str(report.before), str(report.after), report.reason, steps
    )


def _detector(peer: Peer, now: float, epoch: float) -> DetectorReport:
    rhythm = peer.detector.rhythm
    witnesses = {s.interface: tuple(s.witnesses(now)) for s in peer.segments.values() if s.up}
    return DetectorReport(
        phase=peer.phase,
        peer=peer.partner.address,
        heartbeat_ms=rhythm.interval * 1e3,
        patience_ms=rhythm.patience * 1e3,
        round_trip_ms=rhythm.round_trip * 1e3,
        answers_on=tuple(s.interface for s in peer.segments.values() if s.up and s.expects_answer(now)),
        witnesses=witnesses,
        findings=tuple(FindingReport(epoch + one.at, one.dead, one.text) for one in peer.findings),
    )


def _vhid(machine: Machine, enabled: bool, journal: Journal) -> VhidReport:
    config = machine.config
    return VhidReport(
        interface=config.interface,
        device=config.device,
        vhid=config.vhid,
        addresses=config.addresses,
        state="DISABLED" if machine.state is State.INIT and not enabled else str(machine.state),
        advbase=config.advbase,
        advskew=config.advskew,
        effective_skew=machine.effective_skew,
        since=journal.since(config.interface, config.vhid),
        reason=machine.reason,
        master=machine.master,
    )
