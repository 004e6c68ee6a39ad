"""A new version's package: taken from the peer, given to the peer."""

from pathlib import Path

from gemel.control import agent as ask
from gemel.control.door import Refused
from gemel.daemons.agent.peer import ThisNode
from gemel.effects.packages import NotInstallable, Packages
from gemel.sync.client import ask_install, give_package
from gemel.sync.node import PackageRefused, Target
from gemel.sync.push import NotPushed


class PeersPackages:
    """`sync.node.Packages`, by apt."""

    def __init__(self, packages: Packages) -> None:
        self._packages = packages

    def take(self, offset: int, data: bytes) -> int:
        try:
            return self._packages.take(offset, data)
        except (NotInstallable, OSError) as error:
            raise PackageRefused(str(error)) from None

    def install(self, sha256: str) -> None:
        try:
            self._packages.install(sha256)
        except (NotInstallable, OSError) as error:
            raise PackageRefused(str(error)) from None

    def report(self) -> tuple[str, str]:
        return self._packages.report()


def upgrade_peer(node: ThisNode, packages: Packages, question: ask.UpgradePeer) -> None:
    """Send it over, and have it installed."""
    target = _target(node)
    try:
        package = packages.read(Path(question.path))
        give_package(node, target, package.path.read_bytes(), package.sha256)
    except (NotInstallable, NotPushed, OSError) as error:
        raise Refused(str(error)) from None


def peer_install(node: ThisNode) -> ask.PeerInstall:
    """How that stands."""
    try:
        report = ask_install(node, _target(node))
    except NotPushed as error:
        raise Refused(str(error)) from None
    return ask.PeerInstall(report.state, report.text)


def _target(node: ThisNode) -> Target:
    target = node.target()
    if target is None or node.pinned() is None:
        raise Refused("only the primary of a pair upgrades the other node, when the two know each other's keys")
    return target
