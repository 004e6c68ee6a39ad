"""The state of a pool, in the words of the DHCP failover that admins know (reference pfsense-semantics §7.4)."""

STARTUP = "startup"
RECOVER = "recover"
NORMAL = "normal"
INTERRUPTED = "communications-interrupted"
ALONE = "no failover"
DOWN = "unknown-state"

PATIENCE_AT_START = 5.0
"""Seconds after the start in which a peer that is not there yet is no news."""


def pool_state(failover: bool, kea: bool, linked: bool, level: bool, age: float) -> str:
    """`failover`: a peer is configured. `kea`: our server answers. `linked`: the peer answers us. `level`: both tables
    have been compared over this link. `age`: seconds since we started.
    """
    if not kea:
        return DOWN if age > PATIENCE_AT_START else STARTUP
    if not failover:
        return ALONE
    if linked:
        return NORMAL if level else RECOVER
    return INTERRUPTED if age > PATIENCE_AT_START else STARTUP
