"""One failover makes one notification, and a problem that comes and goes does not make a flood."""

from gemel.core.event import LOGIN, PROBLEM, ROLE, SYNC, Event
from gemel.facts.notices import AGAIN, LONGEST, MOST, SETTLE, Digest

WANTED = (ROLE, PROBLEM, SYNC)


def role(name: str, after: str = "MASTER") -> Event:
    data = {"after": after, "reason": "no advert for 3.00 s"}
    return Event(1.0, ROLE, name, f"BACKUP → {after}: no advert for 3.00 s", None, data)


def problem(text: str) -> Event:
    return Event(1.0, PROBLEM, "this node", text, False)


def test_all_of_a_failover_is_one_notice() -> None:
    digest = Digest("fw2")
    for i, event in enumerate((role("WAN@200"), role("LAN@1"), problem("flowd: connecting"))):
        digest.add(event, WANTED, 100.0 + i)
        assert digest.take(100.0 + i) is None
    assert digest.deadline == 102.0 + SETTLE
    notice = digest.take(102.0 + SETTLE)
    assert notice is not None and len(notice.events) == 3
    assert notice.subject == "[fw2] MASTER of WAN@200, LAN@1 (no advert for 3.00 s)"
    assert notice.text.count("\n") == 2 and "flowd: connecting" in notice.text
    assert digest.deadline is None


def test_a_role_that_never_rests_is_told_all_the_same() -> None:
    digest = Digest("fw2")
    for i in range(20):
        digest.add(role("WAN@200", "MASTER" if i % 2 else "BACKUP"), WANTED, 100.0 + i)
    assert digest.deadline == 100.0 + LONGEST


def test_the_same_problem_is_told_once_an_hour() -> None:
    digest = Digest("fw1")
    for i in range(10):
        digest.add(problem(f"peer silent for {i} s"), WANTED, 100.0 + 60 * i)
    notice = digest.take(1000.0)
    assert notice is not None and len(notice.events) == 1 and "peer silent" in notice.subject
    digest.add(problem("peer silent for 9 s"), WANTED, 100.0 + AGAIN + 1)
    assert digest.deadline is not None


def test_what_nobody_wants_is_not_told() -> None:
    digest = Digest("fw1")
    digest.add(Event(1.0, LOGIN, "admin", "logged in"), WANTED, 100.0)
    assert digest.deadline is None and digest.take(1e9) is None


def test_a_flood_waits_and_comes_in_one() -> None:
    digest, now, sent = Digest("fw1"), 100.0, 0
    for i in range(100):
        now = 100.0 + 20 * i
        digest.add(role("WAN@200"), WANTED, now)
        sent += digest.take(now + SETTLE) is not None
    assert sent == MOST
    assert digest.deadline is not None
    late = digest.take(digest.deadline)
    assert late is not None and len(late.events) == 100 - MOST
