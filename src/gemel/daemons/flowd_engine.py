"""flowd while it has a peer: the kernel's sockets and the two streams, joined to the thinking in `flows`."""

import contextlib
import logging
import secrets
import select
import sys

from gemel.effects.channel import CLOSED, OPEN, Channel, Identity
from gemel.effects.conntrack import Events, Listing, Table, count
from gemel.effects.slots import Overrun
from gemel.effects.streams import Dialer, Listener
from gemel.flows.ctnetlink import get
from gemel.flows.ledger import Ledger
from gemel.flows.local import Local
from gemel.flows.receiver import Receiver
from gemel.flows.sender import Sender
from gemel.flows.settings import Settings
from gemel.flows.wire import Malformed

BUSY = 16  # events within `GATHER` from which on it pays to let more of them gather, and acknowledgements with them
COUNT = 1.0  # s between looks at how many states there are
GATHER = 0.015  # s; every wake-up costs as much as tens of states, and the lag may be 20 ms
AFTER_HANDOVER = 1.0  # s a new master lets pass before it names all its states: packets first
READS_AT_ONCE = 16  # of 256 events, before the streams have their turn
LISTING_READS = 8
BACKLOG = 8 << 20  # bytes not yet taken by the kernel's socket; the window keeps us far below

log = logging.getLogger("flowd")


