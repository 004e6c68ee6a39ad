"""Ping and packet capture: what can be asked for, as the arguments of the programs that do it.

Every word that a person may choose is checked here, and none of it ever passes a shell.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from gemel.core.problem import Invalid, Problem

MOST_PINGS = 100
LONGEST_CAPTURE = 600  # seconds
MOST_PACKETS = 100_000
MOST_BYTES = 16 << 20  # of one capture's file
MOST_SNAP = 65_535  # bytes of each packet

FAMILIES = ("any", "ipv4", "ipv6")
PROTOCOLS = {
    "any": (), "icmp": ("(icmp or icmp6)",), "tcp": ("tcp",), "udp": ("udp",), "arp": ("arp",), "carp": ("proto 112",),
    "pfsync": ("(proto 240 or port 3240)",), "esp": ("esp",), "ah": ("ah",),
}  # fmt: skip
"""Protocol -> its expression (pcap-filter(7)); CARP has VRRP's number, *pfsync* is what it means in a rule."""
WITH_PORTS = ("any", "tcp", "udp")

_NAME = re.compile(r"^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?$")  # fmt: skip # noqa: E501
_MAC = re.compile(r"^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$")


@dataclass(frozen=True, slots=True)
class Source:
    """Where something can be sent from, or listened on: an interface (its id) or a virtual IP (``vip:ID``).

    `addresses` are this node's own there, without masks. `absent` says why they cannot be used now (empty: they can).
    """

    key: str
    title: str
    device: str
    addresses: tuple[str, ...]
    absent: str = ""


def sources(
    interfaces: Iterable[Mapping[str, Any]], vips: Iterable[Mapping[str, Any]], here: Iterable[str]
) -> tuple[Source, ...]:
    """What can be a source: the enabled interfaces (id, title, device, addresses), then the virtual IPs (id, interface
    id, address, description), of which those `here` (addresses that the machine has now) can be spoken from.
    """
    there = set(here)
    found = [Source(i["id"], i["title"], i["device"], tuple(i["addresses"])) for i in interfaces if i["enabled"]]
    devices = {s.key: s.device for s in found}
    for vip in vips:
        if vip["interface"] in devices:
            title = f"{vip['address']} ({vip['description']})" if vip["description"] else vip["address"]
            absent = "" if vip["address"] in there else f"{vip['address']} is not on this node now: the peer has it"
            found.append(Source(f"vip:{vip['id']}", title, devices[vip["interface"]], (vip["address"],), absent))
    return tuple(found)


def chosen(known: Sequence[Source], said: str, path: str) -> Source:
    """The source that is meant by its key, title or address.

    Raises:
        Invalid: there is none.
    """
    for source in known:
        if said.lower() in (source.key.lower(), source.title.lower(), *source.addresses):
            return source
    titles = ", ".join(s.title for s in known) or "none"
    raise Invalid([Problem(path, f"there is no interface or virtual IP {said!r}; there are {titles}")])


@dataclass(frozen=True, slots=True)
class Echo:
    """`count` echo requests, one a second, to a host by address or name. `source` empty: the route decides."""

    host: str
    source: str = ""
    family: str = "any"
    count: int = 3


