"""A form made of a model, and what came back of it: labels, help, kinds of fields, choices, all from the declaration.

The kind of a field follows from its type: the annotated types of `areas.fields` are known by their validators.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from gemel.areas.endpoint import Endpoint
from gemel.areas.fields import AddressWithMask, GatewayRef, InterfaceRef, OwnIpv4, OwnIpv6, PortSpec
from gemel.control.agent import Choices, Finding
from gemel.core.area import Area
from gemel.core.model import HIDDEN, Model, is_marked
from gemel.web.visit import Fields
from gemel.web.words import PORT_CHOICES, option_word

Kind = Literal[
    "bool", "choice", "choices", "lines", "number", "text", "secret", "interface", "gateway", "endpoint", "port",
    "masked",
]  # fmt: skip

NEVER = {"id", "items", "separators", "forward", "scram"}
"""Fields that no form shows: what the product itself sees to."""

KNOWN: Sequence[tuple[Any, Kind]] = (
    (InterfaceRef, "interface"), (GatewayRef, "gateway"), (Endpoint, "endpoint"), (PortSpec, "port"),
    (AddressWithMask, "masked"), (OwnIpv4, "masked"), (OwnIpv6, "masked"),
)  # fmt: skip

TEXT_ENDPOINTS = ("address", "network")
"""The two choices of a source or destination that are followed by text."""


@dataclass(frozen=True, slots=True)
class Option:
    """A choice: what is stored, and what people read."""

    value: str
    word: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. `default` is None where the model demands a value."""

    name: str
    label: str
    help: str
    kind: Kind
    options: tuple[Option, ...]
    default: Any
    optional: bool
    longest: int | None


def fields_of(area: Area[Any], model: type[Model], choices: Choices) -> dict[str, Field]:
    """The fields of a model, by name, in its order."""
    shown = ((n, i) for n, i in model.model_fields.items() if n not in NEVER and not is_marked(i, "sealed"))
    found = (_field(area.name, n, info, choices) for n, info in shown)
    return {field.name: field for field in found}


def _field(area: str, name: str, info: FieldInfo, choices: Choices) -> Field:
    kind, values = _kind(info)
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    if name == "password_hash":
        # The agent makes the hash: what a person enters is the password.
        name, kind, default = "password", "secret", ""
    help_text = str(info.description or "")
    if name == "password" and "argon2id" in help_text:
        help_text = "At least 8 characters."
    options = tuple(Option(v, option_word(area, name, v)) for v in values) or _reference_options(kind, choices)
    if kind == "interface" and default == "":
        options = (Option("", "None"), *options)
    longest = next((m.max_length for m in info.metadata if hasattr(m, "max_length")), None)
    return Field(
        name, str(info.title or name), help_text, kind, options, default, _is_optional(info), longest
    )


def _kind(info: FieldInfo) -> tuple[Kind, tuple[str, ...]]:
    for known, kind in KNOWN:
        if known.__metadata__[0] in info.metadata:
            return kind, ()
    if is_marked(info, "secret"):
        return "secret", ()
    return _kind_of(info.annotation)


def _kind_of(annotation: Any) -> tuple[Kind, tuple[str, ...]]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is bool:
        return "bool", ()
    if annotation is int:
        return "number", ()
    if origin is Literal:
        return "choice", tuple(str(a) for a in arguments)
    if origin is tuple:
        inner, values = _kind_of(arguments[0])
        return ("choices", values) if inner == "choice" else ("lines", ())
    inner_types = [a for a in arguments if a is not type(None)]
    return _kind_of(inner_types[0]) if inner_types and origin is not None else ("text", ())


def _is_optional(info: FieldInfo) -> bool:
    return type(None) in get_args(info.annotation)


def _reference_options(kind: Kind, choices: Choices) -> tuple[Option, ...]:
    match kind:
        case "interface":
            return tuple(Option(key, name) for key, name in choices.interfaces)
        case "gateway":
            return (Option("", "None"), *(Option(key, name) for key, name in choices.gateways))
        case "endpoint":
            return endpoint_options(choices)
        case "port":
            named = (Option(str(number), f"{name} ({number})") for name, number in PORT_CHOICES)
            aliases = (Option(f"alias:{key}", f"Alias {name}") for key, name in choices.port_aliases)
            return (Option("", "any"), Option("other", "(other)"), *aliases, *named)
    return ()


def endpoint_options(choices: Choices) -> tuple[Option, ...]:
    """What a source or destination can be, in the recipe's words."""
    own = (
        option
        for key, name in choices.interfaces
        for option in (Option(f"net:{key}", f"{name} Net"), Option(f"address:{key}", f"{name} Address"))
    )
    vips = (Option(f"vip:{key}", vip_word(ip, text)) for key, ip, _, _, text in choices.vips)
    aliases = (Option(f"alias:{key}", f"Alias {name}") for key, name in choices.aliases)
    fixed = (
        Option("any", "any"), Option("address", "Address or Alias"), Option("network", "Network"),
        Option("self", "This Firewall (self)"),
    )  # fmt: skip
    return (*fixed, *own, *vips, *aliases)


def vip_word(address: str, description: str) -> str:
    """A virtual IP as drop-downs name it."""
    return f"{address} ({description})" if description else address


