"""What is exchanged with a peer: what goes out, how it is merged into what the other node has, and how equality is
proven.

Both ends reduce an area to what the nodes have in common (`_common`: items marked *no sync* and fields marked *local*
left out, then the area's own `shared`). The sender turns that into what the peer should have (`Area.for_peer`); the
receiver puts its own local items and fields back. The hash of an area on the sender, after `for_peer`, equals the hash
of what the receiver has in common: that equality is the proof of a sync.

Sections of an older version are migrated by the receiver, so that its hashes are others. It remembers what they came to
(`Taken`), and answers with the sender's own as long as that is what it has.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from gemel.core.area import Area
from gemel.core.config import Config, Schema, digest
from gemel.core.model import Item, Model, is_marked, plain
from gemel.core.problem import Invalid, Problem, from_validation
from gemel.core.separator import kept, separators_of

Sections = dict[str, Any]


def outgoing(schema: Schema, config: Config, boxes: Iterable[str]) -> Sections:
    """Area name -> JSON value for the peer, for the areas of the ticked `boxes`."""
    sections: Sections = {}
    for area in schema.synced(boxes):
        common = _shared_model(area, config)
        sections[area.name] = _without_local(area, plain(area.for_peer(common, config)))
    return sections


def arrived(schema: Schema, mine: Config, sections: Mapping[str, Any], version: int) -> Sections:
    """Sections of a configuration of `version` in the shape of this one's. Fields that a migration moved to an area
    that was not sent are laid over what the nodes have in common there, if they have.

    Raises:
        Invalid: they are newer, or do not read.
    """
    result = schema.migrated(sections, version)
    for name in [name for name in result if name not in sections]:
        area = schema.area(name)
        section = result.pop(name)
        if area.sync is not None:
            result[name] = {**_without_local(area, plain(_shared_model(area, mine))), **section}
    return result


def merged(schema: Schema, mine: Config, sections: Mapping[str, Any]) -> Config:
    """The receiver's configuration with the sections taken in.

    Raises:
        Invalid: a section for an area that is unknown or never synchronised, or one that does not read.
    """
    problems: list[Problem] = []
    raw = schema.dump(mine)["areas"]
    for name, section in sections.items():
        area = schema.area(name)
        if area.sync is None:
            problems.append(Problem(name, "this area stays on each node and is not taken from a peer"))
        elif not isinstance(section, dict):
            problems.append(Problem(name, "a section is an object"))
        else:
            raw[name] = _with_local(area, section, mine)
    if problems:
        raise Invalid(problems)
    names = schema.names(raw)
    models: dict[str, Model] = {}
    for name in sections:
        try:
            models[name] = schema.area(name).model.model_validate(raw[name], context={"names": names})
        except ValidationError as error:
            problems += from_validation(error, name, raw[name])
    if problems:
        raise Invalid(problems)
    return mine.having(**models)


def section_hashes(sections: Mapping[str, Any]) -> dict[str, str]:
    """Area name -> hash of what was sent for it."""
    return {name: digest(section) for name, section in sections.items()}


def area_hashes(schema: Schema, config: Config, names: Iterable[str]) -> dict[str, str]:
    """Area name -> hash of what this node has in common with its peer there: what a receiver reports."""
    result = {}
    for name in names:
        area = schema.area(name)
        result[name] = digest(_without_local(area, plain(_shared_model(area, config))))
    return result


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken from an older peer: the hashes of its sections, and what its nodes then had in common here."""

    sent: Mapping[str, str]
    became: Mapping[str, str]


def taken(schema: Schema, config: Config, sections: Mapping[str, Any]) -> Taken:
    """To be remembered when `config` runs, which these sections of an older version were merged into."""
    return Taken(section_hashes(sections), area_hashes(schema, config, _exchanged(schema)))


def reported(schema: Schema, config: Config, names: Iterable[str], before: Taken | None) -> dict[str, str]:
    """Area name -> hash for a peer that asks for these areas; unknown ones are left out."""
    if before and before.became == area_hashes(schema, config, _exchanged(schema)):
        return {name: before.sent[name] for name in names if name in before.sent}
    return area_hashes(schema, config, [name for name in names if name in _exchanged(schema)])


def _exchanged(schema: Schema) -> list[str]:
    return [area.name for area in schema.areas if area.sync is not None]


def _shared_model(area: Area[Any], config: Config) -> Model:
    model: Model = area.shared(config.named(area.name), config)
    if area.item is None or "no_sync" not in area.item.model_fields:
        return model
    items: tuple[Item, ...] = model.items  # type: ignore[attr-defined]
    common = tuple(i for i in items if not i.no_sync)  # type: ignore[attr-defined]
    changed: dict[str, Any] = {"items": common}
    if lines := separators_of(model):
        changed["separators"] = kept(lines, items, common, area.grouped_by)
    return model.model_copy(update=changed)


def _local_fields(model: type[Model] | None) -> list[str]:
    return [name for name, info in model.model_fields.items() if is_marked(info, "local")] if model else []


def _without_local(area: Area[Any], data: dict[str, Any]) -> dict[str, Any]:
    dropped, dropped_of_items = _local_fields(area.model), _local_fields(area.item)
    result = {k: v for k, v in data.items() if k not in dropped}
    if dropped_of_items:
        result["items"] = [{k: v for k, v in i.items() if k not in dropped_of_items} for i in data["items"]]
    return result


def _with_local(area: Area[Any], section: dict[str, Any], mine: Config) -> dict[str, Any]:
    """The section with this node's local fields and items put back; local items keep their place from the top."""
    model = mine.named(area.name)
    own = plain(model)
    result = {**section, **{name: own[name] for name in _local_fields(area.model)}}
    if area.item is None:
        return result
    theirs = result.get("items")
    if not isinstance(theirs, list) or not all(isinstance(i, dict) for i in theirs):
        raise Invalid([Problem(area.name, "a list of items is needed")])
    kept = _local_fields(area.item)
    mine_by_id = {i["id"]: i for i in own["items"]}
    items = [{**i, **{k: mine_by_id[i["id"]][k] for k in kept if i.get("id") in mine_by_id}} for i in theirs]
    common = {i.id for i in _shared_model(area, mine).items}  # type: ignore[attr-defined]
    arrived = {i.get("id") for i in items}
    for place, item in enumerate(own["items"]):
        if item["id"] not in common and item["id"] not in arrived:
            items.insert(min(place, len(items)), item)
    result["items"] = items
    return result
