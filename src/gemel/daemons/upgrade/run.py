"""The hands of an upgrade. Everything is imported before it begins: it replaces its own code on the way.

What concerns this node's agent goes through the command `gemel`, which is always of the same version as the agent.
"""

import contextlib
import json
import subprocess
import syslog
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gemel.control.agent import AskPeerInstall, UpgradePeer
from gemel.control.door import Refused, Unreachable, ask
from gemel.control.paths import AGENT_DOOR, UPGRADE
from gemel.daemons.upgrade.sight import Installation, Pair, pair_of
from gemel.daemons.upgrade.steps import Order, Upgrade
from gemel.effects.packages import NotInstallable, Package, Packages

COMMAND = "/usr/bin/gemel"
MARK = Path(UPGRADE, "maintenance")
"""There as long as maintenance mode is an upgrade's and not somebody's wish."""
EVERY = 2.0  # seconds between two looks, on a fast machine
AT_MOST = 3.0  # a look takes one part in so many of the time: a slow machine has to install meanwhile
PATIENCE = 120.0  # seconds for a command: installing keeps a slow machine busy
SENDING = 900.0  # seconds for a package over a slow SYNC


class NotDone(Exception):
    """An order could not be carried out; the text says why."""


class Hands(Protocol):
    """What an upgrade does to the two nodes, and what it sees of them."""

    def look(self) -> Pair | None:
        """The pair now; None while this node's agent does not answer."""

    def installation(self, there: bool) -> Installation:
        """How the last one stands, on the peer or here."""

    def do(self, order: Order) -> None:
        """Carry it out.

        Raises:
            NotDone: it cannot be.
        """


def carry_out(
    upgrade: Upgrade, hands: Hands, say: Callable[[str], None], clock: Callable[[], float],
    pause: Callable[[float], None],
) -> bool:  # fmt: skip
    """From the first look to the last; whether both nodes run the new version in the end."""
    asked: tuple[bool, ...] = (False, True)  # how an installation stands: here, on the peer; both at first
    while True:
        begun = clock()
        stands = {there: hands.installation(there) for there in asked}  # before the look: `done` was before it, too
        order = upgrade.next(hands.look(), clock(), stands.get(False), stands.get(True))
        if order.kind == "wait":
            pause(max(EVERY, (clock() - begun) * (AT_MOST - 1)))
            continue
        say(order.text)
        if order.kind in ("done", "stop"):
            return order.kind == "done"
        asked = (order.kind == "install there",) if order.kind.startswith("install") else ()
        try:
            hands.do(order)
        except NotDone as no:
            say(upgrade.not_done(str(no), hands.look()).text)
            return False


class TwoNodes:
    """`Hands` on a real pair."""

    def __init__(self, package: Package, packages: Packages, command: str = COMMAND, mark: Path = MARK) -> None:
        self._package = package
        self._packages = packages
        self._command = command
        self._mark = mark

    def upgrade(self, comes_back: float) -> Upgrade:
        """Of these two, with this package; one that stopped half-way is gone on with."""
        return Upgrade(self._package.version, comes_back, self._mark.exists())

    def look(self) -> Pair | None:
        try:
            pair = pair_of(json.loads(self._gemel("status", "--json")))
        except (NotDone, ValueError, KeyError, TypeError):
            return None
        if not pair.here.maintenance:
            self._mark.unlink(missing_ok=True)
        return pair

    def installation(self, there: bool) -> Installation:
        if not there:
            return Installation(*self._packages.report())
        try:
            report = ask(AGENT_DOOR, AskPeerInstall(), PATIENCE)
        except (Refused, Unreachable) as no:
            return Installation("unknown", str(no))
        return Installation(report.state, report.text)

    def do(self, order: Order) -> None:
        match order.kind:
            case "install there":
                self._give()
            case "install here":
                try:
                    self._packages.begin(self._package)
                except (NotInstallable, OSError) as no:
                    raise NotDone(str(no)) from None
            case "hand over":
                self._hand_over()
            case "hand back":
                self._gemel("carp", "maintenance", "off")

    def _give(self) -> None:
        try:
            ask(AGENT_DOOR, UpgradePeer(str(self._package.path)), SENDING)
        except (Refused, Unreachable) as no:
            raise NotDone(str(no)) from None

    def _hand_over(self) -> None:
        try:
            self._mark.touch()
        except OSError as error:
            raise NotDone(f"{self._mark}: {error.strerror}") from None
        self._gemel("carp", "maintenance", "on")

    def _gemel(self, *words: str) -> str:
        try:
            done = subprocess.run(
                (self._command, *words), capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotDone(f"gemel {' '.join(words)}: {error}") from None
        if done.returncode:
            raise NotDone(f"gemel {' '.join(words)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout


def checked(package: Package, packages: Packages) -> None:
    """Would this node, and the version that the peer runs, take the package?

    Raises:
        NotInstallable: no.
    """
    pair = TwoNodes(package, packages).look()
    there = pair.there.version if pair and pair.there else ""
    if there and packages.older(package.version, there):
        raise NotInstallable(f"version {package.version} is older than {there}, which runs on the peer")
    if packages.installed() != package.version:
        packages.check(package)


def say(text: str) -> None:
    """To whoever looks on, who may have gone, and to the journal."""
    syslog.syslog(text)
    with contextlib.suppress(OSError):
        print(text, flush=True)


def upgrade(package: Package, packages: Packages, comes_back: float) -> bool:
    """Upgrade the pair; whether that worked. What happens is said as it happens."""
    syslog.openlog("gemel-upgrade")
    try:
        hands = TwoNodes(packages.keep(package), packages)
    except NotInstallable as no:
        say(str(no))
        return False
    return carry_out(hands.upgrade(comes_back), hands, say, time.monotonic, time.sleep)
