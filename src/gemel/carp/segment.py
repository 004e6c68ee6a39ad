"""What this node knows of one CARP segment by ARP: does the peer answer there, and who else does?

Where the port has no IPv4 address, neighbour discovery stands for ARP. Probes are ARP requests to the peer's own
address and to *witnesses*: the gateway, and neighbours whose ARP was heard lately. An answer of the peer counts only
from the MAC that it told over the heartbeat. Every `REFRESH` seconds both are asked once, so that it is known before a
suspicion who would answer.
"""

from collections import deque
from ipaddress import IPv6Address, ip_address
from typing import Final

from gemel.carp.events import Send
from gemel.carp.neighbour import request, spoken

NEVER: Final = float("inf")
REFRESH = 10.0  # seconds between two looks when all is well
USUAL = 35.0  # seconds after its last answer that somebody is expected to answer again: three looks in a row failed
TAKEN = 16  # answers of which it is remembered how long they took
MOST_NEIGHBOURS = 32
MOST_WITNESSES = 3  # neighbours that are asked, besides the gateway
LATELY = 600.0  # seconds after which a neighbour that was only overheard is forgotten

_NOBODY = bytes(6)
_VIRTUAL = bytes.fromhex("00005e0001")


class Voice:
    """Somebody on the segment: when was it asked, when did it answer, when was it heard at all."""

    __slots__ = ("answered_at", "asked_at", "heard_at", "mac")

    def __init__(self, mac: bytes | None = None, heard_at: float = -NEVER) -> None:
        self.mac = mac
        self.heard_at = heard_at
        self.asked_at = self.answered_at = -NEVER


class Segment:
    """One interface. `own`: this node's address there; `gateways`: witnesses of that family from the configuration."""

    def __init__(self, interface: str, device: str, own: str, gateways: tuple[str, ...]) -> None:
        self.interface, self.device, self.own = interface, device, own
        self.up, self.mac = False, _NOBODY
        self.addresses: tuple[str, ...] = (own,)
        """All own addresses, for the peer."""
        self.peer: Voice | None = None
        self.peer_address = b""
        self._took = deque[float](maxlen=TAKEN)
        self._own = ip_address(own).packed
        self._gateways = {ip_address(gateway).packed: Voice(None) for gateway in gateways}
        self._neighbours: dict[bytes, Voice] = {}

    @property
    def round_trip(self) -> float:
        """Seconds that slow answers took lately. The slowest two do not count: one moment in which this node or the
        peer was held up would delay each verdict of the next minutes."""
        slowest = sorted(self._took, reverse=True)
        return slowest[min(2, len(slowest) - 1)] if slowest else 0.0

    def link(self, up: bool, mac: bytes) -> None:
        """The port got or lost its carrier; `mac` is its own."""
        self.up, self.mac = up, mac or self.mac

    def can_probe(self, address: str) -> bool:
        """Whether this is an address that the peer's kernel answers for when asked from here."""
        if ":" not in address:
            return len(self._own) == 4
        return len(self._own) == 16 and not IPv6Address(address).is_link_local

    def meet(self, address: str, mac: bytes) -> bool:
        """The peer's own address and MAC here, as it told over the heartbeat; whether that is news."""
        packed = ip_address(address).packed
        if self.peer is not None and self.peer.mac == mac and self.peer_address == packed:
            return False
        self.peer, self.peer_address = Voice(mac), packed
        self._neighbours = {a: v for a, v in self._neighbours.items() if a != packed and v.mac != mac}
        return True

    def lose(self) -> None:
        """The peer has no port here, or none with carrier."""
        self.peer = None

    def expects_answer(self, now: float) -> bool:
        """Whether the peer answered here lately."""
        return self.peer is not None and now - self.peer.answered_at < USUAL

    def answers(self, now: float) -> bool:
        """Whether the peer answered the last time that it was asked; an answer may take half a second."""
        return self.expects_answer(now) and self.peer is not None and self.peer.answered_at >= self.peer.asked_at

    def witness_since(self, then: float) -> str | None:
        """The address of somebody other than the peer who answered after `then`."""
        for address, voice in (*self._gateways.items(), *self._neighbours.items()):
            if voice.answered_at >= then:
                return str(ip_address(address))
        return None

    def witnesses(self, now: float) -> list[str]:
        """Who besides the peer is expected to answer."""
        voices = (*self._gateways.items(), *self._neighbours.items())
        return [str(ip_address(address)) for address, voice in voices if now - voice.answered_at < USUAL]

    def probes(self, now: float) -> list[Send]:
        """One request to the peer and one to each witness."""
        asked = list(self._gateways.items())
        lately = [(a, v) for a, v in self._neighbours.items() if now - v.heard_at < LATELY]
        lately.sort(key=lambda one: _worth(one[1], now), reverse=True)
        asked += lately[:MOST_WITNESSES]
        if self.peer is not None:
            asked.insert(0, (self.peer_address, self.peer))
        return [self._ask(address, voice, now) for address, voice in asked]

    def hear(self, frame: bytes, now: float) -> None:
        """An ARP frame arrived here: an answer, or something overheard."""
        said = spoken(frame)
        if said is None or len(said.address) != len(self._own):
            return
        address, mac = said.address, said.mac
        if frame[6:12] != mac or mac == self.mac or mac[:5] == _VIRTUAL:
            return
        answers = said.answers and said.to == self._own
        if self.peer is not None and self.peer_address == address and answers and mac == self.peer.mac:
            self._answered(self.peer, now)
        if self.peer is not None and (self.peer_address == address or mac == self.peer.mac):
            return  # no witness of its own death, under whatever address
        voice = self._gateways.get(address)
        if voice is None:
            voice = self._neighbour(address, now)
        if voice is None:
            return
        voice.heard_at, voice.mac = now, mac
        if answers:
            self._answered(voice, now)

    def _answered(self, voice: Voice, now: float) -> None:
        if voice.asked_at <= voice.answered_at:
            return  # nobody asked since
        self._took.append(min(now - voice.asked_at, 0.5))
        voice.answered_at = now

    def _neighbour(self, address: bytes, now: float) -> Voice | None:
        if address == self._own or not any(address):
            return None
        if address not in self._neighbours:
            if len(self._neighbours) >= MOST_NEIGHBOURS:
                del self._neighbours[min(self._neighbours, key=lambda a: _worth(self._neighbours[a], now))]
            self._neighbours[address] = Voice()
        return self._neighbours[address]

    def _ask(self, address: bytes, voice: Voice, now: float) -> Send:
        voice.asked_at = now
        return Send(self.device, request(address, self._own, self.mac, voice.mac))


def _worth(voice: Voice, now: float) -> tuple[bool, float]:
    """One who answers is worth more than one who is only heard: a scan of the network speaks in many names."""
    return now - voice.answered_at < USUAL, voice.heard_at
