"""The sending side of the conversation: who the peer is, what each call carries, what its refusals mean in words."""

import base64
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gemel.control.peer import Fault
from gemel.core.certificate import der, fingerprint, pem
from gemel.core.codec import Malformed
from gemel.sync.identity import Stamp, pem_fingerprint
from gemel.sync.messages import (
    AskInstall,
    Hello,
    Install,
    InstallReport,
    PackagePart,
    PairBegin,
    PairFinish,
    Request,
    Told,
    Watch,
    Welcome,
    pack,
    unpack,
)
from gemel.sync.node import Known, Sender, Target
from gemel.sync.push import NotPushed, Pushed, Why, run, transaction
from gemel.sync.transport import Dial, HttpsTransport, Reply, Transport
from gemel.sync.trust import NotProven, Prover
from gemel.sync.xmlrpc import Faulted, NotXmlRpc, looks_like_html, read_response, write_call

PART = 1 << 20  # bytes of a package in one call
ANSWER_WITHIN = 20.0  # seconds
WITHIN = {
    # What takes longer, or must not: 10,000 rules on a slow machine; a status is worth nothing when it is old.
    "gemel.prepare": 180.0,
    "gemel.commit": 180.0,
    "gemel.install": 120.0,
    "gemel.watch": 4.0,
    "gemel.told": 2.5,
}

A = TypeVar("A")


def push_now(node: Sender, target: Target, dial: Dial = HttpsTransport) -> Pushed:
    """One push to `target`, with first contact before it if this node knows no peer yet.

    Raises:
        NotPushed: with cause and cure in words.
    """
    with _conversation(node, target, dial) as conversation:
        if node.pinned() is None:
            conversation.pair(node)
        steps = transaction(node.introduction(), node.identity.certificate, node.outgoing())
        return run(steps, conversation)


def pair_now(node: Sender, target: Target, dial: Dial = HttpsTransport) -> str:
    """First contact alone; returns the peer's fingerprint.

    Raises:
        NotPushed: with cause and cure in words.
    """
    with _conversation(node, target, dial) as conversation:
        return conversation.pair(node)


def give_package(node: Sender, target: Target, package: bytes, sha256: str, dial: Dial = HttpsTransport) -> None:
    """Send the peer a new version's package and have it begin to install it.

    Raises:
        NotPushed: with cause and cure in words.
    """
    with _conversation(node, target, dial) as conversation:
        conversation.ask(Hello(node.introduction(), node.identity.certificate))
        for offset in range(0, len(package), PART):
            data = base64.b64encode(package[offset : offset + PART]).decode()
            conversation.ask(PackagePart(offset, data))
        conversation.ask(Install(sha256))


def ask_install(node: Sender, target: Target, dial: Dial = HttpsTransport) -> InstallReport:
    """How the installation stands that `give_package` began.

    Raises:
        NotPushed: with cause and cure in words.
    """
    with _conversation(node, target, dial) as conversation:
        conversation.ask(Hello(node.introduction(), node.identity.certificate))
        return conversation.ask(AskInstall())


@contextlib.contextmanager
def _conversation(node: Known, target: Target, dial: Dial) -> Iterator["Conversation"]:
    conversation = Conversation(node, target, dial)
    try:
        yield conversation
    finally:
        conversation.close()


@dataclass(slots=True)
class _Judgement:
    """Looks at the peer's certificate on each new connection, before anything is sent.

    Before first contact any certificate will do, but the same one throughout: SCRAM binds the proof to it.
    """

    node: Known
    where: str
    shown: bytes = field(default=b"")

    def __call__(self, shown: bytes) -> None:
        pinned, expected = self.node.pinned(), self.node.expected_fingerprint()
        if shown == self.node.identity.der:
            text = f"{self.where} is this node itself: enter the other node's address under Synchronize Config to IP"
            raise NotPushed(Why.REFUSED, text)
        if pinned is not None and shown != der(pinned):
            text = (
                f"the peer at {self.where} shows another key than the one that was pinned; nothing was sent.\n"
                f"pinned: {pem_fingerprint(pinned)}\nshown:  {fingerprint(shown)}\n"
                "If it was installed anew, forget its old key first; if not, somebody else answers at its address"
            )
            raise NotPushed(Why.REFUSED, text)
        if pinned is None and expected is not None and fingerprint(shown) != expected.strip().upper():
            text = (
                f"the peer at {self.where} shows another key than the one that was entered; nothing was sent.\n"
                f"entered: {expected}\nshown:   {fingerprint(shown)}"
            )
            raise NotPushed(Why.REFUSED, text)
        if self.shown and shown != self.shown:
            raise NotPushed(Why.REFUSED, f"two different nodes answer at {self.where}; nothing was exchanged")
        self.shown = shown


