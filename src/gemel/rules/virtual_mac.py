"""The virtual MAC without a device of its own, as nftables text.

A master receives frames to 00:00:5e:00:01:VHID, a backup must be deaf to them, and nothing in nftables may have to
change when the role does: a commit can stall for a quarter of a second. So the node's own adverts are the key. Egress
notes each virtual MAC that this node sends *from* in a set whose elements lapse; ingress takes frames *to* a noted
one as its own. A node that falls silent, for whatever reason, has closed the door within one lapse, even if the
daemon is dead.

What the kernel says about an address by itself would name the port's own MAC. ARP is rewritten. An IPv6 neighbour
advertisement cannot be (its checksum covers the MAC), so the kernel's is dropped and carpd answers, from a packet
socket that passes by these rules. A neighbour solicitation in a VIP's name, sent before the node answers from it, would
teach its MAC too: that one is sent in the name of the interface's own address instead, with the checksum mended by the
kernel.

An Apply loads such a text again while traffic flows. A flush takes the rules and leaves sets and their elements alone,
and each text is one transaction, so a master is never deaf in between. Each device has a text of its own: a chain at
ingress is refused where there is no such device, and kernels before 6.16 or so take it away with the device.
"""

from collections.abc import Iterable
from dataclasses import dataclass

# The longest time between two adverts is base + 254/256 s (a demoted master). A quarter of a second on top is for
# the scheduler; all of it stays below the 3 x base after which a peer takes over.
SLACK = 1.25


@dataclass(frozen=True, slots=True)
class VirtualMac:
    """One VHID on one device, with its addresses. `advbase` in seconds; `own6` is the device's own IPv6 address, needed
    where one of the addresses is IPv6.
    """

    device: str
    vhid: int
    addresses: tuple[str, ...]
    advbase: int = 1
    own6: str = ""

    @property
    def mac(self) -> str:
        """The address that moves between the nodes, as text."""
        return f"00:00:5e:00:01:{self.vhid:02x}"

    @property
    def lapse_ms(self) -> int:
        """How long after the last own frame the MAC stays open, in milliseconds."""
        return int((self.advbase + SLACK) * 1000)


_TABLE = "netdev gemel_carp"
_OPEN = (
    f"add table {_TABLE}",
    f"add set {_TABLE} open {{ type iface_index . ether_addr; size 4096; flags dynamic,timeout; timeout 2s; }}",
)


def virtual_mac_texts(macs: Iterable[VirtualMac]) -> dict[str, str]:
    """Return the nftables texts that make these virtual MACs work, for `nft -f -`: by device, which must exist, and
    under the empty name the one for all of them.

    Loading one twice is loading it once: what is open stays open. The tables belong to these texts alone:
    ``netdev gemel_carp``, ``arp gemel_carp`` and ``ip6 gemel_carp``.
    """
    by_device: dict[str, list[VirtualMac]] = {}
    for one in sorted(macs, key=lambda one: (one.device, one.vhid)):
        by_device.setdefault(one.device, []).append(one)
    base = [
        *_OPEN,
        "add table arp gemel_carp",
        "flush table arp gemel_carp",
        "add chain arp gemel_carp output { type filter hook output priority 0; }",
        "add table ip6 gemel_carp",
        "flush table ip6 gemel_carp",
        "add chain ip6 gemel_carp output { type filter hook output priority -400; }",
    ]
    for device, there in by_device.items():
        base += _said_by_the_kernel(device, there)
    texts = {"": base, **{device: _frames(device, there) for device, there in by_device.items()}}
    return {device: "\n".join(lines) + "\n" for device, lines in texts.items()}


def without_device(device: str) -> str:
    """Return the nftables text that takes a device's part away. It is refused if that has gone with the device."""
    chains = [f"{_TABLE} {way}_{chain_name(device)}" for way in ("in", "out")]
    return "".join(f"flush chain {chain}\ndelete chain {chain}\n" for chain in chains)


def _frames(device: str, macs: list[VirtualMac]) -> list[str]:
    name = chain_name(device)
    lines = [
        *_OPEN,
        f'add chain {_TABLE} in_{name} {{ type filter hook ingress device "{device}" priority -500; }}',
        f'add chain {_TABLE} out_{name} {{ type filter hook egress device "{device}" priority 0; }}',
        f"flush chain {_TABLE} in_{name}",
        f"flush chain {_TABLE} out_{name}",
        f"add rule {_TABLE} in_{name} meta iif . ether daddr @open meta pkttype set host",
    ]
    # Every packet that leaves comes by here: one look-up for each lapse, however many VHIDs there are.
    for lapse in sorted({one.lapse_ms for one in macs}):
        mine = ", ".join(one.mac for one in macs if one.lapse_ms == lapse)
        lines.append(
            f"add rule {_TABLE} out_{name} ether saddr {{ {mine} }} "
            f"update @open {{ meta oif . ether saddr timeout {lapse}ms }}"
        )
    return lines


def _said_by_the_kernel(device: str, macs: list[VirtualMac]) -> list[str]:
    """The kernel answers and asks ARP for a VIP with the port's own MAC; on the wire it must be the virtual one."""
    lines = []
    named = ", ".join(f"{address} : {one.mac}" for one in macs for address in one.addresses if ":" not in address)
    if named:
        lines.append(
            f'add rule arp gemel_carp output oifname "{device}" arp saddr ether set arp saddr ip map {{ {named} }}'
        )
    six = ", ".join(sorted({address for one in macs for address in one.addresses if ":" in address}))
    own6 = next((one.own6 for one in macs if one.own6), "")
    if six:
        rule = f'add rule ip6 gemel_carp output oifname "{device}" ip6 saddr {{ {six} }} icmpv6 type'
        lines.append(f"{rule} nd-neighbor-advert drop")
        lines.append(f"{rule} nd-neighbor-solicit {f'ip6 saddr set {own6}' if own6 else 'drop'}")
    return lines


def chain_name(device: str) -> str:
    """A device name as part of a chain name: what nft's grammar does not take becomes its code point, ``eth0.7`` ->
    ``eth0_2e7``.
    """
    return "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}" for c in device)
