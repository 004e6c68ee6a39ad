"""Begin, confirm, undo. Each can be done again where it stopped."""

import contextlib
import json
import logging
import shutil
import socket
import time
from pathlib import Path
from typing import Any

from gemel.control.agent import Change, SetPassword
from gemel.control.door import Refused, Unreachable, ask
from gemel.control.paths import AGENT_DOOR, RUN, STATE
from gemel.daemons.takeover import connections, files, memory, owners, seen
from gemel.daemons.takeover.look import look
from gemel.daemons.takeover.memory import Memory
from gemel.daemons.takeover.plan import Plan
from gemel.daemons.takeover.seen import Seen
from gemel.effects.commands import STARTING, CommandFailed, run, succeeds

REVERT = "gemel-setup-revert"
"""The transient timer that undoes what nobody confirms."""

ANSWERING = 60.0  # seconds until the agent, which says that it is ready, answers
CONFIG = Path(STATE) / "config"
NAME = "/etc/hostname"
HAVE = Path(RUN, "have.json")
WANTED = Path("/run/systemd/system")
"""Where the agent puts the units of services that the configuration wants."""

log = logging.getLogger(__name__)


class SetupFailed(Exception):
    """It could not be done; the machine is as it was, unless the text says otherwise."""


def begin(now: Seen, plan: Plan, password: str, within: int) -> None:
    """Take the machine over, on trial for `within` seconds.

    Raises:
        SetupFailed: it did not work, and everything has been given back.
    """
    if (known := memory.recall()) is not None:
        raise SetupFailed(f"this machine is a node already ({known.stage}); `gemel setup --undo` gives it back")
    _memory_of(now).keep()
    try:
        call = ("/usr/bin/gemel", "setup", "--undo", "--unless-confirmed")
        run("systemd-run", "-q", f"--unit={REVERT}", f"--on-active={within}", "--timer-property=AccuracySec=1s", *call)
        for owner in owners.by_name(now.owners):
            owner.let_go(p.device for p in now.ports)
        for name in owners.clashing():
            run("systemctl", "stop", name)
        connections.keep()
        run("systemctl", "start", "gemel-agent.service", patience=STARTING)
        _configure(plan, password)
        run("systemctl", "start", "gemel.target", patience=STARTING)
    except (CommandFailed, Refused, Unreachable) as error:
        undo()
        raise SetupFailed(f"{error}; everything is as it was") from error


def _configure(plan: Plan, password: str) -> None:
    until = time.monotonic() + ANSWERING
    while True:
        try:
            ask(AGENT_DOOR, Change(plan.edits, True, "gemel setup"), 120.0)
            break
        except Unreachable:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        except Refused as error:
            raise SetupFailed(_in_words(error)) from error
    ask(AGENT_DOOR, SetPassword("admin", password), 30.0)


def _in_words(error: Refused) -> str:
    found: Any = error.problems
    return "; ".join(f"{p['path']}: {p['text']}" for p in found) or str(error)


def confirm() -> None:
    """It works: make it last, over reboots, too.

    Raises:
        SetupFailed: there is nothing to confirm.
    """
    was = memory.recall()
    if was is None:
        raise SetupFailed("there is nothing to confirm: the machine has not been taken over, or took itself back")
    for owner in owners.by_name(was.owners):
        owner.retire()
    for name in was.clashing:
        succeeds("systemctl", "-q", "mask", name)
    run("systemctl", "-q", "enable", "gemel.target", "gemel-webd.socket", *_services())
    was.confirmed().keep()
    succeeds("systemctl", "stop", f"{REVERT}.timer")


def undo(unless_confirmed: bool = False) -> bool:
    """Give the machine back as it was; returns whether there was anything to give back.

    Nothing that is started is waited for: at boot, this stands before the network, and they come after it.
    """
    was = memory.recall()
    if was is None or (unless_confirmed and was.stage == "confirmed"):
        return False
    log.info("this machine gets its own network back")
    units = ("gemel-carpd.service", "gemel-flowd.service", "gemel-webd.socket", "gemel-webd.service")
    succeeds("systemctl", "stop", "gemel.target", *units, patience=STARTING)
    succeeds("systemctl", "stop", "gemel-agent.service", patience=STARTING)
    for unit in sorted(WANTED.glob("gemel-*.service")):
        succeeds("systemctl", "stop", unit.name)
        unit.unlink()
    succeeds("systemctl", "-q", "disable", "gemel.target", "gemel-webd.socket", *_services())
    _without_tables()
    _without_devices(was)
    _addresses_back(was)
    for left in memory.set_back(was.sysctls):
        log.warning("kernel setting %s", left)
    files.give_back(was.files)
    _name_back(was)
    for owner in owners.by_name(was.owners):
        owner.take_back()
    for name, ran in was.clashing.items():
        succeeds("systemctl", "-q", "unmask", name)
        if ran:
            succeeds("systemctl", "--no-block", "start", name)
    if CONFIG.exists():
        shutil.rmtree(CONFIG.with_name("config.undone"), ignore_errors=True)
        CONFIG.rename(CONFIG.with_name("config.undone"))
    HAVE.unlink(missing_ok=True)
    memory.forget()
    succeeds("systemctl", "stop", f"{REVERT}.timer")
    return True


def _services() -> tuple[str, ...]:
    return tuple(f"gemel-{name}.service" for name in ("agent", "flowd", "carpd", "webd"))


def _memory_of(now: Seen) -> Memory:
    return Memory(
        stage="trial",
        seen=now,
        owners=now.owners,
        clashing={name: succeeds("systemctl", "-q", "is-active", name) for name in owners.clashing()},
        files=files.keep(),
        sysctls=memory.sysctls(),
    )


def _without_tables() -> None:
    for line in run("nft", "list", "tables").splitlines():
        _, family, name = line.split()
        if name == "gemel" or name.startswith("gemel_"):
            succeeds("nft", "delete", "table", family, name)


def _without_devices(was: Memory) -> None:
    """Their ports stand alone again; a VLAN goes by itself with what carries it."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        for device in seen.made_since(json.loads(HAVE.read_text()), was.seen):
            succeeds("ip", "link", "delete", device)


def _addresses_back(was: Memory) -> None:
    present = look()
    for port in was.seen.ports:
        there = present.port(port.device)
        if there is None:
            continue
        missing, strange = seen.gone_and_new(port.all, there.all)
        if port.up:
            succeeds("ip", "link", "set", port.device, "up")
        for address in strange:
            succeeds("ip", "address", "delete", address, "dev", port.device)
        for address in missing:
            succeeds("ip", "address", "add", address, "dev", port.device)
        if not port.up:
            succeeds("ip", "link", "set", port.device, "down")
    for family, via in (("-4", was.seen.default), ("-6", was.seen.default6)):
        if via:
            succeeds("ip", family, "route", "replace", "default", "via", via.gateway, "dev", via.device, *via.how)
    for destination, _, device in (r for r in present.routes if r not in was.seen.routes):
        succeeds("ip", "route", "delete", destination, "dev", device)
    for destination, gateway, device in was.seen.routes:
        succeeds("ip", "route", "replace", destination, "via", gateway, "dev", device)


def _name_back(was: Memory) -> None:
    kept = was.files.get(NAME)
    if name := ((kept.text if kept else "") or was.seen.hostname).strip():
        socket.sethostname(name)
