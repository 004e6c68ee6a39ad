"""Status > DHCP Leases: how the failover of each pool stands, and who has which address."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from gemel.facts.fact import FILTER, Column, Fact, Option, Options, Sources, matches
from gemel.leases.lease import is_live, last_heard

Json = Mapping[str, Any]

KINDS = ("active", "static", "expired", "declined")
NO_LEASED = (
    "leased does not answer: no DHCP lease is acknowledged by this node. See Status > Services and the log of leased"
)


@dataclass(frozen=True, slots=True)
class Pool:
    """The failover of one interface. States are the failover's words, `kea` and `peer_kea` Kea's own; times are by this
    node's clock. `serving` says who answers now: this node, the peer, both, or nobody."""

    interface: str
    my_state: str
    since: float
    peer_state: str
    peer_since: float | None
    serving: str
    kea: str
    peer_kea: str


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """One address. `kind` is one of `KINDS`; `online`: it has answered ARP lately; times are None for static ones.
    `client_id` is an IPv6 host's DUID."""

    address: str
    mac: str
    vendor: str
    client_id: str
    hostname: str
    description: str
    interface: str
    interface_id: str
    kind: str
    online: bool
    start: float | None
    end: float | None


@dataclass(frozen=True, slots=True)
class Leases:
    """Pools first, then addresses in their order. `problem` says why there are none to show."""

    pools: tuple[Pool, ...]
    rows: tuple[LeaseRow, ...]
    problem: str = ""


def pools(report: Json | None, words: Mapping[str, str]) -> tuple[Pool, ...]:
    """Of what leased reports (`control.leased.LeaseReport` as JSON values); `words` turns interface ids to names."""
    if report is None:
        return ()
    return tuple(
        Pool(
            words.get(p["interface"], p["interface"]) + (" (IPv6)" if p["family"] == 6 else ""), p["state"], p["since"],
            p["peer_state"], p["peer_since"], _serving(p), p["kea"], p["peer_kea"],
        )
        for p in report["pools"]
    )  # fmt: skip


def _serving(pool: Json) -> str:
    names = {(True, True): "both", (True, False): "this node", (False, True): "the peer"}
    return names.get((pool["serving"], pool["peer_serving"]), "nobody" if pool["kea"] else "unknown")


def _leases(sources: Sources, options: Options) -> Leases:
    words = {i["id"]: i["title"] for i in sources["interfaces"]}
    found = sources["leases"]
    there = {n["dst"] for n in sources["neighbours"] if "lladdr" in n and "FAILED" not in n["state"]}
    known = pools(found["report"], words)
    rows = [*_given(found, there, words, sources["now"]), *_static(found, there, words)]
    kind, wanted = options.get("kind", ""), options.get("filter", "")
    kept = [
        r
        for r in rows
        if (not kind or r.kind == kind)
        and matches(
            " ".join((r.address, r.mac, r.client_id, r.vendor, r.hostname, r.description, r.interface, r.kind)), wanted
        )
    ]
    kept.sort(key=lambda r: (":" in r.address, int(ip_address(r.address)) if r.address else 0, r.mac))
    return Leases(known, tuple(kept), found["problem"])


def _given(found: Json, there: set[str], words: Mapping[str, str], now: float) -> Iterable[LeaseRow]:
    static = {m["address"]: m for m in found["mappings"] if m["address"]}
    for lease in found["leases"]:
        mapping = static.get(lease["ip-address"], {})
        interface = found["subnets"].get(lease.get("subnet-id"), "")
        mac, start = lease.get("hw-address", ""), last_heard(lease)
        kind = "declined" if lease.get("state") == 1 else "active" if is_live(lease, now) else "expired"
        client = lease.get("duid") or lease.get("client-id", "")
        if mapping and (client == mapping["duid"] if "duid" in mapping else mac == mapping["mac"]):
            kind = "static"
        yield LeaseRow(
            lease["ip-address"], mac, found["vendors"].get(mac, ""), client,
            lease.get("hostname", "").rstrip("."), mapping.get("description", ""), words.get(interface, interface),
            interface, kind, lease["ip-address"] in there, start, start + lease["valid-lft"],
        )  # fmt: skip


def _static(found: Json, there: set[str], words: Mapping[str, str]) -> Iterable[LeaseRow]:
    """Static mappings whose clients have not asked yet."""
    leased = {
        (x["ip-address"], x.get(who, "")) for x in found["leases"] for who in ("client-id", "hw-address", "duid")
    }
    for m in found["mappings"]:
        mac, client = m.get("mac", ""), m.get("duid") or m.get("client_id", "")
        if not {(m["address"], who) for who in (mac, client) if who} & leased:
            yield LeaseRow(
                m["address"], mac, found["vendors"].get(mac, ""), client, m["hostname"],
                m["description"], words.get(m["interface"], m["interface"]), m["interface"], "static",
                m["address"] in there, None, None,
            )  # fmt: skip


DHCP_LEASES = Fact(
    name="dhcp-leases",
    label="DHCP Leases",
    menu="Status > DHCP Leases",
    help="How DHCP failover stands on each interface, and who has which address.",
    shape=Leases,
    read=_leases,
    sources=("leases", "interfaces", "neighbours", "now"),
    columns=(
        Column("address", "IP address"),
        Column("mac", "MAC address"),
        Column("vendor", "Vendor"),
        Column("hostname", "Hostname"),
        Column("description", "Description"),
        Column("interface", "Interface"),
        Column("start", "Start", "time"),
        Column("end", "End", "time"),
        Column("kind", "Type", "state"),
        Column("online", "Online", "yes"),
    ),
    options=(Option("kind", "Type", "Only leases of this type.", "", KINDS), FILTER),
)
