"""An agent without its processes: the real desk and the real answers, on a fake machine."""

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gemel.control import agent as ask
from gemel.control import paths
from gemel.control.door import Caller, Refused
from gemel.core.codec import decode, encode
from gemel.daemons.agent.access import Access
from gemel.daemons.agent.answers import Answers
from gemel.daemons.agent.desk import Desk
from gemel.daemons.agent.diagnostics import Diagnostics
from gemel.daemons.agent.peer import ThisNode
from gemel.effects.keys import KeyPair, make_keys
from gemel.effects.packages import Packages
from gemel.facts.peer import Sight
from gemel.sync.pusher import Pusher
from gemel.sync.server import PeerServer
from tests.unit.daemons.desk import Node, configured

ROOT, WEB = Caller(1, 0, 0), Caller(2, 33, 33)


@functools.cache
def _keys() -> tuple[tempfile.TemporaryDirectory[str], str]:
    """A node's keys, made once; the folder goes with the test run."""
    folder = tempfile.TemporaryDirectory()
    node, web = (
        KeyPair(Path(folder.name + key), Path(folder.name + certificate))
        for key, certificate in ((paths.NODE_KEY, paths.NODE_CERTIFICATE), (paths.WEB_KEY, paths.WEB_CERTIFICATE))
    )
    make_keys("fw1", node, web)
    return folder, folder.name


def keys_folder() -> str:
    """The folder of a node's keys."""
    return _keys()[1]


class Unseen:
    """What people look at has tests of its own: here nothing is looked at, and nothing changes."""

    version = "unseen.0"

    @property
    def observer(self) -> "Unseen":
        return self

    reporter = observer

    def peer(self) -> Sight:
        return Sight(None, None)

    @property
    def views(self) -> "Unseen":
        return self

    def news(self, _cursor: str, _seconds: float) -> ask.NewsReport:
        return ask.NewsReport(f"{self.version}.0", {}, ())

    def answer(self, _name: str, _options: dict[str, str]) -> dict[str, Any]:
        return {}


@dataclass
class Agent:
    """An agent without its door: questions go straight to the answers, and travel as JSON all the same."""

    node: Node
    desk: Desk
    answers: Answers

    def __call__(self, question: Any, caller: Caller = ROOT) -> Any:
        asked = decode(type(question), encode(question))
        return decode(type(question).answer_shape, encode(self.answers(asked, caller)))

    def refusal(self, question: Any, caller: Caller = ROOT) -> Refused:
        with pytest.raises(Refused) as no:
            self(question, caller)
        return no.value

    def change(self, area: str, verb: str, item: str = "", apply: bool = False, **values: Any) -> ask.Changed:
        changed = self(ask.Change((ask.EditOrder(area, verb, item, values),), apply))
        assert isinstance(changed, ask.Changed)
        return changed


def running(folder: Path, blank: bool = False) -> Agent:
    """The agent of the recipe's primary, or of a machine that nobody has configured."""
    there = Node(folder)
    desk = there.start() if blank else None
    if desk is None:
        there, desk = configured(folder)
    node = ThisNode(desk, lambda: 0.0, lambda: None, keys_folder())
    access = Access(lambda: desk.config, lambda: 0.0)
    unseen: Any = Unseen()
    diagnostics = Diagnostics(lambda: desk.config, folder / "captures", access.alive)
    answers = Answers(desk, there.transaction, node, Pusher(node), PeerServer(node), access, unseen, diagnostics,
                      Packages(folder / "upgrade"))  # fmt: skip
    return Agent(there, desk, answers)
