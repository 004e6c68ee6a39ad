"""What follows from other areas follows them: a port forward's associated rule is made, changed and removed with it.

Reference pfsense-semantics §5.3: the rule passes what the forward translates to; its interface, protocol, source and
destination are the forward's to say, its place in the list and its logging are the admin's.
"""

from gemel.areas.firewall import translated_destination
from gemel.areas.nat import PORT_FORWARDS, PortForward
from gemel.areas.rules import RULES, Rule
from gemel.core.config import Config

LONGEST_TEXT = 62


def settled(config: Config) -> Config:
    """The configuration with every associated rule as its forward wants it. The same object if nothing changes."""
    forwards = {f.id: f for f in config[PORT_FORWARDS].items if f.filter_rule == "associated" and not f.no_rdr}
    rules = config[RULES]
    if not forwards and not any(r.forward for r in rules.items):
        return config
    there = {r.forward for r in rules.items if r.forward}
    items = [
        _following(r, forwards[r.forward]) if r.forward else r for r in rules.items if r.forward in ("", *forwards)
    ]
    items += [_following(None, forward) for key, forward in forwards.items() if key not in there]
    if tuple(items) == rules.items:
        return config
    return config.having(rules=rules.model_copy(update={"items": tuple(items)}))


def _following(rule: Rule | None, forward: PortForward) -> Rule:
    said = {
        "interface": forward.interface,
        "disabled": forward.disabled,
        "family": forward.family,
        "protocol": forward.protocol,
        "source": forward.source,
        "source_port": forward.source_port,
        **translated_destination(forward),
        "description": f"NAT {forward.description}"[:LONGEST_TEXT].strip(),
        "no_sync": forward.no_sync,
        "forward": forward.id,
    }
    # A new rule's id comes from the forward's, so that both nodes make the same one. Whether the forward is right, its
    # own check says: here nothing is refused.
    there = rule or Rule(id=f"nat_{forward.id}"[:40], interface=forward.interface)
    return there.model_copy(update=said)
