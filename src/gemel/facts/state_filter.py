"""Which states somebody means: by words, protocol, address, port, and the node on which they began."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from gemel.facts.fact import FILTER, Option, Options, Unreadable, matches
from gemel.flows.attributes import Malformed, table
from gemel.flows.ctnetlink import key_of

PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 33: "dccp", 47: "gre", 58: "icmpv6", 112: "carp", 132: "sctp"}
AT_ONCE = 2000  # keys of which the creators are asked together

Creators = Callable[[Sequence[bytes]], Sequence[str]]
"""Keys -> host ids of the nodes on which these states began; empty texts where nobody knows."""

PROTOCOL = Option("protocol", "Protocol", "Only this one: tcp, udp, icmp, … or its number.")
ADDRESS = Option("address", "Address", "Only states of which an end is this address, or in this network.")
PORT = Option("port", "Port", "Only states of which an end has this port.")
CREATOR = Option("creator", "Creator", "Only states that began on the node with this Filter Host ID.")
CHOOSING = (FILTER, PROTOCOL, ADDRESS, PORT, CREATOR)


@dataclass(frozen=True, slots=True)
class End:
    """One end of one direction."""

    address: bytes
    port: int


@dataclass(frozen=True, slots=True)
class Ends:
    """Both tuples of a state: source and destination of its first packet, and of the answers."""

    protocol: int
    source: End
    destination: End
    reply_source: End
    reply_destination: End

    @property
    def all(self) -> tuple[End, End, End, End]:
        """All four."""
        return self.source, self.destination, self.reply_source, self.reply_destination


def ends(message: bytes) -> Ends:
    """The ends of a listed state.

    Raises:
        Malformed: this is no message about a state.
    """
    try:
        parts = table(message, 20, len(message))
        protocol, source, destination = _tuple(parts[1])
        _, back, there = _tuple(parts[2])
    except (KeyError, IndexError):
        raise Malformed("no tuples") from None
    return Ends(protocol, source, destination, back, there)


def _tuple(data: bytes) -> tuple[int, End, End]:
    parts = table(data, 0, len(data))
    ip, proto = table(parts[1], 0, len(parts[1])), table(parts[2], 0, len(parts[2]))
    ports = [int.from_bytes(proto.get(n, b""), "big") for n in (2, 3)]
    first, second = (ip[1], ip[2]) if 1 in ip else (ip[3], ip[4])
    return proto[1][0], End(first, ports[0]), End(second, ports[1])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody means; what is empty (or None) does not matter."""

    words: str = ""
    protocol: int | None = None
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None
    creator: str = ""

    @property
    def everything(self) -> bool:
        """Whether this means every state."""
        return self == Wanted()

    def fits(self, found: Ends, text: str) -> bool:
        """Whether a state is meant, as far as the state itself says; `text` is what people read of it."""
        if self.protocol is not None and found.protocol != self.protocol:
            return False
        if self.network is not None and not any(_within(end.address, self.network) for end in found.all):
            return False
        if self.port is not None and all(end.port != self.port for end in found.all):
            return False
        return not self.words or matches(text, self.words)


def wanted(options: Options) -> Wanted:
    """What the options of a view ask for.

    Raises:
        Unreadable: one of them means nothing.
    """
    creator = options.get("creator", "").lower().lstrip("0")
    return Wanted(options.get("filter", ""), _protocol(options.get("protocol", "")),
                  _network(options.get("address", "")), _port(options.get("port", "")), creator)


def began_on(messages: Iterable[bytes], creator: str, creators: Creators) -> Iterator[bytes]:
    """Those of the listed states that began on that node; all if `creator` is empty."""
    if not creator:
        yield from messages
        return
    waiting: list[bytes] = []
    for message in messages:
        waiting.append(message)
        if len(waiting) == AT_ONCE:
            yield from _of(waiting, creator, creators)
            waiting = []
    yield from _of(waiting, creator, creators)


def _of(messages: list[bytes], creator: str, creators: Creators) -> Iterator[bytes]:
    found = creators([key_of(message) for message in messages])
    yield from (m for m, host in zip(messages, found, strict=True) if host == creator)


def _within(address: bytes, network: IPv4Network | IPv6Network) -> bool:
    if len(address) * 8 != network.max_prefixlen:
        return False
    return int.from_bytes(address, "big") & int(network.netmask) == int(network.network_address)


def _protocol(text: str) -> int | None:
    if not text:
        return None
    number = next((n for n, name in PROTOCOLS.items() if name == text.lower()), None)
    if number is None and text.isascii() and text.isdigit() and int(text[:4]) < 256:
        number = int(text)
    if number is None:
        raise Unreadable(f"protocol: {text!r} is none of {', '.join(PROTOCOLS.values())}, and no number up to 255")
    return number


def _network(text: str) -> IPv4Network | IPv6Network | None:
    if not text:
        return None
    try:
        return ip_network(text.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        raise Unreadable(f"address: {text!r} is neither an address nor a network") from None


def _port(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536):
        raise Unreadable(f"port: {text!r} is no port from 1 to 65535")
    return int(text)
