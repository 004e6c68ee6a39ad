"""Two virtual machines on the recipe's three networks, with the lab's LAN and WAN hosts: qemu, without KVM."""

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from gemel.lab import image, namespace
from gemel.lab.commands import Commands
from gemel.lab.namespace import LabError
from gemel.lab.topology import HOSTS, NODES, SEGMENTS, mac
from gemel.lab.wiring import Wiring

MEMORY = 1024  # MiB
BOOT_PATIENCE = 600.0  # seconds: emulated, on a machine that has other things to do
PASSWORD = "a-password-of-the-lab"
SSH = (
    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
    "-o", "ConnectTimeout=20", "-o", "BatchMode=yes",
)  # fmt: skip


class VirtualLab(Commands):
    """As a context: everything ends with it. `folder` keeps disks, consoles and keys of this run."""

    def __init__(self, name: str, folder: Path, root: Path) -> None:
        self.name = name
        self.folder = folder
        self._root = root
        self._wiring = Wiring(name)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "VirtualLab":
        self._clear()
        self.folder.mkdir(parents=True, exist_ok=True)
        key = self.folder / "key"
        key.unlink(missing_ok=True)
        namespace.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        self._wiring.build_switch(*SEGMENTS)
        for host in HOSTS.values():
            namespace.add(f"{self.name}-{host.name}")
            self._wiring.connect_host(host)
        for node in NODES.values():
            image.disk(self._root, self.folder / f"{node.name}.img", node, key.with_suffix(".pub").read_text())
            for segment in SEGMENTS:
                self._add_tap(node.name, segment)
        return self

    def __exit__(self, *_: object) -> None:
        for node in list(self._running):
            self.power_off(node)
        self._clear()
        for disk in self.folder.glob("*.img"):
            disk.unlink()

    def _clear(self) -> None:
        for part in (*HOSTS, "sw"):
            namespace.delete(f"{self.name}-{part}")

    def _add_tap(self, node: str, segment: str) -> None:
        port = f"{node}-{segment}"
        namespace.ip(
            self._wiring.switch,
            f"tuntap add dev {port} mode tap",
            f"link set {port} master {segment}",
            f"link set {port} up",
        )

    @property
    def password(self) -> str:
        return PASSWORD

    def command(self, machine: str, *argv: str) -> list[str]:
        if machine in HOSTS:
            return ["ip", "netns", "exec", f"{self.name}-{machine}", *argv]
        if machine not in NODES:
            raise LabError(f"there is no {machine} here")
        return self.ssh(machine, "lan", "lan", *argv)

    def ssh(self, node: str, host: str, segment: str, *argv: str) -> list[str]:
        """A command over SSH from `host` to the node's own address on `segment`."""
        address = getattr(NODES[node], segment).partition("/")[0]
        inside = ["ip", "netns", "exec", f"{self.name}-{host}"]
        # SSH hands one string to a shell over there.
        return [*inside, "ssh", *SSH, "-i", str(self.folder / "key"), f"root@{address}", _quoted(argv)]

    def copy(self, node: str, source: Path, target: str) -> None:
        """Put a file on a node."""
        address = NODES[node].lan.partition("/")[0]
        command = ("scp", *SSH, "-i", str(self.folder / "key"), str(source), f"root@{address}:{target}")
        namespace.run("ip", "netns", "exec", f"{self.name}-lan", *command, timeout=600)

    def power_on(self, node: str) -> None:
        """Start it; `booted` says when it can be logged in to."""
        kernel, initrd = image.kernel(self._root)
        cards: list[str] = []
        for segment in SEGMENTS:
            address = mac(self.name, node, segment)
            tap = f"tap,id={segment},ifname={node}-{segment},script=no,downscript=no"
            cards += ["-netdev", tap, "-device", f"virtio-net-pci,netdev={segment},mac={address}"]
        command = (
            "ip", "netns", "exec", self._wiring.switch, "qemu-system-x86_64",
            "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1", "-m", str(MEMORY),
            "-nodefaults", "-nographic", "-monitor", "none", "-no-reboot",
            "-serial", f"file:{self.console(node)}",
            "-kernel", str(kernel), "-initrd", str(initrd),
            "-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 panic=-1",
            "-drive", f"file={self.folder / node}.img,if=virtio,format=raw,cache=unsafe",
            "-device", "virtio-rng-pci", *cards,
        )  # fmt: skip
        out = (self.folder / f"{node}.qemu").open("wb")
        with out:
            self._running[node] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

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

    def reboot(self, node: str) -> None:
        """In order: the node stops its services; then it is started again (qemu ends at a reboot)."""
        self.exec(node, "systemctl", "reboot", check=False)
        try:
            self._running[node].wait(300)
        except subprocess.TimeoutExpired:
            raise LabError(f"{node} did not come to its end within 300 s") from None
        self.power_on(node)


def _quoted(argv: tuple[str, ...]) -> str:
    return " ".join("'" + a.replace("'", "'\\''") + "'" for a in argv)


def missing_tools() -> list[str]:
    """Debian packages that this needs and this machine has not."""
    tools = {"qemu-system-x86_64": "qemu-system-x86", "debootstrap": "debootstrap", "ssh": "openssh-client",
             "mkfs.ext4": "e2fsprogs", "dpkg-deb": "dpkg"}  # fmt: skip
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return sorted(package for tool, package in tools.items() if shutil.which(tool, path=path) is None)
