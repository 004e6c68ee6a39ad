"""Is somebody there? Echo requests (ICMP, RFC 792; ICMPv6, RFC 4443) to all at once, and ARP to those who do not answer
them: many a gateway is told to ignore pings.
"""

import contextlib
import os
import secrets
import select
import socket
import struct
import time
from collections.abc import Iterable
from ipaddress import ip_address

from gemel.effects.packet import NeighbourPort

_ECHO = struct.Struct("!BBHHH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_EVERYBODY = b"\xff" * 6
_HEAD_START = 0.6  # share of the time that an echo has before ARP is tried

Target = tuple[str, str]
"""An address, and the device out of which it is asked, whatever the routes say."""


def ping(targets: Iterable[Target], timeout: float = 0.9) -> dict[Target, float | None]:
    """The round trip to each in milliseconds, within `timeout` seconds; None for those who did not answer."""
    asked: dict[int, _Echo] = {}
    found: dict[Target, float | None] = {}
    with contextlib.ExitStack() as undo:
        for target in targets:
            found[target] = None
            with contextlib.suppress(OSError):
                echo = _Echo(*target)
                undo.callback(echo.socket.close)
                echo.send()
                asked[echo.socket.fileno()] = echo
        until = time.monotonic() + timeout * _HEAD_START
        while asked and (left := until - time.monotonic()) > 0:
            for one in select.select(list(asked), [], [], left)[0]:
                if (took := asked[one].read()) is not None:
                    found[asked.pop(one).target] = took
    silent = [target for target, took in found.items() if took is None and ":" not in target[0]]
    return found | _by_arp(silent, timeout * (1 - _HEAD_START)) if silent else found


class _Echo:
    """One request and its answer."""

    def __init__(self, address: str, device: str) -> None:
        self.target = address, device
        self._address = str(ip_address(address))
        self._old = ":" not in address
        family, protocol = (
            (socket.AF_INET, socket.IPPROTO_ICMP) if self._old else (socket.AF_INET6, socket.IPPROTO_ICMPV6)
        )
        self._mark = secrets.token_bytes(16)
        self._began = 0.0
        self.socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
        except OSError:
            self.socket.close()
            raise

    def send(self) -> None:
        """Ask.

        Raises:
            OSError: there is no way there.
        """
        self._began = time.monotonic()
        request = _request(8 if self._old else 128, os.getpid() & 0xFFFF, self._mark, self._old)
        self.socket.sendto(request, (self._address, 0))

    def read(self) -> float | None:
        """The round trip, if what has arrived is the answer."""
        try:
            packet = self.socket.recv(2048)
        except OSError:
            return None
        start = (packet[0] & 15) * 4 if self._old else 0
        kind = bytes((0 if self._old else 129,))
        if packet[start : start + 1] != kind or not packet.endswith(self._mark):
            return None
        return round((time.monotonic() - self._began) * 1000, 3)


def _request(kind: int, identifier: int, mark: bytes, checked: bool) -> bytes:
    """The kernel fills in ICMPv6's checksum itself."""
    packet = _ECHO.pack(kind, 0, 0, identifier, 1) + mark
    if not checked:
        return packet
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return _ECHO.pack(kind, 0, ~(total + (total >> 16)) & 0xFFFF, identifier, 1) + mark


def _by_arp(targets: list[Target], timeout: float) -> dict[Target, float | None]:
    """Who answers an ARP probe (RFC 5227: it teaches nobody anything). One who is not on the link cannot."""
    found: dict[Target, float | None] = {}
    with contextlib.ExitStack() as undo:
        ports: dict[str, NeighbourPort] = {}
        began = time.monotonic()
        for address, device in targets:
            with contextlib.suppress(OSError):
                if device not in ports:
                    ports[device] = NeighbourPort(device)
                    undo.callback(ports[device].close)
                mac = ports[device].mac
                probe = _ARP.pack(1, 0x800, 6, 4, 1, mac, bytes(4), bytes(6), socket.inet_aton(address))
                ports[device].send(_EVERYBODY + mac + b"\x08\x06" + probe)
        while ports and len(found) < len(targets) and (left := began + timeout - time.monotonic()) > 0:
            for port in select.select(list(ports.values()), [], [], left)[0]:
                while (frame := port.receive()) is not None:
                    if len(frame) >= 42 and frame[:6] == port.mac and frame[20:22] == b"\x00\x02":
                        target = socket.inet_ntoa(frame[28:32]), port.device
                        found[target] = round((time.monotonic() - began) * 1000, 3)
    return {target: found[target] for target in targets if target in found}
