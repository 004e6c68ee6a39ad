"""The upgrade of a pair as scripts of what is seen: what is done, in which order, and where it stops."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gemel.control.agent import AskPeerInstall, UpgradePeer
from gemel.daemons.upgrade.run import NotDone, TwoNodes, carry_out
from gemel.daemons.upgrade.sight import Installation, Pair, pair_of
from gemel.daemons.upgrade.steps import COMES_BACK, Order, Upgrade
from gemel.effects.packages import Package, Packages
from gemel.facts.peer import Sight, heard, peer_section, safe_to_fail_over, told
from tests.unit.daemons.agent import WEB, running
from tests.unit.facts.node import node_status

OLD, NEW = "1.0", "1.1"


def seen(mine: dict[str, Any], theirs: dict[str, Any], silent: str = "") -> Pair:
    """Through everything that is between the nodes and the upgrade: what they tell, the verdict, the status."""
    sight = Sight(heard(told(theirs)), 9.0 if silent else 0.5, silent)
    return pair_of({**mine, "peer": peer_section(sight), "safe_to_fail_over": safe_to_fail_over(mine, sight)})


@dataclass
class Box:
    """Two nodes. An installation takes `takes` looks, in the middle of which its node is silent."""

    versions: dict[str, str] = field(default_factory=lambda: {"fw1": OLD, "fw2": OLD})
    maintenance: bool = False
    ours: bool = False
    reports: dict[str, Installation] = field(default_factory=dict)
    takes: int = 4
    refuses: str = ""
    starts: dict[str, bool] = field(default_factory=dict)
    broken_apt: str = ""
    spoil: Callable[["Box", dict[str, Any], dict[str, Any]], None] = lambda *_: None
    log: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    now: float = 0.0
    look_takes: float = 0.0
    paused: list[float] = field(default_factory=list)
    installing: str = ""
    installed: set[str] = field(default_factory=set)
    left: int = 0

    def run(self) -> bool:
        return carry_out(Upgrade(NEW, ours=self.ours), self, self.said.append, lambda: self.now, self.pause)

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.now += seconds
        if self.installing and self.left > 0 and not self.broken_apt:
            self.left -= 1
            if self.left == 0 and self.starts.get(self.installing, True):
                self.versions[self.installing] = NEW
                self.installed.add(self.installing)
                self.installing = ""

    def look(self) -> Pair | None:
        self.now += self.look_takes
        away = self.installing if self.left < self.takes - 1 else ""
        if away == "fw1":
            return None
        first, second = ("BACKUP", "MASTER") if self.maintenance else ("MASTER", "BACKUP")
        mine = node_status("fw1", first, software=self.versions["fw1"], maintenance=self.maintenance)
        mine["demotion"] = {"maintenance": 240} if self.maintenance else {}
        theirs = node_status("fw2", second, software=self.versions["fw2"])
        self.spoil(self, mine, theirs)
        return seen(mine, theirs, "no answer from 172.16.1.3:443" if away else "")

    def installation(self, there: bool) -> Installation:
        node = "fw2" if there else "fw1"
        if self.installing not in ("", node):
            raise AssertionError(f"{node} was asked, it is {self.installing}'s turn")
        if node in self.reports:
            return self.reports[node]
        if self.installing != node:
            return Installation("done" if node in self.installed else "none")
        if self.broken_apt:
            return Installation("failed", self.broken_apt)
        return Installation("unknown", "no answer") if self.left < self.takes - 1 else Installation("running")

    def do(self, order: Order) -> None:
        self.log.append(order.kind)
        if order.kind == self.refuses:
            raise NotDone("172.16.1.3:443 does not install the package: no room")
        if order.kind.startswith("install"):
            self.installing, self.left = ("fw2" if order.kind == "install there" else "fw1"), self.takes
        else:
            self.maintenance = order.kind == "hand over"


def test_only_root_sends_packages(tmp_path: Path) -> None:
    agent = running(tmp_path)
    for question in (UpgradePeer("/root/gemel.deb"), AskPeerInstall()):
        assert "log in first" in str(agent.refusal(question, WEB))
        assert "only the primary of a pair" in str(agent.refusal(question)), "its keys are not exchanged yet"


EVERYTHING = ["install there", "hand over", "install here", "hand back"]


def test_both_nodes_get_the_new_version_and_the_roles_are_as_before() -> None:
    box = Box()
    assert box.run() and box.log == EVERYTHING
    assert box.versions == {"fw1": NEW, "fw2": NEW} and not box.maintenance
    assert box.said == [
        "fw2 gets 1.1; fw1 goes on serving", "fw2 runs 1.1 and stands by; the virtual IPs go there",
        "fw2 serves; fw1 gets 1.1", "fw1 runs 1.1; the virtual IPs come back", "Both nodes run 1.1.",
    ]  # fmt: skip


def test_what_both_run_already_is_left_alone() -> None:
    box = Box({"fw1": NEW, "fw2": NEW})
    assert box.run() and box.log == []


def test_on_a_slow_machine_looks_leave_most_of_the_time_to_the_installation() -> None:
    fast, slow = Box(), Box(look_takes=8.0)
    assert fast.run()
    assert slow.run()
    assert set(fast.paused) == {2.0}
    assert set(slow.paused) == {16.0}


@pytest.mark.parametrize(
    ("versions", "maintenance", "left"),
    [
        ({"fw1": OLD, "fw2": NEW}, False, EVERYTHING[1:]),
        ({"fw1": OLD, "fw2": NEW}, True, EVERYTHING[2:]),
        ({"fw1": NEW, "fw2": NEW}, True, EVERYTHING[3:]),
        ({"fw1": NEW, "fw2": OLD}, False, EVERYTHING[:1]),
    ],
)
def test_one_that_stopped_goes_on_where_it_stood(versions: dict[str, str], maintenance: bool, left: list[str]) -> None:
    box = Box(dict(versions), maintenance, ours=maintenance)
    assert box.run() and box.log == left and not box.maintenance


def states_differ(_box: Box, mine: dict[str, Any], _theirs: dict[str, Any]) -> None:
    mine["state_sync"] = {**mine["state_sync"], "agreement": "differs"}


UNFIT: list[tuple[Callable[[Box, dict[str, Any], dict[str, Any]], None], str]] = [
    (lambda _b, m, _t: m.update(role_config="secondary"), "a pair is upgraded from its primary"),
    (lambda _b, _m, t: t.update(carp_enabled=False), "CARP is disabled on fw2"),
    (lambda _b, _m, t: t.update(software=""), "fw2 does not tell its version"),
    (lambda _b, _m, t: t["carp"][0].update(state="INIT"), "WAN@200 is MASTER on fw1 and INIT on fw2"),
    (lambda _b, m, _t: m["config_sync"].update(status="waiting"), "not proven to be the same on both: waiting"),
    (states_differ, "the state tables differ"),
]


@pytest.mark.parametrize(("spoil", "words"), UNFIT, ids=[words for _, words in UNFIT])
def test_a_pair_that_is_not_well_is_left_as_it_is(
    spoil: Callable[[Box, dict[str, Any], dict[str, Any]], None], words: str
) -> None:
    box = Box(spoil=spoil)
    assert not box.run() and box.log == []
    assert words in box.said[-1] and "Nothing has been changed." in box.said[-1]


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


RESUMED: list[tuple[str, bool, Callable[[Box, dict[str, Any], dict[str, Any]], None], str]] = [
    (OLD, True, lambda _b, _m, t: t["carp"][1].update(state="BACKUP"), "LAN@1 is BACKUP on fw2"),
    (NEW, True, lambda _b, m, _t: m["demotion"].update(dhcp=100), "fw1 stands back: dhcp (100)"),
    (NEW, True, lambda _b, m, _t: m["state_sync"].update(status="joining"), "fw1 says 'joining'"),
]


@pytest.mark.parametrize(("version", "ours", "spoil", "words"), RESUMED, ids=[r[3] for r in RESUMED])
def test_one_that_is_gone_on_with_looks_as_closely(
    version: str, ours: bool, spoil: Callable[[Box, dict[str, Any], dict[str, Any]], None], words: str
) -> None:
    box = Box({"fw1": version, "fw2": NEW}, maintenance=True, ours=ours, spoil=spoil)
    assert not box.run() and box.log == [] and words in box.said[-1]


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


def test_a_package_that_does_not_start_leaves_the_primary_serving() -> None:
    box = Box(starts={"fw2": False})
    assert not box.run() and box.log == ["install there"] and not box.maintenance
    said = box.said[-1]
    assert "nothing is heard of fw2: no answer from 172.16.1.3:443" in said and box.now >= COMES_BACK
    assert (
        "fw1 serves as before, with 1.0; not heard of now, when last heard: fw2 stands by" in said
        and "Look at fw2" in said
        and "goes on from here" in said
    )


def test_how_long_a_node_may_take_is_for_the_administrator_to_say() -> None:
    upgrade = Upgrade("1.1", 90.0)
    pair = seen(node_status("fw1", "MASTER", software="1.0"), node_status("fw2", "BACKUP", software="1.0"))
    assert upgrade.next(pair, 0.0).kind == "install there"
    assert upgrade.next(pair, 89.0, there=Installation("running")).kind == "wait"
    assert "waited 90 s in vain: fw2 runs 1.0, not 1.1" in upgrade.next(pair, 90.0).text


def test_a_package_that_does_not_start_here_leaves_the_peer_serving() -> None:
    box = Box(starts={"fw1": False})
    assert not box.run() and box.log == EVERYTHING[:3] and box.maintenance
    assert "this node's agent does not answer" in box.said[-1]
    assert (
        "Seen last: fw1 stands by with 1.0, in maintenance mode (`gemel carp maintenance off` ends it); "
        in box.said[-1]
    )
    assert "fw2 serves with 1.1. Look here" in box.said[-1]


def test_what_apt_says_is_said_at_once() -> None:
    box = Box(broken_apt="E: Unmet dependencies")
    assert not box.run() and box.log == ["install there"] and box.now == 0.0
    assert "the package could not be installed: E: Unmet dependencies" in box.said[-1]


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


def test_a_primary_that_loses_a_role_while_the_peer_is_away_is_not_gone_on_with() -> None:
    def lost(box: Box, mine: dict[str, Any], _theirs: dict[str, Any]) -> None:
        if box.installing == "fw2":
            mine["carp"][1]["state"] = "BACKUP"

    box = Box(spoil=lost)
    assert not box.run() and box.log == ["install there"] and "LAN@1 is BACKUP on fw1" in box.said[-1]
    assert "fw1 is MASTER of WAN@200 and not of LAN@1, with 1.0" in box.said[-1] and "serves" not in box.said[-1]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.update(demotion={"dhcp": 100}), "fw2 stands back: dhcp (100)"),
        (lambda t: t["state_sync"].update(in_sync=False, status="joining"), "fw2 says 'joining'"),
        (lambda t: t.update(problems=["carpd does not answer"]), "fw2: carpd does not answer"),
        (lambda t: t["carp"].pop(), "do not have the same virtual IPs"),
    ],
)
def test_a_peer_that_comes_back_unwell_gets_no_virtual_ip(spoil: Callable[[Any], None], words: str) -> None:
    def with_new(box: Box, _mine: dict[str, Any], theirs: dict[str, Any]) -> None:
        if box.versions["fw2"] == NEW:
            spoil(theirs)

    box = Box(spoil=with_new)
    assert not box.run() and box.log == ["install there"] and not box.maintenance and words in box.said[-1]


def test_configurations_of_two_versions_are_no_reason_to_stop_half_way() -> None:
    def refused(box: Box, mine: dict[str, Any], theirs: dict[str, Any]) -> None:
        if len(set(box.versions.values())) > 1:
            mine["config_sync"].update(status="refused", last_error="fw1 runs Gemel 1.0 (configuration version 1), ...")
            theirs["problems"] = ["from the peer: fw1 runs Gemel 1.0 (configuration version 1), ..."]

    box = Box(spoil=refused)
    assert box.run() and box.log == EVERYTHING


def test_a_hand_over_that_does_not_come_about_says_how_to_get_back() -> None:
    def stays(_box: Box, mine: dict[str, Any], theirs: dict[str, Any]) -> None:
        for vip in mine["carp"]:
            vip["state"] = "MASTER"
        for vip in theirs["carp"]:
            vip["state"] = "BACKUP"

    box = Box(spoil=stays)
    assert not box.run() and box.log == EVERYTHING[:2]
    assert "WAN@200 is BACKUP on fw2" in box.said[-1] and "`gemel carp maintenance off`" in box.said[-1]
