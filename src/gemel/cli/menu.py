"""`gemel console`: a menu for a text terminal, with the few things one needs where the GUI is out of reach.

Everything is asked of the agent, like any other command, so a change made here is checked, applied and remembered as
ever. Where an act is in the console's menu of the recipe's product it has its number there.
"""

import os
import subprocess
from collections.abc import Callable

import typer

from gemel.areas.every import SCHEMA
from gemel.areas.factory import factory_default
from gemel.cli import diagnostics
from gemel.cli.accounts import print_setup_code
from gemel.cli.console import Json, call, err, fail, out, print_json, print_table
from gemel.cli.history import print_diff, revision_rows
from gemel.cli.menu_address import set_address
from gemel.control.agent import (
    AskFact,
    Diff,
    Export,
    Import,
    Maintenance,
    PinPeer,
    ResetTotp,
    Restore,
    Revisions,
    SetPassword,
    SetupCode,
)
from gemel.core.codec import decode
from gemel.core.problem import Invalid
from gemel.facts.console import CONSOLE, ConsoleView, lines

LEAVE = "0"
SHOWN_REVISIONS = 12
WAYS_TO_SAY_LEAVE = (LEAVE, "q", "quit", "exit", "logout")

Act = Callable[[], None]


def console(as_json: Json = False) -> None:
    """What one needs at the machine when the GUI cannot be reached: addresses, password, history, ping, shell."""
    if as_json:
        print_json(call(AskFact(CONSOLE.name)))
        return
    while True:
        _guarded(_show)
        for number, (title, _) in ACTS.items():
            out.print(f" {number:>2}) {title}", markup=False)
        out.print(f" {LEAVE:>2}) Leave", markup=False)
        choice = _choice()
        if choice in WAYS_TO_SAY_LEAVE:
            return
        if choice in ACTS:
            out.print()
            _guarded(ACTS[choice][1])
        elif choice:
            out.print(f"There is no {choice!r} here.", markup=False)


def _choice() -> str:
    """What was typed; nothing shows the page again. Ctrl-D and Ctrl-C leave."""
    try:
        typed: str = typer.prompt("\nNumber, or Enter to look again", default="", show_default=False)
    except typer.Abort:
        out.print()
        return LEAVE
    return typed.strip().lower()


def _guarded(act: Act) -> None:
    """What was refused has been said; whoever gives up comes back to the menu."""
    try:
        act()
    except typer.Exit:
        return
    except (typer.Abort, KeyboardInterrupt):
        out.print("\nNothing was done.")


def _show() -> None:
    out.print()
    view = decode(ConsoleView, call(AskFact(CONSOLE.name)))
    for line in lines(view):
        out.print(line, markup=False, soft_wrap=True)
    out.print()


def _password() -> None:
    password = typer.prompt("New password for admin", hide_input=True, confirmation_prompt=True)
    call(SetPassword("admin", password))
    out.print("The admin has a new password; all sessions have ended.")
    if typer.confirm("Take the second factor of admin away, too?", default=False):
        call(ResetTotp("admin"))


def _restore() -> None:
    heads = call(Revisions())
    print_table(*revision_rows(heads[:SHOWN_REVISIONS]), "Nothing was ever applied here.")
    numbers = {head.number for head in heads}
    typed = typer.prompt("\nNumber of the revision (Enter: none)", default="", show_default=False)
    if not typed:
        return
    if not typed.isascii() or not typed.isdigit() or int(typed) not in numbers:
        fail(f"there is no revision {typed}")
    print_diff(call(Diff(0, int(typed))))
    if typer.confirm("Restore it?", default=False):
        applied = call(Restore(int(typed)))
        out.print(f"revision {applied.revision} runs")


def _factory_default() -> None:
    out.print("The node keeps its name, WAN and LAN with their addresses and gateways, and lets LAN out.")
    out.print("All else goes: rules, virtual IPs, NAT, DHCP, accounts, passwords, the peer's key.")
    out.print("What runs now stays in the history, and can be restored.")
    if typer.prompt("Type the word default to do it", default="", show_default=False) != "default":
        out.print("Nothing was done.")
        return
    try:
        config = factory_default(SCHEMA.load(call(Export())))
    except Invalid as error:
        fail(str(error))
    applied = call(Import(SCHEMA.dump(config), "factory default"))
    call(PinPeer(""))
    call(Maintenance(False))
    out.print(f"revision {applied.revision} runs: factory default")
    given = call(SetupCode())
    print_setup_code(given.code, given.seconds)


def _ping() -> None:
    host = typer.prompt("Address or name (Enter: none)", default="", show_default=False)
    if host:
        diagnostics.ping(host, "", "any", 3, False)


def _shell() -> None:
    program = os.environ.get("SHELL") or "/bin/sh"
    out.print(f"{program}: `exit` leads back to the menu.", markup=False)
    try:
        subprocess.run((program,), check=False)
    except OSError as error:
        err.print(f"{program}: {error.strerror}", markup=False)


ACTS: dict[str, tuple[str, Act]] = {
    "2": ("Set an interface's address", set_address),
    "3": ("Set the admin's password", _password),
    "4": ("Reset to factory default", _factory_default),
    "7": ("Ping a host", _ping),
    "8": ("Shell", _shell),
    "15": ("Restore a revision", _restore),
}
