"""One node for `test_sync_transport`: webd as it is, behind it a small agent with the real `PeerServer` and `Pusher`.

Run in a network namespace with ``/run/gemel`` and ``/var/lib/gemel`` of its own. Takes a JSON object per line on
standard input and answers each with one on standard output.
"""

import fcntl
import json
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from gemel.control import paths
from gemel.control.door import Caller, Door
from gemel.control.peer import QUESTIONS, PeerAnswer, PeerCall
from gemel.core.codec import encode
from gemel.effects.keys import Fingerprints, KeyPair, make_keys
from gemel.sync.identity import Identity
from gemel.sync.node import Target
from gemel.sync.pusher import Pusher
from gemel.sync.server import PeerServer
from tests.unit.sync.world import PASSWORD, Node

NOBODY = 65534
POWERLESS = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--no-new-privs",
    "--bounding-set=-all",
)


class RealNode(Node):
    """Keys and the pin are where they belong."""

    @property
    def identity(self) -> Identity:
        return Identity(Path(paths.NODE_KEY).read_text(), Path(paths.NODE_CERTIFICATE).read_text())

    def pinned(self) -> str | None:
        pin = Path(paths.PEER_CERTIFICATE)
        return pin.read_text() if pin.exists() else None

    def pin(self, certificate: str) -> None:
        Path(paths.PEER_CERTIFICATE).write_text(certificate)


class Bench:
    """The node, its sockets and its webd."""

    def __init__(self, name: str) -> None:
        make_keys(
            name,
            KeyPair(Path(paths.NODE_KEY), Path(paths.NODE_CERTIFICATE)),
            KeyPair(Path(paths.WEB_KEY), Path(paths.WEB_CERTIFICATE)),
            NOBODY,
        )
        Path(paths.STATE).chmod(0o755)
        self.node = RealNode(name)
        self.server = PeerServer(self.node)
        self.pusher = Pusher(self.node)
        Door(paths.AGENT_DOOR, QUESTIONS, self._answer, mode=0o660, gid=NOBODY)
        Path(paths.RUN).chmod(0o755)
        self.sockets = [listener(family, port) for port in (443, 80) for family in (socket.AF_INET, socket.AF_INET6)]
        self.webd: subprocess.Popen[bytes] | None = None
        self.pusher.start()

    def _answer(self, call: PeerCall, _caller: Caller) -> PeerAnswer:
        return self.server.answer(call, time.monotonic())

    def do(self, what: str, **given: Any) -> Any:
        return getattr(self, f"do_{what}")(**given)

    def do_webd(self, up: bool) -> int:
        """Start or stop webd; the sockets are the bench's and stay."""
        if self.webd is not None:
            self.webd.terminate()
            self.webd.wait(15)
            self.webd = None
        if up:
            numbers = " ".join(str(s.fileno()) for s in self.sockets)
            shell = f'i=3; for fd in {numbers}; do eval "exec $i<&$fd"; i=$((i+1)); done'
            script = f'{shell}; export LISTEN_PID=$$ LISTEN_FDS=4; exec "$@"'
            argv = ("bash", "-c", script, "sh", *POWERLESS, sys.executable, "-m", "gemel.daemons.webd")
            descriptors = tuple(s.fileno() for s in self.sockets)
            self.webd = subprocess.Popen(argv, pass_fds=descriptors, stdout=sys.stderr)
        return self.webd.pid if self.webd else 0

    def do_close_sockets(self) -> None:
        """As when nothing at all runs there."""
        for held in self.sockets:
            held.close()

    def do_hangup(self) -> None:
        assert self.webd is not None
        self.webd.send_signal(signal.SIGHUP)

    def do_configure(self, host: str = "", password: str = PASSWORD, **areas: Any) -> None:
        """Change what this node gives, and where to, and apply."""
        self.node.areas.update(areas)
        self.node.revision += 1
        self.node.sends_to = Target(host, 443, "admin", password, tuple(areas)) if host else None
        self.pusher.trigger()

    def do_status(self) -> Any:
        return {"push": encode(replace(self.pusher.status())), "received": encode(self.server.status())}

    def do_areas(self) -> Any:
        return self.node.areas

    def do_forget(self) -> None:
        Path(paths.PEER_CERTIFICATE).unlink()

    def do_fingerprint(self) -> str:
        return self.node.identity.fingerprint

    def do_new_key(self) -> str:
        """As after an installation from scratch."""
        return self._anew(paths.NODE_KEY, paths.NODE_CERTIFICATE).node

    def do_new_web_key(self) -> str:
        """As when an admin changes the GUI's certificate."""
        return self._anew(paths.WEB_KEY, paths.WEB_CERTIFICATE).web

    def _anew(self, *names: str) -> Fingerprints:
        for name in names:
            Path(name).unlink()
        node, web = (paths.NODE_KEY, paths.NODE_CERTIFICATE), (paths.WEB_KEY, paths.WEB_CERTIFICATE)
        pairs = [KeyPair(Path(key), Path(certificate)) for key, certificate in (node, web)]
        return make_keys(self.node.name, pairs[0], pairs[1], NOBODY)

    def do_hide_keys(self, hidden: bool) -> None:
        """As before the very first start, when there are none."""
        there, away = Path(paths.NODE_KEY).parent, Path(paths.STATE) / "hidden"
        (there if hidden else away).rename(away if hidden else there)

    def do_memory(self) -> int:
        """webd's proportional set size, KiB."""
        assert self.webd is not None
        lines = Path(f"/proc/{self.webd.pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def listener(family: socket.AddressFamily, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family is socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind(("", port))
    made.listen(128)
    # Out of the way of the numbers that are handed over.
    high = socket.socket(fileno=fcntl.fcntl(made.fileno(), fcntl.F_DUPFD_CLOEXEC, 64))
    made.close()
    return high


def main() -> None:
    bench = Bench(sys.argv[1])
    print(json.dumps("ready"), flush=True)
    try:
        for line in sys.stdin:
            asked = json.loads(line)
            print(json.dumps(bench.do(**asked)), flush=True)
    finally:
        bench.do_webd(up=False)


if __name__ == "__main__":
    main()
