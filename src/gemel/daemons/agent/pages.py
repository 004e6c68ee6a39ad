"""What stands around every page. Changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gemel.areas.high_availability import HIGH_AVAILABILITY
from gemel.areas.interfaces import INTERFACES
from gemel.areas.system import SYSTEM
from gemel.control import agent as ask
from gemel.core.config import Config, Schema
from gemel.facts.peer import PeerStatus
from gemel.facts.status import Sources, role_config


@dataclass(frozen=True, slots=True)
class Around:
    """What the agent knows beside the configuration: how synchronisation stands, as sender and as receiver."""

    push: Mapping[str, Any]
    received: Mapping[str, Any]
    pinned: bool
    revision: int
    authors: dict[str, str]
    news: str
    told: PeerStatus | None = None


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
        peer_node=around.told.node if around.told else "",
        peer_web=_linked(around.told.web_address) if around.told else "",
    )


def _linked(address: str) -> str:
    """An address that pages may link to: what a peer says is not put into a page as it comes."""
    return address if address.startswith("https://") and address.isprintable() and len(address) < 300 else ""
