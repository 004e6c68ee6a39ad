"""One echo request at a time (ICMP, RFC 792; ICMPv6, RFC 4443), for watching gateways gently."""

import os
import secrets
import socket
import struct
import time
from ipaddress import ip_address

_ECHO = struct.Struct("!BBHHH")


def ping(address: str, device: str, timeout: float = 1.0) -> float | None:
    """The round trip in milliseconds; None if no answer came within `timeout` seconds.

    Goes out of `device`, whatever the routes say.
    """
    parsed = ip_address(address)
    old = parsed.version == 4
    family, protocol = (socket.AF_INET, socket.IPPROTO_ICMP) if old else (socket.AF_INET6, socket.IPPROTO_ICMPV6)
    asked, answered = (8, 0) if old else (128, 129)
    identifier, mark = os.getpid() & 0xFFFF, secrets.token_bytes(16)
    try:
        with socket.socket(family, socket.SOCK_RAW, protocol) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
            began = time.monotonic()
            s.sendto(_echo(asked, identifier, mark, old), (str(parsed), 0))
            while (left := began + timeout - time.monotonic()) > 0:
                s.settimeout(left)
                packet, _ = s.recvfrom(2048)
                took = (time.monotonic() - began) * 1000
                start = (packet[0] & 15) * 4 if old else 0
                if packet[start : start + 1] == bytes((answered,)) and packet.endswith(mark):
                    return round(took, 3)
    except OSError:
        return None
    return None


def _echo(kind: int, identifier: int, mark: bytes, checked: bool) -> bytes:
    """The kernel fills in ICMPv6's checksum itself."""
    packet = _ECHO.pack(kind, 0, 0, identifier, 1) + mark
    if not checked:
        return packet
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return _ECHO.pack(kind, 0, ~(total + (total >> 16)) & 0xFFFF, identifier, 1) + mark
