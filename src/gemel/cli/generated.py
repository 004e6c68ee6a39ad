"""Commands that follow from the areas' models: what a field means is said once, in the model.

An area with items gets add, set, delete, move (if its order counts) and list; one without gets set and show. Every
field is an option: ``destination_port`` is ``--destination-port``; what takes true or false is a flag with a ``--no-``
form.
"""

import inspect
import secrets
import sys
from collections.abc import Callable
from getpass import getpass
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from gemel.cli.console import Json, call, fail, print_findings, print_json, print_table, text_of
from gemel.control.agent import Change, EditOrder, Show, Shown
from gemel.core.area import Area
from gemel.core.model import Model, is_marked

HIDDEN_FIELDS = {"id", "items", "separators", "forward", "password_hash", "scram"}
EMPTIED: Any = object()
"""A field that was given as *none*; one that was not given is None."""
FLAGS = {"enabled": "--enable/--disable", "disabled": "--disabled/--not-disabled"}


def app_for(area: Area[Any]) -> typer.Typer:
    """All commands of one area."""
    app = typer.Typer(help=area.help, no_args_is_help=True)
    if area.item is None:
        app.command("set", help=f"Change {area.label}.{_saved(area)}")(_setter(area))
        app.command("show", help=f"Show {area.label}.")(_shower(area))
        return app
    app.command("list", help=f"List {area.label}.")(_lister(area))
    app.command("add", help=f"Add to {area.label}.{_saved(area, item=True)}")(_adder(area))
    app.command("set", help=f"Change one of {area.label}.{_saved(area, item=True)}")(_item_setter(area))
    app.command("delete", help=f"Delete from {area.label}.{_saved(area, item=True)}")(_deleter(area))
    if area.ordered:
        app.command("move", help="Change the place in the list.")(_mover(area))
    own = [name for name in area.model.model_fields if name not in HIDDEN_FIELDS]
    if own and not area.at_save:
        app.command("options", help=f"Options of {area.label} as a whole: {', '.join(own)}.")(_setter(area))
    return app


def _saved(area: Area[Any], item: bool = False) -> str:
    at_once = area.at_save and (area.items_at_save or not item)
    return " Takes effect at once." if at_once else " Takes effect with `gemel apply`."


# A command made of a signature ---------------------------------------------------------------------------------------


def _command(parameters: list[inspect.Parameter], body: Callable[..., None]) -> Callable[..., None]:
    """A function that Typer sees with these parameters."""

    def command(**values: Any) -> None:
        body(**values)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_JSON = _parameter("as_json", Json, False)
_ITEM = _parameter("item", Annotated[str, typer.Argument(help="Id, or what it is called.")])
_ETAG = _parameter("etag", Annotated[str, typer.Option(help="Refuse if it has changed since this was read.")], "")
_PLACE = (
    _parameter("top", Annotated[bool, typer.Option("--top", help="Put it at the top of the list.")], False),
    _parameter("before", Annotated[str, typer.Option(help="Put it before this one (id).")], ""),
    _parameter("after", Annotated[str, typer.Option(help="Put it after this one (id).")], ""),
)


def _options(model: type[Model], without: set[str]) -> list[inspect.Parameter]:
    found = []
    for name, info in model.model_fields.items():
        if name not in HIDDEN_FIELDS and name not in without and not is_marked(info, "sealed"):
            found.append(_option(name, info))
            if name == "password":
                found += _password_options()
    if "password_hash" in model.model_fields:
        found += [_parameter("password_stdin", _stdin_flag(), False)]
    return found


def _password_options() -> list[inspect.Parameter]:
    random = typer.Option("--random-password", help="Make up a password.")
    return [
        _parameter("random_password", Annotated[bool, random], False),
        _parameter("password_stdin", _stdin_flag(), False),
    ]


def _stdin_flag() -> Any:
    return Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


