"""Two virtual machines on the recipe's three networks, with the lab's LAN and WAN hosts: qemu, without KVM.

Beside them a fourth network, on which each machine has two cards, and a host, `dmz`. Another host, `guest`, is where no
node's card is: in VLAN 30 of LAN's segment.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from gemel.lab import image, namespace
from gemel.lab.commands import SOURCE, Commands
from gemel.lab.namespace import LabError
from gemel.lab.topology import HOSTS, NODES, SEGMENTS, Host, extra_host, mac
from gemel.lab.wiring import Wiring

MEMORY = 1024  # MiB
BOOT_PATIENCE = 600.0  # seconds: emulated, on a machine that has other things to do
SAVING = 300.0
POLL = 1.0  # seconds: a question costs an emulated machine more than one of the lab's
PASSWORD = "a-password-of-the-lab"
SSH = (
    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
    "-o", "ConnectTimeout=20", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=20", "-o", "ServerAliveCountMax=6",
)  # fmt: skip
VLAN = 30
GUEST = Host("guest", "lan", f"10.0.{VLAN}.50/24", f"10.0.{VLAN}.1")
DMZ = extra_host("dmz", 0)
CARDS = {**dict(zip(SEGMENTS, SEGMENTS, strict=True)), "dmz1": DMZ.segment, "dmz2": DMZ.segment}
"""A machine's cards, in the order of eth0, eth1, …: what each is called here, and its segment."""
PROMPT = b"(qemu) "


