"""First contact: who gets in, who does not, and what nobody learns on the way."""

import json

import pytest

from gemel.control.peer import PeerAnswer, PeerCall
from gemel.core.certificate import der
from gemel.sync.client import pair_now, push_now
from gemel.sync.identity import Identity, Stamp
from gemel.sync.messages import PairingProof, pack
from gemel.sync.push import NotPushed, Why
from gemel.sync.trust import BadPassword, NotProven, Prover, Verifier, knows_password, scram_verifier
from gemel.sync.xmlrpc import read_call
from gemel.web.xmlrpc import Endpoint
from tests.unit.sync.world import PASSWORD, TARGET, Wire, identity, pair, paired, verifier, with_password


def test_both_nodes_know_each_other_after_first_contact() -> None:
    primary, secondary = pair()
    wire = Wire(secondary)
    assert pair_now(primary, TARGET, wire.dial) == secondary.identity.fingerprint
    assert der(primary.peer_certificate or "") == secondary.identity.der
    assert der(secondary.peer_certificate or "") == primary.identity.der


def test_the_password_is_never_sent_at_first_contact() -> None:
    primary, secondary = pair()
    wire = Wire(secondary)
    pair_now(primary, TARGET, wire.dial)
    assert wire.methods() == ["pair_begin", "pair_finish"]
    assert not any(PASSWORD.encode() in body for body in wire.bodies)
    assert all(call.password is None for call in wire.calls)


@pytest.mark.parametrize("username", ["admin", "nobody"])
def test_a_wrong_password_and_an_unknown_user_are_refused_alike(username: str) -> None:
    primary, secondary = pair()
    wire = Wire(secondary)
    target = with_password(TARGET, "guess") if username == "admin" else TARGET
    with pytest.raises(NotPushed, match=r"does not accept user .* wrong user name or password") as refused:
        pair_now(primary, type(target)(target.host, 443, username, target.password, target.areas), wire.dial)
    assert refused.value.why is Why.LOGIN
    assert primary.peer_certificate is None and secondary.peer_certificate is None


def test_an_account_without_the_privilege_pairs_nothing() -> None:
    primary, secondary = pair()
    secondary.users["admin"] = (PASSWORD, "read-only")
    with pytest.raises(NotPushed, match="lacks the privilege System - HA node sync"):
        pair_now(primary, TARGET, Wire(secondary).dial)
    assert secondary.peer_certificate is None and primary.peer_certificate is None


def test_a_stranger_who_shows_his_own_certificate_to_the_client_gets_nothing() -> None:
    """He passes everything on to the real peer, whose proof is then bound to another certificate."""
    primary, secondary = pair()
    wire = Wire(secondary, shows=identity("stranger").der)
    # The recipient's name is in the signature, so a relayed call fails before SCRAM even begins.
    with pytest.raises(NotPushed, match="does not accept this node's signature"):
        pair_now(primary, TARGET, wire.dial)
    assert primary.peer_certificate is None and secondary.peer_certificate is None


def test_scram_alone_notices_a_replaced_server_certificate() -> None:
    own, stranger, server = identity("fw1").der, identity("stranger").der, identity("fw2").der
    prover = Prover("admin", PASSWORD, stranger, own)
    checker = Verifier("admin", verifier(PASSWORD), server, own, b"secret")
    with pytest.raises(NotProven, match="see different certificates"):
        checker.final(prover.final(checker.first(prover.first)))


def test_scram_alone_notices_a_replaced_client_certificate() -> None:
    own, stranger, server = identity("fw1").der, identity("stranger").der, identity("fw2").der
    prover = Prover("admin", PASSWORD, server, own)
    checker = Verifier("admin", verifier(PASSWORD), server, stranger, b"secret")
    with pytest.raises(NotProven, match="see different certificates"):
        checker.final(prover.final(checker.first(prover.first)))


def resigned(body: bytes, who: Identity, recipient: str) -> str:
    """The signature of somebody else under the call in `body`."""
    return who.sign(*read_call(body), Stamp("", recipient))


