"""Ping and packet capture from this node, as the pages have them: with bounds, and without a shell."""

import base64
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gemel.cli.console import Json, call, err, fail, out, print_json
from gemel.control.agent import AskRun, Capture, Ping, ReadCapture, Run, StopRun, TestNotification

WAIT = 2.0  # seconds that the agent is asked to wait for more


def ping(
    host: Annotated[str, typer.Argument(help="Address or name.")],
    source: Annotated[str, typer.Option(help="Interface or virtual IP to send from; empty: as the route has it.")] = "",
    family: Annotated[str, typer.Option(help="any, ipv4 or ipv6.")] = "any",
    count: Annotated[int, typer.Option("--count", "-c", min=1, max=100, help="How many.")] = 3,
    as_json: Json = False,
) -> None:
    """Send echo requests, one a second."""
    run = _followed(call(Ping(host, source, family, count)), show=not as_json)
    if as_json:
        print_json(run)
    if run.ended != "answered":
        raise typer.Exit(1)


def capture(
    interface: Annotated[str, typer.Argument(help="Id or description.")],
    write: Annotated[Path | None, typer.Option("--write", "-w", help="Write a pcap file.")] = None,
    protocol: Annotated[str, typer.Option(help="any, icmp, tcp, udp, arp, carp, pfsync, esp, ah.")] = "any",
    host: Annotated[str, typer.Option(help="Address, network or MAC address.")] = "",
    port: Annotated[str, typer.Option(help="Port, or a range such as 80-90.")] = "",
    family: Annotated[str, typer.Option(help="any, ipv4 or ipv6.")] = "any",
    packets: Annotated[int, typer.Option("--packets", "-c", min=1, max=100_000, help="End after so many.")] = 1000,
    seconds: Annotated[int, typer.Option(min=1, max=600, help="End after so long.")] = 60,
    snap: Annotated[int, typer.Option(min=0, max=65_535, help="Bytes kept of each packet; 0: all.")] = 0,
    promiscuous: Annotated[bool, typer.Option("--promiscuous", help="Also what is meant for others.")] = False,
    as_json: Json = False,
) -> None:
    """Show packets, or write them to a file; Ctrl-C ends it."""
    asked = Capture(interface, family, protocol, host, port, packets, seconds, snap, promiscuous)
    run = _followed(call(asked), show=not (write or as_json))
    if write:
        try:
            with write.open("wb") as file:
                while data := base64.b64decode(call(ReadCapture(run.id, file.tell())).data):
                    file.write(data)
        except OSError as error:
            fail(f"{write}: {error.strerror}")
    if as_json:
        print_json(run)
    err.print(f"{run.packets} packets, {run.octets} bytes: {run.ended}")


def test_notification(as_json: Json = False) -> None:
    """Send a test notification by every way that is set up; says what is wrong where it does not go."""
    sent = call(TestNotification())
    if as_json:
        print_json(sent)
    for one in () if as_json else sent:
        out.print(f"{one.way}: {one.error or f'sent to {one.to}'}", markup=False, soft_wrap=True)
    if not sent:
        fail("nothing is set up: see `gemel notifications set --help`")
    if any(one.error for one in sent):
        raise typer.Exit(1)


def _followed(run: Run, show: bool) -> Run:
    """Wait until it ends, with what it says; Ctrl-C ends it in order."""
    seen, lines = 0, list[str]()
    while True:
        try:
            while run.running:
                run = call(AskRun(run.id, seen, WAIT))
                seen = run.next
                lines += run.lines
                for line in run.lines if show else ():
                    out.print(line, markup=False, soft_wrap=True)
            return replace(run, lines=tuple(lines))
        except KeyboardInterrupt:
            with contextlib.suppress(KeyboardInterrupt):
                run = call(StopRun(run.id))
