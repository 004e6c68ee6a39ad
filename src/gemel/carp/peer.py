"""The other node, as far as this one knows it: the heartbeat, the detector, and who says that it is master of what.

Over the heartbeat each node tells its ports, with MAC and own addresses, and its roles. From the ports follows whom to
probe before the peer is called dead; from the roles follows whether both are master of the same VHID, which neither
can see on a segment that is cut.
"""

from dataclasses import dataclass
from typing import Final

from gemel.carp import beat
from gemel.carp.detector import LATE, Detector, Evidence, Phase, Probed, in_words
from gemel.carp.events import Action, SendBeat, State
from gemel.carp.segment import REFRESH, Segment
from gemel.carp.settings import Partner, Vhid

HELD_UP: Final = 1.0  # seconds; a loop that was later than this has learnt nothing for so long that it begins anew
MISSED_AFTER = 3.0  # seconds without a heartbeat after which it is a problem
SPLIT_AFTER = 1.0  # seconds that two masters are taken for a hand-over
AWAY = 1.0  # seconds without a heartbeat after which the peer may have been away
FIRST_LOOKS, NEW_FOR = 0.5, 30.0  # seconds between two looks at a peer that has just come, until it answers
SLOWEST_BEAT = 0.25  # seconds; on a slow SYNC beats are sent more seldom, at most so

VhidKey = tuple[str, int]
"""Interface id and VHID."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the detector found out and when (monotonic seconds)."""

    at: float
    dead: bool
    text: str


