"""Where a node keeps its configuration: every revision, which one runs, and what is pending.

    revisions/00000007.json   one each: {"number", "who", "where", "when", "message", "config"}
    current                   the number of the revision that runs
    pending.json              {"version", "areas": {name: {"who", "where", "when", "model"}}}
    pending-unread.json       the last pending.json of which something did not read
    node.json                 what the node remembers beside its configuration (maintenance mode)

A revision becomes the running one by the single rename that replaces `current`. A revision file above that number is a
change that was never finished: it is removed at the next start. One that does not read (damaged, or a newer version's)
stays as it is; the newest one that reads runs instead, and `current` names the other until something is applied.
"""

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gemel.core.area import NodeState
from gemel.core.config import Config, Schema, canonical
from gemel.core.pending import Pending, read, written
from gemel.core.problem import Invalid, Problem
from gemel.core.revision import Origin, Revision, origin_of
from gemel.effects.disk import Disk

Head = tuple[int, Origin, str]
TAIL = 4096  # bytes: what a revision's file ends with, after the configuration

log = logging.getLogger(__name__)


class Store:
    """The folder of one node's configuration.

    `unread` says in words which revisions `running` could not read, `left_out` what `pending` could not; both are empty
    where all was read, and again as soon as another revision runs.
    """

    def __init__(self, folder: Path, schema: Schema, disk: Disk | None = None) -> None:
        self._folder = folder
        self._revisions = folder / "revisions"
        self._schema = schema
        self._disk = disk or Disk()
        self._heads: dict[int, Head] = {}
        self.unread = ""
        self.left_out = ""
        self._revisions.mkdir(mode=0o700, parents=True, exist_ok=True)

    def running(self) -> Revision | None:
        """The revision that runs, else the newest before it that reads; None where there is none, as on a machine that
        was never configured. Unfinished ones are cleaned away."""
        numbers = self.numbers()
        wrong: list[str] = []
        try:
            current = self._current()
        except Invalid as error:
            wrong.append(str(error))
        else:
            for left_over in numbers:
                if left_over > current:
                    self._disk.remove(self._path(left_over))
            numbers = [*(n for n in numbers if n < current), *([current] if current else [])]
        for number in reversed(numbers):
            try:
                found = self.revision(number)
            except Invalid as error:
                wrong.append(str(error))
            else:
                instead = f"revision {number} runs instead, and nothing is pushed, until a configuration is applied"
                self.unread = (
                    f"{_listed(wrong)}. So {instead}: `gemel restore {number}` keeps this one" if wrong else ""
                )
                return found
        left = "this node is left as it is until a configuration is applied: `gemel import` takes a saved one"
        self.unread = f"{_listed(wrong)}. So {left}" if wrong else ""
        return None

    def numbers(self) -> list[int]:
        """The numbers of all revisions, ascending."""
        return sorted(int(p.stem) for p in self._revisions.glob("*.json") if p.stem.isdigit())

    def revision(self, number: int) -> Revision:
        """One revision.

        Raises:
            Invalid: there is none of that number, or it does not read.
        """
        data = self._read(number)
        try:
            config = self._schema.load(data.get("config"))
        except Invalid as error:
            said = _listed([str(p) for p in error.problems])
            raise Invalid([Problem("", f"revision {number} cannot be read: {said}")]) from None
        return Revision(number, origin_of(data), str(data.get("message", "")), config)

    def heads(self) -> list[Head]:
        """Number, origin and message of every revision, newest first, without reading the configurations."""
        numbers = self.numbers()
        known = {number: self._heads.get(number) or self._head(number) for number in numbers}
        self._heads = known
        return [known[number] for number in reversed(numbers)]

    def prune(self, most: int) -> None:
        """Forget the oldest revisions, so that at most `most` are left. The one that runs stays, whatever its age."""
        running = self._current()
        for number in self.numbers()[:-most]:
            if number != running:
                self._disk.remove(self._path(number))

    def _head(self, number: int) -> Head:
        """From the end of the file: keys are sorted, so that all of it but the configuration stands there."""
        with self._path(number).open("rb") as file:
            file.seek(-min(file.seek(0, 2), TAIL), 1)
            tail = file.read()
        try:
            data = json.loads(b"{" + tail[tail.rindex(b'"message":') :])
        except ValueError:  # a longer message, or not written by us
            try:
                data = self._read(number)
            except Invalid as error:  # the others can still be restored
                return number, Origin("", "", 0.0), str(error)
        return number, origin_of(data), str(data.get("message", ""))

    def add(self, revision: Revision) -> None:
        """Keep a revision that is about to be applied. It does not run before `make_current`."""
        data = {
            "number": revision.number,
            **asdict(revision.origin),
            "message": revision.message,
            "config": self._schema.dump(revision.config),
        }
        self._disk.write(self._path(revision.number), canonical(data).encode())

    def make_current(self, number: int) -> None:
        """From now on this revision is the one that runs."""
        self._disk.write(self._folder / "current", f"{number}\n".encode())
        self.unread = self.left_out = ""

    def drop(self, number: int) -> None:
        """Forget a revision that could not be applied."""
        self._heads.pop(number, None)
        self._disk.remove(self._path(number))

    def pending(self, running: Config) -> Pending:
        """What was saved and not applied, over what runs. What no longer reads is left out, and kept aside."""
        try:
            content = (self._folder / "pending.json").read_bytes()
        except FileNotFoundError:
            return Pending()
        try:
            pending, wrong = read(self._schema, running, json.loads(content))
        except ValueError as error:
            pending, wrong = Pending(), [str(error)]
        if wrong:
            aside = self._folder / "pending-unread.json"
            self._disk.write(aside, content)
            self.left_out = f"pending changes cannot be read ({_listed(wrong)}): they are left out, and kept in {aside}"
        return pending

    def keep_pending(self, pending: Pending) -> None:
        """Remember what is pending over a restart."""
        if pending.models:
            self._disk.write(self._folder / "pending.json", canonical(written(self._schema, pending)).encode())
        else:
            self._disk.remove(self._folder / "pending.json")

    def node_state(self) -> NodeState:
        """What the node remembers beside its configuration."""
        return NodeState(maintenance=bool(self._small("node.json").get("maintenance")))

    def keep_node_state(self, state: NodeState) -> None:
        """Remember it over a reboot."""
        self._disk.write(self._folder / "node.json", canonical({"maintenance": state.maintenance}).encode())

    def keep_overtaken(self, number: int, text: str) -> Path:
        """Keep pending changes that a push overtook, as a readable diff; returns where."""
        path = self._folder / "overtaken" / f"{number:08}.txt"
        self._disk.write(path, text.encode())
        return path

    def _small(self, name: str) -> dict[str, Any]:
        """A file that a node can start without: what does not read is as good as nothing."""
        try:
            data = json.loads((self._folder / name).read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            log.warning("%s cannot be read: %s", name, error)
            return {}
        return data if isinstance(data, dict) else {}

    def _path(self, number: int) -> Path:
        return self._revisions / f"{number:08}.json"

    def _current(self) -> int:
        try:
            return int((self._folder / "current").read_text())
        except FileNotFoundError:
            return 0
        except ValueError:
            raise Invalid([Problem("", f"{self._folder / 'current'} holds no revision number")]) from None

    def _read(self, number: int) -> dict[str, Any]:
        try:
            data = json.loads(self._path(number).read_bytes())
        except FileNotFoundError:
            raise Invalid([Problem("", f"there is no revision {number}")]) from None
        except ValueError as error:
            raise Invalid([Problem("", f"revision {number} cannot be read: {error}")]) from None
        if not isinstance(data, dict):
            raise Invalid([Problem("", f"revision {number} cannot be read: no object")])
        return data


def _listed(wrong: list[str], most: int = 3) -> str:
    more = f"; and {len(wrong) - most} more" if len(wrong) > most else ""
    return "; ".join(wrong[:most]) + more
