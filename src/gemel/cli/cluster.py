"""status, CARP, configuration synchronisation, the peer."""

from datetime import datetime
from typing import Annotated, Any

import typer

from gemel.cli.console import Json, call, out, print_json, print_table
from gemel.control.agent import (
    AskFingerprints,
    CarpScan,
    EnableCarp,
    FailOver,
    Maintenance,
    PinPeer,
    ResetDemotion,
    ResyncStates,
    Status,
    SyncNow,
    TestVirtualMac,
)

COLOURS = {"MASTER": "green", "BACKUP": "yellow", "INIT": "red", "DISABLED": "dim"}

carp = typer.Typer(help="CARP: the roles of this node, maintenance mode.", no_args_is_help=True)
peer = typer.Typer(help="The other node's key: show, pin by hand, forget.", no_args_is_help=True)


def status(as_json: Json = False) -> None:
    """This node on one page; the first line says what is wrong and what to do."""
    report = call(Status())
    if as_json:
        print_json(report)
        return
    for problem in report["problems"]:
        out.print(f"[red]✗[/] {_plain(problem)}", soft_wrap=True)
    if not report["problems"]:
        out.print("[green]✓[/] no problems")
    out.print(f"\n[bold]{report['node']}[/]  {report['role_config']}  revision {report['config_sync']['revision']}")
    if report["pending"]:
        out.print(f"{report['pending']} areas have pending changes: `gemel diff`")
    out.print()
    _print_vhids(report)
    _print_sync(report)
    _print_peer(report)
    for warning in report["warnings"]:
        out.print(f"[yellow]warning:[/] {_plain(warning)}", soft_wrap=True)
    for notice in report["notices"]:
        out.print(f"[blue]notice:[/] {_plain(notice)}", soft_wrap=True)


def _print_vhids(report: dict[str, Any]) -> None:
    rows = [
        [
            f"{v['description']}@{v['vhid']}",
            ", ".join(v["addresses"]),
            v["state"],
            f"{v['advbase']}/{v['advskew']}"
            + (f" ({v['effective_skew']})" if v["effective_skew"] != v["advskew"] else ""),
            datetime.fromtimestamp(v["since"]).strftime("%H:%M:%S") if v["since"] else "",
            v["reason"],
        ]
        for v in report["carp"]
    ]
    print_table(["VHID", "Address", "State", "Base/skew", "Since", "Why"], rows, "There are no CARP virtual IPs.")


def _print_sync(report: dict[str, Any]) -> None:
    state, config = report["state_sync"], report["config_sync"]
    out.print(f"\nState synchronisation: {state['status']}", end="")
    if state["status"] not in ("off", "unknown"):
        lag = f", lag {state['lag_ms']:.1f} ms" if state["lag_ms"] is not None else ""
        out.print(f", {state['states']} states{lag}, peer {state['peer']}")
        me = state["host_id"]
        creators = ", ".join(f"{c}{' (this node)' if c == me else ''}" for c in state["creator_ids"])
        out.print(f"  State creator host ids: {creators or '-'}")
        out.print(f"  sending: {_plain(state['sending'])}\n  receiving: {_plain(state['receiving'])}")
    else:
        out.print()
    out.print(f"Configuration synchronisation: {config['status']}", end="")
    if config.get("peer"):
        out.print(f", peer {config['peer']} at revision {config['peer_revision']}", end="")
    out.print()


def _print_peer(report: dict[str, Any]) -> None:
    peer, verdict = report["peer"], report["safe_to_fail_over"]
    if peer is not None:
        said = peer["status"]
        if said is None or not peer["reachable"]:
            ago = "" if peer["age"] is None else f" for {peer['age']:.0f} s"
            out.print(f"Peer: nothing is heard of it{ago}: {_plain(peer['why'])}", soft_wrap=True)
        if said is not None:
            roles = ", ".join(f"{v['description']}@{v['vhid']} {v['state']}" for v in said["carp"]) or "no virtual IPs"
            revision = said["config_sync"]["revision"]
            more = f", {len(said['problems'])} problems" if said["problems"] else ", no problems"
            out.print(f"Peer {said['node']} ({said['role_config']}, revision {revision}{more}): {roles}")
    if verdict["verdict"] == "safe":
        out.print(f"[green]Safe to fail over[/] to {verdict['standby']}: {_plain('; '.join(verdict['holds']))}")
        return
    out.print("[yellow]Not safe to fail over:[/]")
    for reason in verdict["reasons"]:
        out.print(f"  {_plain(reason)}", soft_wrap=True)


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


