"""Which states stay here, decided twice: in the kernel, before an event costs anything, by a classic BPF program; and
in user space, for whatever that leaves.

The firewall's own: the real source or the real destination lies in one of the ignored networks. Multicast and
broadcast are never forwarded by a firewall, so they count as own. And those that a rule wants to keep on this node:
their mark has the bit `ctnetlink.NO_SYNC`.
"""

import ipaddress
import struct
from collections.abc import Iterable

from gemel.flows.ctnetlink import NEW, NO_SYNC

ALWAYS = ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::1/128", "fe80::/10", "ff00::/8")
REMEMBERED = 65536  # addresses
MOST_IN_KERNEL = 100  # networks; BPF jumps reach 255 instructions
_MARK = 8  # CTA_MARK

Instruction = tuple[int, int, int, int]
_LOAD, _LOAD_HALF, _LOAD_BYTE, _AND, _EQUAL, _RETURN = 0x20, 0x28, 0x30, 0x54, 0x15, 0x06
_A_IS, _X_IS, _X_IS_A, _LOAD_AT_X, _ANY_BIT = 0x00, 0x01, 0x07, 0x50, 0x45
_FIND_ATTRIBUTE = 0xFFFFF000 + 12  # SKF_AD_NLATTR: where, from A on, the attribute of type X is; 0 if nowhere
_KEEP, _DROP = 0xFFFFFFFF, 0


class Local(dict[bytes, bool]):
    """Address (4 or 16 bytes) -> whether it is the firewall's own; remembers what it has decided."""

    def __init__(self, ignore: Iterable[str]) -> None:
        super().__init__()
        networks = [ipaddress.ip_network(cidr, strict=False) for cidr in (*ALWAYS, *ignore)]
        self._masks = {version: [(int(n.netmask), int(n.network_address)) for n in networks if n.version == version]
                       for version in (4, 6)}

    def __missing__(self, address: bytes) -> bool:
        if len(self) >= REMEMBERED:
            self.clear()
        number = int.from_bytes(address, "big")
        mine = any(number & mask == network for mask, network in self._masks[4 if len(address) == 4 else 6])
        self[address] = mine
        return mine

    def program(self, port_id: int) -> list[Instruction]:
        """A BPF program for the event socket: drops what netlink port `port_id` (our own injections) caused, states
        that are marked to stay here, and IPv4 states of which an end is the firewall's own.

        Offsets are those of `flows.ctnetlink`: the address of the reply's source is found behind an original tuple of
        52 bytes (ports) or of 60 (echo); other messages are left to user space.
        """
        program: list[Instruction] = [
            (_LOAD, 0, 0, 12), (_EQUAL, 0, 1, _swapped(port_id)), (_RETURN, 0, 0, _DROP),
            (_LOAD_HALF, 0, 0, 4), (_AND, 0, 0, _swapped_half(0xFF00)),  # expectations are laid out in another way
            (_EQUAL, 1, 0, _swapped_half(NEW)), (_RETURN, 0, 0, _KEEP),
            (_A_IS, 0, 0, 20), (_X_IS, 0, 0, _MARK), (_LOAD, 0, 0, _FIND_ATTRIBUTE), (_EQUAL, 4, 0, 0),
            (_X_IS_A, 0, 0, 0), (_LOAD_AT_X, 0, 0, 4), (_ANY_BIT, 0, 1, NO_SYNC), (_RETURN, 0, 0, _DROP),
            (_LOAD_BYTE, 0, 0, 16), (_EQUAL, 1, 0, 2), (_RETURN, 0, 0, _KEEP),
        ]
        networks = self._masks[4][:MOST_IN_KERNEL]
        program += _tests(32, networks)
        for first, at in ((52, 84), (60, 92)):
            tests = _tests(at, networks)
            # Too far for one conditional jump: skip by a jump of its own.
            program += [(_LOAD_HALF, 0, 0, 20), (_EQUAL, 1, 0, _swapped_half(first)),
                        (0x05, 0, 0, len(tests) + 1), *tests, (_RETURN, 0, 0, _KEEP)]
        program.append((_RETURN, 0, 0, _KEEP))
        return program


def _tests(at: int, networks: list[tuple[int, int]]) -> list[Instruction]:
    tests: list[Instruction] = []
    for mask, network in networks:
        tests += [(_LOAD, 0, 0, at), (_AND, 0, 0, mask), (_EQUAL, 0, 1, network), (_RETURN, 0, 0, _DROP)]
    return tests


def _swapped_half(number: int) -> int:
    return int.from_bytes(struct.pack("=H", number), "big")


def _swapped(port_id: int) -> int:
    """BPF loads are big-endian; the port id in the header is not."""
    return int.from_bytes(struct.pack("=I", port_id), "big")
