"""From what the machine has to what it is wanted to have, in an order that never opens a hole, with a way back.

The order, and why:

    kernel settings, name   cost nothing and others build on them
    links up                addresses and rules need the devices; a VLAN after what carries it, a port after its bond
    ruleset                 before any address appears, so that nothing is reachable unfiltered for a moment
    old services down       before the addresses that they are bound to go
    old routes, addresses   away
    addresses, then routes  a route needs its device's network
    daemons, services       last: what they bind to exists
    old links               what nobody wants any more goes last; a VLAN before what carries it
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gemel.core.want import Address, DaemonSettings, Hostname, Link, Route, Ruleset, Service, Sysctl, Want


@dataclass(frozen=True, slots=True)
class Step:
    """Put `want` in place of `was` (None: nothing of that key was there); with `want` None, take `was` away."""

    want: Want | None
    was: Want | None

    @property
    def undo(self) -> "Step":
        """The step that leads back."""
        return Step(self.was, self.want)

    @property
    def subject(self) -> Want:
        """What it is about."""
        subject = self.want or self.was
        assert subject is not None
        return subject

    def __str__(self) -> str:
        name = " ".join(self.subject.key)
        return f"remove {name}" if self.want is None else f"change {name}" if self.was else f"add {name}"


_PUT_ORDER: dict[type, int] = {
    Sysctl: 0, Hostname: 1, Link: 2, Ruleset: 3, Address: 7, Route: 8, DaemonSettings: 9, Service: 10,
}  # fmt: skip
_DROP_ORDER: dict[type, int] = {
    Service: 4, DaemonSettings: 4, Route: 5, Address: 6, Ruleset: 11, Link: 12, Hostname: 13, Sysctl: 13,
}  # fmt: skip


def steps(have: Iterable[Want], want: Iterable[Want]) -> list[Step]:
    """The steps that turn `have` into `want`; nothing that stays the same is touched.

    Raises:
        ValueError: two wants have one key; that is a mistake of ours, not of a person.
    """
    had = _by_key(have)
    wanted = _by_key(want)
    found = [Step(w, had.get(key)) for key, w in wanted.items() if had.get(key) != w]
    found += [Step(None, w) for key, w in had.items() if key not in wanted]
    depth_of = {True: _depths(wanted.values()), False: _depths(had.values())}

    def rank(step: Step) -> tuple[int, int]:
        put, subject = step.want is not None, step.subject
        depth = depth_of[put][subject.device] if isinstance(subject, Link) else 0
        return (_PUT_ORDER if put else _DROP_ORDER)[type(subject)], depth if put else -depth

    return sorted(found, key=rank)


def lost_with(devices: Iterable[str], have: Iterable[Want]) -> list[Want]:
    """Of what the machine has, that which went with these devices, though they have come back: they themselves as they
    were, what they carried, addresses and routes of all these, rulesets that hung on them, the services that took their
    frames, and bonds that they come first in."""
    have, gone = list(have), set(devices)
    links = [w for w in have if isinstance(w, Link)]
    while more := {w.device for w in links if w.over in gone} - gone:
        gone |= more
    return [w for w in have if (isinstance(w, Link | Address | Route) and w.device in gone)
            or (isinstance(w, Link) and dict(w.settings).get("primary") in gone)
            or (isinstance(w, Service | Ruleset) and not gone.isdisjoint(w.devices))]  # fmt: skip


def _depths(wants: Iterable[Want]) -> dict[str, int]:
    """Device -> how many devices, one on top of the other, must be there before it."""
    links = {w.device: w for w in wants if isinstance(w, Link)}
    depths: dict[str, int] = {}

    def depth(device: str, above: tuple[str, ...]) -> int:
        if device not in links or device in above:  # a ring is no order; the areas' checks do not let it come to that
            return 0
        if device not in depths:
            needs = links[device].needs
            depths[device] = max((depth(n, (*above, device)) + 1 for n in needs), default=0)
        return depths[device]

    for device in links:
        depth(device, ())
    return depths


def _by_key(wants: Iterable[Want]) -> dict[tuple[str, ...], Want]:
    result: dict[tuple[str, ...], Want] = {}
    for want in wants:
        other = result.setdefault(want.key, want)
        if other != want:
            raise ValueError(f"two different wants for {' '.join(want.key)}")
    return result
