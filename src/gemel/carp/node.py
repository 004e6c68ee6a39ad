"""All VHIDs of one machine, and what moves them together.

Each VHID elects for itself; the node gives them one demotion, the sum of all named reasons to stand back
(`demotion`). A port without link is such a reason, so with preempt one dead port moves the whole group to the peer.

A planned hand-over (somebody demotes this node, disables CARP, or stops the daemon) costs no packet: first `Flush`,
so that the peer has every state; then the demoted advert, or the bow-out. From then on nothing leaves here from the
virtual MAC. The peer takes over and says so; this node hears it, yields, and lingers. What was not planned is applied
at once.

A node that has just started needs no rule of its own to be silent until it has heard the peer or one master-down time
has passed: it starts as backup, and that is what a backup does.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from gemel.carp.demotion import Demotion
from gemel.carp.events import (
    Action,
    AwaitStates,
    BeatHeard,
    Demoted,
    Event,
    Flush,
    Forced,
    HandOverReady,
    HealthTold,
    Heard,
    LinkChanged,
    NeighbourHeard,
    PortMoved,
    Promoted,
    Quit,
    Release,
    Renew,
    Report,
    SendFailed,
    Sent,
    SettingsChanged,
    Started,
    State,
    Stopped,
    TellRole,
    TimePassed,
    Waived,
)
from gemel.carp.hearing import Hearing
from gemel.carp.ledger import Ledger
from gemel.carp.machine import NEVER, TOGETHER, Machine
from gemel.carp.pair import Pair
from gemel.carp.peer import Peer
from gemel.carp.port import Port
from gemel.carp.reasons import Reasons
from gemel.carp.responder import Responder
from gemel.carp.settings import Settings
from gemel.carp.table import Happening

LATE = 1.0  # seconds; a loop that is later than this has lost its addresses and its claim
FLUSH_WITHIN = 0.2  # seconds that the peer has to confirm the states
_USUAL = (Heard, BeatHeard, NeighbourHeard, HealthTold)


class Node:
    """The protocol of one machine. `nonce`: 64 random bits, new at each start."""

    def __init__(self, settings: Settings, now: float, nonce: int) -> None:
        self.settings = settings
        self.ledger = Ledger()
        self.machines: dict[tuple[str, int], Machine] = {}
        self._nonce = nonce
        self._pair = Pair(self.machines, self.ledger)
        self._ports: defaultdict[str, Port] = defaultdict(Port)
        self._responder = Responder(self.machines, self._ports)
        self._hearing = Hearing(self.machines, self.ledger, self._pair)
        self.demotion = Demotion()
        self._reasons = Reasons(self.demotion, self.ledger)
        self._amount = 0
        self._stopping = False
        self._role: bool | None = None
        self._flush_until = self._renew_at = NEVER
        self._due = NEVER
        self._handlers: dict[type, Callable[[Any, float], list[Action]]] = {
            Started: self._started,
            Heard: self._heard,
            LinkChanged: self._link_changed,
            PortMoved: self._port_moved,
            Sent: self._sent,
            SendFailed: self._send_failed,
            SettingsChanged: self._settings_changed,
            Demoted: self._demoted,
            Promoted: self._promoted,
            HealthTold: self._health_told,
            Waived: self._waived,
            Forced: self._forced,
            HandOverReady: self._hand_over_ready,
            Stopped: self._stopped,
            BeatHeard: self._pair.hear,
            NeighbourHeard: self._neighbour_heard,
            TimePassed: self._time_passed,
        }

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take in what happened and return what to do about it, in order."""
        if type(event) is Sent and not self._ports[event.device].errors:
            return []
        actions = self._held_up(now) if now - self._due > LATE else []
        if type(event) is TimePassed and now >= self._pair.deadline():
            died, others = self._pair.pass_time(now)
            actions += died + others + (self._conclude(now) if died else [])
            if now < self._due:
                return self._recorded(actions, now)
        actions += self._handlers[type(event)](event, now)
        if not actions and type(event) in _USUAL:
            return actions  # nearly every event of a backup: only that VHID's deadline can have moved, see `_heard`
        return self._recorded(actions, now) + self._conclude(now)

    @property
    def peer(self) -> Peer | None:
        """The other node of the pair, if there is one."""
        return self._pair.peer

    def deadline(self) -> float:
        """When `TimePassed` is due; infinity if never."""
        return min(self._due, self._pair.deadline())

    def problems(self, now: float) -> tuple[str, ...]:
        """Everything that is wrong now, in words."""
        return (*self.ledger.problems(now), *self._pair.problems(now))

    def reasons(self) -> dict[str, int]:
        """Every reason to stand back that counts now, and its weight."""
        return self.demotion.reasons()

    # ------------------------------------------------------------------------------------------------------ events

    def _started(self, event: Started, now: float) -> list[Action]:
        # An earlier life may have left addresses behind; the peer may have them by now.
        actions = self._await_states(now) + self._arrange(now)
        return actions + self._settle(now)

    def _heard(self, event: Heard, now: float) -> list[Action]:
        actions: list[Action] = []
        device, hearing, due = event.device, self._hearing, self._due
        for packet in event.packets:
            at = hearing.take_again(device, packet, now)
            if at is None:
                found = hearing.take(device, packet, now)
                if found is None:
                    continue
                machine, received = found
                actions += machine.hear(received, now)
                hearing.remember(device, packet, machine, received)
                at = machine.deadline()
            # One that moved to later is found out when the old one comes: cheaper than to ask all VHIDs each time.
            if at < due:
                due = at
        self._due = due
        return actions

    def _link_changed(self, event: LinkChanged, now: float) -> list[Action]:
        port = self._ports[event.device]
        if event.up and port.up is False:
            self._reasons.hold_down(self.settings, now)
        port.up, port.mac = event.up, event.mac or port.mac
        for (device, _), machine in self.machines.items():
            if device == event.device:
                machine.speech.attach(port.mac)
        self._pair.link(event.device, port)
        return self._settle(now)

    def _port_moved(self, event: PortMoved, now: float) -> list[Action]:
        """The kernel tells switches of the port's own MAC; of the virtual ones it does not know."""
        actions: list[Action] = []
        for (device, _), machine in self.machines.items():
            if device == event.device:
                actions += machine.happen(Happening.PORT_MOVED, now)
        return actions

    def _neighbour_heard(self, event: NeighbourHeard, now: float) -> list[Action]:
        answers = self._responder.hear(event.device, event.frame, now)
        self._pair.overhear(event, now)
        return [*answers]

    def _sent(self, event: Sent, now: float) -> list[Action]:
        return self._settle(now) if self._ports[event.device].sent() else []

    def _send_failed(self, event: SendFailed, now: float) -> list[Action]:
        self.ledger.counters["send errors"] += 1
        return self._settle(now) if self._ports[event.device].failed() else []

    def _settings_changed(self, event: SettingsChanged, now: float) -> list[Action]:
        self.settings = event.settings
        self.ledger.forget_problems()
        return self._await_states(now) + self._arrange(now) + self._settle(now, planned=True)

    def _demoted(self, event: Demoted, now: float) -> list[Action]:
        self.demotion.add(event.reason, event.amount)
        return self._settle(now, planned=True)

    def _promoted(self, event: Promoted, now: float) -> list[Action]:
        self.demotion.remove(event.reason)
        return self._settle(now)

    def _health_told(self, event: HealthTold, now: float) -> list[Action]:
        news = self.demotion.tell_health(event.reasons)
        if event.ready and self._reasons.ready():
            news = True
        return self._settle(now, planned=True) if news else []

    def _waived(self, event: Waived, now: float) -> list[Action]:
        self.demotion.waive(event.reason)
        return self._settle(now)

    def _forced(self, event: Forced, now: float) -> list[Action]:
        machine = self.machines.get((event.device, event.vhid))
        if machine is None:
            return []
        to_master = event.state is State.MASTER
        return machine.happen(Happening.FORCED_MASTER if to_master else Happening.FORCED_BACKUP, now)

    def _hand_over_ready(self, event: HandOverReady, now: float) -> list[Action]:
        return self._settle(now) if self._flush_until != NEVER else []

    def _stopped(self, event: Stopped, now: float) -> list[Action]:
        self._stopping = True
        return self._settle(now, planned=True)

    def _time_passed(self, event: TimePassed, now: float) -> list[Action]:
        actions: list[Action] = []
        if self._reasons.pass_time(now):
            actions += self._settle(now)
        if now >= self._flush_until:
            actions += self._settle(now)
        soon = now + TOGETHER
        for machine in self.machines.values():
            if soon >= machine.deadline():
                actions += machine.pass_time(now)
        if now >= self._renew_at:
            self._renew_at = NEVER
            actions.append(Renew())
        return actions

    # ----------------------------------------------------------------------------------------------------- together

    def _recorded(self, actions: list[Action], now: float) -> list[Action]:
        """Let the peer know of the role changes among these actions."""
        self._pair.tell_roles(any(isinstance(action, Report) for action in actions), now)
        return actions

    def _held_up(self, now: float) -> list[Action]:
        """The loop comes back late: whatever this node was, it is backup now, before it does anything else."""
        why = f"this node was held up for {now - self._due:.1f} s"
        self.ledger.counters["late loop"] += 1
        self._reasons.held_up(now)
        self._renew_at = NEVER
        self._pair.disarm(now)
        actions: list[Action] = []
        for machine in self.machines.values():
            actions += machine.happen(Happening.WOKE_LATE, now, why)
        return actions + self._settle(now)

    def _arrange(self, now: float) -> list[Action]:
        """Make one machine for each VHID of the settings, and end those that are not there any more."""
        actions: list[Action] = []
        wanted = {(one.device, one.vhid): one for one in self.settings.vhids}
        for key in [key for key in self.machines if key not in wanted]:
            gone = self.machines.pop(key)
            actions += gone.happen(Happening.LEAVING, now, "no longer configured")
            actions.append(Release(gone.config.device, gone.config.addresses))
        for key, config in wanted.items():
            machine = self.machines.get(key)
            if machine is None:
                self._nonce += 1 << 32
                machine = self.machines[key] = Machine(config, self._nonce, now)
                machine.demote(self._amount, now)
                machine.speech.attach(self._ports[config.device].mac)
                actions.append(Release(config.device, config.addresses))
            else:
                actions += machine.reconfigure(config, now)
            machine.preempt = self.settings.preempt
        self._hearing.arrange(self.settings)
        self._responder.arrange(self.settings.proxies)
        # An address may have moved from one VHID to another: off comes before on.
        self._nonce += 1
        session = hashlib.sha256(self._nonce.to_bytes(16, "big")).digest()[:8]
        self._pair.meet(self.settings, self._ports, session, now)
        return sorted(actions, key=lambda action: not isinstance(action, Release))

    def _await_states(self, now: float) -> list[Action]:
        """Stand back when this node gets its first VHIDs, be it at start or, at boot, with the first settings after it.

        One that has VHIDs already is not held back: it may be the only one that knows the states.
        """
        if self.machines or not self.settings.vhids:
            return []
        return [AwaitStates()] if self._reasons.begin(self.settings, now) else []

    def _settle(self, now: float, planned: bool = False) -> list[Action]:
        """Bring every machine to what settings, links and reasons say; a planned step back flushes first."""
        self._reasons.derive(self.settings, self._ports)
        demotion = self.demotion.total
        leaving = self._stopping or not self.settings.enabled
        if planned and (leaving or demotion > self._amount) and self._is_master():
            if self._flush_until != NEVER:
                return []
            self._flush_until = now + FLUSH_WITHIN
            return [Flush(FLUSH_WITHIN)]
        self._flush_until = NEVER
        self._amount = demotion
        actions: list[Action] = []
        for machine in self.machines.values():
            if leaving:
                why = "carpd stops" if self._stopping else "CARP is disabled"
                actions += machine.happen(Happening.LEAVING, now, why)
            elif self._ports[machine.config.device].up:
                actions += machine.happen(Happening.READY, now)
            else:
                actions += machine.happen(Happening.UNREADY, now)
            actions += machine.demote(demotion, now)
        return actions

    def _conclude(self, now: float) -> list[Action]:
        """What follows from the states after each event."""
        actions: list[Action] = []
        role = self._is_master() if self.machines else None
        if role is not self._role:
            self._role = role
            actions.append(TellRole(role))
        holding = [machine for machine in self.machines.values() if machine.holds]
        if not holding:
            self._renew_at = NEVER
            if self._stopping and self._flush_until == NEVER:
                actions.append(Quit())
        elif self._renew_at == NEVER:
            # Three renewals fit into a lifetime: one may be stalled by a busy kernel, as measured, and one lost.
            self._renew_at = now + min(machine.lifetime for machine in holding) * 0.35
        own = (self.demotion.deadline(), self._flush_until, self._renew_at)
        self._due = min((*own, *(machine.deadline() for machine in self.machines.values())))
        return actions

    def _is_master(self) -> bool:
        return any(machine.state is State.MASTER for machine in self.machines.values())
