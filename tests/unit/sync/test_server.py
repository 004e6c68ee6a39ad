"""The receiving side against calls that are old, forged, unsigned, or out of turn."""

from dataclasses import replace

import pytest

from gemel.control.peer import Fault, PeerAnswer, PeerCall
from gemel.sync.client import pair_now, push_now
from gemel.sync.gates import AT_ONCE, PAIRING_LASTS, SESSION_LASTS
from gemel.sync.identity import Stamp
from gemel.sync.messages import (
    AskReport,
    Commit,
    Hello,
    Network,
    PairBegin,
    PairFinish,
    PairingChallenge,
    Prepare,
    Welcome,
    pack,
    unpack,
)
from gemel.sync.trust import Prover
from tests.unit.sync.world import PASSWORD, PRIMARY, SECONDARY, TARGET, Node, Wire, identity, pair, paired


class Hand:
    """Makes calls by hand, as the primary or as somebody else who has its password."""

    def __init__(self, primary: Node, wire: Wire, signs_as: str | None = None) -> None:
        self.wire = wire
        self.primary = primary
        self.identity = identity(signs_as or primary.name)
        self.session = ""

    def call(self, request: object, number: int, **changes: object) -> PeerAnswer:
        params = (pack(request),)
        stamp = Stamp("admin", self.wire.receiver.identity.fingerprint, self.session, number)
        method = str(request.method)  # type: ignore[attr-defined]
        signature = self.identity.sign(method, params, stamp)
        call = PeerCall(method, params, "admin", PASSWORD, PRIMARY, SECONDARY, signature)
        return self.wire.server.answer(replace(call, **changes), self.wire.now)  # type: ignore[arg-type]

    def hello(self) -> PeerAnswer:
        answer = self.call(Hello(self.primary.introduction(), self.identity.certificate), 0)
        if not answer.fault:
            self.session = unpack(Welcome, answer.value).session
        return answer


@pytest.fixture
def hand() -> Hand:
    primary, secondary = paired()
    made = Hand(primary, Wire(secondary))
    assert made.hello().fault == 0
    return made


REPORT = AskReport(("rules",))


def test_every_recorded_call_of_a_push_is_refused_when_it_comes_again() -> None:
    primary, secondary = paired()
    wire = Wire(secondary)
    push_now(primary, TARGET, wire.dial)
    recorded = [call for call in wire.calls if call.method != Hello.method]
    faults = [wire.server.answer(call, wire.now).fault for call in recorded]
    assert faults == [Fault.BAD_SIGNATURE] * 4
    assert secondary.commits == 1


def test_a_replayed_hello_opens_nothing_that_can_be_used() -> None:
    primary, secondary = paired()
    wire = Wire(secondary)
    push_now(primary, TARGET, wire.dial)
    hello = next(call for call in wire.calls if call.method == Hello.method)
    session = unpack(Welcome, wire.server.answer(hello, wire.now).value).session
    prepare = next(call for call in wire.calls if call.method == Prepare.method)
    for signature in (prepare.signature, f"{session} 9 {(prepare.signature or '').split()[2]}"):
        assert wire.server.answer(replace(prepare, signature=signature), wire.now).fault == Fault.BAD_SIGNATURE


def test_a_recorded_first_contact_is_refused_when_it_comes_again() -> None:
    primary, secondary = pair()
    wire = Wire(secondary)
    pair_now(primary, TARGET, wire.dial)
    secondary.peer_certificate = None
    begin, finish = wire.calls
    assert wire.server.answer(begin, wire.now).fault == 0
    assert wire.server.answer(finish, wire.now).fault == Fault.SESSION_OVER
    assert secondary.peer_certificate is None


def test_a_call_without_signature_is_refused(hand: Hand) -> None:
    assert hand.call(REPORT, 1, signature=None).fault == Fault.SESSION_OVER
    hello = Hello(hand.primary.introduction(), hand.identity.certificate)
    assert hand.call(hello, 0, signature=None).fault == Fault.BAD_SIGNATURE


@pytest.mark.parametrize(
    "header", ["", "x", "- 0 !!!", "- -1 AAAA", "- 0 AAAA", "a b c d", "- 99999999999999999999 AA=="]
)
def test_a_malformed_signature_is_refused(hand: Hand, header: str) -> None:
    hello = Hello(hand.primary.introduction(), hand.identity.certificate)
    hand.session = ""
    assert hand.call(hello, 0, signature=header).fault == Fault.BAD_SIGNATURE


