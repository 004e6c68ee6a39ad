"""Listens for CARP and VRRP on devices all the time, so that it is known at once who else is there.

Packets wait in the sockets and are looked at every few seconds: that costs next to nothing, however many speak.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterable

from gemel.carp.scan import Sighting, sighting
from gemel.carp.wire import GROUP6
from gemel.effects.packet import CarpPort, Membership

LOOK_EVERY = 2.0  # seconds
REMEMBERED = 30.0  # seconds: several adverts even at the longest usual interval
ROOM = 1 << 20  # bytes for packets between two looks: more than a thousand
MOST = 1024  # sightings on one device; strangers cannot fill the memory


class _Listener:
    def __init__(self, device: str) -> None:
        self.index = socket.if_nametoindex(device)
        self.port = CarpPort(device, room=ROOM)
        try:
            self.membership = Membership(device, (), (GROUP6,))
        except OSError:
            self.port.close()
            raise

    def close(self) -> None:
        self.port.close()
        self.membership.close()


class Ear:
    """`listen_on` says where; `heard` what was said there lately."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: tuple[str, ...] = ()
        self._listeners: dict[str, _Listener] = {}
        self._heard: dict[str, dict[Sighting, tuple[bytes, float]]] = {}
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin listening, in a thread of its own."""
        threading.Thread(target=self._work, name="ear", daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._stop.set()

    def listen_on(self, devices: Iterable[str]) -> None:
        """These, and no others. One that is not there, or comes back, is listened on when it is there."""
        self._wanted = tuple(devices)

    def heard(self, device: str) -> list[tuple[Sighting, bytes]]:
        """Who spoke on the device lately, each with the last packet that said so."""
        self._look()
        then = time.monotonic() - REMEMBERED
        with self._lock:
            return [(one, packet) for one, (packet, at) in self._heard.get(device, {}).items() if at >= then]

    def _work(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            self._look()
        with self._lock:
            for listener in self._listeners.values():
                listener.close()
            self._listeners.clear()

    def _look(self) -> None:
        with self._lock:
            self._arrange()
            now = time.monotonic()
            for device, listener in self._listeners.items():
                there = self._heard.setdefault(device, {})
                for one in [one for one, (_, at) in there.items() if now - at > REMEMBERED]:
                    del there[one]
                while (packet := listener.port.receive()) is not None:
                    seen = sighting(packet)
                    if seen is not None and (seen in there or len(there) < MOST):
                        there[seen] = packet, now

    def _arrange(self) -> None:
        for device, listener in list(self._listeners.items()):
            try:
                same = device in self._wanted and socket.if_nametoindex(device) == listener.index
            except OSError:
                same = False
            if not same:
                self._listeners.pop(device).close()
                self._heard.pop(device, None)
        for device in self._wanted:
            if device not in self._listeners:
                with contextlib.suppress(OSError):
                    self._listeners[device] = _Listener(device)
