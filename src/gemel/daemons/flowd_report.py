"""What flowd says about itself, in numbers and in words."""

from collections import deque

from gemel.control.flowd import Comparison, FlowReport, Progress, Repair
from gemel.daemons.flowd_engine import Engine
from gemel.effects.conntrack import count, describe
from gemel.effects.streams import compare

WINDOW = 3.0  # s over which rates are measured
MANY_WAITING = 20_000  # states
LATE = 2.0  # s of lag that are worth a word
ALARM = 4  # comparisons in which the same part of the table differed
ROLES = {True: "MASTER", False: "BACKUP", None: "none"}


class Rates:
    """States per second, out and in, from two counters that only grow."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int, int]] = deque()

    def look(self, now: float, sent: int, received: int) -> tuple[float, float]:
        """The counters now; the rates since `WINDOW` ago, or since the first look."""
        if self._seen and (sent < self._seen[-1][1] or received < self._seen[-1][2]):
            self._seen.clear()
        if not self._seen or now - self._seen[-1][0] > WINDOW / 10:
            self._seen.append((now, sent, received))
        while len(self._seen) > 1 and now - self._seen[1][0] >= WINDOW:
            self._seen.popleft()
        at, out, into = self._seen[0]
        seconds = max(now - at, 0.1)
        return round((sent - out) / seconds, 1), round((received - into) / seconds, 1)


def report(engine: Engine, rates: tuple[float, float], now: float) -> FlowReport:
    """How things stand."""
    sender, receiver = engine.sender, engine.receiver
    states = count()
    peer_host = receiver.peer.host if receiver.peer else sender.peer.host if sender.peer else None
    creators = engine.ledger.count(states)
    if peer_host is not None:
        creators.setdefault(peer_host, 0)
    counters = {**{f"sent: {k}": v for k, v in sender.counters.items()},
                **{f"received: {k}": v for k, v in receiver.counters.items()},
                "strangers": engine.listener.strangers}
    compared, repaired, rounds = sender.rounds.compared, sender.rounds.repaired, sender.rounds
    return FlowReport(
        status=_status(engine), sending=_sending(engine), receiving=_receiving(engine), peer=engine.settings.peer,
        host_id=engine.settings.host_id, peer_host_id=None if peer_host is None else f"{peer_host:x}",
        creators={f"{host:x}": number for host, number in creators.items()}, states=states, sent=sender.sent,
        received=receiver.received, lag_ms=None if sender.lag is None else round(sender.lag * 1000, 2),
        in_sync=receiver.synced, counters=counters, problems=tuple(_problems(engine, peer_host)),
        agreement=_agreement(engine),
        comparison=None if compared is None else Comparison(
            round(now - compared.at, 1), compared.compared, compared.buckets, compared.differing, compared.states,
            compared.peer_states),
        repair=None if repaired is None else Repair(round(now - repaired.at, 1), repaired.why, repaired.states),
        bulk_out=Progress(rounds.telling, rounds.count, sender.table_size),
        bulk_in=Progress(receiver.bulk_running, receiver.bulk_received, receiver.bulk_announced),
        waiting=sender.waiting, sent_per_second=rates[0], received_per_second=rates[1],
        version=sender.peer.version if sender.peer else 0, role=ROLES[sender.role])


def _agreement(engine: Engine) -> str:
    compared = engine.sender.rounds.compared
    if engine.sender.role is not True or engine.sender.peer is None or compared is None or not compared.compared:
        return "unknown"
    if compared.equal:
        return "equal"
    return "differs" if engine.sender.rounds.fruitless > 1 else "repairing"


def _status(engine: Engine) -> str:
    out, into = engine.sender.peer is not None, engine.receiver.peer is not None
    if out and into:
        return "in sync" if engine.sender.bulk_done and engine.receiver.bulk_done else "bulk"
    if out or into:
        return "one way"
    return "refused" if engine.dialer.refused or engine.listener.refused else "connecting"


def _sending(engine: Engine) -> str:
    sender, peer = engine.sender, engine.settings.peer
    if sender.peer is None:
        return engine.dialer.words()
    if sender.rounds.telling:
        return f"sending the whole table to {peer}: {sender.rounds.count} of about {sender.table_size} so far"
    return f"sending to {peer}"


def _receiving(engine: Engine) -> str:
    receiver, peer = engine.receiver, engine.settings.peer
    if receiver.peer is None:
        return engine.listener.words(engine.sender.peer is not None)
    if receiver.bulk_running:
        done, states = receiver.bulk_received, receiver.bulk_announced
        return f"receiving the whole table from {peer}: {done} of about {states} so far"
    return f"receiving from {peer}"


def _problems(engine: Engine, peer_host: int | None) -> list[str]:
    found, sender, receiver = [], engine.sender, engine.receiver
    if peer_host == int(engine.settings.host_id, 16):
        found.append(f"both nodes have the filter host ID {engine.settings.host_id}: give one of them another")
    if sender.peer is None and engine.dialer.failure:
        found.append(_sending(engine))
    if receiver.peer is None:
        found.append(_receiving(engine))
    if engine.dialer.refused or engine.listener.refused:
        found.append(compare(engine.identity))
    if receiver.counters["table full"]:
        found.append("the conntrack table is full: raise the maximum number of states")
    if sender.rounds.fruitless > ALARM and (compared := sender.rounds.compared):
        found.append(f"the peer's table goes on differing from this node's, in {compared.differing} of "
                     f"{compared.buckets} parts, though it was told again {sender.rounds.fruitless} times: see what "
                     f"`gemel status` on the peer says it could not take")
    if sender.waiting > MANY_WAITING or (sender.lag or 0.0) > LATE:
        found.append(f"states reach the peer late: {sender.waiting} wait, the last ones took {sender.lag or 0:.1f} s. "
                     f"The SYNC link or the peer is too slow")
    found += [f"{number} states could not be injected: {_explain(name)}" for name, number in receiver.errors.items()]
    return found


def _explain(name: str) -> str:
    verb, _, number = name.partition(": error ")
    return f"{verb}: {describe(int(number))}"