class Engine:
    """One peer."""

    def __init__(self, settings: Settings, epoch: int, events: Events, table: Table, now: float) -> None:
        self.settings = settings
        self.identity = Identity.load(settings.key, settings.certificate, settings.peer_certificate)
        host, little = int(settings.host_id, 16), sys.byteorder == "little"
        self.ledger, self.local = Ledger(host), Local(settings.ignore)
        self.sender = Sender(host, epoch, self.ledger, self.local, little)
        self.receiver = Receiver(host, epoch, self.ledger, self.local, little)
        self.dialer = Dialer(settings.listen, settings.peer, settings.port)
        self.listener = Listener(settings.listen, settings.peer, settings.port, now)
        self._events, self._table = events, table
        self._admit()
        self._listing: Listing | None = None
        self._greeted = False
        self._events_at = 0.0  # when those are read that gather until then; 0: as soon as they come
        self._burst_at, self._burst = now, 0  # events since then
        self._count_at = now
        events.filter(self.local.program(table.port_id))
        with contextlib.suppress(Overrun):
            for _ in events.read():
                pass  # of the time before

    # --- questions --------------------------------------------------------------------------------------------------

    def change(self, settings: Settings, now: float) -> bool:
        """Take new settings in without losing what we know, if that is possible: False asks for a new start."""
        old = self.settings
        if (settings.enabled, settings.listen, settings.peer, settings.host_id, settings.port) != (
                old.enabled, old.listen, old.peer, old.host_id, old.port):
            return False
        try:
            identity = Identity.load(settings.key, settings.certificate, settings.peer_certificate)
        except (OSError, ValueError):
            return False
        self.settings = settings
        self._admit()
        if settings.ignore != old.ignore:
            self.local = self.sender.local = self.receiver.local = Local(settings.ignore)
            self._events.filter(self.local.program(self._table.port_id))
            self.sender.resync(now, "other addresses are the firewall's own")
        if (identity.own, identity.peer) != (self.identity.own, self.identity.peer):
            self.identity = identity
            for channel in (self.dialer.channel, self.listener.channel):
                if channel:
                    channel.close("keys have changed")
        return True

    def _admit(self) -> None:
        """A rule that was taken away ends the stream that it had let in."""
        listener = self.listener
        listener.admits = self.settings.admits
        if listener.channel and not listener.admits:
            listener.channel.close("this node's rules let it in no more")

    def role_changed(self, master: bool | None, now: float) -> None:
        """carpd's word."""
        was = self.sender.role
        self.sender.role = self.receiver.role = master
        if master is True and was is not True and self.sender.peer is not None:
            self.sender.resync(now, "this node became MASTER", AFTER_HANDOVER)

    def close(self) -> None:
        """Hang up."""
        if self.dialer.channel:
            self.dialer.channel.close()
        self.listener.close()
        self._close_listing()

    # --- the loop's questions ---------------------------------------------------------------------------------------

    def interest(self, now: float) -> dict[int, int]:
        """Descriptor -> poll mask."""
        wanted = {self.listener.socket.fileno(): select.POLLIN}
        if not self._events_at:
            wanted[self._events.fileno()] = select.POLLIN
        gathering = self._events_at and self.sender.patient
        for channel in (self.dialer.channel, self.listener.channel, *self.listener.candidates):
            if channel and channel.state != CLOSED:
                reads = 0 if gathering and channel is self.dialer.channel else select.POLLIN
                wanted[channel.fileno()] = reads | (select.POLLOUT if channel.wants_write else 0)
        if self._listing and self.sender.takes_listing:
            wanted[self._listing.fileno()] = select.POLLIN
        return wanted

    def deadline(self, now: float) -> float:
        """When `work` has something to do."""
        times = [now + 1.0]
        if (at := self.sender.deadline()) is not None:
            times.append(at)
        if self._events_at:
            times.append(self._events_at)
        if self.dialer.channel is None:
            times.append(self.dialer.next_try)
        return min(times)

    def ready(self, ready: dict[int, int], now: float) -> None:
        """Poll says that these descriptors can go on."""
        if self._events.fileno() in ready:
            self.read_events(now)
        if self._listing and self._listing.fileno() in ready:
            self._read_listing(now)
        if (channel := self.listener.channel) and channel.fileno() in ready:
            self._receive(channel)
        if (channel := self.dialer.channel) and channel.fileno() in ready:
            self._converse(channel, now)
        for channel in [c for c in self.listener.candidates if c.fileno() in ready]:
            channel.pump()
        if self.listener.socket.fileno() in ready:
            self.listener.accept(now, self.identity)

    def work(self, now: float) -> None:
        """Everything that time or an earlier step has made due."""
        self._look_after_streams(now)
        if self._events_at and now >= self._events_at:
            self._take_gathered(now)
        if now >= self._count_at:
            self._count(now)
        if keys := self.sender.intake.lookups(now):
            answers = self._table.exchange([get(key, i) for i, key in enumerate(keys)])
            self.sender.looked_up([answer.message for answer in answers if answer.message], now)
        self.sender.handle_timer(now)
        if data := self.sender.data_to_send():
            self._to_peer(data)
        if self._listing is None and (self.sender.wants_listing or self.receiver.wants_listing):
            self._count(now)
            self.ledger.begin_listing()
            self._listing = Listing(expectations=True)
            self.sender.listing_began()
            self.receiver.listing_began()
        if self.sender.rounds.wants_comparison:
            self._read_all_events(now)
            self.sender.compare(now)

    def _take_gathered(self, now: float) -> None:
        """Events and acknowledgements have gathered. There is hardly a doubt that some have, so nobody asks poll."""
        self._events_at = 0.0
        self.read_events(now)
        if (channel := self.dialer.channel) and channel.state == OPEN:
            self._converse(channel, now)

    # --- the kernel -------------------------------------------------------------------------------------------------

    def _count(self, now: float) -> None:
        self.sender.table_size, self._count_at = count(), now + COUNT

    def _read_all_events(self, now: float) -> None:
        """All that happened until now, unless more keeps coming."""
        for _ in range(8):
            if self.read_events(now) < READS_AT_ONCE * 256:
                return

    def read_events(self, now: float) -> int:
        """Take what the kernel has to tell, and how much that was; when it is much, let the next ones gather for a
        moment."""
        total = 0
        try:
            for i, messages in enumerate(self._events.read()):
                self.sender.noticed(messages, now)
                total += len(messages)
                if i >= READS_AT_ONCE:
                    break
        except Overrun:
            self.sender.overrun(now)
        if now - self._burst_at > GATHER:
            self._burst_at, self._burst = now, 0
        self._burst += total
        if self._burst >= BUSY and total < READS_AT_ONCE * 256:
            self._events_at = now + GATHER
        return total

    def _read_listing(self, now: float) -> None:
        listing = self._listing
        for _ in range(LISTING_READS):
            if listing is None or listing.done or listing.failed or not self.sender.takes_listing:
                break
            messages = listing.read()
            if not messages:
                break
            self.sender.listed(messages, now)
            self.receiver.listed(messages)
        if listing and (listing.done or listing.failed):
            if listing.done:
                self.ledger.end_listing()
                self.sender.listing_ended(now)
            else:
                self.sender.listing_failed(now)
            self.receiver.listing_ended(whole=listing.done)
            self._inject()
            if (channel := self.listener.channel) and (answer := self.receiver.data_to_send()):
                channel.send(answer)
            self._close_listing()

    def _close_listing(self) -> None:
        if self._listing:
            self._listing.close()
            self._listing = None

    def _inject(self) -> None:
        while requests := self.receiver.requests():
            self.receiver.answered(self._table.exchange(requests))

    # --- the streams ------------------------------------------------------------------------------------------------

    def _look_after_streams(self, now: float) -> None:
        dialer, listener = self.dialer, self.listener
        listener.handle_timer(now)
        if (channel := listener.channel) and channel.state == CLOSED:
            log.info("receiving: %s", channel.failure)
            listener.dropped(now)
            self.receiver.lost()
        if listener.settle():
            self.receiver.connected()
            log.info("receiving from %s", self.settings.peer)
            if listener.channel:
                self._receive(listener.channel)  # what came with the handshake
        if (channel := dialer.channel) and channel.state == OPEN:
            if not self._greeted:
                self._greeted = True
                self.sender.connected(secrets.token_bytes(16))
            if self.sender.stuck(now) or channel.waiting > BACKLOG:
                channel.close("the peer does not acknowledge what it is sent")
        if channel and channel.state == CLOSED:
            if self._greeted or channel.failure != dialer.failure:
                log.info("sending: %s", channel.failure)
            dialer.dropped(now)
            self.sender.lost()
            self._greeted = False
        dialer.handle_timer(now, self.identity)

    def _converse(self, channel: Channel, now: float) -> None:
        data = channel.pump()
        if data:
            try:
                self.sender.heard(data, now)
            except Malformed as error:
                channel.close(str(error))
        if self.sender.refusal:
            channel.close(f"the peer refuses: {self.sender.refusal}")
            channel.refused = True

    def _receive(self, channel: Channel) -> None:
        data = channel.pump()
        if not data:
            return
        try:
            self.receiver.heard(data)
        except Malformed as error:
            channel.close(str(error))
        self._inject()
        if answer := self.receiver.data_to_send():
            channel.send(answer)

    def _to_peer(self, data: bytes) -> None:
        if self.dialer.channel and self.dialer.channel.state == OPEN:
            self.dialer.channel.send(data)
