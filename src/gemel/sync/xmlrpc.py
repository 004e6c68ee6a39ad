"""XML-RPC as bytes, both directions, with limits that hold before anything is built from them.

The standard library's reader and writer behind defusedxml's parser: no DTD, no entity, nothing external; depth, number
of elements and size are bounded. What it returns are JSON-able values (reference/xmlrpc.md §5 for what clients send).
"""

import base64
import datetime
import xmlrpc.client
from typing import Any
from xml.parsers.expat import ExpatError

from defusedxml.common import DefusedXmlException
from defusedxml.xmlrpc import DefusedExpatParser

LARGEST_BODY = 24 << 20  # bytes: 10,000 rules are 5 MB, 100,000 alias entries 3 MB
DEEPEST = 40  # elements within each other
MOST_ELEMENTS = 200_000
CHUNK = 1 << 16

Params = tuple[Any, ...]


class NotXmlRpc(ValueError):
    """The bytes are not an XML-RPC message that we read; the text says in words what they are."""


class Faulted(Exception):
    """The other side answered with a fault: its `code` and its `text`."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class _BoundedUnmarshaller(xmlrpc.client.Unmarshaller):
    """The standard library's, counting."""

    def __init__(self) -> None:
        super().__init__(use_builtin_types=True)
        self._depth = 0
        self._elements = 0

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > DEEPEST:
            raise NotXmlRpc(f"more than {DEEPEST} elements within each other")
        if self._elements > MOST_ELEMENTS:
            raise NotXmlRpc(f"more than {MOST_ELEMENTS} elements")
        super().start(tag, attrs)

    def end(self, tag: str) -> None:
        self._depth -= 1
        super().end(tag)


def read_call(body: bytes) -> tuple[str, Params]:
    """Method and parameters of a request.

    Raises:
        NotXmlRpc: it is not one, or breaks a limit.
    """
    params, method = _read(body)
    if not method:
        raise NotXmlRpc("a method call is needed")
    return method, params


def read_response(body: bytes) -> Any:
    """The value of a response.

    Raises:
        Faulted: it is a fault.
        NotXmlRpc: it is no response, or breaks a limit.
    """
    params, method = _read(body)
    if method or len(params) != 1:
        raise NotXmlRpc("a method response is needed")
    return params[0]


def write_call(method: str, params: Params) -> bytes:
    """A request."""
    return xmlrpc.client.dumps(params, method, encoding="utf-8").encode()


def write_response(value: Any) -> bytes:
    """A response. None, which most clients cannot read, goes out as the empty string."""
    return xmlrpc.client.dumps((_wire(value),), methodresponse=True, encoding="utf-8").encode()


def write_fault(code: int, text: str) -> bytes:
    """A fault. Characters that XML has no way to say become ``?``."""
    clean = "".join(c if c in "\n\t" or c.isprintable() else "?" for c in text)
    return xmlrpc.client.dumps(xmlrpc.client.Fault(int(code), clean), methodresponse=True, encoding="utf-8").encode()


def looks_like_html(body: bytes) -> bool:
    """Whether somebody answered with a page for people."""
    start = body[:512].lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))


def _read(body: bytes) -> tuple[Params, str | None]:
    if len(body) > LARGEST_BODY:
        raise NotXmlRpc(f"more than {LARGEST_BODY >> 20} MiB")
    if not body.strip():
        raise NotXmlRpc("an empty body instead of XML")
    if looks_like_html(body):
        raise NotXmlRpc("a web page instead of XML")
    reader = _BoundedUnmarshaller()
    parser = DefusedExpatParser(reader, forbid_dtd=True)
    try:
        # In pieces, so that a limit stops the parser early in a body that breaks it.
        for start in range(0, len(body), CHUNK):
            parser.feed(body[start : start + CHUNK])
        parser.close()
        params = tuple(_plain(value) for value in reader.close())
    except xmlrpc.client.Fault as fault:
        raise Faulted(int(fault.faultCode), str(fault.faultString)) from None
    except DefusedXmlException:
        raise NotXmlRpc("a DTD or an entity, which XML-RPC has no use for") from None
    except NotXmlRpc:
        raise
    except (ExpatError, xmlrpc.client.Error) as error:
        raise NotXmlRpc(f"no well-formed XML-RPC: {error}") from None
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, ArithmeticError) as error:
        # The standard library's reader trips over nonsense in its own ways (an unknown tag, `<int>` without digits…).
        raise NotXmlRpc(f"no well-formed XML-RPC: {type(error).__name__}") from None
    return params, reader.getmethodname()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _wire(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, dict):
        return {str(k): _wire(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_wire(v) for v in value]
    return value
