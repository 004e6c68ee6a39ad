"""The kinds of fields that areas are made of: strict, and kind to what people type.

Validators that need to know other areas (is there an interface called SYNC?) find the `Names` in the validation
context; without one (a model built by our own code) values are taken as they are stored.
"""

import re
from ipaddress import ip_address, ip_interface, ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from gemel.areas.names import Names

PORT_NAMES = {
    "bgp": 179, "cvsup": 5999, "dns": 53, "dns over tls": 853, "ftp": 21, "hbci": 3000, "http": 80, "https": 443,
    "icq": 5190, "ident": 113, "imap": 143, "imap/s": 993, "ipsec nat-t": 4500, "isakmp": 500, "l2tp": 1701, "ldap":
    389, "ldap/s": 636, "mms/tcp": 1755, "mms/udp": 7000, "ms ds": 445, "ms rdp": 3389, "ms wins": 1512, "msn": 1863,
    "nntp": 119, "ntp": 123, "netbios-dgm": 138, "netbios-ns": 137, "netbios-ssn": 139, "openvpn": 1194, "pop3": 110,
    "pop3/s": 995, "pptp": 1723, "radius": 1812, "radius accounting": 1813, "rtp": 5004, "sip": 5060, "smtp": 25,
    "smtp/s": 465, "snmp": 161, "snmp-trap": 162, "ssh": 22, "stun": 3478, "submission": 587, "syslog": 514, "teredo":
    3544, "telnet": 23, "tftp": 69, "vnc": 5900,
}  # fmt: skip
"""The drop-down's port names (reference pfsense-semantics §2.2), lower case."""

_HOST = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", re.IGNORECASE)
_DEVICE = re.compile(r"^[A-Za-z0-9_.@-]{1,15}$")


def names_in(info: ValidationInfo) -> Names | None:
    """The look-ups of this validation, if it has any."""
    context: Any = info.context
    names = context.get("names") if isinstance(context, dict) else None
    return names if isinstance(names, Names) else None


def _interface(value: Any, info: ValidationInfo) -> Any:
    names = names_in(info)
    if not isinstance(value, str) or names is None or value == "":
        return value
    found = names.interface(value)
    if found is None:
        known = ", ".join(names.known_interfaces.values()) or "none is assigned yet"
        raise ValueError(f"there is no interface {value!r} (there are: {known})")
    return found


def _gateway(value: Any, info: ValidationInfo) -> Any:
    names = names_in(info)
    if not isinstance(value, str) or names is None or value.lower() in ("", "none"):
        return "" if isinstance(value, str) and value.lower() == "none" else value
    found = names.gateway(value)
    if found is None:
        known = ", ".join(names.known_gateways.values()) or "none is configured yet"
        raise ValueError(f"there is no gateway {value!r} (there are: {known})")
    return found


def _address(value: str) -> str:
    try:
        return str(ip_address(value.strip()))
    except ValueError:
        raise ValueError(f"{value!r} is no IP address") from None


def _address_with_mask(value: str, version: int | None = None) -> str:
    address, slash, length = value.strip().partition("/")
    try:
        parsed = ip_interface(value.strip())
    except ValueError:
        raise ValueError(f"{value!r} is no IP address with a mask such as 192.168.1.2/24") from None
    if not slash or not length.isdigit():
        raise ValueError(f"{address} needs its mask, such as {address}/24")
    if version is not None and parsed.version != version:
        raise ValueError(f"{value} is no IPv{version} address")
    if parsed.is_multicast or parsed.is_unspecified or parsed.is_loopback:
        raise ValueError(f"{parsed.ip} cannot be an address of an interface")
    return str(parsed)


def _own(value: str, version: int) -> str:
    if not value:
        return ""
    text = _address_with_mask(value, version)
    parsed = ip_interface(text)
    if version == 6 and parsed.is_link_local:
        raise ValueError("a link-local address cannot be set here: every interface has one of its own")
    if parsed.network.num_addresses > 2 and version == 4:
        if parsed.ip == parsed.network.network_address:
            raise ValueError(f"{parsed.ip} is the address of the network {parsed.network} itself")
        if parsed.ip == parsed.network.broadcast_address:
            raise ValueError(f"{parsed.ip} is the broadcast address of {parsed.network}")
    return text


