"""The menus with the recipe's names, and where each area's page is. An area that has no place here gets one."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gemel.areas.every import AREAS
from gemel.control.agent import Frame
from gemel.facts.every import FACTS
from gemel.facts.fact import Fact

REST = "Services"
"""The menu of areas that nobody gave a place."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a menu."""

    label: str
    address: str

    def holds(self, address: str) -> bool:
        """Whether this address is the entry's page or one below it."""
        path = address.partition("?")[0]
        alone = self.address in ("/", "/interfaces")  # what is below them has entries of its own
        pages = SIBLINGS.get(self.address, (self.address,))
        return path == self.address if alone else any(_leads(page, path) for page in pages)


@dataclass(frozen=True, slots=True)
class Menu:
    """One of the menus along the top."""

    label: str
    entries: tuple[Entry, ...]

    def holds(self, address: str) -> bool:
        """Whether this address belongs to one of the menu's pages."""
        return any(entry.holds(address) for entry in self.entries)


PLACES = {
    "system": "/system/general",
    "interfaces": "/interfaces",
    "vlans": "/vlans",
    "bonds": "/bonds",
    "bridges": "/bridges",
    "gateways": "/system/routing/gateways",
    "static_routes": "/system/routing/routes",
    "virtual_ips": "/firewall/virtual-ips",
    "aliases": "/firewall/aliases",
    "rules": "/firewall/rules",
    "outbound_nat": "/firewall/nat/outbound",
    "port_forwards": "/firewall/nat/port-forward",
    "high_availability": "/system/high-availability",
    "health": "/system/high-availability/health",
    "users": "/system/users",
    "admin": "/system/users",
    "api_keys": "/system/api-keys",
    "admin_access": "/system/advanced/admin-access",
    "conntrack_helpers": "/system/advanced/firewall",
    "notifications": "/system/advanced/notifications",
    "dhcp": "/services/dhcp",
    "dhcp_mappings": "/services/dhcp-mappings",
    "dhcp6": "/services/dhcp6",
    "dhcp6_mappings": "/services/dhcp6-mappings",
    "dhcp_relay": "/services/dhcp-relay",
    "dhcp6_relay": "/services/dhcp6-relay",
    "router_advertisements": "/services/router-advertisements",
    "dns_resolver": "/services/dns-resolver",
    "dns_hosts": "/services/dns-resolver/hosts",
    "dns_domains": "/services/dns-resolver/domains",
}
"""Area -> where its page is."""

GRAPHS = "/status/traffic-graph"
FIRST = ("Dashboard", "CARP")
"""What stands first in its menu; in Status and Diagnostics the rest goes by the alphabet."""

MENUS = (
    Menu("Interfaces", (Entry("Assignments", PLACES["interfaces"]),)),
    Menu(
        "Firewall",
        (
            Entry("Aliases", PLACES["aliases"]),
            Entry("NAT", PLACES["port_forwards"]),
            Entry("Rules", PLACES["rules"]),
            Entry("Virtual IPs", PLACES["virtual_ips"]),
        ),
    ),
    Menu(
        "System",
        (
            Entry("General Setup", PLACES["system"]),
            Entry("Advanced", PLACES["admin_access"]),
            Entry("High Avail. Sync", PLACES["high_availability"]),
            Entry("User Manager", PLACES["users"]),
            Entry("Routing", PLACES["gateways"]),
            Entry("Configuration History", "/system/history"),
        ),
    ),
    Menu(
        "Services",
        (
            Entry("DHCP Server", PLACES["dhcp"]),
            Entry("DHCPv6 Server", PLACES["dhcp6"]),
            Entry("DHCP Relay", PLACES["dhcp_relay"]),
            Entry("DHCPv6 Relay", PLACES["dhcp6_relay"]),
            Entry("DNS Resolver", PLACES["dns_resolver"]),
            Entry("Router Advertisements", PLACES["router_advertisements"]),
        ),
    ),
    Menu("Status", (Entry("Dashboard", "/"), Entry("CARP", "/status/carp"), Entry("Traffic Graph", GRAPHS))),
    Menu(
        "Diagnostics",
        (
            Entry("Backup & Restore", "/diagnostics/backup"),
            Entry("CARP Scan", "/diagnostics/carp-scan"),
            Entry("Packet Capture", "/diagnostics/packet-capture"),
            Entry("Ping", "/diagnostics/ping"),
        ),
    ),
)

