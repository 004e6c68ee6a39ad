"""What this node answers itself when a host asks who has an address; for the rest the kernel does.

*IPv6 VIPs with a virtual MAC*, while master: the kernel would name the port's own MAC, and what it says is dropped (see
`rules.virtual_mac`). *Proxy ARP*: addresses that are on no interface, only translated; for one that goes with a VHID
the virtual MAC is named, while master.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, ip_address

from gemel.carp.events import Send, State
from gemel.carp.machine import Machine
from gemel.carp.neighbour import Asked, answer, question
from gemel.carp.port import Port
from gemel.carp.settings import ProxyArp

MOST_ANSWERS = 500  # in a second and for all addresses: who asks more often asks in many names


class Responder:
    """Answers in the name of addresses. `machines` and `ports` are the node's own."""

    def __init__(self, machines: Mapping[tuple[str, int], Machine], ports: Mapping[str, Port]) -> None:
        self._machines, self._ports = machines, ports
        self._virtual: dict[tuple[str, bytes], Machine] = {}
        self._proxies: dict[str, list[tuple[int, int, int | None]]] = {}
        self._second, self._answers = 0, 0

    def arrange(self, proxies: Iterable[ProxyArp]) -> None:
        """The VHIDs or the proxied networks have changed."""
        self._virtual = {
            (machine.config.device, ip_address(address).packed): machine
            for machine in self._machines.values() if machine.config.virtual_mac
            for address in machine.config.addresses if ":" in address
        }
        self._proxies = {}
        for one in proxies:
            network = IPv4Network(one.network)
            span = (int(network.network_address), int(network.broadcast_address), one.vhid)
            self._proxies.setdefault(one.device, []).append(span)

    def hear(self, device: str, frame: bytes, now: float) -> list[Send]:
        """A host spoke ARP or neighbour discovery."""
        asked = question(frame)
        if asked is None:
            return []
        mac = self._mac_for(device, asked)
        if mac is None or frame[6:12] == mac:
            return []
        if int(now) != self._second:
            self._second, self._answers = int(now), 0
        self._answers += 1
        return [Send(device, answer(asked, mac))] if self._answers <= MOST_ANSWERS else []

    def _mac_for(self, device: str, asked: Asked) -> bytes | None:
        if len(asked.address) == 16:
            machine = self._virtual.get((device, asked.address))
            return machine.speech.mac if machine is not None and machine.state is State.MASTER else None
        number = int.from_bytes(asked.address, "big")
        for first, last, vhid in self._proxies.get(device, ()):
            if first <= number <= last:
                return self._proxy_mac(device, vhid)
        return None

    def _proxy_mac(self, device: str, vhid: int | None) -> bytes | None:
        if vhid is None:
            port = self._ports.get(device)
            return port.mac if port is not None and port.mac else None
        machine = self._machines.get((device, vhid))
        return machine.speech.mac if machine is not None and machine.state is State.MASTER else None
