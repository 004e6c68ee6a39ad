"""What the firewall logged: one packet, read from the first bytes that the kernel copies."""

import struct
from dataclasses import dataclass
from ipaddress import ip_address

PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 47: "gre", 58: "icmpv6", 112: "carp", 240: "pfsync"}
FLAGS = "FSRPAUEC"


@dataclass(frozen=True, slots=True)
class Logged:
    """`at` is seconds since the epoch, `interface` the device that it came in by; `rule` the rule's id or a built-in
    name (``default``); `source` and `destination` with port where there is one; `flags` those of TCP (``S``, ``SA``).
    """

    at: float
    action: str
    rule: str
    interface: str
    protocol: str
    source: str
    destination: str
    flags: str = ""


def logged(at: float, prefix: str, interface: str, packet: bytes) -> Logged | None:
    """Read a packet that begins with its IP header; None if it is too short to say anything.

    `prefix` is the log statement's: ``gemel:ACTION:RULE``.
    """
    _, _, rest = prefix.partition(":")
    action, _, rule = rest.partition(":")
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        protocol, start = packet[9], (packet[0] & 15) * 4
        ends = packet[12:16], packet[16:20]
        first = not struct.unpack_from("!H", packet, 6)[0] & 0x1FFF
    elif len(packet) >= 40 and packet[0] >> 4 == 6:
        protocol, start, first = packet[6], 40, True
        ends = packet[8:24], packet[24:40]
    else:
        return None
    ports: tuple[int, int] | tuple[()] = ()
    if protocol in (6, 17) and first and len(packet) >= start + 4:
        ports = struct.unpack_from("!HH", packet, start)
    source, destination = (_end(address, ports[i] if ports else None) for i, address in enumerate(ends))
    flags = ""
    if protocol == 6 and ports and len(packet) > start + 13:
        flags = "".join(letter for bit, letter in enumerate(FLAGS) if packet[start + 13] >> bit & 1)
    return Logged(at, action, rule, interface, PROTOCOLS.get(protocol, str(protocol)), source, destination, flags)


def _end(address: bytes, port: int | None) -> str:
    text = str(ip_address(address))
    if port is None:
        return text
    return f"[{text}]:{port}" if len(address) == 16 else f"{text}:{port}"
