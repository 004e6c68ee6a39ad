"""What carpd says about itself, made from its protocol core."""

from gemel.carp.events import State
from gemel.carp.machine import Machine
from gemel.carp.node import Node
from gemel.control.carpd import CarpReport, TransitionReport, VhidReport


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
        problems=node.ledger.problems(now),
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
