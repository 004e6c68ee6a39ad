"""Address blocks that the firewall itself speaks of: reference pfsense-semantics §2.4; RFC 1918, 4193, 6890, 5771."""

from gemel.rules.addresses import Range, parse_range

LINK_LOCAL = parse_range("169.254.0.0/16")

PRIVATE: tuple[Range, ...] = tuple(
    map(parse_range, ("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
)

BOGONS: tuple[Range, ...] = tuple(
    map(
        parse_range,
        (
            "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15",
            "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "::1/128", "::ffff:0:0/96", "100::/64", "2001:db8::/32", "fec0::/10", "ff00::/8",
        ),
    )
)  # fmt: skip
"""Sources that no packet from the internet has. Private and carrier-grade NAT space is not among them."""
