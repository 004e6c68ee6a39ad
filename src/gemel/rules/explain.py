"""Why a packet passes or not, in sentences for people."""

from dataclasses import dataclass

from gemel.rules.addresses import Family, address_text, range_text
from gemel.rules.interpret import Interpreter, Outcome, Packet
from gemel.rules.ir import PROTOCOLS, WITH_PORTS, Action, Policy, Rule

VERBS = {Action.PASS: "passes", Action.BLOCK: "is blocked", Action.REJECT: "is rejected"}
NAMES = {number: name for name, number in PROTOCOLS.items()}
NEAR_MISSES = 3

BUILT_IN = {
    "default": "no rule matches, and what no rule passes is blocked",
    "loopback": "it comes from the node itself",
    "link-local": "IPv4 link-local addresses (169.254.0.0/16) are not let through",
    "required ICMPv6": "IPv6 does not work without this kind of ICMPv6",
    "port 0": "nothing honest uses port 0",
    "CARP": "CARP always passes while there is a CARP virtual IP",
    "own CARP": "it is CARP with one of this node's own addresses as source: a loop in the network, or a forgery",
    "out of state": "it belongs to no known connection and does not begin one (no SYN, or an ACK with it)",
    "private": "the interface blocks private networks, and the source is in one",
    "bogons": "the interface blocks bogon networks, and the source is in one",
    "anti-lockout": "the anti-lockout rule keeps the administration reachable",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """The outcome, and the sentences in the order in which things happen."""

    outcome: Outcome
    sentences: tuple[str, ...]


def explain(policy: Policy, packet: Packet) -> Explanation:
    """Say what the policy does with a packet that begins a flow, and why."""
    interpreter = Interpreter(policy)
    outcome = interpreter.outcome(packet)
    sentences = [f"{packet_text(packet)} comes in on {packet.device}."]
    if outcome.forward:
        sentences.append(_forward_sentence(outcome))
    sentences.append(_verdict_sentence(outcome))
    if outcome.decided_by == "default":
        if all(interface.device != packet.device for interface in policy.interfaces):
            sentences.append(f"{packet.device} is not an interface that is assigned and enabled.")
        sentences += _near_misses(policy, interpreter, outcome.seen)
    if outcome.action is Action.PASS and packet.out_device:
        sentences.append(_mapping_sentence(outcome))
    return Explanation(outcome, tuple(sentences))


def packet_text(packet: Packet) -> str:
    """`TCP 10.0.0.5:1024 -> [2001:db8::1]:443`, without ports where there are none."""
    protocol = NAMES.get(packet.protocol, f"protocol {packet.protocol}")
    source = _end_text(packet.family, packet.source, packet.source_port if packet.protocol in WITH_PORTS else None)
    port = packet.destination_port if packet.protocol in WITH_PORTS else None
    return f"{protocol.upper()} {source} -> {_end_text(packet.family, packet.destination, port)}"


def _end_text(family: Family, address: int, port: int | None) -> str:
    text = address_text(family, address)
    if port is None:
        return text
    return f"{text}:{port}" if family == 4 else f"[{text}]:{port}"


def _forward_sentence(outcome: Outcome) -> str:
    forward, seen = outcome.forward, outcome.seen
    if forward is None or forward.to is None:
        return f"Port forward {forward.id if forward else ''} says that it is not redirected."
    port = seen.destination_port if seen.protocol in WITH_PORTS else None
    target = _end_text(seen.family, seen.destination, port)
    return f"Port forward {forward.id} redirects it to {target}; the rules see that destination."


def _verdict_sentence(outcome: Outcome) -> str:
    verb = VERBS[outcome.action]
    if outcome.rule is None:
        return f"It {verb}: {BUILT_IN[outcome.decided_by]}."
    return f"It {verb}: {rule_text(outcome.rule)} is the first that matches."


def rule_text(rule: Rule) -> str:
    """A rule as people know it: its description, and its id."""
    return f'rule "{rule.description}" ({rule.id})' if rule.description else f"rule {rule.id}"


def _near_misses(policy: Policy, interpreter: Interpreter, packet: Packet) -> list[str]:
    sentences = []
    for interface in policy.interfaces:
        for rule in (*interface.automatic, *interface.rules) if interface.device == packet.device else ():
            missed = interpreter.misses(rule.match, packet)
            if len(missed) == 1 and rule.action is Action.PASS:
                text = rule_text(rule)
                sentences.append(f"{text[0].upper()}{text[1:]} would pass it, were it not for the {missed[0]}.")
    return sentences[:NEAR_MISSES]


def _mapping_sentence(outcome: Outcome) -> str:
    mapping, out = outcome.mapping, outcome.seen.out_device
    if mapping is None:
        return f"It leaves through {out} with its own source address: no outbound NAT mapping matches."
    if mapping.to is None:
        return f"It leaves through {out} with its own source address: mapping {mapping.id} says not to translate."
    port = ", its source port kept" if mapping.static_port else ""
    return f"It leaves through {out} with the source {range_text(mapping.to)}{port} (mapping {mapping.id})."
