"""The compiled firewall as values: tables with their sets, maps and chains, and the text that loads them.

Plain dataclasses of strings, so that any JSON codec for dataclasses stores and restores them. The text is one
transaction: nft loads all of it or nothing.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Collection:
    """A named set or map, or a helper, which has no elements. `elements` is key -> what follows the key, such as
    ` counter comment "a1" : accept`."""

    kind: str  # set, map, ct helper
    head: str  # "type ipv4_addr : verdict; flags interval;"
    elements: dict[str, str]


TCP_UDP_SET = Collection("set", "type inet_proto;", {"6": "", "17": ""})


@dataclass(frozen=True, slots=True)
class Chain:
    """`head` is the hook line of a base chain, empty for others; `rules` are statements in order."""

    head: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One table of family inet; the dictionaries go from name to thing."""

    collections: dict[str, Collection] = field(default_factory=dict)
    chains: dict[str, Chain] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Everything that a policy compiles to. `ranks` (list and rule id -> number) let the next compilation keep them;
    `parts` let it take over what did not change."""

    tables: dict[str, Table]
    ranks: dict[str, int] = field(default_factory=dict)
    parts: Any = field(default=None, compare=False, repr=False)

    def text(self) -> str:
        """The transaction that puts exactly this in place, whatever was in these tables before."""
        lines: list[str] = []
        for name, table in self.tables.items():
            lines += (f"table inet {name}", f"delete table inet {name}", f"table inet {name} {{")
            for collection_name, collection in table.collections.items():
                lines += collection_lines(collection_name, collection)
            for chain_name, chain in table.chains.items():
                lines += chain_lines(chain_name, chain)
            lines.append("}")
        return "\n".join(lines) + "\n"

    def fingerprint(self) -> str:
        """16 hex digits that differ when anything that would be loaded differs."""
        digest = hashlib.blake2b(digest_size=8)
        for name, table in self.tables.items():
            digest.update(f"table {name}\n".encode())
            for part in _table_parts(table):
                digest.update(part.encode())
        return digest.hexdigest()


def collection_lines(name: str, collection: Collection) -> Iterator[str]:
    """The declaration of a set or map, elements included."""
    yield f"{collection.kind} {name} {{ {collection.head}"
    if collection.elements:
        yield f"elements = {{ {element_list(collection.elements.items())} }}"
    yield "}"


def element_list(elements: Iterable[tuple[str, str]]) -> str:
    """Elements as they stand between braces."""
    return ",\n".join([key + rest for key, rest in elements])


def chain_lines(name: str, chain: Chain) -> Iterator[str]:
    """The declaration of a chain, rules included."""
    yield f"chain {name} {{"
    if chain.head:
        yield chain.head
    yield from chain.rules
    yield "}"


def _table_parts(table: Table) -> Iterator[str]:
    for name, collection in sorted(table.collections.items()):
        yield f"{collection.kind} {name} {collection.head}\n"
        yield "\n".join(sorted([key + rest for key, rest in collection.elements.items()]))
    for name, chain in sorted(table.chains.items()):
        yield f"\nchain {name} {chain.head}\n"
        yield "\n".join(chain.rules)
