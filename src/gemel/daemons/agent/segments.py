"""What a person can try on an interface before CARP is set up there: a scan for VHIDs, and the virtual MAC's test."""

from gemel.areas.gateways import GATEWAYS
from gemel.areas.interfaces import INTERFACES, Interface
from gemel.areas.vhid_clash import Heard, strangers
from gemel.areas.vhid_clash import Overheard as Said
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.carp.scan import free
from gemel.control import paths
from gemel.control.agent import MacReport, Overheard, ScanReport
from gemel.control.carpd import CarpReport, CarpStatus
from gemel.control.door import Refused, Unreachable, ask
from gemel.core.config import Config
from gemel.effects.ear import Ear
from gemel.effects.segment import answers, neighbours, scan

LONGEST = 60.0  # seconds
QUICK_LOOK = 2.5  # seconds: two adverts of one second

CURE = (
    "a switch or hypervisor drops them: allow promiscuous mode, forged transmits and MAC address changes on its port "
    "group (a cloud allows none of it), and look at port security. Or switch Virtual MAC off in the virtual IP"
)
MULTICAST_CURE = (
    "Look at IGMP and MLD snooping: without a querier on the network it has to be off for 224.0.0.18 and ff02::12. Or "
    "give each virtual IP its unicast peer"
)


def scanned(config: Config, named: str, seconds: float) -> ScanReport:
    """Listen on the interface of that id or description, or on all.

    Raises:
        Refused: there is no such interface, or it cannot be listened on.
    """
    if not 0 < seconds <= LONGEST:
        raise Refused(f"1 to {LONGEST:.0f} seconds")
    interfaces = _chosen(config, named)
    try:
        found = scan([i.device for i in interfaces], seconds)
    except OSError as error:
        raise Refused(f"cannot listen: {error.strerror or error}") from error
    ours = {(v.interface, v.vhid) for v in config[VIRTUAL_IPS].items if v.vhid}
    by_id = {i.id: [Said(*one) for one in found[i.device]] for i in interfaces}
    heard = []
    for key, said in by_id.items():
        foreign = strangers(config, key, by_id)
        seen = sorted({one.sighting for one in said})
        heard += [Overheard(key, s.vhid, s.kind, s.source, s.says, "" if s in foreign else "ours") for s in seen]
    taken = {
        key: {one.sighting.vhid for one in said} | {n for at, n in ours if at == key and n}
        for key, said in by_id.items()
    }
    return ScanReport(tuple(heard), {key: tuple(free(there)) for key, there in taken.items()})


def tested(config: Config, named: str) -> MacReport:
    """Ask the neighbours from the virtual MAC of a free VHID, and see whether the answers come back to it.

    Raises:
        Refused: there is no such interface, or it is down.
    """
    interface = _chosen(config, named)[0]
    gateways = [g.address for g in config[GATEWAYS].items if g.interface == interface.id and ":" not in g.address]
    try:
        asked = list(dict.fromkeys([*gateways, *neighbours(interface.device)]))
        reachable = answers(interface.device, None, asked)
        if not reachable:
            return MacReport("unknown", f"nobody answers ARP on {interface.title}, so nothing can be said")
        heard = scan([interface.device], QUICK_LOOK)[interface.device]
        ours = {v.vhid for v in config[VIRTUAL_IPS].items if v.interface == interface.id and v.vhid}
        vhid = free({one.vhid for one, _ in heard} | ours, 255)[-1]
        found = answers(interface.device, vhid, reachable)
    except OSError as error:
        raise Refused(f"{interface.title}: {error.strerror or error}") from error
    mac = f"00:00:5e:00:01:{vhid:02x}"
    if not found:
        return MacReport("fails", f"{', '.join(reachable)} answers to the port's own MAC, but not to {mac}: {CURE}")
    text = f"{', '.join(found)} answered to the virtual MAC {mac} on {interface.title}"
    arrives, words = multicast(interface, _carp_report())
    return MacReport("fails" if arrives is False else "works", f"{text}; {words}")


def multicast(interface: Interface, report: CarpReport | None) -> tuple[bool | None, str]:
    """Whether this network delivers CARP's multicast, as far as the VHIDs there show it (None: they do not)."""
    there = [v for v in report.vhids if v.interface == interface.id] if report else []
    lost = [p for p in report.problems if f" on {interface.id}" in p and "adverts get lost" in p] if report else []
    backup = next((v for v in there if v.state == "BACKUP" and v.master), None)
    if lost:
        return False, f"but {lost[0]}. {MULTICAST_CURE}"
    if backup is not None:
        return True, f"multicast arrives: adverts of {backup.master} are heard"
    detector = report.detector if report else None
    if there and detector and detector.phase == "armed" and interface.id in detector.answers_on:
        return True, f"multicast arrives: the peer {detector.peer} hears this node's adverts and is BACKUP"
    return None, "whether multicast arrives shows once two nodes have a CARP VIP here"


def _carp_report() -> CarpReport | None:
    try:
        return ask(paths.CARPD_DOOR, CarpStatus(), timeout=2.0)
    except (Refused, Unreachable):
        return None


def overheard(config: Config, ear: Ear) -> Heard:
    """What was lately heard on each interface."""
    return {i.id: [Said(*one) for one in ear.heard(i.device)] for i in config[INTERFACES].items if i.enabled}


def _chosen(config: Config, named: str) -> list[Interface]:
    there = [i for i in config[INTERFACES].items if i.enabled]
    chosen = [i for i in there if named.lower() in (i.id.lower(), i.title.lower())] if named else there
    if not chosen:
        titles = ", ".join(i.title for i in there) or "none"
        raise Refused(f"there is no enabled interface {named!r}; there are {titles}")
    return chosen
