"""What a peer's call must get past before anything is done for it: key, signature, number, account, privilege, role.

A *session* is one push, a *pairing* one first contact; both are few, short-lived and bound to a certificate.
"""

import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from gemel.control.peer import Fault, PeerCall
from gemel.core.certificate import der
from gemel.sync.identity import Signature, Stamp, pem_fingerprint
from gemel.sync.meeting import conflict
from gemel.sync.messages import Introduction
from gemel.sync.node import PRIVILEGE, Origin, Receiver
from gemel.sync.trust import Verifier

SESSION_LASTS = 180.0  # seconds without a call
PAIRING_LASTS = 30.0
AT_ONCE = 4  # sessions, and pairings: the eldest makes room


class Refusal(Exception):
    """This call gets a fault."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


@dataclass(slots=True)
class Pairing:
    """First contact, half-way."""

    begun: float
    certificate: str
    name: str
    scram: Verifier


@dataclass(frozen=True, slots=True)
class Offer:
    """What the node prepared, and for whom; `token` is what commit must name."""

    token: str
    origin: Origin
    candidate: Any


@dataclass(slots=True)
class Session:
    """One push. `login` is a keyed hash of the credentials that hello proved: a push that changes the account's own
    password can still be reported on, and argon2 is asked once."""

    certificate: str
    peer: Introduction
    username: str
    login: bytes
    used: float
    number: int = 0
    offered: Offer | None = None


class Gates:
    """The checks, each raising `Refusal`; and the sessions and pairings that passed them."""

    def __init__(self, node: Receiver) -> None:
        self._node = node
        self.secret = secrets.token_bytes(32)
        self._pairings: dict[str, Pairing] = {}
        self._sessions: dict[str, Session] = {}

    def forget(self, now: float) -> None:
        """Close what nobody goes on with."""
        for key in [k for k, s in self._sessions.items() if now - s.used > SESSION_LASTS]:
            del self._sessions[key]
        for key in [k for k, p in self._pairings.items() if now - p.begun > PAIRING_LASTS]:
            del self._pairings[key]

    def begin_pairing(self, key: str, pairing: Pairing) -> None:
        """Keep a first contact until its second half."""
        _make_room(self._pairings)
        self._pairings[key] = pairing

    def take_pairing(self, key: str) -> Pairing:
        """The first half of a first contact; it can be taken once."""
        pairing = self._pairings.pop(key, None)
        if pairing is None:
            raise Refusal(Fault.SESSION_OVER, "this first contact is over; begin again")
        return pairing

    def open_session(self, key: str, session: Session) -> None:
        """Let a push begin."""
        _make_room(self._sessions)
        self._sessions[key] = session

    def session(self, call: PeerCall, now: float) -> Session:
        """The session that this call is rightly made in."""
        signature = Signature.read(call.signature)
        session = self._sessions.get(signature.session) if signature else None
        if signature is None or session is None:
            raise Refusal(Fault.SESSION_OVER, "this session is over; begin again with hello")
        if signature.number <= session.number:
            raise Refusal(Fault.BAD_SIGNATURE, "this call was made before")
        pinned = self._node.pinned()
        if pinned is None or der(pinned) != der(session.certificate):
            raise Refusal(Fault.OTHER_KEY, "the peer's key has been changed or removed on this node")
        self._signed(call, session.certificate, call.username or "", signature.session, signature.number)
        session.number, session.used = signature.number, now
        shown = self.login_hash(signature.session, call.username or "", call.password or "")
        if not hmac.compare_digest(session.login, shown):
            raise Refusal(Fault.BAD_LOGIN, "Authentication failed: Invalid username or password")
        self.privileged(session.username)
        return session

    def signed(self, call: PeerCall, certificate: str, username: str) -> None:
        """The call opens something, and is signed by the owner of `certificate` for this account and this node."""
        self._signed(call, certificate, username, "", 0)

    def _signed(self, call: PeerCall, certificate: str, username: str, session: str, number: int) -> None:
        signature = Signature.read(call.signature)
        if signature is None:
            raise Refusal(Fault.BAD_SIGNATURE, "the call is not signed with the peer's key")
        stamp = Stamp(username, self._node.identity.fingerprint, session, number)
        if not signature.is_by(certificate, call.method, call.params, stamp):
            raise Refusal(Fault.BAD_SIGNATURE, "the call's signature is not by the peer's key")

    def recognised(self, certificate: str) -> str:
        """The caller's certificate, if it is the pinned one, or the one whose fingerprint an admin typed."""
        pinned, expected = self._node.pinned(), self._node.expected_fingerprint()
        shown = _shown(certificate)
        if pinned is not None:
            self.not_another(certificate)
            return pinned
        if expected is None:
            raise Refusal(Fault.NOT_PAIRED, "this node is not paired with any peer yet")
        if shown != expected.strip().upper():
            text = f"the caller's key is {shown}, but {expected} was entered as the peer's fingerprint"
            raise Refusal(Fault.OTHER_KEY, text)
        return certificate

    def not_another(self, certificate: str) -> None:
        """No other key than the caller's is pinned."""
        pinned = self._node.pinned()
        if pinned is not None and der(pinned) != der(certificate):
            text = (
                f"this node is paired with the key {pem_fingerprint(pinned)}, the caller shows {_shown(certificate)}: "
                "if the peer was installed anew, forget its old key here first"
            )
            raise Refusal(Fault.OTHER_KEY, text)

    def login(self, call: PeerCall) -> tuple[str, str]:
        """The account, whose password is right and which holds the privilege."""
        if call.username is None or call.password is None or not self._node.knows(call.username, call.password):
            raise Refusal(Fault.BAD_LOGIN, "Authentication failed: Invalid username or password")
        self.privileged(call.username)
        return call.username, call.password

    def login_hash(self, session: str, username: str, password: str) -> bytes:
        """What a session remembers of its credentials."""
        return hmac.digest(self.secret, "\0".join((session, username, password)).encode(), "sha256")

    def privileged(self, username: str) -> None:
        """The account may make a peer's calls."""
        if not self._node.may(username, PRIVILEGE):
            text = f"Authentication failed: not enough privileges: {username} lacks System - HA node sync"
            raise Refusal(Fault.NO_PRIVILEGE, text)

    def no_conflict(self, peer: str) -> None:
        """This node does not push itself."""
        mine = self._node.introduction()
        if mine.has_target:
            raise Refusal(Fault.CONFLICT, conflict(peer, mine.name))


def _shown(certificate: str) -> str:
    try:
        return pem_fingerprint(certificate)
    except ValueError:
        raise Refusal(Fault.BAD_PARAMETERS, "the certificate is no PEM certificate") from None


def _make_room(places: dict[str, Any]) -> None:
    while len(places) >= AT_ONCE:
        del places[next(iter(places))]