_USERS = (("Users", PLACES["users"]), ("API Keys", PLACES["api_keys"]))
_ADVANCED = (
    ("Admin Access", PLACES["admin_access"]),
    ("Firewall & NAT", PLACES["conntrack_helpers"]),
    ("Notifications", PLACES["notifications"]),
)

_DHCP = (("DHCP Server", PLACES["dhcp"]), ("Static Mappings", PLACES["dhcp_mappings"]))
_DHCP6 = (("DHCPv6 Server", PLACES["dhcp6"]), ("Static Mappings", PLACES["dhcp6_mappings"]))
_DNS = (
    ("General Settings", PLACES["dns_resolver"]),
    ("Host Overrides", PLACES["dns_hosts"]),
    ("Domain Overrides", PLACES["dns_domains"]),
)

_LINKS = (
    ("Assignments", PLACES["interfaces"]),
    ("VLANs", PLACES["vlans"]),
    ("LAGGs", PLACES["bonds"]),
    ("Bridges", PLACES["bridges"]),
)

TABS = {
    "interfaces": _LINKS,
    "vlans": _LINKS,
    "bonds": _LINKS,
    "bridges": _LINKS,
    "dns_resolver": _DNS,
    "dns_hosts": _DNS,
    "dns_domains": _DNS,
    "dhcp": _DHCP,
    "dhcp6": _DHCP6,
    "dhcp6_mappings": _DHCP6,
    "dhcp_mappings": _DHCP,
    "users": _USERS,
    "api_keys": _USERS,
    "admin_access": _ADVANCED,
    "conntrack_helpers": _ADVANCED,
    "notifications": _ADVANCED,
    "port_forwards": (("Port Forward", PLACES["port_forwards"]), ("Outbound", PLACES["outbound_nat"])),
    "outbound_nat": (("Port Forward", PLACES["port_forwards"]), ("Outbound", PLACES["outbound_nat"])),
    "high_availability": (("Synchronization", PLACES["high_availability"]), ("Health", PLACES["health"])),
    "health": (("Synchronization", PLACES["high_availability"]), ("Health", PLACES["health"])),
    "gateways": (("Gateways", PLACES["gateways"]), ("Static Routes", PLACES["static_routes"])),
    "static_routes": (("Gateways", PLACES["gateways"]), ("Static Routes", PLACES["static_routes"])),
}
"""Areas that share a page by tabs."""

TITLES = {
    "interfaces": ("Interfaces", "Assignments"),
    "vlans": ("Interfaces", "VLANs"),
    "bonds": ("Interfaces", "LAGGs (bonds)"),
    "bridges": ("Interfaces", "Bridges"),
    "aliases": ("Firewall", "Aliases"),
    "rules": ("Firewall", "Rules"),
    "virtual_ips": ("Firewall", "Virtual IPs"),
    "port_forwards": ("Firewall", "NAT", "Port Forward"),
    "outbound_nat": ("Firewall", "NAT", "Outbound"),
    "system": ("System", "General Setup"),
    "high_availability": ("System", "High Avail. Sync"),
    "health": ("System", "High Avail. Sync", "Health"),
    "users": ("System", "User Manager"),
    "gateways": ("System", "Routing", "Gateways"),
    "static_routes": ("System", "Routing", "Static Routes"),
    "dhcp": ("Services", "DHCP Server"),
    "dhcp6": ("Services", "DHCPv6 Server"),
    "dhcp6_mappings": ("Services", "DHCPv6 Server", "Static Mappings"),
    "dhcp_relay": ("Services", "DHCP Relay"),
    "dhcp6_relay": ("Services", "DHCPv6 Relay"),
    "router_advertisements": ("Services", "Router Advertisements"),
    "dns_resolver": ("Services", "DNS Resolver"),
    "dns_hosts": ("Services", "DNS Resolver", "Host Overrides"),
    "dns_domains": ("Services", "DNS Resolver", "Domain Overrides"),
    "dhcp_mappings": ("Services", "DHCP Server", "Static Mappings"),
    "api_keys": ("System", "User Manager", "API Keys"),
    "admin_access": ("System", "Advanced", "Admin Access"),
    "conntrack_helpers": ("System", "Advanced", "Firewall & NAT"),
    "notifications": ("System", "Advanced", "Notifications"),
}
"""What stands above an area's page: the way to it."""


