"""TCP connections that this machine has when its firewall begins: told to conntrack, as it has not seen them begin.

Until there is a firewall, nothing is tracked. Without this, a connection whose other end speaks first would be taken
for a packet out of state, and cut: an SSH session in which somebody only types now and then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from gemel.effects.commands import run, succeeds

LASTS = 432000  # seconds without a packet: what conntrack gives an established connection of its own
KNOWN = ("--state", "ESTABLISHED", "-u", "SEEN_REPLY,ASSURED", "-t", str(LASTS))


@dataclass(frozen=True, slots=True)
class Connection:
    """Who has begun it, and with whom: addresses and ports."""

    source: str
    source_port: int
    destination: str
    destination_port: int


def connections(established: str, listening: str) -> Iterator[Connection]:
    """Of what `ss -Htn state established` and `ss -Htln` print: those that go over a wire."""
    served = {_end(words[3])[1] for line in listening.splitlines() if len(words := line.split()) > 3}
    for line in established.splitlines():
        words = line.split()
        if len(words) < 4:
            continue
        here, there = _end(words[2]), _end(words[3])
        if ip_address(here[0]).is_loopback or ip_address(here[0]).is_link_local:
            continue
        yield Connection(*there, *here) if here[1] in served else Connection(*here, *there)


def _end(word: str) -> tuple[str, int]:
    """Address and port; a listener on any address has `*` or the like in its place."""
    host, _, port = word.rpartition(":")
    text = host.partition("%")[0].strip("[]")
    try:
        address = ip_address(text)
    except ValueError:
        return "::", int(port)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address), int(port)


def keep() -> None:
    """Tell conntrack; one that has ended meanwhile, or that it knows, is no error."""
    established, listening = run("ss", "-Htn", "state", "established"), run("ss", "-Htln")
    for c in connections(established, listening):
        family = "ipv6" if ":" in c.source else "ipv4"
        ends = ("-s", c.source, "-d", c.destination)
        ports = ("--sport", str(c.source_port), "--dport", str(c.destination_port))
        succeeds("conntrack", "-I", "-f", family, "-p", "tcp", *ends, *ports, *KNOWN)
