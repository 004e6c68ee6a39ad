#!/usr/bin/env python3
"""Adverts changed at random against CARP's core, for as long as wanted: nothing may move, nothing may be raised.

    .venv/bin/python scripts/bench.d/fuzz_carp.py [SECONDS] [SEED]        default 30 seconds, a new seed each time

Half of the packets have a checksum that fits, so that they get as far as the digest. Prints how many were refused for
which cause. Needs no root.
"""

import random
import sys
import time
from collections import Counter

from gemel.carp import wire
from gemel.carp.events import Heard, LinkChanged, Report, Started, State, TimePassed
from gemel.carp.node import Node
from gemel.carp.settings import Settings, Vhid

ONE = Vhid("wan", "wan", 7, 1, 0, "secret", ("10.0.0.100", "2001:db8::100"), "10.0.0.1")


def node(state: State) -> tuple[Node, float]:
    made = Node(Settings((ONE,), preempt=False), 1000.0, 77)
    made.handle(Started(), 1000.0)
    made.handle(LinkChanged("wan", True, b"\2\0\0\0\0\1"), 1000.0)
    if state is State.MASTER:
        made.handle(TimePassed(), made.deadline())
    return made, made.deadline() - 0.5


def changed(good: bytes, chance: random.Random) -> bytes:
    packet = bytearray(good)
    for _ in range(chance.randint(1, 8)):
        match chance.randrange(4):
            case 0:
                packet[chance.randrange(len(packet))] = chance.randrange(256)
            case 1:
                del packet[chance.randint(1, len(packet)) :]
            case 2:
                packet += chance.randbytes(chance.randrange(64))
            case 3:
                packet[chance.randrange(len(packet))] ^= 1 << chance.randrange(8)
    if chance.random() < 0.5 and len(packet) >= len(good):
        start = len(good) - 36
        message = bytes(packet[start : start + 6]) + b"\0\0" + bytes(packet[start + 8 : start + 36])
        packet[start + 6 : start + 8] = wire.checksum(message).to_bytes(2, "big")
    return bytes(packet)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
    chance, causes, tried = random.Random(seed), Counter[str](), 0
    digest = wire.Seal(ONE.password, 7, ONE.addresses).digest(5)
    heads = [wire.advert_head(source, bytes(6))[14:] for source in ("10.0.0.9", "fe80::9")]
    goods = [head + wire.encode(7, 1, 200, 5, digest) for head in heads]
    nodes = {state: node(state) for state in (State.BACKUP, State.MASTER)}
    print(f"seed {seed}", flush=True)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for _ in range(500):
            good = chance.choice(goods)
            packet = changed(good, chance)
            state = chance.choice(list(nodes))
            one, now = nodes[state]
            before = one.ledger.counters["adverts accepted"]
            actions = one.handle(Heard("wan", (packet,)), now)
            tried += 1
            if one.ledger.counters["adverts accepted"] != before:
                # Then all that the digest covers is as it was: what was changed is what nobody vouches for.
                assert digest in packet, packet.hex()
                if any(isinstance(a, Report) for a in actions):
                    causes.update(one.ledger.counters)
                    nodes[state] = node(state)
            else:
                assert not any(isinstance(a, Report) for a in actions), packet.hex()
    for one, _ in nodes.values():
        causes.update(one.ledger.counters)
    print(f"{tried} packets in {seconds:.0f} s; no one moved without a digest that fits")
    for cause, number in causes.most_common():
        print(f"  {number:9} {cause}")


if __name__ == "__main__":
    main()
