"""What is missing for the next step of an upgrade, and where the pair stands: sentences on a look. Pure."""

from collections.abc import Iterator

from gemel.daemons.upgrade.sight import Installation, Node, Pair

OTHER_VERSION = "runs Gemel "
"""In the problem that two nodes with configurations of different versions have: an upgrade makes it, and ends it."""


def unfit(pair: Pair | None, target: str, ours: bool) -> Iterator[str]:
    """Why it cannot be begun, or gone on with. `ours`: maintenance mode here is from an upgrade that stopped."""
    if pair is None:
        yield "this node's agent does not answer: `gemel status`"
        return
    here, there = pair.here, pair.there
    if pair.role != "primary":
        yield f"this node is {pair.role}: a pair is upgraded from its primary"
    elif there is None or pair.silent:
        yield f"nothing is heard of the peer: {pair.silent}"
    elif not there.version:
        yield f"{there.name} does not tell its version: it cannot be upgraded from here"
    elif here.maintenance and not (ours and there.version == target):
        if here.version == there.version == target:
            yield f"nothing to upgrade, both nodes run {target}"
        yield f"{here.name} is in persistent CARP maintenance mode: `gemel carp maintenance off` first"
    elif there.version == target:
        yield from _unfit_half_way(pair, there, target)
    else:
        yield from here.not_all("MASTER")
        yield from pair.unsafe


def _unfit_half_way(pair: Pair, there: Node, target: str) -> Iterator[str]:
    if pair.here.version == target:
        if pair.here.maintenance:
            yield from is_back_here(pair, there, target)
    elif pair.here.maintenance and "MASTER" in there.roles.values():
        yield from serves_there(pair, there, target)
    else:
        yield from _stands_by(pair, there)


def unfinished(name: str, installation: Installation | None) -> Iterator[str]:
    """Why an earlier installation on that node is in the way; None: it was not asked."""
    match installation:
        case Installation("running", text):
            yield f"apt is at work on {name}, wait until it is done: {text}"
        case Installation("broken", text):
            yield f"{name}: {text}"
        case Installation("unknown", text):
            yield f"{name} does not say how its last installation ended: {text}"


def _stands_by(pair: Pair, there: Node) -> Iterator[str]:
    """Why the peer could not take over, connections and all, as far as a difference of versions lets one ask."""
    if pair.silent:
        yield f"nothing is heard of {there.name}: {pair.silent}"
        return
    yield from there.not_all("BACKUP")
    if there.roles.keys() != pair.here.roles.keys():
        yield f"{there.name} and {pair.here.name} do not have the same virtual IPs"
    if there.maintenance:
        yield f"{there.name} is in persistent CARP maintenance mode"
    yield from there.hindered
    yield from pair.behind
    yield from (f"{there.name}: {p}" for p in there.problems if OTHER_VERSION not in p)


def is_back_there(pair: Pair, there: Node, target: str) -> Iterator[str]:
    """Why the peer is not yet well with the new version."""
    if there.version != target and not pair.silent:  # what it ran when it was last heard says nothing
        yield f"{there.name} runs {there.version}, not {target}"
    yield from _stands_by(pair, there)


def serves_there(pair: Pair, there: Node, _target: str) -> Iterator[str]:
    """Why the peer is not yet alone in serving."""
    if pair.silent:
        yield f"nothing is heard of {there.name}: {pair.silent}"
    yield from there.not_all("MASTER")
    yield from pair.here.not_all("BACKUP")


def is_back_here(pair: Pair, there: Node, target: str) -> Iterator[str]:
    """Why this node is not yet well with the new version."""
    here = pair.here
    if here.version != target:
        yield f"{here.name} runs {here.version}, not {target}"
    yield from serves_there(pair, there, target)
    yield from here.hindered
    yield from pair.behind


def serves_here(pair: Pair, there: Node, _target: str) -> Iterator[str]:
    """Why the pair is not yet as it was."""
    yield from pair.here.not_all("MASTER")
    yield from there.not_all("BACKUP")
    yield from pair.unsafe


def lost_here(pair: Pair, _there: Node, _target: str) -> Iterator[str]:
    """What this node should serve and does not."""
    return pair.here.not_all("MASTER")


def lost_there(pair: Pair, there: Node, _target: str) -> Iterator[str]:
    """What the peer should serve and does not."""
    if not pair.silent:
        yield from there.not_all("MASTER")


def nothing(_pair: Pair, _there: Node, _target: str) -> Iterator[str]:
    """No sentence."""
    yield from ()


def standing(pair: Pair, before: Pair | None = None) -> str:
    """Who serves, with which version, and maintenance mode, seen in `pair`; `before` it was like that."""
    said = _does(pair.here, before.here if before else None)
    if pair.here.maintenance:
        said += " (`gemel carp maintenance off` ends it)"
    if pair.there:
        unheard = "not heard of now, when last heard: " if pair.silent else ""
        said += f"; {unheard}{_does(pair.there, before.there if before else None)}"
    return f"{said}."


def _does(node: Node, before: Node | None) -> str:
    masters = [vip for vip, state in node.roles.items() if state == "MASTER"]
    others = [vip for vip, state in node.roles.items() if state != "MASTER"]
    if masters and not others:
        same = before is not None and (before.roles, before.version, before.maintenance) == (
            node.roles, node.version, node.maintenance,
        )  # fmt: skip
        does = "serves as before," if same else "serves"
    elif masters:
        does = f"is MASTER of {', '.join(masters)} and not of {', '.join(others)},"
    else:
        does = "serves nothing" if [*node.not_all("BACKUP")] else "stands by"
    return f"{node.name} {does} with {node.version}{', in maintenance mode' if node.maintenance else ''}"
