"""Plain dataclasses as JSON and back: everything returns as it was, and nothing else gets through."""

import enum
import json
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.codec import Malformed, decode, encode


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Leaf:
    length: int
    colour: Colour = Colour.RED


@dataclass(frozen=True)
class Tree:
    name: str
    age: float
    sound: bool
    kind: Literal["oak", "elm"]
    leaves: tuple[Leaf, ...]
    pair: tuple[int, str]
    tags: frozenset[str]
    seed: bytes
    notes: dict[str, int]
    owner: str | None = None
    more: Any = None
    odd: list[int] = field(default_factory=list)


TREES = st.builds(
    Tree,
    name=st.text(),
    age=st.floats(allow_nan=False, allow_infinity=False),
    sound=st.booleans(),
    kind=st.sampled_from(("oak", "elm")),
    leaves=st.lists(st.builds(Leaf, st.integers(), st.sampled_from(Colour)), max_size=3).map(tuple),
    pair=st.tuples(st.integers(), st.text()),
    tags=st.frozensets(st.text(max_size=3), max_size=3),
    seed=st.binary(max_size=9),
    notes=st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
    owner=st.none() | st.text(),
    more=st.none() | st.booleans() | st.text() | st.lists(st.none() | st.integers() | st.text(max_size=3)),
    odd=st.lists(st.integers(), max_size=3),
)


@given(TREES)
def test_a_value_returns_from_json_as_it_was(tree: Tree) -> None:
    assert decode(Tree, json.loads(json.dumps(encode(tree)))) == tree


@pytest.mark.parametrize(
    ("shape", "value", "complaint"),
    [
        (Leaf, {"length": "1"}, "length: int expected, not str"),
        (Leaf, {"length": True}, "length: int expected, not bool"),
        (Leaf, {}, "length: missing"),
        (Leaf, {"length": 1, "width": 2}, "width: unknown key"),
        (Leaf, {"length": 1, "colour": "green"}, "colour: 'green' is no Colour"),
        (Leaf, [], "Leaf: object expected"),
        (tuple[Leaf, ...], [{"length": 1}, {"length": None}], "[1].length: int expected"),
        (tuple[int, str], [1], "2 entries expected"),
        (Literal["oak", "elm"], "ash", "'ash' is none of 'oak', 'elm'"),
        (bytes, "xyz", "hex text expected"),
        (bytes, 7, "hex text expected"),
        (dict[str, int], {"a": "b"}, "a: int expected"),
        (str | None, 7, "str expected"),
        (None, 7, "NoneType expected"),
        (Literal["oak"], [], "is none of"),
        (Colour, [], "is no Colour"),
        (Colour, {}, "is no Colour"),
    ],
)
def test_what_does_not_fit_is_malformed_at_its_path(shape: Any, value: Any, complaint: str) -> None:
    with pytest.raises(Malformed) as no:
        decode(shape, value)

    assert complaint in str(no.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*Tree.__annotations__, "x"]), inner),
    max_leaves=8,
)


@given(JSON)
def test_anything_else_is_malformed_and_never_an_accident(value: Any) -> None:
    with pytest.raises(Malformed):
        decode(Tree, value)
