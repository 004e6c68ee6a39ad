"""The state table, and its synchronisation with the other node."""

from typing import Annotated, Any

import typer

from gemel.cli.console import Json, call, fail, out, print_json, print_table
from gemel.control.agent import AskFact, CompareStates, EndStates, ResyncStates
from gemel.facts.every import fact

states = typer.Typer(help="The state table: connections through this node and of it, and who has the most.")
state_sync = typer.Typer(help="State synchronisation: how it stands, compare both tables, send everything again.")

Words = Annotated[str, typer.Option("--filter", help="Only states that contain all these words.")]
Protocol = Annotated[str, typer.Option(help="tcp, udp, icmp, … or a number.")]
Address = Annotated[str, typer.Option(help="An address or network at either end, translated ones too.")]
Port = Annotated[str, typer.Option(help="A port at either end.")]
Creator = Annotated[str, typer.Option(help="Filter Host ID of the node on which they began.")]
Limit = Annotated[int, typer.Option("--limit", min=0, help="How many rows at most.")]


def _options(words: str, protocol: str, address: str, port: str, creator: str) -> dict[str, str]:
    given = {"filter": words, "protocol": protocol, "address": address, "port": port, "creator": creator}
    return {name: value for name, value in given.items() if value}


@states.callback(invoke_without_command=True)
def list_states(
    context: typer.Context, words: Words = "", protocol: Protocol = "", address: Address = "", port: Port = "",
    creator: Creator = "", limit: Limit = 50, as_json: Json = False,
) -> None:  # fmt: skip
    """List states, and say who has the most of them."""
    if context.invoked_subcommand:
        return
    answer = call(AskFact("states", {**_options(words, protocol, address, port, creator), "limit": str(limit)}))
    if as_json:
        print_json(answer)
        return
    columns = fact("states").columns
    rows = [[f"{row[c.name]:g} s" if c.kind == "seconds" else row[c.name] for c in columns] for row in answer["rows"]]
    print_table([column.label for column in columns], rows, "No states.")
    _print_counts(answer)


@states.command("count")
def count_states(
    words: Words = "", protocol: Protocol = "", address: Address = "", port: Port = "", creator: Creator = "",
    as_json: Json = False,
) -> None:  # fmt: skip
    """Count states, by protocol, creator and talker."""
    answer = call(AskFact("states", {**_options(words, protocol, address, port, creator), "limit": "0"}))
    if as_json:
        print_json({name: value for name, value in answer.items() if name != "rows"})
    else:
        _print_counts(answer)


@states.command("top")
def top_talkers(
    words: Words = "", protocol: Protocol = "", address: Address = "", port: Port = "", creator: Creator = "",
    as_json: Json = False,
) -> None:  # fmt: skip
    """Who has the most states."""
    answer = call(AskFact("states", {**_options(words, protocol, address, port, creator), "limit": "0"}))
    if as_json:
        print_json({name: answer[name] for name in ("sources", "destinations")})
        return
    for name in ("sources", "destinations"):
        rows = [[talker["address"], str(talker["states"])] for talker in answer[name]]
        print_table([name[:-1].capitalize(), "States"], rows, f"No {name}.")


@states.command("kill")
def kill_states(
    words: Words = "", protocol: Protocol = "", address: Address = "", port: Port = "", creator: Creator = "",
    everything: Annotated[bool, typer.Option("--all", help="All of them, this connection too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:  # fmt: skip
    """End the states that fit, on both nodes, asked on the MASTER. What a rule still passes may begin anew."""
    options = _options(words, protocol, address, port, creator)
    if not options and not everything:
        fail("say which: --filter, --protocol, --address, --port, --creator, or --all")
    if not yes:
        matching = call(AskFact("states", {**options, "limit": "0"}))["matching"]
        typer.confirm(f"End {matching} states?", abort=True)
    done = call(EndStates(options, everything))
    out.print(f"{done.ended} states ended" + (f", {done.left} had ended already" if done.left else ""))


def _print_counts(answer: dict[str, Any]) -> None:
    counted = ", ".join(f"{p} {n}" for p, n in sorted(answer["by_protocol"].items()))
    out.print(f"\n{answer['matching']} of {answer['total']} states match ({counted or 'none'})")
    hosts = [(c["host_id"] + (" (this node)" if c["this_node"] else ""), c["states"]) for c in answer["creators"]]
    began = ", ".join(f"{host} {number}" for host, number in hosts)
    out.print(f"by creator: {began or '-'}")
    for name in ("sources", "destinations"):
        most = ", ".join(f"{t['address']} ({t['states']})" for t in answer[name][:5])
        out.print(f"most states by {name[:-1]}: {most or '-'}")


# -- synchronisation --------------------------------------------------------------------------------------------------


@state_sync.callback(invoke_without_command=True)
def show_state_sync(context: typer.Context, as_json: Json = False) -> None:
    """How it stands: rate, lag, bulk, comparison, last repair, and whether it is safe to fail over."""
    if context.invoked_subcommand:
        return
    answer = call(AskFact("state-sync"))
    if as_json:
        print_json(answer)
        return
    for problem in answer["problems"]:
        out.print(f"[red]✗[/] {_plain(problem)}", soft_wrap=True)
    lag = "-" if answer["lag_ms"] is None else f"{answer['lag_ms']:.1f} ms"
    began = ", ".join(f"{host} {number}" for host, number in sorted(answer["creators"].items()))
    rows = [
        ["Status", answer["status"]],
        ["Role", answer["role"]],
        ["Sending", answer["sending"]],
        ["Receiving", answer["receiving"]],
        ["States", f"{answer['states']} (by creator: {began or '-'})"],
        ["Rate", f"{answer['sent_per_second']:g} sent, {answer['received_per_second']:g} received per second"],
        ["Lag", f"{lag}, {answer['waiting']} waiting"],
        ["Tables", answer["agreement"]],
        ["Compared", answer["comparison"] or "not yet"],
        ["Last repair", answer["repair"] or "none"],
    ]
    print_table(["State synchronisation", answer["peer"] or "no peer"], rows, "")
    if answer["verdict"] == "safe":
        out.print("[green]Safe to fail over.[/]")
        return
    out.print("[yellow]Not safe to fail over:[/]")
    for reason in answer["reasons"]:
        out.print(f"  {_plain(reason)}", soft_wrap=True)


@state_sync.command("resync")
def resync_states() -> None:
    """Send the whole table to the peer again, now."""
    call(ResyncStates())


@state_sync.command("compare")
def compare_tables() -> None:
    """Compare both tables now (it is done every few seconds), and repair what differs."""
    call(CompareStates())


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