def _option(name: str, info: FieldInfo) -> inspect.Parameter:
    kind, choices = _kind(info.annotation)
    flag = "--" + name.replace("_", "-")
    help_text = f"{info.title}. {info.description}"
    if kind is bool:
        return _parameter(name, Annotated[bool | None, typer.Option(_flag(name), help=help_text)], None)
    if kind is list:
        return _parameter(name, Annotated[list[str] | None, typer.Option(flag, help=help_text + " Repeatable.")], None)
    if kind is int and type(None) in get_args(info.annotation):
        cleared = typer.Option(flag, help=f"{help_text} `none` empties it.", parser=_number, metavar="INTEGER|none")
        return _parameter(name, Annotated[Any, cleared], None)
    if kind is int:
        return _parameter(name, Annotated[int | None, typer.Option(flag, help=help_text)], None)
    option = typer.Option(
        flag, help=help_text, metavar="|".join(choices) or "TEXT", autocompletion=_completion(choices)
    )
    return _parameter(name, Annotated[str | None, option], None)


def _number(text: str) -> Any:
    """What was given for a number that may be empty.

    Raises:
        typer.BadParameter: no number.
    """
    if text.strip().lower() in ("", "none"):
        return EMPTIED
    if not text.strip().removeprefix("-").isdecimal():
        raise typer.BadParameter(f"{text!r} is no whole number; none empties it")
    return int(text)


def _flag(name: str) -> str:
    """A flag with its opposite: ``--log/--no-log``, ``--no-sync/--sync``."""
    flag = name.replace("_", "-")
    return FLAGS.get(
        name, f"--{flag}/--{flag.removeprefix('no-')}" if flag.startswith("no-") else f"--{flag}/--no-{flag}"
    )


def _completion(choices: tuple[str, ...]) -> Callable[[str], list[str]] | None:
    if not choices:
        return None

    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return complete


def _kind(annotation: Any) -> tuple[type, tuple[str, ...]]:
    """bool, int, list or str, and the words that may be given if they are few."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin is Literal:
        return str, tuple(str(a) for a in get_args(annotation))
    if origin is tuple:
        return list, ()
    if annotation in (bool, int, str):
        return annotation, ()
    inner = [a for a in get_args(annotation) if a is not type(None)]
    return _kind(inner[0]) if inner else (str, ())


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """The fields that were really given, with passwords from where they come."""
    fields = {k: v for k, v in values.items() if v is not None}
    if fields.pop("random_password", False):
        fields["password"] = secrets.token_urlsafe(12)
    if fields.pop("password_stdin", False):
        fields["password"] = read_password()
    return {k: None if v is EMPTIED else _words(v) if isinstance(v, list) else v for k, v in fields.items()}


def _words(values: list[str]) -> list[str]:
    """``--areas rules,nat`` and ``--areas rules --areas nat`` are the same; a note after # keeps its commas."""
    return [part.strip() for v in values for part in (v.split(",") if "#" not in v else [v]) if part.strip()]


def read_password() -> str:
    """One line from standard input; at a terminal it is asked for, and not shown.

    Raises:
        typer.Exit: there is none.
    """
    password = getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not password:
        fail("no password came on standard input")
    return password


def _position(top: bool, before: str, after: str) -> str:
    if sum(map(bool, (top, before, after))) > 1:
        fail("only one of --top, --before and --after")
    return "top" if top else f"before:{before}" if before else f"after:{after}" if after else "bottom"


# The commands --------------------------------------------------------------------------------------------------------


def change(order: EditOrder, as_json: bool, done: str) -> None:
    """Save one edit and say what came of it."""
    changed = call(Change((order,)))
    if as_json:
        print_json(changed)
    else:
        state = f"revision {changed.revision} runs" if changed.revision else "pending: `gemel apply` makes it real"
        name = f" {changed.items[0]}" if changed.items and changed.items[0] else ""
        print(f"{done}{name} ({state})")
    print_findings(changed.warnings)


def _setter(area: Area[Any]) -> Callable[..., None]:
    def body(as_json: bool, etag: str, **values: Any) -> None:
        fields = _given(values)
        if not fields:
            fail("nothing to change was given: see --help")
        change(EditOrder(area.name, "set", "", fields, etag=etag), as_json, "saved")

    return _command([*_options(area.model, set()), _ETAG, _JSON], body)