class VirtualLab(Commands):
    """As a context: everything ends with it. `folder` keeps disks, consoles and keys of this run; with `resume` the
    disks and the key of the last run are used, for machines that were saved.
    """

    def __init__(self, name: str, folder: Path, root: Path, resume: bool = False) -> None:
        self.name = name
        self.folder = folder
        self._root = root
        self._resume = resume
        self._wiring = Wiring(name)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._port: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "VirtualLab":
        self._clear()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._wiring.build_switch(*SEGMENTS, DMZ.segment)
        for host in (*HOSTS.values(), DMZ):
            namespace.add(f"{self.name}-{host.name}")
            self._wiring.connect_host(host)
        for node in NODES:
            for card, segment in CARDS.items():
                self._add_tap(node, card, segment)
        if not self._resume:
            self._make_disks()
        return self

    def __exit__(self, *_: object) -> None:
        for node in list(self._running):
            self.power_off(node)
        if self._port is not None:
            self._port.kill()
            self._port.wait()
        self._clear()

    def _make_disks(self) -> None:
        key = self.folder / "key"
        for old in (key, key.with_suffix(".pub")):
            old.unlink(missing_ok=True)
        namespace.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        for node in NODES.values():
            image.disk(self._root, self._disk(node.name), node, key.with_suffix(".pub").read_text())

    def _disk(self, node: str) -> Path:
        return self.folder / f"{node}.qcow2"

    def _clear(self) -> None:
        for part in (*HOSTS, DMZ.name, GUEST.name, "sw"):
            namespace.delete(f"{self.name}-{part}")

    def _add_tap(self, node: str, card: str, segment: str) -> None:
        port = f"{node}-{card}"
        namespace.ip(
            self._wiring.switch,
            f"tuntap add dev {port} mode tap",
            f"link set {port} master {segment}",
            f"link set {port} up",
        )

    def add_guest(self) -> None:
        """Connect the host in the VLAN, by a port of the switch that takes its tag off and puts it on."""
        inside = f"{self.name}-{GUEST.name}"
        if self._port is not None:
            return
        namespace.add(inside)
        script = str(SOURCE / "gemel/lab/access_port.py")
        command = (sys.executable, script, self._wiring.switch, f"{GUEST.name}-eth0", inside, "eth0", str(VLAN))
        self._port = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.wait(lambda: "eth0" in namespace.run("ip", "-n", inside, "-br", "link"), "the port in the VLAN")
        namespace.ip(
            self._wiring.switch,
            f"link set {GUEST.name}-eth0 master {GUEST.segment}",
            f"link set {GUEST.name}-eth0 up",
        )
        namespace.ip(
            inside,
            f"address add {GUEST.address} dev eth0",
            "link set eth0 up",
            f"route add default via {GUEST.gateway}",
        )

    @property
    def password(self) -> str:
        return PASSWORD

    def wait(self, until: Callable[[], object], what: str, patience: float = 15.0, poll: float = POLL) -> None:
        super().wait(until, what, patience, poll)

    def command(self, machine: str, *argv: str) -> list[str]:
        if machine in HOSTS or machine in (DMZ.name, GUEST.name):
            return ["ip", "netns", "exec", f"{self.name}-{machine}", *argv]
        if machine not in NODES:
            raise LabError(f"there is no {machine} here")
        # SSH hands one string to a shell over there.
        return [*self._from_lan("ssh"), f"root@{_address(machine)}", _quoted(argv)]

    def copy(self, node: str, source: Path, target: str) -> None:
        """Put a file on a node."""
        namespace.run(*self._from_lan("scp"), str(source), f"root@{_address(node)}:{target}", timeout=600)

    def _from_lan(self, program: str) -> tuple[str, ...]:
        return ("ip", "netns", "exec", f"{self.name}-lan", program, *SSH, "-i", str(self.folder / "key"))

    def power_on(self, node: str, saved: str = "") -> None:
        """Start it, or with `saved` go on where it was saved; `booted` says when it can be logged in to."""
        kernel, initrd = image.kernel(self._root)
        cards: list[str] = []
        for card in CARDS:
            tap = f"tap,id={card},ifname={node}-{card},script=no,downscript=no"
            cards += ["-netdev", tap, "-device", f"virtio-net-pci,netdev={card},mac={mac(self.name, node, card)}"]
        command = (
            "ip", "netns", "exec", self._wiring.switch, "qemu-system-x86_64",
            "-machine", "q35", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max,la57=off",
            "-smp", "1", "-m", str(MEMORY),
            "-nodefaults", "-nographic", "-no-reboot",
            "-monitor", f"unix:{self._monitor(node)},server=on,wait=off",
            "-serial", f"file:{self.console(node)}",
            "-kernel", str(kernel), "-initrd", str(initrd),
            "-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 panic=-1 mitigations=off",
            "-drive", f"file={self._disk(node)},if=virtio,format=qcow2,cache=unsafe",
            "-device", "virtio-rng-pci", *cards, *(("-loadvm", saved) if saved else ()),
        )  # fmt: skip
        out = (self.folder / f"{node}.qemu").open("wb")
        with out:
            self._running[node] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def _monitor(self, node: str) -> Path:
        return self.folder / f"{node}.monitor"

    def console(self, node: str) -> Path:
        """What the node's console has shown."""
        return self.folder / f"{node}.console"

    def booted(self, node: str, patience: float = BOOT_PATIENCE) -> None:
        """Wait until one can log in.

        Raises:
            LabError: nobody could; the text has the console's last lines.
        """
        deadline = time.monotonic() + patience
        while True:
            if self._running[node].poll() is not None:
                raise LabError(f"{node}: qemu ended: {(self.folder / f'{node}.qemu').read_text().strip()[-400:]}")
            with contextlib.suppress(LabError):
                self.exec(node, "true", timeout=60)
                return
            if time.monotonic() > deadline:
                lines = self.console(node).read_text(errors="replace").splitlines()[-12:]
                raise LabError(f"{node} did not boot within {patience:.0f} s:\n" + "\n".join(lines))
            time.sleep(1)

    def power_off(self, node: str) -> None:
        """Pull the plug."""
        process = self._running.pop(node)
        process.kill()
        process.wait()

    def set_cable(self, node: str, card: str, plugged: bool) -> None:
        """Plug in or pull out the cable of a card, one of `CARDS`: the machine sees its carrier come or go."""
        self._tell(node, f"set_link {card} {'on' if plugged else 'off'}")

    def reboot(self, node: str, patience: float) -> None:
        """In order: the node stops its services; then it is started again (qemu ends at a reboot).

        Raises:
            LabError: it did not come to its end.
        """
        self.exec(node, "systemctl", "reboot", check=False)
        try:
            self._running[node].wait(patience)
        except subprocess.TimeoutExpired:
            raise LabError(f"{node} did not come to its end within {patience:.0f} s") from None
        self.power_on(node)

    def save(self, name: str) -> None:
        """Keep memory and disk of the machines as they are now; `power_on` brings them back to here."""
        for command in ("stop", f"savevm {name}", "cont"):
            for node in self._running:
                self._tell(node, command)

    def _tell(self, node: str, command: str) -> None:
        """A command of qemu's monitor, to its end."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(SAVING)
            monitor.connect(str(self._monitor(node)))
            _until_prompt(monitor)
            monitor.sendall(command.encode() + b"\n")
            said = _until_prompt(monitor)
        if b"Error" in said:
            raise LabError(f"{node}: {command}: {said.decode(errors='replace').strip()}")


def _until_prompt(monitor: socket.socket) -> bytes:
    said = b""
    while not said.endswith(PROMPT):
        if not (more := monitor.recv(4096)):
            raise LabError("qemu ended")
        said += more
    return said


def _address(node: str) -> str:
    return NODES[node].lan.partition("/")[0]


def _quoted(argv: Iterable[str]) -> str:
    return " ".join("'" + a.replace("'", "'\\''") + "'" for a in argv)


def missing_tools() -> list[str]:
    """Debian packages that this needs and this machine has not."""
    tools = {"qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils", "debootstrap": "debootstrap",
             "ssh": "openssh-client", "mkfs.ext4": "e2fsprogs", "dpkg-deb": "dpkg"}  # fmt: skip
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return sorted(package for tool, package in tools.items() if shutil.which(tool, path=path) is None)
