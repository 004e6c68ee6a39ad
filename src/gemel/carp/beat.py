"""The heartbeat between two paired nodes: UDP datagrams over SYNC, authenticated, worthless when replayed.

    0  "GMB1"        12  heard session (8)   28  sent, us (8)     44  held, us (4)     50  body, JSON, may be empty
    4  session (8)   20  counter (8)         36  echoed, us (8)   48  interval, ms (2)  -16  HMAC-SHA256, cut to 16

*session* is random for each start of a process, *counter* grows by one within it. A beat is good if it names this
node's own session as the one that its sender has heard: so a recording is good for nothing after a restart of either
end, and within a session the counter forbids it. *echoed* is the `sent` of the last good beat from the other end, and
*held* how long ago that one came: now - echoed - held is the round trip, and the two clocks are never compared.

The body tells what changes seldom (`Told`): with the first beats, after a change, and twice a second.
"""

import hmac
import json
import math
import struct
from dataclasses import dataclass
from typing import Final

MAGIC = b"GMB1"
TAG = 16  # bytes of the HMAC that are sent
LONGEST = 48 << 10  # bytes: 255 VHIDs on ten interfaces
TELL_EVERY = 25  # beats
FORGOTTEN_AFTER = 0.2  # seconds of silence after which another session of the peer is answered
NOT_HEARD = "heartbeat of one who does not hear ours"
_HEAD = struct.Struct("!4s8s8sQQQIH")
_NOBODY = bytes(8)
_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Port:
    """One of the sender's CARP ports that has carrier: the interface's id, its MAC, its own addresses."""

    interface: str
    mac: bytes
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What the sender tells of itself: for each interface id and VHID its state, and the mark of its seal."""

    ports: tuple[Port, ...] = ()
    roles: tuple[tuple[str, int, str], ...] = ()
    marks: tuple[tuple[str, int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Good:
    """A beat that counts. `round_trip` in seconds, if it could be measured; `interval` until the next one, in
    seconds; `told` if it had something to tell."""

    round_trip: float | None
    interval: float
    told: Told | None


class Talk:
    """Both directions of the heartbeat. `key` is shared by the pair; `session`: 8 random bytes, new at each start."""

    def __init__(self, key: bytes, session: bytes) -> None:
        self._key, self._session = key, session
        self._counter = 0
        self._told, self._body = Told(), _encode(Told())
        self._tell = 3  # beats in a row that carry the body
        self._theirs = self._answering = _NOBODY
        self._their_counter = 0
        self._former: set[bytes] = set()  # one for each restart of the peer
        self._echo, self._echo_came = 0, -math.inf
        self._last_body = b""

    def make(self, told: Told, interval: float, now: float) -> bytes:
        """The next beat; `interval` (seconds) is when the one after it will come."""
        if told is not self._told:
            self._told, self._body, self._tell = told, _encode(told), 3
        elif self._counter % TELL_EVERY == 0:
            self._tell = max(self._tell, 1)
        with_body, self._tell = self._tell > 0, max(0, self._tell - 1)
        self._counter += 1
        held = min(int((now - self._echo_came) * _US), 0xFFFF_FFFF) if self._echo else 0
        head = _HEAD.pack(
            MAGIC, self._session, self._answering, self._counter, int(now * _US), self._echo, held, int(interval * 1000)
        )
        message = head + (self._body if with_body else b"")
        return message + self._tag(message)

    def take(self, payload: bytes, now: float) -> Good | str:
        """Judge a beat; a text says why it does not count."""
        if not _HEAD.size + TAG <= len(payload) <= LONGEST or payload[:4] != MAGIC:
            return "heartbeat malformed"
        if not hmac.compare_digest(self._tag(payload[:-TAG]), payload[-TAG:]):
            return "heartbeat not authentic"
        _, session, heard, counter, sent, echoed, held, interval = _HEAD.unpack_from(payload)
        if session == self._session:
            return "heartbeat came back"
        if session in self._former or (session == self._theirs and counter <= self._their_counter):
            return "heartbeat replayed"
        if heard != self._session:
            # Not to be believed, it may be a recording: but it is answered, and who is alive can name our session then.
            if now - self._echo_came > FORGOTTEN_AFTER:
                self._answering, self._echo = session, 0
            return NOT_HEARD
        if session != self._theirs:
            self._former.add(self._theirs)
            self._theirs, self._last_body = session, b""
        self._their_counter = counter
        self._answering, self._echo, self._echo_came = session, sent, now
        round_trip = max(0.0, now - (echoed + held) / _US) if echoed else None
        return Good(round_trip, max(interval, 1) / 1000, self._read(payload[_HEAD.size : -TAG]))

    def _tag(self, message: bytes) -> bytes:
        return hmac.digest(self._key, message, "sha256")[:TAG]

    def _read(self, body: bytes) -> Told | None:
        if not body or body == self._last_body:
            return None
        self._last_body = body
        try:
            return _decode(body)
        except (ValueError, KeyError, TypeError):  # of another version of this program
            return None


def _encode(told: Told) -> bytes:
    roles: dict[str, str] = {}
    for interface, vhid, state in told.roles:
        roles[interface] = f"{roles.get(interface, '')} {vhid}{state[0]}"
    ports = [[port.interface, port.mac.hex(), *port.addresses] for port in told.ports]
    marks: dict[str, str] = {}
    for interface, vhid, mark in told.marks:
        marks[interface] = f"{marks.get(interface, '')} {vhid}={mark}"
    return json.dumps({"ports": ports, "roles": roles, "marks": marks}, separators=(",", ":")).encode()


def _decode(body: bytes) -> Told:
    """What a sender that has the key has written.

    Raises:
        ValueError, KeyError, TypeError: it is not what we would have written.
    """
    said = json.loads(body)
    ports = tuple(Port(interface, bytes.fromhex(mac), tuple(rest)) for interface, mac, *rest in said["ports"])
    states = {"M": "MASTER", "B": "BACKUP", "I": "INIT"}
    roles = tuple(
        (interface, int(word[:-1]), states.get(word[-1], "INIT"))
        for interface, words in said["roles"].items()
        for word in words.split()
    )
    marks = tuple(
        (interface, int(vhid), mark)
        for interface, words in said.get("marks", {}).items()
        for vhid, _, mark in (word.partition("=") for word in words.split())
    )
    return Told(ports, roles, marks)
