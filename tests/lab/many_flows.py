"""Many flows of each kind, and what source each has at the far end. Standard library only.

    many_flows.py serve ADDRESS                      answers UDP, TCP and ICMP with the source that it saw
    many_flows.py open ADDRESS COUNT KIND...         COUNT flows of each kind (udp, tcp, icmp) to ADDRESS

`open` prints "ready" as JSON; for each line on standard input it sends one packet on each of its flows (and again if
that is not answered) and prints, by kind: how many were answered, how many have another source than the first time,
and the addresses seen.
"""

import json
import resource
import selectors
import socket
import struct
import sys
import time
from typing import Any

UDP_PORT, TCP_PORT = 7100, 7101
PATIENCE, AGAIN = 10.0, 1.0  # seconds for a round, and until a packet is repeated
SEEN = struct.Struct("!I4sH")  # which flow; the source's address and port (or ICMP id)
NUMBER = struct.Struct("!I")
ECHO, ECHO_REPLY = 8, 0
SO_RCVBUFFORCE = 33  # socket(7); the module does not name it


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def icmp(kind: int, identifier: int, payload: bytes) -> bytes:
    payload += bytes(len(payload) % 2)
    head = struct.pack("!BBHHH", kind, 0, 0, identifier, 1)
    return struct.pack("!BBHHH", kind, 0, checksum(head + payload), identifier, 1) + payload


def opened(packet: bytes) -> tuple[int, int, bytes]:
    """Type, identifier and payload of an ICMP packet as a raw socket gives it, with its IP header."""
    body = packet[(packet[0] & 15) * 4 :]
    kind, _, _, identifier, _ = struct.unpack_from("!BBHHH", body)
    return kind, identifier, body[8:]


# -- the far end ------------------------------------------------------------------------------------------------------


def serve(address: str) -> None:
    with open("/proc/sys/net/ipv4/icmp_echo_ignore_all", "w") as ignore:  # noqa: PTH123
        ignore.write("1")  # we answer ourselves
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, UDP_PORT))
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    for s in (udp, raw):
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
    listener = socket.create_server((address, TCP_PORT), backlog=1024)
    watch = selectors.DefaultSelector()
    for s in (udp, raw, listener):
        watch.register(s, selectors.EVENT_READ)
    print('"ready"', flush=True)
    while True:
        for key, _ in watch.select():
            s: Any = key.fileobj
            if s is listener:
                watch.register(s.accept()[0], selectors.EVENT_READ)
            elif s is udp:
                message, source = s.recvfrom(64)
                s.sendto(message[:4] + socket.inet_aton(source[0]) + struct.pack("!H", source[1]), source)
            elif s is raw:
                answer_icmp(s)
            else:
                answer_tcp(s, watch)


def answer_icmp(raw: socket.socket) -> None:
    packet, source = raw.recvfrom(2048)
    kind, identifier, payload = opened(packet)
    if kind == ECHO and len(payload) >= NUMBER.size:
        seen = SEEN.pack(*NUMBER.unpack_from(payload), socket.inet_aton(source[0]), identifier)
        raw.sendto(icmp(ECHO_REPLY, identifier, seen), (source[0], 0))


def answer_tcp(s: socket.socket, watch: selectors.BaseSelector) -> None:
    try:
        message = s.recv(64)
        source = s.getpeername()
    except OSError:
        message = b""
    if not message:
        watch.unregister(s)
        s.close()
        return
    s.sendall(message[:4] + socket.inet_aton(source[0]) + struct.pack("!H", source[1]))


# -- the near end -----------------------------------------------------------------------------------------------------


class Flows:
    """COUNT flows of one kind. A flow's number is its place."""

    def __init__(self, kind: str, address: str, count: int) -> None:
        self.kind, self.count = kind, count
        self._address = address
        self.first: dict[int, tuple[str, int]] = {}
        self.now: dict[int, tuple[str, int]] = {}
        if kind == "icmp":
            self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)]
            self.sockets[0].setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        elif kind == "udp":
            self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
            for s in self.sockets:
                s.connect((address, UDP_PORT))
        else:
            self.sockets = [socket.create_connection((address, TCP_PORT), 10) for _ in range(count)]
        for s in self.sockets:
            s.setblocking(False)

    def send(self, number: int) -> None:
        try:
            if self.kind == "icmp":
                packet = icmp(ECHO, 1 + number, NUMBER.pack(number) + bytes(8))
                self.sockets[0].sendto(packet, (self._address, 0))
            else:
                self.sockets[number].send(NUMBER.pack(number))
        except OSError:
            return

    def read(self, s: socket.socket) -> None:
        try:
            data = s.recv(2048)
        except OSError:
            return
        if self.kind == "icmp":
            kind, _, data = opened(data)
            if kind != ECHO_REPLY:
                return
        if len(data) >= SEEN.size:
            number, source, port = SEEN.unpack_from(data)
            self.now[number] = socket.inet_ntoa(source), port

    def missing(self) -> list[int]:
        return [n for n in range(self.count) if n not in self.now]

    def sum_up(self) -> dict[str, Any]:
        self.first = self.first or self.now
        moved = [n for n, source in self.now.items() if self.first.get(n) != source]
        summary = {
            "answered": len(self.now), "moved": len(moved), "addresses": sorted({a for a, _ in self.now.values()}),
            "ports": len(set(self.now.values())), "example": list(self.now.values())[:1],
        }  # fmt: skip
        self.now = {}
        return summary


def play(flows: list[Flows], watch: selectors.BaseSelector) -> None:
    """One packet on each flow; UDP and ICMP again after a while, TCP sees to that itself."""
    end, again = time.monotonic() + PATIENCE, 0.0
    while (now := time.monotonic()) < end and (missing := [(f, f.missing()) for f in flows if f.missing()]):
        if now >= again:
            for flow, numbers in missing:
                for n in numbers if flow.kind != "tcp" or not again else ():
                    flow.send(n)
                    drain(watch, 0.0)
            again = now + AGAIN
        drain(watch, 0.05)


def drain(watch: selectors.BaseSelector, seconds: float) -> None:
    for key, _ in watch.select(seconds):
        key.data.read(key.fileobj)


def open_flows(address: str, count: int, kinds: list[str]) -> None:
    flows = [Flows(kind, address, count) for kind in kinds]
    watch = selectors.DefaultSelector()
    for flow in flows:
        for s in flow.sockets:
            watch.register(s, selectors.EVENT_READ, flow)
    print('"ready"', flush=True)
    while sys.stdin.readline():
        play(flows, watch)
        print(json.dumps({f.kind: f.sum_up() for f in flows}), flush=True)


def main(what: str, address: str, *rest: str) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if what == "serve":
        serve(address)
    else:
        open_flows(address, int(rest[0]), list(rest[1:]))


if __name__ == "__main__":
    main(*sys.argv[1:])
