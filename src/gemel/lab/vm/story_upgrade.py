"""Stories of a new version: one that works, and one that refuses to start."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from gemel.lab.namespace import LabError, run
from gemel.lab.vm.pair import Pair
from gemel.lab.vm.story_power import seen, traffic_of

COMES_BACK = 1200  # seconds: what takes seconds on a machine of its own
GIVES_UP = 480  # installing alone takes four minutes on an emulated machine
UPGRADES = 5400.0
BROKEN = 'raise SystemExit("this version refuses to start, as scripts/vm-test wants it")\n'


def good(pair: Pair, build: Callable[[str], Path]) -> None:
    """Both nodes get the next version by `gemel upgrade`, with a connection through it."""
    package = build(_next(pair, "next"))
    with traffic_of(pair) as traffic:
        pair.timed("gemel upgrade: the next version on both", lambda: _upgraded(pair, package))
        pair.timed("the connection through it", lambda: seen(traffic, "the upgrade"))
    pair.package = package


def refusing(pair: Pair) -> None:
    """The package that the secondary gets holds an agent that ends at once: the pair goes on serving."""
    package = _broken(pair.package, _next(pair, "refuses"), pair.lab.folder)
    with traffic_of(pair) as traffic:
        pair.timed("gemel upgrade: a version that refuses to start", lambda: _refused(pair, package))
        pair.timed("the connection goes on", lambda: seen(traffic, "the upgrade that failed"))
        pair.timed("fw2 is mended", lambda: _mended(pair))


def _next(pair: Pair, name: str) -> str:
    return f"{run('dpkg-deb', '-f', str(pair.package), 'Version').strip()}+{name}"


def _upgraded(pair: Pair, package: Path) -> str:
    version = run("dpkg-deb", "-f", str(package), "Version").strip()
    pair.lab.copy("fw1", package, "/root/next.deb")
    said = pair.lab.cli("fw1", "upgrade", "--within", str(COMES_BACK), "/root/next.deb", timeout=UPGRADES)
    if set(pair.versions().values()) != {version}:
        raise LabError(f"not both run {version}: {pair.versions()}; gemel upgrade said {said}")
    return f"{version}: {_last(said)}; {pair.in_roles()}"


def _broken(package: Path, version: str, folder: Path) -> Path:
    """The same with another version and an agent that does not start."""
    with tempfile.TemporaryDirectory(dir=folder) as work:
        tree = Path(work, "tree")
        run("dpkg-deb", "-R", str(package), str(tree))
        control = tree / "DEBIAN/control"
        lines = control.read_text().splitlines()
        control.write_text("\n".join(f"Version: {version}" if x.startswith("Version:") else x for x in lines) + "\n")
        (tree / "DEBIAN/md5sums").unlink()
        (agent,) = tree.glob("usr/lib/gemel/lib/python3*/site-packages/gemel/daemons/agent/__main__.py")
        agent.write_text(BROKEN)
        made = Path(work, "refuses.deb")
        run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(tree), str(made), timeout=600)
        shutil.copyfile(made, folder / made.name)
        return folder / made.name


def _refused(pair: Pair, package: Path) -> str:
    before = pair.versions()["fw1"]
    pair.lab.copy("fw1", package, "/root/refuses.deb")
    arguments = ("gemel", "upgrade", "--within", str(GIVES_UP), "/root/refuses.deb")
    program = 'out=$("$@" 2>&1); echo "$?"; echo "$out"'
    code, _, said = pair.lab.exec("fw1", "sh", "-c", program, "sh", *arguments, timeout=UPGRADES).partition("\n")
    if code == "0":
        raise LabError(f"an agent that does not start was taken for a good one: {said}")
    if "fw1 serves as before" not in said:
        raise LabError(f"gemel upgrade does not say where it stands: {said}")
    if pair.roles("fw1") != {"MASTER"} or pair.versions()["fw1"] != before:
        raise LabError(f"fw1 does not serve as before: {pair.status('fw1')}")
    return said.strip().replace("\n", " · ")


def _mended(pair: Pair) -> str:
    pair.install("fw2")
    return pair.in_roles()


def _last(said: str) -> str:
    return said.strip().splitlines()[-1] if said.strip() else ""
