"""The explicit, ordered list of areas, and the schema made of it. A new area is one module and one line here."""

from gemel.areas import links
from gemel.areas.admin_access import ADMIN_ACCESS
from gemel.areas.aliases import ALIASES
from gemel.areas.api_keys import API_KEYS
from gemel.areas.association import settled
from gemel.areas.cluster import compile_cluster
from gemel.areas.conntrack_helpers import CONNTRACK_HELPERS
from gemel.areas.dhcp import DHCP, DHCP_MAPPINGS
from gemel.areas.dhcp6 import DHCP6, DHCP6_MAPPINGS
from gemel.areas.dhcp_relay import DHCP6_RELAY, DHCP_RELAY
from gemel.areas.dhcp_services import compile_dhcp
from gemel.areas.dns_resolver import DNS_DOMAINS, DNS_HOSTS, DNS_RESOLVER
from gemel.areas.dns_unbound import compile_dns
from gemel.areas.firewall import compile_firewall, skipped
from gemel.areas.gateways import GATEWAYS, ROUTES
from gemel.areas.health import HEALTH
from gemel.areas.high_availability import HIGH_AVAILABILITY
from gemel.areas.interfaces import INTERFACES
from gemel.areas.links import BONDS, BRIDGES, VLANS
from gemel.areas.links_compile import compile_links
from gemel.areas.names import names_of
from gemel.areas.nat import OUTBOUND_NAT, PORT_FORWARDS
from gemel.areas.notifications import NOTIFICATIONS
from gemel.areas.router_advertisements import ROUTER_ADVERTISEMENTS
from gemel.areas.rules import RULES
from gemel.areas.system import SYSTEM
from gemel.areas.users import ADMIN, USERS
from gemel.areas.vip_uses import followed
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.core.config import Config, Schema
from gemel.core.migration import Migration

AREAS = (
    SYSTEM,
    INTERFACES,
    VLANS,
    BONDS,
    BRIDGES,
    GATEWAYS,
    ROUTES,
    VIRTUAL_IPS,
    ALIASES,
    RULES,
    OUTBOUND_NAT,
    PORT_FORWARDS,
    CONNTRACK_HELPERS,
    DHCP,
    DHCP_MAPPINGS,
    DHCP6,
    DHCP6_MAPPINGS,
    DHCP_RELAY,
    DHCP6_RELAY,
    ROUTER_ADVERTISEMENTS,
    DNS_RESOLVER,
    DNS_HOSTS,
    DNS_DOMAINS,
    HIGH_AVAILABILITY,
    HEALTH,
    ADMIN_ACCESS,
    NOTIFICATIONS,
    ADMIN,
    USERS,
    API_KEYS,
)

# From each version to the next, in order (`core.migration`): none yet, the first release writes version 1. Whoever
# renames or moves a field that a release has written adds one, and with it the version is one higher.
MIGRATIONS: tuple[Migration, ...] = ()


def _followed(before: Config, after: Config) -> Config:
    """What follows from an edit elsewhere; refused where something is still used that is gone."""
    return followed(before, links.followed(before, after))


SCHEMA = Schema(
    AREAS,
    names=names_of,
    settled=settled,
    followed=_followed,
    across=(compile_links, compile_firewall, compile_cluster, compile_dhcp, compile_dns),
    cautions=(skipped,),
    migrations=MIGRATIONS,
)
