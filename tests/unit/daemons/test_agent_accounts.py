"""Who may come in, and what for; a right that is taken is gone at once."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from argon2 import PasswordHasher

from gemel.areas.every import SCHEMA
from gemel.control.agent import BY_ITSELF, Apply, Change, Export, Logout, SetPassword, Show, Status
from gemel.control.door import Refused
from gemel.core.edit import edited
from gemel.daemons.agent import accounts
from gemel.daemons.agent.access import FAILURES, WITHIN
from gemel.daemons.agent.accounts import account, hashed
from tests.unit.areas.cluster import added, changed
from tests.unit.daemons.staff import PASSWORD, ROOT, WEB, Office

SESSION_SECONDS = 240 * 60


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same function, with parameters for people in a hurry."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(accounts, "_hasher", quick)
    monkeypatch.setattr(accounts, "_NOBODY", quick.hash("nobody"))
    yield


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.mark.parametrize(("name", "changes"), [("admin", True), ("ann", True), ("bob", False)])
def test_privileges(office: Office, name: str, changes: bool) -> None:
    token = office.login(name).token

    assert office.may(Show("rules", token=token)) and office.may(Status(token=token))
    for question in (Change(()), Apply(), Export(), SetPassword("ann", "x"), SetPassword("admin", "x")):
        assert office.may(replace(question, token=token)) == changes


@pytest.mark.parametrize("name", ["sync", "nil"])
def test_who_may_only_synchronise_has_no_session_at_all(office: Office, name: str) -> None:
    assert office.refusal(name) == "this account may not log in here"


def test_the_account_of_a_peer_has_that_one_privilege(office: Office) -> None:
    def rights(name: str) -> set[str]:
        found = account(office.config, name)
        return {right for right in ("all", "read-only", "ha-sync") if found is not None and found.may(right)}

    assert rights("sync") == {"ha-sync"}
    assert rights("bob") == {"read-only"}
    assert rights("ann") == rights("admin") == {"all", "read-only", "ha-sync"}


def test_without_a_token_only_root_is_somebody(office: Office) -> None:
    assert office.access.who(Apply(), ROOT) == "root"
    assert not office.may(Show("rules"), WEB)
    assert not office.may(Show("rules", token="guess"), WEB)
    assert not office.may(Show("rules", token="guess"), ROOT)  # a token says who it is for, whoever carries it


def test_a_refused_login_does_not_say_what_was_wrong(office: Office) -> None:
    office.config = changed(office.config, "users", "set", "ann", disabled=True)
    office.config = added(office.config, "users", "x", name="empty", privileges="all")

    said = {office.refusal(name, word, f"10.0.1.{i}") for i, (name, word) in enumerate(
        [("nobody", PASSWORD), ("admin", "guess"), ("ann", PASSWORD), ("empty", ""), ("", ""), ("ADMIN\n", PASSWORD)]
    )}  # fmt: skip

    assert said == {"wrong user name or password"}


def test_an_unknown_name_costs_as_many_hashes_as_a_known_one(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    verified = []

    class Counting(PasswordHasher):
        def verify(self, hash: Any, password: Any) -> Any:
            verified.append(hash)
            return super().verify(hash, password)

    monkeypatch.setattr(accounts, "_hasher", Counting(time_cost=1, memory_cost=8, parallelism=1))
    for name in ("nobody", "admin", "nil"):
        verified.clear()
        office.refusal(name, "guess")
        assert len(verified) == 1


def test_guessing_is_slowed_down_for_the_guesser_alone(office: Office) -> None:
    for _ in range(FAILURES):
        assert "wrong" in office.refusal("admin", "guess", "10.6.6.6")

    assert "too many failed logins: try again in 6" in office.refusal("admin", PASSWORD, "10.6.6.6")
    office.login("admin", remote="10.0.0.1")
    office.now += WITHIN + 1
    office.login("admin", remote="10.6.6.6")


def test_success_forgets_the_failures_before_it(office: Office) -> None:
    for _ in range(3):
        for _ in range(FAILURES - 1):
            office.refusal("admin", "guess")
        office.login("admin")


def test_a_session_ends_by_itself_if_it_is_not_used(office: Office) -> None:
    token = office.login("ann").token
    for _ in range(3):
        office.now += SESSION_SECONDS - 1
        assert office.may(Show("rules", token=token))

    office.now += SESSION_SECONDS + 1
    assert not office.may(Show("rules", token=token))


def test_a_session_ends_with_logout(office: Office) -> None:
    one, other = office.login("ann").token, office.login("ann").token
    assert one != other

    office.access.logout(one)

    assert not office.may(Logout(one)) and office.may(Logout(other))


@pytest.mark.parametrize(
    "change",
    [{"privileges": "read-only"}, {"privileges": "ha-sync"}, {"privileges": ""}, {"disabled": True}, {"name": "eve"}],
    ids=str,
)
def test_a_taken_right_is_gone_from_open_sessions_at_once(office: Office, change: dict[str, Any]) -> None:
    token = office.login("ann").token
    assert office.may(Apply(token=token))

    office.config = changed(office.config, "users", "set", "ann", **change)

    assert not office.may(Apply(token=token))
    assert office.may(Show("rules", token=token)) == (change.get("privileges") == "read-only")


def test_a_new_password_ends_the_sessions_of_the_old_one(office: Office) -> None:
    ann, admin = office.login("ann").token, office.login("admin").token

    for edit in accounts.password_edits(office.config, "ann", "another long one"):
        office.config = edited(SCHEMA, office.config, edit).config

    assert not office.may(Show("rules", token=ann)) and office.may(Show("rules", token=admin))
    office.login("ann", "another long one")


@pytest.mark.parametrize(("name", "password"), [("ann", "short"), ("longer.name", "Longer.Name"), ("ann", "")])
def test_a_password_that_will_not_do(name: str, password: str) -> None:
    with pytest.raises(Refused) as no:
        hashed(name, password)

    assert no.value.problems[0]["path"] == "password"


def test_only_hashes_are_kept(office: Office) -> None:
    assert PASSWORD not in str(SCHEMA.dump(office.config))
    assert office.config.named("admin").password_hash.startswith("$argon2id$")  # type: ignore[attr-defined]


def test_when_the_admins_password_goes_to_the_peer_the_stored_one_goes_along(office: Office) -> None:
    def areas() -> list[str]:
        return [edit.area for edit in accounts.password_edits(office.config, "admin", "another long one")]

    assert areas() == ["admin"]
    office.config = changed(office.config, "high_availability", synchronize_admin=True)
    assert areas() == ["admin", "high_availability"]
    with pytest.raises(Refused, match="there is no account 'eve'"):
        accounts.password_edits(office.config, "eve", "another long one")


def test_the_history_says_where_a_session_was_opened_also_after_a_restart(office: Office) -> None:
    token = office.login("ann", remote="192.168.1.50").token
    office.restart()
    made = office.access.origin(Apply(token=token), "ann")
    assert (made.who, made.where, made.when) == ("ann", "192.168.1.50", office.wall)
    assert office.access.origin(Apply(), "root").where == "the console"


def test_a_page_that_asks_by_itself_is_checked_and_keeps_no_session_open(office: Office) -> None:
    token = office.login("ann").token
    for _ in range(3):
        office.now += SESSION_SECONDS / 4
        assert office.may(Show("rules", token=f"{BY_ITSELF}{token}"))
    office.now += SESSION_SECONDS / 2
    assert not office.may(Show("rules", token=f"{BY_ITSELF}{token}"))
    assert not office.may(Show("rules", token=BY_ITSELF))
