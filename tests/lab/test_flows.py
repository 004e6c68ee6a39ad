"""Real packets through two nodes: what the first one knows, the second one does."""

import contextlib
import os
import signal
import time

import pytest

from gemel.control.flowd import FlushFlows, Resync, RoleChanged
from tests.lab import flow_bench
from tests.lab.flow_bench import Bench, echo, eventually, inject_flows

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    if os.geteuid():
        pytest.skip("needs root")
    with flow_bench.bench(tmp_path_factory.mktemp("flows")) as made:
        yield made


@pytest.fixture
def pair(room: Bench):
    """Both daemons in sync, the first node master, no states but those of the test."""
    room.settle_on("a")
    for node in "ab":
        room.run(node, "conntrack", "-F")
        room.start(node)
    assert eventually(lambda: room.report("a") is not None and room.report("b") is not None)
    role(room, "a")
    assert eventually(room.joined), [room.report(node) for node in "ab"]
    yield room
    for node in "ab":
        room.run(node, "nft", "flush", "chain", "ip", "filter", "input")


def role(room: Bench, master: str) -> None:
    for node in sorted("ab", key=lambda n: n == master):
        room.ask(node, RoleChanged(node == master))


def move(room: Bench, node: str) -> None:
    """A planned hand-over, without CARP."""
    other = "b" if node == "a" else "a"
    assert room.ask(other, FlushFlows(2.0))
    role(room, node)
    room.settle_on(node)


def talk(client, server, text: bytes) -> bool:
    client.sendall(text)
    return server.recv(100) == text and (server.sendall(text[::-1]) or client.recv(100) == text[::-1])


def test_tcp_connection_survives_three_round_trips(pair):
    with flow_bench.tcp_listener(pair.ns("wan"), 7001) as listener, \
            flow_bench.tcp_client(pair.ns("lan"), "198.51.100.1", 7001) as client:
        server, (address, _) = listener.accept()
        server.settimeout(5)
        client.settimeout(5)
        assert address == "198.51.100.200"
        assert talk(client, server, b"before")
        for node in "bababa":
            move(pair, node)
            assert talk(client, server, f"on {node}".encode())
        server.close()


def test_udp_flow_keeps_its_translated_port(pair):
    with flow_bench.datagrams(pair.ns("wan"), 7002) as server, flow_bench.datagrams(pair.ns("lan")) as client:
        client.sendto(b"1", ("198.51.100.1", 7002))
        _, source = server.recvfrom(10)
        assert source[0] == "198.51.100.200"
        server.sendto(b"2", source)
        assert client.recv(10) == b"2"
        move(pair, "b")
        server.sendto(b"3", source)
        assert client.recv(10) == b"3"
        client.sendto(b"4", ("198.51.100.1", 7002))
        assert server.recvfrom(10) == (b"4", source)


def test_port_forward_is_translated_at_the_second_node(pair):
    with flow_bench.tcp_listener(pair.ns("lan"), 80) as listener, \
            flow_bench.tcp_client(pair.ns("wan"), "198.51.100.200", 8080) as client:
        server, _ = listener.accept()
        server.settimeout(5)
        client.settimeout(5)
        assert talk(client, server, b"before")
        move(pair, "b")
        assert talk(client, server, b"after")
        server.close()


def test_echo_stream_goes_on(pair):
    assert echo(pair.ns("lan"), "198.51.100.1", 4711, 1)
    assert eventually(lambda: any("id=4711" in line for line in pair.states("b")))
    move(pair, "b")
    assert echo(pair.ns("lan"), "198.51.100.1", 4711, 2)
    assert not echo(pair.ns("lan"), "198.51.100.1", 4712, 1)  # b has no NAT rules: a new flow goes nowhere


def test_tables_list_the_same(pair):
    with flow_bench.tcp_listener(pair.ns("wan"), 7003) as listener, \
            flow_bench.tcp_client(pair.ns("lan"), "198.51.100.1", 7003), flow_bench.datagrams(pair.ns("lan")) as client:
        server, _ = listener.accept()
        client.sendto(b"x", ("198.51.100.1", 9999))
        assert echo(pair.ns("lan"), "198.51.100.1", 99, 1)
        assert eventually(lambda: len(pair.states("a")) >= 3 and pair.states("a") == pair.states("b"))
        server.close()


def test_an_ended_state_ends_at_the_peer(pair):
    assert inject_flows(pair.ns("a"), 10) == 0
    assert eventually(lambda: pair.run("b", "conntrack", "-L").count("10.99.0.1") == 20)
    pair.run("a", "conntrack", "-D", "-p", "tcp", "--orig-port-src", "1025")
    assert eventually(lambda: pair.run("b", "conntrack", "-L").count("10.99.0.1") == 18, 2.0)
    pair.run("b", "conntrack", "-D", "-p", "tcp", "--orig-port-src", "1026")  # the backup's word does not count
    time.sleep(0.2)
    assert pair.run("a", "conntrack", "-L").count("10.99.0.1") == 18


