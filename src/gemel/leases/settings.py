"""What leased is told, by the agent, as a JSON list of `Settings`; `core.codec` gives it its shape."""

from dataclasses import dataclass

NODE = "/var/lib/gemel/node"
PEER_PORT = 3241
"""TCP with TLS between the two nodes."""
KEEPER_PORT = 3242
"""On 127.0.0.1, where Kea asks before it acknowledges a lease; the next one is taken, too."""
PEER_PORT6, KEEPER_PORT6 = 3244, 3245
"""The same for DHCPv6."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One interface with a DHCP server; `title` is what people call it. `vip` empty: nothing to follow, it always
    serves. `peer` empty: no failover."""

    interface: str
    device: str
    address: str
    network: str
    subnet_id: int
    vip: str = ""
    peer: str = ""
    title: str = ""
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Naming:
    """How unbound learns the names of hosts with a lease. `taken` are names that are configured."""

    control: str
    pid_file: str
    taken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """One family. `listen` are the own addresses at which the peer is let in, `peers` its addresses, in the order of
    trying; either may be of the other family."""

    scopes: tuple[Scope, ...] = ()
    listen: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    kea: str = "/run/kea/kea4-ctrl-socket"
    kea_config: str = "/etc/kea/kea-dhcp4.conf"
    naming: Naming | None = None
    port: int = PEER_PORT
    keeper_port: int = KEEPER_PORT
    family: int = 4
    key: str = f"{NODE}/key.pem"
    certificate: str = f"{NODE}/certificate.pem"
    peer_certificate: str = f"{NODE}/peer.pem"
