"""Plain dataclasses to JSON values and back. Standard library only: carpd and flowd speak it too.

Shapes: dataclass -> object, enum -> its value, tuple/frozenset -> list, bytes -> hex text. Reading is strict:
an unknown or missing key, or a value of another type, raises ``Malformed`` with the path to it.
"""

import dataclasses
import enum
import functools
import types
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
_PLAIN = frozenset((str, int, float, bool))


class Malformed(ValueError):
    """A value does not have the shape that was asked for; the text names the path."""


def encode(value: Any) -> Any:
    """Return `value` as something that ``json.dumps`` takes."""
    if value is None or type(value) in _PLAIN:  # nearly everything in a large configuration
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        return {str(k): encode(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        # An alias may have 100,000 entries: a call for each would cost more than all else here.
        return [v if type(v) in _PLAIN else encode(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted(encode(v) for v in value)
    if isinstance(value, bytes):
        return value.hex()
    return value


def decode(shape: type[T], value: Any, path: str = "") -> T:
    """Return `value`, as JSON gave it, as an instance of `shape` (a dataclass or any annotation made of them).

    Raises:
        Malformed: the value does not fit; the message begins with its path.
    """
    result: T = _decode(shape, value, path)
    return result


def _decode(shape: Any, value: Any, path: str) -> Any:
    if shape is Any or shape is object:
        return value
    origin = get_origin(shape)
    if origin in (Union, types.UnionType):
        return _decode_union(get_args(shape), value, path)
    if origin is Literal:
        if value not in get_args(shape):
            raise Malformed(f"{path or 'value'}: {value!r} is none of {', '.join(map(repr, get_args(shape)))}")
        return value
    if origin is not None:
        return _decode_container(origin, get_args(shape), value, path)
    if dataclasses.is_dataclass(shape):
        return _decode_dataclass(shape, value, path)
    return _decode_scalar(shape, value, path)


def _decode_scalar(shape: Any, value: Any, path: str) -> Any:
    if isinstance(shape, type) and issubclass(shape, enum.Enum):
        try:
            return shape(value)
        except ValueError:
            raise Malformed(f"{path or 'value'}: {value!r} is no {shape.__name__}") from None
    if shape is bytes:
        try:
            return bytes.fromhex(value)
        except (TypeError, ValueError):
            raise Malformed(f"{path or 'value'}: hex text expected") from None
    if shape is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if shape is None:
        shape = type(None)
    if not isinstance(value, shape) or (isinstance(value, bool) and shape is not bool):
        raise Malformed(f"{path or 'value'}: {shape.__name__} expected, not {type(value).__name__}")
    return value


def _decode_union(options: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in options:
        return None
    failure: Malformed | None = None
    for option in options:
        if option is type(None):
            continue
        try:
            return _decode(option, value, path)
        except Malformed as error:
            failure = error
    raise failure or Malformed(f"{path or 'value'}: not expected here")


def _decode_container(origin: Any, args: tuple[Any, ...], value: Any, path: str) -> Any:
    if origin is dict:
        if not isinstance(value, dict):
            raise Malformed(f"{path or 'value'}: object expected")
        return {k: _decode(args[1], v, f"{path}.{k}".lstrip(".")) for k, v in value.items()}
    if not isinstance(value, list):
        raise Malformed(f"{path or 'value'}: list expected")
    if origin is tuple and not (len(args) == 2 and args[1] is Ellipsis):
        if len(args) != len(value):
            raise Malformed(f"{path or 'value'}: {len(args)} entries expected")
        return tuple(_decode(a, v, f"{path}[{i}]") for i, (a, v) in enumerate(zip(args, value, strict=True)))
    return origin(_decode(args[0], v, f"{path}[{i}]") for i, v in enumerate(value))


@functools.cache
def _hints(shape: Any) -> dict[str, Any]:
    return get_type_hints(shape)


def _decode_dataclass(shape: Any, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise Malformed(f"{path or shape.__name__}: object expected")
    fields = {f.name: f for f in dataclasses.fields(shape)}
    unknown = sorted(set(value) - set(fields))
    if unknown:
        raise Malformed(f"{f'{path}.{unknown[0]}'.lstrip('.')}: unknown key")
    hints = _hints(shape)
    given = {}
    for name, field in fields.items():
        if name in value:
            given[name] = _decode(hints[name], value[name], f"{path}.{name}".lstrip("."))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise Malformed(f"{f'{path}.{name}'.lstrip('.')}: missing")
    return shape(**given)
