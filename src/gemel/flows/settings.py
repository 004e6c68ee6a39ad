"""What flowd has to know; the agent writes it, flowd reads it with ``core.codec.decode``."""

import ipaddress
import re
from dataclasses import dataclass

PORT = 3240  # TCP for states, UDP for the heartbeat; a rule with protocol *pfsync* means this port and IP protocol 240
NODE = "/var/lib/gemel/node"


@dataclass(frozen=True, slots=True)
class Settings:
    """`listen` and `peer` are the nodes' addresses on SYNC; `host_id` is 1 to 8 hex digits, not all zero.

    `ignore` lists networks (CIDR) that are the firewall's own: its addresses, SYNC, loopback. A state whose real source
    (source of the original direction) or real destination (source of the reply direction) lies there is local
    to this node and is not sent. A state that is only *translated* to such an address is forwarded, and sent.

    `admits`: this node's rules let the peer's stream in. The kernel asks them about a stream's first packet only; a
    rule that is taken away ends a stream because this becomes false.
    """

    enabled: bool = False
    listen: str = ""
    peer: str = ""
    host_id: str = "1"
    port: int = PORT
    ignore: tuple[str, ...] = ()
    key: str = f"{NODE}/key.pem"
    certificate: str = f"{NODE}/certificate.pem"
    peer_certificate: str = f"{NODE}/peer.pem"
    admits: bool = True

    def faults(self) -> tuple[str, ...]:
        """What is wrong with these settings, in words; empty if nothing."""
        found = []
        if not re.fullmatch(r"[0-9a-f]{1,8}", self.host_id) or int(self.host_id, 16) == 0:
            found.append(f"host_id: {self.host_id!r} is not 1 to 8 lower-case hex digits other than zero")
        if self.enabled and self.peer:
            found += [f"{name}: {value!r} is no IP address" for name, value in
                      (("listen", self.listen), ("peer", self.peer)) if not _is_address(value)]
        found += [f"ignore: {cidr!r} is no network" for cidr in self.ignore if not _is_network(cidr)]
        if not 1 <= self.port <= 65535:
            found.append(f"port: {self.port} is not 1 to 65535")
        return tuple(found)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
