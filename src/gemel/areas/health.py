"""System > High Avail. Sync > Health: what of a node's own health makes it stand back. Stays on each node; applied at
Save.

The amounts rank: a lost link counts 240, and of two nodes that both have something the one with less is master. A
difference of skews (100 in the usual set-up) must be outbid for anything to move.
"""

from collections.abc import Iterable

from gemel.core.area import Area
from gemel.core.config import Config
from gemel.core.model import Model, field
from gemel.core.problem import Problem

OUTBIDS = 100  # the skew that a secondary is given more than its primary

_AMOUNT = "How much to stand back, 1 to 240: more than 100 moves the virtual IPs to a peer that is well."


class Health(Model):
    """The fields of the page, in its order."""

    gateway: bool = field(
        True,
        label="Gateway lost",
        help="Stand back when a gateway no longer answers this node, and still answers the peer. Which gateways are "
        "asked is said under System > Routing.",
    )
    gateway_demotion: int = field(200, label="Gateway lost: demotion", help=_AMOUNT, ge=1, le=240)
    gateway_misses: int = field(
        3,
        label="Gateway lost: misses",
        help="Answers in a row that must be missing, one a second: 2 to 30.",
        ge=2,
        le=30,
    )
    service: bool = field(
        True, label="Service failed", help="Stand back when a service that is configured does not stay up."
    )
    service_demotion: int = field(120, label="Service failed: demotion", help=_AMOUNT, ge=1, le=240)
    disk: bool = field(
        True,
        label="Disk unusable",
        help="Stand back when the disk with the configuration is full, or can only be read.",
    )
    disk_demotion: int = field(110, label="Disk unusable: demotion", help=_AMOUNT, ge=1, le=240)
    disk_free: int = field(
        16, label="Disk full below", help="Megabytes that must be free, 1 to 100000.", ge=1, le=100_000
    )


def _check(config: Config) -> Iterable[Problem]:
    health = config[HEALTH]
    for name in ("gateway", "service", "disk"):
        amount = getattr(health, f"{name}_demotion")
        if getattr(health, name) and amount <= OUTBIDS:
            text = f"{amount} does not outbid the secondary's skew: nothing will move"
            yield Problem(f"health.{name}_demotion", text, "warning")


HEALTH = Area(
    name="health",
    label="Health",
    noun="health",
    model=Health,
    help="When this node stands back because it cannot serve as well as its peer.",
    availability="local",
    at_save=True,
    check=_check,
)
