"""What the agent knows of DHCP: what leased says, the leases with all that belongs to them, what people do to one."""

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any

from gemel.areas.dhcp import DHCP_MAPPINGS, active
from gemel.areas.dhcp6 import DHCP6_MAPPINGS, active6
from gemel.areas.dhcp_kea import subnet_id
from gemel.areas.interfaces import INTERFACES
from gemel.control import agent, paths
from gemel.control.door import Refused, Unreachable, ask
from gemel.control.leased import DeleteLease, LeaseStatus, ListLeases
from gemel.core.codec import encode
from gemel.core.config import Config
from gemel.core.model import plain
from gemel.effects.vendors import vendors
from gemel.facts.dhcp import NO_LEASED

PATIENCE = 0.3  # seconds: who looks every second must not wait for a daemon that hangs
ASKED_AGAIN_AFTER = 0.7
WAKE_ON_LAN = 9  # UDP port


class DhcpWatch:
    """What leased says, asked for at most about once a second."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        self._asked, self._said = -ASKED_AGAIN_AFTER, None

    @property
    def wanted(self) -> bool:
        """Whether any interface has a DHCP server."""
        return bool(active(self._config()) or active6(self._config()))

    def report(self) -> Any:
        """leased's report as JSON values; None where it does not answer, or is not wanted."""
        if not self.wanted:
            return None
        if time.monotonic() - self._asked > ASKED_AGAIN_AFTER:
            self._said = None
            with contextlib.suppress(Refused, Unreachable):
                self._said = encode(ask(paths.LEASED_DOOR, LeaseStatus(), PATIENCE))
            self._asked = time.monotonic()
        return self._said

    def leases(self) -> dict[str, Any]:
        """The source *leases* of facts."""
        config, leases, problem = self._config(), list[dict[str, Any]](), ""
        if self.wanted:
            try:
                leases = ask(paths.LEASED_DOOR, ListLeases(), 12.0)
            except Refused as no:
                problem = f"the leases cannot be read: {no}"
            except Unreachable:
                problem = NO_LEASED
        mappings = [plain(m) for m in (*config[DHCP_MAPPINGS].items, *config[DHCP6_MAPPINGS].items)]
        macs = [m.get("mac", "") for m in mappings] + [x.get("hw-address", "") for x in leases]
        subnets = {subnet_id(i.id): i.id for i in config[INTERFACES].items}
        return {
            "report": self.report(), "leases": leases, "mappings": mappings, "subnets": subnets,
            "vendors": vendors(macs), "problem": problem,
        }  # fmt: skip


def forget(question: agent.ForgetLease) -> None:
    """Delete a lease on both nodes.

    Raises:
        Refused: there is none, or leased does not answer.
    """
    try:
        ask(paths.LEASED_DOOR, DeleteLease(question.address), 5.0)
    except Unreachable:
        raise Refused(NO_LEASED) from None


def wake(config: Config, question: agent.WakeOnLan) -> None:
    """Send a magic packet to everybody on an interface.

    Raises:
        Refused: there is no such interface, or no such MAC.
    """
    interface = config[INTERFACES].get(question.interface)
    if interface is None or not interface.enabled:
        raise Refused(f"there is no enabled interface {question.interface!r}")
    try:
        mac = bytes.fromhex(question.mac.replace(":", ""))
    except ValueError:
        mac = b""
    if len(mac) != 6:
        raise Refused(f"{question.mac!r} is no MAC address")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        out.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.device.encode())
        try:
            out.sendto(b"\xff" * 6 + mac * 16, ("255.255.255.255", WAKE_ON_LAN))
        except OSError as error:
            raise Refused(f"{interface.title}: {error.strerror or error}") from None
