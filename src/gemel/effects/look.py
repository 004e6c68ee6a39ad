"""Looks at the machine that change nothing: links, addresses, neighbours, counters, logs."""

import json
import select
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gemel.effects.conntrack import Listing
from gemel.rules.counters import Count, read_counters

PATIENCE = 10.0  # seconds for a tool
LOGS = Path("/var/log/gemel")
TAIL = 1 << 20  # bytes of a log that are looked at


def links() -> list[dict[str, Any]]:
    """Every link, with its counters, as `ip` lists them."""
    return _listed("ip", "-json", "-statistics", "link")


def addresses() -> list[dict[str, Any]]:
    """Every link with its addresses, as `ip` lists them."""
    return _listed("ip", "-json", "address")


def neighbours() -> list[dict[str, Any]]:
    """The ARP and NDP tables, as `ip` lists them."""
    return _listed("ip", "-json", "neighbour")


def octets() -> dict[str, tuple[int, int]]:
    """Device -> bytes received and sent."""
    found = {}
    for line in Path("/proc/self/net/dev").read_text().splitlines()[2:]:
        name, _, numbers = line.partition(":")
        fields = numbers.split()
        found[name.strip()] = int(fields[0]), int(fields[8])
    return found


def state_count() -> int | None:
    """How many states the kernel has now; None where it does not track connections yet."""
    try:
        return int(Path("/proc/sys/net/netfilter/nf_conntrack_count").read_text())
    except (OSError, ValueError):
        return None


def rule_counters() -> dict[str, Count]:
    """Packets and bytes by rule id, or name of a built-in decision; empty while no firewall is loaded."""
    return read_counters(_said("nft", "list", "table", "inet", "gemel"))


def conntrack() -> Iterator[bytes]:
    """The whole state table, message by message; ends early when the kernel does not go on."""
    listing = Listing()
    try:
        while not (listing.done or listing.failed):
            if found := listing.read():
                yield from found
            elif not (listing.done or listing.failed or select.select([listing], [], [], PATIENCE)[0]):
                return
    finally:
        listing.close()


def logs(name: str) -> dict[str, Any]:
    """The ends of the logs of one process, or of all (`name` empty): the supervisor's files, or the journal where
    systemd runs. `files` is process -> lines, `journal` lines of JSON, `processes` all names that have a log.
    """
    there = {path.stem: path for path in sorted(LOGS.glob("*.log"))} if LOGS.is_dir() else {}
    files = {key: _tail(path) for key, path in there.items() if name in ("", key)}
    if there or shutil.which("journalctl") is None:
        return {"files": files, "journal": [], "processes": list(there)}
    units = _said("systemctl", "list-units", "--all", "--plain", "--no-legend", "gemel-*.service").split("\n")
    names = [unit.split()[0].removesuffix(".service").removeprefix("gemel-") for unit in units if unit.strip()]
    unit = f"gemel-{name or '*'}.service"
    fields = "--output-fields=MESSAGE,PRIORITY,_SYSTEMD_UNIT,UNIT,SYSLOG_IDENTIFIER"
    lines = _said("journalctl", "--unit", unit, "--no-pager", "--quiet", "--lines", "5000", "--output", "json", fields)
    return {"files": {}, "journal": lines.splitlines(), "processes": names}


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            size = file.tell()
            file.seek(max(0, size - TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return lines[1:] if size > TAIL else lines  # the first is a part of one


def _listed(*argv: str) -> list[dict[str, Any]]:
    try:
        value = json.loads(_said(*argv) or "[]")
    except ValueError:
        return []
    return [one for one in value if isinstance(one, dict)]


def _said(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
