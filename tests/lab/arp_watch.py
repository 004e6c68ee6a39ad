"""Who answers for an address: `arp_watch.py DEVICE ADDRESS`, run on a host of the segment.

Asks for ADDRESS a hundred times a second by broadcast, so that every owner hears it, in the name of ever another
sender, so that each answer is known to belong to one question. Prints "ready" as JSON; answers each line on standard
input with what happened since the last one: `twice_from` and `twice_to` (seconds since the epoch) are the first and
the last time that two answered, `twice_ms` the longest that they did so without a pause. Standard library only.
"""

import json
import select
import socket
import struct
import sys
import time

STEP = 0.01
PAUSE = 0.2  # seconds without a second answer that end a time of two owners
SENDERS = range(100, 200)  # the last octets of those in whose name is asked; each again after one second
REQUEST, REPLY = 1, 2
FRAME = struct.Struct("!6s6sHHHBBH6s4s6s4s")


class Watch:
    """Counts the answers to each question."""

    def __init__(self, device: str, address: str) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        self.socket.bind((device, 0x0806))
        self._mac = self.socket.getsockname()[4]
        self._address = socket.inet_aton(address)
        self._number = 0
        self._forget()

    def _forget(self) -> None:
        self._asked, self._answered, self._twice = 0, 0, 0
        self._twice_from: float | None = None
        self._twice_to: float | None = None
        self._run_from, self._run_to, self._longest = 0.0, 0.0, 0.0
        self._macs: set[str] = set()
        self._open: dict[bytes, int] = {}
        self._silent_since: float | None = None
        self._silence = 0.0

    def ask(self) -> None:
        sender = self._address[:3] + bytes([SENDERS[self._number % len(SENDERS)]])
        self._number += 1
        self._asked += 1
        self._open[sender] = 0
        self.socket.send(FRAME.pack(
            b"\xff" * 6, self._mac, 0x0806, 1, 0x0800, 6, 4, REQUEST, self._mac, sender, bytes(6), self._address
        ))  # fmt: skip

    def read(self, now: float) -> None:
        frame = self.socket.recv(2048)
        if len(frame) < FRAME.size:
            return
        *_, operation, mac, sender, _, target = FRAME.unpack_from(frame)
        if operation != REPLY or sender != self._address or target not in self._open:
            return
        self._open[target] += 1
        self._answered += self._open[target] == 1
        if self._open[target] == 2:
            self._twice += 1
            self._twice_to = time.time()
            self._twice_from = self._twice_from or self._twice_to
            if now - self._run_to > PAUSE:
                self._run_from = now
            self._run_to = now
            self._longest = max(self._longest, now - self._run_from)
        self._macs.add(mac.hex(":"))
        if self._silent_since is not None:
            self._silence = max(self._silence, now - self._silent_since)
        self._silent_since = now

    def sum_up(self) -> dict[str, object]:
        summary = {
            "asked": self._asked, "answered": self._answered, "answered_twice": self._twice,
            "twice_from": self._twice_from, "twice_to": self._twice_to, "macs": sorted(self._macs),
            "twice_ms": round(1e3 * self._longest, 1), "silence_ms": round(1e3 * self._silence, 1),
        }  # fmt: skip
        self._forget()
        return summary


def main(device: str, address: str) -> None:
    watch = Watch(device, address)
    print('"ready"', flush=True)
    due = time.monotonic()
    while True:
        if (now := time.monotonic()) >= due:
            watch.ask()
            due += STEP
        ready = select.select([watch.socket, sys.stdin], [], [], max(0.0, due - now))[0]
        if watch.socket in ready:
            watch.read(time.monotonic())
        if sys.stdin in ready:
            if not sys.stdin.readline():
                return
            print(json.dumps(watch.sum_up()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
