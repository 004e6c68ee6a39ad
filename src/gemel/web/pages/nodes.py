"""Both nodes side by side: what each says of itself, and, where one says nothing, that it does not."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reason:
    """A named reason to stand back and what it adds to the skew in adverts; waived: shown, and not counted."""

    text: str
    amount: int
    waived: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """One node as it stands. `silent` says why nothing is known of it; then the rest means nothing.

    `roles` are its states with how many virtual IPs have them (``2 MASTER``); `states` is how many it has.
    """

    name: str
    here: bool
    silent: str = ""
    role: str = ""
    web: str = ""
    roles: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    maintenance: bool = False
    carp_enabled: bool = True
    sync_status: str = ""
    states: int = 0
    lag_ms: float | None = None
    config_status: str = ""
    revision: int = 0
    proven: int | None = None
    config_error: str = ""
    gateways: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def demotion(self) -> int:
        """What counts, summed."""
        return sum(r.amount for r in self.reasons if not r.waived)


def standings(status: Json) -> tuple[Standing, ...]:
    """This node, and its peer if it has one."""
    here = _standing(status, True)
    peer = status.get("peer")
    if peer is None:
        return (here,)
    said = peer["status"] or {}
    name = said.get("node") or "Peer"
    if not said or not peer["reachable"]:
        ago = "" if peer["age"] is None else f" for {peer['age']:.0f} s"
        why = f": {peer['why']}" if peer["why"] else ""
        if here.config_status == "in sync":
            here = replace(here, config_status="was in sync")  # nobody can say whether it still is
        return here, Standing(name, False, f"nothing is heard of it{ago}{why}", web=_link(said))
    return here, _standing(said, False)


def _standing(said: Json, here: bool) -> Standing:
    counted = {k: v for k, v in (said.get("demotion") or {}).items() if v}
    waived = said.get("waived") or {}
    sync, config = said["state_sync"], said["config_sync"]
    states: dict[str, int] = {}
    for vhid in said["carp"]:
        states[vhid["state"]] = states.get(vhid["state"], 0) + 1
    return Standing(
        name=said["node"],
        here=here,
        role=said["role_config"],
        web=_link(said),
        roles=tuple(f"{count} {state}" for state, count in sorted(states.items(), reverse=True)),
        reasons=(*(Reason(r, n) for r, n in counted.items()), *(Reason(r, n, True) for r, n in waived.items())),
        maintenance=said["maintenance"],
        carp_enabled=said["carp_enabled"],
        sync_status=sync["status"],
        states=sync["states"],
        lag_ms=sync["lag_ms"],
        config_status=config["status"],
        revision=config["revision"],
        proven=config["proven_revision"],
        config_error=config["last_error"] or "",
        gateways=tuple((g["name"], g["status"]) for g in said.get("gateways", ())),
        problems=tuple(said["problems"]),
    )


def _link(said: Json) -> str:
    """An address of the peer's pages that may be linked to: what it says is not put into a page as it comes."""
    address = str(said.get("web_address") or "")
    return address if address.startswith("https://") and address.isprintable() else ""