def test_a_stranger_who_replaces_the_client_certificate_and_signs_himself_gets_nothing() -> None:
    primary, secondary = pair()
    stranger, wire = identity("stranger"), Wire(secondary)

    def replaced(body: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        ours = json.dumps(primary.identity.certificate)[1:-1].encode()
        swapped = body.replace(ours, json.dumps(stranger.certificate)[1:-1].encode())
        return swapped, {**headers, "gemel-signature": resigned(swapped, stranger, secondary.identity.fingerprint)}

    wire.tamper = replaced
    with pytest.raises(NotPushed, match="see different certificates"):
        pair_now(primary, TARGET, wire.dial)
    assert primary.peer_certificate is None and secondary.peer_certificate is None


def test_a_server_that_does_not_know_the_verifier_is_not_pinned() -> None:
    own, server = identity("fw1").der, identity("fw2").der
    prover = Prover("admin", PASSWORD, server, own)
    checker = Verifier("admin", verifier(PASSWORD), server, own, b"secret")
    checker.final(prover.final(checker.first(prover.first)))
    with pytest.raises(NotProven, match="does not know the password"):
        prover.check("v=" + "A" * 43 + "=")


def test_a_peer_whose_last_proof_is_wrong_is_not_pinned() -> None:
    primary, secondary = pair()
    wire = Wire(secondary)

    def guesses(call: PeerCall) -> PeerAnswer:
        answer = wire.ask(call)
        proof = pack(PairingProof("v=" + "A" * 43 + "="))
        return PeerAnswer(proof) if call.method == "gemel.pair_finish" else answer

    wire.endpoint = Endpoint(guesses)
    with pytest.raises(NotPushed, match="that is not the peer"):
        pair_now(primary, TARGET, wire.dial)
    assert primary.peer_certificate is None


def test_another_certificate_in_the_middle_of_first_contact_ends_it() -> None:
    primary, secondary = pair()
    wire = Wire(secondary, hangs_up=True)

    def swaps(body: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        wire.shows = identity("stranger").der
        return body, headers

    wire.tamper = swaps
    with pytest.raises(NotPushed, match="two different nodes answer"):
        pair_now(primary, TARGET, wire.dial)
    assert wire.methods() == ["pair_begin"] and primary.peer_certificate is None


def test_a_proof_that_is_cheap_to_guess_from_is_not_given() -> None:
    own, server = identity("fw1").der, identity("fw2").der
    prover = Prover("admin", PASSWORD, server, own)
    checker = Verifier("admin", scram_verifier(PASSWORD, iterations=4096), server, own, b"secret")
    with pytest.raises(NotProven, match="too easy to guess"):
        prover.final(checker.first(prover.first))


def test_an_unknown_user_has_the_same_salt_every_time() -> None:
    own, server = identity("fw1").der, identity("fw2").der
    salts = set()
    for _ in range(2):
        prover = Prover("ghost", "x", server, own)
        first = Verifier("ghost", None, server, own, b"secret").first(prover.first)
        salts.add(first.split(",")[1])
    assert len(salts) == 1


def test_a_node_that_is_paired_does_not_pair_with_another_key() -> None:
    primary, secondary = pair()
    secondary.peer_certificate = identity("fw3").certificate
    with pytest.raises(NotPushed) as refused:
        pair_now(primary, TARGET, Wire(secondary).dial)
    assert identity("fw3").fingerprint in str(refused.value)
    assert primary.identity.fingerprint in str(refused.value)


def test_pairing_again_with_the_same_key_mends_a_lost_pin() -> None:
    primary, secondary = paired()
    primary.peer_certificate = None
    assert push_now(primary, TARGET, Wire(secondary).dial).changed
    assert primary.peer_certificate is not None


def test_a_changed_peer_key_is_told_with_both_fingerprints_and_nothing_is_sent() -> None:
    primary, secondary = paired()
    stranger = identity("stranger")
    wire = Wire(secondary, shows=stranger.der)
    with pytest.raises(NotPushed) as refused:
        push_now(primary, TARGET, wire.dial)
    assert refused.value.why is Why.REFUSED
    assert stranger.fingerprint in str(refused.value) and secondary.identity.fingerprint in str(refused.value)
    assert wire.bodies == []


def test_fingerprints_typed_by_hand_pair_without_a_password() -> None:
    primary, secondary = pair()
    primary.typed_fingerprint = secondary.identity.fingerprint.lower()
    secondary.typed_fingerprint = primary.identity.fingerprint
    wire = Wire(secondary)
    assert push_now(primary, TARGET, wire.dial).changed
    assert "pair_begin" not in wire.methods()
    assert der(secondary.peer_certificate or "") == primary.identity.der


def test_another_key_than_the_one_typed_gets_nothing() -> None:
    primary, secondary = pair()
    primary.typed_fingerprint = identity("fw3").fingerprint
    wire = Wire(secondary)
    with pytest.raises(NotPushed, match="than the one that was entered"):
        push_now(primary, TARGET, wire.dial)
    assert wire.bodies == [] and primary.peer_certificate is None


def test_the_node_itself_is_no_peer() -> None:
    primary, _ = pair()
    with pytest.raises(NotPushed, match="is this node itself"):
        push_now(primary, TARGET, Wire(primary).dial)


def test_a_verifier_knows_its_password_and_no_other() -> None:
    kept = verifier(PASSWORD)
    assert knows_password(kept, PASSWORD)
    assert not knows_password(kept, PASSWORD + " ")
    assert not knows_password("nonsense", PASSWORD)
    assert PASSWORD not in kept and set(json.loads(kept)) == {"salt", "stored_key", "server_key", "iterations"}


@pytest.mark.parametrize("password", ["", "with\x07bell"])
def test_passwords_that_scram_cannot_carry_are_refused_in_words(password: str) -> None:
    with pytest.raises(BadPassword, match="password"):
        scram_verifier(password)
