"""Fetches what facts are made of, source by source, and answers `AskFact`."""

from collections.abc import Callable, Mapping
from typing import Any

from gemel.areas.interfaces import INTERFACES
from gemel.areas.rules import RULES
from gemel.control.door import Refused, Unreachable
from gemel.core.codec import encode
from gemel.core.config import Config
from gemel.daemons.agent.services import service_reports
from gemel.effects import look
from gemel.effects.events import EventStore
from gemel.effects.packet_log import PacketLog
from gemel.facts.every import FACTS, fact
from gemel.facts.fact import Options, Unreadable

MOST_EVENTS = 5000

Fetch = Callable[[Options], Any]


class Views:
    """Answers for every fact on the list. What a fact does not name as a source is not fetched."""

    def __init__(
        self,
        config: Callable[[], Config],
        store: EventStore,
        packets: PacketLog,
        inside: Mapping[str, Fetch],
    ) -> None:
        self._config = config
        self._fetch: dict[str, Fetch] = {
            "events": lambda o: store.newest(o.get("kind", ""), MOST_EVENTS),
            "conntrack": lambda _: look.conntrack(),
            "links": lambda _: look.links(),
            "addresses": lambda _: look.addresses(),
            "neighbours": lambda _: look.neighbours(),
            "interfaces": lambda _: assigned(config()),
            "rules": lambda _: self._rules(),
            "counters": lambda _: look.rule_counters(),
            "services": lambda _: _services(),
            "log": lambda o: look.logs(o.get("log", "")),
            "packets": lambda _: packets.packets,
            **inside,
        }

    def answer(self, name: str, options: Options) -> Any:
        """The answer of one fact, as JSON values.

        Raises:
            Refused: there is no such fact or option, or an option means nothing.
        """
        try:
            found = fact(name)
        except KeyError:
            raise Refused(f"there is no view {name!r}; there are {', '.join(f.name for f in FACTS)}") from None
        known = {o.name: o for o in found.options}
        for key, value in options.items():
            if key not in known:
                raise Refused(f"{name} has no option {key!r}; it has {', '.join(known) or 'none'}")
            if value and known[key].choices and value not in known[key].choices:
                raise _meaningless(f"{key}: {value!r} is none of {', '.join(known[key].choices)}")
        given = {o.name: options.get(o.name) or o.default for o in found.options}
        try:
            return encode(found.read({s: self._fetch[s](given) for s in found.sources}, given))
        except Unreadable as error:
            raise _meaningless(str(error)) from None

    def _rules(self) -> list[dict[str, Any]]:
        return [
            {
                "id": r.id, "interface": r.interface, "action": r.action, "description": r.description,
                "disabled": r.disabled,
            }
            for r in self._config()[RULES].items
        ]  # fmt: skip


def assigned(config: Config) -> list[dict[str, Any]]:
    """The assigned interfaces, as `facts.fact.SOURCES` describes them."""
    return [
        {
            "id": i.id, "device": i.device, "title": i.title, "enabled": i.enabled, "ipv4": i.ipv4, "ipv6": i.ipv6,
        }
        for i in config[INTERFACES].items
    ]  # fmt: skip


def _meaningless(text: str) -> Refused:
    return Refused(text, [{"path": "", "text": text, "level": "error"}])


def _services() -> list[dict[str, Any]]:
    try:
        return [encode(report) for report in service_reports()]
    except Unreachable as error:
        raise Refused(f"how the services stand is not known: {error}") from None