def test_the_right_password_with_another_key_is_refused_with_both_fingerprints() -> None:
    primary, secondary = paired()
    answer = Hand(primary, Wire(secondary), signs_as="stranger").hello()
    assert answer.fault == Fault.OTHER_KEY
    assert identity("stranger").fingerprint in answer.text and primary.identity.fingerprint in answer.text


def test_the_peers_certificate_without_its_key_is_refused() -> None:
    primary, secondary = paired()
    stranger = Hand(primary, Wire(secondary), signs_as="stranger")
    answer = stranger.call(Hello(primary.introduction(), primary.identity.certificate), 0)
    assert answer.fault == Fault.BAD_SIGNATURE


def test_another_key_than_the_typed_fingerprints_is_refused() -> None:
    primary, secondary = pair()
    secondary.typed_fingerprint = identity("fw3").fingerprint
    assert Hand(primary, Wire(secondary)).hello().fault == Fault.OTHER_KEY
    assert secondary.peer_certificate is None


def begin(wire: Wire, brings: str, signs_as: str) -> tuple[Prover, PeerAnswer]:
    """First contact by hand, by someone who has the password."""
    prover = Prover("admin", PASSWORD, wire.receiver.identity.der, identity(brings).der)
    asked = PairBegin(brings, identity(brings).certificate, prover.first)
    return prover, pairing_call(wire, asked, signs_as)


def finish(wire: Wire, prover: Prover, begun: PeerAnswer, signs_as: str) -> PeerAnswer:
    challenge = unpack(PairingChallenge, begun.value)
    return pairing_call(wire, PairFinish(challenge.pairing, prover.final(challenge.server_first)), signs_as)


def pairing_call(wire: Wire, request: PairBegin | PairFinish, signs_as: str) -> PeerAnswer:
    params = (pack(request),)
    signature = identity(signs_as).sign(request.method, params, Stamp("", wire.receiver.identity.fingerprint))
    call = PeerCall(request.method, params, None, None, PRIMARY, SECONDARY, signature)
    return wire.server.answer(call, wire.now)


def test_nobody_can_have_a_certificate_pinned_whose_key_he_does_not_hold() -> None:
    wire = Wire(pair()[1])
    assert begin(wire, "fw1", signs_as="stranger")[1].fault == Fault.BAD_SIGNATURE
    prover, begun = begin(wire, "fw1", signs_as="fw1")
    assert finish(wire, prover, begun, signs_as="stranger").fault == Fault.BAD_SIGNATURE
    assert wire.receiver.peer_certificate is None


def test_of_two_first_contacts_at_once_only_one_is_pinned() -> None:
    wire = Wire(pair()[1])
    one, two = begin(wire, "fw1", "fw1"), begin(wire, "fw3", "fw3")
    assert finish(wire, *one, "fw1").fault == 0
    assert finish(wire, *two, "fw3").fault == Fault.OTHER_KEY
    assert wire.receiver.peer_certificate == identity("fw1").certificate


def test_an_offer_from_a_node_that_should_have_stopped_is_refused(hand: Hand) -> None:
    hand.wire.receiver.networks = {"opt1": Network("DMZ", "10.0.0.0/24")}
    assert hand.call(Prepare(7, {"rules": []}), 1).fault == Fault.DIFFERENT_INTERFACES
    hand.wire.receiver.config_version = 0
    assert hand.call(Prepare(7, {"rules": []}), 2).fault == Fault.DIFFERENT_VERSION


def test_before_first_contact_hello_is_refused() -> None:
    primary, secondary = pair()
    assert Hand(primary, Wire(secondary)).hello().fault == Fault.NOT_PAIRED


def test_a_signature_covers_parameters_account_and_session(hand: Hand) -> None:
    for changes in ({"params": (pack(AskReport(("nat",))),)}, {"username": "other"}, {"method": "gemel.commit"}):
        assert hand.call(REPORT, 1, **changes).fault in (Fault.BAD_SIGNATURE, Fault.BAD_PARAMETERS)
    assert hand.call(REPORT, 1).fault == 0


def test_the_password_is_asked_in_every_call_of_a_session(hand: Hand) -> None:
    assert hand.call(REPORT, 1, password="guess").fault == Fault.BAD_LOGIN
    assert hand.call(REPORT, 2, password=None).fault == Fault.BAD_LOGIN


