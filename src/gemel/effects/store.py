"""Where a node keeps its configuration: every revision, which one runs, and what is pending.

    revisions/00000007.json   one each: {"number", "who", "where", "when", "message", "config"}
    current                   the number of the revision that runs
    pending.json              {"areas": {name: {"who", "where", "when", "model"}}}
    node.json                 what the node remembers beside its configuration (maintenance mode)

A revision becomes the running one by the single rename that replaces `current`. A revision file above that number is a
change that was never finished: it is removed at the next start.
"""

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gemel.core.area import NodeState
from gemel.core.config import Schema, canonical
from gemel.core.model import plain
from gemel.core.pending import Pending
from gemel.core.problem import Invalid, Problem
from gemel.core.revision import Origin, Revision
from gemel.effects.disk import Disk

Head = tuple[int, Origin, str]
TAIL = 4096  # bytes: what a revision's file ends with, after the configuration

log = logging.getLogger(__name__)


class Store:
    """The folder of one node's configuration."""

    def __init__(self, folder: Path, schema: Schema, disk: Disk | None = None) -> None:
        self._folder = folder
        self._revisions = folder / "revisions"
        self._schema = schema
        self._disk = disk or Disk()
        self._heads: dict[int, Head] = {}
        self._revisions.mkdir(mode=0o700, parents=True, exist_ok=True)

    def running(self) -> Revision | None:
        """The revision that runs; None on a machine that was never configured. Unfinished ones are cleaned away.

        Raises:
            Invalid: the file is there but cannot be read (a newer version's, or damaged): nothing is overwritten.
        """
        number = self._current()
        for left_over in self.numbers():
            if left_over > number:
                self._disk.remove(self._path(left_over))
        return self.revision(number) if number else None

    def numbers(self) -> list[int]:
        """The numbers of all revisions, ascending."""
        return sorted(int(p.stem) for p in self._revisions.glob("*.json") if p.stem.isdigit())

    def revision(self, number: int) -> Revision:
        """One revision.

        Raises:
            Invalid: there is none of that number, or it does not read.
        """
        data = self._read(number)
        return Revision(number, _origin(data), str(data.get("message", "")), self._schema.load(data.get("config")))

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
            data = self._read(number)
        return number, _origin(data), str(data.get("message", ""))

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

    def drop(self, number: int) -> None:
        """Forget a revision that could not be applied."""
        self._heads.pop(number, None)
        self._disk.remove(self._path(number))

    def pending(self) -> Pending:
        """What was saved and not applied; what no longer reads is left out."""
        models, origins = {}, {}
        areas = self._small("pending.json").get("areas")
        for name, kept in areas.items() if isinstance(areas, dict) else ():
            try:
                model, origin = self._schema.area(name).model.model_validate(kept["model"]), _origin(kept)
            except (Invalid, ValueError, KeyError, TypeError) as error:
                log.warning("pending changes of %s no longer read and are left out: %s", name, error)
                continue
            models[name], origins[name] = model, origin
        return Pending(models, origins)

    def keep_pending(self, pending: Pending) -> None:
        """Remember what is pending over a restart."""
        areas = {
            name: {**asdict(pending.origins[name]), "model": plain(model)} for name, model in pending.models.items()
        }
        if areas:
            self._disk.write(self._folder / "pending.json", canonical({"areas": areas}).encode())
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


def _origin(data: dict[str, Any]) -> Origin:
    return Origin(str(data.get("who", "")), str(data.get("where", "")), float(data.get("when", 0.0)))
