"""What two introductions tell that people must know. Pure; both nodes come to the same findings.

An interface id must mean the same network on both nodes, else a rule for DMZ lands on SYNC. Where both know a network
of the same family, these decide; where they share no family (DHCP, not configured yet), the descriptions do. An id that
the peer does not have is left to its own check: only what refers to it is wrong, and is said with the field's path.
"""

from dataclasses import dataclass

from gemel.control.peer import Fault
from gemel.sync.messages import Introduction, Network

TWO_TARGETS = "have an address under Synchronize Config to IP"
"""By these words of `conflict` a refusal is known to be about roles, on either node."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence (or a sentence with a table). `fault` is 0 for what is said but stops nothing."""

    text: str
    fault: int = 0


def findings(sender: Introduction, receiver: Introduction) -> list[Finding]:
    """All that stops a push from `sender` to `receiver`, or should be mended; worst first."""
    found = [_versions(sender, receiver), _roles(sender, receiver), _interfaces(sender, receiver)]
    return sorted((f for f in [*found, _host_ids(sender, receiver)] if f), key=lambda f: not f.fault)


def _versions(sender: Introduction, receiver: Introduction) -> Finding | None:
    if sender.protocol == receiver.protocol and sender.config_version == receiver.config_version:
        return None
    text = (
        f"{sender.name} runs Gemel {sender.software} (configuration version {sender.config_version}), "
        f"{receiver.name} runs {receiver.software} (configuration version {receiver.config_version}): "
    )
    if sender.protocol == receiver.protocol and sender.config_version < receiver.config_version:
        return Finding(f"{text}{receiver.name} migrates what it gets, until {sender.name} is upgraded, too")
    return Finding(f"{text}upgrade the older one first", Fault.DIFFERENT_VERSION)


def _roles(sender: Introduction, receiver: Introduction) -> Finding | None:
    if not receiver.has_target:
        return None
    return Finding(conflict(sender.name, receiver.name), Fault.CONFLICT)


def conflict(sender: str, receiver: str) -> str:
    """What is said when both nodes would push."""
    return f"both {sender} and {receiver} {TWO_TARGETS}, so each would overwrite the other: clear it on the secondary"


def _host_ids(sender: Introduction, receiver: Introduction) -> Finding | None:
    if sender.host_id is None or sender.host_id != receiver.host_id:
        return None
    text = (
        f"high_availability.filter_host_id: both {sender.name} and {receiver.name} have the Filter Host ID "
        f"{sender.host_id}, so that nobody can tell whose a state is: give one of them another"
    )
    return Finding(text)


def _interfaces(sender: Introduction, receiver: Introduction) -> Finding | None:
    shared = [i for i in sender.interfaces if i in receiver.interfaces]
    if all(_same(sender.interfaces[i], receiver.interfaces[i]) for i in shared):
        return None
    text = "the same interface does not mean the same network on both nodes; assign the interfaces alike first"
    return Finding(f"{text}\n{interface_table(sender, receiver)}", Fault.DIFFERENT_INTERFACES)


def _same(a: Network, b: Network) -> bool:
    families = [(a.ipv4, b.ipv4), (a.ipv6, b.ipv6)]
    both_known = [(x, y) for x, y in families if x and y]
    if both_known:
        return all(x == y for x, y in both_known)
    return a.description.casefold() == b.description.casefold()


def interface_table(sender: Introduction, receiver: Introduction) -> str:
    """Both maps side by side, a line for each interface id, ``≠`` before those that differ."""
    rows = [("", "interface", sender.name, receiver.name)]
    for name in sorted({*sender.interfaces, *receiver.interfaces}, key=_place):
        mine, theirs = sender.interfaces.get(name), receiver.interfaces.get(name)
        differs = bool(mine and theirs and not _same(mine, theirs))
        rows.append(("≠" if differs else "", name, _shown(mine), _shown(theirs)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def _place(interface: str) -> tuple[int, int, str]:
    """``wan``, ``lan``, ``opt1``… ``opt10``, as people read them."""
    first = {"wan": 0, "lan": 1}.get(interface, 2)
    digits = interface.removeprefix("opt")
    return first, int(digits) if digits.isdigit() else 0, interface


def _shown(network: Network | None) -> str:
    if network is None:
        return "not assigned"
    known = [n for n in (network.ipv4, network.ipv6) if n]
    return f"{network.description} ({', '.join(known) or 'no network'})"
