"""Begin, confirm, undo. Each can be done again where it stopped; one at a time."""

import fcntl
import logging
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from gemel.control.agent import Change, SetPassword
from gemel.control.door import Refused, Unreachable, ask
from gemel.control.paths import AGENT_DOOR, RUN, STATE
from gemel.daemons import systemd
from gemel.daemons.processes import PROCESSES
from gemel.daemons.takeover import connections, dhcp_clients, files, kernel, memory, owners, started
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
LOCK = Path(RUN, "setup.lock")

log = logging.getLogger(__name__)


Steps = Iterator[tuple[str, Callable[[], object]]]
"""What is given back, and how; each may raise whatever it likes."""


class SetupFailed(Exception):
    """It could not be done; the machine is as it was, unless the text says otherwise."""


EXPECTED = (CommandFailed, Refused, Unreachable, SetupFailed, OSError)
"""What says by itself what is wrong."""


def begin(now: Seen, plan: Plan, password: str, within: int) -> None:
    """Take the machine over, on trial for `within` seconds. Whatever goes wrong, everything is given back.

    Raises:
        SetupFailed: it did not work; the text says whether everything has been given back.
    """
    with _alone():
        if (known := memory.recall()) is not None:
            raise SetupFailed(f"this machine is a node already ({known.stage}); `gemel setup --undo` gives it back")
        if (CONFIG / "current").exists():  # another's would run, and an undo would take it for what was on trial
            raise SetupFailed(
                f"{CONFIG} holds a configuration already; move it elsewhere: `gemel import` takes it later"
            )
        try:
            _take_over(now, plan, password, within)
        except BaseException as error:
            said = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__
            with _uninterrupted():
                try:
                    _undo()
                except SetupFailed as left:
                    raise SetupFailed(f"{said}; {left}") from error
            if isinstance(error, (*EXPECTED, KeyboardInterrupt)):
                raise SetupFailed(f"{said}; everything is as it was") from error
            log.info("everything is as it was")
            raise


def _take_over(now: Seen, plan: Plan, password: str, within: int) -> None:
    _memory_of(now).keep()
    call = ("/usr/bin/gemel", "setup", "--undo", "--unless-confirmed")
    when = (f"--on-active={within}", "--timer-property=AccuracySec=1s")
    run("systemd-run", "-q", "--collect", f"--unit={REVERT}", *when, *call)
    for owner in owners.by_name(now.owners):
        owner.let_go(p.device for p in now.ports)
    for name in owners.clashing():
        run("systemctl", "stop", name)
    connections.keep()
    run("systemctl", "start", "gemel-agent.service", patience=STARTING)
    _configure(plan, password)
    run("systemctl", "start", "gemel.target", patience=STARTING)
    if down := started.waited_for([process.name for process in PROCESSES]):
        unit = systemd.unit(down[0])
        raise SetupFailed(f"{unit} does not run; `journalctl -u {unit}` says why")


@contextmanager
def _alone() -> Iterator[None]:
    """Whoever comes second waits, and then sees what the first has made of the machine."""
    LOCK.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with LOCK.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """What goes back goes back whole: neither Ctrl-C nor a terminal that is closed ends it."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
        SetupFailed: there is nothing to confirm, or it could not be made to last and is on trial still.
    """
    with _alone():
        was = memory.recall()
        if was is None:
            raise SetupFailed("there is nothing to confirm: the machine has not been taken over, or took itself back")
        if was.leaving:
            raise SetupFailed("this machine has been given back in part; `gemel setup --undo` gives back the rest")
        if was.stage == "trial":
            try:
                _make_last(was)
            except EXPECTED as error:
                raise SetupFailed(f"{error}; mend it and confirm again, or everything goes back in time") from error
        succeeds("systemctl", "stop", f"{REVERT}.timer")


def _make_last(was: Memory) -> None:
    for owner in owners.by_name(was.owners):
        owner.retire()
    for name in was.clashing:
        run("systemctl", "-q", "mask", name)
    run("systemctl", "-q", "enable", "gemel.target", "gemel-webd.socket", *_services())
    was.confirmed().keep()


