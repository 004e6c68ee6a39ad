"""Sources and destinations of rules and NAT: any, X net, X address, this firewall, an address, a network, an alias, a
VIP.

Stored as one short text (see `names`). What it means is found out on the node that it is on: *SYNC address* is another
address on each of the two (reference pfsense-semantics §2.3).
"""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo

from gemel.areas.fields import names_in, network_text
from gemel.areas.names import Names

_SUFFIXES = {"net": "net", "network": "net", "subnet": "net", "subnets": "net", "networks": "net", "address": "address"}
_SELF = {"self", "(self)", "this firewall", "this firewall (self)", "firewall"}
_STORED = ("net:", "address:", "vip:", "alias:")


def _endpoint(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("!"):
        inner = _plain(text[1:].strip(), names_in(info))
        if inner == "any":
            raise ValueError("any cannot be inverted: nothing would match")
        return f"!{inner}"
    return _plain(text, names_in(info))


def _plain(text: str, names: Names | None) -> str:
    word = text.lower()
    if word in ("any", "*", ""):
        return "any"
    if word in _SELF:
        return "self"
    if text.startswith(_STORED):
        return _stored(text, names)
    if names is not None:
        head, _, tail = word.rpartition(" ")
        interface = names.interface(head)
        if tail in _SUFFIXES and interface is not None:
            return f"{_SUFFIXES[tail]}:{interface}"
        if word in names.aliases:
            return _stored(f"alias:{names.aliases[word]}", names)
    return _literal(text, names)


def _literal(text: str, names: Names | None) -> str:
    if "/" in text:
        return network_text(text)
    try:
        address = str(ip_address(text))
    except ValueError:
        known = (
            f" (interfaces: {', '.join(names.known_interfaces.values())})"
            if names and text.endswith(("net", "address"))
            else ""
        )
        raise ValueError(
            f"{text!r} is neither any, an interface's net or address, this firewall, an address, a network nor an alias"
            f"{known}"
        ) from None
    vip = names.vips.get(address) if names else None
    return f"vip:{vip}" if vip else address


def _stored(text: str, names: Names | None) -> str:
    if names is None:
        return text
    kind, _, key = text.partition(":")
    if kind in ("net", "address") and key not in names.known_interfaces:
        raise ValueError(f"there is no interface {key!r}")
    if kind == "vip":
        if key not in names.known_vips:
            raise ValueError(f"there is no virtual IP {key!r}")
        return names.stored_vip(key)
    if kind == "alias":
        if key not in names.known_aliases:
            raise ValueError(f"there is no alias {key!r}")
        name, of = names.known_aliases[key]
        if of == "port":
            raise ValueError(f"alias {name!r} holds ports, not addresses")
    return text


Endpoint = Annotated[str, BeforeValidator(_endpoint)]


def literal_network(endpoint: str) -> IPv4Network | IPv6Network | None:
    """The network of a literal address or network, None for everything that has a name."""
    text = endpoint.removeprefix("!")
    if text in ("any", "self") or text.startswith(_STORED):
        return None
    return ip_network(text)


def reference(endpoint: str, kind: str) -> str | None:
    """The id that an endpoint refers to, if it is of that `kind` (net, address, vip, alias)."""
    head, _, key = endpoint.removeprefix("!").partition(":")
    return key if head == kind and key and kind in ("net", "address", "vip", "alias") else None
