"""A computer on a segment of a lab that asks for its address: Debian's dhclient or busybox's udhcpc."""

import json
import signal
import subprocess
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from gemel.lab import namespace
from gemel.lab.dhcp_clients import random_mac
from gemel.lab.lab import Lab
from gemel.lab.namespace import LabError
from gemel.lab.topology import SWITCH

DHCLIENT_SCRIPT = """#!/bin/sh
case "$reason" in
BOUND|RENEW|REBIND|REBOOT)
    ip address replace "$new_ip_address/24" dev "$interface" brd +
    [ -z "$new_routers" ] || ip route replace default via "${new_routers%% *}"
    echo "$reason $new_ip_address $new_routers $new_domain_name_servers $new_dhcp_server_identifier" >>"$SEEN" ;;
EXPIRE|FAIL|RELEASE|STOP) ip address flush dev "$interface" ;;
esac
"""
DHCLIENT6_SCRIPT = """#!/bin/sh
case "$reason" in
BOUND6|RENEW6|REBIND6)
    [ -z "$new_ip6_address" ] || ip -6 address replace "$new_ip6_address/128" dev "$interface"
    address="$new_ip6_address$new_ip6_prefix"
    echo "$reason $address ${new_dhcp6_name_servers:--} ${new_dhcp6_domain_search:--} $new_dhcp6_server_id" >>"$SEEN" ;;
esac
"""
UDHCPC_SCRIPT = """#!/bin/sh
case "$1" in
bound|renew)
    ip address replace "$ip/24" dev "$interface" brd +
    [ -z "$router" ] || ip route replace default via "${router%% *}"
    echo "$1 $ip $router $dns $serverid" >>"$SEEN" ;;
deconfig) ip address flush dev "$interface" ;;
esac
"""


class DhcpHost:
    """One such computer. Leave it with `close`, or use it in a with statement."""

    def __init__(self, lab: Lab, name: str, segment: str = "lan", mac: str = "") -> None:
        self.lab, self.name = lab, f"{lab.name}-{name}"
        self.mac = mac or random_mac()
        self._folder = Path(mkdtemp(prefix=f"{self.name}-"))
        self._running: subprocess.Popen[bytes] | None = None
        switch, port = f"{lab.name}-{SWITCH}", f"h-{name}"[:15]
        namespace.delete(self.name)
        namespace.run("ip", "-n", switch, "link", "delete", port, check=False)
        namespace.add(self.name)
        # Its link-local address counts at once: dhclient -6 does not wait until nobody else has it.
        self.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        namespace.ip(
            self.name, f"link add eth0 address {self.mac} type veth peer name {port} netns {switch}", "link set eth0 up"
        )
        namespace.ip(switch, f"link set {port} master {segment}", f"link set {port} up")

    def __enter__(self) -> "DhcpHost":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Unplug it."""
        self.stop()
        namespace.delete(self.name)

    def run(self, *argv: str, check: bool = True, timeout: float = 30) -> str:
        """Run a command on it."""
        return namespace.run("ip", "netns", "exec", self.name, *argv, check=check, timeout=timeout)

    def dhclient(self) -> None:
        """Start ISC's client, which stays and renews; it says its name, and asks for a lease that it had before."""
        settings = self._folder / "conf"
        settings.write_text(f'send host-name "{self.name}";\n')
        leases = self._folder / "leases"
        leases.touch()
        script = self._script(DHCLIENT_SCRIPT)
        self._start("dhclient", "-d", "-cf", str(settings), "-lf", str(leases), "-pf", str(self._folder / "pid"), "-sf",
                    script, "eth0")  # fmt: skip

    def dhclient6(self, *options: str) -> None:
        """Start ISC's client for DHCPv6, which stays and renews; its DUID is made of its MAC. `-P`: asks for a prefix.
        Its events are reason, address or prefix, DNS servers, search list, the server's DUID."""
        settings = self._folder / "conf"
        settings.write_text("also request dhcp6.name-servers, dhcp6.domain-search;\n")
        leases = self._folder / "leases6"
        leases.touch()
        script = self._script(DHCLIENT6_SCRIPT)
        self._start("dhclient", "-6", "-d", *options, "-D", "LL", "-cf", str(settings), "-lf", str(leases), "-pf",
                    str(self._folder / "pid"), "-sf", script, "eth0")  # fmt: skip

    def lookup(self, server: str, name: str, patience: float = 5.0) -> dict[str, Any]:
        """The answer of a DNS server: addresses (None: no answer), seconds, code."""
        program = str(Path(__file__).with_name("dns_query.py"))
        printed = self.run("python3", program, server, name, str(patience), timeout=patience + 10)
        answer: dict[str, Any] = json.loads(printed)
        return answer

    def udhcpc(self) -> None:
        """Start busybox's client, which stays and renews."""
        self._start("udhcpc", "-f", "-i", "eth0", "-s", self._script(UDHCPC_SCRIPT), "-t", "20", "-T", "1", "-A", "1")

    def renew(self) -> None:
        """Have udhcpc renew now: to its server alone, not to everybody."""
        assert self._running
        self._running.send_signal(signal.SIGUSR1)

    def stop(self) -> None:
        """The client ends without giving its address back."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None

    @property
    def events(self) -> list[list[str]]:
        """What the client has said so far: reason, address, gateway, DNS server, DHCP server."""
        seen = self._folder / "seen"
        return [line.split() for line in seen.read_text().splitlines()] if seen.exists() else []

    def wait_for(self, count: int, patience: float) -> list[str]:
        """The event number `count`.

        Raises:
            LabError: it did not come within `patience` seconds.
        """
        deadline = time.monotonic() + patience
        while len(self.events) < count:
            if time.monotonic() > deadline:
                raise LabError(f"{self.name}: {len(self.events)} DHCP events after {patience} s, {count} expected")
            time.sleep(0.01)
        return self.events[count - 1]

    def _script(self, text: str) -> str:
        path = self._folder / "script"
        path.write_text(text.replace("$SEEN", str(self._folder / "seen")))
        path.chmod(0o755)
        return str(path)

    def _start(self, *argv: str) -> None:
        self.stop()
        with (self._folder / "log").open("ab") as log:
            self._running = subprocess.Popen(
                ("ip", "netns", "exec", self.name, *argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )


def crowd(
    lab: Lab, *arguments: str, host: str = "lan", timeout: float = 60, program: str = "dhcp_clients"
) -> list[dict[str, Any]]:
    """Run `dhcp_clients`, or `dhcp6_clients`, on a host of the lab; the clients as it printed them."""
    program = str(Path(__file__).with_name(f"{program}.py"))
    printed = lab.exec(host, "python3", program, "eth0", *arguments, timeout=timeout)
    return [json.loads(line) for line in printed.splitlines()]
