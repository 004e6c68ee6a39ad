"""What older versions wrote means the same today: as a file, as pending changes, from a peer that is not upgraded."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.config import Config
from gemel.core.exchange import arrived, merged, reported, section_hashes, taken
from gemel.core.pending import Pending, read, written
from gemel.core.problem import Invalid
from gemel.core.revision import Origin
from tests.unit.core.garden import GARDEN, PLANTS
from tests.unit.core.later import LATER, SHED, areas_of

VERSIONS = st.integers(1, 3)
ANN = Origin("ann", "the web", 7.5)


@st.composite
def gardens(draw: st.DrawFn) -> Config:
    keys = draw(st.lists(st.sampled_from("abcdef"), unique=True))
    items = [{"id": key, "bed": "south", "height": draw(st.integers(1, 9))} for key in keys]
    plants = {"soil": draw(st.sampled_from(["loam", "sand"])), "items": items}
    shed = {"tools": draw(st.integers(0, 3)), "locked": draw(st.booleans())}
    return LATER.load({"version": 3, "areas": {"plants": plants, "shed": shed, "gate": {"open": draw(st.booleans())}}})


def sent(config: Config, version: int) -> dict[str, Any]:
    """What a peer of that version sends when only the box of the plants is ticked."""
    name = "flowers" if version < 2 else "plants"
    section = areas_of(config, version)[name]
    section["items"] = [{k: v for k, v in item.items() if k != "watered"} for item in section["items"]]
    return {name: section}


@given(gardens(), VERSIONS)
def test_each_version_is_read_as_what_it_means_today(config: Config, version: int) -> None:
    data = {"version": version, "areas": areas_of(config, version)}
    before = copy.deepcopy(data)

    assert LATER.load(data) == config
    assert data == before  # what is on disk, or was sent, stays as it was written
    assert LATER.dump(config)["version"] == 3


def test_areas_and_fields_that_are_left_out_have_their_defaults_in_each_version() -> None:
    for version in (1, 2, 3):
        assert LATER.load({"version": version, "areas": {}}) == LATER.default()
    assert LATER.load({"version": 1, "areas": {"flowers": {"items": []}}}) == LATER.default()


@pytest.mark.parametrize(
    ("data", "path", "sentence"),
    [
        ({"version": 4, "areas": {}}, "version", "made by a newer Gemel: this is configuration version 4"),
        ({"version": 0, "areas": {}}, "version", "must be from 1 to 3"),
        ({"version": True, "areas": {}}, "version", "must be from 1 to 3"),
        ({"version": "2", "areas": {}}, "version", "must be from 1 to 3"),
        ({"areas": {}}, "version", "must be from 1 to 3"),
        ({"version": 1, "areas": {"flowers": []}}, "flowers", "must be an object to be migrated"),
        ({"version": 2, "areas": {"plants": {"items": [{"tall": 1}, 7]}}}, "", "cannot be migrated from configuration"),
        ({"version": 2, "areas": {"flowers": {}}}, "flowers", "there is no such area"),
        ({"version": 1, "areas": {"flowers": {"earth": 7}}}, "plants.soil", "must be text"),
    ],
)
def test_what_does_not_read_is_said_in_words(data: Any, path: str, sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        LATER.load(data)

    assert sentence in {p.path: p.text for p in refused.value.problems}[path]


def test_a_configuration_without_migrations_is_of_the_first_version() -> None:
    assert GARDEN.version == 1 and GARDEN.dump(GARDEN.default())["version"] == 1
    with pytest.raises(Invalid, match="version: must be 1"):
        GARDEN.load({"version": 0, "areas": {}})


@given(gardens(), gardens(), VERSIONS)
def test_pending_changes_of_an_older_version_stay_pending(running: Config, wanted: Config, version: int) -> None:
    kept = {name: {"who": "ann", "where": "the web", "when": 7.5, "model": model}
            for name, model in areas_of(wanted, version).items()}  # fmt: skip

    pending, wrong = read(LATER, running, {"version": version, "areas": kept})

    assert wrong == [] and pending.over(running) == wanted
    assert set(pending.origins.values()) == {ANN}
    assert read(LATER, running, written(LATER, pending)) == (pending, [])


@given(gardens(), gardens())
def test_a_field_that_moved_brings_nothing_else_with_it(running: Config, wanted: Config) -> None:
    flowers = {"who": "ann", "where": "the web", "when": 7.5, "model": areas_of(wanted, 1)["flowers"]}

    pending, _ = read(LATER, running, {"version": 1, "areas": {"flowers": flowers}})

    after = pending.over(running)
    assert after[PLANTS] == wanted[PLANTS]
    assert (after[SHED].tools, after[SHED].locked) == (wanted[SHED].tools, running[SHED].locked)


def test_pending_changes_that_do_not_read_are_named_and_the_others_stay() -> None:
    shed = {"who": "ann", "where": "the web", "when": 7.5, "model": {"tools": 2}}
    plants = {**shed, "model": {"items": [{"id": "a", "bed": 7}]}}

    pending, wrong = read(LATER, LATER.default(), {"version": 3, "areas": {"shed": shed, "plants": plants}})

    assert list(pending.models) == ["shed"] and wrong == ["plants[a].bed: must be text"]
    newer, wrong = read(LATER, LATER.default(), {"version": 9, "areas": {"shed": shed}})
    assert newer == Pending() and "made by a newer Gemel" in wrong[0]


@given(gardens(), gardens(), VERSIONS)
def test_an_older_peer_s_push_is_taken_and_proven_by_its_own_hashes(mine: Config, theirs: Config, version: int) -> None:
    sections = sent(theirs, version)

    config = merged(LATER, mine, arrived(LATER, mine, sections, version))
    before = taken(LATER, config, sections)

    assert config[PLANTS] == theirs[PLANTS]
    moved = theirs if version < 3 else mine
    assert (config[SHED].tools, config[SHED].locked) == (moved[SHED].tools, mine[SHED].locked)
    assert reported(LATER, config, sections, before) == section_hashes(sections)


@given(gardens())
def test_what_is_changed_on_the_newer_node_afterwards_is_not_in_sync(theirs: Config) -> None:
    sections = sent(theirs, 1)
    config = merged(LATER, LATER.default(), arrived(LATER, LATER.default(), sections, 1))
    before = taken(LATER, config, sections)

    changed = config.having(plants=config[PLANTS].model_copy(update={"soil": "clay"}))

    assert reported(LATER, changed, sections, before) != section_hashes(sections)
    assert reported(LATER, config, sections, None) != section_hashes(sections)


def test_a_field_that_moved_to_an_area_of_this_node_alone_is_not_taken_from_a_peer() -> None:
    def opened(areas: dict[str, Any]) -> dict[str, Any]:
        """``plants.open`` is ``gate.open``."""
        areas.setdefault("gate", {})["open"] = areas["plants"].pop("open")
        return areas

    schema = type(GARDEN)(GARDEN.areas, names=GARDEN.names, migrations=(opened,))

    sections = {"plants": {"soil": "sand", "items": [], "open": True}}
    assert arrived(schema, schema.default(), sections, 1) == {"plants": {"soil": "sand", "items": []}}