def undo(unless_confirmed: bool = False, at_boot: bool = False) -> bool:
    """Give the machine back as it was; returns whether there was anything to give back.

    Nothing that is started is waited for. `at_boot`: this stands before the network, and the owners come after it.
    What was in the kernel has gone by itself; to put it back would be in their way.

    Raises:
        SetupFailed: not all could be given back; the text lists what could not. It can be tried again.
    """
    with _alone(), _uninterrupted():
        return _undo(unless_confirmed, at_boot)


def _undo(unless_confirmed: bool = False, at_boot: bool = False) -> bool:
    was = memory.recall()
    if was is None or (unless_confirmed and was.stage == "confirmed"):
        return False
    log.info("this machine gets its own network back")
    with suppress(OSError):  # a full disk
        replace(was, leaving=True).keep()
    left = []
    for what, step in _steps(was, at_boot):
        try:
            step()
        except Exception as error:  # whatever it is: what comes after it must be given back all the same
            log.debug("%s", what, exc_info=True)
            left.append(f"{what}: {error or type(error).__name__}")
    succeeds("systemctl", "stop", f"{REVERT}.timer")
    if left:
        again = "mend this, and `gemel setup --undo` gives back the rest"
        raise SetupFailed(f"not everything could be given back: {'; '.join(left)}; {again}")
    kernel.HAVE.unlink(missing_ok=True)
    memory.forget()
    return True


def _steps(was: Memory, at_boot: bool) -> Steps:
    """First what decides whether the machine has a network after its next boot."""
    its_own = owners.by_name(was.owners)
    for owner in its_own:
        yield owner.name, owner.take_back
    yield "Gemel's services", _off
    if not at_boot:
        yield "the firewall's tables", kernel.without_tables
        yield "devices", lambda: kernel.without_devices(was.seen)
        yield "addresses", lambda: kernel.addresses_back(was, look())
        yield "routes", lambda: kernel.routes_back(was, look())
        yield "kernel settings", lambda: _settings_back(was)
    for path, kept in was.files.items():
        yield path, partial(files.give_back, {path: kept})
    yield "the host name", lambda: _name_back(was)
    for owner in its_own:
        yield owner.name, owner.resume
    for argv in was.clients if not at_boot else ():
        yield " ".join(argv), partial(dhcp_clients.start, argv)
    for name, ran in was.clashing.items():
        yield name, partial(_unmask, name, ran)
    if CONFIG.exists():
        yield "the configuration", _put_aside if was.stage == "confirmed" else partial(shutil.rmtree, CONFIG)


def _off() -> None:
    units = ("gemel-carpd.service", "gemel-flowd.service", "gemel-webd.socket", "gemel-webd.service")
    succeeds("systemctl", "stop", "gemel.target", *units, patience=STARTING)
    succeeds("systemctl", "stop", "gemel-agent.service", patience=STARTING)
    for unit in map(systemd.unit, systemd.wanted()):
        succeeds("systemctl", "stop", unit)
        (systemd.RUNTIME / unit).unlink()
    succeeds("systemctl", "-q", "disable", "gemel.target", "gemel-webd.socket", *_services())


def _settings_back(was: Memory) -> None:
    for left in memory.set_back(was.sysctls):
        log.warning("kernel setting %s", left)


def _unmask(name: str, ran: bool) -> None:
    succeeds("systemctl", "-q", "unmask", name)
    if ran:
        succeeds("systemctl", "--no-block", "start", name)


def _put_aside() -> None:
    """Keep the configuration beside its place: `gemel import` takes each of its revisions back."""
    CONFIG.rename(CONFIG.with_name(f"config.undone-{time.strftime('%Y%m%d-%H%M%S')}"))


def _services() -> tuple[str, ...]:
    return tuple(systemd.unit(process.name) for process in PROCESSES)


def _memory_of(now: Seen) -> Memory:
    asked = dhcp_clients.running(p.device for p in now.ports) if "ifupdown" in now.owners else ()
    return Memory(
        stage="trial",
        seen=now,
        owners=now.owners,
        clashing={name: succeeds("systemctl", "-q", "is-active", name) for name in owners.clashing()},
        files=files.keep(),
        sysctls=memory.sysctls(),
        clients=tuple(client.argv for client in asked),
    )


def _name_back(was: Memory) -> None:
    kept = was.files.get(NAME)
    if name := ((kept.text if kept else "") or was.seen.hostname).strip():
        socket.sethostname(name)
