"""Looks at this machine, and changes nothing."""

import socket
from collections.abc import Iterator
from pathlib import Path

from gemel.daemons.takeover import owners, seen
from gemel.daemons.takeover.around import Around, foreign_tables, holders
from gemel.daemons.takeover.devices import devices
from gemel.daemons.takeover.seen import Seen
from gemel.effects.commands import listed, run

RESOLVER = Path("/etc/resolv.conf")
BEHIND_STUBS = (
    ("/run/systemd/resolve", "resolv.conf"),
    ("/run/resolvconf/interface", "*"),
    ("/run/NetworkManager", "no-stub-resolv.conf"),
)
"""Where systemd-resolved, resolvconf and NetworkManager keep the name servers that a local one asks."""


def look() -> Seen:
    """What this machine has now."""
    links = listed("ip", "-d", "-json", "address")
    ports = seen.ports(links)
    routes, routes6 = listed("ip", "-json", "route"), listed("ip", "-json", "-6", "route")
    nameservers, domain = seen.resolvers(_resolver_files())
    return Seen(
        hostname=socket.gethostname().partition(".")[0],
        ports=ports,
        default=seen.default_route(routes),
        default6=seen.default_route(routes6),
        routes=seen.other_routes(routes) + seen.other_routes(routes6),
        nameservers=nameservers,
        domain=domain,
        owners=tuple(o.name for o in owners.of(p.device for p in ports if p.all)),
        devices=devices(links),
        odd_routes=seen.odd_routes(routes, ports) + seen.odd_routes(routes6, ports),
    )


def around() -> Around:
    """What runs beside its network."""
    return Around(owners.clashing(), foreign_tables(run("nft", "list", "tables")), holders(run("ss", "-Hltnp")))


def _resolver_files() -> Iterator[str]:
    paths = [RESOLVER]
    for folder, pattern in BEHIND_STUBS:
        paths += sorted(Path(folder).glob(pattern))
    for path in paths:
        if path.is_file():
            yield path.read_text(errors="replace")
