"""The two nodes show each other how they are: a read-only channel, apart from pushes: neither waits for the other.

The primary calls, about every `EVERY` seconds and at once when its own roles change, over one connection that stays
open; each call tells its status and brings the peer's. So both directions take the one way that the recipe's rules
open: HTTPS to the secondary. What vouches for a call is the pinned key alone (`identity`): it is signed, within a
session, with a number that only grows. Nothing can be changed this way.
"""

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gemel.control.peer import Fault, PeerAnswer, PeerCall
from gemel.core.certificate import der
from gemel.core.codec import Malformed
from gemel.facts.peer import PeerStatus, Sight, heard
from gemel.sync.client import Conversation
from gemel.sync.gates import Refusal
from gemel.sync.identity import Signature, Stamp
from gemel.sync.messages import Told, Watch, Watching, pack, unpack
from gemel.sync.node import Known, Target
from gemel.sync.push import NotPushed
from gemel.sync.transport import Dial, HttpsTransport

EVERY = 0.8  # seconds: at least one a second, with what a call takes
RETRY = 1.0
SESSION_LASTS = 60.0
SESSIONS = 2  # the peer's, and one that it lost in a restart

log = logging.getLogger(__name__)


class Memory:
    """What the peer said last, and when, on the monotonic clock; whichever side heard it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._heard: tuple[PeerStatus, float] | None = None
        self._why = ""

    def keep(self, status: PeerStatus, at: float | None = None) -> None:
        """It spoke; `at` is the earliest moment of which it can have told, where that was long before now."""
        with self._lock:
            self._heard, self._why = (status, self._clock() if at is None else at), ""

    def now(self) -> float:
        """The moment on the clock of `keep`."""
        return self._clock()

    def missed(self, why: str) -> None:
        """It did not, for this reason."""
        with self._lock:
            self._why = why

    def forget(self) -> None:
        """There is no peer any more."""
        with self._lock:
            self._heard, self._why = None, ""

    def sight(self, silence: str) -> Sight:
        """What is known now; `silence` says why nothing is heard where nobody has said."""
        with self._lock:
            if self._heard is None:
                return Sight(None, None, self._why or silence)
            status, at = self._heard
            return Sight(status, self._clock() - at, self._why or silence)


@dataclass(slots=True)
class _Session:
    certificate: str
    used: float
    number: int = 0


class WatchServer:
    """The side that is called. `mine` gives the status to tell; it must be quick."""

    METHODS = (Watch.method, Told.method)

    def __init__(self, node: Known, memory: Memory, mine: Callable[[], dict[str, Any]]) -> None:
        self._node = node
        self._memory = memory
        self._mine = mine
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()

    def answer(self, call: PeerCall, now: float) -> PeerAnswer:
        """Carry out one call, or say why not. `now` is monotonic seconds."""
        try:
            if len(call.params) != 1:
                raise Malformed(f"{call.method} takes one parameter, a string of JSON")
            if call.method == Watch.method:
                return PeerAnswer(self._watch(call, now))
            return PeerAnswer(self._told(call, now))
        except Refusal as refusal:
            return PeerAnswer(fault=refusal.fault, text=str(refusal))
        except Malformed as error:
            return PeerAnswer(fault=Fault.BAD_PARAMETERS, text=str(error))

    def _watch(self, call: PeerCall, now: float) -> str:
        asked = unpack(Watch, call.params[0])
        pinned = self._pinned()
        try:
            theirs = der(asked.certificate)
        except ValueError:
            raise Refusal(Fault.BAD_PARAMETERS, "the certificate is no PEM certificate") from None
        if theirs != der(pinned):
            raise Refusal(Fault.OTHER_KEY, "another key is pinned on this node")
        self._signed(call, pinned, "", 0)
        key = secrets.token_urlsafe(16)
        with self._lock:
            alive = [(k, s) for k, s in self._sessions.items() if now - s.used < SESSION_LASTS]
            # Those in use stay: an opening call that is played back must not end the real session.
            self._sessions = dict(sorted(alive, key=lambda one: (one[1].number > 0, one[1].used))[-(SESSIONS - 1) :])
            self._sessions[key] = _Session(pinned, now)
        return pack(Watching(key))

    def _told(self, call: PeerCall, now: float) -> str:
        asked = unpack(Told, call.params[0])
        signature = Signature.read(call.signature)
        if signature is None:
            raise Refusal(Fault.BAD_SIGNATURE, "the call is not signed with the peer's key")
        with self._lock:
            session = self._sessions.get(signature.session)
            if session is None or now - session.used > SESSION_LASTS:
                raise Refusal(Fault.SESSION_OVER, "this session is over; begin again")
            if signature.number <= session.number:
                raise Refusal(Fault.BAD_SIGNATURE, "this call was made before")
            if session.certificate != self._pinned():
                raise Refusal(Fault.OTHER_KEY, "the peer's key has been changed on this node")
            self._signed(call, session.certificate, signature.session, signature.number)
            session.number, session.used = signature.number, now
        self._memory.keep(heard(asked.status))
        return pack(Told(self._mine()))

    def _pinned(self) -> str:
        pinned = self._node.pinned()
        if pinned is None:
            raise Refusal(Fault.NOT_PAIRED, "this node is not paired with any peer yet")
        return pinned

    def _signed(self, call: PeerCall, certificate: str, session: str, number: int) -> None:
        signature = Signature.read(call.signature)
        stamp = Stamp("", self._node.identity.fingerprint, session, number)
        if signature is None or not signature.is_by(certificate, call.method, call.params, stamp):
            raise Refusal(Fault.BAD_SIGNATURE, "the call's signature is not by the peer's key")


class Watcher:
    """The side that calls: a thread of its own, while this node has an address for its peer.

    `where` gives it (None: nothing to do), `mine` the status to tell. `heard` is called after each answer.
    """

    def __init__(
        self,
        node: Known,
        memory: Memory,
        where: Callable[[], Target | None],
        mine: Callable[[], dict[str, Any]],
        dial: Dial = HttpsTransport,
    ) -> None:
        self._node = node
        self._memory = memory
        self._where = where
        self._mine = mine
        self._dial = dial
        self._conversation: tuple[Target, Conversation] | None = None
        self._hurry = threading.Event()
        self._over = False
        self._said = ""

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="peer watch", daemon=True).start()

    def hurry(self) -> None:
        """This node's roles have changed: tell now."""
        self._hurry.set()

    def stop(self) -> None:
        """End with the call that is on its way."""
        self._over = True
        self._hurry.set()

    def _run(self) -> None:
        while not self._over:
            began = time.monotonic()
            pause = self.once()
            self._hurry.wait(max(0.05, pause - (time.monotonic() - began)))
            self._hurry.clear()

    def once(self) -> float:
        """One exchange; returns the seconds until the next is due."""
        target, pinned = self._where(), self._node.pinned()
        if pinned is None:
            self._memory.forget()
        if target is None or pinned is None:
            self._hang_up()
            return RETRY
        try:
            conversation, asked = self._through(target), self._memory.now()
            self._memory.keep(heard(conversation.tell(self._mine())), asked)
            self._said = ""
            return EVERY
        except (NotPushed, Malformed) as error:
            self._failed(str(error))
        except Exception as error:  # a mistake of ours must not blind the pages for good, and must be seen
            log.exception("the peer's status")
            self._failed(f"{type(error).__name__}: {error}")
        return RETRY

    def _failed(self, why: str) -> None:
        self._memory.missed(why)
        if why != self._said:
            log.info("nothing is heard of the peer: %s", why)
        self._said = why
        self._hang_up()

    def _through(self, target: Target) -> Conversation:
        if self._conversation is not None and self._conversation[0] != target:
            self._hang_up()
        if self._conversation is None:
            conversation = Conversation(self._node, target, self._dial)
            self._conversation = target, conversation
            conversation.watch()
        return self._conversation[1]

    def _hang_up(self) -> None:
        if self._conversation is not None:
            with contextlib.suppress(OSError):
                self._conversation[1].close()
        self._conversation = None
