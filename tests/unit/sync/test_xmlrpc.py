"""XML-RPC as bytes: what goes through, and what is stopped before it costs anything. Shapes: reference/xmlrpc.md §5."""

import contextlib
import time
import xmlrpc.client

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.control.peer import Fault
from gemel.sync.xmlrpc import (
    DEEPEST,
    LARGEST_BODY,
    MOST_ELEMENTS,
    Faulted,
    NotXmlRpc,
    read_call,
    read_response,
    write_call,
    write_fault,
    write_response,
)

# XML 1.0 has no control characters: what Gemel sends is JSON in ASCII, which has none either.
text = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"))
scalars = text | st.integers(-(2**31), 2**31 - 1) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


@given(values)
def test_what_is_written_is_read(value: object) -> None:
    assert read_response(write_response(value)) == value
    assert read_call(write_call("gemel.hello", (value,))) == ("gemel.hello", (value,))


@given(st.binary(max_size=300))
def test_random_bytes_are_no_call_and_no_crash(body: bytes) -> None:
    with pytest.raises((NotXmlRpc, Faulted)):
        read_call(body)


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=4))
def test_a_damaged_call_is_read_or_refused_but_never_crashes(place: int, damage: bytes) -> None:
    body = bytearray(write_call("pfsense.restore_config_section", ({"filter": {"rule": [{"type": "pass"}]}}, 60)))
    place %= len(body)
    body[place : place + len(damage)] = damage
    with contextlib.suppress(NotXmlRpc, Faulted):
        read_call(bytes(body))


def call_with(value: str) -> bytes:
    return f"<methodCall><methodName>m</methodName><params><param>{value}</param></params></methodCall>".encode()


@pytest.mark.parametrize(
    ("xml", "value"),
    [
        ("<value>untyped</value>", "untyped"),
        ("<value></value>", ""),
        ("<value><i4>7</i4></value>", 7),
        ("<value><double>60.0</double></value>", 60.0),
        ("<value><nil/></value>", None),
        ("<value><string><![CDATA[a <b> & c]]></string></value>", "a <b> & c"),
        ("<value><array><data/></array></value>", []),
        ("<value><struct/></value>", {}),
        ("<value><base64>AAE=</base64></value>", "AAE="),
    ],
)
def test_what_other_clients_send_is_read(xml: str, value: object) -> None:
    assert read_call(call_with(xml)) == ("m", (value,))


def test_an_empty_answer_of_ours_is_the_empty_string_and_never_nil() -> None:
    assert b"nil" not in write_response({"a": None}) and read_response(write_response(None)) == ""


def test_a_fault_is_raised_with_code_and_text() -> None:
    with pytest.raises(Faulted, match="not enough") as fault:
        read_response(write_fault(-2, "not enough privileges"))
    assert fault.value.code == -2


@given(st.text())
def test_any_text_makes_a_fault_that_can_be_read(said: str) -> None:
    with pytest.raises(Faulted):
        read_response(write_fault(Fault.CONFLICT, said))


def test_the_standard_librarys_client_reads_our_faults() -> None:
    with pytest.raises(xmlrpc.client.Fault) as fault:
        xmlrpc.client.loads(write_fault(-1, "<bad> & worse").decode())
    assert (fault.value.faultCode, fault.value.faultString) == (-1, "<bad> & worse")


BILLION = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "body",
    [
        BILLION.encode() + call_with("<value>&b;</value>"),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + call_with("<value>1</value>"),
        b'<!DOCTYPE x [<!ENTITY p SYSTEM "file:///etc/passwd">]>' + call_with("<value>&p;</value>"),
    ],
)
def test_document_types_and_entities_are_refused(body: bytes) -> None:
    with pytest.raises(NotXmlRpc, match="DTD or an entity"):
        read_call(body)


def test_deep_nesting_is_refused() -> None:
    deep = "<value><array><data>" * DEEPEST + "</data></array></value>" * DEEPEST
    with pytest.raises(NotXmlRpc, match="within each other"):
        read_call(call_with(deep))


def test_too_many_elements_are_refused_early() -> None:
    many = "<value><i4>1</i4></value>" * (MOST_ELEMENTS * 3)
    begun = time.process_time()
    with pytest.raises(NotXmlRpc, match="elements"):
        read_call(call_with(f"<value><array><data>{many}</data></array></value>"))
    assert time.process_time() - begun < 5


def test_a_body_that_is_too_large_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(NotXmlRpc, match="MiB"):
        read_call(b"<" * (LARGEST_BODY + 1))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty body"),
        (b"  \n", "empty body"),
        (b"<!DOCTYPE html><html><body>502</body></html>", "web page"),
        (b"<HTML><head>", "web page"),
        (b"nonsense", "no well-formed"),
        (call_with("<value><int>seven</int></value>"), "no well-formed"),
        (call_with("<value><boolean>true</boolean></value>"), "no well-formed"),
        (call_with("<value><null/></value>"), "no well-formed"),
        (write_response(1), "method call is needed"),
    ],
)
def test_what_is_no_call_is_refused_in_words(body: bytes, said: str) -> None:
    with pytest.raises(NotXmlRpc, match=said):
        read_call(body)


def test_a_call_is_no_response() -> None:
    with pytest.raises(NotXmlRpc, match="method response is needed"):
        read_response(write_call("m", (1,)))