def ping_command(echo: Echo, known: Sequence[Source]) -> tuple[str, ...]:
    """The command.

    Raises:
        Invalid: something of it means nothing, each at its field.
    """
    problems = []
    family = _family(echo.host) or echo.family
    if not echo.host:
        problems.append(Problem("host", "enter an address or a name"))
    elif _family(echo.host) is None and not _NAME.match(echo.host):
        problems.append(Problem("host", f"{echo.host!r} is no address and no host name"))
    if echo.family not in FAMILIES:
        problems.append(Problem("family", f"one of {', '.join(FAMILIES)}"))
    elif _family(echo.host) not in (None, echo.family) and echo.family != "any":
        problems.append(Problem("family", f"{echo.host} is no {_words(echo.family)} address"))
    problems += _within("count", echo.count, 1, MOST_PINGS)
    if problems:
        raise Invalid(problems)
    flags = {"ipv4": ("-4",), "ipv6": ("-6",)}.get(family, ())
    # -O: say at once when an answer is missing; -w: an end, whatever happens
    command = ("ping", "-O", *flags, "-c", str(echo.count), "-W", "2", "-w", str(echo.count + 5))
    if not echo.source:
        return (*command, "--", echo.host)
    source = chosen(known, echo.source, "source")
    if source.absent:
        raise Invalid([Problem("source", source.absent)])
    fitting = [a for a in source.addresses if family in ("any", _family(a))]
    if not fitting:
        raise Invalid([Problem("source", f"{source.title} has no {_words(family)} address")])
    flags = flags or (("-4",) if _family(fitting[0]) == "ipv4" else ("-6",))
    return (*command, *(f for f in flags if f not in command), "-I", fitting[0], "--", echo.host)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which packets of an interface, and when it is enough. `host` is an address, a network or a MAC; empty: any.

    `snap` is how many bytes of each packet are kept, 0: all. `seconds` 1..600, `packets` 1..100,000.
    """

    interface: str
    family: str = "any"
    protocol: str = "any"
    host: str = ""
    port: str = ""
    packets: int = 1000
    seconds: int = 60
    snap: int = 0
    promiscuous: bool = False


def capture_command(wanted: Wanted, known: Sequence[Source]) -> tuple[str, ...]:
    """The command; it writes a pcap file to its standard output.

    Raises:
        Invalid: something of it means nothing, each at its field.
    """
    problems = [
        *_within("packets", wanted.packets, 1, MOST_PACKETS),
        *_within("seconds", wanted.seconds, 1, LONGEST_CAPTURE),
        *_within("snap", wanted.snap, 0, MOST_SNAP),
    ]
    try:
        expression = capture_filter(wanted)
    except Invalid as error:
        problems += error.problems
    if problems:
        raise Invalid(problems)
    device = chosen(known, wanted.interface, "interface").device
    quiet = () if wanted.promiscuous else ("-p",)
    bounds = ("-c", str(wanted.packets), "-s", str(wanted.snap))
    return ("tcpdump", "-i", device, "-n", "-U", *quiet, *bounds, "-w", "-", "--", *expression)


DECODE_COMMAND = ("tcpdump", "-r", "-", "-n", "-l", "-tttt", "-T", "carp")
"""Shows a pcap file from its standard input, packet by packet."""


def capture_filter(wanted: Wanted) -> tuple[str, ...]:
    """The words of a pcap-filter(7) expression; none: every packet.

    Raises:
        Invalid: a field means nothing, or two do not go together.
    """
    problems, parts = [], []
    if wanted.family not in FAMILIES:
        problems.append(Problem("family", f"one of {', '.join(FAMILIES)}"))
    elif wanted.family != "any":
        parts.append("ip" if wanted.family == "ipv4" else "ip6")
    if wanted.protocol not in PROTOCOLS:
        problems.append(Problem("protocol", f"one of {', '.join(PROTOCOLS)}"))
    else:
        parts += PROTOCOLS[wanted.protocol]
    if wanted.host:
        where = _host_expression(wanted.host)
        parts.append(where)
        if not where:
            problems.append(Problem("host", f"{wanted.host!r} is no address, network or MAC address"))
    if wanted.port:
        parts.append(_port_expression(wanted.port))
        if not parts[-1]:
            problems.append(Problem("port", f"{wanted.port!r} is no port (1 to 65535) and no range such as 80-90"))
        elif wanted.protocol not in WITH_PORTS:
            problems.append(Problem("port", f"{wanted.protocol} has no ports"))
    if problems:
        raise Invalid(problems)
    return tuple(" and ".join(parts).split())


def _host_expression(text: str) -> str:
    if _MAC.match(text):
        return f"ether host {text.lower()}"
    try:
        return f"net {ip_network(text, strict=False)}" if "/" in text else f"host {ip_address(text)}"
    except ValueError:
        return ""


def _port_expression(text: str) -> str:
    ends = text.split("-") if text.isascii() else []
    if not 1 <= len(ends) <= 2 or not all(e.isdigit() and len(e) < 6 and 0 < int(e) <= 65535 for e in ends):
        return ""
    return f"port {int(ends[0])}" if len(ends) == 1 else f"portrange {int(ends[0])}-{int(ends[1])}"


def _family(text: str) -> str | None:
    """ipv4 or ipv6, None for what is no address."""
    try:
        return "ipv4" if ip_address(text).version == 4 else "ipv6"
    except ValueError:
        return None


def _words(family: str) -> str:
    return {"ipv4": "IPv4", "ipv6": "IPv6"}.get(family, "IP")


def _within(path: str, value: int, least: int, most: int) -> Iterable[Problem]:
    if not least <= value <= most:
        yield Problem(path, f"{least} to {most:,}")
