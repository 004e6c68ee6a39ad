"""The kernel with the compiled text loaded does what the interpreter says: which rule decides, what is translated."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from gemel.rules.addresses import address_text, parse_range
from gemel.rules.counters import read_counters
from gemel.rules.delta import delta
from gemel.rules.interpret import Interpreter, Outcome, Packet, holds
from gemel.rules.ir import Interface, Policy
from gemel.rules.nft import compile
from tests.unit.rules.strategies import long_list, packets, policies

pytestmark = pytest.mark.lab

DEVICES = ("wan", "lan", "other")
OWN = ("192.168.1.2/24", "203.0.113.2/24", "2001:db8::2/64")
TO_WAN = (parse_range("203.0.113.0/24"), parse_range("2001:db8::/64"))
FORWARDED = "02:00:00:00:00:99"  # every neighbour's address: nobody is there, nobody has to answer

SENDER = """
import socket, sys
for line in sys.stdin:
    device, frame = line.split()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind((device, 0)); s.send(bytes.fromhex(frame))
    print("sent", flush=True)
"""


class Firewall:
    """A namespace with three devices, and another one that holds their far ends and stays silent by itself."""

    def __init__(self, tag: str) -> None:
        self._near, self._far = f"{tag}-fw", f"{tag}-far"

    def up(self) -> None:
        for namespace in (self._near, self._far):
            _run(f"ip netns add {namespace}", f"ip -n {namespace} link set lo up")
        _run(f"ip netns exec {self._far} sysctl -qw net.ipv6.conf.all.disable_ipv6=1"
             " net.ipv6.conf.default.disable_ipv6=1")  # fmt: skip
        self._in("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0"
                 " net.ipv4.conf.default.rp_filter=0 net.ipv4.conf.all.send_redirects=0"
                 " net.ipv4.conf.default.send_redirects=0 net.ipv6.conf.default.accept_dad=0")  # fmt: skip
        for device in DEVICES:
            _run(f"ip link add {device} netns {self._near} type veth peer name {device} netns {self._far}",
                 f"ip -n {self._far} link set {device} up", f"ip -n {self._near} link set {device} up")  # fmt: skip
        for address, device in zip(OWN, ("lan", "wan", "wan"), strict=True):
            nodad = " nodad" if ":" in address else ""
            _run(f"ip -n {self._near} addr add {address} dev {device}{nodad}")
        for gateway in ("192.168.1.99", "fe80::99"):
            _run(f"ip -n {self._near} neigh replace {gateway} lladdr {FORWARDED} dev lan nud permanent")
        _run(f"ip -n {self._near} route add default via 192.168.1.99 dev lan",
             f"ip -n {self._near} -6 route add default via fe80::99 dev lan")  # fmt: skip
        self._sender = subprocess.Popen(
            ["ip", "netns", "exec", self._far, sys.executable, "-c", SENDER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._mac = {d: self._in(f"cat /sys/class/net/{d}/address").strip() for d in DEVICES}

    def down(self) -> None:
        if hasattr(self, "_sender"):
            self._sender.kill()
            self._sender.wait()
        for namespace in (self._near, self._far):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)

    def load(self, text: str) -> None:
        loaded = subprocess.run(["ip", "netns", "exec", self._near, "nft", "-f", "-"], input=text, text=True,
                                capture_output=True, check=False)  # fmt: skip
        assert loaded.returncode == 0, f"{loaded.stderr[:2000]}\n{text}"

    def listing(self, *words: str) -> str:
        return self._in(f"nft {' '.join(words)} list table inet gemel")

    def decided(self, packet: Packet) -> set[str]:
        """The labels whose counters a packet moves, as the first of its flow."""
        self._in("conntrack -F")
        before = read_counters(self.listing())
        assert self._sender.stdin and self._sender.stdout
        self._sender.stdin.write(f"{packet.device} {frame(packet, self._mac[packet.device]).hex()}\n")
        self._sender.stdin.flush()
        assert self._sender.stdout.readline() == "sent\n"
        for _ in range(20):  # a veth's far end receives in a soft interrupt, which may run late on a busy machine
            after = read_counters(self.listing())
            moved = {name for name, count in after.items() if count != before.get(name)}
            if moved:
                break
        return moved

    def _in(self, command: str) -> str:
        return _run(f"ip netns exec {self._near} {command}")


def _run(*commands: str) -> str:
    printed = ""
    for command in commands:
        done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        printed += done.stdout
    return printed


@pytest.fixture(scope="module")
def firewall() -> Iterator[Firewall]:
    if os.geteuid():
        pytest.skip("needs root")
    firewall = Firewall(f"gr{os.getpid()}")
    try:
        firewall.up()
        yield firewall
    finally:
        firewall.down()


def frame(packet: Packet, mac: str) -> bytes:
    """The packet on the wire."""
    source, destination = (address_text(packet.family, a) for a in (packet.source, packet.destination))
    if packet.family == 4:
        header = IP(src=source, dst=destination, proto=packet.protocol)
    else:
        header = IPv6(src=source, dst=destination, nh=packet.protocol)
    if packet.protocol == 6:
        body = TCP(sport=packet.source_port, dport=packet.destination_port, flags="S" if packet.begins else "A")
    elif packet.protocol == 17:
        body = UDP(sport=packet.source_port, dport=packet.destination_port) / Raw(b"12345678")
    elif (packet.family, packet.protocol) == (4, 1):
        body = ICMP(type=packet.icmp_type)
    elif (packet.family, packet.protocol) == (6, 58):
        body = ICMPv6EchoRequest(type=packet.icmp_type)
    else:
        body = Raw(bytes(24))
    return bytes(Ether(src=FORWARDED, dst=mac) / header / body)


UNROUTED = tuple(map(parse_range, (
    "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/8", "fe80::/10", "ff00::/8", "192.168.1.0", "192.168.1.255",
    "203.0.113.0", "203.0.113.255", "fc00::/12",
)))  # fmt: skip


def reaches_the_rules(packet: Packet) -> bool:
    """False for what the kernel drops before netfilter's filter hooks, or what conntrack calls invalid."""
    own = tuple(parse_range(a.split("/")[0]) for a in OWN)
    if holds((*UNROUTED, *own), packet.family, packet.source) or holds(UNROUTED, packet.family, packet.destination):
        return False
    if packet.protocol in (1, 58):
        return (packet.family, packet.protocol, packet.icmp_type) in ((4, 1, 8), (6, 58, 128))
    return packet.protocol != 132


