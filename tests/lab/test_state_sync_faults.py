"""State synchronisation when something is wrong: roles that swing, a SYNC link that is cut or slow, a flowd that dies,
keys that change, strangers. SOAK=20 makes the long runs as long as the figures ask for."""

import contextlib
import os
import signal
import socket
import ssl
import time

import pytest

from gemel.control.flowd import ReloadFlows, Resync
from tests.lab import flow_bench
from tests.lab.flow_bench import (
    SYNC,
    Bench,
    certify,
    datagrams,
    eventually,
    in_namespace,
    inject_flows,
    tcp_client,
    tcp_listener,
)
from tests.lab.flow_stories import SOAK, agree, many, memory, move, revive, role, settle_on, short_flows, widen

pytestmark = pytest.mark.lab
LONG = SOAK >= 20
BOUND = 110.0  # MiB of a flowd
WAN = "198.51.100.1"


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    if os.geteuid():
        pytest.skip("needs root")
    with flow_bench.bench(tmp_path_factory.mktemp("faults")) as made:
        widen(made)
        yield made


@pytest.fixture
def pair(room: Bench):
    """Both daemons in sync, the first node master, no states but those of the test."""
    settle_on(room, "a")
    for node in "ab":
        room.run(node, "conntrack", "-F")
        room.start(node)
    assert eventually(lambda: room.report("a") is not None and room.report("b") is not None)
    role(room, "a")
    assert eventually(room.joined), [room.report(node) for node in "ab"]
    return room


@pytest.mark.soak
def test_twenty_role_changes_under_load_lose_nothing(pair):
    with many(pair, 200, "tcp", "udp") as flows, short_flows(pair, 500) as made:
        flows.round()
        for number in range(20):
            node = "ba"[number % 2]
            move(pair, node)
            if LONG:
                time.sleep(2)
            seen = flows.round()
            assert all((kind["answered"], kind["moved"]) == (200, 0) for kind in seen.values()), (number, seen)
        assert made[0] > 500
    assert agree(pair, "a", 5)


def test_what_differs_is_found_and_mended_without_being_asked(pair):
    assert inject_flows(pair.ns("a"), 2000) == 0
    assert eventually(lambda: pair.count("b") >= 2000) and agree(pair, "a")
    pair.run("b", "conntrack", "-D", "-p", "tcp", "--orig-port-src", "1100")
    pair.run("b", "conntrack", "-D", "-p", "tcp", "--orig-port-src", "1101")
    injected = "-L", "-p", "tcp", "-d", "10.99.0.1"
    assert len(pair.run("b", "conntrack", *injected).splitlines()) == 1998
    assert eventually(lambda: len(pair.run("b", "conntrack", *injected).splitlines()) == 2000, 15)
    assert agree(pair, "a")
    repair = pair.report("a").repair
    assert repair and repair.states < 1000, repair  # a part, not the whole table


@pytest.mark.soak
@pytest.mark.parametrize("victim", ["b", "a"])
def test_a_killed_flowd_finds_its_way_back(pair, victim):
    with many(pair, 100, "tcp", "udp") as flows, short_flows(pair, 500):
        flows.round()
        assert inject_flows(pair.ns("a"), 5000) == 0
        pair.stop(victim, signal.SIGKILL)
        flows.round()
        pair.start(victim)
        assert eventually(lambda: pair.report(victim) is not None)
        role(pair, "a")
        assert eventually(pair.joined, 10) and agree(pair, "a", 10)
        move(pair, "b")
        seen = flows.round()
        assert all((kind["answered"], kind["moved"]) == (100, 0) for kind in seen.values()), seen


@pytest.mark.soak
def test_sync_is_cut_under_load(pair):
    with short_flows(pair, 1000):
        time.sleep(0.5)
        pair.run("switch", "ip", "link", "set", "a-sync", "down")
        assert inject_flows(pair.ns("a"), 3000) == 0
        pair.run("a", "conntrack", "-D", "-p", "tcp", "--orig-port-src", "1030")
        time.sleep(30 if LONG else 4)
        pair.run("switch", "ip", "link", "set", "a-sync", "up")
        cured = time.monotonic()
        assert agree(pair, "a", 10), pair.report("a")
        assert time.monotonic() - cured < 10 and memory(pair, "a") < BOUND and memory(pair, "b") < BOUND
    pair.ask("a", Resync())
    assert eventually(lambda: pair.report("b").states >= 2999)


@pytest.mark.soak
def test_a_sync_link_of_64_kbit(pair):
    before = memory(pair, "a")
    for node in "ab":
        pair.run(node, "tc", "qdisc", "add", "dev", "sync", "root", "tbf", "rate", "64kbit", "burst", "2kb",
                 "latency", "400ms")
    try:
        with short_flows(pair, 400):
            assert inject_flows(pair.ns("a"), 3000) == 0
            time.sleep(60 if LONG else 10)
            assert memory(pair, "a") < min(BOUND, before + 40)
    finally:
        for node in "ab":
            pair.run(node, "tc", "qdisc", "del", "dev", "sync", "root")
    assert agree(pair, "a", 10), [(report.comparison, report.bulk_out, report.problems, report.counters)
                                  for report in map(pair.report, "ab")]
    assert memory(pair, "b") < BOUND


