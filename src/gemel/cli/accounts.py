"""The first password, second factors, API keys."""

from datetime import datetime
from typing import Annotated

import typer

from gemel.cli.console import Json, call, out, print_json, print_table
from gemel.control.agent import Keys, MakeKey, ResetTotp, RevokeKey, SetupCode

key = typer.Typer(help="API keys: programs that act for an account.", no_args_is_help=True)


def setup_code(as_json: Json = False) -> None:
    """Print a code with which the first visitor of this node's pages sets the admin's password. Root only."""
    given = call(SetupCode())
    if as_json:
        print_json(given)
    else:
        print_setup_code(given.code, given.seconds)


def print_setup_code(code: str, seconds: int) -> None:
    """What to do with the code."""
    out.print(f"Open this node's pages, https:// and its LAN address, and enter the code [bold]{code}[/]")
    out.print(f"It is good for {seconds // 60} minutes; `gemel setup-code` prints a new one.")


def totp_reset(username: Annotated[str, typer.Argument(help="Whose.")] = "admin") -> None:
    """Take an account's second factor away, for who has lost phone and recovery codes."""
    call(ResetTotp(username))


@key.command("list")
def key_list(as_json: Json = False) -> None:
    """List API keys, without their secrets."""
    keys = call(Keys())
    if as_json:
        print_json(keys)
        return
    rows = [
        [k.id, k.name, k.username, k.privilege, k.expires or "never",
         datetime.fromtimestamp(k.last_use).strftime("%Y-%m-%d %H:%M") if k.last_use else "never", k.wrong or "good"]
        for k in keys
    ]  # fmt: skip
    titles = ["Id", "Name", "Account", "Privilege", "Expires", "Last use here", "State"]
    print_table(titles, rows, "There are no API keys yet: `gemel key add --help` says how to begin.")


@key.command("add")
def key_add(
    name: Annotated[str, typer.Option(help="What it is for.")],
    privilege: Annotated[str, typer.Option(metavar="read-only|all", help="At most what the account may do.")] = (
        "read-only"
    ),
    expires: Annotated[str, typer.Option(help="The last day on which it is good, such as 2027-01-31.")] = "",
    account: Annotated[str, typer.Option(help="For whom it acts.")] = "admin",
    as_json: Json = False,
) -> None:
    """Make an API key, at once. It is printed this once."""
    made = call(MakeKey(name, privilege, expires, account))
    if as_json:
        print_json(made)
    else:
        print(made.key)


@key.command("revoke")
def key_revoke(key: Annotated[str, typer.Argument(help="Id or name.")]) -> None:
    """End an API key, at once."""
    call(RevokeKey(key))
