"""`gemel setup`: ask, show, begin, confirm, undo."""

import logging
import os
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from gemel.cli.console import fail, out
from gemel.cli.generated import read_password
from gemel.daemons.takeover import features, run
from gemel.daemons.takeover.plan import Answers, Plan, Visitor, plan, proposed
from gemel.daemons.takeover.run import SetupFailed
from gemel.daemons.takeover.seen import Seen

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
        bool, typer.Option("--password-stdin", help="Read the admin's password from standard input.")
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
    if not Path("/run/systemd/system").exists():
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
            given = _given(answers, wan=wan, lan=lan, hostname=hostname, other=other)
            _begin(given, password_stdin, yes, dry_run, within)
    except SetupFailed as error:
        fail(str(error))


def _given(file: Path | None, **flags: Any) -> dict[str, Any]:
    """What the file says, and above it what the flags say."""
    found: Any = {}
    if file is not None:
        try:
            found = yaml.safe_load(file.read_text()) or {}
        except (OSError, yaml.YAMLError) as error:
            fail(f"{file}: {error}")
        known = {"hostname", "wan", "lan", "other", "password"}
        strange = set(found) - known if isinstance(found, dict) else {"this"}
        if strange:
            fail(f"{file}: may say {', '.join(sorted(known))}, and not {', '.join(map(str, strange))}")
    return {**found, **{key: value for key, value in flags.items() if value}}


def _begin(given: dict[str, Any], password_stdin: bool, yes: bool, dry_run: bool, within: int) -> None:
    now = run.look()
    _print_features()
    answers = _answers(given, now, yes or dry_run)
    planned = plan(now, answers, _visitor())
    _print_plan(planned)
    if planned.problems:
        raise typer.Exit(1)
    if dry_run:
        return
    password = str(given.get("password", "")) or _password(password_stdin)
    if len(password) < SHORTEST_PASSWORD:
        fail(f"the admin's password: at least {SHORTEST_PASSWORD} characters")
    if not yes:
        typer.confirm("Do this?", abort=True)
    run.begin(now, planned, password, within)
    out.print(f"[bold]Done, on trial.[/] Log in once more, and say `gemel setup --confirm` within {within} s.")
    out.print("Otherwise everything goes back to what it was.")


def _answers(given: dict[str, Any], now: Seen, quiet: bool) -> Answers:
    guess = proposed(now)
    for port in now.ports if not quiet else ():
        out.print(f"  {port.device}  {port.mac}  {', '.join(port.all) or 'no address'}")

    def ask(key: str, label: str, proposal: str) -> str:
        value = str(given.get(key, ""))
        return value or (proposal if quiet else str(typer.prompt(label, default=proposal or None)))

    hostname = ask("hostname", "Name of this node", guess.hostname)
    wan = ask("wan", "Port of WAN", guess.wan)
    lan = ask("lan", "Port of LAN", guess.lan)
    others = [str(o) for o in given.get("other", ())] or [d for d, _ in guess.others if d not in (wan, lan)]
    pairs = tuple((device, name) for device, _, name in (o.partition("=") for o in others))
    return Answers(hostname, wan, lan, pairs)


def _password(password_stdin: bool) -> str:
    if password_stdin:
        return read_password()
    asked: str = typer.prompt("Password for admin", hide_input=True, confirmation_prompt=True)
    return asked


def _visitor() -> Visitor | None:
    words = os.environ.get("SSH_CONNECTION", "").split()
    return Visitor(words[0], words[2], int(words[3])) if len(words) == 4 else None


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
        out.print(f"[yellow]mind:[/] {line}")
    for line in planned.problems:
        out.print(f"[red]error:[/] {line}")