def network_text(value: str) -> str:
    """A network in its usual notation.

    Raises:
        ValueError: no network, or host bits are set.
    """
    try:
        return str(ip_network(value.strip()))
    except ValueError:
        try:
            meant = ip_network(value.strip(), strict=False)
        except ValueError:
            raise ValueError(f"{value!r} is no network such as 192.168.1.0/24") from None
        raise ValueError(f"{value} has host bits set: the network is {meant}") from None


def port_number(text: str) -> int:
    """One port, by number or by its name in the drop-down (``HTTPS``, ``HTTPS (443)``).

    Raises:
        ValueError: neither.
    """
    word = text.strip().lower()
    name = word.partition(" (")[0]
    if not word.isdecimal() and name in PORT_NAMES:
        return PORT_NAMES[name]
    if not word.isdecimal() or not 1 <= int(word) <= 65535:
        raise ValueError(
            f"{text!r} is no port: a number from 1 to 65535, a range such as 80-90, a name or a port alias"
        )
    return int(word)


def _port(value: Any, info: ValidationInfo) -> Any:
    """``""`` any, ``443``, ``80-90`` or ``alias:ID``."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or value.lower() in ("", "any", "*"):
        return "" if isinstance(value, str) else value
    names = names_in(info)
    alias = value.removeprefix("alias:") if value.startswith("alias:") else None
    if names is not None:
        alias = alias or names.aliases.get(value.lower())
        if alias is not None:
            name, kind = names.known_aliases.get(alias, ("", ""))
            if kind != "port":
                raise ValueError(f"alias {name or value!r} holds no ports" if name else f"there is no alias {value!r}")
    if alias is not None:
        return f"alias:{alias}"
    low, dash, high = value.replace(":", "-").partition("-") if value.lower() not in PORT_NAMES else (value, "", "")
    if not dash or value.lower() in PORT_NAMES:
        return str(port_number(value))
    first, last = sorted((port_number(low), port_number(high)))
    return f"{first}-{last}" if first != last else str(first)


def host_name(value: str) -> str:
    """One label.

    Raises:
        ValueError: it is none.
    """
    if not _HOST.match(value):
        raise ValueError(f"{value!r} is no host name: letters, digits and hyphens, at most 63, no dot")
    return value


def domain_name(value: str) -> str:
    """Labels with dots between; empty is allowed.

    Raises:
        ValueError: it is none.
    """
    if value and not all(_HOST.match(part) for part in value.rstrip(".").split(".")):
        raise ValueError(f"{value!r} is no domain name")
    return value.rstrip(".")


def _device(value: str) -> str:
    if not _DEVICE.match(value) or value in (".", ".."):
        raise ValueError(f"{value!r} is no name of a network device")
    return value


def _line(value: str) -> str:
    if any(ord(c) < 32 for c in value):
        raise ValueError("must be one line without control characters")
    return value.strip()


InterfaceRef = Annotated[str, BeforeValidator(_interface)]
GatewayRef = Annotated[str, BeforeValidator(_gateway)]
IpAddress = Annotated[str, AfterValidator(_address)]
OptionalIpAddress = Annotated[str, AfterValidator(lambda v: _address(v) if v else "")]
AddressWithMask = Annotated[str, AfterValidator(_address_with_mask)]
OwnIpv4 = Annotated[str, AfterValidator(lambda v: _own(v, 4))]
OwnIpv6 = Annotated[str, AfterValidator(lambda v: _own(v, 6))]
Network = Annotated[str, AfterValidator(network_text)]
PortSpec = Annotated[str, BeforeValidator(_port)]
HostName = Annotated[str, AfterValidator(host_name)]
DomainName = Annotated[str, AfterValidator(domain_name)]
DeviceName = Annotated[str, AfterValidator(_device)]
Line = Annotated[str, AfterValidator(_line)]
