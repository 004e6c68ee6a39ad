"""Stories of a new version: one that works, and one that refuses to start."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from gemel.lab.namespace import LabError, run
from gemel.lab.topology import NODES
from gemel.lab.vm.pair import PATIENCE, Pair
from gemel.lab.vm.story_power import seen, traffic_of

COMES_BACK = 1200  # seconds: what takes seconds on a machine of its own
GIVES_UP = 480  # installing alone takes four minutes on an emulated machine
UPGRADES = 5400.0
REFUSAL = "this version refuses to start, as scripts/vm-test wants it"
BROKEN = f'raise SystemExit("{REFUSAL}")\n'
OURS = ("gemel-agent", "gemel-carpd", "gemel-flowd", "gemel-leased", "gemel-webd")  # what runs a version's own code
CURRENT = "config/current"  # the number of the revision that runs


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
    return f"{_version(pair.package)}+{name}"


def _upgraded(pair: Pair, package: Path) -> str:
    version = _version(package)
    before = {node: _Before(pair, node) for node in NODES}
    pair.lab.copy("fw1", package, "/root/next.deb")
    said = pair.lab.cli("fw1", "upgrade", "--within", str(COMES_BACK), "/root/next.deb", timeout=UPGRADES)
    if set(pair.versions().values()) != {version}:
        raise LabError(f"not both run {version}: {pair.versions()}; gemel upgrade said {said}")
    roles = pair.in_roles()
    for node, there in before.items():
        there.compare(pair, node, version)
    return f"{version}: {_last(said)}; {roles}; configuration as before and saved, every process is the new version's"


class _Before:
    """What a node was before an upgrade."""

    def __init__(self, pair: Pair, node: str) -> None:
        self._version = pair.versions()[node]
        self._configuration = pair.lab.cli(node, "export", timeout=PATIENCE)
        self._revision = pair.lab.exec(node, "cat", f"/var/lib/gemel/{CURRENT}")
        self._uptime = _uptime(pair, node)

    def compare(self, pair: Pair, node: str, version: str) -> None:
        """What has to be the same, and what has to be new.

        Raises:
            LabError: it is otherwise.
        """
        if pair.lab.cli(node, "export", timeout=PATIENCE) != self._configuration:
            raise LabError(f"{node}'s configuration is another one after the upgrade")
        if pair.lab.exec(node, "cat", f"/var/lib/gemel/before/{self._version}/{CURRENT}") != self._revision:
            raise LabError(f"{node} has not saved the configuration as {self._version} wrote it")
        if (found := _dpkg(pair, node)) != f"installed {version}":
            raise LabError(f"dpkg on {node} says {found}")
        units = tuple(f"{name}.service" for name in OURS)
        said = pair.lab.exec(node, "systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", *units)
        since = dict(zip(OURS, (int(word) / 1e6 for word in said.split()), strict=True))
        if old := [name for name, at in since.items() if at < self._uptime]:
            raise LabError(f"{node}: {old} still run the old version's code")


def _uptime(pair: Pair, node: str) -> float:
    return float(pair.lab.exec(node, "cat", "/proc/uptime").split()[0])


def _dpkg(pair: Pair, node: str) -> str:
    return pair.lab.exec(node, "dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", "gemel").strip()


def _version(package: Path) -> str:
    return run("dpkg-deb", "-f", str(package), "Version").strip()


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
    version = _version(package)
    if not (found := _dpkg(pair, "fw2")).endswith(f" {version}"):
        raise LabError(f"the version that refuses to start has never been on fw2, dpkg says {found}: {said}")
    if REFUSAL not in pair.lab.exec("fw2", "journalctl", "-u", "gemel-agent", "-o", "cat", "--no-pager"):
        raise LabError(f"the version that refuses to start has not been started: {said}")
    if "fw2" not in said or version not in said:
        raise LabError(f"gemel upgrade does not say what happened: {said}")
    return said.strip().replace("\n", " · ")


def _mended(pair: Pair) -> str:
    pair.install("fw2")
    return pair.in_roles()


def _last(said: str) -> str:
    return said.strip().splitlines()[-1] if said.strip() else ""
