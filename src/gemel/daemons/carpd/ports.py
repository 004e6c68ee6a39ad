"""carpd's sockets: for each device one for CARP and one for ARP and its like, one pair for the heartbeat, and those for
adverts to single addresses.

`Ports` keeps them in step with what the kernel says of the links and what the settings ask for.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from gemel.carp.events import BeatHeard, Event, Heard, NeighbourHeard
from gemel.carp.neighbour import solicited_node
from gemel.carp.settings import Partner, Settings
from gemel.carp.wire import GROUP6, virtual_mac
from gemel.daemons.carpd.waiting import Waiting
from gemel.effects.heartbeat import BeatPort
from gemel.effects.packet import CarpPort, NeighbourPort
from gemel.effects.slots import Slots
from gemel.effects.unicast import UnicastPorts

log = logging.getLogger("carpd")

AT_ONCE = 256  # packets from one socket, before timers and the other sockets have their turn
LONGEST = 320  # bytes of a frame that are looked at: of all that is known, adverts and their headers fit thrice
ROOM = 1 << 20  # bytes for adverts that wait, doubled by the kernel: 255 VHIDs may speak at once, and a flood come too


@dataclass(frozen=True, slots=True)
class Opened:
    """The sockets of one device, valid for this index of it."""

    index: int
    carp: CarpPort
    neighbours: NeighbourPort


class Ports:
    """All of carpd's sockets, which wake by `waiting`."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._devices: dict[str, Opened] = {}
        self._unicast = UnicastPorts()
        self._beats: BeatPort | None = None
        self._partner: Partner | None = None
        self._slots = Slots(AT_ONCE, LONGEST)
        self._heard: dict[int, Callable[[], Iterable[Event]]] = {}

    def __contains__(self, device: str) -> bool:
        return device in self._devices

    def devices(self) -> list[str]:
        """Those that are open."""
        return list(self._devices)

    def index(self, device: str) -> int:
        """The index that the device had when it was opened."""
        return self._devices[device].index

    def mac(self, device: str) -> bytes:
        """The device's own MAC; nothing if it is not open."""
        there = self._devices.get(device)
        return there.carp.mac if there else b""

    def open(self, device: str, index: int) -> None:
        """Open a device; one that cannot be is logged."""
        try:
            carp = CarpPort(device, ROOM)
        except OSError as error:
            log.warning("%s: %s", device, error.strerror)
            return
        try:
            neighbours = NeighbourPort(device)
        except OSError as error:
            carp.close()
            log.warning("%s: %s", device, error.strerror)
            return
        self._devices[device] = Opened(index, carp, neighbours)

        def heard() -> Iterable[Event]:
            packets = carp.receive_all(self._slots)
            return (Heard(device, packets),) if packets else ()

        def overheard() -> Iterable[Event]:
            return (NeighbourHeard(device, frame) for frame in _waiting(neighbours.receive))

        for port, hear in ((carp, heard), (neighbours, overheard)):
            self._heard[port.fileno()] = hear
            self._waiting.add(port, adverts=port is carp)

    def close(self, device: str) -> None:
        """Close a device."""
        gone = self._devices.pop(device)
        for port in (gone.carp, gone.neighbours):
            del self._heard[port.fileno()]
            self._waiting.remove(port)
            port.close()

    def meet(self, partner: Partner | None) -> None:
        """Open the heartbeat with this peer. An address that is not there yet is tried again with the next call."""
        if partner == self._partner and (self._beats is not None or partner is None):
            return
        if self._beats is not None:
            del self._heard[self._beats.fileno()]
            self._waiting.remove(self._beats)
            self._beats.close()
            self._beats = None
        self._partner = partner
        if partner is None or not partner.key:
            return
        try:
            beats = self._beats = BeatPort(partner.listen, partner.address, partner.port)
        except OSError as error:
            log.warning("heartbeat on %s: %s", partner.listen, error.strerror)
            return

        def heard() -> Iterable[Event]:
            return map(BeatHeard, _waiting(beats.receive))

        self._heard[beats.fileno()] = heard
        self._waiting.add(beats)

    @property
    def misses_heartbeat(self) -> bool:
        """Whether the heartbeat is wanted, and could not be opened."""
        return self._partner is not None and bool(self._partner.key) and self._beats is None

    def send(self, device: str, frame: bytes) -> bool:
        """Send a frame; False if it did not leave."""
        there = self._devices.get(device)
        return there is not None and there.carp.send(frame)

    def send_to(self, source: str, to: str, message: bytes) -> bool:
        """Send an advert to one address; False if it did not leave."""
        return self._unicast.send(source, to, message)

    def speak_from(self, sources: set[str]) -> None:
        """The own addresses that adverts to single addresses come from."""
        self._unicast.keep(sources)

    def beat(self, payload: bytes) -> None:
        """Send a heartbeat."""
        if self._beats is not None:
            self._beats.send(payload)

    def heard(self, descriptors: set[int]) -> Iterator[Event]:
        """What arrived on these descriptors, as far as they are ours."""
        for descriptor in descriptors:
            hear = self._heard.get(descriptor)
            if hear is not None:  # handling the last event may have closed a port
                yield from hear()


def _waiting(receive: Callable[[], bytes | None]) -> Iterator[bytes]:
    """What one socket has by now, up to a bound."""
    for _ in range(AT_ONCE):
        if (got := receive()) is None:
            return
        yield got


def needs(settings: Settings) -> dict[str, tuple[tuple[bytes, ...], tuple[str, ...]]]:
    """What each device has to let in: virtual MACs, and IPv6 groups. One that only answers proxy ARP needs neither."""
    wanted: dict[str, tuple[tuple[bytes, ...], tuple[str, ...]]] = {one.device: ((), ()) for one in settings.proxies}
    for one in settings.vhids:
        macs, groups = wanted.get(one.device, ((), ()))
        six = tuple(address for address in one.addresses if ":" in address)
        mine = (GROUP6, *map(solicited_node, six)) if six else ()
        own_mac = (virtual_mac(one.vhid),) if one.virtual_mac else ()
        wanted[one.device] = ((*macs, *own_mac), tuple(dict.fromkeys((*groups, *mine))))
    return wanted


def unicast_sources(settings: Settings) -> set[str]:
    """The own addresses from which adverts go to a peer's."""
    return {
        source for one in settings.vhids for source, peer in ((one.source, one.peer), (one.source6, one.peer6)) if peer
    }
