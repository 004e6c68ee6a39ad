"""What carpd is told to do. The agent writes it as JSON to ``/run/gemel/carpd.json``; `core.codec` gives it its
shape.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_address

LONGEST_HOLD_DOWN = 3600
LONGEST_PASSWORD = 19  # bytes: BSD cuts longer ones silently, ucarp refuses them (reference 1.3)


@dataclass(frozen=True, slots=True)
class Vhid:
    """One virtual host on one interface."""

    interface: str
    """The configuration's id of the interface: ``wan``."""
    device: str
    """The kernel's name of it: ``eth0``."""
    vhid: int
    """1..255."""
    advbase: int
    """Seconds, 0..254; 0 only together with a skew (OpenBSD's sub-second CARP)."""
    advskew: int
    """1/256 seconds, 0..254."""
    password: str
    """1..19 bytes of UTF-8."""
    addresses: tuple[str, ...]
    """The CARP VIP and the IP aliases stacked on it, without prefix length."""
    source: str = ""
    """The device's own IPv4 address, from which IPv4 adverts come. IPv6 ones come from its link-local address."""
    source6: str = ""
    """The device's own IPv6 address, from which adverts go to `peer6`."""
    peer: str = ""
    """Where IPv4 adverts go instead of to the group: the peer's own address, which may be behind routers."""
    peer6: str = ""
    """The same for IPv6."""
    virtual_mac: bool = True
    """False: the addresses are at the port's own MAC, where a network lets no other pass."""

    @property
    def families(self) -> tuple[int, ...]:
        """Those of its addresses: 4, 6 or both. Adverts go out in each."""
        return tuple(sorted({6 if ":" in address else 4 for address in self.addresses}))


@dataclass(frozen=True, slots=True)
class ProxyArp:
    """Addresses that this node answers ARP for and has on no interface."""

    device: str
    network: str
    """IPv4, with its prefix length: ``198.51.100.208/28``."""
    vhid: int | None = None
    """Answer only while master of this VHID, and with its virtual MAC; None: always, with the port's own."""


@dataclass(frozen=True, slots=True)
class Partner:
    """The other node of the pair, and the heartbeat with it over SYNC."""

    listen: str
    """This node's SYNC address."""
    address: str
    """The peer's."""
    port: int = 3240
    """UDP, on both nodes."""
    interval_ms: int = 20
    """Between two beats that this node sends, 5..1000."""
    misses: int = 3
    """Beats that may be missing before the peer is dead, if all else agrees; 2..50."""
    fast: bool = True
    """Whether a verdict moves anything. Without, the heartbeat only compares roles."""
    gateways: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Interface id -> addresses there that should answer ARP, or neighbour discovery, if anybody does."""
    key: str = ""
    """32 bytes in hex, known to the pair alone. Empty: the pair has not met, and there is no heartbeat."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that carpd is told."""

    vhids: tuple[Vhid, ...] = ()
    preempt: bool = True
    """Whether a better backup takes over from a healthy master."""
    demotion: dict[str, int] = field(default_factory=dict)
    """Standing reasons to stand back, such as ``{"maintenance": 240}``; they survive a restart."""
    enabled: bool = True
    """False while CARP is temporarily disabled: no VHID takes part."""
    await_states: float = 0.0
    """At process start: stand back until the peer's states are here, at most this many seconds. 0 for not at all."""
    await_ready: float = 0.0
    """At process start: stand back until the agent says that configuration and services are up, at most so long."""
    hold_down: float = 0.0
    """Seconds that a node which has started, or whose link has come back, stands back before it preempts."""
    partner: Partner | None = None
    """The other node, if there is a pair."""
    proxies: tuple[ProxyArp, ...] = ()
    """What to answer ARP for besides."""


def complaints(settings: Settings) -> list[str]:
    """Return what is wrong with `settings`, each as a sentence; empty if carpd can work with it."""
    found = []
    seen = set()
    for one in settings.vhids:
        name = f"vhid {one.vhid} on {one.interface}"
        if (one.device, one.vhid) in seen:
            found.append(f"{name}: given twice")
        seen.add((one.device, one.vhid))
        found += [f"{name}: {text}" for text in _complaints_of(one)]
    found += [f"demotion {name!r}: 0 to 240 expected" for name, n in settings.demotion.items() if not 0 <= n <= 240]
    if not 0 <= settings.hold_down <= LONGEST_HOLD_DOWN:
        found.append(f"hold-down: 0 to {LONGEST_HOLD_DOWN} seconds expected")
    for proxy in settings.proxies:
        try:
            IPv4Network(proxy.network)
        except ValueError as error:
            found.append(f"proxy ARP on {proxy.device}: {error}")
    return found + (_complaints_about(settings.partner) if settings.partner else [])


def _complaints_about(partner: Partner) -> list[str]:
    found = []
    if not 5 <= partner.interval_ms <= 1000:
        found.append("heartbeat: an interval of 5 to 1000 ms expected")
    if not 2 <= partner.misses <= 50:
        found.append("heartbeat: 2 to 50 misses expected")
    gateways = (gateway for there in partner.gateways.values() for gateway in there)
    for address in (partner.listen, partner.address, *gateways):
        try:
            ip_address(address)
        except ValueError as error:
            found.append(f"heartbeat: {error}")
    return found


def _complaints_of(one: Vhid) -> list[str]:
    found = []
    if not 1 <= one.vhid <= 255:
        found.append("the VHID must be 1 to 255")
    if not 0 <= one.advbase <= 254:
        found.append("the base must be 0 to 254")
    if not 0 <= one.advskew <= 254:
        found.append("the skew must be 0 to 254")
    if one.advbase == 0 and one.advskew == 0:
        found.append("base 0 needs a skew of at least 1")
    if not 1 <= len(one.password.encode()) <= LONGEST_PASSWORD:
        found.append(f"the password must have 1 to {LONGEST_PASSWORD} bytes")
    if not one.addresses:
        found.append("no address")
    found += _wrong_addresses(one)
    if found:
        return found
    if 4 in one.families and not one.source:
        found.append("IPv4 addresses need an IPv4 address of the interface's own beside them")
    if one.peer6 and not one.source6:
        found.append("an IPv6 peer needs an IPv6 address of the interface's own")
    return found


def _wrong_addresses(one: Vhid) -> list[str]:
    found = []
    expected: list[tuple[str, tuple[int, ...]]] = [(address, (4, 6)) for address in one.addresses]
    expected += [(address, (4,)) for address in (one.source, one.peer) if address]
    expected += [(address, (6,)) for address in (one.source6, one.peer6) if address]
    for address, versions in expected:
        try:
            version = ip_address(address).version
        except ValueError as error:
            found.append(str(error))
        else:
            if version not in versions:
                found.append(f"{address} is no IPv{versions[0]} address")
    return found
