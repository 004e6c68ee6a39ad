"""The routes of a machine as gateways and static routes, and those that cannot be. Pure."""

from collections.abc import Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network

from gemel.control.agent import EditOrder
from gemel.daemons.takeover.devices import FIRST, Again
from gemel.daemons.takeover.seen import Port, Seen, Via


def taken(port: Port) -> list[IPv4Interface | IPv6Interface]:
    """The addresses that go on: the first of each family."""
    found = [ip_interface(a) for a in port.all]
    return [next(a for a in found if a.version == v) for v in (4, 6) if any(a.version == v for a in found)]


def surplus(port: Port) -> list[str]:
    """The addresses that do not."""
    kept = taken(port)
    return [a for a in port.all if ip_interface(a) not in kept]


def routed(seen: Seen, ids: Mapping[str, str]) -> Again:
    """Gateways, default gateways and static routes; `ids` are device -> interface."""
    found = Again(warnings=[f"the route {words} is not taken over" for words in seen.odd_routes])
    names: dict[tuple[str, str], str] = {}
    for via, name, label in ((seen.default, "WANGW", "gateway"), (seen.default6, "WANGW6", "gateway6")):
        if via and _default(seen, via, ids, found):
            names[via.gateway, via.device] = name
            values = {"name": name, "interface": ids[via.device], "address": via.gateway}
            found.edits.append(EditOrder("gateways", "add", "", values))
            found.edits.append(EditOrder("interfaces", "set", ids[via.device], {label: name}))
            found.lines.append(f"default route: via {via.gateway} on {via.device}, as now")
    _static(seen, ids, names, found)
    return found


def _default(seen: Seen, via: Via, ids: Mapping[str, str], found: Again) -> bool:
    """Whether this default route can be; if not, why."""
    port = seen.port(via.device)
    if via.device not in ids or port is None:
        found.warnings.append(f"the default route via {via.gateway} is not taken over: {via.device} is not assigned")
    elif not (same := [a for a in taken(port) if a.version == ip_address(via.gateway).version]):
        text = f"{via.device} has no address of that family, which its neighbours could answer"
        found.warnings.append(f"the default route via {via.gateway} is not taken over: {text}")
    elif not _is_on(port, via.gateway):
        found.problems.append(
            f"default route: {via.gateway} is in no network of {via.device} ({same[0]}), and Gemel has no routes "
            f"that are on-link nevertheless; give the address a mask that takes the gateway in first, {FIRST}"
        )
    else:
        return True
    return False


def _static(seen: Seen, ids: Mapping[str, str], names: dict[tuple[str, str], str], found: Again) -> None:
    done = {str(a.network) for device in ids if (p := seen.port(device)) for a in taken(p)}
    own = set(done)
    for destination, gateway, device, *_ in seen.routes:
        network, port, hop = str(ip_network(destination, strict=False)), seen.port(device), (gateway, device)
        words = f"the route to {network} via {gateway} on {device} is not taken over"
        if device not in ids or port is None:
            found.warnings.append(f"{words}: {device} is not assigned")
        elif network in done:
            reason = "that is the network of an interface" if network in own else "there is one already, which is used"
            found.warnings.append(f"{words}: {reason}")
        elif not _is_on(port, gateway):
            found.warnings.append(f"{words}: {gateway} is in no network of {device} that goes on")
        else:
            done.add(network)
            if hop not in names:
                names[hop] = f"GW{len(names) + 1}"
                values = {"name": names[hop], "interface": ids[device], "address": gateway}
                found.edits.append(EditOrder("gateways", "add", "", values))
            found.edits.append(EditOrder("static_routes", "add", "", {"network": network, "gateway": names[hop]}))


def _is_on(port: Port, gateway: str) -> bool:
    """Whether a next hop is on the port's link: in a network that goes on, or link-local."""
    hop = ip_address(gateway)
    same = [a for a in taken(port) if a.version == hop.version]
    return any(hop in a.network for a in same) or (hop.version == 6 and hop.is_link_local and bool(same))
