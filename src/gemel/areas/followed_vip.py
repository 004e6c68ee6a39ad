"""The virtual IP that a service on an interface follows: whoever holds it answers."""

from ipaddress import IPv6Address, ip_interface

from gemel.areas.dhcp_checks import carp_vip
from gemel.areas.interfaces import INTERFACES
from gemel.areas.virtual_ip import VirtualIp, follows_carp
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.core.config import Config


def followed_vip(config: Config, interface: str, version: int) -> VirtualIp | None:
    """The one in the interface's network of that family, and of several the lowest VHID's."""
    return carp_vip(config, interface) if version == 4 else _carp_vip6(config, interface)


def vhid_of(config: Config, vip: VirtualIp) -> int:
    """The VHID that moves a virtual IP, its own or that of what it is stacked on; 0 if none does."""
    parent = config[VIRTUAL_IPS].get(vip.parent_vip) if vip.parent_vip else vip
    return (parent.vhid if parent else None) or 0


def _carp_vip6(config: Config, interface: str) -> VirtualIp | None:
    own, vips = config[INTERFACES].get(interface), config[VIRTUAL_IPS]
    if own is None or not own.ipv6:
        return None
    network = ip_interface(own.ipv6).network
    there = [
        v
        for v in vips.items
        if v.family == 6 and follows_carp(v) and vips.interface_of(v) == interface and IPv6Address(v.ip) in network
    ]
    return min(there, key=lambda v: vhid_of(config, v), default=None)