class Peer:
    """One pair's other half. `session`: 8 random bytes, new each time one of these is made."""

    def __init__(self, partner: Partner, vhids: tuple[Vhid, ...], session: bytes, now: float) -> None:
        self.partner = partner
        self.ports = self.ports_of(vhids)
        self.detector = Detector(partner.interval_ms / 1000, partner.misses)
        self.segments: dict[str, Segment] = {}
        for one in vhids:
            own = one.source or one.source6
            if one.device not in self.segments and own:
                there = (g for g in partner.gateways.get(one.interface, ()) if (":" in g) == (":" in own))
                self.segments[one.device] = Segment(one.interface, one.device, own, tuple(there))
        self.findings: list[Finding] = []
        self.verdict: str | None = None
        """Why the peer is dead, if it is."""
        self.refusals: dict[str, float] = {}
        """Why heartbeats did not count, and when that was last so."""
        self.roles: dict[VhidKey, str] = {}
        """The peer's, as it told them last."""
        self.addresses: dict[str, tuple[str, ...]] = {}
        """The peer's own addresses by interface, also where it has lost its carrier."""
        self._talk = beat.Talk(bytes.fromhex(partner.key), session)
        self.marks: dict[VhidKey, str] = {}
        """Which seals the peer has, as it told last; a new dictionary each time."""
        self._own: dict[VhidKey, State] = {}
        self._marks: dict[VhidKey, str] = {}
        self._told = beat.Told()
        self._split: dict[VhidKey, float] = {}
        self._healed: list[VhidKey] = []
        self._resigned: list[VhidKey] = []
        self._began = now
        self._send_at, self._refresh_at, self._back_at = now, now + 1.0, now
        self._due = now

    @staticmethod
    def ports_of(vhids: tuple[Vhid, ...]) -> set[tuple[str, str, str]]:
        """Where the two nodes see each other: interface, device and own address there."""
        return {(one.interface, one.device, one.source or one.source6) for one in vhids}

    # -------------------------------------------------------------------------------------------------------- events

    def deadline(self) -> float:
        """When `pass_time` is due."""
        return self._due

    def link(self, device: str, up: bool, mac: bytes, addresses: tuple[str, ...]) -> None:
        """A port changed; `addresses` are its own, for the peer."""
        segment = self.segments.get(device)
        if segment is not None:
            segment.link(up, mac)
            segment.addresses = addresses
            self._tell()

    def own_roles(self, roles: dict[VhidKey, State], marks: dict[VhidKey, str], now: float) -> None:
        """This node's roles or seals changed."""
        self._own, self._marks = roles, marks
        self._tell()
        self._send_at = now
        self._arm()
        self._compare(now)

    def hear(self, payload: bytes, now: float) -> str:
        """A heartbeat arrived; returns why it does not count, or nothing."""
        judged = self._talk.take(payload, now)
        if isinstance(judged, str):
            self.refusals[judged] = now
            return judged
        if self.verdict is not None:
            self._find(now, False, "the peer's heartbeat is back")
            self.verdict = None
        if now - self.detector.last_beat > AWAY:
            self._look_soon(now)
        if is_late := now - self._due > LATE:
            self.detector.excuse(now)  # the beat has waited for this node, nobody knows how long
        self.detector.beat(judged.interval, None if is_late else judged.round_trip, now)
        if judged.told is not None:
            self._learn(judged.told, now)
        self._arm()
        return ""

    def hear_arp(self, device: str, frame: bytes, now: float) -> None:
        """ARP arrived on a port."""
        segment = self.segments.get(device)
        if segment is not None:
            segment.hear(frame, now)
            if segment.peer is not None and segment.peer.answered_at == now:
                self.detector.answer(segment.interface, now)
                self._arm()

    def disarm(self, now: float) -> None:
        """This node was held up."""
        if self.verdict is None:
            self.detector.disarm(now)

    def pass_time(self, now: float) -> list[Action]:
        """Do what is due: send a beat, look around, suspect, judge. A death shows in `verdict`."""
        late = now - self._due
        if late > HELD_UP:
            self.disarm(now)
        elif late > LATE:
            self.detector.excuse(now)
        actions: list[Action] = []
        if now >= self._send_at:
            interval = self._interval()
            self._send_at = max(self._send_at + interval, now + interval / 2)
            actions.append(SendBeat(self._talk.make(self._told, interval, now)))
        if now >= self.detector.deadline():
            actions += self._suspect(now, late <= LATE)
        if now >= self._refresh_at:
            self._refresh_at = now + self._until_next_look(now)
            actions += self._probe(now)
        self._compare(now)
        self._arm()
        return actions

    # ------------------------------------------------------------------------------------------------------ detection

    def _suspect(self, now: float, on_time: bool) -> list[Action]:
        if not self.partner.fast:
            self.detector.disarm(now)
            return []
        evidence = self._evidence(now, on_time)
        if self.detector.judge(evidence, now):
            self.verdict = in_words(evidence)
            self._find(now, True, self.verdict)
            return []
        if self.detector.undecided:
            if not self.findings or self.findings[-1].text != self.detector.undecided:
                self._find(now, False, self.detector.undecided)
            return []
        slowest = max((s.round_trip for s in self.segments.values() if s.up), default=0.0)
        return self._probe(now) if self.detector.wants_probes(now, slowest) else []

    def _evidence(self, now: float, on_time: bool) -> Evidence:
        detector = self.detector
        probed = tuple(
            Probed(s.interface, detector.rounds, s.expects_answer(now), s.witness_since(detector.probed_at))
            for s in self.segments.values()
            if s.up and s.peer is not None
        )
        silence = now - detector.last_beat
        return Evidence(detector.is_steady, silence, detector.patience, probed, on_time)

    def _probe(self, now: float) -> list[Action]:
        return [probe for segment in self.segments.values() if segment.up for probe in segment.probes(now)]

    def _look_soon(self, now: float) -> None:
        """The peer is there again, or elsewhere. A node that boots beats before it has its addresses, and until it has
        answered on each segment its silence there means nothing: another power cut would be left to CARP's timer."""
        self._refresh_at = self._back_at = now

    def _until_next_look(self, now: float) -> float:
        here = (s.peer for s in self.segments.values() if s.up and s.peer is not None)
        is_new = now - self._back_at < NEW_FOR and any(voice.answered_at < self._back_at for voice in here)
        return FIRST_LOOKS if is_new else REFRESH

    def _find(self, now: float, dead: bool, text: str) -> None:
        self.findings = [*self.findings[-19:], Finding(now, dead, text)]

    def _interval(self) -> float:
        """Beats must not be what makes a slow SYNC slow."""
        rhythm = self.detector.rhythm
        own = self.partner.interval_ms / 1000
        return max(own, min(SLOWEST_BEAT, rhythm.round_trip / 4)) if rhythm.round_trip > 4 * own else own

    def _arm(self) -> None:
        self._due = min(self._send_at, self.detector.deadline(), self._refresh_at)

    # ---------------------------------------------------------------------------------------------------------- roles

    def _tell(self) -> None:
        there = (s for s in self.segments.values() if s.up and any(s.mac))
        ports = tuple(beat.Port(s.interface, s.mac, s.addresses) for s in there)
        roles = tuple((interface, vhid, str(state)) for (interface, vhid), state in self._own.items())
        marks = tuple((interface, vhid, mark) for (interface, vhid), mark in self._marks.items())
        if (told := beat.Told(ports, roles, marks)) != self._told:
            self._told = told

    def _learn(self, told: beat.Told, now: float) -> None:
        ports = {port.interface: port for port in told.ports}
        self.addresses |= {port.interface: port.addresses for port in told.ports}
        for segment in self.segments.values():
            port = ports.get(segment.interface)
            address = next(filter(segment.can_probe, port.addresses), None) if port else None
            if port is None or address is None:
                segment.lose()
            elif segment.meet(address, port.mac):
                self._look_soon(now)
        self.marks = {(interface, vhid): mark for interface, vhid, mark in told.marks}
        before, self.roles = self.roles, {(interface, vhid): state for interface, vhid, state in told.roles}
        self._resigned += [
            key for key, state in before.items()
            if state == State.MASTER and self.roles.get(key, State.INIT) != State.MASTER
        ]
        self._compare(now)

    def _compare(self, now: float) -> None:
        """Keep up which VHIDs have two masters, and which no longer do."""
        if not self._split and not self.roles:
            return
        both = {
            key for key, state in self.roles.items()
            if state == State.MASTER and self._own.get(key) is State.MASTER
        } if self.verdict is None else set()
        for key in both - self._split.keys():
            self._split[key] = now
            self._refresh_at = now  # whether the peer answers on that segment tells the cause
        for key in self._split.keys() - both:
            del self._split[key]
            if self._own.get(key) is State.MASTER:
                self._healed.append(key)

    def take_healed(self) -> list[VhidKey]:
        """VHIDs of which this node is the only master again, since this was last asked."""
        healed, self._healed = self._healed, []
        return healed

    def take_resigned(self) -> list[VhidKey]:
        """VHIDs of which the peer no longer is master, since this was last asked. Without this, one whose port lost
        its carrier could say so nowhere where its successor would hear it."""
        resigned, self._resigned = self._resigned, []
        return resigned

    def split(self, now: float) -> list[tuple[VhidKey, bool]]:
        """VHIDs with two masters for longer than a hand-over takes; and whether the peer answers ARP on that
        segment."""
        return [
            (key, any(s.interface == key[0] and s.answers(now) for s in self.segments.values()))
            for key, since in self._split.items()
            if now - since >= SPLIT_AFTER
        ]

    # --------------------------------------------------------------------------------------------------------- status

    def problem(self, now: float) -> str:
        """What is wrong with the heartbeat, in words; empty if nothing."""
        if self.verdict is not None:
            return f"{self.partner.address} is gone: {self.verdict}"
        silence = now - max(self.detector.last_beat, self._began)
        if silence < MISSED_AFTER:
            return ""
        recently = {why for why, at in self.refusals.items() if now - at < 1.0}
        whose = f"no heartbeat with the peer {self.partner.address} for {silence:.0f} s"
        cure = "CARP's own timers still decide"
        if beat.NOT_HEARD in recently:
            return f"{whose}: it does not hear this node's. Does a rule there pass protocol pfsync? Until then {cure}"
        if recently:
            return f"{whose}: {', '.join(sorted(recently))}. Until that is mended {cure}"
        return f"{whose}: it is off, SYNC is cut, or no rule here passes protocol pfsync from it. Until then {cure}"

    @property
    def phase(self) -> str:
        """The detector's, in a word."""
        return str(self.detector.phase) if self.partner.fast else "off"

    @property
    def is_armed(self) -> bool:
        """Whether a death would be noticed."""
        return self.partner.fast and self.detector.phase in (Phase.ARMED, Phase.SUSPECTING)
