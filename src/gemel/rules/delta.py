"""The smallest transaction that turns one loaded ruleset into another.

What is the same in both stays untouched in the kernel, with its counters: chains are flushed and refilled only if a
rule of theirs differs, sets and maps lose and gain single elements. Where that is not possible (a map changes its type,
a chain its hook) or there was nothing before, the table is loaded anew as a whole.
"""

from collections.abc import Iterator

from gemel.rules.ruleset import Chain, Collection, Ruleset, Table, chain_lines, collection_lines, element_list


def delta(old: Ruleset | None, new: Ruleset) -> str:
    """Return the text for one `nft -f`, empty if nothing differs; `old` None means: what is loaded is not known.

    It is right only if exactly `old` is loaded. When nft refuses it, load ``new.text()``.
    """
    if old is None:
        return new.text()
    lines: list[str] = []
    for name in old.tables.keys() - new.tables.keys():
        lines.append(f"delete table inet {name}")
    for name, table in new.tables.items():
        before = old.tables.get(name)
        if before is None or not _is_alterable(before, table):
            lines.append(Ruleset({name: table}).text().rstrip("\n"))
        else:
            lines += _table(name, before, table)
    return "\n".join(lines) + "\n" if lines else ""


def _is_alterable(old: Table, new: Table) -> bool:
    same_collections = all(
        (c.kind, c.head) == (old.collections[name].kind, old.collections[name].head)
        for name, c in new.collections.items()
        if name in old.collections
    )
    same_hooks = all(c.head == old.chains[name].head for name, c in new.chains.items() if name in old.chains)
    return same_collections and same_hooks


def _table(name: str, old: Table, new: Table) -> Iterator[str]:
    """First what must exist, then what refers to it; last what nothing refers to any more."""
    inside = list(_additions(old, new))
    if inside:
        yield f"table inet {name} {{"
        yield from inside
        yield "}"
    refilled = [c for c, chain in new.chains.items() if c in old.chains and chain != old.chains[c]]
    gone = [c for c in old.chains if c not in new.chains]
    for chain in (*refilled, *gone):
        yield f"flush chain inet {name} {chain}"
    for collection in new.collections:
        if collection in old.collections:
            yield from _elements(name, collection, old.collections[collection], new.collections[collection])
    if refilled:
        yield f"table inet {name} {{"
        for chain in refilled:
            yield from chain_lines(chain, Chain("", new.chains[chain].rules))
        yield "}"
    for collection in old.collections.keys() - new.collections.keys():
        yield f"delete {old.collections[collection].kind} inet {name} {collection}"
    for chain in gone:
        yield f"delete chain inet {name} {chain}"


def _additions(old: Table, new: Table) -> Iterator[str]:
    for name, chain in new.chains.items():
        if name not in old.chains:
            yield from chain_lines(name, chain)
    for name, collection in new.collections.items():
        if name not in old.collections:
            yield from collection_lines(name, collection)


def _elements(table: str, name: str, old: Collection, new: Collection) -> Iterator[str]:
    if old.elements == new.elements:
        return
    gone = [key for key, rest in old.elements.items() if new.elements.get(key) != rest]
    come = [(key, rest) for key, rest in new.elements.items() if old.elements.get(key) != rest]
    if gone:
        yield f"delete element inet {table} {name} {{ {', '.join(gone)} }}"
    if come:
        yield f"add element inet {table} {name} {{ {element_list(come)} }}"