# What stands in a form -----------------------------------------------------------------------------------------------


def defaults(fields: Mapping[str, Field]) -> dict[str, Any]:
    """The values of an empty form. A reference that must be chosen begins with the first choice."""
    return {name: _default(field) for name, field in fields.items()}


def _default(field: Field) -> Any:
    if field.default is not None or field.optional:
        return field.default
    if field.kind == "endpoint":
        return "any"
    return field.options[0].value if field.options else [] if field.kind in ("lines", "choices") else ""


def endpoint_parts(value: str, options: Iterable[Option]) -> tuple[bool, str, str]:
    """A stored source or destination as a form shows it: inverted?, the choice, the text beside it."""
    text = value or "any"
    inverted = text.startswith("!")
    text = text.removeprefix("!").strip()
    if text in TEXT_ENDPOINTS:
        return inverted, text, ""
    if any(o.value == text for o in options):
        return inverted, text, ""
    return inverted, "network" if "/" in text else "address", text


def masked_parts(value: str) -> tuple[str, str]:
    """An address with mask as a form shows it; 24 is where most begin."""
    address, _, mask = (value or "").partition("/")
    return address, mask or ("64" if ":" in address else "24")


def port_parts(value: str, options: Iterable[Option]) -> tuple[str, str]:
    """A stored port as a form shows it: the choice, the text beside it."""
    if any(o.value == value and value != "other" for o in options):
        return value, ""
    return "other", value


# What came back ------------------------------------------------------------------------------------------------------


def read(fields: Iterable[Field], form: Fields, editing: bool) -> tuple[dict[str, Any], list[Finding]]:
    """The values that a form says, and what is wrong with the form itself (two passwords that differ).

    A secret that was left empty while `editing` is not among the values: it stays as it is.
    """
    values: dict[str, Any] = {}
    wrong: list[Finding] = []
    for field in fields:
        name = field.name
        if field.kind == "secret":
            entered = form.get(name)
            if f"{name}-again" in form and form.get(f"{name}-again") != entered:
                wrong.append(Finding(name, "the two entries differ", "error"))
            elif entered or not editing:
                values[name] = entered
        elif name in form or f"{name}-text" in form or field.kind in ("bool", "choices"):
            values[name] = _value(field, form)
            if str(values[name]).removeprefix("!") in TEXT_ENDPOINTS and field.kind == "endpoint":
                wrong.append(Finding(name, "enter an address, a network or the name of an alias", "error"))
    return values, wrong


def _value(field: Field, form: Fields) -> Any:
    name = field.name
    match field.kind:
        case "bool":
            return name in form
        case "choices":
            return form.all(name)
        case "lines":
            return [line.strip() for line in form.get(name).splitlines() if line.strip()]
        case "number":
            return _number(form.get(name).strip(), field)
        case "endpoint":
            chosen = form.get(name, "any")
            text = form.get(f"{name}-text").strip() if chosen in TEXT_ENDPOINTS else chosen
            text = text or chosen  # a choice without its text is found by `read`
            return f"!{text}" if f"{name}-not" in form else text
        case "masked":
            address, mask = form.get(name).strip(), form.get(f"{name}-mask")
            return f"{address}/{mask}" if address and mask and "/" not in address else address
        case "port":
            text = form.get(f"{name}-text").strip()
            chosen = form.get(name)
            return text or (chosen if chosen != "other" else "")
    return form.get(name).strip()


def _number(text: str, field: Field) -> Any:
    if not text and field.optional:
        return None
    return int(text) if text.lstrip("-").isdecimal() and text.isascii() else text


def without_ports(values: dict[str, Any], with_ports: Collection[str]) -> dict[str, Any]:
    """Ports that were left over from another protocol are not meant."""
    if values.get("protocol") in with_ports:
        return values
    return {**values, **{name: "" for name in values if name.endswith("_port") and name != "local_port"}}


def random_password() -> str:
    """Sixteen letters and digits: fits into what every CARP implementation takes."""
    return secrets.token_hex(8)


def beside(findings: Iterable[Mapping[str, Any] | Finding], area: str, names: Iterable[str]) -> "Wrong":
    """Sort problems to the fields that they are about; what concerns no field of the form stands above it."""
    known = set(names)
    wrong = Wrong({}, [])
    for finding in findings:
        path, text = _parts(finding)
        head, _, tail = path.rpartition(".") if "." in path else ("", "", path)
        name = "password" if tail in ("password_hash", "scram") else tail.partition("[")[0]
        if name in known and (not head or head == area or head.startswith(f"{area}[")):
            wrong.fields.setdefault(name, []).append(text)
        else:
            wrong.others.append(f"{path}: {text}" if path and path != area else text)
    return wrong


def _parts(finding: Mapping[str, Any] | Finding) -> tuple[str, str]:
    if isinstance(finding, Finding):
        return finding.path, finding.text
    return str(finding.get("path", "")), str(finding.get("text", ""))


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a form: by field, and the rest."""

    fields: dict[str, list[str]]
    others: list[str]

    def __bool__(self) -> bool:
        return bool(self.fields or self.others)


NOTHING_WRONG = Wrong({}, [])


def is_set(value: Any) -> bool:
    """Whether a secret has a value, which is not shown."""
    return bool(value == HIDDEN)
