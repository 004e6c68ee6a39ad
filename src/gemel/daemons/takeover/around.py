"""What runs on a machine beside its network, and would be in Gemel's way. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gemel.daemons.processes import WEBD


@dataclass(frozen=True, slots=True)
class Around:
    """`clashing` services run or would at boot; `tables` of nftables are not Gemel's, as `nft` names them; `holders`
    are TCP port -> programs, of the ports that Gemel's pages need."""

    clashing: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    holders: dict[int, str] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """What is done about it."""
        for name in self.clashing:
            yield f"{name} is stopped, and masked when you confirm; `gemel setup --undo` brings it back"

    def warnings(self) -> Iterator[str]:
        """What stays, and whoever administers this should know."""
        for table in self.tables:
            yield (
                f"nftables has a table {table}: unless a service that is stopped takes it away, it goes on filtering "
                f"beside Gemel's; `nft delete table {table}` ends that"
            )

    def problems(self) -> Iterator[str]:
        """What has to go first."""
        for port, holder in sorted(self.holders.items()):
            yield f"port {port} is held by {holder}, and Gemel's pages need it: stop that first, or move it"


NOTHING = Around()


def foreign_tables(text: str) -> tuple[str, ...]:
    """Of `nft list tables`: family and name of those that are not Gemel's."""
    tables = [line.split()[1:3] for line in text.splitlines() if len(line.split()) >= 3]
    return tuple(f"{family} {name}" for family, name in tables if name != "gemel" and not name.startswith("gemel_"))


def holders(text: str) -> dict[int, str]:
    """Of `ss -Hltnp`: who listens on the ports of Gemel's pages, at whatever address."""
    found: dict[int, list[str]] = {}
    for line in text.splitlines():
        words = line.split()
        port = words[3].rpartition(":")[2] if len(words) > 3 else ""
        if port.isdecimal() and int(port) in WEBD.ports:
            found.setdefault(int(port), []).extend(re.findall(r'\("([^"]*)",pid=', line) or ["somebody"])
    return {port: ", ".join(dict.fromkeys(names)) for port, names in found.items()}
