"""Many DHCPv6 clients on one network card, each with a DUID of its own: run on a host of the lab, by itself.

    python3 dhcp6_clients.py eth0 --clients 20          a JSON line for each, with what it got and how long it took
    python3 dhcp6_clients.py eth0 --renew JSON-LINE     the same client again, with RENEW to the server it knows

Imports the standard library only. RFC 8415; a client asks again each half second.
"""

import argparse
import json
import secrets
import socket
import struct
import time
from collections.abc import Iterator
from ipaddress import IPv6Address

SOLICIT, ADVERTISE, REQUEST, RENEW, REPLY = 1, 2, 3, 5, 7
CLIENT_ID, SERVER_ID, IA_NA, IA_ADDRESS, ASKED, STATUS = 1, 2, 3, 5, 6, 13
DNS, SEARCH = 23, 24
GROUP, SERVER_PORT, CLIENT_PORT = "ff02::1:2", 547, 546
RETRY = 0.5

Options = dict[int, bytes]


def option(number: int, data: bytes) -> bytes:
    return struct.pack("!HH", number, len(data)) + data


def options(data: bytes) -> Options:
    """Number -> content; of several with one number the last."""
    found: Options = {}
    while len(data) >= 4:
        number, length = struct.unpack_from("!HH", data)
        found[number], data = data[4 : 4 + length], data[4 + length :]
    return found


class Client:
    """One host: asks until it has an address, or loses its patience."""

    def __init__(self, device: str, duid: bytes) -> None:
        self.duid, self.server, self.address, self.dns = duid, b"", "", ""
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        self._socket.bind(("::", CLIENT_PORT))
        self._to = (GROUP, SERVER_PORT, 0, socket.if_nametoindex(device))

    def get(self, patience: float) -> bool:
        """Solicit, then request what was offered."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            offer = self._ask(SOLICIT, ADVERTISE, self._identity(b""), RETRY)
            if offer and self._take(offer) and self._request(REQUEST, RETRY):
                return True
        return False

    def renew(self, patience: float) -> bool:
        """Ask the server that it knows for the same address again."""
        deadline = time.monotonic() + patience
        return any(self._request(RENEW, RETRY) for _ in iter(lambda: time.monotonic() < deadline, False))

    def _request(self, kind: int, patience: float) -> bool:
        held = option(IA_ADDRESS, IPv6Address(self.address).packed + bytes(8))
        answer = self._ask(kind, REPLY, self._identity(held) + option(SERVER_ID, self.server), patience)
        before = self.address
        return bool(answer) and self._take(answer or {}) and self.address == before

    def _identity(self, held: bytes) -> bytes:
        asked = option(ASKED, struct.pack("!HH", DNS, SEARCH)) + option(8, bytes(2))
        return option(CLIENT_ID, self.duid) + asked + option(IA_NA, struct.pack("!III", 1, 0, 0) + held)

    def _ask(self, kind: int, wanted: int, body: bytes, patience: float) -> Options | None:
        xid = secrets.token_bytes(3)
        self._socket.sendto(bytes((kind,)) + xid + body, self._to)
        deadline = time.monotonic() + patience
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                said = self._socket.recv(4096)
            except TimeoutError:
                return None
            if said[0] == wanted and said[1:4] == xid:
                return options(said[4:])
        return None

    def _take(self, answer: Options) -> bool:
        held = options(answer.get(IA_NA, b"")[12:])
        given = held.get(IA_ADDRESS, b"")
        if len(given) < 24 or struct.unpack_from("!I", given, 20)[0] == 0:
            return False
        self.address, self.server = str(IPv6Address(given[:16])), answer[SERVER_ID]
        dns = answer.get(DNS, b"")
        self.dns = str(IPv6Address(dns[:16])) if len(dns) >= 16 else ""
        return True


def random_duid() -> bytes:
    return b"\0\x03\0\x01\x02" + secrets.token_bytes(5)


def crowd(device: str, duids: list[bytes], patience: float) -> Iterator[dict[str, object]]:
    for duid in duids:
        client, began = Client(device, duid), time.monotonic()
        client.get(patience)
        yield {
            "duid": client.duid.hex(":"), "address": client.address, "server": client.server.hex(":"),
            "dns": client.dns, "seconds": round(time.monotonic() - began, 4),
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("device")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--duid", type=lambda text: bytes.fromhex(text.replace(":", "")))
    parser.add_argument("--patience", type=float, default=10.0)
    parser.add_argument("--renew", type=json.loads, default=None)
    given = parser.parse_args()
    if given.renew:
        client = Client(given.device, bytes.fromhex(given.renew["duid"].replace(":", "")))
        client.address, client.server = given.renew["address"], bytes.fromhex(given.renew["server"].replace(":", ""))
        print(json.dumps({"renewed": client.renew(given.patience)}))
        return
    duids = [given.duid] if given.duid else [random_duid() for _ in range(given.clients)]
    for one in crowd(given.device, duids, given.patience):
        print(json.dumps(one), flush=True)


if __name__ == "__main__":
    main()
