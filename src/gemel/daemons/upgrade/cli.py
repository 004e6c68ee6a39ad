"""`gemel upgrade`: look, then go on in a unit of systemd's, which lives on when the terminal goes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from gemel.cli.console import fail, out
from gemel.control.paths import UPGRADE
from gemel.daemons.upgrade import run
from gemel.daemons.upgrade.steps import COMES_BACK
from gemel.effects.packages import NotInstallable, Packages

UNIT = "gemel-upgrade.service"


def upgrade(
    package: Annotated[Path, typer.Argument(help="The new version's package, a .deb file.")],
    check: Annotated[bool, typer.Option("--check", help="Look whether it could be begun, and end.")] = False,
    within: Annotated[
        int, typer.Option(min=60, max=7200, help="Seconds that a node may take to be back with the new version.")
    ] = int(COMES_BACK),
    here: Annotated[bool, typer.Option("--here", hidden=True)] = False,
) -> None:
    """Bring a new version to both nodes, while connections go on.

    The secondary gets it first, over SYNC, and has to stand by with it; then the virtual IPs go there, this node gets
    it, and they come back. It stops at the first thing that is not as expected, says where it stands, and goes on from
    there when it is begun again.
    """
    if os.geteuid():
        fail("only root can do this: try `sudo gemel upgrade`")
    packages = Packages(Path(UPGRADE))
    try:
        found = packages.read(package.absolute())
        run.checked(found, packages)
    except NotInstallable as no:
        fail(str(no))
    if check:
        hands = run.TwoNodes(found, packages)
        begun = hands.upgrade(within)
        order = begun.next(hands.look(), 0.0, hands.installation(there=False), hands.installation(there=True))
        if order.kind == "stop":
            fail(order.text)
        out.print(order.text if order.kind == "done" else f"It can be begun: {order.text}", markup=False)
    elif here:
        raise typer.Exit(0 if run.upgrade(found, packages, within) else 1)
    else:
        raise typer.Exit(_apart(found.path, within))


def _apart(path: Path, within: int) -> int:
    """In a unit of its own; what it says comes here."""
    out.print(f"Should this terminal go, it goes on: `journalctl -f -u {UNIT}`")
    sys.stdout.flush()
    begin = ("systemd-run", "--quiet", "--collect", "--wait", "--pipe", "--unit", UNIT)
    command = (run.COMMAND, "upgrade", "--here", "--within", str(within), str(path))
    return subprocess.run((*begin, *command), check=False).returncode
