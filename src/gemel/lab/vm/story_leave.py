"""Stories of a machine that stops being a node: setup undone, setup that nobody confirms, and the package purged."""

import time

from gemel.lab.namespace import LabError
from gemel.lab.vm import picture
from gemel.lab.vm.owner import NETWORK_MANAGER, NETWORKD, Owner, give_to, give_to_ifupdown
from gemel.lab.vm.pair import INSTALLS, PATIENCE, Pair
from gemel.lab.vm.session import Session

NODE = "fw2"
LEAST = 300  # seconds for the confirmation that does not come
KEPT = r"/(var/lib|usr/lib|run|tmp)/gemel"
"""The package itself, which may have become another version, and what it keeps until it is purged."""
CONNECTED = r"|[0-9a-f:.]+/\d+ dev \w+ proto kernel "
"""Routes that the kernel makes with an address. NetworkManager, which finds Gemel's addresses there, puts its own
beside them, and has them alone after its next boot."""
PURGE = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qy", "purge", "gemel")
STARTS = 90.0  # seconds for services of the plain machine
SHOWN = 12  # lines


def leave(pair: Pair) -> None:
    """fw2 is given back, taken on trial, and rid of the package: it is the plain machine that it was."""
    with Session(pair.lab, NODE) as session:
        pair.timed(f"gemel setup --undo on {NODE}", lambda: _undo(pair, session))
        pair.timed("a setup that nobody confirms goes back", lambda: _unconfirmed(pair, session))
    pair.timed("one that nobody confirmed before a reboot, too", lambda: _rebooted(pair))
    pair.timed("systemd-networkd looks after its ports", lambda: _from(pair, NETWORKD))
    pair.timed("NetworkManager looks after its ports", lambda: _from(pair, NETWORK_MANAGER))
    pair.timed(f"gemel setup on {NODE} again", lambda: pair.set_up(NODE))
    pair.timed("apt purge", lambda: _purge(pair))


def _undo(pair: Pair, session: Session) -> str:
    pair.lab.cli(NODE, "setup", "--undo", timeout=PATIENCE)
    return f"{_is_again(pair, 'installed')}; {session.lives()}"


def _unconfirmed(pair: Pair, session: Session) -> str:
    begun = time.monotonic()
    pair.begin_set_up(NODE, LEAST)
    on_trial = time.monotonic() - begun
    session.lives()
    if "gemel" not in pair.lab.exec(NODE, "nft", "list", "tables"):
        raise LabError(f"{NODE} has no table of Gemel's while its setup is on trial")
    _wait_until_given_back(pair, LEAST + PATIENCE)
    after = time.monotonic() - begun
    said = f"on trial after {on_trial:.0f} s, gone after {after:.0f} s"
    return f"{said}; {_is_again(pair, 'installed')}; {session.lives()}"


def _rebooted(pair: Pair) -> str:
    pair.begin_set_up(NODE, 3600)
    pair.lab.reboot(NODE, PATIENCE)
    pair.lab.booted(NODE)
    _wait_until_given_back(pair, PATIENCE)
    return _is_again(pair, "installed")


def _from(pair: Pair, owner: Owner) -> str:
    """Taken over from it, booted as a node, and given back to it."""
    give_to(pair, NODE, owner)
    before = picture.take(pair.lab, NODE)
    pair.set_up(NODE)
    _boots_without(pair, owner)
    with Session(pair.lab, NODE) as session:
        pair.lab.cli(NODE, "setup", "--undo", timeout=PATIENCE)
        same = _is(pair, before, f"under {owner.name}", KEPT + CONNECTED)
        said = f"taken over, booted, given back: {same}; {session.lives()}"
    give_to_ifupdown(pair, NODE, owner)
    return said


def _boots_without(pair: Pair, owner: Owner) -> None:
    """The node boots, and the former owner of its ports does not."""
    pair.lab.reboot(NODE, PATIENCE)
    pair.lab.booted(NODE)
    state = pair.lab.exec(NODE, "systemctl", "is-system-running", "--wait", check=False, timeout=PATIENCE).strip()
    if state != "running":
        failed = pair.lab.exec(NODE, "systemctl", "--failed", "--no-legend", "--no-pager")
        raise LabError(f"{NODE}, which {owner.name} looked after, is {state} after a boot: {failed}")
    if (state := pair.lab.exec(NODE, "systemctl", "is-active", owner.unit, check=False).strip()) != "inactive":
        raise LabError(f"{owner.unit} is {state} on {NODE}, which is a node")


def _purge(pair: Pair) -> str:
    with Session(pair.lab, NODE) as session:
        pair.lab.exec(NODE, *PURGE, timeout=INSTALLS)
        return f"{_is_again(pair, 'plain')}; {session.lives()}"


def _wait_until_given_back(pair: Pair, patience: float) -> None:
    def is_given_back() -> bool:
        try:
            pair.lab.exec(NODE, "test", "!", "-e", "/var/lib/gemel/setup.json")
        except LabError:
            return False
        return True

    pair.lab.wait(is_given_back, f"{NODE} to be given back", patience, 5.0)


def _is_again(pair: Pair, name: str) -> str:
    """Compare with the picture of that name; the services that it gets back may take a while to start.

    Raises:
        LabError: it has become another machine.
    """
    return _is(pair, pair.as_it_was(name), name, KEPT if name == "installed" else "")


def _is(pair: Pair, before: picture.Picture, name: str, kept: str) -> str:
    until = time.monotonic() + STARTS
    while True:
        found = before.different(picture.take(pair.lab, NODE), kept)
        if not found or time.monotonic() > until:
            break
    if found:
        shown = "\n  ".join([*found[:SHOWN], *(["…"] if found[SHOWN:] else [])])
        raise LabError(f"{NODE} is not what it was ({name}); {len(found)} differences:\n  {shown}")
    return "files, rules, addresses, routes, kernel settings, users, services are what they were"
