"""The services that DHCP needs, of both families: a Kea for each, and one leased before both."""

from collections.abc import Iterable

from gemel.areas.dhcp import active
from gemel.areas.dhcp6 import active6
from gemel.areas.dhcp6_kea import kea6_service, lease_settings6
from gemel.areas.dhcp_kea import LEASED_SETTINGS, SIGHUP, kea_service, lease_settings
from gemel.core.area import NodeState
from gemel.core.codec import encode
from gemel.core.config import Config, canonical
from gemel.core.want import File, Service, Want


def compile_dhcp(config: Config, _node: NodeState) -> Iterable[Want]:
    """Kea and leased, where an interface has a DHCP server; otherwise nothing runs."""
    settings, servers = [], []
    if active(config):
        settings.append(lease_settings(config))
        servers.append(kea_service(config))
    if active6(config):
        settings.append(lease_settings6(config))
        servers.append(kea6_service(config))
    if settings:
        told = File(LEASED_SETTINGS, canonical(encode(settings)), 0o600)
        yield Service("leased", (told,), ("{python}", "-m", "gemel.daemons.leased", LEASED_SETTINGS), signal=SIGHUP)
    yield from servers
