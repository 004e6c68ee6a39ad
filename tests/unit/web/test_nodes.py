"""Both nodes side by side, the time line, and the links to the other node's pages."""

from gemel.facts.peer import Sight, heard, peer_section, told
from gemel.web.pages.nodes import standings
from gemel.web.pages.time_line import WIDTH, lasted, time_line
from tests.unit.facts.node import node_status

NOW = 1_000_000.0


def peer(age: float = 0.2, why: str = "", **changes: object) -> dict[str, object] | None:
    status = node_status("fw2", "BACKUP", **changes)
    return peer_section(Sight(heard(told(status)), age, why))


def change(ago: float, before: str, after: str, name: str = "WAN@200", cause: str = "so") -> dict[str, object]:
    return {"at": NOW - ago, "name": name, "before": before, "after": after, "cause": cause, "outage": None}


def test_reasons_and_amounts_of_both_nodes() -> None:
    status = node_status(demotion={"link wan": 240, "gone": 0}, waived={"state sync": 24}) | {
        "peer": peer(demotion={"maintenance": 240}, maintenance=True, web_address="https://192.168.1.3")
    }
    mine, theirs = standings(status)
    assert [(r.text, r.amount, r.waived) for r in mine.reasons] == [("link wan", 240, False), ("state sync", 24, True)]
    assert (mine.demotion, theirs.demotion) == (240, 240) and theirs.maintenance
    assert theirs.roles == ("2 BACKUP",) and theirs.web == "https://192.168.1.3"
    assert not theirs.silent and len(standings(node_status())) == 1


def test_a_silent_peers_last_words_are_not_shown_as_if_they_were_true() -> None:
    mine, theirs = standings(node_status() | {"peer": peer(7.4, "no route", web_address="https://192.168.1.3")})
    assert mine.config_status == "was in sync"
    assert theirs.silent == "nothing is heard of it for 7 s: no route"
    assert (theirs.roles, theirs.states, theirs.problems) == ((), 0, ())
    assert theirs.name == "fw2" and theirs.web


def test_what_a_peer_says_is_linked_only_if_it_is_https() -> None:
    for said in ("javascript:alert(1)", "http://192.168.1.3", "https://a\nb"):
        assert standings(node_status() | {"peer": peer(web_address=said)})[1].web == ""


def test_lanes_cover_the_window_without_gaps() -> None:
    rows = [change(100, "MASTER", "BACKUP"), change(400, "BACKUP", "MASTER"), change(30, "INIT", "BACKUP", "LAN@1")]
    line = time_line(rows, NOW)
    assert line is not None and line.window == "10 minutes"
    assert [lane.name for lane in line.lanes] == ["LAN@1", "WAN@200"]
    wan = line.lanes[1].pieces
    assert [p.state for p in wan] == ["backup", "master", "backup"]
    assert wan[0].x == 0 and round(sum(p.width for p in wan)) == WIDTH
    assert "MASTER for 5 min, so" in wan[1].words
    assert time_line([], NOW) is None


def test_the_window_is_as_long_as_what_it_shows() -> None:
    assert time_line([change(5000, "BACKUP", "MASTER")], NOW).window == "6 hours"  # type: ignore[union-attr]
    short = time_line([change(3000.0, "BACKUP", "MASTER"), change(2999.9, "MASTER", "BACKUP")], NOW)
    assert short is not None and all(p.width >= 2 and p.x + p.width <= WIDTH for p in short.lanes[0].pieces)


def test_durations_in_words() -> None:
    assert [lasted(s) for s in (0.052, 3.25, 45, 200, 3600, 5400, 90_000, 200_000)] == [
        "52 ms", "3.2 s", "45 s", "3 min 20 s", "60 min", "1 h 30 min", "25 h", "2 days 7 h"
    ]  # fmt: skip
