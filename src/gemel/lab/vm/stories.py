"""The stories by name, in the order in which they are told. Each begins with the pair in its roles; one ends it."""

from collections.abc import Callable

from gemel.lab.vm import (
    story_bond,
    story_card,
    story_leave,
    story_power,
    story_service,
    story_units,
    story_upgrade,
    story_vlan,
)
from gemel.lab.vm.pair import Pair, built

Story = Callable[[Pair], None]


def _upgrade(pair: Pair) -> None:
    """Both nodes get the next version by `gemel upgrade`, with a connection through it."""
    story_upgrade.good(pair, lambda version: built(pair.lab.folder.parent, version))


STORIES: dict[str, Story] = {
    "power": story_power.power,
    "reboot": story_power.reboot,
    "units": story_units.units,
    "service": story_service.service,
    "card": story_card.card,
    "vlan": story_vlan.of_vlan,
    "bond": story_bond.of_bond,
    "upgrade": _upgrade,
    "refusing": story_upgrade.refusing,
    "leave": story_leave.leave,
}


def help_of(story: Story) -> str:
    """Its first line."""
    return (story.__doc__ or "").partition("\n")[0]
