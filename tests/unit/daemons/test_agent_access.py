"""Second factors, sessions over a restart, API keys: what the agent decides about those who come in."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest

from gemel.areas.api_keys import API_KEYS, ApiKey
from gemel.control.agent import (
    KEY_PREFIX,
    Apply,
    AskAccount,
    Login,
    LoginCode,
    LogoutEverywhere,
    News,
    Show,
    Status,
)
from gemel.control.door import Refused
from gemel.daemons.agent.access import TICKET_SECONDS, WITHIN, WRONG_CODES
from gemel.daemons.agent.remembered import WRITE_AFTER, Remembered, digest
from gemel.daemons.agent.second_factor import recovery_codes, recovery_hash, step_of
from tests.unit.areas.cluster import changed
from tests.unit.daemons.staff import PASSWORD, WEB, Office

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
CODES = recovery_codes()
KEY = f"{KEY_PREFIX}11111111_{'s' * 43}"


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def guarded() -> Office:
    """Ann needs a second factor."""
    office = Office()
    users = office.config.named("users")
    items = [
        u.model_copy(update={"totp": SECRET, "recovery": tuple(map(recovery_hash, CODES))}) if u.name == "ann" else u
        for u in users.items  # type: ignore[attr-defined]
    ]
    office.config = office.config.having(users=users.model_copy(update={"items": tuple(items)}))
    return office


def code(office: Office, steps: int = 0) -> str:
    return pyotp.TOTP(SECRET).at(int(office.wall) + 30 * steps)


def refused(work: Any) -> str:
    with pytest.raises(Refused) as no:
        work()
    return str(no.value)


def key(office: Office, **values: Any) -> None:
    made = ApiKey.model_validate({"id": "11111111", "name": "k", "key_hash": digest(KEY), "privilege": "all", **values})
    office.config = office.config.having(api_keys=office.config[API_KEYS].model_copy(update={"items": (made,)}))


# Second factors ---------------------------------------------------------------------------------------------------


def test_the_codes_are_those_of_the_rfc() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238, appendix B, the last six digits
    for when, said in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        assert step_of(secret, said, when, -1) == when // 30
        assert step_of(secret, said, when + 61, -1) is None
        assert step_of(secret, said, when, when // 30) is None, "used before"


def test_the_password_gives_a_ticket_and_the_code_the_session(guarded: Office) -> None:
    first = guarded.login("ann")
    assert (first.token, first.privileges) == ("", ()) and first.ticket
    assert not guarded.may(Show("rules", token=first.ticket)), "a ticket is no session"
    session = guarded.second_step(first, code(guarded))
    assert guarded.may(Apply(token=session.token))
    assert "took too long" in refused(lambda: guarded.second_step(first, code(guarded, 1))), "tickets are good once"


def test_programs_send_both_at_once(guarded: Office) -> None:
    assert guarded.login("ann", code=code(guarded)).token
    assert "code is wrong" in guarded.refusal("ann", code="123")
    assert "wrong user name or password" in guarded.refusal("ann", "guess", code=code(guarded, 1))


def test_a_code_is_good_once_even_after_a_restart(guarded: Office) -> None:
    said = code(guarded)
    guarded.login("ann", code=said)
    guarded.restart()
    assert "used before" in guarded.refusal("ann", code=said)


def test_a_clock_may_be_off_by_a_step_and_no_more(guarded: Office) -> None:
    assert guarded.refusal("ann", code=code(guarded, -2)) and guarded.refusal("ann", code=code(guarded, 2))
    assert guarded.login("ann", code=code(guarded, -1)).token
    assert guarded.login("ann", code=code(guarded, 1)).token


def test_a_ticket_is_of_one_place_and_one_password_and_short(guarded: Office) -> None:
    first = guarded.login("ann")
    elsewhere = LoginCode(first.ticket, code(guarded), "10.9.9.9")
    assert "log in again" in refused(lambda: guarded.access.login_code(elsewhere))
    guarded.config = changed(guarded.config, "users", "set", "ann", disabled=True)
    assert "log in again" in refused(lambda: guarded.second_step(first, code(guarded)))
    guarded.config = changed(guarded.config, "users", "set", "ann", disabled=False)
    guarded.now += TICKET_SECONDS + 1
    assert "log in again" in refused(lambda: guarded.second_step(first, code(guarded)))


def test_codes_are_not_to_be_guessed_even_from_many_places(guarded: Office) -> None:
    for number in range(WRONG_CODES):
        assert "code is wrong" in guarded.refusal("ann", remote=f"10.0.0.{number}", code="000000")
    assert "too many wrong codes" in guarded.refusal("ann", remote="10.0.1.1", code=code(guarded))
    guarded.login("bob", remote="10.0.1.2")
    guarded.now += 601
    assert guarded.login("ann", remote="10.0.1.1", code=code(guarded)).token


def test_wrong_codes_slow_their_source_down_as_wrong_passwords_do(guarded: Office) -> None:
    first = guarded.login("ann")
    for _ in range(5):
        assert "code is wrong" in refused(lambda: guarded.second_step(first, "000000"))
    assert "too many failed logins" in guarded.refusal("bob")
    guarded.now += WITHIN + 1
    guarded.login("bob")


def test_recovery_codes_are_good_once_each_on_this_node(guarded: Office) -> None:
    assert len(set(CODES)) == 8
    assert guarded.login("ann", code=CODES[0]).token
    guarded.restart()
    assert "used before" in guarded.refusal("ann", code=CODES[0])
    assert guarded.login("ann", code=CODES[1].upper().replace("-", " ")).token
    assert guarded.remembered.used("ann") == {recovery_hash(c) for c in CODES[:2]}


# Sessions ---------------------------------------------------------------------------------------------------------


def test_sessions_outlive_the_agent_and_only_hashes_of_them_are_written(tmp_path: Path) -> None:
    office = Office()
    files = tmp_path / "run" / "sessions.json", tmp_path / "logins.json"
    office.remembered = Remembered(*files)
    office.restart()
    token, gone = office.login("ann").token, office.login("bob").token
    office.access.logout(gone)
    written = files[0].read_text()
    assert token not in written and digest(token) in written and PASSWORD not in written
    assert files[0].stat().st_mode & 0o777 == 0o600
    office.remembered = Remembered(*files)
    office.restart()
    assert office.may(Show("rules", token=token)) and not office.may(Show("rules", token=gone))
    assert not office.may(Show("rules", token=digest(token))), "what is written opens nothing"
    office.config = changed(office.config, "users", "set", "ann", disabled=True)
    assert not office.may(Show("rules", token=token))


def test_what_cannot_be_read_is_as_good_as_nothing(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"x": {"username": 1}}', '{"codes": {"ann": 7}, "steps": {"ann": "x"}, "keys": 3}'):
        (tmp_path / "s").write_text(text)
        found = Remembered(tmp_path / "s", tmp_path / "s")
        assert found.session("x", 0.0) is None and found.used("ann") == frozenset() and found.step("ann") == -1


def test_a_click_keeps_a_session_open_but_writes_no_file_each_time(tmp_path: Path) -> None:
    office = Office()
    office.remembered = Remembered(tmp_path / "s")
    office.restart()
    token = office.login("ann").token
    written = (tmp_path / "s").stat().st_mtime_ns
    office.now += WRITE_AFTER / 2
    assert office.may(Show("rules", token=token)) and (tmp_path / "s").stat().st_mtime_ns == written
    office.now += WRITE_AFTER
    assert office.may(Show("rules", token=token)) and (tmp_path / "s").stat().st_mtime_ns != written


def test_the_time_that_a_session_lasts_is_set_on_admin_access(office: Office) -> None:
    office.config = changed(office.config, "admin_access", session_timeout=5)
    session = office.login("ann")
    assert session.seconds == 300
    for _ in range(3):
        office.now += 299
        assert office.may(Show("rules", token=session.token))
    office.now += 299
    assert office.may(News(token=session.token)) and office.may(Status(token=f"by-itself:{session.token}"))
    office.now += 2
    assert not office.may(Show("rules", token=session.token)), "what a page loads by itself does not count"


# API keys ---------------------------------------------------------------------------------------------------------


def test_a_key_acts_for_its_account_and_says_so(office: Office) -> None:
    key(office)
    assert office.access.who(Apply(token=KEY), WEB) == "admin (API key k)"
    assert office.access.privileges("admin (API key k)") == ("all",)
    assert not office.may(AskAccount(token=KEY)) and not office.may(LogoutEverywhere(token=KEY))
    assert not office.may(Apply(token=KEY[:-1] + "x")) and not office.may(Apply(token=KEY_PREFIX))
    assert not office.may(Apply(token=f"{KEY_PREFIX}22222222_{'s' * 43}"))


def test_a_key_may_what_both_it_and_its_account_may(office: Office) -> None:
    key(office, privilege="read-only")
    assert office.may(Show("rules", token=KEY)) and not office.may(Apply(token=KEY))
    key(office, user=_id(office, "bob"))
    assert office.may(Show("rules", token=KEY)) and not office.may(Apply(token=KEY))
    for nobody in ("nil", "sync"):
        key(office, user=_id(office, nobody))
        assert not office.may(Show("rules", token=KEY))
    key(office, user="gone")
    assert not office.may(Show("rules", token=KEY))


def test_a_key_ends_with_its_day_and_with_its_account(office: Office) -> None:
    today = date.fromtimestamp(office.wall)
    key(office, expires=today.isoformat(), user=_id(office, "ann"))
    assert office.may(Apply(token=KEY))
    office.config = changed(office.config, "users", "set", "ann", disabled=True)
    assert not office.may(Apply(token=KEY))
    key(office, expires=(today - timedelta(days=1)).isoformat())
    assert not office.may(Apply(token=KEY))
    assert office.access.key_wrong(office.config[API_KEYS].items[0]) == "it has expired"


def test_when_a_key_was_used_last_is_remembered_and_of_gone_keys_nothing(office: Office, tmp_path: Path) -> None:
    office.remembered = Remembered(None, tmp_path / "logins")
    office.restart()
    key(office)
    assert office.remembered.key_used("11111111") is None
    office.may(Show("rules", token=KEY))
    first = office.wall
    office.now += 1
    office.may(Show("rules", token=KEY))
    assert office.remembered.key_used("11111111") == first, "not written for each use"
    assert Remembered(None, tmp_path / "logins").key_used("11111111") == first
    office.remembered.use_key("22222222", office.wall, frozenset({"22222222"}))
    assert office.remembered.key_used("11111111") is None


def test_a_login_without_a_name_that_is_one(office: Office) -> None:
    for name in ("", "\ud800", "a" * 500, "admin\x00"):
        assert "wrong user name" in refused(lambda name=name: office.access.login(Login(name, "\ud800", "10.3.3.3")))
        office.now += WITHIN


def _id(office: Office, name: str) -> str:
    return next(u.id for u in office.config.named("users").items if u.name == name)  # type: ignore[attr-defined]
