"""Starts the four daemons and the services that the agent wants, and starts them again when they end.

For the lab and for containers, where it is process 1 and reaps what nobody waits for; systemd does the same on a
machine, from the same `processes`. What is to be done when, `watch` decides; here are the clock and the hands.
"""

import contextlib
import fcntl
import os
import pwd
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from gemel.control import supervisor as doors
from gemel.control.door import Caller, Door, Refused
from gemel.control.paths import SUPERVISOR_DOOR
from gemel.daemons.processes import PROCESSES, PYTHON, Process
from gemel.daemons.watch import Ward, Watch

LOGS = Path("/var/log/gemel")
LONGEST_LOG = 16 << 20  # bytes; begun anew at the next start after that
FIRST_HANDED = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)
OUT_OF_THE_WAY = 64  # our copies of listening sockets sit above anything that is handed over
LISTENER = ("/bin/sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh")
POWERLESS = ("/usr/bin/setpriv", "--init-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all")


class Machine:
    """The hands: starts processes with their sockets, their user and their log, and signals them."""

    def __init__(self, logs: Path = LOGS) -> None:
        self._logs = logs
        self._listening: dict[int, list[int]] = {}

    def start(self, process: Process) -> int:
        sockets = [fd for port in process.ports for fd in self._listen(port)]
        return self._spawn(process, process.argv, sockets)

    def start_stop_step(self, process: Process) -> int:
        return self._spawn(process, process.stop_step, [])

    def kill(self, pid: int, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def _listen(self, port: int) -> list[int]:
        """Sockets live as long as we do: callers queue while the process behind them is started again."""
        if port not in self._listening:
            self._listening[port] = [self._descriptor(family, port) for family in (socket.AF_INET, socket.AF_INET6)]
        return self._listening[port]

    def _descriptor(self, family: socket.AddressFamily, port: int) -> int:
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(("", port))
            listener.listen(128)
            return fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD_CLOEXEC, OUT_OF_THE_WAY)

    def _spawn(self, process: Process, argv: tuple[str, ...], sockets: list[int]) -> int:
        whole = tuple(sys.executable if a == PYTHON else a for a in argv)
        environment = dict(os.environ)
        if process.user is not None:
            whole = (*POWERLESS, *_identity(process.user), "--", *whole)
        if sockets:
            whole = (*LISTENER, *whole)
            environment["LISTEN_FDS"] = str(len(sockets))
        files: list[tuple[Any, ...]] = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(self._log(process.name)), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_DUP2, fd, FIRST_HANDED + i) for i, fd in enumerate(sockets)),
        ]
        return os.posix_spawnp(whole[0], whole, environment, file_actions=files, setsid=True)

    def _log(self, name: str) -> Path:
        self._logs.mkdir(parents=True, exist_ok=True)
        path = self._logs / f"{name}.log"
        if path.exists() and path.stat().st_size > LONGEST_LOG:
            path.unlink()
        return path


class Supervisor:
    """The loop around `Watch`, and the answers at its door. One lock: both may change what is wanted."""

    def __init__(self, machine: Machine) -> None:
        self._watch = Watch(machine)
        self._machine = machine
        self._lock = threading.Lock()
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self, processes: tuple[Process, ...]) -> None:
        """Look after `processes` until SIGTERM or SIGINT, and then until all have gone."""
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._watch.shut_down())
        for process in processes:
            self._watch.want(process, time.monotonic())
        while not self._step():
            due = self._watch.deadline
            select.select([self._woken], [], [], None if due is None else max(0.0, due - time.monotonic()))
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, 4096)

    def _step(self) -> bool:
        """Do what is due now; returns whether nothing more will ever be."""
        with self._lock:
            self._reap()
            self._watch.tick(time.monotonic())
            return self._watch.done

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (end := os.waitpid(-1, os.WNOHANG))[0]:
                self._watch.ended(end[0], _in_words(os.waitstatus_to_exitcode(end[1])), time.monotonic())

    def answer(self, question: Any, caller: Caller) -> Any:
        """Answer one question of `control.supervisor`."""
        if caller.uid != 0:
            raise Refused("only root may ask the supervisor")
        with self._lock:
            reply = self._answer(question, time.monotonic())
        os.write(self._wake, b"!")
        return reply

    def _answer(self, question: Any, now: float) -> Any:
        watch = self._watch
        match question:
            case doors.SupervisorStatus():
                return doors.SupervisorReport(tuple(_report(w, now) for w in watch.wards.values()))
            case doors.StartService(name, argv, user):
                self._refuse_daemon(name)
                watch.want(Process(name, argv, user), now)
                return _report(self._ward(name), now)
            case doors.StopService(name):
                self._refuse_daemon(name)
                return watch.unwant(name, now)
            case doors.ServiceStatus(name):
                return _report(self._ward(name), now)
            case doors.RestartService(name):
                return watch.restart(self._ward(name).process.name, now)
            case doors.SignalService(name, number):
                if (pid := self._ward(name).pid) is None:
                    raise Refused(f"{name} is not running")
                return self._machine.kill(pid, number)
            case doors.Hold(name):
                return watch.hold(self._ward(name).process.name)
            case doors.Release(name):
                return watch.release(self._ward(name).process.name, now)

    def _ward(self, name: str) -> Ward:
        try:
            return self._watch.wards[name]
        except KeyError:
            raise Refused(f"nothing by the name of {name} is looked after here") from None

    def _refuse_daemon(self, name: str) -> None:
        if any(name == p.name for p in PROCESSES):
            raise Refused(f"{name} is one of Gemel's own daemons and no service")


def _identity(user: str) -> tuple[str, str]:
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise OSError(f"there is no user {user}") from None
    return f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}"


def _report(ward: Ward, now: float) -> doors.ServiceReport:
    state = "stopping" if ward.state == "cleaning" else ward.state
    since = time.time() - (now - ward.since)
    return doors.ServiceReport(ward.process.name, state, ward.pid, since, max(0, ward.starts - 1), ward.last_exit)


def _in_words(code: int) -> str:
    return f"ended with status {code}" if code >= 0 else f"ended by {signal.Signals(-code).name}"


def main() -> None:
    supervisor = Supervisor(Machine())
    Door(SUPERVISOR_DOOR, doors.QUESTIONS, supervisor.answer)
    supervisor.run(PROCESSES)


if __name__ == "__main__":
    main()
