"""Firewall > Aliases: names for hosts, networks and ports, nested as one likes. Reference pfsense-semantics §3."""

import re
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from itertools import chain
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, field_validator

from gemel.areas.fields import PORT_NAMES, Line, names_in, network_text, port_number
from gemel.areas.interfaces import INTERFACES
from gemel.areas.names import Names
from gemel.core.area import Area
from gemel.core.config import Config
from gemel.core.model import Item, Model, field
from gemel.core.problem import Problem
from gemel.core.remember import OfEach
from gemel.rules.addresses import Range, parse_range
from gemel.rules.ir import PROTOCOLS

MOST_ENTRIES = 100_000
MOST_HOSTS = 65536  # of a network in an alias of hosts
RESERVED = {
    "pass",
    "block",
    "reject",
    "port",
    "any",
    "self",
    "all",
    "none",
    "in",
    "out",
    "log",
    "quick",
    "on",
    "from",
    "to",
}

Kind = Literal["host", "network", "port"]


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]{1,31}", value):
        raise ValueError(f"{value!r} is no alias name: letters, digits and underscores, at most 31")
    if value.isdigit() or not value.strip("_"):
        raise ValueError("must not be digits or underscores only")
    if (
        value.lower() in RESERVED
        or value.lower() in PROTOCOLS
        or value.lower() in PORT_NAMES
        or value.lower() == "icmpv6"
    ):
        raise ValueError(f"{value!r} has a meaning of its own in rules: choose another name")
    if value.startswith("pkg_"):
        raise ValueError("must not begin with pkg_")
    return value


def _entries(value: Any, info: ValidationInfo) -> Any:
    """Entries by people's words: names of other aliases become references. A note may follow after ``#``."""
    names = names_in(info)
    if not isinstance(value, list | tuple) or names is None:
        return value
    return [_entry(e, names) if isinstance(e, str) else e for e in value]


def _entry(text: str, names: Names) -> str:
    word, hash_sign, note = text.partition("#")
    key = names.aliases.get(word.strip().lower())
    if key is None:
        return text
    return f"alias:{key} #{note}" if hash_sign else f"alias:{key}"


