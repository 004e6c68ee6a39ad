"""What pages ask of a configuration: part of a list, the choices of a drop-down, the frame. Changes nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gemel.areas.aliases import ALIASES
from gemel.areas.gateways import GATEWAYS
from gemel.areas.high_availability import HIGH_AVAILABILITY
from gemel.areas.interfaces import INTERFACES
from gemel.areas.names import Names, names_of, words_of
from gemel.areas.system import SYSTEM
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.control import agent as ask
from gemel.core.area import Area
from gemel.core.config import Config, Schema
from gemel.core.edit import etag
from gemel.core.model import HIDDEN, Model, is_marked, plain
from gemel.facts.listing import Wanted, found
from gemel.facts.status import Sources, role_config

NAMED: tuple[Area[Any], ...] = (INTERFACES, GATEWAYS, VIRTUAL_IPS, ALIASES)
"""The areas whose items have names by which others refer to them."""


@dataclass(frozen=True, slots=True)
class Around:
    """What the agent knows beside the configuration: how synchronisation stands, as sender and as receiver."""

    push: Mapping[str, Any]
    received: Mapping[str, Any]
    pinned: bool
    revision: int
    authors: dict[str, str]
    news: str


def names_in(config: Config) -> Names:
    """The look-ups of a configuration; only what has names is read, rules may be many."""
    return names_of({area.name: plain(config.named(area.name)) for area in NAMED})


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
    options = model.model_dump(mode="json", exclude={"items"})
    hide(options, type(model))
    etags = {} if area.item is not None else {"": etag(model)}
    if area.item is None:
        return ask.Listed(area.name, (), {}, etags, 0, 0, {}, options, pending)
    names = names_in(config)
    wanted = Wanted(
        question.group, question.search, question.sort, question.offset, question.limit, tuple(question.ids)
    )
    page = found(area, model.items, wanted, lambda values: words_of(values, names))
    items, words = [], {"": words_of(options, names)}
    for item in page.items:
        values = plain(item)
        words[item.id] = words_of(values, names)
        hide(values, area.item)
        items.append(values)
        etags[item.id] = etag(item)
    return ask.Listed(
        area.name, tuple(items), words, etags, page.total, page.matched, dict(page.groups), options, pending
    )


def choices(config: Config, devices: Iterable[str]) -> ask.Choices:
    """What references can lead to."""
    interfaces = config[INTERFACES].items
    vips = config[VIRTUAL_IPS]
    vhids: dict[str, tuple[int, ...]] = {}
    for vip in vips.items:
        if vip.vhid is not None:
            vhids[vip.interface] = (*vhids.get(vip.interface, ()), vip.vhid)
    aliases = sorted(config[ALIASES].items, key=lambda a: a.name.lower())
    return ask.Choices(
        interfaces=tuple((i.id, i.title) for i in interfaces),
        gateways=tuple((g.id, g.name) for g in config[GATEWAYS].items),
        vips=tuple((v.id, v.ip, v.type, vips.interface_of(v), v.description) for v in vips.items),
        aliases=tuple((a.id, a.name) for a in aliases if a.type != "port"),
        port_aliases=tuple((a.id, a.name) for a in aliases if a.type == "port"),
        vhids=vhids,
        devices=tuple(d for d in devices if d != "lo" and d not in {i.device for i in interfaces}),
    )


def frame(schema: Schema, config: Config, around: Around, who: str, privileges: tuple[str, ...]) -> ask.Frame:
    """What stands around every page."""
    ha = config[HIGH_AVAILABILITY]
    node = config[SYSTEM].hostname
    role = role_config(
        Sources(
            node=node, revision=around.revision, maintenance=False, carp=None, flows=None, push=around.push,
            received=around.received, pinned=around.pinned, has_target=bool(ha.synchronize_config_to),
            has_carp_vips=False, synchronizes_states=ha.synchronize_states, pending=len(around.authors),
        )
    )  # fmt: skip
    overwritten = tuple(a.name for a in schema.areas if a.sync) if role == "secondary" else ()
    return ask.Frame(
        node=node,
        role=role,
        username=who,
        privileges=privileges if who != "root" else ("all",),
        revision=around.revision,
        pending=around.authors,
        overwritten=overwritten,
        peer=str(around.received.get("peer") or around.push.get("peer") or ""),
        interfaces=tuple((i.id, i.title, i.enabled) for i in config[INTERFACES].items),
        news=around.news,
    )
