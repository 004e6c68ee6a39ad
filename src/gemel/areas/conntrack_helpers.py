"""System > Advanced > Firewall & NAT: protocols whose control connections announce further connections, which conntrack
helpers read, let pass and translate. Applied at Save.

None is on unless somebody asks for it, as in the recipe's product: a helper opens a way through the firewall on the
word of whoever speaks the protocol. Both nodes need the same, or a connection goes on without its helper after a
failover; so they go to the peer with the NAT configuration.
"""

from collections.abc import Iterator

from gemel.core.area import Area, NodeState
from gemel.core.config import Config
from gemel.core.model import Model, field
from gemel.core.problem import Problem
from gemel.rules.ir import TCP, UDP, Helper

HELPERS = (Helper("ftp", TCP, 21), Helper("sip", UDP, 5060), Helper("tftp", UDP, 69))
"""All that there are. The port is that of the control connection as it comes in, before a port forward moves it."""


class ConntrackHelpers(Model):
    """The fields of the page, in its order."""

    ftp: bool = field(
        False,
        label="FTP helper",
        help="Read FTP control connections (TCP port 21) and let pass what they announce: the data connections of "
        "active clients behind NAT, and of passive servers behind a port forward. Off by default: whoever can make a "
        "host speak FTP can have ports of that host opened.",
    )
    sip: bool = field(
        False,
        label="SIP helper",
        help="Read SIP (UDP port 5060), translate the addresses in it, and let pass the calls' media. Off by default: "
        "most phones and providers get through NAT by themselves, and are disturbed by it.",
    )
    tftp: bool = field(
        False,
        label="TFTP helper",
        help="Let answers to TFTP requests (UDP port 69) pass, which come from another port. Off by default.",
    )


def wanted(config: Config, node: NodeState) -> tuple[Helper, ...]:
    """The helpers that are asked for and that this node's kernel has."""
    asked = config[CONNTRACK_HELPERS]
    return tuple(h for h in HELPERS if getattr(asked, h.name) and h.name not in node.lacks)


def lacking(config: Config, node: NodeState) -> Iterator[Problem]:
    """A warning for each helper that is asked for and that this node's kernel does not have."""
    for helper in HELPERS:
        if getattr(config[CONNTRACK_HELPERS], helper.name) and helper.name in node.lacks:
            name = helper.name.upper()
            yield Problem(
                f"{CONNTRACK_HELPERS.name}.{helper.name}",
                f"this node's kernel has no {name} helper (modules nf_conntrack_{helper.name} and "
                f"nf_nat_{helper.name}): connections that {name} announces do not pass here, nor after a failover to "
                "this node",
                "warning",
            )


CONNTRACK_HELPERS = Area(
    name="conntrack_helpers",
    label="Firewall & NAT",
    noun="helpers",
    model=ConntrackHelpers,
    help="Conntrack helpers: protocols that announce further connections, which then pass and are translated, on "
    "whichever node is master. All are off unless they are asked for here.",
    availability="runs on both",
    at_save=True,
    sync="nat",
)
