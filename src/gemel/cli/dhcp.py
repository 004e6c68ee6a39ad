"""`gemel dhcp leases`, `gemel dhcp forget`, `gemel dhcp wake`: beside what follows from the area's model."""

from typing import Annotated

import typer

from gemel.cli.console import call, out, print_json, print_table
from gemel.control.agent import AskFact, ForgetLease, WakeOnLan

AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


def leases(
    words: Annotated[str, typer.Option("--filter", help="Only rows that contain all these words.")] = "",
    as_json: AsJson = False,
) -> None:
    """Who has which address, and how failover stands. Same as Status > DHCP Leases."""
    answer = call(AskFact("dhcp-leases", {"filter": words} if words else {}))
    if as_json:
        print_json(answer)
        return
    pools = [[p["interface"], p["my_state"], p["peer_state"], p["serving"]] for p in answer["pools"]]
    print_table(["Failover group", "My state", "Peer state", "Answering"], pools, "No interface has a DHCP server.")
    if answer["problem"]:
        out.print(answer["problem"])
    names = ("address", "mac", "vendor", "hostname", "interface", "kind")
    rows = [[row[n] for n in names] for row in answer["rows"]]
    if rows:
        print_table(["Address", "MAC", "Vendor", "Hostname", "Interface", "Type"], rows, "")


def forget(address: Annotated[str, typer.Argument(help="The address.")]) -> None:
    """Delete the lease of an address, on both nodes."""
    call(ForgetLease(address))


def wake(
    interface: Annotated[str, typer.Argument(help="Where it sleeps: the interface's id.")],
    mac: Annotated[str, typer.Argument(help="Of its network card.")],
) -> None:
    """Send a magic packet for a MAC on an interface."""
    call(WakeOnLan(interface, mac))
