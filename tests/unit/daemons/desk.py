"""A desk over a fake machine and a real store, and the recipe's first node on it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gemel.areas.every import SCHEMA
from gemel.core.config import Config, Schema
from gemel.core.edit import Edit
from gemel.core.revision import Origin
from gemel.daemons.agent.desk import Desk, Saved
from gemel.daemons.agent.transaction import Transaction
from gemel.effects.store import Store
from tests.unit.areas.cluster import primary
from tests.unit.machine import FakeMachine, Fate, FatedDisk

ANN, BOB = Origin("ann", "the web", 1.0), Origin("bob", "the console", 2.0)


@dataclass
class Node:
    """What outlives the agent: folder and machine. `start` is a new agent on them."""

    folder: Path
    machine: FakeMachine = field(default_factory=FakeMachine)
    changes: list[tuple[Config, Config]] = field(default_factory=list)
    lacks: tuple[str, ...] = ()  # helpers that the kernel does not have
    schema: Schema = SCHEMA

    def start(self) -> Desk:
        disk = FatedDisk(self.machine.fate)
        self.transaction = Transaction(self.machine, self.folder / "run" / "have.json", disk)
        store = Store(self.folder / "config", self.schema, disk)
        desk = Desk(
            self.schema,
            store,
            self.transaction,
            lambda before, after: self.changes.append((before, after)),
            lacks=lambda: self.lacks,
        )
        desk.start()
        return desk

    def restarted(self) -> Desk:
        """After the end of the last one, whatever it was."""
        self.machine.fate = Fate()
        return self.start()

    def has(self, desk: Desk) -> bool:
        """Whether the machine has exactly what the running configuration wants."""
        return self.machine.wants() == set(SCHEMA.compile(desk.config, desk.node))


def configured(folder: Path) -> tuple[Node, Desk]:
    """The recipe's primary, revision 1."""
    node = Node(folder)
    desk = node.start()
    desk.replace(primary(), ANN, "first boot")
    return node, desk


def save(desk: Desk, area: str, verb: Any = "set", item: str = "", apply: bool = False, **values: Any) -> Saved:
    """One edit by Bob."""
    return desk.save([Edit(area, verb, item, values)], BOB, apply)


def rule(**values: Any) -> dict[str, Any]:
    return {"interface": "lan", "id": "x", **values}
