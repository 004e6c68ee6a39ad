"""`gemel setup`: ask, show, begin, confirm, undo."""

import logging
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from gemel.cli.console import fail, out
from gemel.cli.generated import read_password
from gemel.control.door import Refused, Unreachable
from gemel.core.problem import Invalid
from gemel.daemons import systemd
from gemel.daemons.takeover import features, memory, run
from gemel.daemons.takeover.given import Given, given, ports
from gemel.daemons.takeover.look import around, look
from gemel.daemons.takeover.plan import Answers, Plan, plan, proposed
from gemel.daemons.takeover.run import SetupFailed
from gemel.daemons.takeover.seen import Seen
from gemel.daemons.takeover.visitor import of_this_process
from gemel.effects.commands import CommandFailed

SHORTEST_PASSWORD = 8

Port = Annotated[str, typer.Option(metavar="PORT", help="Its network port, as `ip link` shows it.")]


def setup(
    wan: Port = "",
    lan: Port = "",
    other: Annotated[
        list[str] | None,
        typer.Option(metavar="PORT[=NAME]", help="A further port: opt1, opt2… in this order, as on the other node."),
    ] = None,
    hostname: Annotated[str, typer.Option(help="Name of this node; as it is unless given.")] = "",
    answers: Annotated[
        Path | None,
        typer.Option(help="A YAML file with hostname, wan, lan, other (a list) and password.", dir_okay=False),
    ] = None,
    password_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="Read the admin's password from standard input; implies --yes."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; what is not given is as proposed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and end.")] = False,
    within: Annotated[int, typer.Option(min=20, max=3600, help="Seconds for the confirmation.")] = 180,
    confirm: Annotated[bool, typer.Option("--confirm", help="It works: keep it.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Give the machine back as it was.")] = False,
    unless_confirmed: Annotated[bool, typer.Option("--unless-confirmed", hidden=True)] = False,
    at_boot: Annotated[bool, typer.Option("--at-boot", hidden=True)] = False,
) -> None:
    """Make this machine a node: its ports, addresses, routes and name servers become Gemel's to look after.

    Addresses stay as they are, so an SSH session lives on. Unless `gemel setup --confirm` follows in time, from a
    session that could still log in, everything goes back by itself.
    """
    if os.geteuid():
        fail("only root can do this: try `sudo gemel setup`")
    if not systemd.is_here():
        fail("this machine is not run by systemd; in the lab use `gemel first-boot`")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        if undo:
            there = run.undo(unless_confirmed, at_boot)
            out.print("The machine is as it was." if there else "There is nothing to give back.")
        elif confirm:
            run.confirm()
            out.print("Confirmed. This machine is a node; `gemel status` shows it.")
        else:
            said = _given(answers, wan=wan, lan=lan, hostname=hostname, other=other)
            _begin(said, password_stdin, yes or password_stdin, dry_run, within)
    except SetupFailed as error:
        fail(str(error))
    except (OSError, CommandFailed, Refused, Unreachable) as error:
        fail(f"{error}; {_standing()}")


def _standing() -> str:
    """What a machine is where something unforeseen went wrong."""
    try:
        known = memory.recall()
    except OSError:
        return f"what the owners of its ports had configured is in {memory.PLACE.with_name('before')}"
    if known is None:
        return "this machine is as it was"
    if known.stage == "trial":
        return "this machine is on trial and goes back by itself; `gemel setup --undo` does it now"
    return "this machine counts as a node; `gemel setup --undo` gives it back, and may be said again"


def _given(file: Path | None, **flags: str | list[str] | None) -> Given:
    """What the file says, and above it what the flags say."""
    try:
        return given(file.read_text() if file else "", **flags)
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: {error}")
    except Invalid as error:
        fail(f"{file}: {error}")


def _begin(said: Given, password_stdin: bool, yes: bool, dry_run: bool, within: int) -> None:
    if (known := memory.recall()) is not None:  # before anything is asked; what follows would look at Gemel itself
        fail(f"this machine is a node already ({known.stage}); `gemel setup --undo` gives it back")
    now = look()
    _print_features()
    answers = _answers(said, now, yes or dry_run)
    planned = plan(now, answers, of_this_process(), around())
    _print_plan(planned)
    if planned.problems:
        raise typer.Exit(1)
    if dry_run:
        return
    password = said.password or _password(password_stdin)
    if len(password) < SHORTEST_PASSWORD:
        fail(f"the admin's password: at least {SHORTEST_PASSWORD} characters")
    if not yes:
        typer.confirm("Do this?", abort=True)
    run.begin(now, planned, password, within)
    out.print(f"[bold]Done, on trial.[/] Log in once more, and say `gemel setup --confirm` within {within} s.")
    out.print("Otherwise everything goes back to what it was.")


def _answers(said: Given, now: Seen, quiet: bool) -> Answers:
    guess = proposed(now)
    for port in now.ports if not quiet else ():
        out.print(f"  {port.device}  {port.mac}  {', '.join(port.all) or 'no address'}")

    def ask(value: str, label: str, proposal: str) -> str:
        return value or (proposal if quiet else str(typer.prompt(label, default=proposal or None)))

    hostname = ask(said.hostname, "Name of this node", guess.hostname)
    wan = ask(said.wan, "Port of WAN", guess.wan)
    lan = ask(said.lan, "Port of LAN", guess.lan)
    others = ports(said)
    if others is None:
        others = tuple(pair for pair in guess.others if pair[0] not in (wan, lan))
    return Answers(hostname, wan, lan, others)


def _password(password_stdin: bool) -> str:
    if password_stdin:
        return read_password()
    asked: str = typer.prompt("Password for admin", hide_input=True, confirmation_prompt=True)
    return asked


def _print_features() -> None:
    lacking = list(features.missing())
    for feature in lacking:
        colour = "red" if feature.needed else "yellow"
        out.print(f"[{colour}]this kernel has no {feature.name}:[/] {feature.cost}")
    if any(feature.needed for feature in lacking):
        fail("Gemel cannot work with this kernel")


def _print_plan(planned: Plan) -> None:
    for line in planned.lines:
        out.print(f"  {line}", markup=False)
    for line in planned.warnings:
        out.print(f"[yellow]mind:[/] {escape(line)}")
    for line in planned.problems:
        out.print(f"[red]error:[/] {escape(line)}")