def test_a_privilege_that_was_taken_away_stops_the_session(hand: Hand) -> None:
    hand.wire.receiver.users["admin"] = (PASSWORD, "read-only")
    assert hand.call(REPORT, 1).fault == Fault.NO_PRIVILEGE


def test_forgetting_the_peers_key_stops_the_session(hand: Hand) -> None:
    hand.wire.receiver.peer_certificate = None
    assert hand.call(REPORT, 1).fault == Fault.OTHER_KEY


def test_commit_needs_its_token_and_takes_it_once(hand: Hand) -> None:
    assert hand.call(Commit("made up"), 1).fault == Fault.NOT_PREPARED
    answer = hand.call(Prepare(7, {"rules": []}), 2)
    token = answer.value.split('"token":"')[1].split('"')[0]
    assert hand.call(Commit(token), 3).fault == 0
    assert hand.call(Commit(token), 4).fault == Fault.NOT_PREPARED
    assert hand.wire.receiver.commits == 1


def test_a_target_that_appears_between_prepare_and_commit_is_a_conflict(hand: Hand) -> None:
    answer = hand.call(Prepare(7, {"rules": []}), 1)
    token = answer.value.split('"token":"')[1].split('"')[0]
    hand.wire.receiver.sends_to = TARGET
    assert hand.call(Commit(token), 2).fault == Fault.CONFLICT
    assert hand.wire.receiver.commits == 0


def test_a_session_ends_when_nobody_goes_on_with_it(hand: Hand) -> None:
    hand.wire.now += SESSION_LASTS
    assert hand.call(REPORT, 1).fault == 0
    hand.wire.now += SESSION_LASTS + 1
    assert hand.call(REPORT, 2).fault == Fault.SESSION_OVER


def test_sessions_are_bounded(hand: Hand) -> None:
    first = hand.session
    for _ in range(AT_ONCE):
        hand.session = ""
        hand.hello()
    hand.session = first
    assert hand.call(REPORT, 1).fault == Fault.SESSION_OVER


def test_first_contact_does_not_wait_for_ever() -> None:
    primary, secondary = pair()
    wire = Wire(secondary)

    def slowly(body: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        wire.now += PAIRING_LASTS + 1
        return body, headers

    wire.tamper = slowly
    with pytest.raises(Exception, match="lost the thread"):
        pair_now(primary, TARGET, wire.dial)


@pytest.mark.parametrize(
    "params", [(), ("{}", "{}"), (7,), ("not json",), ('{"areas": 1}',), ('{"areas": [], "more": 1}',)]
)
def test_nonsense_is_refused_as_parameters(hand: Hand, params: tuple[object, ...]) -> None:
    assert hand.call(REPORT, 1, params=params).fault == Fault.BAD_PARAMETERS


@pytest.mark.parametrize("method", ["pfsense.exec_php", "pfsense.exec_shell", "system.listMethods", ""])
def test_methods_that_do_not_exist_are_told_as_such(hand: Hand, method: str) -> None:
    assert hand.call(REPORT, 1, method=method).fault == Fault.NO_SUCH_METHOD


def test_the_health_check_of_other_tools_works_with_password_alone() -> None:
    _, secondary = pair()
    call = PeerCall("pfsense.host_firmware_version", (1, 60), "admin", PASSWORD, PRIMARY, SECONDARY, None)
    server = Wire(secondary).server
    assert server.answer(call, 0.0).value["config_version"] == "1"
    assert server.answer(replace(call, password="guess"), 0.0).fault == Fault.BAD_LOGIN
    assert server.answer(replace(call, username=None), 0.0).fault == Fault.BAD_LOGIN


def test_a_stranger_elsewhere_does_not_write_on_the_status_page(hand: Hand) -> None:
    hand.call(REPORT, 1, remote="203.0.113.9", password="guess")
    assert hand.wire.server.status().problem is None


def test_a_name_with_control_characters_is_shown_without_them() -> None:
    primary, secondary = paired()
    wire = Wire(secondary)
    primary_hand = Hand(primary, wire)
    introduction = replace(primary.introduction(), name="fw\n1\x1b[31m" + "x" * 99)
    primary_hand.call(Hello(introduction, primary.identity.certificate), 0)
    peer = wire.server.status().peer or ""
    assert peer.startswith("fw1[31mx") and len(peer) == 63
