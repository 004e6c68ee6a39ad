"""Connections of every kind survive their firewall: real packets, a failover in the middle. SOAK says how often."""

import os
import re
import socket
import struct
import time

import pytest

from tests.lab import flow_bench
from tests.lab.flow_bench import Bench, datagrams, eventually, in_namespace, tcp_client, tcp_listener
from tests.lab.flow_stories import (
    SERVER,
    SOAK,
    Transfer,
    agree,
    arrives,
    crash,
    many,
    move,
    raw,
    revive,
    role,
    sctp,
    settle_on,
    widen,
)

pytestmark = pytest.mark.lab
WAN = "198.51.100.1"
MARKS = """table ip marks {
 chain pre {
  type filter hook prerouting priority -300
  iifname "lan" udp dport 7031 ct zone set 7
 }
 chain forward {
  type filter hook forward priority 5
  udp dport { 7030, 7031 } ct mark set 0x1234 ct label set 3
 }
}
"""


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    if os.geteuid():
        pytest.skip("needs root")
    with flow_bench.bench(tmp_path_factory.mktemp("stories")) as made:
        widen(made)
        yield made


@pytest.fixture
def pair(room: Bench):
    """Both daemons in sync, the first node master."""
    settle_on(room, "a")
    for node in "ab":
        room.start(node)
    assert eventually(lambda: room.report("a") is not None and room.report("b") is not None)
    role(room, "a")
    assert eventually(room.joined), [room.report(node) for node in "ab"]
    return room


def transfer(pair: Bench, port: int, upload: bool) -> Transfer:
    with tcp_listener(pair.ns("wan"), port) as listener:
        client = tcp_client(pair.ns("lan"), WAN, port)
        server, _ = listener.accept()
    return Transfer(client, server) if upload else Transfer(server, client)


@pytest.mark.soak
def test_transfers_at_full_speed_survive_a_dead_master(pair):
    for number in range(SOAK):
        both = [transfer(pair, 7100 + number, True), transfer(pair, 7200 + number, False)]
        assert all(one.moved() for one in both)
        crash(pair, "a")
        moved = [one.moved() for one in both]
        assert [one.finish() for one in both] == [True, True], (number, moved, [one.error for one in both])
        revive(pair, "a")
        move(pair, "a")


@pytest.mark.soak
def test_transfers_at_full_speed_survive_planned_round_trips(pair):
    both = [transfer(pair, 7300, True), transfer(pair, 7301, False)]
    for _ in range(SOAK):
        for node in "ba":
            assert all(one.moved() for one in both), [one.error for one in both]
            move(pair, node)
    assert [one.finish() for one in both] == [True, True], [one.error for one in both]


def test_a_udp_flow_outlives_ten_timeouts_and_a_failover(pair):
    for node in "ab":
        pair.run(node, "sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=1",
                 "net.netfilter.nf_conntrack_udp_timeout_stream=1")
    with datagrams(pair.ns("wan"), 7002) as server, datagrams(pair.ns("lan")) as client:
        seen = set()
        for number in range(40):
            if number == 36:
                crash(pair, "a")
            client.sendto(b"1", (WAN, 7002))
            _, source = server.recvfrom(10)
            server.sendto(b"2", source)
            assert client.recv(10) == b"2"
            seen.add(source)
            time.sleep(0.28)
    assert len(seen) == 1 and next(iter(seen))[0] == "198.51.100.200"
    for node in "ab":
        pair.run(node, "sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=300",
                 "net.netfilter.nf_conntrack_udp_timeout_stream=300")
    revive(pair, "a")


@pytest.mark.parametrize("port", [8080, 8081], ids=["forwarded", "forwarded and source-translated"])
def test_a_port_forward_survives(pair, port):
    with tcp_listener(pair.ns("lan"), port - 8000) as listener, \
            tcp_client(pair.ns("wan"), "198.51.100.200", port) as client:
        server, (address, _) = listener.accept()
        server.settimeout(5)
        assert address == (WAN if port == 8080 else "192.168.1.1")
        with server:
            for node in (None, "crash"):
                if node:
                    mine = ("conntrack", "-L", "-p", "tcp", "--orig-port-dst", str(port))
                    assert eventually(lambda mine=mine: "ASSURED" in pair.run("b", *mine))
                    crash(pair, "a")
                client.sendall(b"ask")
                assert server.recv(10) == b"ask"
                server.sendall(b"answer")
                assert client.recv(10) == b"answer"
    revive(pair, "a")


def test_an_ipv6_connection_survives_with_its_translation(pair):
    def listen() -> socket.socket:
        return socket.create_server((SERVER, 7006), family=socket.AF_INET6)

    listener = in_namespace(pair.ns("wan"), listen)
    with listener, in_namespace(pair.ns("lan"), lambda: socket.create_connection((SERVER, 7006), 5)) as client:
        listener.settimeout(5)
        server, (address, *_) = listener.accept()
        assert address == "2001:db8:2::200"
        with server:
            server.settimeout(5)
            for node in (None, "b", "a", "crash"):
                if node == "crash":
                    crash(pair, "a")
                elif node:
                    move(pair, node)
                client.sendall(b"six")
                assert server.recv(10) == b"six"
                server.sendall(b"seven")
                assert client.recv(10) == b"seven"
    revive(pair, "a")


