"""The receiving side, inside the agent: what the peer's calls do, and what each has to show first.

Every call is checked here again from the ground up, whatever webd did:

    method                  certificate            signature              account            opens / needs
    gemel.pair_begin        brought along          by it                  (SCRAM)            opens a pairing
    gemel.pair_finish       of the pairing         by it                  SCRAM, privilege   pins
    gemel.hello             pinned, or expected    by it, number 0        Basic, privilege   opens a session
    gemel.report            of the session         number grows           as at hello        a session
    gemel.prepare, commit   of the session         number grows           as at hello        a session, no target
    gemel.package_part      of the session         number grows           as at hello        a session, no target
    gemel.install           of the session         number grows           as at hello        a session, no target
    gemel.install_report    of the session         number grows           as at hello        a session
    pfsense.host_firmware_version                                         Basic, privilege   health check of other tools
"""

import base64
import binascii
import contextlib
import hmac
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import gemel
from gemel.control.peer import Fault, PeerAnswer, PeerCall
from gemel.core.certificate import der, pem
from gemel.core.codec import Malformed
from gemel.sync.gates import Gates, Offer, Pairing, Refusal, Session
from gemel.sync.identity import pem_fingerprint
from gemel.sync.meeting import findings
from gemel.sync.messages import (
    AskInstall,
    AskReport,
    Commit,
    Committed,
    Hello,
    Install,
    InstallReport,
    Kept,
    PackagePart,
    PairBegin,
    PairFinish,
    PairingChallenge,
    PairingProof,
    Prepare,
    Prepared,
    Welcome,
    pack,
    unpack,
)
from gemel.sync.node import NotApplied, Origin, PackageRefused, Packages, Receiver
from gemel.sync.trust import NotProven, Verifier

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """How it stands with a peer that pushes to this node; times as given to `PeerServer.answer`.

    `problem` is the last refusal in words until a push succeeds; `notices` stop nothing.
    """

    peer: str | None = None
    address: str | None = None
    heard: float | None = None
    pushed: float | None = None
    peer_revision: int | None = None
    problem: str | None = None
    notices: tuple[str, ...] = ()


