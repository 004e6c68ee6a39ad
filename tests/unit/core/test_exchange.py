"""What two gardens have in common: both keep what is theirs, and can prove that the rest is the same."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gemel.core.config import Config
from gemel.core.exchange import area_hashes, merged, outgoing, section_hashes
from tests.unit.core.garden import GARDEN, PLANTS

KEYS = st.sampled_from("abcdefghij")


@st.composite
def gardens(draw: st.DrawFn, prefix: str) -> Config:
    """Common plants have bare ids; those of one garden alone carry its prefix."""
    items: list[dict[str, Any]] = []
    for key in draw(st.lists(KEYS, unique=True)):
        ours = draw(st.booleans())
        values = {"bed": draw(KEYS), "height": draw(st.integers(1, 9)), "watered": draw(st.booleans()), "no_sync": ours}
        items.append({"id": prefix + key if ours else key, **values})
    return GARDEN.load({"version": 1, "areas": {"plants": {"soil": draw(KEYS), "items": items}}})


@given(gardens("one-"), gardens("two-"))
def test_after_an_exchange_the_hashes_agree_and_each_has_its_own(one: Config, two: Config) -> None:
    sections = outgoing(GARDEN, one, ["plants"])

    after = merged(GARDEN, two, sections)

    assert area_hashes(GARDEN, after, ["plants"]) == section_hashes(sections)
    assert [p for p in after[PLANTS].items if p.no_sync] == [p for p in two[PLANTS].items if p.no_sync]
    assert [p.id for p in after[PLANTS].items if not p.no_sync] == [p.id for p in one[PLANTS].items if not p.no_sync]
    watered = {p.id: p.watered for p in two[PLANTS].items}
    assert all(p.watered == watered.get(p.id, False) for p in after[PLANTS].items)
    assert after[PLANTS].soil == one[PLANTS].soil
    assert merged(GARDEN, after, sections) == after


@given(gardens("one-"), gardens("two-"))
def test_nothing_private_travels(one: Config, two: Config) -> None:
    [section] = outgoing(GARDEN, one, ["plants", "gate"]).values()

    assert not any(item["id"].startswith("one-") or "watered" in item for item in section["items"])


@given(gardens("one-"))
def test_a_configuration_survives_its_own_notation(config: Config) -> None:
    assert GARDEN.load(GARDEN.dump(config)) == config
