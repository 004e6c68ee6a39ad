"""Kea's words for leases, which differ by the address family."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Lease = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One family: what people call the protocol, Kea's server for it, and its commands."""

    protocol: str
    server: str
    get: str
    get_all: str
    update: str
    delete: str


DIALECTS = {
    4: Dialect("DHCP", "kea-dhcp4", "lease4-get", "lease4-get-all", "lease4-update", "lease4-del"),
    6: Dialect("DHCPv6", "kea-dhcp6", "lease6-get", "lease6-get-all", "lease6-update", "lease6-del"),
}


def changes(command: str, arguments: Mapping[str, Any]) -> tuple[list[Lease], list[Lease]]:
    """What Kea's HA hook asks about: the leases that it is about to acknowledge, and those that are gone.

    For IPv4 that is one lease in a command, for IPv6 all of one client's packet.
    """
    match command:
        case "lease4-update" | "lease6-update":
            return [dict(arguments)], []
        case "lease4-del" | "lease6-del":
            return [], [dict(arguments)]
        case "lease6-bulk-apply":
            return list(arguments.get("leases", ())), list(arguments.get("deleted-leases", ()))
    return [], []