def test_bulk_after_a_kill_and_what_ended_meanwhile(pair):
    assert inject_flows(pair.ns("a"), 20_000) == 0
    assert eventually(lambda: pair.count("b") >= 20_000, 10)
    pair.stop("b", signal.SIGKILL)
    pair.run("a", "conntrack", "-D", "-p", "tcp", "--orig-port-src", "1025")
    inject_flows(pair.ns("a"), 100, first=20_000)
    pair.start("b")
    assert eventually(lambda: pair.report("b") is not None)
    pair.ask("b", RoleChanged(False))
    pair.ask("a", Resync())
    assert eventually(lambda: pair.joined() and _named(pair, "a") == _named(pair, "b"), 10)
    assert pair.report("b").creators["1"] >= 20_099
    pair.stop("a", signal.SIGKILL)
    pair.run("b", "conntrack", "-D", "-p", "tcp", "--orig-port-src", "1030")
    pair.start("a")
    assert eventually(lambda: pair.report("a") is not None)
    pair.ask("a", RoleChanged(True))
    assert eventually(lambda: pair.joined() and _named(pair, "a") == _named(pair, "b"), 10)


def _named(room: Bench, node: str) -> int:
    """A digest of the injected flows."""
    lines = room.run(node, "conntrack", "-L", "-d", "10.99.0.1").splitlines()
    return hash(frozenset(" ".join(line.split()[3:]) for line in lines))


def test_each_direction_depends_on_the_receivers_rule(pair):
    pair.run("b", "nft", "add", "rule", "ip", "filter", "input", "tcp", "dport", "3240", "drop")
    assert eventually(lambda: pair.report("a").status == "one way", 12)
    assert eventually(lambda: "connection timed out: the peer's rule for pfsync" in pair.report("a").sending)
    assert pair.report("a").receiving == "receiving from 172.16.1.3"
    assert "this node's own rule for pfsync on its SYNC interface is missing" in pair.report("b").receiving
    pair.run("b", "nft", "flush", "chain", "ip", "filter", "input")
    assert eventually(pair.joined, 6)


def test_a_stranger_is_refused_and_reported(pair):
    folder = pair.folder
    pair.start("b", key=f"{folder}/stranger.key", certificate=f"{folder}/stranger.pem")
    assert eventually(lambda: pair.report("a").status == "refused", 8)
    report = pair.report("a")
    assert "certificate is not the pinned one" in report.sending + report.receiving
    assert any(text.startswith("this node's certificate is ") and "the pinned peer's" in text
               for text in report.problems)
    inject_flows(pair.ns("b"), 5)
    pair.start("b")
    assert eventually(pair.joined, 8)


def test_plain_text_and_half_open_streams_do_no_harm(pair):
    with contextlib.ExitStack() as open_streams:
        for _ in range(12):
            s = open_streams.enter_context(flow_bench.tcp_client(pair.ns("b"), "172.16.1.2", 3240))
            s.sendall(b"GET / HTTP/1.0\r\n\r\n" if _ % 2 else b"")
        assert inject_flows(pair.ns("a"), 50) == 0
        assert eventually(lambda: pair.count("b") >= 50)
    assert eventually(lambda: pair.report("a").counters["strangers"] >= 6 and pair.joined())


def test_the_same_host_id_on_both_is_a_problem(pair):
    pair.start("b", host_id="1")
    assert eventually(lambda: any("both nodes have the filter host ID 1" in text for text in pair.report("a").problems))
    pair.start("b")
    assert eventually(lambda: pair.joined() and not pair.report("a").problems, 6)


def test_waiting_for_the_peers_certificate_then_going_on(pair):
    late = pair.folder / "late.pem"
    pair.start("b", peer_certificate=str(late))
    assert eventually(lambda: pair.report("b").status == "waiting")
    assert "the peer is not known yet" in pair.report("b").sending
    late.write_bytes((pair.folder / "a.pem").read_bytes())
    assert eventually(pair.joined, 8)
    pair.start("b", enabled=False)
    assert eventually(lambda: pair.report("b").status == "off" and pair.report("b").in_sync)


def test_udp_flow_outlives_its_timeout_on_the_backup(pair):
    """The kernel tells nobody that a timeout was refreshed, so the copy has a lease that is longer."""
    pair.run("a", "sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=4",
             "net.netfilter.nf_conntrack_udp_timeout_stream=4")
    with flow_bench.datagrams(pair.ns("wan"), 7004) as server, flow_bench.datagrams(pair.ns("lan")) as client:
        source = None
        for _ in range(20):
            client.sendto(b"1", ("198.51.100.1", 7004))
            _, seen = server.recvfrom(10)
            server.sendto(b"2", seen)
            client.recv(10)
            source = source or seen
            assert seen == source
            time.sleep(0.5)
        move(pair, "b")
        client.sendto(b"4", ("198.51.100.1", 7004))
        assert server.recvfrom(10) == (b"4", source)