class Conversation:
    """A series of calls to one peer. A `push.Peer`: `ask` numbers and signs within the session that hello opens."""

    def __init__(self, node: Known, target: Target, dial: Dial) -> None:
        self._node = node
        self._target = target
        self._where = f"{f'[{target.host}]' if ':' in target.host else target.host}:{target.port}"
        self._judgement = _Judgement(node, self._where)
        self._transport: Transport = dial(target.host, target.port, self._judgement)
        self._session = ""
        self._number = 0

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def ask(self, request: Request[A]) -> A:
        """Put one question of a push, with credentials and signature.

        Raises:
            NotPushed: no answer, or a fault, in words.
        """
        if self._session:
            self._number += 1
        answer = self._call(request, self._target.username, self._credentials())
        if isinstance(request, Hello) and isinstance(answer, Welcome):
            self._session = answer.session
        return answer

    def watch(self) -> None:
        """Open a session for `tell`.

        Raises:
            NotPushed: no answer, or a fault, in words.
        """
        self._session = ""
        self._session = self._call(Watch(self._node.identity.certificate), "", {}).session
        self._number = 0

    def tell(self, status: dict[str, Any]) -> dict[str, Any]:
        """Tell this node's status and hear the peer's. By key alone: no account is needed for that.

        Raises:
            NotPushed: no answer, or a fault, in words.
        """
        self._number += 1
        return self._call(Told(status), "", {}).status

    def pair(self, node: Known) -> str:
        """First contact: prove the password, have the peer prove that it knows it, pin its certificate.

        Where an admin entered the peer's fingerprint, that is enough, without a password. Returns the fingerprint.

        Raises:
            NotPushed: with cause and cure in words.
        """
        shown = self._shown()
        if node.expected_fingerprint() is None:
            self._prove(shown)
        node.pin(pem(shown))
        return fingerprint(shown)

    def _shown(self) -> bytes:
        """The certificate (DER) that answers there."""
        self._transport.connect()
        return self._judgement.shown

    def _prove(self, shown: bytes) -> None:
        own = self._node.identity
        try:
            prover = Prover(self._target.username, self._target.password, shown, own.der)
            name = self._node.introduction().name
            challenge = self._call(PairBegin(name, own.certificate, prover.first), "", {})
            proof = self._call(PairFinish(challenge.pairing, prover.final(challenge.server_first)), "", {})
            prover.check(proof.server_final)
        except NotProven as error:
            raise NotPushed(Why.REFUSED, f"{self._where}: {error}") from None

    def _credentials(self) -> dict[str, str]:
        pair = f"{self._target.username}:{self._target.password}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def _call(self, request: Request[A], signed_as: str, headers: dict[str, str]) -> A:
        params = (pack(request),)
        stamp = Stamp(signed_as, fingerprint(self._shown()), self._session, self._number)
        signed = {"Gemel-Signature": self._node.identity.sign(request.method, params, stamp), **headers}
        timeout = WITHIN.get(request.method, ANSWER_WITHIN)
        try:
            answer: A = unpack(request.answer_shape, self._value(self._post(request.method, params, signed, timeout)))
        except Faulted as fault:
            raise self._refused(fault) from None
        except Malformed as error:
            raise NotPushed(Why.REFUSED, f"{self._where} answers what this version does not read: {error}") from None
        return answer

    def _post(
        self, method: str, params: tuple[Any, ...], headers: dict[str, str], timeout: float = ANSWER_WITHIN
    ) -> Reply:
        reply = self._transport.post(write_call(method, params), headers, timeout)
        if reply.status == 200 and not looks_like_html(reply.body):
            return reply
        if reply.status in (502, 503, 504):
            text = f"{self._where} answers {reply.status}: the peer is busy or being restarted"
            raise NotPushed(Why.AWAY, text)
        what = "with a web page" if looks_like_html(reply.body) else f"with HTTP status {reply.status}"
        text = f"{self._where} answers {what} instead of XML-RPC: is it a Gemel node's web port?"
        raise NotPushed(Why.REFUSED, text)

    def _value(self, reply: Reply) -> Any:
        try:
            return read_response(reply.body)
        except NotXmlRpc as error:
            raise NotPushed(Why.REFUSED, f"{self._where} answers no XML-RPC: {error}") from None

    def _refused(self, fault: Faulted) -> NotPushed:
        username = self._target.username
        why, text = _MEANINGS.get(fault.code, (Why.FAILED, "{where} reports a failure of its own: {said}"))
        return NotPushed(why, text.format(where=self._where, user=username, said=fault.text))


_MEANINGS: dict[int, tuple[Why, str]] = {
    Fault.BAD_LOGIN: (Why.LOGIN, "{where} does not accept user {user} with the password that is entered here ({said})"),
    Fault.NO_PRIVILEGE: (
        Why.LOGIN,
        "the account {user} at {where} lacks the privilege System - HA node sync: add it to the account on the peer",
    ),
    Fault.TOO_MANY_FAILURES: (
        Why.LOGIN,
        "{where} takes no log-in from here for a while, after too many failed ones: {said}",
    ),
    Fault.AWAY: (Why.AWAY, "{where} answers, but {said}"),
    Fault.NOT_PAIRED: (Why.REFUSED, "{where} does not know this node: pair the two again ({said})"),
    Fault.OTHER_KEY: (Why.REFUSED, "{where} knows another key as its peer's: {said}"),
    Fault.BAD_SIGNATURE: (Why.REFUSED, "{where} does not accept this node's signature: {said}"),
    Fault.SESSION_OVER: (Why.AWAY, "{where} lost the thread, as after a restart: {said}"),
    Fault.CONFLICT: (Why.REFUSED, "{said}"),
    Fault.DIFFERENT_VERSION: (Why.REFUSED, "{said}"),
    Fault.DIFFERENT_INTERFACES: (Why.REFUSED, "{said}"),
    Fault.NOT_PREPARED: (Why.AWAY, "{where} no longer has what it prepared: {said}"),
    Fault.NOT_INSTALLED: (Why.REFUSED, "{where} does not install the package: {said}"),
    Fault.NOT_APPLIED: (Why.FAILED, "{where} could not apply the configuration: {said}"),
    Fault.NO_SUCH_METHOD: (
        Why.REFUSED,
        "{where} answers XML-RPC but not Gemel's: it runs another product, or a version that does not sync",
    ),
    Fault.BAD_PARAMETERS: (Why.REFUSED, "{where} does not read what this version sends: {said}"),
}