def routed(packet: Packet, interpreter: Interpreter) -> Packet:
    """The packet with the device that the namespace's routes choose, after a port forward."""
    seen = interpreter.outcome(packet).seen
    if holds([parse_range(a.split("/")[0]) for a in OWN], seen.family, seen.destination):
        return replace(packet, out_device=None)
    return replace(packet, out_device="wan" if holds(TO_WAN, seen.family, seen.destination) else "lan")


def labels(outcome: Outcome) -> set[str]:
    """What should count this packet."""
    found = {outcome.decided_by}
    found |= {translation.id for translation in (outcome.forward, outcome.mapping) if translation}
    return found


CALM = settings(
    max_examples=12, deadline=None, phases=[Phase.generate], derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much,
                           HealthCheck.data_too_large],
)  # fmt: skip


@CALM
@given(policies(most=40), st.lists(packets().filter(reaches_the_rules), min_size=10, max_size=15))
def test_the_kernel_agrees_with_the_interpreter(firewall: Firewall, policy: Policy, some: list[Packet]) -> None:
    firewall.load(compile(policy).text())
    interpreter = Interpreter(policy)
    for packet in some:
        outcome = interpreter.outcome(routed(packet, interpreter))
        assert firewall.decided(packet) == labels(outcome), (packet, outcome)


def test_a_long_list_decides_as_its_rules_do_one_by_one(firewall: Firewall) -> None:
    policy = Policy((Interface("lan", "lan", long_list(2000, 5)),))
    firewall.load(compile(policy).text())
    interpreter, chance = Interpreter(policy), random.Random(3)
    for _ in range(80):
        source, destination = ((10 << 24) + chance.randrange(4 << 16) + 1 for _ in range(2))
        port = chance.choice((22, 53, 80, 443, chance.randrange(1, 60000)))
        packet = Packet("lan", 4, chance.choice((6, 17)), source, destination, 999, port, out_device="lan")
        outcome = interpreter.outcome(packet)
        assert firewall.decided(packet) == {outcome.decided_by}, (packet, outcome)


@CALM
@given(policies(most=40), policies(most=40))
def test_a_delta_leads_where_a_full_load_leads(firewall: Firewall, first: Policy, second: Policy) -> None:
    old = compile(first)
    new = compile(second, old)
    firewall.load(old.text())
    firewall.load(delta(old, new))
    changed = firewall.listing("-s")
    firewall.load(new.text())
    assert blocks(changed) == blocks(firewall.listing("-s"))


def blocks(listing: str) -> list[str]:
    """Sets, maps and chains, in no order: what came later stands later."""
    found, block = [], []
    for line in listing.splitlines():
        block.append(line)
        if line == "\t}":
            found.append("\n".join(block[next(i for i, each in enumerate(block) if each.startswith("\t")):]))
            block = []
    return sorted(found)
