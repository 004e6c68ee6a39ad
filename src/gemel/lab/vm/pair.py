"""From two plain machines to the pair that every story begins with, and what is seen of it."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gemel.lab.commands import SOURCE
from gemel.lab.namespace import LabError
from gemel.lab.topology import NODES
from gemel.lab.virtual import PASSWORD, VirtualLab
from gemel.lab.vm import picture
from gemel.lab.vm.recipe import Call, recipe
from gemel.lab.vm.session import Session

PATIENCE = 300.0  # seconds for what takes one on a real machine
INSTALLS = 1200.0
STAGES = "stages"  # the file with what was done and saved

Json = dict[str, Any]


class Pair:
    """The two machines, and the table of what was done. `package` is installed on both."""

    def __init__(self, lab: VirtualLab, package: Path, save: bool = False) -> None:
        self.lab = lab
        self.package = package
        self.table: list[tuple[str, str]] = []
        self._save = save
        self._tokens: dict[str, str] = {}

    def timed(self, what: str, act: Callable[[], str | None]) -> None:
        """Do one thing; its line of the table has the seconds, and what `act` says."""
        begun = time.monotonic()
        print(f"… {what}", flush=True)
        said = act()
        line = f"{time.monotonic() - begun:.0f} s" + (f": {said}" if said else "")
        self.table.append((what, line))
        print(f"✓ {what}: {line}", flush=True)

    def begin(self, story: str) -> None:
        """A story begins: both nodes are in their roles."""
        print(f"\n— {story}", flush=True)
        self.in_roles()

    # From plain machines to the pair --------------------------------------------------------------------------------

    def stand(self, resume: bool) -> None:
        """Do every stage; with `resume` those that are not in what the last run has saved."""
        place = self.lab.folder / STAGES
        done = place.read_text().splitlines() if resume and place.exists() else []
        if not done:
            place.unlink(missing_ok=True)
        for node in NODES:
            self.lab.power_on(node, done[-1] if done else "")
        for key, what, act in self._stages():
            if key in done:
                continue
            self.timed(what, act)
            done.append(key)
            if self._save:
                self.lab.save(key)
                place.write_text("\n".join(done))

    def _stages(self) -> list[tuple[str, str, Callable[[], str | None]]]:
        return [
            ("boot", "both boot to log-in", lambda: each(self.lab.booted)),
            ("plain", "what fw2 is, before anything", lambda: self._picture("plain")),
            ("install", "the package is installed on both", lambda: each(self.install)),
            ("installed", "what fw2 is then", lambda: self._picture("installed")),
            ("setup", "gemel setup on both, over SSH that lives on", lambda: each(self.set_up)),
            ("recipe", "the recipe, by REST", lambda: self.make(recipe())),
            ("roles", "roles", self.in_roles),
        ]  # fmt: skip

    def _picture(self, name: str) -> str:
        found = picture.take(self.lab, "fw2")
        found.keep(self.lab.folder / f"{name}.json")
        return f"{sum(map(len, found.sections.values()))} lines"

    def as_it_was(self, name: str) -> picture.Picture:
        """The picture of fw2 that was taken on the way to the pair: ``plain`` or ``installed``."""
        return picture.Picture.kept(self.lab.folder / f"{name}.json")

    def install(self, node: str, package: Path | None = None) -> None:
        """By dpkg, as the dependencies are on the disk."""
        self.lab.copy(node, package or self.package, "/root/gemel.deb")
        self.lab.exec(node, "dpkg", "-i", "/root/gemel.deb", timeout=INSTALLS)

    def set_up(self, node: str) -> str:
        """On trial, then confirmed from another session; a session from before lives through it."""
        with Session(self.lab, node) as session:
            self.begin_set_up(node, 1800)
            self.lab.cli(node, "setup", "--confirm", timeout=PATIENCE)
            return f"confirmed from a second session; {session.lives()}"

    def begin_set_up(self, node: str, within: int) -> None:
        """On trial only."""
        arguments = ("--yes", "--password-stdin", "--other", "eth2=SYNC", "--within", str(within))
        self.lab.cli(node, "setup", *arguments, text=f"{PASSWORD}\n", timeout=900)

    # REST -----------------------------------------------------------------------------------------------------------

    def make(self, calls: list[Call]) -> str:
        """Make these calls, in their order."""
        for call in calls:
            self.rest(call.node, call.method, call.path, call.body)
        return f"{len(calls)} calls"

    def rest(self, node: str, method: str, path: str, body: Any = None) -> Any:
        """One call from the LAN host, logged in."""
        if node in self._tokens:
            try:
                return self._ask(node, method, path, body)
            except LabError as error:
                if f"{path}: 401 " not in str(error):
                    raise
        self._tokens.pop(node, None)
        self._tokens[node] = self._ask(node, "POST", "/login", {"username": "admin", "password": PASSWORD})["token"]
        return self._ask(node, method, path, body)

    def _ask(self, node: str, method: str, path: str, body: Any) -> Any:
        address = NODES[node].lan.partition("/")[0]
        script, url = str(SOURCE / "gemel/lab/rest.py"), f"https://{address}/api/v1{path}"
        text = json.dumps(body) if body is not None else ""
        argv = (sys.executable, script, method, url, self._tokens.get(node, ""))
        return json.loads(self.lab.exec("lan", *argv, text=text, timeout=PATIENCE))

    def status(self, node: str) -> Json:
        """The node's status; empty while it does not answer."""
        try:
            found: Json = self.rest(node, "GET", "/status")
        except LabError:
            return {}
        return found

    # What is seen ---------------------------------------------------------------------------------------------------

    def roles(self, node: str) -> set[str]:
        """The states of its virtual IPs; of a node that does not answer there are none."""
        return {vip["state"] for vip in self.status(node).get("carp", ())}

    def wait_for(self, node: str, role: str) -> None:
        """Until all its virtual IPs are in this state."""
        try:
            self.lab.wait(lambda: self.roles(node) == {role}, f"{node} to be {role} of all virtual IPs", PATIENCE)
        except LabError as error:
            told = self.status(node)
            carp = [(v["description"], v["state"], v["reason"]) for v in told.get("carp", ())]
            raise LabError(f"{error}: {carp} {told.get('problems', 'it does not answer')}") from None

    def in_roles(self) -> str:
        """fw1 MASTER, fw2 BACKUP, with each other's states."""
        self.wait_for("fw1", "MASTER")
        self.wait_for("fw2", "BACKUP")
        for node in NODES:
            self.lab.wait(lambda node=node: self._synced(node), f"{node}: states in sync", PATIENCE)  # type: ignore[misc]
        counts = ", ".join(f"{self.status(node)['state_sync']['states']} on {node}" for node in NODES)
        return f"fw1 MASTER, fw2 BACKUP, states in sync: {counts}"

    def _synced(self, node: str) -> bool:
        return bool(self.status(node).get("state_sync", {}).get("in_sync"))

    def versions(self) -> dict[str, str]:
        """What each node says of itself."""
        return {node: str(self.status(node).get("software", "")) for node in NODES}


def each(act: Callable[[str], str | None]) -> str:
    """The same on both nodes at once; what is said of both is said once."""
    with ThreadPoolExecutor() as workers:
        said = [line for line in workers.map(act, NODES) if line]
    return "; ".join(dict.fromkeys(said))


def built(output: Path, version: str = "") -> Path:
    """The working tree as a package, of this version if it is given."""
    print(f"… scripts/package {version}", flush=True)
    chosen = ("--version", version) if version else ()
    command = (SOURCE.parent / "scripts/package", "--output", output, *chosen)
    subprocess.run(command, cwd=SOURCE.parent, check=True, stdout=subprocess.DEVNULL)
    return max(output.glob("gemel_*.deb"), key=lambda p: p.stat().st_mtime)
