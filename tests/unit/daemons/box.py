"""Two nodes for an upgrade: what is done to them changes what is seen of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gemel.daemons.upgrade.run import NotDone, carry_out
from gemel.daemons.upgrade.sight import Installation, Pair, pair_of
from gemel.daemons.upgrade.steps import Order, Upgrade
from gemel.facts.peer import Sight, heard, peer_section, safe_to_fail_over, told
from tests.unit.facts.node import node_status

OLD, NEW = "1.0", "1.1"
EVERYTHING = ["install there", "hand over", "install here", "hand back"]

Spoil = Callable[["Box", dict[str, Any], dict[str, Any]], None]


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
    spoil: Spoil = lambda *_: None
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