@carp.command("status")
def carp_status(as_json: Json = False) -> None:
    """Roles, demotion and the last transitions."""
    report = call(Status())
    if as_json:
        kept = ("carp", "demotion", "waived", "maintenance", "carp_enabled", "transitions", "counters")
        print_json({key: report[key] for key in kept})
        return
    _print_vhids(report)
    for reason, amount in report["demotion"].items():
        out.print(f"demotion {amount}: {_plain(reason)}")
    for reason, amount in report["waived"].items():
        out.print(f"demotion {amount}, reset by hand: {_plain(reason)}")
    for t in report["transitions"][-10:]:
        when = datetime.fromtimestamp(t["at"]).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        name = t["description"] or t["interface"]
        out.print(
            f"[dim]{when}[/] {name}@{t['vhid']} {t['before']} → {t['after']}: {_plain(t['reason'])}", soft_wrap=True
        )


@carp.command("maintenance")
def carp_maintenance(
    switch: Annotated[str, typer.Argument(metavar="on|off", help="Enter or leave persistent CARP maintenance mode.")],
) -> None:
    """Hand all virtual IPs to the peer, and stay back over reboots, until it is switched off."""
    call(Maintenance(_is_on(switch)))


@carp.command("failover")
def carp_failover(
    force: Annotated[bool, typer.Option("--force", help="Also when the other node might not take over.")] = False,
) -> None:
    """Hand all virtual IPs to the peer, by persistent maintenance mode; refused, with reasons, where it might not take
    over."""
    call(FailOver(force))


@carp.command("reset-demotion")
def carp_reset_demotion(
    reason: Annotated[str, typer.Argument(help="As `gemel status` names it; all that hold now without one.")] = "",
    as_json: Json = False,
) -> None:
    """Take part at full strength although there is a reason to stand back, until that has gone and come again."""
    counted = call(ResetDemotion(reason))
    if as_json:
        print_json(counted)
        return
    for one, amount in counted.items():
        out.print(f"no longer counts: {_plain(one)} ({amount})")
    if not counted:
        out.print("there is no demotion to reset")


@carp.command("enable")
def carp_enable() -> None:
    """Enable CARP again."""
    call(EnableCarp(True))


@carp.command("disable")
def carp_disable() -> None:
    """Temporarily disable CARP: give up all virtual IPs until it is enabled, or the node reboots."""
    call(EnableCarp(False))


@carp.command("scan")
def carp_scan(
    interface: Annotated[str, typer.Argument(help="Id or description; all interfaces without one.")] = "",
    seconds: Annotated[float, typer.Option(help="How long to listen, at most 60.", min=1, max=60)] = 4.0,
    as_json: Json = False,
) -> None:
    """Listen for CARP and VRRP: which VHIDs are in use, by whom, and which are free."""
    report = call(CarpScan(interface, seconds))
    if as_json:
        print_json(report)
        return
    rows = [[h.interface, str(h.vhid), h.kind, h.source, h.says, h.whose or "a stranger's"] for h in report.heard]
    heading = ["Interface", "VHID", "Kind", "Sender", "Says", "Whose"]
    print_table(heading, rows, f"Nobody spoke CARP or VRRP within {seconds:g} s.")
    for where, free in report.free.items():
        out.print(f"free on {where}: {', '.join(map(str, free))}, ...")


@carp.command("test-mac")
def carp_test_mac(
    interface: Annotated[str, typer.Argument(help="Id or description of the interface.")], as_json: Json = False
) -> None:
    """Does this network deliver frames to a virtual MAC? Hypervisors often drop them."""
    report = call(TestVirtualMac(interface))
    if as_json:
        print_json(report)
    else:
        colour = {"works": "green", "fails": "red"}.get(report.verdict, "yellow")
        out.print(f"[{colour}]{report.verdict}[/]: {_plain(report.text)}", soft_wrap=True)
    if report.verdict == "fails":
        raise typer.Exit(1)


def _is_on(switch: str) -> bool:
    if switch not in ("on", "off"):
        raise typer.BadParameter("on or off")
    return switch == "on"


def sync() -> None:
    """Push the configuration to the peer now (it is pushed by itself after every apply)."""
    call(SyncNow())


def resync() -> None:
    """Send all states to the peer again (what differs is told again by itself)."""
    call(ResyncStates())


@peer.command("show")
def peer_show(as_json: Json = False) -> None:
    """Fingerprints of this node's key, its GUI's, and the peer's."""
    found = call(AskFingerprints())
    if as_json:
        print_json(found)
        return
    out.print(
        f"this node  {found.node}\nits GUI    {found.web}\npeer       {found.peer or found.expected or 'not known yet'}"
    )


@peer.command("pin")
def peer_pin(
    fingerprint: Annotated[str, typer.Argument(help="What `gemel peer show` prints on the other node.")],
) -> None:
    """Trust the peer with this fingerprint, and no other."""
    call(PinPeer(fingerprint))


@peer.command("forget")
def peer_forget() -> None:
    """Forget the peer's key, as after its machine was replaced."""
    call(PinPeer(""))
