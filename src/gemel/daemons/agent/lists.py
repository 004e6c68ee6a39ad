"""Lists and drop-downs as pages and REST ask for them: part of a list, what references can lead to. Changes nothing."""

from collections.abc import Iterable, Sequence
from typing import Any

from gemel.areas.aliases import ALIASES, Aliases
from gemel.areas.gateways import GATEWAYS
from gemel.areas.interfaces import INTERFACES
from gemel.areas.links import made, members
from gemel.areas.names import Names, names_of, words_of
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.control import agent as ask
from gemel.core.area import Area
from gemel.core.config import Config, Schema
from gemel.core.edit import etag, headings
from gemel.core.model import HIDDEN, Item, Model, is_marked, plain
from gemel.core.remember import OfEach, OfTogether
from gemel.core.separator import separators_of
from gemel.facts.listing import Index, Reader, Wanted

NAMED: tuple[Area[Any], ...] = (INTERFACES, GATEWAYS, VIRTUAL_IPS, ALIASES)
"""The areas whose items have names by which others refer to them."""

MOST_NAMED = 100  # aliases in a drop-down; of more, forms complete what is typed
MOST_COMPLETED = 20
SHOWN_OF_MANY = 5  # entries of a long field in a list


def names_in(config: Config) -> Names:
    """The look-ups of a configuration; only what has names is read, rules may be many."""
    return _names(*(config.named(area.name) for area in NAMED))


def _names_of_models(*models: Model) -> Names:
    return names_of({area.name: headings(model) for area, model in zip(NAMED, models, strict=True)})


def _reader_of(area: Area[Any], names: Names) -> Reader:
    return Reader(area, lambda values: words_of(values, names))


def _index_of(area: Area[Any], model: Any, names: Names) -> Index:
    return Index(_reader(area, names), model.items)


# Of a few configurations: what runs, what is pending, and what was a moment ago.
_names: OfTogether[Names] = OfTogether(_names_of_models, most=3)
_reader: OfTogether[Reader] = OfTogether(_reader_of, most=16)
_index: OfTogether[Index] = OfTogether(_index_of, most=16)


def hide(values: dict[str, Any], model: type[Model]) -> None:
    """Secrets that are set are not shown."""
    for name, info in model.model_fields.items():
        if is_marked(info, "secret") and values.get(name):
            values[name] = HIDDEN


def listed(schema: Schema, config: Config, question: ask.List, pending: bool) -> ask.Listed:
    """A page of an area's items.

    Raises:
        Invalid: there is no such area.
    """
    area = schema.area(question.area)
    model: Any = config.named(area.name)
    options = model.model_dump(mode="json", exclude={"items", "separators"})
    hide(options, type(model))
    if area.item is None:
        return ask.Listed(area.name, (), {}, {"": etag(model)}, 0, 0, {}, options, pending)
    names = names_in(config)
    wanted = Wanted(
        question.group, question.search, question.sort, question.offset, question.limit, tuple(question.ids)
    )
    page = _index(area, model, names).found(wanted)
    words, etags = {"": words_of(options, names)}, {}
    items, lengths = [], dict[str, dict[str, int]]()
    for item in page.items:
        values, cut = _values(item, question.brief)
        words[item.id] = words_of(values, names)
        hide(values, area.item)
        items.append(values)
        if cut:
            lengths[item.id] = cut
        if not question.brief:
            etags[item.id] = etag(item)
    at_end = wanted.offset + len(page.items) >= page.total
    chosen = (plain(line) for line in separators_of(model) if line.id in question.ids)
    separators = tuple(chosen) if question.ids else _separators(model, page.items, wanted, at_end)
    return ask.Listed(
        area.name, tuple(items), words, etags, page.total, page.matched, dict(page.groups), options, pending,
        separators, lengths,
    )  # fmt: skip


def _values(item: Item, brief: bool) -> tuple[dict[str, Any], dict[str, int]]:
    """An item as JSON values, and the lengths of the fields that were cut."""
    many = {n: len(v) for n, v in item.__dict__.items() if isinstance(v, tuple) and len(v) > SHOWN_OF_MANY}
    if not brief or not many:
        return plain(item), {}
    values = item.model_dump(mode="json", exclude=set(many))
    return values | {name: list(getattr(item, name)[:SHOWN_OF_MANY]) for name in many}, many


def _separators(model: Model, shown: Sequence[Item], wanted: Wanted, at_end: bool) -> tuple[dict[str, Any], ...]:
    """The separators among the items that are shown, if these stand in their order: above them, or below the last."""
    lines = separators_of(model)
    if not lines or wanted.search or wanted.sort:
        return ()
    here = {item.id for item in shown}
    there = {i.id for i in model.items} if at_end else set()  # type: ignore[attr-defined]
    return tuple(
        plain(line)
        for line in lines
        if line.above in here or (at_end and line.group == wanted.group and line.above not in there)
    )


def choices(config: Config, devices: Iterable[str]) -> ask.Choices:
    """What references can lead to."""
    interfaces = config[INTERFACES].items
    taken = {"lo", *(i.device for i in interfaces), *members(config)}
    vips = config[VIRTUAL_IPS]
    vhids: dict[str, tuple[int, ...]] = {}
    for vip in vips.items:
        if vip.vhid is not None:
            vhids[vip.interface] = (*vhids.get(vip.interface, ()), vip.vhid)
    aliases, ports = _alias_names(config[ALIASES])
    return ask.Choices(
        interfaces=tuple((i.id, i.title) for i in interfaces),
        gateways=tuple((g.id, g.name) for g in config[GATEWAYS].items),
        vips=tuple((v.id, v.ip, v.type, vips.interface_of(v), v.description) for v in vips.items),
        aliases=aliases if len(aliases) <= MOST_NAMED else (),
        port_aliases=ports if len(ports) <= MOST_NAMED else (),
        vhids=vhids,
        devices=tuple(d for d in dict.fromkeys((*devices, *made(config))) if d not in taken),
    )


def completed(config: Config, question: ask.Complete) -> tuple[str, ...]:
    """The names of aliases that what was typed may become: those that begin with it first."""
    typed = question.typed.lower()
    names = [name for _, name in _alias_names(config[ALIASES])[question.ports] if typed in name.lower()]
    return tuple(sorted(names, key=lambda name: not name.lower().startswith(typed))[:MOST_COMPLETED])


def _by_name(aliases: Aliases) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Id and name of the aliases of addresses, and of those of ports, by name."""
    ordered = sorted(aliases.items, key=lambda a: a.name.lower())
    return tuple((a.id, a.name) for a in ordered if a.type != "port"), tuple(
        (a.id, a.name) for a in ordered if a.type == "port"
    )


_alias_names: OfEach[Aliases, tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]] = OfEach(_by_name)
