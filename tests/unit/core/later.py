"""The garden two versions later, and what a garden looked like when the earlier ones wrote it."""

import copy
from typing import Any

from gemel.core.area import Area
from gemel.core.config import Config, Schema
from gemel.core.migration import Areas
from gemel.core.model import Model, field
from tests.unit.core.garden import GARDEN, GATE, PLANTS


class Shed(Model):
    tools: int = field(0, label="Tools", help="How many.")
    locked: bool = field(False, label="Locked", help="At night.")


SHED = Area("shed", "Shed", "shed", Shed, "What stands beside the beds.", "runs on both", sync="shed")


def flowers_are_plants(areas: Areas) -> Areas:
    """The area ``flowers`` is ``plants``, its ``earth`` is ``soil``."""
    if "flowers" in areas:
        plants = areas["plants"] = areas.pop("flowers")
        if "earth" in plants:
            plants["soil"] = plants.pop("earth")
    return areas


def tools_are_in_the_shed(areas: Areas) -> Areas:
    """``plants.tools`` is ``shed.tools``; how ``tall`` a plant is, is its ``height``."""
    plants = areas.get("plants", {})
    if "tools" in plants:
        areas.setdefault("shed", {})["tools"] = plants.pop("tools")
    for item in plants.get("items", ()):
        if "tall" in item:
            item["height"] = item.pop("tall")
    return areas


LATER = Schema((PLANTS, SHED, GATE), names=GARDEN.names, migrations=(flowers_are_plants, tools_are_in_the_shed))


def areas_of(config: Config, version: int) -> Areas:
    """The areas of this configuration as that version wrote them."""
    areas: dict[str, Any] = copy.deepcopy(LATER.dump(config)["areas"])
    if version < 3:
        areas["plants"]["tools"] = areas["shed"].pop("tools")
        for item in areas["plants"]["items"]:
            item["tall"] = item.pop("height")
    if version < 2:
        areas["flowers"] = areas.pop("plants")
        areas["flowers"]["earth"] = areas["flowers"].pop("soil")
    return areas