SIBLINGS = {tabs[0][1]: tuple(address for _, address in tabs) for tabs in TABS.values()}
"""The page of the first tab, where the menu leads -> the pages of all of them."""


def tab_of(tabs: Iterable[tuple[str, str]], address: str) -> str:
    """The page of the tab that an address belongs to: of a page and one below it, the one below."""
    path = address.partition("?")[0]
    return max((target for _, target in tabs if _leads(target, path)), key=len, default="")


def _leads(target: str, path: str) -> bool:
    """Whether a path is that page, or below it."""
    return path == target or path.startswith(f"{target}/")


HAND_MADE_FACTS = {
    "status": "/",
    "graphs": GRAPHS,
    "transitions": "/status/carp/transitions",
    "sync": "/status/carp/synchronization",
}
"""Facts that stand elsewhere than their menu's entry says."""

HAND_MADE_PAGES = ("status", "graphs", "dhcp-leases")
"""Of these, the ones whose page is made by hand."""

CARP_TABS = (
    ("carp", "CARP", "/status/carp"),
    ("transitions", "Role Changes", HAND_MADE_FACTS["transitions"]),
    ("sync", "Synchronization History", HAND_MADE_FACTS["sync"]),
)
"""The tabs of Status > CARP."""


def fact_place(fact: Fact[Any]) -> str:
    """Where a fact's page is. Of facts that share a menu entry the first has its address, the others are tabs below."""
    if fact.name in HAND_MADE_FACTS:
        return HAND_MADE_FACTS[fact.name]
    base = "/".join("-".join(_words(part)) for part in fact.menu.split(" > "))
    first = next(f for f in FACTS if f.menu == fact.menu)
    return f"/{base}" if first is fact else f"/{base}/{fact.name}"


def fact_tabs(fact: Fact[Any]) -> tuple[tuple[str, str, str], ...]:
    """The facts that share a fact's menu entry: name, label and address; none if it has it alone."""
    if fact.menu == "Status > CARP":
        return CARP_TABS
    sharing = [f for f in FACTS if f.menu == fact.menu and f.name not in HAND_MADE_FACTS]
    return tuple((f.name, f.label, fact_place(f)) for f in sharing) if len(sharing) > 1 else ()


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def _fact_entries(menu: str) -> tuple[Entry, ...]:
    """The entries of facts, one for each address that stands in this menu."""
    found: dict[str, Entry] = {}
    for fact in FACTS:
        head, _, label = fact.menu.partition(" > ")
        if head == menu and fact.name not in HAND_MADE_FACTS:
            found.setdefault(fact.menu, Entry(label, fact_place(fact)))
    return tuple(found.values())


def place(area: str) -> str:
    """Where an area's page is."""
    return PLACES.get(area, f"/services/{area}")


def title(area: str, label: str) -> tuple[str, ...]:
    """The way to an area's page, in the words of the menus."""
    return TITLES.get(area, (REST, label))


def menus(frame: Frame) -> tuple[Menu, ...]:
    """The menus of this node: one page for each interface, each fact, and each area without a place."""
    interfaces = (Entry(name, f"/interfaces/{key}") for key, name, _ in frame.interfaces)
    homeless = tuple(Entry(a.label, place(a.name)) for a in AREAS if a.name not in PLACES)
    more = {m.label: _fact_entries(m.label) for m in MENUS}
    more |= {"Interfaces": tuple(interfaces), REST: (*homeless, *more[REST])}
    return tuple(Menu(m.label, _ordered(m.label, (*m.entries, *more[m.label]))) for m in MENUS)


def _ordered(menu: str, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    if menu not in ("Status", "Diagnostics"):
        return entries
    return tuple(sorted(entries, key=lambda e: (e.label not in FIRST, e.label not in FIRST and e.label.lower())))


def addresses() -> Iterable[str]:
    """Every address that a menu leads to, on any node."""
    return (e.address for m in MENUS for e in (*m.entries, *_fact_entries(m.label)))
