"""What is measured every second, and what follows from it: rates, and the series behind the live graphs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gemel.facts.fact import Column, Fact, Option, Options, Sources, number

KEPT = 600  # seconds of samples


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: `at` in monotonic seconds; `octets` is device -> (received, sent) since the device came up; `moved` are
    the states sent to and received from the peer so far; `peer_states` how many the peer says it has.
    """

    at: float
    octets: Mapping[str, tuple[int, int]]
    states: int = 0
    moved: tuple[int, int] = (0, 0)
    lag_ms: float | None = None
    peer_states: int | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """Between two samples. Bytes per second by device (received, sent), states per second (sent, received)."""

    octets: dict[str, tuple[float, float]]
    moved: tuple[float, float]


def rates(samples: Sequence[Sample]) -> Rates:
    """The rates at the last sample; empty while there are not two."""
    if len(samples) < 2:
        return Rates({}, (0.0, 0.0))
    before, after = samples[-2], samples[-1]
    took = max(after.at - before.at, 1e-3)
    both = {d: (before.octets[d], now) for d, now in after.octets.items() if d in before.octets}
    return Rates(
        {d: (_per_second(a[0], b[0], took), _per_second(a[1], b[1], took)) for d, (a, b) in both.items()},
        (_per_second(before.moved[0], after.moved[0], took), _per_second(before.moved[1], after.moved[1], took)),
    )


def _per_second(before: int, after: int, seconds: float) -> float:
    """A counter that fell began anew, with its device or daemon."""
    return round(max(0, after - before) / seconds, 1)


@dataclass(frozen=True, slots=True)
class Graphs:
    """Series over the last minutes, oldest first; all lists are as long as `age`, which counts the seconds until now.

    `received` and `sent` are bytes per second by interface id; `out` and `into` are states per second.
    """

    age: tuple[float, ...]
    received: dict[str, tuple[float, ...]]
    sent: dict[str, tuple[float, ...]]
    states: tuple[int, ...]
    out: tuple[float, ...]
    into: tuple[float, ...]
    lag_ms: tuple[float | None, ...]
    peer_states: tuple[int | None, ...] = ()


def _graphs(sources: Sources, options: Options) -> Graphs:
    samples: Sequence[Sample] = sources["samples"]
    window = samples[-number(options, "seconds", 120, KEPT) - 1 :]
    pairs = list(pairwise(window))
    each = [rates(pair) for pair in pairs]
    devices = {i["device"]: i["id"] for i in sources["interfaces"]}
    return Graphs(
        tuple(round(window[-1].at - after.at, 1) for _, after in pairs),
        {name: tuple(r.octets.get(d, (0.0, 0.0))[0] for r in each) for d, name in devices.items()},
        {name: tuple(r.octets.get(d, (0.0, 0.0))[1] for r in each) for d, name in devices.items()},
        tuple(after.states for _, after in pairs),
        tuple(r.moved[0] for r in each),
        tuple(r.moved[1] for r in each),
        tuple(after.lag_ms for _, after in pairs),
        tuple(after.peer_states for _, after in pairs),
    )


GRAPHS = Fact(
    name="graphs",
    label="Traffic Graph",
    menu="Status > Traffic Graph",
    help="Throughput of each interface, states, and how fast states go to and come from the peer; one value a second.",
    shape=Graphs,
    read=_graphs,
    sources=("samples", "interfaces"),
    options=(Option("seconds", "Seconds", "How far back, at most 600.", "120"),),
)


@dataclass(frozen=True, slots=True)
class InterfaceRow:
    """One assigned interface. `carrier` is None where there is no such device; rates are bytes per second, None until
    they are known."""

    id: str
    name: str
    device: str
    enabled: bool
    carrier: bool | None
    mac: str
    addresses: tuple[str, ...]
    mtu: int
    received: int
    sent: int
    packets_in: int
    packets_out: int
    errors: int
    drops: int
    rate_in: float | None
    rate_out: float | None


@dataclass(frozen=True, slots=True)
class InterfaceRows:
    """In the order of assignment."""

    rows: tuple[InterfaceRow, ...]


def _interfaces(sources: Sources, _options: Options) -> InterfaceRows:
    links = {link["ifname"]: link for link in sources["links"]}
    addresses = {link["ifname"]: link.get("addr_info", ()) for link in sources["addresses"]}
    current = rates(sources["samples"]).octets
    rows = []
    for interface in sources["interfaces"]:
        device = interface["device"]
        link = links.get(device, {})
        counted = link.get("stats64") or {}
        received, sent = counted.get("rx", {}), counted.get("tx", {})
        rate = current.get(device, (None, None))
        rows.append(
            InterfaceRow(
                id=interface["id"],
                name=interface["title"],
                device=device,
                enabled=interface["enabled"],
                carrier="LOWER_UP" in link.get("flags", ()) if link else None,
                mac=str(link.get("address", "")),
                addresses=tuple(f"{a['local']}/{a['prefixlen']}" for a in addresses.get(device, ()) if "local" in a),
                mtu=int(link.get("mtu", 0)),
                received=int(received.get("bytes", 0)),
                sent=int(sent.get("bytes", 0)),
                packets_in=int(received.get("packets", 0)),
                packets_out=int(sent.get("packets", 0)),
                errors=int(received.get("errors", 0)) + int(sent.get("errors", 0)),
                drops=int(received.get("dropped", 0)) + int(sent.get("dropped", 0)),
                rate_in=rate[0],
                rate_out=rate[1],
            )
        )
    return InterfaceRows(tuple(rows))


INTERFACE_STATUS = Fact(
    name="interfaces",
    label="Interfaces",
    menu="Status > Interfaces",
    help="Link, addresses, counters and throughput of each interface.",
    shape=InterfaceRows,
    read=_interfaces,
    sources=("links", "addresses", "samples", "interfaces"),
    columns=(
        Column("name", "Interface"),
        Column("device", "Device"),
        Column("carrier", "Link", "yes"),
        Column("addresses", "Addresses"),
        Column("rate_in", "In", "rate"),
        Column("rate_out", "Out", "rate"),
        Column("received", "Received", "bytes"),
        Column("sent", "Sent", "bytes"),
        Column("errors", "Errors", "count"),
        Column("drops", "Drops", "count"),
    ),
)