def test_a_new_key_needs_no_restart_of_the_other_side(pair):
    pid = pair.processes["b"].pid
    assert inject_flows(pair.ns("a"), 50) == 0
    certify(pair.folder, "new")
    pair.start("a", key=f"{pair.folder}/new.key", certificate=f"{pair.folder}/new.pem")
    assert eventually(lambda: pair.report("a").status == "refused", 10)
    problems = " ".join(pair.report("b").problems)
    assert "the other side's certificate is not the pinned one: it shows " in problems, problems
    assert "this node's certificate is" in problems and "the pinned peer's" in problems
    pair.start("b", peer_certificate=f"{pair.folder}/new.pem")
    assert eventually(pair.joined, 8) and agree(pair, "a")
    assert pair.processes["b"].pid == pid
    for node in "ab":
        pair.start(node)
    assert eventually(pair.joined, 8)


def test_a_rule_that_is_taken_away_ends_the_stream(pair):
    pair.start("b", admits=False)
    assert eventually(lambda: pair.report("b").status == "one way", 5)
    assert "add one that passes protocol pfsync" in pair.report("b").receiving
    pair.start("b")
    assert eventually(pair.joined, 8)


def session(pair: Bench, name: str | None, act: bytes = b"") -> tuple[bytes, str]:
    """Talk TLS from the backup's namespace to the master's port; what was sent, byte by byte, and how it ended."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if name:
        context.load_cert_chain(f"{pair.folder}/{name}.pem", f"{pair.folder}/{name}.key")
    inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls, sent, ended = context.wrap_bio(inside, outside), b"", "open"
    with tcp_client(pair.ns("b"), SYNC["a"], 3240) as s:
        s.settimeout(1.0)
        steps = [tls.do_handshake, lambda: tls.write(act) if act else 0, lambda: tls.read(1)]
        while steps:
            try:
                steps[0]()
                steps.pop(0)
            except ssl.SSLWantReadError:
                data = outside.read()
                sent += data
                s.sendall(data)
                try:
                    heard = s.recv(65536)
                except TimeoutError:
                    break
                if not heard:
                    ended = "hung up"
                    break
                inside.write(heard)
            except ssl.SSLError as error:
                ended = error.reason or "refused"
                break
    return sent, ended


def test_strangers_and_recordings_learn_nothing_and_inject_nothing(pair):
    pair.stop("b")  # its place is free
    count, before = pair.count("a"), pair.report("a")
    strangers = before.counters["strangers"]
    for name in (None, "stranger"):
        _, ended = session(pair, name, b"x" * 40)
        assert ended != "open", (name, ended)
    recording, ended = session(pair, "b", b"\0\0\0\x27\1GEMX" + bytes(34))  # the right key, and no protocol of ours
    assert len(recording) > 1000 and ended in ("hung up", "open")
    with tcp_client(pair.ns("b"), SYNC["a"], 3240) as s:
        s.settimeout(3)
        s.sendall(recording)
        with contextlib.suppress(OSError):
            while s.recv(65536):
                pass
    with tcp_client(pair.ns("b"), SYNC["a"], 3240) as s:
        s.sendall(os.urandom(5000))
    assert eventually(lambda: pair.report("a").counters["strangers"] >= strangers + 4), pair.report("a").counters
    report = pair.report("a")
    assert pair.count("a") <= count + 20 and report.received == before.received
    assert report.receiving.startswith("not receiving"), report.receiving
    revive(pair, "b")
    role(pair, "a")


def test_states_of_the_firewall_itself_of_sync_and_of_rules_that_say_so_stay_here(pair):
    pair.start("a", ignore=["172.16.1.0/24", "192.168.1.2/32", "198.51.100.201/32", "2001:db8:1::2/128"])
    pair.ask("a", ReloadFlows())
    with tcp_listener(pair.ns("a"), 7008) as listener, tcp_client(pair.ns("lan"), "192.168.1.2", 7008), \
            datagrams(pair.ns("lan")) as client, datagrams(pair.ns("a")) as own:
        listener.accept()[0].close()
        own.sendto(b"x", (WAN, 7010))  # from the firewall
        client.sendto(b"x", (WAN, 7099))  # a rule without state synchronisation
        client.sendto(b"x", (WAN, 7011))
        with in_namespace(pair.ns("lan"), lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as six:
            six.sendto(b"x", ("2001:db8:1::2", 7012))
        assert eventually(lambda: "dport=7011" in pair.run("b", "conntrack", "-L"))
        mine = pair.run("a", "conntrack", "-L") + pair.run("a", "conntrack", "-L", "-f", "ipv6")
        assert all(f"dport={port}" in mine for port in (7008, 7010, 7099, 7011, 7012)), mine
        pair.ask("a", Resync())
        time.sleep(0.3)
        theirs = pair.run("b", "conntrack", "-L") + pair.run("b", "conntrack", "-L", "-f", "ipv6")
        assert not any(f"dport={port} " in theirs for port in (7008, 7010, 7099, 7012)), theirs
        sync = [line for line in theirs.splitlines() if "172.16.1." in line and "dport=3240" in line]
        assert len(sync) == 2, sync  # its own ends of the two streams
        assert agree(pair, "a")
    pair.start("a")


@pytest.mark.soak
def test_a_flow_does_not_expire_on_the_backup_while_it_lives(pair):
    """SOAK=20: three and a half minutes, more than a lease."""
    seconds = 210 if LONG else 3
    with datagrams(pair.ns("wan"), 7005) as server, datagrams(pair.ns("lan")) as client:
        until = time.monotonic() + seconds
        source = None
        while time.monotonic() < until:
            client.sendto(b"1", (WAN, 7005))
            _, seen = server.recvfrom(10)
            server.sendto(b"2", seen)
            client.recv(10)
            source = source or seen
            assert seen == source
            time.sleep(1)
            assert "dport=7005" in pair.run("b", "conntrack", "-L", "-p", "udp")
        move(pair, "b")
        client.sendto(b"3", (WAN, 7005))
        assert server.recvfrom(10) == (b"3", source)
