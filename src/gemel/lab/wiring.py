"""Segments, devices and cables: bridges in a namespace of their own, and a veth pair for each cable."""

from gemel.lab import namespace
from gemel.lab.topology import NODES, SWITCH, Host, mac

QUIET = ["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"]


DEAD_WIRES = """
table bridge cut_{machine} {{
    chain in {{ type filter hook prerouting priority -300; iifname "{machine}-*" drop; }}
    chain out {{ type filter hook postrouting priority -300; oifname "{machine}-*" drop; }}
}}
"""


class Wiring:
    """The cables of the lab `lab`. A port of the switch is called MACHINE-DEVICE."""

    def __init__(self, lab: str) -> None:
        self._lab = lab
        self.switch = f"{lab}-{SWITCH}"

    def build_switch(self, *segments: str) -> None:
        """Learning bridges that forward from the first frame on and flood multicast, as adverts need it."""
        namespace.add(self.switch)
        namespace.run("ip", "netns", "exec", self.switch, *QUIET)
        for segment in segments:
            self.add_segment(segment)

    def add_segment(self, segment: str) -> None:
        namespace.ip(
            self.switch,
            f"link add name {segment} type bridge forward_delay 0 mcast_snooping 0",
            f"link set {segment} up",
        )

    def connect(self, machine: str, device: str, segment: str, cable: str | None = None) -> None:
        """A card called `device` in `machine`, left down as at power-on, with its cable as `cable` says."""
        port, inside = f"{machine}-{device}", f"{self._lab}-{machine}"
        address = mac(self._lab, machine, device)
        namespace.ip(
            self.switch,
            f"link add name {port} type veth peer name {device} address {address} netns {inside}",
        )
        if cable != "silent":
            namespace.ip(self.switch, f"link set {port} master {segment}")
        if cable != "unplugged":
            namespace.ip(self.switch, f"link set {port} up")

    def connect_host(self, host: Host) -> None:
        self.connect(host.name, "eth0", host.segment)
        inside = f"{self._lab}-{host.name}"
        namespace.ip(inside, f"address add {host.address} dev eth0", "link set eth0 up")
        if host.gateway:
            namespace.ip(inside, f"route add default via {host.gateway}")
        if host.address6:
            namespace.ip(inside, f"address add {host.address6} dev eth0 nodad")
        for network, gateway in host.routes6:
            namespace.ip(inside, f"route add {network} via {gateway}")

    def cut(self, machine: str, devices: list[str], carrier: bool = False) -> None:
        """All its wires are dead, from one moment to the next. With `carrier` the switch itself does not notice, as
        where there is another one in between: it keeps what it has learnt of who is where.

        Frames vanish first, all in one transaction of the switch: ports that go down one by one would let a dying
        node tell its peer of the first loss over the last wire, which no node without power can.
        """
        self._nft(DEAD_WIRES.format(machine=machine))
        if not carrier:
            namespace.ip(self.switch, *(f"link set {machine}-{device} down" for device in devices))

    def remove(self, machine: str, devices: list[str]) -> None:
        """Pull the cards out, so that their names are free again."""
        self._nft(f"add table bridge cut_{machine}; delete table bridge cut_{machine}")
        for device in devices:
            namespace.run("ip", "-n", self.switch, "link", "delete", f"{machine}-{device}", check=False)

    def _nft(self, text: str) -> None:
        namespace.run("ip", "netns", "exec", self.switch, "nft", "-f", "-", text=text)

    def set_cable(self, port: str, segment: str, cable: str | None) -> None:
        """None: plugged in. unplugged: no carrier. silent: carrier stays and frames vanish."""
        master = "nomaster" if cable == "silent" else f"master {segment}"
        carrier = "down" if cable == "unplugged" else "up"
        namespace.ip(self.switch, f"link set {port} {master}", f"link set {port} {carrier}")


def port(node: str, device: str) -> str:
    """The switch port at the other end of a node's cable."""
    assert node in NODES
    return f"{node}-{device}"
