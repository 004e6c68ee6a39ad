"""A schema that has nothing to do with firewalls: the kit knows no area."""

from collections.abc import Iterable, Mapping
from typing import Any

from gemel.core.area import Area, NodeState
from gemel.core.config import Config, Schema
from gemel.core.edit import Edit, edited
from gemel.core.model import Item, Model, field
from gemel.core.problem import Problem
from gemel.core.want import Hostname, Sysctl, Want


class Plant(Item):
    bed: str = field(label="Bed", help="Where it stands.")
    name: str = field("", label="Name", help="What it is called.")
    height: int = field(10, label="Height", help="In centimetres.", ge=1, le=300)
    recipe: str = field("", label="Recipe", help="What it is good for; a family secret.", secret=True)
    watered: bool = field(False, label="Watered", help="By this gardener.", local=True)
    no_sync: bool = field(False, label="Ours", help="Not for the neighbours.")

    def called(self) -> tuple[str, ...]:
        return (self.name,) if self.name else ()


class Plants(Model):
    soil: str = field("loam", label="Soil", help="Of all beds.")
    items: tuple[Plant, ...] = ()


class Gate(Model):
    open: bool = field(False, label="Open", help="Whether anybody may come in.")
    code: str = field("", label="Code", help="To open it.", secret=True)


def _check(config: Config) -> Iterable[Problem]:
    for plant in config[PLANTS].items:
        if plant.height > 200:
            yield Problem(f"plants[{plant.id}].height", "it takes the light from the others", "warning")
        if plant.name == "hogweed":
            yield Problem(f"plants[{plant.id}].name", "it burns the skin")


def _compile(config: Config, _node: NodeState) -> Iterable[Want]:
    yield Hostname("garden", config[PLANTS].soil)
    for plant in config[PLANTS].items:
        yield Sysctl(plant.id, str(plant.height))


PLANTS = Area(
    "plants", "Plants", "plant", Plants, "What grows.", "runs on both", item=Plant, ordered=True, grouped_by="bed",
    sync="plants", check=_check, compile=_compile,
)  # fmt: skip
GATE = Area("gate", "Gate", "gate", Gate, "Who comes in.", "local", at_save=True)


def _names(areas: Mapping[str, Any]) -> None:
    return None


GARDEN = Schema((PLANTS, GATE), names=_names)


def after(config: Config, *edits: Edit) -> Config:
    """The configuration after these edits."""
    for edit in edits:
        config = edited(GARDEN, config, edit).config
    return config


def planted(*keys: str, bed: str = "south", **values: Any) -> Config:
    """A garden with these plants, each called like its id."""
    edits = [Edit("plants", "add", values={"id": k, "bed": bed, "name": k} | values) for k in keys]
    return after(GARDEN.default(), *edits)


def order(config: Config) -> list[str]:
    return [plant.id for plant in config[PLANTS].items]
