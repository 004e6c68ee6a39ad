"""What is heard on a network against what is configured there: a VHID that a stranger uses, and sub-second CARP beside
another implementation.

A stranger is somebody whose adverts are not sealed with the password and addresses of the VIP here. Only what an edit
brings is looked at: what ran before goes on, and `gemel status` says what is wrong with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from gemel.areas.interfaces import INTERFACES
from gemel.areas.virtual_ip import VirtualIp
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.carp.scan import Sighting, free, is_sealed
from gemel.carp.wire import Seal
from gemel.core.config import Config
from gemel.core.problem import Problem


class Overheard(NamedTuple):
    """A group that somebody else speaks for, and the last packet that said so."""

    sighting: Sighting
    packet: bytes


Heard = Mapping[str, Sequence[Overheard]]
"""By interface id."""


def strangers(config: Config, interface: str, heard: Heard) -> list[Sighting]:
    """Those on this interface who do not have a password and addresses of a CARP VIP there."""
    seals = _seals(config, interface)
    return [one.sighting for one in heard.get(interface, ()) if not is_sealed(one.packet, seals)]


def _seals(config: Config, interface: str) -> list[Seal]:
    vips = config[VIRTUAL_IPS]
    return [
        Seal(vip.password, vip.vhid, vips.addresses_of(vip))
        for vip in vips.items
        if vip.type == "carp" and vip.vhid is not None and vip.interface == interface
    ]


def clashes(before: Config, after: Config, heard: Heard) -> Iterator[Problem]:
    """What an edit of CARP VIPs brings that does not go together with what is heard."""
    known = {(v.interface, v.vhid): v for v in before[VIRTUAL_IPS].items if v.type == "carp"}
    for vip in after[VIRTUAL_IPS].items:
        if vip.type != "carp" or vip.vhid is None or not heard.get(vip.interface):
            continue
        old = known.get((vip.interface, vip.vhid))
        others = [s for s in strangers(after, vip.interface, heard) if s in strangers(before, vip.interface, heard)]
        if old is None and not vip.confirm_vhid:
            yield from _vhid_clash(vip, others, after)
        if vip.base == 0 and (old is None or old.base):
            yield from _speed_clash(vip, others)


def _vhid_clash(vip: VirtualIp, others: list[Sighting], config: Config) -> Iterator[Problem]:
    theirs = [s for s in others if s.vhid == vip.vhid and s.shares_mac]
    if not theirs:
        return
    interface = config[INTERFACES].get(vip.interface)
    who = ", ".join(dict.fromkeys(f"{s.source} ({s.kind}, {s.says})" for s in theirs))
    taken = {s.vhid for s in others} | {v.vhid for v in config[VIRTUAL_IPS].items if v.vhid}
    text = (
        f"VHID {vip.vhid} is in use on {interface.title if interface else vip.interface} already, by {who}. Two groups "
        f"with one VHID share a MAC address and disturb each other. Free are {', '.join(map(str, free(taken)))} and "
        "others; if that is a member of the same group, tick Use VHID although heard (--confirm-vhid)"
    )
    yield Problem(f"virtual_ips[{vip.id}].vhid", text)


def _speed_clash(vip: VirtualIp, others: list[Sighting]) -> Iterator[Problem]:
    foreign = ", ".join(dict.fromkeys(s.source for s in others if s.kind == "CARP"))
    if foreign:
        text = (
            f"base 0 is for two nodes of Gemel alone, but somebody else speaks CARP on this network: {foreign}. Most "
            "other implementations know whole seconds only: use a base of at least 1"
        )
        yield Problem(f"virtual_ips[{vip.id}].base", text)
