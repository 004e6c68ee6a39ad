"""The words of options, as the recipe says them. Stored values stay short; what is not listed shows as it is stored."""

from collections.abc import Mapping

_FAMILY = {"inet": "IPv4", "inet6": "IPv6", "inet46": "IPv4+IPv6"}
_PROTOCOL = {
    "any": "any", "tcp": "TCP", "udp": "UDP", "tcp/udp": "TCP/UDP", "icmp": "ICMP", "esp": "ESP", "ah": "AH",
    "gre": "GRE", "etherip": "EtherIP", "ipv6": "IPv6 (encapsulated)", "igmp": "IGMP", "pim": "PIM", "ospf": "OSPF",
    "sctp": "SCTP", "carp": "CARP", "pfsync": "pfsync",
}  # fmt: skip

OPTION_WORDS: Mapping[str, Mapping[str, str]] = {
    "action": {"pass": "Pass", "block": "Block", "reject": "Reject"},
    "family": _FAMILY,
    "protocol": _PROTOCOL,
    "virtual_ips.type": {"carp": "CARP", "ipalias": "IP Alias", "proxyarp": "Proxy ARP", "other": "Other"},
    "aliases.type": {"host": "Host(s)", "network": "Network(s)", "port": "Port(s)"},
    "mode": {
        "automatic": "Automatic Outbound NAT",
        "hybrid": "Hybrid Outbound NAT",
        "manual": "Manual Outbound NAT",
        "disabled": "Disable Outbound NAT",
    },
    "filter_rule": {"associated": "Add associated filter rule", "pass": "Pass", "none": "None"},
    "privileges": {"all": "Everything", "read-only": "Read only", "ha-sync": "System - HA node sync"},
    "translation": {"interface": "Interface Address"},
    "smtp_tls": {"none": "None", "starttls": "STARTTLS", "tls": "TLS"},
    "deny_unknown": {
        "allow": "Allow all clients",
        "enabled": "Allow known clients from any interface",
        "class": "Allow known clients from only this interface",
    },
    "router_advertisements.mode": {
        "disabled": "Disabled",
        "router": "Router Only",
        "unmanaged": "Unmanaged",
        "managed": "Managed",
        "assisted": "Assisted",
        "stateless": "Stateless DHCP",
    },
    "priority": {"low": "Low", "medium": "Normal", "high": "High"},
}
"""Field, or ``area.field`` where the same name means another thing -> stored value -> word."""


def option_word(area: str, name: str, value: object) -> str:
    """What people read for a stored value."""
    text = str(value)
    words = OPTION_WORDS.get(f"{area}.{name}") or OPTION_WORDS.get(name) or {}
    return words.get(text, text)


PORT_CHOICES: tuple[tuple[str, int], ...] = (
    ("BGP", 179), ("CVSup", 5999), ("DNS", 53), ("DNS over TLS", 853), ("FTP", 21), ("HBCI", 3000), ("HTTP", 80),
    ("HTTPS", 443), ("ICQ", 5190), ("IDENT", 113), ("IMAP", 143), ("IMAP/S", 993), ("IPsec NAT-T", 4500),
    ("ISAKMP", 500), ("L2TP", 1701), ("LDAP", 389), ("LDAP/S", 636), ("MMS/TCP", 1755), ("MMS/UDP", 7000),
    ("MS DS", 445), ("MS RDP", 3389), ("MS WINS", 1512), ("MSN", 1863), ("NetBIOS-DGM", 138), ("NetBIOS-NS", 137),
    ("NetBIOS-SSN", 139), ("NNTP", 119), ("NTP", 123), ("OpenVPN", 1194), ("POP3", 110), ("POP3/S", 995),
    ("PPTP", 1723), ("RADIUS", 1812), ("RADIUS accounting", 1813), ("RTP", 5004), ("SIP", 5060), ("SMTP", 25),
    ("SMTP/S", 465), ("SNMP", 161), ("SNMP-Trap", 162), ("SSH", 22), ("STUN", 3478), ("SUBMISSION", 587),
    ("Syslog", 514), ("Telnet", 23), ("Teredo", 3544), ("TFTP", 69), ("VNC", 5900),
)  # fmt: skip
"""The named ports of the drop-downs."""

_PORT_WORDS = {str(number): f"{number} ({name})" for name, number in PORT_CHOICES}


def port_word(stored: str, shown: str) -> str:
    """A port as lists show it: with its name if it has one, any as the sign that rules lists have for it."""
    return _PORT_WORDS.get(stored, shown) if stored else "*"
