"""One TCP connection and a 1 kHz flow live through power cuts and planned hand-overs; so do FTP and every other flow.

SOAK says how many power cuts (3 by default); there are half as many planned round trips, and at least 3.
"""

import os
import re
import socket
from collections.abc import Iterator

import pytest

from gemel.lab.lab import Lab
from gemel.lab.topology import WAN_SERVER, WAN_VIP
from gemel.lab.traffic import Measured, Traffic
from tests.lab.flow_bench import datagrams, in_namespace, tcp_client, tcp_listener
from tests.lab.stories import (
    LOST_AT_MOST,
    OUTAGE_AT_MOST,
    after_recovery,
    has_state,
    running,
    tell,
    typed,
    wait_for_push,
    wait_for_roles,
)

pytestmark = pytest.mark.lab

POWER_CUTS = int(os.environ.get("SOAK", "3"))
ROUND_TRIPS = max(3, POWER_CUTS // 2)
EACH = 1000
"""Flows of each kind."""


@pytest.fixture(scope="module")
def traffic(cluster: Lab) -> Iterator[Traffic]:
    """One connection and one flow, for all stories."""
    wait_for_roles(cluster, "fw1")
    with Traffic(cluster, seconds=300 + 40 * POWER_CUTS + 20 * ROUND_TRIPS) as traffic:
        cluster.wait(lambda: traffic.window().talk.alive, "the connection to be answered")
        yield traffic


def source_of(seen: Measured) -> str:
    """Where the one connection comes from; it must be alive."""
    assert seen.talk.alive and seen.talk.source, seen
    return seen.talk.source


@pytest.mark.soak
def test_the_connection_lives_through_planned_round_trips(cluster: Lab, traffic: Traffic) -> None:
    source = source_of(traffic.window())
    for number in range(ROUND_TRIPS):
        for switch, master in (("on", "fw2"), ("off", "fw1")):
            typed(cluster, "fw1", f"gemel carp maintenance {switch}")
            wait_for_roles(cluster, master)
            seen = after_recovery(cluster, traffic)
            tell(f"round trip {number + 1}, maintenance {switch}", seen)
            assert source_of(seen) == source and source.startswith(f"{WAN_VIP}:")
            assert seen.flow.lost <= LOST_AT_MOST, seen
            assert len(seen.flow.sources) == 1, seen


@pytest.mark.soak
def test_the_connection_lives_through_power_cuts_and_the_primarys_return(cluster: Lab, traffic: Traffic) -> None:
    source = source_of(traffic.window())
    for number in range(POWER_CUTS):
        port = source.rpartition(":")[2]
        cluster.wait(lambda port=port: has_state(cluster, "fw2", "tcp", port), "fw2 to know the connection")
        cluster.power_off("fw1")
        wait_for_roles(cluster, "fw2")
        seen = after_recovery(cluster, traffic)
        tell(f"power cut {number + 1}", seen)
        assert seen.flow.outage_ms <= OUTAGE_AT_MOST, seen
        assert source_of(seen) == source and len(seen.flow.sources) == 1, seen

        cluster.power_on("fw1")
        wait_for_roles(cluster, "fw1")
        seen = after_recovery(cluster, traffic)
        tell(f"the primary's return {number + 1}", seen)
        assert seen.flow.lost <= LOST_AT_MOST, seen
        assert source_of(seen) == source and len(seen.flow.sources) == 1, seen


def test_active_ftp_opens_data_connections_through_whichever_node_is_master(cluster: Lab) -> None:
    """One control connection throughout; a port announced on the node before, opened on the one after, and so back."""
    typed(cluster, "fw1", "gemel helpers set --ftp --sip --tftp")
    wait_for_push(cluster)
    wait_for_roles(cluster, "fw1")
    lan, wan = f"{cluster.name}-lan", f"{cluster.name}-wan"
    with (
        tcp_listener(wan, 21) as listener,
        tcp_client(lan, WAN_SERVER, 21) as client,
        tcp_listener(lan, 0) as first,
        tcp_listener(lan, 0) as second,
    ):
        server, (address, _) = listener.accept()
        server.settimeout(5)
        assert address == WAN_VIP
        with server:
            client.sendall(b"USER anonymous\r\n")  # the helper reads from the second line on
            assert server.recv(100) == b"USER anonymous\r\n"
            server.sendall(b"230 ok\r\n")
            assert client.recv(100) == b"230 ok\r\n"
            where = announced(client, server, first)
            cluster.wait(lambda: "ftp" in cluster.exec("fw2", "conntrack", "-L", "expect"), "fw2 to expect it")
            typed(cluster, "fw1", "gemel carp maintenance on")
            wait_for_roles(cluster, "fw2")
            assert data_arrives(wan, where, first)
            where = announced(client, server, second)
            typed(cluster, "fw1", "gemel carp maintenance off")
            wait_for_roles(cluster, "fw1")
            assert data_arrives(wan, where, second)


def test_the_voice_of_a_sip_call_and_a_tftp_answer_come_in_through_the_other_node(cluster: Lab) -> None:
    """Both are announced on the node before; what the other side says comes in first on the one after."""
    wait_for_roles(cluster, "fw1")
    lan, wan = f"{cluster.name}-lan", f"{cluster.name}-wan"
    with (
        datagrams(wan, 5060) as server,
        datagrams(lan, 5060) as phone,
        datagrams(lan, 40_000) as ear,
        datagrams(wan, 30_000) as voice,
        datagrams(wan, 69) as files,
        datagrams(lan, 41_000) as loader,
        datagrams(wan, 31_000) as transfer,
    ):
        loader.sendto(b"\x00\x01pxelinux.0\x00octet\x00", (WAN_SERVER, 69))
        _, reader = files.recvfrom(2000)
        phone.sendto(INVITE, (WAN_SERVER, 5060))
        heard, address = server.recvfrom(2000)
        assert address[0] == WAN_VIP and b"192.168.1.50" not in heard
        where = re.search(rb"m=audio (\d+)", heard)
        assert where
        cluster.wait(lambda: "sip" in cluster.exec("fw2", "conntrack", "-L", "expect"), "fw2 to expect the voice")
        cluster.wait(lambda: "tftp" in cluster.exec("fw2", "conntrack", "-L", "expect"), "fw2 to expect the file")
        typed(cluster, "fw1", "gemel carp maintenance on")
        wait_for_roles(cluster, "fw2")
        voice.sendto(b"hello?", (WAN_VIP, int(where[1])))
        assert ear.recv(100) == b"hello?"
        transfer.sendto(b"\x00\x03\x00\x01boot", reader)
        assert loader.recvfrom(100) == (b"\x00\x03\x00\x01boot", (WAN_SERVER, 31_000))
        kept = [line for line in heard.split(b"\r\n") if line.startswith((b"Via", b"From", b"To", b"Call-ID", b"CSeq"))]
        server.sendto(b"\r\n".join((b"SIP/2.0 180 Ringing", *kept, b"Content-Length: 0", b"", b"")), address)
        ringing = phone.recv(2000)
        assert ringing.startswith(b"SIP/2.0 180") and b"192.168.1.50:5060" in ringing
    typed(cluster, "fw1", "gemel carp maintenance off")
    wait_for_roles(cluster, "fw1")
    typed(cluster, "fw1", "gemel helpers set --no-ftp --no-sip --no-tftp")
    wait_for_push(cluster)
    assert "helper" not in cluster.exec("fw2", "nft", "list", "table", "inet", "gemel")


SDP = b"""v=0
o=ann 1 1 IN IP4 192.168.1.50
s=-
c=IN IP4 192.168.1.50
t=0 0
m=audio 40000 RTP/AVP 0
"""
INVITE = b"""INVITE sip:bob@198.51.100.1 SIP/2.0
Via: SIP/2.0/UDP 192.168.1.50:5060;branch=z9hG4bK1
From: <sip:ann@192.168.1.50>;tag=1
To: <sip:bob@198.51.100.1>
Call-ID: 1
CSeq: 1 INVITE
Contact: <sip:ann@192.168.1.50:5060>
Content-Type: application/sdp
Content-Length: %d

""".replace(b"\n", b"\r\n") % len(SDP.replace(b"\n", b"\r\n")) + SDP.replace(b"\n", b"\r\n")


def announced(client: socket.socket, server: socket.socket, listener: socket.socket) -> tuple[str, int]:
    """The client says by PORT where it listens; what of it reaches the server: the firewall's address outside."""
    port = listener.getsockname()[1]
    client.sendall(f"PORT 192,168,1,50,{port >> 8},{port & 255}\r\n".encode())
    numbers = list(map(int, re.findall(rb"\d+", server.recv(100))))
    assert ".".join(map(str, numbers[:4])) == WAN_VIP
    server.sendall(b"200 PORT command successful\r\n")
    assert client.recv(100).startswith(b"200")
    return WAN_VIP, numbers[4] << 8 | numbers[5]


def data_arrives(wan: str, where: tuple[str, int], listener: socket.socket) -> bool:
    """Whether what the server sends from its data port is what the client reads."""

    def connect() -> socket.socket:
        s = socket.socket()
        s.settimeout(5)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((WAN_SERVER, 20))
        s.connect(where)
        return s

    with in_namespace(wan, connect) as data:
        got, _ = listener.accept()
        with got:
            got.settimeout(5)
            data.sendall(b"file")
            return got.recv(10) == b"file"


def test_a_thousand_flows_of_each_kind_are_translated_as_before_after_the_power_cut(cluster: Lab) -> None:
    typed(cluster, "fw1", f"""
        gemel nat forward add --interface wan --protocol tcp --destination {WAN_VIP} --destination-port 7101 \
            --target 192.168.1.50 --local-port 7101 --filter-rule associated --description "Web"
        gemel apply
    """)
    wait_for_push(cluster)
    wait_for_roles(cluster, "fw1")
    with (
        running(cluster, "wan", "many_flows.py", "serve", WAN_SERVER),
        running(cluster, "lan", "many_flows.py", "serve", "192.168.1.50"),
        running(cluster, "lan", "many_flows.py", "open", WAN_SERVER, str(EACH), "udp", "tcp", "icmp") as outgoing,
        running(cluster, "wan", "many_flows.py", "open", WAN_VIP, str(EACH), "tcp") as forwarded,
    ):
        before = {**outgoing.ask(), "forwarded": forwarded.ask()["tcp"]}
        assert {kind: seen["answered"] for kind, seen in before.items()} == dict.fromkeys(before, EACH)
        assert all(before[kind]["addresses"] == [WAN_VIP] for kind in ("udp", "tcp", "icmp")), before
        assert before["forwarded"]["addresses"] == [WAN_SERVER], "a port forward leaves the client's address alone"
        cluster.wait(lambda: len(states(cluster, "fw2")) >= 4 * EACH, "fw2 to know all flows")

        cluster.power_off("fw1")
        wait_for_roles(cluster, "fw2")
        after = {**outgoing.ask(), "forwarded": forwarded.ask()["tcp"]}
    for kind, seen in after.items():
        print(f"  {kind}: {seen['answered']} of {EACH} pass, {seen['moved']} have another source than before")
    assert {kind: (seen["answered"], seen["moved"]) for kind, seen in after.items()} == dict.fromkeys(after, (EACH, 0))
    assert {kind: seen["ports"] for kind, seen in after.items()} == dict.fromkeys(after, EACH)


def states(lab: Lab, node: str) -> list[str]:
    """The node's states that belong to the flows between LAN and WAN."""
    shown = lab.exec(node, "conntrack", "-L", check=False).splitlines()
    return [s for s in shown if "dport=7100 " in s or "dport=7101 " in s or (s.startswith("icmp") and WAN_VIP in s)]
