"""What people do to a DHCP lease."""

from dataclasses import dataclass

from gemel.control.door import Question


@dataclass(frozen=True, slots=True)
class ForgetLease(Question[None]):
    """Delete the lease of an address, on both nodes: another client may get it."""

    address: str
    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class WakeOnLan(Question[None]):
    """Send a magic packet for a MAC on an interface (its id)."""

    interface: str
    mac: str
    token: str = ""
    answer_shape = None
