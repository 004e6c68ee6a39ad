"""`gemel lab`: the lab from the command line."""

import json
import os
import signal
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from gemel.lab import demo, recipe
from gemel.lab.lab import Lab
from gemel.lab.namespace import LabError
from gemel.lab.recipe import Seen
from gemel.lab.topology import NODES


class Refusing(TyperGroup):
    """What the lab cannot do is said in a line, under whichever command line `app` hangs."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except LabError as error:
            typer.echo(f"gemel lab: {error}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    name="lab", help="Two nodes, a LAN client and a WAN server in network namespaces.", no_args_is_help=True,
    cls=Refusing, pretty_exceptions_enable=False,
)

Name = Annotated[str, typer.Option("--name", help="Which lab; several can be up side by side.")]
NodeName = Annotated[str, typer.Argument(metavar="NODE", help=" or ".join(NODES))]
Device = Annotated[str, typer.Argument(metavar="IFACE", help="A device of the node: wan, lan, sync, or an added one.")]
AsJson = Annotated[bool, typer.Option("--json", help="As one JSON object.")]
Command = Annotated[list[str], typer.Argument(metavar="-- CMD...")]


@app.command()
def up(
    name: Name = "lab",
    blank: Annotated[bool, typer.Option("--blank", help="Leave the recipe to the user.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start it; without --blank the recipe has been carried out."""
    screen = Console(stderr=True)
    lab = Lab(name)
    with screen.status("Two blank nodes, a LAN and a WAN"):
        lab.up()
    try:
        if not blank:
            recipe.carry_out(lab, lambda seen: screen.print(_in_a_line(seen)))
    except BaseException:
        lab.down()
        raise
    _show(lab, as_json)


@app.command()
def down(name: Name = "lab") -> None:
    """Take it down, whatever state it is in."""
    Lab(name).down()


@app.command()
def status(name: Name = "lab", as_json: AsJson = False) -> None:
    """Power, cables, processes, and where the nodes' pages are."""
    _show(Lab(name), as_json)


@app.command("exec")
def exec_(host: Annotated[str, typer.Argument(metavar="HOST")], command: Command, name: Name = "lab") -> None:
    """Run a command on a node or a host, in this terminal."""
    argv = Lab(name).command(host, *command)
    os.execvp(argv[0], argv)


@app.command()
def cli(node: NodeName, arguments: Annotated[list[str], typer.Argument(metavar="-- ARGS...")],
        name: Name = "lab") -> None:
    """The node's own gemel."""
    argv = Lab(name).command(node, "gemel", *arguments)
    os.execvp(argv[0], argv)


@app.command("power-off")
def power_off(node: NodeName, name: Name = "lab") -> None:
    """Wires dead and every process killed in the same instant."""
    Lab(name).power_off(node)


@app.command("power-on")
def power_on(node: NodeName, name: Name = "lab") -> None:
    """Start the node from what is on its disk."""
    Lab(name).power_on(node)


@app.command()
def reboot(node: NodeName, name: Name = "lab") -> None:
    """Stop the node's processes in order and start it again."""
    Lab(name).reboot(node)


@app.command()
def unplug(
    node: NodeName, iface: Device, name: Name = "lab",
    silent: Annotated[bool, typer.Option("--silent", help="The carrier stays, the frames vanish.")] = False,
) -> None:
    """Pull a cable."""
    Lab(name).unplug(node, iface, silent)


@app.command()
def plug(node: NodeName, iface: Device, name: Name = "lab") -> None:
    """Put the cable back."""
    Lab(name).plug(node, iface)


@app.command()
def kill(
    node: NodeName,
    process: Annotated[str, typer.Argument(help="agent, carpd, flowd, webd, or a service.")],
    name: Name = "lab",
    sig: Annotated[str, typer.Option("--signal", metavar="S", help="By name or number.")] = "KILL",
    hold: Annotated[bool, typer.Option("--hold", help="The supervisor shall not care.")] = False,
) -> None:
    """Send a signal to a process of the node."""
    Lab(name).kill(node, process, _signal_number(sig), hold)


@app.command()
def release(node: NodeName, process: str, name: Name = "lab") -> None:
    """End what `kill --hold` began: the supervisor looks after the process again."""
    Lab(name).release(node, process)


@app.command("add-segment")
def add_segment(segment: Annotated[str, typer.Argument(metavar="SEGMENT")], name: Name = "lab",
                as_json: AsJson = False) -> None:
    """One more network: a device of that name on both nodes, and a host."""
    host = Lab(name).add_segment(segment)
    if as_json:
        typer.echo(json.dumps({"name": host.name, "address": host.address, "gateway": host.gateway}))
    else:
        typer.echo(f"host {host.name} has {host.address} and expects its gateway at {host.gateway};")
        typer.echo(f"both nodes have a device {host.name}")


app.command("demo")(demo.demo)


def _signal_number(text: str) -> int:
    try:
        return int(text) if text.isdigit() else signal.Signals["SIG" + text.upper().removeprefix("SIG")].value
    except KeyError:
        raise LabError(f"{text} is no signal") from None


def _in_a_line(seen: Seen) -> str:
    return f"[{'green' if seen.ok else 'red'}]{'✓' if seen.ok else '✗'}[/] {seen.name}: {seen.saw}"


def _show(lab: Lab, as_json: bool) -> None:
    facts = lab.status()
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    table = Table("node", "power", "web", "cables", "processes", title=f"lab {lab.name}")
    for node, at in facts["nodes"].items():
        table.add_row(node, at["power"], at["web"], _words(at["cables"], "plugged"), _words(at["processes"], "running"))
    screen = Console()
    screen.print(table)
    screen.print(f"Log in as {facts['user']} with {facts['password']}", highlight=False, markup=False)
    for host, at in facts["hosts"].items():
        screen.print(f"{host}: {at['address']}", highlight=False)


def _words(states: dict[str, str], usual: str) -> str:
    unusual = ", ".join(f"{name} {state}" for name, state in states.items() if state != usual)
    return unusual or (f"all {usual}" if states else "")


if __name__ == "__main__":
    app()  # without the node's command line around it
