"""What Gemel put into the kernel, taken out again, and what was there, put back. Nothing of it outlives a boot."""

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gemel.control.paths import RUN
from gemel.daemons.takeover import seen
from gemel.daemons.takeover.memory import Memory
from gemel.daemons.takeover.seen import Port, Seen, Via
from gemel.effects.commands import listed, run, succeeds

HAVE = Path(RUN, "have.json")
"""What the agent has put in place since boot."""
FAMILIES = (("-4", "0.0.0.0/0", 0), ("-6", "::/0", 1024))
"""For `ip`; the agent's name of the default route; and the metric that its routes have."""


def without_tables() -> None:
    """No table of Gemel's is left.

    Raises:
        CommandFailed: nft does not list any.
    """
    for line in run("nft", "list", "tables").splitlines():
        _, family, name = line.split()
        if name == "gemel" or name.startswith("gemel_"):
            run("nft", "delete", "table", family, name)


def without_devices(before: Seen) -> None:
    """Their ports stand alone again; a VLAN goes by itself with what carries it."""
    for device in seen.made_since(_have(), before):
        succeeds("ip", "link", "delete", device)


def addresses_back(was: Memory, present: Seen) -> None:
    """Each port has the addresses that it had, but those that whoever leased them gets by himself."""
    for port in was.seen.ports:
        there = present.port(port.device)
        if there is None:
            continue
        _, strange = seen.gone_and_new(port.all, there.all)
        if port.up:
            succeeds("ip", "link", "set", port.device, "up")
        for address in strange:
            succeeds("ip", "address", "delete", address, "dev", port.device)
        for address in missing(port, there, was):
            succeeds("ip", "address", "add", address, "dev", port.device)
        if not port.up:
            succeeds("ip", "link", "set", port.device, "down")


def missing(port: Port, there: Port, was: Memory) -> list[str]:
    """The addresses of a port that nobody else puts back. A leased one is asked for again by its owner; in ifupdown's
    case that is a client, if there was one for this port."""
    asks = was.owners != ("ifupdown",) or any(port.device in argv for argv in was.clients)
    gone, _ = seen.gone_and_new(port.addresses if asks else port.all, there.all)
    return gone


def routes_back(was: Memory, present: Seen) -> None:
    """Default routes and the others are what they were.

    Raises:
        CommandFailed: one cannot be, and nobody else will put it back.
    """
    for (family, everything, metric), via in zip(FAMILIES, (was.seen.default, was.seen.default6), strict=True):
        if via:
            _put_back(was, family, "default", via.gateway, via.device, *via.how)
        made = [r for r in routes_made(_have()) if r[0] == everything]
        for strange in strange_defaults(listed("ip", "-json", family, "route"), made, metric, via):
            words = ("via", strange.gateway, "dev", strange.device, "metric", str(strange.metric))
            succeeds("ip", family, "route", "delete", "default", *words)
    for destination, gateway, device, *how in (r for r in present.routes if r not in was.seen.routes):
        succeeds("ip", "route", "delete", destination, "via", gateway, "dev", device, *how)
    for destination, gateway, device, *how in was.seen.routes:
        _put_back(was, "-6" if ":" in destination else "-4", destination, gateway, device, *how)


def _put_back(was: Memory, family: str, destination: str, gateway: str, device: str, *how: str) -> None:
    """With who made it and all: of one that differs in nothing else, its owner would set a second one beside it."""
    port = was.seen.port(device)
    command = ("ip", family, "route", "replace", destination, "via", gateway, "dev", device, *how)
    if port is not None and port.leased:  # its address may have gone, and comes again with its routes
        succeeds(*command)
    else:
        run(*command)


def strange_defaults(
    routes: Iterable[dict[str, Any]], made: Iterable[tuple[str, str, str]], metric: int, before: Via | None
) -> Iterator[Via]:
    """Of `ip -json route`: the default routes of the agent (`made`: destination, gateway, device; its `metric`) that
    were not there before. Beside one with a higher metric, they would stay and win."""
    ways = {(gateway, device) for _, gateway, device in made}
    known = None if before is None else (before.gateway, before.device, before.metric)
    for route in routes:
        via = Via.of(route)
        is_ours = route.get("dst") == "default" and (via.gateway, via.device) in ways and via.metric == metric
        if is_ours and (via.gateway, via.device, via.metric) != known:
            yield via


def routes_made(ledger: Any) -> tuple[tuple[str, str, str], ...]:
    """Of what the agent keeps of what it put in place: destination, gateway and device of its routes."""
    routes = (entry["want"] for entry in ledger.get("have", ()) if entry.get("kind") == "Route")
    return tuple((w["destination"], w["gateway"], w["device"]) for w in routes)


def _have() -> Any:
    with contextlib.suppress(FileNotFoundError, ValueError):
        return json.loads(HAVE.read_text())
    return {}