def _adder(area: Area[Any]) -> Callable[..., None]:
    assert area.item is not None
    group = area.grouped_by

    def body(
        as_json: bool, group_value: str = "", top: bool = False, before: str = "", after: str = "", **values: Any
    ) -> None:
        fields = _given(values) | ({group: group_value} if group else {})
        change(EditOrder(area.name, "add", "", fields, _position(top, before, after)), as_json, "added")

    parameters = [*_options(area.item, {group} if group else set()), *(_PLACE if area.ordered else ()), _JSON]
    if group:
        title = area.item.model_fields[group].title
        parameters.insert(
            0, _parameter("group_value", Annotated[str, typer.Argument(metavar=group.upper(), help=title)])
        )
    return _command(parameters, body)


def _item_setter(area: Area[Any]) -> Callable[..., None]:
    assert area.item is not None

    def body(item: str, as_json: bool, etag: str, **values: Any) -> None:
        fields = _given(values)
        if not fields:
            fail("nothing to change was given: see --help")
        change(EditOrder(area.name, "set", item, fields, etag=etag), as_json, "changed")

    return _command([_ITEM, *_options(area.item, set()), _ETAG, _JSON], body)


def _deleter(area: Area[Any]) -> Callable[..., None]:
    def body(item: str, as_json: bool, etag: str) -> None:
        change(EditOrder(area.name, "delete", item, etag=etag), as_json, "deleted")

    return _command([_ITEM, _ETAG, _JSON], body)


def _mover(area: Area[Any]) -> Callable[..., None]:
    def body(item: str, as_json: bool, top: bool, before: str, after: str) -> None:
        change(EditOrder(area.name, "move", item, position=_position(top, before, after)), as_json, "moved")

    return _command([_ITEM, *_PLACE, _JSON], body)


def _lister(area: Area[Any]) -> Callable[..., None]:
    def body(as_json: bool, running: bool, group_value: str = "") -> None:
        shown = call(Show(area.name, running))
        if group_value:
            kept = [i for i in shown.values["items"] if group_value.lower() in _group_names(area, shown, i)]
            shown.values["items"] = kept
        if as_json:
            print_json(shown)
            return
        for name, value in shown.values.items():
            if name != "items":
                print(f"{area.model.model_fields[name].title}: {shown.words[''].get(name, text_of(value)) or '-'}")
        rows = [
            [i["id"], *(shown.words[i["id"]].get(c, i[c]) for c in area.columns if c != "id")]
            for i in shown.values["items"]
        ]
        titles = ["Id", *(str(area.item.model_fields[c].title) for c in area.columns if c != "id" and area.item)]
        print_table(
            titles, rows, f"There is nothing in {area.label} yet: `gemel {area.noun} add --help` says how to begin."
        )
        if shown.pending:
            print("Some of this is pending: `gemel diff` shows what, `gemel apply` makes it real.")

    parameters = [
        _parameter("running", Annotated[bool, typer.Option("--running", help="Without pending changes.")], False),
        _JSON,
    ]
    if area.grouped_by:
        help_text = f"Only those of this {area.grouped_by}."
        parameters.insert(
            0,
            _parameter(
                "group_value", Annotated[str, typer.Argument(metavar=area.grouped_by.upper(), help=help_text)], ""
            ),
        )
    return _command(parameters, body)


def _group_names(area: Area[Any], shown: Shown, item: dict[str, Any]) -> set[str]:
    group = area.grouped_by or ""
    return {str(item.get(group, "")).lower(), shown.words[item["id"]].get(group, "").lower()}


def _shower(area: Area[Any]) -> Callable[..., None]:
    def body(as_json: bool, running: bool) -> None:
        shown = call(Show(area.name, running))
        if as_json:
            print_json(shown)
            return
        rows = []
        for name, info in area.model.model_fields.items():
            if name not in HIDDEN_FIELDS and not is_marked(info, "sealed"):
                rows.append([info.title, shown.words[""].get(name, shown.values[name])])
        print_table(["Field", "Value"], rows, "")

    running = _parameter("running", Annotated[bool, typer.Option("--running", help="Without pending changes.")], False)
    return _command([running, _JSON], body)