class PeerServer:
    """Answers the peer's calls, one at a time. `entropy` gives the ids of sessions, pairings and prepared offers."""

    def __init__(
        self, node: Receiver, packages: Packages | None = None, entropy: Callable[[], str] = secrets.token_urlsafe
    ) -> None:
        self._node = node
        self._packages = packages
        self._entropy = entropy
        self._gates = Gates(node)
        self._lock = threading.Lock()
        self._received = Received()
        self._methods: dict[str, Callable[[PeerCall, float], Any]] = {
            PairBegin.method: self._pair_begin,
            PairFinish.method: self._pair_finish,
            Hello.method: self._hello,
            AskReport.method: self._report,
            Prepare.method: self._prepare,
            Commit.method: self._commit,
            PackagePart.method: self._package_part,
            Install.method: self._install,
            AskInstall.method: self._install_report,
            "pfsense.host_firmware_version": self._firmware_version,
        }

    def status(self) -> Received:
        """How it stands with the peer, seen from the receiving side."""
        return self._received

    def answer(self, call: PeerCall, now: float) -> PeerAnswer:
        """Carry out one call, or say why not. `now` is monotonic seconds. Raises nothing that a caller can cause."""
        method = self._methods.get(call.method)
        if method is None:
            return PeerAnswer(fault=Fault.NO_SUCH_METHOD, text="server error. requested method not found")
        with self._lock:
            self._gates.forget(now)
            try:
                return PeerAnswer(method(call, now))
            except Refusal as refusal:
                log.warning("%s from %s: %s", call.method, call.remote, refusal)
                by_peer = self._received.address in (None, call.remote)  # strangers do not write on our status page
                if by_peer and refusal.fault != Fault.NOT_INSTALLED:
                    self._note(problem=f"{call.remote}: {refusal}")
                return PeerAnswer(fault=refusal.fault, text=str(refusal))
            except Malformed as error:
                return PeerAnswer(fault=Fault.BAD_PARAMETERS, text=str(error))

    def _note(self, **changes: Any) -> None:
        self._received = replace(self._received, **changes)

    # First contact

    def _pair_begin(self, call: PeerCall, now: float) -> str:
        asked = unpack(PairBegin, _only(call))
        self._gates.signed(call, asked.certificate, "")
        name = _readable(asked.name)
        self._gates.no_conflict(name)
        self._gates.not_another(asked.certificate)
        username = _scram_name(asked.client_first)
        verifier = self._node.scram_verifier(username)
        own, theirs = self._node.identity.der, der(asked.certificate)
        scram = Verifier(username, verifier, own, theirs, self._gates.secret)
        try:
            first = scram.first(asked.client_first)
        except NotProven as error:
            raise Refusal(Fault.BAD_PARAMETERS, str(error)) from None
        key = self._entropy()
        self._gates.begin_pairing(key, Pairing(now, asked.certificate, name, scram))
        return pack(PairingChallenge(key, first))

    def _pair_finish(self, call: PeerCall, now: float) -> str:
        asked = unpack(PairFinish, _only(call))
        pairing = self._gates.take_pairing(asked.pairing)
        self._gates.signed(call, pairing.certificate, "")
        try:
            proof = pairing.scram.final(asked.client_final)
        except NotProven as error:
            raise Refusal(Fault.BAD_LOGIN, f"Authentication failed: {error}") from None
        self._gates.privileged(pairing.scram.username)
        self._gates.not_another(pairing.certificate)
        self._node.pin(pem(der(pairing.certificate)))
        self._note(peer=pairing.name, address=call.remote, heard=now, problem=None)
        log.info("paired with %s, key %s", pairing.name, pem_fingerprint(pairing.certificate))
        return pack(PairingProof(proof))

    # A push

    def _hello(self, call: PeerCall, now: float) -> str:
        asked = unpack(Hello, _only(call))
        theirs = replace(asked.introduction, name=_readable(asked.introduction.name))
        certificate = self._gates.recognised(asked.certificate)
        self._gates.signed(call, certificate, call.username or "")
        username, password = self._gates.login(call)
        if self._node.pinned() is None:
            self._node.pin(pem(der(certificate)))
        key = self._entropy()
        login = self._gates.login_hash(key, username, password)
        self._gates.open_session(key, Session(certificate, theirs, username, login, now))
        mine = self._node.introduction()
        found = findings(theirs, mine)
        stops = next((f.text for f in found if f.fault), None)
        said = tuple(f.text for f in found if not f.fault)
        self._note(peer=theirs.name, address=call.remote, heard=now, problem=stops, notices=said)
        return pack(Welcome(mine, key))

    def _report(self, call: PeerCall, now: float) -> str:
        asked = unpack(AskReport, _only(call))
        self._gates.session(call, now)
        return pack(self._node.report(asked.areas))

    def _prepare(self, call: PeerCall, now: float) -> str:
        asked = unpack(Prepare, _only(call))
        session = self._gates.session(call, now)
        for finding in findings(session.peer, self._node.introduction()):
            if finding.fault:
                raise Refusal(Fault(finding.fault), finding.text)
        peer = session.peer
        origin = Origin(peer.name, call.remote, session.username, asked.revision, peer.config_version)
        candidate, problems = self._node.prepare(asked.sections, origin)
        wrong = [str(p) for p in problems if p.level == "error"]
        if wrong:
            session.offered = None
            what = f"revision {asked.revision} of {session.peer.name}"
            self._note(problem=f"{what} does not fit here: {'; '.join(wrong)}")
            return pack(Prepared("", problems))
        session.offered = Offer(self._entropy(), origin, candidate)
        return pack(Prepared(session.offered.token, problems))

    def _commit(self, call: PeerCall, now: float) -> str:
        asked = unpack(Commit, _only(call))
        session = self._gates.session(call, now)
        offer, session.offered = session.offered, None
        if offer is None or not hmac.compare_digest(offer.token.encode(), asked.token.encode()):
            raise Refusal(Fault.NOT_PREPARED, "nothing is prepared under this token")
        self._gates.no_conflict(session.peer.name)
        try:
            revision = self._node.commit(offer.candidate, offer.origin)
        except NotApplied as error:
            raise Refusal(Fault.NOT_APPLIED, f"not applied, everything is as it was: {error}") from None
        self._note(pushed=now, peer_revision=offer.origin.revision, problem=None)
        return pack(Committed(revision))

    # A new version

    def _package_part(self, call: PeerCall, now: float) -> str:
        asked = unpack(PackagePart, _only(call))
        try:
            data = base64.b64decode(asked.data, validate=True)
        except binascii.Error:
            raise Malformed("the part is not base64") from None
        with self._taking(call, now) as packages:
            return pack(Kept(packages.take(asked.offset, data)))

    def _install(self, call: PeerCall, now: float) -> str:
        asked = unpack(Install, _only(call))
        with self._taking(call, now) as packages:
            packages.install(asked.sha256)
            return pack(InstallReport(*packages.report()))

    def _install_report(self, call: PeerCall, now: float) -> str:
        unpack(AskInstall, _only(call))
        self._gates.session(call, now)
        return pack(InstallReport(*self._packages.report()) if self._packages else InstallReport("none"))

    @contextlib.contextmanager
    def _taking(self, call: PeerCall, now: float) -> Iterator[Packages]:
        """Only from a node that pushes here, to one that does not push itself."""
        self._gates.no_conflict(self._gates.session(call, now).peer.name)
        if self._packages is None:
            raise Refusal(Fault.NOT_INSTALLED, "this node takes no packages")
        try:
            yield self._packages
        except PackageRefused as error:
            raise Refusal(Fault.NOT_INSTALLED, str(error)) from None

    # Other tools

    def _firmware_version(self, call: PeerCall, _now: float) -> dict[str, Any]:
        """The health check that monitoring tools use; its parameters (a dummy and a timeout) mean nothing."""
        self._gates.login(call)
        return {
            "firmware": {"version": gemel.__version__},
            "kernel": {"version": ""},
            "base": {"version": ""},
            "platform": "Gemel",
            "config_version": str(self._node.introduction().config_version),
        }


def _only(call: PeerCall) -> Any:
    if len(call.params) != 1:
        raise Malformed(f"{call.method} takes one parameter, a string of JSON")
    return call.params[0]


def _scram_name(client_first: str) -> str:
    """The account in SCRAM's client-first-message ``p=…,,n=NAME,r=…``."""
    for part in client_first.split(","):
        if part.startswith("n="):
            return part[2:].replace("=2C", ",").replace("=3D", "=")
    raise Refusal(Fault.BAD_PARAMETERS, "first contact is malformed: no user name")


def _readable(name: str) -> str:
    """A node's name as it may stand in our log and on our pages."""
    return "".join(c for c in name if c.isprintable())[:63] or "?"
