"""carpd's sockets: for each device one for CARP and one for ARP, and one pair for the heartbeat.

`Ports` keeps them in step with what the kernel says of the links and what the settings ask for.
"""

import logging
import select
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gemel.carp.events import BeatHeard, Event, Heard, NeighbourHeard
from gemel.carp.settings import Partner
from gemel.effects.heartbeat import BeatPort
from gemel.effects.packet import ArpPort, CarpPort

log = logging.getLogger("carpd")

AT_ONCE = 64  # packets from one socket, before timers and the other sockets have their turn


@dataclass(frozen=True, slots=True)
class Opened:
    """The sockets of one device, valid for this index of it."""

    index: int
    carp: CarpPort
    arp: ArpPort


class Ports:
    """All of carpd's sockets, registered with `poll`."""

    def __init__(self, poll: select.epoll) -> None:
        self._poll = poll
        self._devices: dict[str, Opened] = {}
        self._beats: BeatPort | None = None
        self._partner: Partner | None = None
        self._heard: dict[int, Callable[[], Event | None]] = {}

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
            carp = CarpPort(device)
        except OSError as error:
            log.warning("%s: %s", device, error.strerror)
            return
        try:
            arp = ArpPort(device)
        except OSError as error:
            carp.close()
            log.warning("%s: %s", device, error.strerror)
            return
        self._devices[device] = Opened(index, carp, arp)

        def heard() -> Heard | None:
            packet = carp.receive()
            return None if packet is None else Heard(device, packet)

        def overheard() -> NeighbourHeard | None:
            frame = arp.receive()
            return None if frame is None else NeighbourHeard(device, frame)

        for port, hear in ((carp, heard), (arp, overheard)):
            self._heard[port.fileno()] = hear
            self._poll.register(port, select.EPOLLIN)

    def close(self, device: str) -> None:
        """Close a device."""
        gone = self._devices.pop(device)
        for port in (gone.carp, gone.arp):
            del self._heard[port.fileno()]
            self._poll.unregister(port)
            port.close()

    def meet(self, partner: Partner | None) -> None:
        """Open the heartbeat with this peer. An address that is not there yet is tried again with the next call."""
        if partner == self._partner and (self._beats is not None or partner is None):
            return
        if self._beats is not None:
            del self._heard[self._beats.fileno()]
            self._poll.unregister(self._beats)
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

        def heard() -> BeatHeard | None:
            payload = beats.receive()
            return None if payload is None else BeatHeard(payload)

        self._heard[beats.fileno()] = heard
        self._poll.register(beats, select.EPOLLIN)

    @property
    def misses_heartbeat(self) -> bool:
        """Whether the heartbeat is wanted, and could not be opened."""
        return self._partner is not None and bool(self._partner.key) and self._beats is None

    def send(self, device: str, frame: bytes) -> bool:
        """Send a frame; False if it did not leave."""
        there = self._devices.get(device)
        return there is not None and there.carp.send(frame)

    def beat(self, payload: bytes) -> None:
        """Send a heartbeat."""
        if self._beats is not None:
            self._beats.send(payload)

    def heard(self, descriptors: set[int]) -> Iterator[Event]:
        """What arrived on these descriptors, as far as they are ours."""
        for descriptor in descriptors:
            for _ in range(AT_ONCE):
                hear = self._heard.get(descriptor)
                event = hear() if hear else None
                if event is None:
                    break
                yield event
