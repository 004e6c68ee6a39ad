"""Hostile adverts, as fast as asked for: `hostile.py DEVICE PER_SECOND`, run on a host of the segment.

Waits for one good advert of VHID 200 on the wire. Then sends, from its own MAC, what can be made of it without the
password: each field changed, cut short, padded, from afar, and the recording itself. Answers a line on standard input
with how many frames it has sent in how many seconds, how many in the poorest whole second, and the longest time between
two adverts of that sender that it heard, in ms.
"""

import contextlib
import json
import os
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator

SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
VHID, PROTOCOL = 200, 112
CARP = 34  # where an advert begins in its frame


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def mended(frame: bytes) -> bytes:
    message = frame[CARP : CARP + 6] + b"\0\0" + frame[CARP + 8 : CARP + 36]
    return frame[: CARP + 6] + struct.pack("!H", checksum(message)) + frame[CARP + 8 :]


def sealed(frame: bytes) -> bytes:
    """With an IP header whose own checksum fits: a switch may look at that."""
    header = frame[14:24] + b"\0\0" + frame[26:34]
    return frame[:24] + struct.pack("!H", checksum(header)) + frame[26:]


def cut(frame: bytes, length: int) -> bytes:
    return sealed(frame[:16] + struct.pack("!H", length - 14) + frame[18:length])


def is_advert(frame: bytes) -> bool:
    whole = len(frame) >= CARP + 36 and frame[12:14] == b"\x08\x00" and frame[23] == PROTOCOL
    return whole and frame[CARP + 1] == VHID and frame[CARP] == 0x21


def variants(good: bytes) -> list[bytes]:
    chance = random.Random(7)
    made = [cut(good, length) for length in (34, 35, 41, 50, 69)] + [good[:length] for length in (34, 50, 69)]
    made += [sealed(good[:22] + bytes((ttl,)) + good[23:]) for ttl in (254, 64, 1)]
    made += [good + bytes(1514 - len(good)), cut(good + chance.randbytes(1514 - len(good)), 1514)]
    for place in (CARP, CARP + 1, CARP + 3, CARP + 4, *range(CARP + 8, CARP + 36)):
        for value in (0, 255, chance.randrange(256)):
            changed = good[:place] + bytes((value,)) + good[place + 1 :]
            if changed[CARP + 8 :] == good[CARP + 8 :] and changed[CARP + 1] == VHID and changed[CARP] == 0x21:
                continue
            made += [changed, mended(changed)]
    made += [good] * 20
    return made


def frames(wire: socket.socket) -> Iterator[bytes]:
    """All that have arrived."""
    with contextlib.suppress(BlockingIOError):
        while True:
            yield wire.recv(2048)


def main(device: str, per_second: float) -> None:
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    wire.bind((device, 0x0003))
    wire.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    mine = wire.getsockname()[4]
    while not is_advert(good := wire.recv(2048)):
        pass
    source = good[26:30]
    ammunition = variants(good[:6] + mine + good[12:])
    gun = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    gun.bind((device, 0))
    wire.setblocking(False)
    # An enemy has a machine of its own; here it comes before everything but carpd.
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    print('"ready"', flush=True)
    sent, longest, last = 0, 0.0, time.monotonic()
    began = last
    by_second: list[int] = []
    while True:
        now = time.monotonic()
        if now - began >= len(by_second) + 1:
            by_second.append(sent - sum(by_second))
        while sent < (now - began) * per_second:
            gun.send(ammunition[sent % len(ammunition)])
            sent += 1
        for ready in select.select([wire, sys.stdin], [], [], 0.001)[0]:
            if ready is sys.stdin:
                if not sys.stdin.readline():
                    return
                longest = max(longest, now - last)
                told = {"sent": sent, "seconds": now - began, "poorest": min(by_second, default=0)}
                print(json.dumps(told | {"longest_ms": round(longest * 1e3)}), flush=True)
                return
            for frame in frames(wire):
                if is_advert(frame) and frame[26:30] == source:
                    longest, last = max(longest, now - last), now


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
