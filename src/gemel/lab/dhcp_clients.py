"""Many DHCP clients on one network card, each with a MAC of its own, without a kernel's help: for tests and benches.

    dhcp_clients.py DEVICE [--clients N] [--at-once N] [--patience S] [--retry S] [--macs MAC,…] [--release] [--want IP]

Each client discovers, requests, and is done with the acknowledgement; what goes unanswered for `--retry` seconds is
said again from the start. Prints one JSON object for each client: mac, address (null: none within `--patience`),
seconds, server, router, dns, lease (seconds), tries.
"""

import argparse
import json
import secrets
import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Address
from typing import Any

DISCOVER, OFFER, REQUEST, ACK, NAK, RELEASE = 1, 2, 3, 5, 6, 7
MASK, ROUTER, DNS, DOMAIN, ADDRESS, LEASE, KIND, SERVER, ASKED = 1, 3, 6, 15, 50, 51, 53, 54, 55
COOKIE = b"\x63\x82\x53\x63"
NOBODY, EVERYBODY = "0.0.0.0", "255.255.255.255"


@dataclass
class Client:
    """One client and how far it has come."""

    mac: str
    address: str | None = None
    server: str | None = None
    router: str | None = None
    dns: str | None = None
    lease: int | None = None
    seconds: float | None = None
    tries: int = 0
    began: float = field(default=0.0, repr=False)
    due: float = field(default=0.0, repr=False)
    xid: int = field(default=0, repr=False)
    offered: str | None = field(default=None, repr=False)

    @property
    def result(self) -> dict[str, Any]:
        """What is printed of it."""
        return {k: v for k, v in asdict(self).items() if k not in ("began", "due", "xid", "offered")}


def random_mac() -> str:
    """A locally administered one."""
    return ":".join(f"{b:02x}" for b in (0x02, *secrets.token_bytes(5)))


def message(kind: int, client: Client, options: dict[int, bytes], current: str = NOBODY) -> bytes:
    """A BOOTP request with DHCP options (RFC 2131), broadcast flag set."""
    addresses = IPv4Address(current).packed + bytes(12)
    head = struct.pack("!BBBBIHH", 1, 1, 6, 0, client.xid, 0, 0x8000) + addresses
    body = b"".join(bytes((code, len(value))) + value for code, value in {KIND: bytes((kind,)), **options}.items())
    hardware = bytes.fromhex(client.mac.replace(":", ""))
    return head + hardware + bytes(10 + 192) + COOKIE + body + b"\xff"


def frame(client: Client, payload: bytes) -> bytes:
    """The message in UDP, IPv4 and Ethernet, to everybody."""
    udp = struct.pack("!HHHH", 68, 67, 8 + len(payload), 0) + payload
    ends = IPv4Address(NOBODY).packed + IPv4Address(EVERYBODY).packed
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
    head = head[:10] + struct.pack("!H", _checksum(head + ends)) + ends
    return b"\xff" * 6 + bytes.fromhex(client.mac.replace(":", "")) + b"\x08\x00" + head + udp


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def answer(data: bytes) -> tuple[int, str, dict[int, bytes]] | None:
    """Transaction, address offered and options of a DHCP server's frame; None for anything else."""
    if len(data) < 42 or data[12:14] != b"\x08\x00" or data[23] != 17:
        return None
    start = 14 + (data[14] & 15) * 4
    if struct.unpack("!H", data[start + 2 : start + 4])[0] != 68:
        return None
    payload = data[start + 8 :]
    if len(payload) < 240 or payload[0] != 2 or payload[236:240] != COOKIE:
        return None
    options, at = {}, 240
    while at + 1 < len(payload) and payload[at] != 255:
        if payload[at] == 0:
            at += 1
            continue
        options[payload[at]] = payload[at + 2 : at + 2 + payload[at + 1]]
        at += 2 + payload[at + 1]
    return struct.unpack("!I", payload[4:8])[0], str(IPv4Address(payload[16:20])), options


class Crowd:
    """All clients on one socket."""

    def __init__(self, device: str, retry: float, want: str | None = None) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind((device, 0x0800))
        self._retry = retry
        self._want = want
        self._by_xid: dict[int, Client] = {}

    def run(self, clients: list[Client], at_once: int, patience: float) -> Iterator[Client]:
        """Yield each client when it is done, or has lost its patience."""
        waiting, busy = list(reversed(clients)), dict[str, Client]()
        while waiting or busy:
            now = time.monotonic()
            while waiting and len(busy) < at_once:
                client = waiting.pop()
                client.began, client.due = now, now
                busy[client.mac] = client
            for client in [c for c in busy.values() if c.due <= now]:
                if now - client.began >= patience:
                    yield busy.pop(client.mac)
                    continue
                self._discover(client, now)
            due = min((c.due for c in busy.values()), default=now)
            if select.select([self._socket], [], [], max(0.0, due - time.monotonic()))[0]:
                done = self._heard(time.monotonic())
                if done is not None and done.mac in busy:
                    del busy[done.mac]
                    yield done

    def release(self, client: Client) -> None:
        """Give the address back."""
        assert client.address and client.server
        client.xid = secrets.randbits(32)
        options = {SERVER: IPv4Address(client.server).packed}
        self._socket.send(frame(client, message(RELEASE, client, options, client.address)))

    def _discover(self, client: Client, now: float) -> None:
        self._by_xid.pop(client.xid, None)
        client.xid, client.offered, client.due = secrets.randbits(32), None, now + self._retry
        client.tries += 1
        self._by_xid[client.xid] = client
        options = {ASKED: bytes((MASK, ROUTER, DNS, DOMAIN, LEASE))}
        if self._want:
            options[ADDRESS] = IPv4Address(self._want).packed
        self._socket.send(frame(client, message(DISCOVER, client, options)))

    def _heard(self, now: float) -> Client | None:
        data, where = self._socket.recvfrom(4096)
        said = answer(data) if where[2] != socket.PACKET_OUTGOING else None
        client = self._by_xid.get(said[0]) if said else None
        if said is None or client is None:
            return None
        _, address, options = said
        kind = options.get(KIND, b"\0")[0]
        if kind == OFFER and client.offered is None:
            client.offered, client.due = address, now + self._retry
            asked = {ADDRESS: IPv4Address(address).packed, SERVER: options.get(SERVER, bytes(4))}
            asked[ASKED] = bytes((MASK, ROUTER, DNS, DOMAIN, LEASE))
            self._socket.send(frame(client, message(REQUEST, client, asked)))
        elif kind == NAK:
            client.due = now
        elif kind == ACK:
            del self._by_xid[client.xid]
            client.address, client.seconds = address, round(now - client.began, 4)
            client.server, client.router, client.dns = (_address(options.get(o)) for o in (SERVER, ROUTER, DNS))
            client.lease = int.from_bytes(options.get(LEASE, b""), "big")
            return client
        return None


def _address(value: bytes | None) -> str | None:
    return str(IPv4Address(value[:4])) if value and len(value) >= 4 else None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("device")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--patience", type=float, default=10.0)
    parser.add_argument("--retry", type=float, default=0.5)
    parser.add_argument("--macs", default="")
    parser.add_argument("--want")
    parser.add_argument("--release", action="store_true")
    given = parser.parse_args()
    macs = given.macs.split(",") if given.macs else [random_mac() for _ in range(given.clients)]
    crowd = Crowd(given.device, given.retry, given.want)
    for client in crowd.run([Client(mac) for mac in macs], given.at_once, given.patience):
        print(json.dumps(client.result), flush=True)
        if given.release and client.address:
            crowd.release(client)


if __name__ == "__main__":
    main()
