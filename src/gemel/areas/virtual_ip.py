"""A virtual IP, as a person enters it: reference pfsense-semantics §4.1."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from gemel.areas.fields import AddressWithMask, Line, OptionalIpAddress, names_in
from gemel.core.model import Item, Model, field

LONGEST_PASSWORD = 19
"""Bytes. The kernel key of BSD's CARP has 20, of which ifconfig uses 19; longer ones would be cut silently there."""

LOOPBACK = "lo0"
"""Stands for an interface where an alias is on the machine itself: reachable through any interface that rules allow."""
_LOOPBACK_WORDS = ("lo0", "lo", "localhost", "loopback")


def _parent(value: Any, info: ValidationInfo) -> Any:
    """An interface, the loopback, or a CARP VIP (by address or ``vip:ID``) to stack this on."""
    names = names_in(info)
    if not isinstance(value, str) or names is None:
        return value
    if value.startswith("vip:"):
        if value[4:] not in names.known_vips:
            raise ValueError(f"there is no virtual IP {value!r}")
        return value
    if value in names.vips:
        return f"vip:{names.vips[value]}"
    found = names.interface(value)
    if found is None and value.lower() in _LOOPBACK_WORDS:
        return LOOPBACK
    if found is None:
        known = ", ".join(names.known_interfaces.values()) or "none is assigned yet"
        raise ValueError(f"there is no interface {value!r} (there are: {known}, and Localhost for an IP alias)")
    return found


def _type(value: Any) -> Any:
    """Also as people write them."""
    return value.lower().replace(" ", "") if isinstance(value, str) else value


def _password(value: str) -> str:
    if len(value.encode()) > LONGEST_PASSWORD:
        raise ValueError(
            f"at most {LONGEST_PASSWORD} bytes: other CARP implementations would cut it, and then not agree"
        )
    if "\0" in value:
        raise ValueError("must not contain a zero byte")
    return value


class VirtualIp(Item):
    """One virtual address, or with Proxy ARP and Other a network of them."""

    type: Annotated[Literal["carp", "ipalias", "proxyarp", "other"], BeforeValidator(_type)] = field(
        "carp",
        label="Type",
        help="CARP moves to the node that is master. IP Alias is a further address of this node, or of a CARP VIP. "
        "Proxy ARP is answered for by ARP and only used in NAT. Other is routed here by others, only used in NAT.",
    )
    interface: Annotated[str, BeforeValidator(_parent)] = field(
        label="Interface",
        help="The interface. An IP alias or Proxy ARP can also be stacked on a CARP VIP (give its address) and then "
        "moves with it, in either address family; an IP alias can also be on Localhost.",
    )
    address: AddressWithMask = field(
        label="Address(es)",
        help="IPv4 or IPv6 address with the mask of the interface's network: 198.51.100.200/24, 2001:db8::200/64. For "
        "Proxy ARP and Other the mask says how many: /32 a single address, /28 sixteen.",
    )
    vhid: int | None = field(
        None,
        label="VHID Group",
        help="1 to 255, unique on the interface, also among other routers there (Diagnostics > CARP Scan lists them). "
        "An IPv6 CARP VIP needs a VHID of its own; as an IP alias on an IPv4 CARP VIP it shares that one's.",
        ge=1,
        le=255,
    )
    base: int = field(
        1,
        label="Base",
        help="Advertising frequency, whole seconds; the same on both nodes. 0 with a skew of at least 1 is faster than "
        "a second: only between two nodes of Gemel or OpenBSD, and refused where another kind is heard.",
        ge=0,
        le=254,
    )
    skew: int = field(
        0,
        label="Skew",
        help="1/256 seconds more, 0 to 254. The lower one is master; 0 or 1 on the primary. Synchronisation gives the "
        "secondary 100 more, with base 0 one more.",
        ge=0,
        le=254,
    )
    password: Annotated[str, AfterValidator(_password)] = field(
        "",
        label="Virtual IP Password",
        help="Shared by the nodes; any text of up to 19 characters. A change reaches the peer by synchronisation, and "
        "until then both passwords count.",
        secret=True,
    )
    peer: OptionalIpAddress = field(
        "",
        label="Unicast peer",
        help="Empty: adverts go to the multicast group 224.0.0.18. Where a cloud or a switch filters multicast: the "
        "other node's own IPv4 address on this network. The other node gets this node's by synchronisation.",
    )
    peer6: OptionalIpAddress = field(
        "",
        label="Unicast peer (IPv6)",
        help="The same for IPv6 addresses instead of the group ff02::12: the other node's own IPv6 address.",
    )
    virtual_mac: bool = field(
        True,
        label="Virtual MAC",
        help="The address is at 00:00:5e:00:01:VHID, which moves with it: hosts notice nothing. Off where a hypervisor "
        "or cloud drops frames to a MAC that it did not give (gemel carp test-mac tells): then the address is at the "
        "port's own MAC, and hosts are told by gratuitous ARP and neighbour advertisements.",
    )
    confirm_vhid: bool = field(
        False,
        label="Use VHID although heard",
        help="A VHID that is heard from somebody else on the interface is refused, since both groups would share one "
        "MAC address. Tick this if that is another member of the same group, or gone for good.",
    )
    description: Line = field("", label="Description", help="For people.")

    def called(self) -> tuple[str, ...]:
        return (self.address, self.address.partition("/")[0], self.description)

    @property
    def ip(self) -> str:
        """The address without its mask."""
        return self.address.partition("/")[0]

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.address else 4

    @property
    def parent_vip(self) -> str | None:
        """The id of the CARP VIP that this is stacked on."""
        return self.interface[4:] if self.interface.startswith("vip:") else None

    @property
    def is_present(self) -> bool:
        """Whether it is an address of the machine, now and then at least, that services can use and that answers
        ping.
        """
        return self.type in ("carp", "ipalias")


class VirtualIps(Model):
    """All virtual addresses."""

    items: tuple[VirtualIp, ...] = ()

    def get(self, key: str) -> VirtualIp | None:
        """The VIP of that id."""
        return next((v for v in self.items if v.id == key), None)

    def interface_of(self, vip: VirtualIp) -> str:
        """The interface id that a VIP is on, also for one that is stacked."""
        parent = self.get(vip.parent_vip) if vip.parent_vip else None
        return parent.interface if parent else vip.interface

    def addresses_of(self, vip: VirtualIp) -> tuple[str, ...]:
        """The addresses of a CARP VIP's VHID: its own and the aliases stacked on it, without masks."""
        return (vip.ip, *(v.ip for v in self.items if v.parent_vip == vip.id and v.type == "ipalias"))


def follows_carp(vip: VirtualIp) -> bool:
    """Whether carpd gives and takes this address."""
    return vip.type == "carp" or vip.parent_vip is not None


def is_common(vip: VirtualIp) -> bool:
    """Whether both nodes have it (reference §4.5): what is on one node's own interface stays with that node."""
    return follows_carp(vip) or vip.type == "other" or vip.interface == LOOPBACK
