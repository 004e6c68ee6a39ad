"""The four daemons, described once: the supervisor reads it, and systemd units are written from it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Process:
    """How one process is run.

    `argv` begins with a program, or with ``PYTHON`` for the interpreter of this installation. `user` None is root;
    anybody else is started without any way to more rights. `ports` are listened on in its place, for IPv4 and IPv6
    each (LISTEN_FDS: from descriptor 3 on, per port first 0.0.0.0, then [::]). `stop_step` runs to its end after
    the process has ended, however that came, and before it is started again (systemd: ExecStopPost).
    `stops_first`: at shutdown the others run on until it has gone.
    """

    name: str
    argv: tuple[str, ...]
    user: str | None = None
    ports: tuple[int, ...] = ()
    stop_step: tuple[str, ...] = ()
    stops_first: bool = False


PYTHON = "{python}"

AGENT = Process("agent", (PYTHON, "-m", "gemel.daemons.agent"))
CARPD = Process(
    "carpd",
    (PYTHON, "-m", "gemel.daemons.carpd"),
    stop_step=(PYTHON, "-m", "gemel.daemons.carpd.stop_step"),
    stops_first=True,
)
FLOWD = Process("flowd", (PYTHON, "-m", "gemel.daemons.flowd"))
WEBD = Process("webd", (PYTHON, "-m", "gemel.daemons.webd"), user="gemel-web", ports=(443, 80))

PROCESSES = (CARPD, FLOWD, AGENT, WEBD)
