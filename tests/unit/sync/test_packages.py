"""A new version's package on its way to the peer."""

import hashlib
import os

import pytest

from gemel.control.peer import Fault
from gemel.sync.client import PART, ask_install, give_package
from gemel.sync.messages import Install, InstallReport, PackagePart
from gemel.sync.node import PackageRefused
from gemel.sync.push import NotPushed
from gemel.sync.server import PeerServer
from tests.unit.sync.test_server import Hand
from tests.unit.sync.world import TARGET, Node, Wire, paired

PACKAGE = os.urandom(PART + 1000)
SHA256 = hashlib.sha256(PACKAGE).hexdigest()


class Shelf:
    """Where packages go."""

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal
        self.kept = b""
        self.installed: list[str] = []

    def take(self, offset: int, data: bytes) -> int:
        assert offset == len(self.kept)
        self.kept += data
        return len(self.kept)

    def install(self, sha256: str) -> None:
        if self.refusal:
            raise PackageRefused(self.refusal)
        self.installed.append(sha256)

    def report(self) -> tuple[str, str]:
        return ("running", "Unpacking") if self.installed else ("none", "")


def wired(shelf: Shelf | None) -> tuple[Node, Wire]:
    primary, secondary = paired()
    wire = Wire(secondary)
    wire.server = PeerServer(secondary, shelf)
    return primary, wire


def test_it_arrives_whole_and_is_installed() -> None:
    shelf = Shelf()
    primary, wire = wired(shelf)
    give_package(primary, TARGET, PACKAGE, SHA256, wire.dial)
    assert shelf.kept == PACKAGE and shelf.installed == [SHA256]
    assert wire.methods() == ["hello", "package_part", "package_part", "install"]
    assert ask_install(primary, TARGET, wire.dial) == InstallReport("running", "Unpacking")


def test_a_refusal_is_said_in_words_and_is_no_problem_of_the_peer() -> None:
    primary, wire = wired(Shelf("version 1.0 is not newer than 1.0, which is installed"))
    with pytest.raises(NotPushed, match=r"does not install the package: version 1\.0 is not newer"):
        give_package(primary, TARGET, PACKAGE, SHA256, wire.dial)
    assert wire.server.status().problem is None


def test_a_node_without_packages_takes_none() -> None:
    primary, wire = wired(None)
    with pytest.raises(NotPushed, match="takes no packages"):
        give_package(primary, TARGET, PACKAGE, SHA256, wire.dial)
    assert ask_install(primary, TARGET, wire.dial).state == "none"


@pytest.mark.parametrize("request_", [PackagePart(0, "QUJD"), Install("00")], ids=["part", "install"])
def test_nobody_else_installs_anything(request_: object) -> None:
    shelf = Shelf()
    primary, secondary = paired()
    wire = Wire(secondary)
    wire.server = PeerServer(secondary, shelf)
    hand = Hand(primary, wire)
    assert hand.call(request_, 1).fault == Fault.SESSION_OVER, "without a session"
    assert hand.hello().fault == 0
    assert hand.call(request_, 1, signature=None).fault == Fault.SESSION_OVER
    assert hand.call(request_, 1, password="guessed").fault in (Fault.BAD_LOGIN, Fault.BAD_SIGNATURE)
    stranger = Hand(primary, wire, signs_as="stranger")
    stranger.session = hand.session
    assert stranger.call(request_, 2).fault == Fault.BAD_SIGNATURE
    secondary.sends_to = TARGET
    assert hand.call(request_, 3).fault == Fault.CONFLICT, "a node that pushes itself is no secondary"
    assert shelf.kept == b"" and shelf.installed == []
    secondary.sends_to = None
    assert hand.call(request_, 4).fault == 0
    assert hand.call(request_, 4).fault == Fault.BAD_SIGNATURE, "and not twice"


def test_a_part_that_is_no_base64_is_said_to_be_none() -> None:
    primary, secondary = paired()
    wire = Wire(secondary)
    wire.server = PeerServer(secondary, Shelf())
    hand = Hand(primary, wire)
    hand.hello()
    assert hand.call(PackagePart(0, "%%%"), 1).fault == Fault.BAD_PARAMETERS
