"""Fields of the DHCP areas: address ranges, MAC addresses, options with their types."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from gemel.areas.fields import domain_name

_MAC = re.compile(r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")
_MAC_PREFIX = re.compile(r"^[0-9a-f]{2}(:[0-9a-f]{2}){0,5}$")
_NUMBER = re.compile(r"^-?[0-9]+$")

SERVERS_OWN = frozenset(
    {0, 1, 3, 6, 12, 15, 17, 28, 42, 44, 50, 51, 52, 53, 54, 55, 57, 58, 59, 61, 66, 67, 82, 90, 119, 255}
)
"""Options that have a field of their own here, or that the protocol needs for itself."""

Span = tuple[int, int]


def listed(value: Any) -> Any:
    """Texts that were entered with commas, spaces or one in a line."""
    return tuple(v for v in re.split(r"[,\s]+", value) if v) if isinstance(value, str) else value


def lines(value: Any) -> Any:
    """Texts that were entered one in a line."""
    return tuple(v.strip() for v in value.splitlines() if v.strip()) if isinstance(value, str) else value


def _search(value: Any) -> Any:
    return listed(value.replace(";", " ")) if isinstance(value, str) else value


def _domains(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(domain_name(v) for v in values if v))


DomainSearch = Annotated[tuple[str, ...], BeforeValidator(_search), AfterValidator(_domains)]
"""Domains, entered with semicolons, commas or spaces between."""


def _ipv4(value: str) -> str:
    if not value:
        return ""
    try:
        parsed = ip_address(value.strip())
    except ValueError:
        raise ValueError(f"{value!r} is no IP address") from None
    if parsed.version != 4:
        raise ValueError(f"{value} is IPv6: DHCP here is for IPv4")
    return str(parsed)


def _ipv4s(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_ipv4(v) for v in values if v))


def _ipv6(value: str) -> str:
    try:
        return str(IPv6Address(value))
    except ValueError:
        raise ValueError(f"{value!r} is no IPv6 address") from None


def _ipv6s(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_ipv6(v) for v in values if v))


def at_most(most: int, what: str) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    """A validator for the length of a list."""

    def check(values: tuple[str, ...]) -> tuple[str, ...]:
        if len(values) > most:
            raise ValueError(f"at most {most} {what}")
        return values

    return check


def _span_text(value: str) -> str:
    first, last = span(value)
    return f"{IPv4Address(first)}-{IPv4Address(last)}"


def span(text: str) -> Span:
    """First and last address of ``192.168.1.10-192.168.1.20``, as numbers.

    Raises:
        ValueError: it is no range.
    """
    first, dash, last = text.replace(" ", "").partition("-")
    try:
        ends = int(IPv4Address(first)), int(IPv4Address(last))
    except ValueError:
        dash = ""
    if not dash:
        raise ValueError(f"{text!r} is no range such as 192.168.1.150-192.168.1.200")
    if ends[0] > ends[1]:
        raise ValueError(f"{text} ends before it begins")
    return ends


def _mac(value: str) -> str:
    if not value:
        return ""
    text = value.strip().lower().replace("-", ":")
    if re.fullmatch(r"([0-9a-f]{4}\.){2}[0-9a-f]{4}", text):
        digits = text.replace(".", "")
        text = ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    if not _MAC.match(text):
        raise ValueError(f"{value!r} is no MAC address such as 00:1b:44:11:3a:b7")
    if int(text[:2], 16) & 1:
        raise ValueError(f"{value} is a group's address: no card has it")
    return text


def _mac_prefixes(values: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(v.strip().lower().replace("-", ":") for v in values))
    for value in found:
        if not _MAC_PREFIX.match(value):
            raise ValueError(f"{value!r} is neither a MAC address nor the beginning of one, such as 00:1b:44")
    return found


def _client_id(value: str) -> str:
    if not value:
        return ""
    if any(ord(c) < 32 for c in value) or len(value.encode()) > 255:
        raise ValueError("must be text, or hexadecimal pairs with colons")
    return value.strip()


@dataclass(frozen=True, slots=True)
class DhcpOption:
    """A numbered option: what goes over the wire."""

    number: int
    data: bytes


def option(text: str) -> DhcpOption:
    """``NUMBER TYPE VALUE``: ``252 text http://proxy/wpad.dat``, ``150 ip 192.168.1.9, 192.168.1.10``.

    Raises:
        ValueError: it is none, or the value is not of that type.
    """
    parts = text.split(None, 2)
    if len(parts) != 3 or not parts[0].isdigit():
        raise ValueError(f"{text!r} is no option: number, type and value, for example 252 text http://proxy/wpad.dat")
    number, kind, value = int(parts[0]), parts[1].lower(), parts[2].strip().strip('"')
    if not 1 <= number <= 254:
        raise ValueError(f"option {number}: the number is 1 to 254")
    if number in SERVERS_OWN:
        raise ValueError(f"option {number} has a field of its own, or belongs to the protocol")
    if kind not in _ENCODERS:
        raise ValueError(f"option {number}: type {parts[1]!r} is none of {', '.join(_ENCODERS)}")
    try:
        data = _ENCODERS[kind](value)
    except (ValueError, OverflowError):
        raise ValueError(f"option {number}: {value!r} is no value of type {kind}") from None
    if not 1 <= len(data) <= 255:
        raise ValueError(f"option {number}: 1 to 255 bytes fit into an option")
    return DhcpOption(number, data)


def _whole(size: int, signed: bool = False) -> Callable[[str], bytes]:
    def encode(value: str) -> bytes:
        if not _NUMBER.match(value):
            raise ValueError(value)
        return int(value).to_bytes(size, "big", signed=signed)

    return encode


def _truth(value: str) -> bytes:
    return bytes(({"true": 1, "false": 0, "yes": 1, "no": 0, "1": 1, "0": 0}[value.lower()],)) if value.lower() in (
        "true", "false", "yes", "no", "1", "0") else _fail(value)  # fmt: skip


def _fail(value: str) -> bytes:
    raise ValueError(value)


_ENCODERS: dict[str, Callable[[str], bytes]] = {
    "text": lambda v: v.encode(),
    "hex": lambda v: bytes.fromhex(v.replace(":", "")),
    "boolean": _truth,
    "uint8": _whole(1),
    "uint16": _whole(2),
    "uint32": _whole(4),
    "int8": _whole(1, signed=True),
    "int16": _whole(2, signed=True),
    "int32": _whole(4, signed=True),
    "ip": lambda v: b"".join(IPv4Address(a).packed for a in listed(v)),
}


def _options(values: tuple[str, ...]) -> tuple[str, ...]:
    numbers = [option(v).number for v in values]
    for number in numbers:
        if numbers.count(number) > 1:
            raise ValueError(f"option {number} is given twice")
    return tuple(" ".join(v.split(None, 2)) for v in values)


OptionalIpv4 = Annotated[str, AfterValidator(_ipv4)]
Ipv4s = Annotated[tuple[str, ...], BeforeValidator(listed), AfterValidator(_ipv4s)]
OptionalIpv6 = Annotated[str, AfterValidator(lambda v: _ipv6(v.strip()) if v else "")]
Ipv6s = Annotated[tuple[str, ...], BeforeValidator(listed), AfterValidator(_ipv6s)]
Spans = Annotated[
    tuple[str, ...], BeforeValidator(lines), AfterValidator(lambda values: tuple(_span_text(v) for v in values))
]
Mac = Annotated[str, AfterValidator(_mac)]
MacPrefixes = Annotated[tuple[str, ...], BeforeValidator(listed), AfterValidator(_mac_prefixes)]
ClientId = Annotated[str, AfterValidator(_client_id)]
Options = Annotated[tuple[str, ...], BeforeValidator(lines), AfterValidator(_options)]
