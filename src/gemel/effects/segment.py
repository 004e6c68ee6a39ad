"""Looks at a segment, from a thread that may wait: who speaks CARP or VRRP there, and does it deliver a virtual MAC?"""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterable
from pathlib import Path

from gemel.carp.scan import Sighting, sighting
from gemel.carp.wire import GROUP6, virtual_mac
from gemel.effects.packet import CarpPort, Membership, NeighbourPort

_ARP = struct.Struct("!HHBBH6s4s6s4s")
_EVERYBODY = b"\xff" * 6
TRIES, WAIT = 3, 0.4  # questions, and seconds for the answers to each


def scan(devices: Iterable[str], seconds: float) -> dict[str, list[tuple[Sighting, bytes]]]:
    """Listen on these devices for so long; what others said there, by device, each with the packet that said so.

    Raises:
        OSError: a device is not there, or is down.
    """
    with contextlib.ExitStack() as undo:
        ports = []
        for device in devices:
            port = CarpPort(device)
            undo.callback(port.close)
            undo.callback(Membership(device, (), (GROUP6,)).close)
            ports.append(port)
        found: dict[str, dict[Sighting, bytes]] = {port.device: {} for port in ports}
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for port in select.select(ports, [], [], left)[0]:
                while (packet := port.receive()) is not None:
                    if (seen := sighting(packet)) is not None:
                        found[port.device][seen] = packet
        return {device: sorted(seen.items()) for device, seen in found.items()}


def neighbours(device: str) -> list[str]:
    """IPv4 addresses that this machine has lately spoken with on the device."""
    lines = Path("/proc/net/arp").read_text().splitlines()[1:]
    entries = (line.split() for line in lines)
    return [e[0] for e in entries if len(e) >= 6 and e[5] == device and e[3] != "00:00:00:00:00:00"]


def answers(device: str, vhid: int | None, addresses: Iterable[str]) -> list[str]:
    """Who answers an ARP probe (RFC 5227: it teaches nobody anything) that is sent from the virtual MAC of `vhid`, so
    that the answer goes there too; None: from the device's own MAC.

    Raises:
        OSError: the device is not there, or is down.
    """
    wanted = {socket.inet_aton(address) for address in addresses}
    found: set[bytes] = set()
    with contextlib.ExitStack() as undo:
        port = NeighbourPort(device)
        undo.callback(port.close)
        mac = port.mac if vhid is None else virtual_mac(vhid)
        if vhid is not None:
            undo.callback(Membership(device, (mac,)).close)
        for _ in range(TRIES):
            for address in wanted - found:
                probe = _ARP.pack(1, 0x800, 6, 4, 1, mac, bytes(4), bytes(6), address)
                port.send(_EVERYBODY + mac + b"\x08\x06" + probe)
            until = time.monotonic() + WAIT
            while wanted - found and (left := until - time.monotonic()) > 0:
                if select.select([port], [], [], left)[0]:
                    found |= _answered(port, mac) & wanted
    return [socket.inet_ntoa(address) for address in sorted(found)]


def _answered(port: NeighbourPort, mac: bytes) -> set[bytes]:
    found = set()
    while (frame := port.receive()) is not None:
        if len(frame) >= 42 and frame[:6] == mac and frame[20:22] == b"\x00\x02":
            found.add(frame[28:32])
    return found
