"""The story in one command: two blank nodes, a cluster, a power cut, and nobody's connection notices."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gemel.lab import recipe
from gemel.lab.lab import Lab
from gemel.lab.namespace import LabError
from gemel.lab.recipe import Seen
from gemel.lab.topology import WAN_VIP
from gemel.lab.traffic import Traffic

RECOVERY = 8.0  # seconds after the cut: TCP's own repetitions come ever more slowly
SETTLE = 2.0
RETURN = 60.0  # seconds for a node to come back and take over


@dataclass(frozen=True, slots=True)
class Episode:
    """What live traffic saw of one event. Sources are address:port as the WAN server saw them, or None."""

    outage_ms: float
    packets_lost: int
    tcp_alive: bool
    source_before: str | None
    source_after: str | None
    udp_source_before: str | None
    udp_source_after: str | None


class Story:
    """The demo on one lab: `steps` and `episodes` fill as it goes."""

    def __init__(self, lab: Lab, tell: Callable[[Seen], None], doing: Callable[[str], None]) -> None:
        self.steps: list[Seen] = []
        self.episodes: dict[str, Episode] = {}
        self._lab = lab
        self._tell = tell
        self._doing = doing

    @property
    def lived(self) -> bool:
        """Whether everything was seen to work and the one connection lived through all of it."""
        return all(s.ok for s in self.steps) and len(self.episodes) == 4 and all(
            e.tcp_alive and e.source_before == e.source_after for e in self.episodes.values()
        )

    def play(self) -> None:
        """All of it. Raises `LabError` where it could not go on."""
        lab = self._lab
        self._doing("two blank nodes, a LAN and a WAN")
        self._step("two blank nodes", self._build)
        self._doing(recipe.STEPS[0].name)
        recipe.carry_out(lab, self._next_step)
        with Traffic(lab) as traffic:
            self._doing("live traffic")
            time.sleep(SETTLE)
            self._step("the secondary knows the connection before the primary dies", lambda: self._known(traffic))
            self._episode("power_off", traffic, lambda: lab.power_off("fw1"), "fw2", RECOVERY)
            self._episode("power_on", traffic, lambda: lab.power_on("fw1"), "fw1", SETTLE)
            for switch, master in (("on", "fw2"), ("off", "fw1")):
                typed = partial(recipe.type_in, lab, "fw1", f"gemel carp maintenance {switch}")
                self._episode(f"maintenance_{switch}", traffic, typed, master, SETTLE)

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "steps": [{"name": s.name, "ok": s.ok, "saw": s.saw} for s in self.steps],
            **{name: asdict(episode) for name, episode in self.episodes.items()},
        }

    def _build(self) -> str:
        self._lab.up(owner=os.getpid())
        return "fw1 and fw2 have a host name, WAN and LAN addresses and an admin password, no more"

    def _step(self, name: str, do: Callable[[], str]) -> None:
        begun = time.monotonic()
        try:
            seen = Seen(name, True, do(), time.monotonic() - begun)
        except LabError as error:
            self._next_step(Seen(name, False, str(error), time.monotonic() - begun))
            raise
        self._next_step(seen)

    def _next_step(self, seen: Seen) -> None:
        self.steps.append(seen)
        self._tell(seen)
        coming = [s.name for s in recipe.STEPS[len(self.steps) - 1 :]]
        self._doing(coming[0] if coming else "live traffic")

    def _known(self, traffic: Traffic) -> str:
        source = traffic.window().talk.source
        if source is None:
            raise LabError("no answer from the WAN server over TCP")
        port = source.rpartition(":")[2]
        self._lab.wait(lambda: self._has_state(port), f"the connection from port {port} among fw2's states", 5)
        return f"{source} stands in fw2's state table"

    def _has_state(self, port: str) -> bool:
        mine = ("-p", "tcp", "--reply-dst", WAN_VIP, "--reply-port-dst", port)
        return "tcp" in self._lab.exec("fw2", "conntrack", "-L", *mine, check=False)

    def _episode(self, name: str, traffic: Traffic, event: Callable[[], object], master: str, settle: float) -> None:
        self._doing(TITLES[name])
        before = traffic.window()
        event()
        self._lab.wait(lambda: recipe.is_in_role(self._lab, master, "MASTER"), f"{master} to be MASTER", RETURN)
        time.sleep(settle)
        after = traffic.window()
        self.episodes[name] = Episode(
            outage_ms=after.flow.outage_ms,
            packets_lost=after.flow.lost,
            tcp_alive=after.talk.alive,
            source_before=before.talk.source,
            source_after=after.talk.source,
            udp_source_before=next(iter(before.flow.sources[-1:]), None),
            udp_source_after=next(iter(after.flow.sources[-1:]), None),
        )


TITLES = {
    "power_off": "the primary loses power",
    "power_on": "the primary comes back",
    "maintenance_on": "maintenance mode on",
    "maintenance_off": "maintenance mode off",
}


def demo(
    name: Annotated[str, typer.Option("--name", help="The lab that it is played in.")] = "demo",
    as_json: Annotated[bool, typer.Option("--json", help="The figures as one JSON object.")] = False,
) -> None:
    """From two blank nodes to a power cut that nobody's connection notices."""
    screen = Console(stderr=True)
    lab = Lab(name)
    if lab.folder.load():
        raise LabError(f"the lab {name} is up already; `gemel lab down --name {name}` takes it down")
    failure = None
    with _taken_down(lab), _progress(screen) as progress:
        task = progress.add_task("", total=len(recipe.STEPS) + 2 + len(TITLES))

        def tell(seen: Seen) -> None:
            sign = "[green]✓[/]" if seen.ok else "[red]✗[/]"
            progress.console.print(f"{sign} {seen.name}: {seen.saw}", highlight=False)

        def doing(what: str) -> None:
            progress.update(task, description=what, completed=len(story.steps) + len(story.episodes))

        story = Story(lab, tell, doing)
        try:
            story.play()
        except LabError as error:
            failure = error
    if as_json:
        typer.echo(json.dumps(story.as_json(), indent=2))
    else:
        Console().print(_table(story))
    if failure is not None:
        raise failure
    raise typer.Exit(0 if story.lived else 1)


def _table(story: Story) -> Table:
    table = Table("event", title="1 kHz UDP flow and one TCP connection, LAN client to WAN server")
    for column in ("outage", "lost", "TCP", "source at the server"):
        table.add_column(column, no_wrap=True)
    for name, e in story.episodes.items():
        source = e.source_after if e.source_before == e.source_after else f"{e.source_before} → {e.source_after}"
        lives = "[green]echoes[/]" if e.tcp_alive else "[red]dead[/]"
        table.add_row(TITLES[name], f"{e.outage_ms:,.0f} ms", str(e.packets_lost), lives, source or "none")
    return table


def _progress(screen: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=screen, transient=True)


@contextlib.contextmanager
def _taken_down(lab: Lab) -> Iterator[None]:
    """The lab goes at the end, also at Ctrl-C, at SIGTERM and when the terminal is closed."""
    endings = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in endings}
    try:
        yield
    finally:
        for number in endings:
            signal.signal(number, signal.SIG_IGN)
        lab.down()
        for number, handler in before.items():
            signal.signal(number, handler)
