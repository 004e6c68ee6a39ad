"""The closed list of questions: each travels, and each has its answer's shape."""

import dataclasses
import inspect
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.control import agent, carpd, flowd, peer, supervisor
from gemel.control.door import Question
from gemel.core.codec import decode, encode

MODULES = (agent, carpd, flowd, peer, supervisor)
EVERY = [q for module in MODULES for q in vars(module).values() if inspect.isclass(q) and issubclass(q, Question)]
QUESTIONS = [q for q in dict.fromkeys(EVERY) if q is not Question]

JSON = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text())
st.register_type_strategy(float, st.floats(allow_nan=False))
HOLDING = {
    agent.Import: {"config": JSON},
    agent.Change: {"edits": st.just((agent.EditOrder("rules", "add", values={"a": 1}),))},
    peer.PeerCall: {"params": st.lists(JSON, max_size=2).map(tuple)},
}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.__name__)
@settings(max_examples=20)
@given(data=st.data())
def test_a_question_travels(question: Any, data: st.DataObject) -> None:
    assert dataclasses.is_dataclass(question)
    asked = data.draw(st.builds(question, **HOLDING.get(question, {})))

    assert decode(question, json.loads(json.dumps(encode(asked)))) == asked


def test_every_question_is_on_its_doors_list() -> None:
    listed = {q for module in MODULES for q in getattr(module, "QUESTIONS", ())}

    assert set(QUESTIONS) <= listed


def test_what_a_reader_may_ask_changes_nothing() -> None:
    others = {q.__name__ for q in agent.QUESTIONS} - {q.__name__ for q in agent.READING}

    assert others >= {
        "Login", "Change", "Apply", "Discard", "Restore", "Import", "SetPassword", "Maintenance", "EnableCarp",
        "SyncNow", "PinPeer",
        "Export",  # which changes nothing, and holds secrets
    }  # fmt: skip
