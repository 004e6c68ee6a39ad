"""Whoever does this over SSH: where from, and how the way in stays open. Pure, but for `of_this_process`."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from gemel.control.agent import EditOrder
from gemel.daemons.takeover.devices import Again
from gemel.daemons.takeover.routes import surplus, taken
from gemel.daemons.takeover.seen import Seen

SSH = 22


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever does this over SSH: SSH_CONNECTION's client address, and the address here with its port."""

    client: str
    server: str
    port: int = SSH


def of_this_process(processes: Path = Path("/proc")) -> Visitor | None:
    """The visitor of this process, or of one that it comes from: sudo keeps SSH_CONNECTION to itself."""
    return of(_environments(processes, os.getpid()))


def of(environments: Iterable[bytes]) -> Visitor | None:
    """The first SSH_CONNECTION in these, each as in /proc/PID/environ."""
    for environment in environments:
        for setting in environment.split(b"\0"):
            name, _, value = setting.decode(errors="replace").partition("=")
            words = value.split()
            if name == "SSH_CONNECTION" and len(words) == 4 and _is_address(words[0]) and _is_address(words[2]):
                return Visitor(words[0], words[2], int(words[3]))
    return None


def _is_address(word: str) -> bool:
    """sshd says UNKNOWN where it was not reached over a network."""
    try:
        ip_address(word)
    except ValueError:
        return False
    return True


def _environments(processes: Path, pid: int) -> Iterator[bytes]:
    while pid:
        try:
            yield (processes / str(pid) / "environ").read_bytes()
            fields = (processes / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            return
        pid = int(fields[1])  # its parent


def let_in(seen: Seen, ids: Mapping[str, str], visitor: Visitor) -> Again:
    """The rule by which the visitor still gets in, if the first rules do not let him in anyway; `ids` are device ->
    interface."""
    found = Again()
    client, server = (end.partition("%")[0] for end in (visitor.client, visitor.server))
    door = seen.device_with(visitor.server)
    if ip_address(server).is_loopback:
        return found
    if not door:
        found.warnings.append(f"you come to {server}, which no device has: see to it that you get in afterwards")
    elif door not in ids:
        how = f"say --other {door}=NAME" if seen.port(door) else "come in by a port that is assigned"
        found.problems.append(f"you come by {door}, which would be closed, as it is not assigned: {how}")
    elif ids[door] != "lan" or not _is_in_its_network(seen, door, client):
        found.edits.append(_rule(ids[door], client, server, visitor.port))
        found.lines.append(f"a rule on {door} lets {client} in by SSH, as you come from there")
    port = seen.port(door)
    if port and any(a.partition("/")[0] == server for a in surplus(port)):
        found.warnings.append(
            f"you come to {server}, which is gone after the next boot: use another address from then on"
        )
    return found


def _is_in_its_network(seen: Seen, device: str, client: str) -> bool:
    port, address = seen.port(device), ip_address(client)
    return port is not None and any(address in a.network for a in taken(port))


def _rule(interface: str, client: str, server: str, port: int) -> EditOrder:
    values = {
        "interface": interface,
        "protocol": "tcp",
        "family": "inet6" if ":" in client else "inet",
        "source": client,
        "destination": server,
        "destination_port": str(port),
        "description": "SSH of whoever set this node up",
    }
    return EditOrder("rules", "add", "", values)
