"""Stories of one node that goes and comes back: without power, and by a reboot."""

import math
import re
import time
from datetime import UTC, datetime

from gemel.lab.namespace import LabError
from gemel.lab.topology import LAN_VIP, WAN_VIP
from gemel.lab.traffic import Traffic
from gemel.lab.vm.pair import PATIENCE, Pair

LIVES = 7200.0  # seconds that the probes run at most
STEP = 0.005  # seconds between two packets of the flow: a thousand in a second keep an emulated machine busy
CALM = 5.0  # seconds before and after something happens

WATCH = "/root/addresses.log"
WATCHER = f"""\
[Unit]
Description=Which addresses this machine has had since it was started
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target gemel.target

[Service]
ExecStart=/bin/sh -c 'exec ip -ts monitor address >{WATCH}'

[Install]
WantedBy=sysinit.target
"""
BEFORE_A_VIP = ("gemel-agent", "gemel-flowd", "gemel-kea-dhcp4", "gemel-unbound")
ENOUGH = 1000.0  # ms: an emulated machine notices a cut in a tenth of it; CARP's own timer takes three times as long
UNPLANNED = ("no ", "peer dead")  # how carpd's reasons begin when nobody has handed over


def power(pair: Pair) -> None:
    """fw1 loses its power while connections go through it, and is started again."""
    with traffic_of(pair) as traffic:
        pair.timed("fw1 loses power", lambda: _cut(pair, traffic))
        pair.timed("fw1 boots and serves again", lambda: _back(pair, traffic))


def reboot(pair: Pair) -> None:
    """fw1 is rebooted: it hands over first, and has no virtual IP before what stands behind it is up."""
    pair.lab.exec("fw1", "tee", "/etc/systemd/system/vm-watch.service", text=WATCHER)
    pair.lab.exec("fw1", "systemctl", "enable", "vm-watch.service")
    with traffic_of(pair) as traffic:
        pair.timed("fw1 reboots in order", lambda: _reboot(pair, traffic))
        pair.timed("no virtual IP before its services are up", lambda: _order(pair))
    pair.lab.exec("fw1", "systemctl", "disable", "--now", "vm-watch.service")
    pair.lab.exec("fw1", "rm", "/etc/systemd/system/vm-watch.service", WATCH)


def traffic_of(pair: Pair, client: str = "lan") -> Traffic:
    """Traffic that a whole story lasts; it has just begun to be measured."""
    traffic = Traffic(pair.lab, LIVES, client, STEP)
    traffic.window()
    return traffic


def seen(traffic: Traffic, through: str, most: float = math.inf) -> str:
    """What became of the traffic since it was looked at last.

    Raises:
        LabError: the connection has not lived, or nothing came through for more than `most` milliseconds.
    """
    found = traffic.window()
    if found.flow.outage_ms > most:
        raise LabError(f"{through}: nothing came through for {found.flow.outage_ms:.0f} ms")
    if not found.talk.alive:
        raise LabError(f"the TCP connection did not live through {through}")
    flow = found.flow
    return (
        f"outage {flow.outage_ms:.0f} ms, {flow.lost} of {flow.sent} packets lost, TCP alive from {found.talk.source}, "
        f"its longest wait {found.talk.stall_ms:.0f} ms"
    )


def _cut(pair: Pair, traffic: Traffic) -> str:
    time.sleep(CALM)
    traffic.window()
    pair.lab.power_off("fw1")
    pair.wait_for("fw2", "MASTER")
    time.sleep(CALM)
    return seen(traffic, "the power cut", ENOUGH)


def _back(pair: Pair, traffic: Traffic) -> str:
    begun = time.monotonic()
    pair.lab.power_on("fw1")
    pair.lab.booted("fw1")
    log_in = time.monotonic() - begun
    pair.wait_for("fw1", "MASTER")
    serving = time.monotonic() - begun
    states = pair.in_roles()
    return f"log-in after {log_in:.0f} s, MASTER after {serving:.0f} s; {states}; {seen(traffic, 'the return')}"


def _reboot(pair: Pair, traffic: Traffic) -> str:
    time.sleep(CALM)
    traffic.window()
    pair.lab.reboot("fw1", PATIENCE)
    pair.wait_for("fw2", "MASTER")
    gone = f"{_handed_over(pair)}; {seen(traffic, 'the end of fw1', ENOUGH)}"
    pair.lab.booted("fw1")
    states = pair.in_roles()
    return f"handed over: {gone}; back: {states}; {seen(traffic, 'the return')}"


def _handed_over(pair: Pair) -> str:
    """Why fw2 became MASTER, in its carpd's words.

    Raises:
        LabError: it had to find out by itself that fw1 was gone.
    """
    reasons = sorted({vip["reason"] for vip in pair.status("fw2").get("carp", ())})
    if not reasons or any(reason.startswith(UNPLANNED) for reason in reasons):
        raise LabError(f"fw1 went without handing over: {reasons}")
    return ", ".join(reasons)


def _order(pair: Pair) -> str:
    """By fw1's own clocks."""
    first = _first(pair.lab.exec("fw1", "cat", WATCH))
    program = "import time; print(time.time() - time.monotonic())"
    booted = float(pair.lab.exec("fw1", "python3", "-c", program))
    names = tuple(f"{name}.service" for name in BEFORE_A_VIP)
    said = pair.lab.exec("fw1", "systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", *names)
    ready = {name: int(word) / 1e6 for name, word in zip(BEFORE_A_VIP, said.split(), strict=True)}
    vip = first - booted
    late = {name: at for name, at in ready.items() if at > vip}
    if late:
        raise LabError(f"fw1 had a virtual IP {vip:.1f} s after its start, before {late} were ready")
    return ", ".join(f"{name} ready at {at:.0f} s" for name, at in ready.items()) + f", first virtual IP at {vip:.0f} s"


def _first(log: str) -> float:
    """When a virtual IP was first there, of what `ip -ts monitor address` printed."""
    line = re.compile(rf"\[([-0-9T:.]+)\] (?!Deleted).* (?:{re.escape(WAN_VIP)}|{re.escape(LAN_VIP)})/")
    found = next(filter(None, map(line.match, log.splitlines())), None)
    if found is None:
        raise LabError(f"no virtual IP was seen to come: {log[:400]}")
    return datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp()
