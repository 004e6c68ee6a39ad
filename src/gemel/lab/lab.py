"""A lab: built, looked into, mistreated and taken down again."""

import contextlib
import os
import re
import secrets
import select
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from gemel.control import supervisor as doors
from gemel.control.agent import Status
from gemel.control.door import Refused, Unreachable, ask
from gemel.control.paths import AGENT_DOOR, SUPERVISOR_DOOR
from gemel.core.codec import encode
from gemel.lab import namespace
from gemel.lab.boot import ENVIRONMENT
from gemel.lab.commands import SOURCE, Commands
from gemel.lab.namespace import LabError
from gemel.lab.state import Folder, State
from gemel.lab.topology import (
    HOSTS,
    LAB_NAME,
    NODES,
    SEGMENT_NAME,
    SEGMENTS,
    SWITCH,
    WAN_GATEWAY,
    Host,
    extra_host,
    web_address,
)
from gemel.lab.wiring import Wiring, port

WEB_PORT = 8443
BOOT_PATIENCE = 20.0  # seconds


class Lab(Commands):
    """The lab called `name`. Any process may hold one: what a lab is stands on disk and in the kernel.

    Every method raises `LabError`, with a text for people, for what cannot be done.
    """

    def __init__(self, name: str = "lab") -> None:
        if not LAB_NAME.fullmatch(name):
            raise LabError(f"{name!r} is no name for a lab: a letter, then at most 11 letters and digits")
        if os.geteuid():
            raise LabError("the lab needs root: it makes network namespaces")
        self.name = name
        self.folder = Folder(name)
        self._wiring = Wiring(name)

    # -- up and down ------------------------------------------------------------------------------------------------

    def up(self, first_boot: bool = True, owner: int | None = None) -> "Lab":
        """Two nodes, powered on and (with `first_boot`) blank, and the hosts around them.

        With `owner`, a process number, the lab goes down by itself when that process has gone without saying so.
        Remains of a lab of this name that was never finished, or lost its namespaces, are cleared away first.
        """
        with self.folder.locked():
            state = self.folder.load()
            if state and state.ready and namespace.exists(self._wiring.switch):
                raise LabError(f"the lab {self.name} is up already")
            self._clear(state)
            try:
                self._build(owner)
            except BaseException:
                self._clear(self.folder.load())
                raise
        try:
            if first_boot:
                for node in NODES:
                    self.first_boot(node)
        except BaseException:
            self.down()
            raise
        return self

    def down(self) -> None:
        """Whatever is left of it goes; a lab that is not there is no error."""
        with self.folder.locked():
            self._clear(self.folder.load())

    def _build(self, owner: int | None) -> None:
        state = self.folder.create(secrets.token_urlsafe(12))
        # Nodes cannot write beside the sources: without this every start of every process would compile them again.
        namespace.run(sys.executable, "-m", "compileall", "-q", str(SOURCE / "gemel"), check=False)
        self._wiring.build_switch(*SEGMENTS)
        for host in HOSTS.values():
            self._add_host(host)
        for node in NODES:
            self._boot(node, state)
        self.folder.save(replace(state, ready=True, attendant=self._attend(owner)))

    def _attend(self, owner: int | None) -> int:
        """Start the attendant and wait until it says that the way in is open; returns its process number."""
        with self.folder.log("attendant").open("ab") as log:
            attendant = subprocess.Popen(
                (sys.executable, "-m", "gemel.lab.attendant", self.name, str(owner or 0)),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True, cwd="/",
                env={**os.environ, "PYTHONPATH": str(SOURCE)},
            )
        assert attendant.stdout
        with attendant.stdout as said:
            ready = select.select([said], [], [], BOOT_PATIENCE)[0] and said.readline()
        if not ready:
            attendant.kill()
            raise LabError(f"the lab's attendant does not start: {self.folder.log('attendant').read_text()[-2000:]}")
        return attendant.pid

    def _clear(self, state: State | None) -> None:
        if state and state.attendant and state.attendant != os.getpid() and _is_attendant(state.attendant, self.name):
            namespace.kill([state.attendant])
        hosts = [*HOSTS, *(h.name for h in (state.extra_hosts if state else ()))]
        for machine in [*NODES, *hosts, SWITCH]:
            namespace.delete(f"{self.name}-{machine}")
        self.folder.remove()

    def _add_host(self, host: Host) -> None:
        namespace.add(f"{self.name}-{host.name}")
        self._wiring.connect_host(host)

    def first_boot(self, node: str) -> None:
        """Answer the questions that a new machine asks, as the recipe's addresses say."""
        plan = NODES[node]
        self.wait(lambda: (self.root(node) / AGENT_DOOR.lstrip("/")).exists(), f"{node}'s agent to open its door")
        self.cli(
            node, "first-boot", "--hostname", node,
            "--wan", "wan", "--wan-address", plan.wan, "--wan-gateway", WAN_GATEWAY,
            "--lan", "lan", "--lan-address", plan.lan, "--gui-address", self.web(node), "--password-stdin",
            text=self.password + "\n",
        )

    # -- power ------------------------------------------------------------------------------------------------------

    def power_off(self, node: str, carrier: bool = False) -> None:
        """Wires dead and every process killed in the same instant. What was not yet on disk is lost. `carrier`: the
        switch does not notice (`Wiring.cut`)."""
        with self.folder.locked():
            init = self._init(node)
            self._wiring.cut(node, self.devices(node), carrier)
            namespace.send(init, signal.SIGKILL)
            namespace.kill(namespace.pids(f"{self.name}-{node}"))

    def power_on(self, node: str) -> None:
        """Start it from its disk, with nothing else left of its former life. Returns when its supervisor answers."""
        with self.folder.locked():
            if self.is_on(node):
                raise LabError(f"{node} is on already")
            self._boot(node, self._state())

    def reboot(self, node: str) -> None:
        """Stop its processes in order, then power off and on."""
        init = self._init(node)
        namespace.send(init, signal.SIGTERM)
        self.wait(lambda: not namespace.alive(init), f"{node} to shut down", patience=30)
        with self.folder.locked():
            self._boot(node, self._state())

    def is_on(self, node: str) -> bool:
        self._check_node(node)
        return namespace.init(f"{self.name}-{node}") is not None

    def _boot(self, node: str, state: State) -> None:
        inside = f"{self.name}-{node}"
        segments = [*SEGMENTS, *(h.segment for h in state.extra_hosts)]
        namespace.delete(inside)
        self._wiring.remove(node, segments)
        namespace.add(inside)
        for segment in segments:
            self._wiring.connect(node, segment, segment, state.cables.get(port(node, segment)))
        with self.folder.log(node).open("ab") as log:
            # setsid forks and leaves, so that nobody has to collect the node when it dies.
            subprocess.run(
                ("setsid", "--fork", "ip", "netns", "exec", inside,
                 "unshare", "--mount", "--uts", "--pid", "--fork",
                 sys.executable, "-m", "gemel.lab.boot", str(self.folder.disk(node)), str(SOURCE), sys.prefix),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True, cwd="/",
                env={**os.environ, "PYTHONPATH": str(SOURCE)},
            )
        try:
            self.wait(lambda: self._answers(node), f"{node}'s supervisor", BOOT_PATIENCE)
        except LabError as error:
            raise LabError(f"{error}: {self.folder.log(node).read_text()[-2000:]}") from None

    def _answers(self, node: str) -> bool:
        try:
            self.ask(node, SUPERVISOR_DOOR, doors.SupervisorStatus(), timeout=1)
        except (LabError, Unreachable):
            return False
        return True

    # -- looking in -------------------------------------------------------------------------------------------------

    @property
    def password(self) -> str:
        """The admin's, on both nodes."""
        return self._state().password

    @property
    def hosts(self) -> dict[str, Host]:
        return {**HOSTS, **{h.name: h for h in self._state().extra_hosts}}

    def devices(self, node: str) -> list[str]:
        """The node's network cards."""
        self._check_node(node)
        return [*SEGMENTS, *(h.segment for h in self._state().extra_hosts)]

    def web(self, node: str) -> str:
        """Where the node's pages and REST are found from this machine."""
        return f"https://{web_address(self._state().index, NODES[node])}:{WEB_PORT}"

    def root(self, node: str) -> Path:
        """The node's files, seen from this machine, as long as it is on."""
        return Path(f"/proc/{self._init(node)}/root")

    def ask(self, node: str, door: str, question: Any, timeout: float = 10) -> Any:
        """Ask one of the node's daemons, as root on the node could."""
        return ask(str(self.root(node) / door.lstrip("/")), question, timeout)

    def node_status(self, node: str) -> dict[str, Any]:
        """What `gemel status --json` prints, asked at the agent's door: a command costs half a second."""
        try:
            said: dict[str, Any] = encode(self.ask(node, AGENT_DOOR, Status()))
        except (OSError, Refused, Unreachable) as error:
            raise LabError(f"{node} does not say how it is: {error}") from None
        return said

    def command(self, machine: str, *argv: str) -> list[str]:
        """The command on this machine that runs `argv` on a node or host."""
        if machine not in NODES:
            if machine not in self.hosts:
                raise LabError(f"there is no {machine} in this lab; it has {', '.join([*NODES, *self.hosts])}")
            return ["ip", "netns", "exec", f"{self.name}-{machine}", *argv]
        variables = [f"{k}={v}" for k, v in {**ENVIRONMENT, "TERM": os.environ.get("TERM", "dumb")}.items()]
        return ["nsenter", "-t", str(self._init(machine)), "-m", "-u", "-n", "-p", "env", "-i", *variables, *argv]

    def status(self) -> dict[str, Any]:
        """Everything that `gemel lab status` shows."""
        state = self._state()
        return {
            "name": self.name,
            "nodes": {node: self._node_status(node, state) for node in NODES},
            "hosts": {h.name: {"segment": h.segment, "address": h.address} for h in self.hosts.values()},
            "user": "admin",
            "password": state.password,
        }

    def _node_status(self, node: str, state: State) -> dict[str, Any]:
        on = self.is_on(node)
        cables = {d: state.cables.get(port(node, d), "plugged") for d in self.devices(node)}
        processes = {}
        if on:
            with contextlib.suppress(Unreachable, Refused):
                report = self.ask(node, SUPERVISOR_DOOR, doors.SupervisorStatus(), timeout=2)
                processes = {p.name: p.state for p in report.processes}
        return {"power": "on" if on else "off", "web": self.web(node), "cables": cables, "processes": processes}

    # -- mistreating ------------------------------------------------------------------------------------------------

    def unplug(self, node: str, device: str, silent: bool = False) -> None:
        """Pull a cable; `silent`: the carrier stays and every frame vanishes, as behind a broken switch."""
        self._set_cable(node, device, "silent" if silent else "unplugged")

    def plug(self, node: str, device: str) -> None:
        """Put the cable back."""
        self._set_cable(node, device, None)

    def _set_cable(self, node: str, device: str, cable: str | None) -> None:
        if device not in self.devices(node):
            raise LabError(f"{node} has no device {device}; it has {', '.join(self.devices(node))}")
        with self.folder.locked():
            state = self._state()
            cables = {k: v for k, v in state.cables.items() if k != port(node, device)}
            if cable:
                cables[port(node, device)] = cable
            self.folder.save(replace(state, cables=cables))
            if self.is_on(node):
                self._wiring.set_cable(port(node, device), device, cable)

    def kill(self, node: str, process: str, number: int = signal.SIGKILL, hold: bool = False) -> None:
        """Send a signal to a daemon or service; `hold`: and the supervisor shall not care (until `release`)."""
        init = self._init(node)
        try:
            if hold:
                self.ask(node, SUPERVISOR_DOOR, doors.Hold(process))
            report = self.ask(node, SUPERVISOR_DOOR, doors.ServiceStatus(process))
        except Refused as no:
            raise LabError(f"{node}: {no}") from None
        if report.pid is None:
            raise LabError(f"{node}: {process} is {report.state}, there is nothing to kill")
        for pid in _children(init):
            if namespace.pid_inside(pid)[-1:] == [report.pid]:
                namespace.send(pid, number)

    def release(self, node: str, process: str) -> None:
        """The supervisor looks after it again."""
        self.ask(node, SUPERVISOR_DOOR, doors.Release(process))

    def add_segment(self, name: str) -> Host:
        """One more network, with a card on both nodes and a host; all of the name `name`."""
        if not SEGMENT_NAME.fullmatch(name):
            raise LabError(f"{name!r} is no name for a segment: a letter, then at most 9 letters and digits")
        with self.folder.locked():
            state = self._state()
            if name in (*SEGMENTS, *NODES, SWITCH) or name in self.hosts:
                raise LabError(f"there is a {name} already")
            host = extra_host(name, len(state.extra_hosts))
            self.folder.save(replace(state, extra_hosts=(*state.extra_hosts, host)))
            self._wiring.add_segment(name)
            self._add_host(host)
            for node in NODES:
                if self.is_on(node):
                    self._wiring.connect(node, name, name)
        return host

    # -- odds -------------------------------------------------------------------------------------------------------

    def _state(self) -> State:
        state = self.folder.load()
        if state is None:
            raise LabError(f"there is no lab {self.name}; `gemel lab up` builds it")
        return state

    def _check_node(self, node: str) -> None:
        if node not in NODES:
            raise LabError(f"{node} is no node; there are {', '.join(NODES)}")

    def _init(self, node: str) -> int:
        self._check_node(node)
        self._state()
        if (pid := namespace.init(f"{self.name}-{node}")) is None:
            raise LabError(f"{node} is off")
        return pid


def _children(pid: int) -> list[int]:
    return [int(p) for p in re.findall(r"\d+", Path(f"/proc/{pid}/task/{pid}/children").read_text())]


def _is_attendant(pid: int, lab: str) -> bool:
    """Process numbers come round again: make sure that it is ours."""
    with contextlib.suppress(OSError):
        return f"gemel.lab.attendant\0{lab}\0" in Path(f"/proc/{pid}/cmdline").read_text()
    return False