class Alias(Item):
    """A name for a list."""

    name: Annotated[str, AfterValidator(_name)] = field(
        label="Name", help="Letters, digits and underscores, at most 31."
    )
    type: Kind = field("host", label="Type", help="host, network or port.")
    entries: Annotated[tuple[str, ...], BeforeValidator(_entries)] = field(
        (),
        label="Entries",
        help="Addresses, ranges a-b, networks; or ports; or names of other aliases. A note may follow after #.",
        max_length=MOST_ENTRIES,
    )
    description: Line = field("", label="Description", help="For people.")
    no_sync: bool = field(False, label="No XMLRPC Sync", help="Keep this alias on this node.")

    def called(self) -> tuple[str, ...]:
        return (self.name,)

    @field_validator("entries")
    @classmethod
    def _each_entry(cls, entries: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        kind: Kind | None = info.data.get("type")
        if kind is None:  # which is a problem already
            return entries
        names, wrong = names_in(info), []
        for entry in entries:
            try:
                _check_entry(kind, entry, names)
            except ValueError as error:
                wrong.append(str(error))
        if wrong:
            more = f" (and {len(wrong) - 5} more)" if len(wrong) > 5 else ""
            raise ValueError("; ".join(wrong[:5]) + more)
        return entries


class Aliases(Model):
    """All aliases."""

    items: tuple[Alias, ...] = ()

    def get(self, key: str) -> Alias | None:
        """The alias of that id."""
        return _by_id(self).get(key)


_by_id: OfEach[Aliases, dict[str, Alias]] = OfEach(lambda aliases: {a.id: a for a in aliases.items})


def value_of(entry: str) -> str:
    """An entry without its note."""
    return entry.partition("#")[0].strip()


def _check_entry(kind: Kind, entry: str, names: Names | None) -> None:
    text = value_of(entry)
    if text.startswith("alias:"):
        if names is not None:
            name, of = names.known_aliases.get(text[6:], ("", ""))
            if not name:
                raise ValueError(f"there is no alias {text[6:]!r}")
            if (of == "port") != (kind == "port"):
                raise ValueError(f"{name} holds {'ports' if of == 'port' else 'addresses'}")
    elif kind == "port":
        _span(text)
    elif "-" in text and ":" not in text:
        parse_range(text)
    elif "/" in text:
        network_text(text)
    else:
        try:
            # parse_range takes an eighth of the time, and networks and ranges have been seen to.
            parse_range(text) if "." in text and ":" not in text else ip_address(text)
        except ValueError:
            raise ValueError(
                f"{text!r} is no address, network, range a-b or alias (host names are not resolved)"
            ) from None


def _span(text: str) -> tuple[int, int]:
    low, dash, high = text.replace(":", "-").partition("-") if text.lower() not in PORT_NAMES else (text, "", "")
    first = port_number(low)
    last = port_number(high) if dash else first
    return min(first, last), max(first, last)


def ranges_of(aliases: Aliases, key: str) -> tuple[Range, ...]:
    """All addresses of an alias, nested ones flattened. Loops are cut (and are a problem of `check`)."""
    found = [_own_ranges(alias) for alias in _flat(aliases, key)]
    return found[0] if len(found) == 1 else tuple(chain.from_iterable(found))


def spans_of(aliases: Aliases, key: str) -> tuple[tuple[int, int], ...]:
    """All ports of a port alias, nested ones flattened."""
    return tuple(_span(text) for alias in _flat(aliases, key) for text in _parts(alias).literals)


class _Parts(NamedTuple):
    """An alias's own entries without notes, and the ids of those nested in it."""

    literals: tuple[str, ...]
    nested: tuple[str, ...]


def _split(alias: Alias) -> _Parts:
    texts = [value_of(entry) for entry in alias.entries]
    nested = tuple(t[6:] for t in texts if t.startswith("alias:"))
    return _Parts(tuple(t for t in texts if not t.startswith("alias:")) if nested else tuple(texts), nested)


# An alias may have 100,000 entries, and most changes of a configuration leave it as it is.
_parts: OfEach[Alias, _Parts] = OfEach(_split)
_own_ranges: OfEach[Alias, tuple[Range, ...]] = OfEach(lambda alias: tuple(map(parse_range, _parts(alias).literals)))


def _flat(aliases: Aliases, key: str) -> list[Alias]:
    """The alias and all that are nested in it, each once."""
    found: dict[str, Alias] = {}
    open_ids = [key]
    while open_ids:
        alias = aliases.get(open_ids.pop())
        if alias is not None and alias.id not in found:
            found[alias.id] = alias
            open_ids += reversed(_parts(alias).nested)
    return list(found.values())


def _loops(aliases: Aliases, key: str) -> bool:
    """Whether following the nesting from `key` comes back to it."""
    open_ids, seen = [key], set()
    while open_ids:
        alias = aliases.get(open_ids.pop())
        for inner in _parts(alias).nested if alias else ():
            if inner == key:
                return True
            if inner not in seen:
                seen.add(inner)
                open_ids.append(inner)
    return False


def _check(config: Config) -> Iterable[Problem]:
    aliases = config[ALIASES]
    names: dict[str, str] = {}
    interfaces = {word.lower() for i in config[INTERFACES].items for word in (i.id, i.title)}
    for alias in aliases.items:
        path = f"aliases[{alias.id}]"
        if alias.name.lower() in interfaces:
            yield Problem(f"{path}.name", f"{alias.name} is an interface: choose another name")
        if names.setdefault(alias.name.lower(), alias.id) != alias.id:
            yield Problem(f"{path}.name", f"there is another alias called {alias.name}")
        nested = _parts(alias).nested
        if nested and _loops(aliases, alias.id):
            yield Problem(f"{path}.entries", f"{alias.name} contains itself")
        for inner in nested:
            if aliases.get(inner) is None:
                yield Problem(f"{path}.entries", f"there is no alias {inner!r}")
        if alias.type == "host" and (wide := _too_wide(alias)):
            yield Problem(f"{path}.entries", f"{wide} has too many hosts: use an alias of type network")


_too_wide: OfEach[Alias, str] = OfEach(
    lambda alias: next(
        (e for e in _parts(alias).literals if "/" in e and ip_network(e).num_addresses > MOST_HOSTS), ""
    )
)


ALIASES = Area(
    name="aliases",
    label="Aliases",
    noun="alias",
    model=Aliases,
    item=Alias,
    help="Names for hosts, networks and ports, to use in rules and NAT.",
    availability="runs on both",
    sync="aliases",
    check=_check,
    columns=("name", "type", "entries", "description"),
)
