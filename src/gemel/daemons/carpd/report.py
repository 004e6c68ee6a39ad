"""What carpd says about itself, made from its protocol core."""

from gemel.carp.events import State
from gemel.carp.machine import Machine
from gemel.carp.node import Node
from gemel.carp.peer import Peer
from gemel.control.carpd import CarpReport, DetectorReport, FindingReport, TransitionReport, VhidReport


def carp_report(node: Node, now: float, wall: float) -> CarpReport:
    """Return the state of `node` at `now` (its own clock), with times as seconds since the epoch: `wall` is now,
    too.
    """
    epoch = wall - now
    transitions = tuple(
        TransitionReport(
            epoch + one.at,
            one.report.interface,
            one.report.vhid,
            str(one.report.before),
            str(one.report.after),
            one.report.reason,
        )
        for one in node.ledger.transitions
    )
    reasons = node.reasons()
    return CarpReport(
        vhids=tuple(_vhid(machine, node.settings.enabled, epoch) for machine in node.machines.values()),
        demotion=reasons,
        allowed=node.settings.enabled,
        transitions=transitions,
        counters=dict(node.ledger.counters),
        problems=node.problems(now),
        detector=_detector(node.peer, now, epoch) if node.peer else None,
        waived=node.demotion.waived(),
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


def _vhid(machine: Machine, enabled: bool, epoch: float) -> VhidReport:
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
        since=epoch + machine.since,
        reason=machine.reason,
        master=machine.master,
    )
