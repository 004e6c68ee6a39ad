"""One DNS query, again and again until it is answered: `dns_query.py SERVER NAME [PATIENCE]`.

Prints one JSON object: addresses (a list, null without an answer), seconds, code (of the answer).
"""

import json
import secrets
import socket
import struct
import sys
import time

EVERY = 0.1  # seconds


def question(name: str, number: int) -> bytes:
    """A query for an A record, recursion desired (RFC 1035)."""
    labels = b"".join(bytes((len(part),)) + part.encode() for part in name.rstrip(".").split("."))
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)


def addresses(data: bytes, asked: int) -> list[str]:
    """The A records of an answer to a question of `asked` bytes."""
    found, at = [], asked
    for _ in range(struct.unpack("!H", data[6:8])[0]):
        while data[at] & 0xC0 != 0xC0 and data[at]:
            at += data[at] + 1
        at += 2 if data[at] & 0xC0 == 0xC0 else 1
        kind, _, _, length = struct.unpack("!HHIH", data[at : at + 10])
        if kind == 1:
            found.append(socket.inet_ntoa(data[at + 10 : at + 14]))
        at += 10 + length
    return found


def main() -> None:
    server, name, patience = sys.argv[1], sys.argv[2], float((*sys.argv[3:], "5")[0])
    began = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(EVERY)
        while time.monotonic() - began < patience:
            asked = question(name, secrets.randbits(16))
            try:
                s.sendto(asked, (server, 53))
                while (data := s.recv(4096))[:2] != asked[:2]:
                    pass
            except OSError:
                continue
            took = round(time.monotonic() - began, 3)
            code = data[3] & 15
            print(json.dumps({"addresses": addresses(data, len(asked)), "seconds": took, "code": code}))
            return
    print(json.dumps({"addresses": None, "seconds": patience, "code": None}))


if __name__ == "__main__":
    main()