@pytest.mark.parametrize("announced", ["before", "after"])
def test_active_ftp_opens_its_data_connection_through_the_other_node(pair, announced):
    """The control connection is from before; the port is announced before the failover (the expectation travels), or
    after it (the helper on the other node goes on with a connection that it has not seen)."""
    with tcp_listener(pair.ns("wan"), 21) as listener, tcp_client(pair.ns("lan"), WAN, 21) as client, \
            tcp_listener(pair.ns("lan"), 0) as waiting:
        server, _ = listener.accept()
        server.settimeout(5)
        client.sendall(b"USER x\r\n")
        assert server.recv(100) == b"USER x\r\n"
        server.sendall(b"230 ok\r\n")
        assert client.recv(100)
        port = waiting.getsockname()[1]

        def announce() -> tuple[str, int]:
            client.sendall(f"PORT 192,168,1,50,{port >> 8},{port & 255}\r\n".encode())
            numbers = list(map(int, re.findall(rb"\d+", server.recv(100))))
            return ".".join(map(str, numbers[:4])), numbers[4] << 8 | numbers[5]

        if announced == "before":
            where = announce()
            assert eventually(lambda: "dport=" in pair.run("b", "conntrack", "-L", "expect"))
        move(pair, "b")
        if announced == "after":
            where = announce()
        assert where[0] == "198.51.100.200"

        def connect() -> socket.socket:
            s = socket.socket()
            s.settimeout(5)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((WAN, 20))
            s.connect(where)
            return s

        with in_namespace(pair.ns("wan"), connect) as data:
            got, _ = waiting.accept()
            got.settimeout(5)
            data.sendall(b"file")
            assert got.recv(10) == b"file"
            server.sendall(b"226 done\r\n")
            assert client.recv(100) == b"226 done\r\n"
            client.sendall(b"QUIT\r\n")  # its sequence numbers are still adjusted
            assert server.recv(100) == b"QUIT\r\n"
            assert eventually(lambda: f"dport={port}" in pair.run("a", "conntrack", "-L", "-p", "tcp"))
            move(pair, "a")
            data.sendall(b"more")
            assert got.recv(10) == b"more"
            client.sendall(b"NOOP\r\n")
            assert server.recv(100) == b"NOOP\r\n"
            got.close()
        server.close()


def test_an_sctp_association_survives(pair):
    """By raw packets: this kernel tracks SCTP, but may have no sockets for it."""
    with raw(pair.ns("lan"), 132) as client, raw(pair.ns("wan"), 132) as server:
        outside = None
        steps = (
            (1, 0, 1, struct.pack("!IIHHI", 0x11111111, 65536, 1, 1, 1)),  # INIT
            (0, 0x11111111, 2, struct.pack("!IIHHI", 0x22222222, 65536, 1, 1, 1)),  # INIT ACK
            (1, 0x22222222, 10, b"cooc"), (0, 0x11111111, 11, b""),  # COOKIE ECHO, COOKIE ACK
            (1, 0x22222222, 4, b"\0\1\0\x08beat"), (0, 0x11111111, 5, b"\0\1\0\x08beat"),  # HEARTBEAT, ACK
        )
        for number, (out, tag, kind, value) in enumerate(steps):
            if number == 4:
                assert eventually(lambda: "sctp" in pair.run("b", "conntrack", "-L", "-p", "sctp"))
                move(pair, "b")
            if out:
                packet = sctp(5000, 6000, tag, kind, value)
                client.sendto(packet, (WAN, 0))
                seen = arrives(server, packet)
                assert seen and seen[0] == "198.51.100.200", (number, seen)
                outside = struct.unpack_from("!H", seen[1])[0]
            else:
                packet = sctp(6000, outside, tag, kind, value)
                server.sendto(packet, ("198.51.100.200", 0))
                assert arrives(client, packet), number
    move(pair, "a")


def test_a_gre_tunnel_survives(pair):
    with raw(pair.ns("lan"), 47) as client, raw(pair.ns("wan"), 47) as server:
        for number in range(8):
            if number == 4:
                assert eventually(lambda: "SEEN_REPLY" in _gre(pair) or "UNREPLIED" not in _gre(pair))
                crash(pair, "a")
            packet = b"\0\0\x08\0" + f"{number:04}".encode()
            client.sendto(packet, (WAN, 0))
            seen = arrives(server, packet)
            assert seen and seen[0] == "198.51.100.200", number
            server.sendto(packet, ("198.51.100.200", 0))
            assert arrives(client, packet), number
    revive(pair, "a")


def _gre(pair: Bench) -> str:
    return pair.run("b", "conntrack", "-L", "-p", "gre") or "UNREPLIED"


def test_marks_labels_and_zones_travel(pair):
    for node in "ab":
        pair.run(node, "nft", "-f", "-", text=MARKS)
    try:
        with datagrams(pair.ns("lan")) as client:
            for port in (7030, 7031):
                client.sendto(b"x", (WAN, port))
            assert eventually(lambda: pair.run("b", "conntrack", "-L", "-p", "udp").count("mark=4660") == 2)
            tables = [pair.run(node, "conntrack", "-L", "-p", "udp", "-o", "labels") for node in "ab"]
            listed = [sorted(re.findall(r"dport=703\d|zone=\d+|mark=\d+|labels=\S+", line))
                      for table in tables for line in table.splitlines() if "703" in line]
            assert len(listed) == 4 and sorted(listed[:2]) == sorted(listed[2:]), listed
            assert any("zone=7" in words for words in listed), listed
            assert agree(pair, "a")
    finally:
        for node in "ab":
            pair.run(node, "nft", "delete", "table", "ip", "marks")


def test_ten_thousand_idle_connections_all_answer_afterwards(pair):
    count = 10_000
    with many(pair, count, "tcp") as flows:
        first = flows.round()["tcp"]
        assert (first["answered"], first["addresses"]) == (count, ["198.51.100.200"]), first
        assert agree(pair, "a")
        crash(pair, "a")
        after = flows.round()["tcp"]
        assert (after["answered"], after["moved"]) == (count, 0), after
    revive(pair, "a")
