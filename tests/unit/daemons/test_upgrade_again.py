"""An upgrade that was stopped or cut off: what is said of where it stands, and what the next one makes of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from gemel.daemons.upgrade.run import NotDone, TwoNodes
from gemel.daemons.upgrade.sight import Installation, Pair
from gemel.daemons.upgrade.steps import Order, Upgrade
from gemel.effects.packages import Package, Packages
from tests.unit.daemons.box import EVERYTHING, NEW, OLD, Box, Spoil, seen
from tests.unit.facts.node import node_status


@pytest.mark.parametrize(
    ("versions", "ours", "words"),
    [
        ({"fw1": OLD, "fw2": OLD}, False, "fw1 is in persistent CARP maintenance mode: `gemel carp maintenance off`"),
        ({"fw1": OLD, "fw2": OLD}, True, "fw1 is in persistent CARP maintenance mode: `gemel carp maintenance off`"),
        ({"fw1": OLD, "fw2": NEW}, False, "fw1 is in persistent CARP maintenance mode: `gemel carp maintenance off`"),
        ({"fw1": NEW, "fw2": NEW}, False, "nothing to upgrade, both nodes run 1.1; fw1 is in persistent CARP main"),
    ],
)
def test_maintenance_mode_is_somebodys_wish_and_is_not_ended_by_an_upgrade(
    versions: dict[str, str], ours: bool, words: str
) -> None:
    box = Box(dict(versions), maintenance=True, ours=ours)
    assert not box.run() and box.log == [] and box.maintenance and words in box.said[-1]


RESUMED: list[tuple[str, bool, Spoil, str]] = [
    (OLD, True, lambda _b, _m, t: t["carp"][1].update(state="BACKUP"), "LAN@1 is BACKUP on fw2"),
    (NEW, True, lambda _b, m, _t: m["demotion"].update(dhcp=100), "fw1 stands back: dhcp (100)"),
    (NEW, True, lambda _b, m, _t: m["state_sync"].update(status="joining"), "fw1 says 'joining'"),
]


@pytest.mark.parametrize(("version", "ours", "spoil", "words"), RESUMED, ids=[r[3] for r in RESUMED])
def test_one_that_is_gone_on_with_looks_as_closely(version: str, ours: bool, spoil: Spoil, words: str) -> None:
    box = Box({"fw1": version, "fw2": NEW}, maintenance=True, ours=ours, spoil=spoil)
    assert not box.run() and box.log == [] and words in box.said[-1]
    assert f"fw1 stands by with {version}, in maintenance mode (`gemel carp maintenance off` ends it)" in box.said[-1]


@pytest.mark.parametrize(
    ("unwell", "words"),
    [
        ({"maintenance": True}, "fw2 is in persistent CARP maintenance mode"),
        ({"demotion": {"dhcp": 100}}, "fw2 stands back: dhcp (100)"),
        ({"problems": ["carpd does not answer"]}, "fw2: carpd does not answer"),
    ],
)
def test_a_hand_over_that_did_not_come_about_is_not_tried_again_to_a_peer_that_is_unwell(
    unwell: dict[str, Any], words: str
) -> None:
    def stays(_box: Box, mine: dict[str, Any], theirs: dict[str, Any]) -> None:
        for node, state in ((mine, "MASTER"), (theirs, "BACKUP")):
            for vip in node["carp"]:
                vip["state"] = state
        theirs.update(unwell)

    box = Box({"fw1": OLD, "fw2": NEW}, maintenance=True, ours=True, spoil=stays)
    assert not box.run() and box.log == [] and words in box.said[-1]


@pytest.mark.parametrize("node", ["fw1", "fw2"])
@pytest.mark.parametrize(
    ("report", "words"),
    [
        (Installation("broken", "Gemel 1.1 is unpacked: `dpkg --configure -a`"), ": Gemel 1.1 is unpacked: `dpkg --c"),
        (Installation("running", "Unpacking"), "apt is at work on {}, wait until it is done: Unpacking"),
        (Installation("unknown", "no answer"), "{} does not say how its last installation ended: no answer"),
    ],
)
@pytest.mark.parametrize("there", [OLD, NEW])
def test_a_version_that_runs_is_not_yet_a_good_installation(
    node: str, report: Installation, words: str, there: str
) -> None:
    box = Box({"fw1": OLD, "fw2": there}, reports={node: report})
    assert not box.run() and box.log == [] and words.format(node) in box.said[-1]


def test_apt_that_refused_something_earlier_is_in_nobodys_way() -> None:
    box = Box({"fw1": OLD, "fw2": NEW}, reports={"fw2": Installation("failed", "E: Unmet dependencies")})
    assert box.run() and box.log == EVERYTHING[1:]


def ordered(there: str = NEW) -> tuple[Upgrade, Pair]:
    """The peer was told to install, and looks well with version `there`."""
    upgrade = Upgrade(NEW, 90.0)
    well = {"fw1": node_status("fw1", "MASTER", software=OLD), "fw2": node_status("fw2", "BACKUP", software=OLD)}
    assert upgrade.next(seen(well["fw1"], well["fw2"]), 0.0).kind == "install there"
    return upgrade, seen(well["fw1"], {**well["fw2"], "software": there})


def test_a_node_is_not_back_while_apt_is_still_at_work_on_it() -> None:
    upgrade, pair = ordered()
    assert upgrade.next(pair, 1.0, there=Installation("running")).kind == "wait"
    assert upgrade.next(pair, 2.0, there=Installation("unknown", "no answer")).kind == "wait"
    assert upgrade.next(pair, 3.0, there=Installation("done")).kind == "hand over"


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (Installation("broken", "half-configured"), "could not be installed: half-configured"),
        (Installation("none"), "could not be installed: it left no trace, is the disk full?"),
    ],
)
def test_an_installation_that_failed_is_said_though_the_node_runs_the_new_version(
    report: Installation, words: str
) -> None:
    upgrade, pair = ordered()
    order = upgrade.next(pair, 1.0, there=report)
    assert order.kind == "stop" and words in order.text
    assert "fw1 serves as before, with 1.0; fw2 stands by with 1.1. Look at fw2" in order.text


def test_when_the_time_is_over_and_apt_goes_on_that_is_said() -> None:
    upgrade, pair = ordered(OLD)
    text = upgrade.next(pair, 90.0, there=Installation("running", "Waiting for cache lock")).text
    assert "fw2 runs 1.0, not 1.1; apt is still at work on fw2, and is going to restart Gemel there by itself" in text
    assert "Waiting for cache lock" in text


STANDS = [
    ("install there", "fw1 serves as before, with 1.0; fw2 stands by with 1.0. Look at fw2"),
    ("hand over", "fw1 serves as before, with 1.0; fw2 stands by with 1.1."),
    (
        "install here",
        "fw1 stands by with 1.0, in maintenance mode (`gemel carp maintenance off` ends it); fw2 serves with",
    ),
    (
        "hand back",
        "fw1 stands by with 1.1, in maintenance mode (`gemel carp maintenance off` ends it); fw2 serves with",
    ),
]


@pytest.mark.parametrize(("refuses", "stands"), STANDS)
def test_an_order_that_cannot_be_carried_out_ends_it_and_where_it_stands_is_what_is_seen(
    refuses: str, stands: str
) -> None:
    box = Box(refuses=refuses)
    assert not box.run() and box.log[-1] == refuses
    assert "does not install the package: no room" in box.said[-1] and stands in box.said[-1]
    assert ("maintenance mode" in box.said[-1]) == box.maintenance


def test_a_peer_that_stops_serving_while_this_node_installs_is_not_said_to_serve() -> None:
    def lost(box: Box, _mine: dict[str, Any], theirs: dict[str, Any]) -> None:
        if box.log[-1:] == ["install here"]:
            theirs["carp"][1]["state"] = "INIT"

    box = Box(spoil=lost, takes=1)
    assert not box.run() and "LAN@1 is INIT on fw2" in box.said[-1] and "fw2 serves" not in box.said[-1]
    assert "fw2 is MASTER of WAN@200 and not of LAN@1, with 1.1" in box.said[-1]


GEMEL = """\
#!/bin/sh
cd "$(dirname "$0")" || exit 1
case "$*" in
    "status --json") cat "$(cat state).json" ;;
    "carp maintenance "*) echo "$3" >state ;;
esac
"""


def test_maintenance_mode_that_an_upgrade_set_is_known_by_the_next_until_it_has_ended(tmp_path: Path) -> None:
    (tmp_path / "gemel").write_text(GEMEL)
    (tmp_path / "gemel").chmod(0o755)
    for state in ("on", "off"):
        mine = node_status("fw1", "MASTER", software=NEW, maintenance=state == "on")
        (tmp_path / f"{state}.json").write_text(json.dumps(mine))
    (tmp_path / "state").write_text("on")
    mark = tmp_path / "mark"
    package = Package(tmp_path / "new.deb", NEW, "")
    hands = TwoNodes(package, Packages(tmp_path), str(tmp_path / "gemel"), mark)

    def maintenance() -> tuple[bool, bool]:
        pair = hands.look()
        assert pair
        return pair.here.maintenance, mark.exists()

    assert maintenance() == (True, False), "somebody's wish"
    (tmp_path / "state").write_text("off")
    hands.do(Order("hand over"))
    assert maintenance() == (True, True)
    hands.do(Order("hand back"))
    assert maintenance() == (False, False)
    with pytest.raises(NotDone, match="No such file"):
        TwoNodes(package, Packages(tmp_path), mark=tmp_path / "gone/mark").do(Order("hand over"))
