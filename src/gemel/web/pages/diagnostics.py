"""Diagnostics: Ping and Packet Capture. What runs goes on while one looks at other pages, until the session ends."""

import base64
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from starlette.responses import JSONResponse, Response, StreamingResponse

from gemel.control.agent import AskRun, AskRuns, AskSources, Capture, Ping, ReadCapture, Run, StopRun
from gemel.control.door import Refused
from gemel.facts.diagnostics import FAMILIES, LONGEST_CAPTURE, MOST_PACKETS, MOST_PINGS, PROTOCOLS
from gemel.web.form import NOTHING_WRONG, Option, Wrong
from gemel.web.pages.area import refused
from gemel.web.visit import Page, Visit

PING, CAPTURE = "/diagnostics/ping", "/diagnostics/packet-capture"
FAMILY_WORDS = {"any": "Any", "ipv4": "IPv4", "ipv6": "IPv6"}
PROTOCOL_WORDS = {"any": "Any", "carp": "CARP", "pfsync": "pfsync (state synchronization)"}
PING_DEFAULTS = {"host": "", "source": "", "family": "any", "count": "3"}
CAPTURE_DEFAULTS = {
    "interface": "", "family": "any", "protocol": "any", "host": "", "port": "", "packets": "1000", "seconds": "60",
    "snap": "0", "promiscuous": "",
}  # fmt: skip

_families = tuple(Option(f, FAMILY_WORDS[f]) for f in FAMILIES)
_protocols = tuple(Option(p, PROTOCOL_WORDS.get(p, p.upper())) for p in PROTOCOLS)


def ping(visit: Visit) -> Response:
    """The page; a POST begins to ping, or stops it."""
    values, wrong = _given(visit, PING_DEFAULTS), NOTHING_WRONG
    if visit.method == "POST":
        asked = Ping(values["host"], values["source"], values["family"], _number(values["count"]))
        answer = _started(visit, PING, asked, values)
        if isinstance(answer, Response):
            return answer
        wrong = answer
    known = _sources(visit)
    sources = (Option("", "Automatic (as the route has it)"), *(Option(k, t) for k, t, _ in known))
    return visit.show(
        "ping.html", wrong=wrong, values=values, sources=sources, families=_families,
        run=_run(visit, "ping"), here=PING, most=MOST_PINGS,
    )  # fmt: skip


def capture(visit: Visit) -> Response:
    """The page; a POST begins to capture, or stops it."""
    values, wrong = _given(visit, CAPTURE_DEFAULTS), NOTHING_WRONG
    if visit.method == "POST":
        asked = Capture(
            values["interface"], values["family"], values["protocol"], values["host"], values["port"],
            _number(values["packets"]), _number(values["seconds"]), _number(values["snap"]),
            bool(values["promiscuous"]),
        )  # fmt: skip
        answer = _started(visit, CAPTURE, asked, values)
        if isinstance(answer, Response):
            return answer
        wrong = answer
    interfaces = tuple(Option(k, t) for k, t, _ in _sources(visit) if not k.startswith("vip:"))
    return visit.show(
        "capture.html", wrong=wrong, values=values, interfaces=interfaces, families=_families,
        protocols=_protocols, run=_run(visit, "capture"), here=CAPTURE, most=MOST_PACKETS, longest=LONGEST_CAPTURE,
    )  # fmt: skip


def _given(visit: Visit, defaults: Mapping[str, str]) -> dict[str, str]:
    """The fields of the form: as sent, or as they were when what is shown was started."""
    posted = visit.method == "POST"
    said = visit.form if posted else visit.query
    return {n: said.get(n, "" if posted else default).strip()[:300] for n, default in defaults.items()}


def _number(text: str) -> int:
    """What is no number is none of those that are allowed."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _started(visit: Visit, here: str, asked: Ping | Capture, values: Mapping[str, str]) -> Response | Wrong:
    """Start or stop what the form says; the page with it, or what was wrong."""
    said = "&".join(f"{name}={quote(value)}" for name, value in values.items() if value)
    try:
        if visit.form.get("do").startswith("stop:"):
            run = visit.ask(StopRun(visit.form.get("do")[5:]))
        else:
            run = visit.ask(asked)
    except Refused as no:
        return refused(no, "", values)
    return visit.go(f"{here}?run={run.id}&{said}")


def _sources(visit: Visit) -> list[tuple[str, str, str]]:
    try:
        return [(s.key, f"{s.title}, not here now" if s.absent else s.title, s.absent) for s in visit.ask(AskSources())]
    except Refused as no:
        refused(no, "", ())
        return []


def _run(visit: Visit, kind: str) -> Run | None:
    """What is shown: the one of the address, else the session's last one, unless it ended long ago."""
    try:
        if visit.query.get("run"):
            return visit.ask(AskRun(visit.query.get("run")))
        last = visit.ask(AskRuns(kind))
        return visit.ask(AskRun(last[0].id)) if last else None
    except Refused as no:
        refused(no, "", ())
        return None


def run_part(visit: Visit) -> Response:
    """How one stands, with what it said since line `after`, for scripts that follow it."""
    asked = AskRun(visit.path["id"], visit.query.number("after", 0), 1.5)
    run = visit.ask(asked)
    return JSONResponse(
        {
            "lines": list(run.lines), "next": run.next, "running": run.running, "ended": run.ended,
            "packets": run.packets, "octets": run.octets, "seconds": run.seconds, "dropped": run.dropped,
        }
    )  # fmt: skip


def download(visit: Visit) -> Response:
    """A capture's file, piece by piece as it is sent."""
    key = visit.path["id"]
    first = visit.ask(ReadCapture(key))

    def pieces() -> Iterator[bytes]:
        data, sent = base64.b64decode(first.data), 0
        while data:
            yield data
            sent += len(data)
            data = base64.b64decode(visit.ask(ReadCapture(key, sent)).data)

    node = "".join(c if c.isalnum() or c == "-" else "-" for c in visit.frame.node if c.isascii()) or "gemel"
    said = {"Content-Disposition": f'attachment; filename="{node}-{key[:6]}.pcap"'}
    return StreamingResponse(pieces(), media_type="application/vnd.tcpdump.pcap", headers=said)


PAGES = (
    Page(PING, ping),
    Page(CAPTURE, capture),
    Page("/diagnostics/run/{id}", run_part, methods=("GET",)),
    Page("/diagnostics/run/{id}/pcap", download, methods=("GET",)),
)
