"""First boot, passwords, port assignment."""

from typing import Annotated

import typer

from gemel.areas.factory import FIRST_RULES
from gemel.cli.accounts import print_setup_code
from gemel.cli.console import Json, call, fail, out, print_findings, print_json
from gemel.cli.generated import change, read_password
from gemel.control.agent import AskSetup, Change, EditOrder, SetPassword, SetupCode, Show

PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


def first_boot(
    hostname: Annotated[str, typer.Option(help="Name of this node.")],
    wan: Annotated[str, typer.Option(help="Network device that leads to the Internet.")],
    wan_address: Annotated[str, typer.Option(help="Its address with mask, for example 198.51.100.201/24.")],
    lan: Annotated[str, typer.Option(help="Network device of the local network.")],
    lan_address: Annotated[str, typer.Option(help="Its address with mask, for example 192.168.1.2/24.")],
    wan_gateway: Annotated[str, typer.Option(help="The router on WAN; empty for none.")] = "",
    gui_address: Annotated[
        str, typer.Option(help="Where people reach this node's pages; empty: the LAN address.")
    ] = "",
    password_stdin: PasswordStdin = False,
    as_json: Json = False,
) -> None:
    """Answer the first questions of a new node: name, WAN, LAN, the admin's password. LAN may go anywhere, WAN is
    closed. Without a password a code is printed with which the first visitor sets it."""
    if call(Show("interfaces")).values["items"]:
        fail("this node is configured already: use `gemel interface`, or `gemel import`")
    password = read_password() if password_stdin else ""
    changed = call(
        Change(
            (*_named(hostname, gui_address), *_answers(wan, wan_address, wan_gateway, lan, lan_address)),
            True,
            "first boot",
        )
    )
    if password:
        call(SetPassword("admin", password))
    if as_json:
        print_json(changed)
    else:
        out.print(f"{hostname} is set up (revision {changed.revision}): `gemel status` shows it")
    if not password and call(AskSetup()) and not as_json:
        given = call(SetupCode())
        print_setup_code(given.code, given.seconds)
    print_findings(changed.warnings)


def _named(hostname: str, gui_address: str) -> list[EditOrder]:
    return [EditOrder("system", "set", "", {"hostname": hostname, "web_address": gui_address})]


def _answers(wan: str, wan_address: str, wan_gateway: str, lan: str, lan_address: str) -> list[EditOrder]:
    orders = []
    for key, device, address in (("wan", wan, wan_address), ("lan", lan, lan_address)):
        values = {"id": key, "device": device, "description": key.upper(), "enabled": True, "ipv4": address}
        orders.append(EditOrder("interfaces", "add", "", values))
    if wan_gateway:
        orders.append(EditOrder("gateways", "add", "", {"name": "WANGW", "interface": "wan", "address": wan_gateway}))
        orders.append(EditOrder("interfaces", "set", "wan", {"gateway": "WANGW"}))
    orders += [EditOrder("rules", "add", "", dict(rule)) for rule in FIRST_RULES]
    return orders


def passwd(
    username: Annotated[str, typer.Argument(help="Whose.")] = "admin",
    password_stdin: PasswordStdin = False,
) -> None:
    """Set an account's password."""
    password = (
        read_password() if password_stdin else typer.prompt("New password", hide_input=True, confirmation_prompt=True)
    )
    call(SetPassword(username, password))


def assign(
    device: Annotated[str, typer.Argument(help="The network device, as `ip link` shows it.")],
    description: Annotated[str, typer.Option(help="What pages and rules call it.")] = "",
    as_json: Json = False,
) -> None:
    """Assign a network device: it becomes WAN, LAN, then opt1, opt2… in this order. Assign in the same order on both
    nodes."""
    values = {"device": device, **({"description": description} if description else {})}
    change(EditOrder("interfaces", "add", "", values), as_json, "assigned")


def mode(
    mode: Annotated[str, typer.Argument(metavar="automatic|hybrid|manual|disabled", help="Which rules translate.")],
    as_json: Json = False,
) -> None:
    """The mode of outbound NAT. Takes effect at once."""
    change(EditOrder("outbound_nat", "set", "", {"mode": mode}), as_json, "saved")
