"""The tree of commands of `gemel`."""

from collections.abc import Callable
from importlib.metadata import entry_points

import typer

from gemel import __version__
from gemel.areas.every import AREAS
from gemel.cli import accounts, cluster, dhcp, diagnostics, facts, history, menu, setup, states
from gemel.cli.console import out
from gemel.cli.generated import app_for

EXTENSIONS = "gemel.commands"
"""Entry points of this group add commands, or groups of them: the lab does, and nothing in the house imports it."""


BESIDE: dict[str, dict[str, Callable[..., None]]] = {
    "interfaces": {"assign": setup.assign},
    "outbound_nat": {"mode": setup.mode},
    "dhcp": {"leases": dhcp.leases, "forget": dhcp.forget, "wake": dhcp.wake},
}
"""Area -> commands that stand beside what follows from its model."""


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"gemel {__version__}")
        raise typer.Exit


def build() -> typer.Typer:
    """The whole tree."""
    app = typer.Typer(
        name="gemel",
        help="Two Debian machines, one firewall. Changes are pending until `gemel apply`.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )
    nat = typer.Typer(help="Firewall > NAT: outbound mappings and port forwards.", no_args_is_help=True)
    for area in AREAS:
        if area.own_faces:
            continue
        group = app_for(area)
        for name, command in BESIDE.get(area.name, {}).items():
            group.command(name)(command)
        first, _, second = area.noun.partition(" ")
        (nat if second else app).add_typer(group, name=second or first)
    app.add_typer(nat, name="nat")
    app.add_typer(cluster.carp, name="carp")
    app.add_typer(cluster.peer, name="peer")
    app.add_typer(states.states, name="states")
    app.add_typer(states.state_sync, name="state-sync")
    app.add_typer(accounts.key, name="key")
    commands: dict[str, Callable[..., None]] = {
        "status": cluster.status,
        "transitions": facts.transitions,
        "events": facts.events,
        "gateways": facts.gateways,
        "log": facts.log,
        "show": facts.show,
        "ping": diagnostics.ping,
        "capture": diagnostics.capture,
        "test-notification": diagnostics.test_notification,
        "diff": history.diff,
        "apply": history.apply,
        "discard": history.discard,
        "revisions": history.revisions,
        "restore": history.restore,
        "export": history.export,
        "import": history.import_file,
        "sync": cluster.sync,
        "resync": cluster.resync,
        "passwd": setup.passwd,
        "setup-code": accounts.setup_code,
        "totp-reset": accounts.totp_reset,
        "first-boot": setup.first_boot,
        "console": menu.console,
    }
    for name, command in commands.items():
        app.command(name)(command)
    for extension in entry_points(group=EXTENSIONS):
        added = extension.load()
        if isinstance(added, typer.Typer):
            app.add_typer(added, name=extension.name)
        else:
            app.command(extension.name)(added)

    @app.callback()
    def options(
        version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    ) -> None:
        pass

    return app


def run() -> None:
    """Entry point of the command."""
    build()()


if __name__ == "__main__":
    run()
