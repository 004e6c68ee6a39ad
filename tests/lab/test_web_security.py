"""The ways in, on a real node: the first password, TLS, sessions, keys; and that no other way is one.

Begins on a machine that nobody has configured.
"""

import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import urllib3

from gemel.api.accounts import PUBLIC
from gemel.control.paths import AGENT_DOOR
from gemel.lab.lab import Lab
from gemel.web.menu import addresses, place
from gemel.web.pages.every import PAGES
from tests.lab.browser import Admin, chromium
from tests.lab.fuzz import fuzz, narrowed
from tests.unit.api.samples import Call, calls
from tests.unit.web.hostile import XSS, places

pytestmark = [pytest.mark.lab, pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")]

NODE = "fw1"
OWN = ("/account/password", "/account/totp", "/account/totp/confirm", "/account/totp/end", "/logout",
       "/logout-everywhere")  # fmt: skip
HANDS = ("/config", "/diagnostics/runs/{id}", "/diagnostics/runs/{id}/file")
"""What is read in REST and yet for administrators: secrets, and what one does oneself."""

SEED = {
    "aliases": {"name": "web", "type": "host", "entries": ["192.0.2.1"]},
    "virtual_ips": {"type": "carp", "interface": "lan", "address": "192.168.1.1/24", "vhid": 7, "password": "x"},
    "rules": {"interface": "lan", "protocol": "tcp", "destination_port": "443"},
    "outbound_nat": {"interface": "wan", "source": "192.168.1.0/24", "translation": "interface"},
    "port_forwards": {"interface": "wan", "protocol": "tcp", "destination": "address:wan", "destination_port": "25",
                      "target": "192.168.1.9", "local_port": "25"},
    "static_routes": {"network": "203.0.113.0/24", "gateway": "WANGW"},
    "users": {"name": "watcher", "privileges": ["read-only"], "password": "only for looking"},
}  # fmt: skip


class Client:
    """A program, or a browser without eyes, in front of the node."""

    def __init__(self, base: str, **headers: str) -> None:
        self.base = base
        self.session = requests.Session()
        self.session.verify = self.session.trust_env = False
        self.session.headers.update(headers)

    def __call__(self, method: str, address: str, **how: Any) -> requests.Response:
        return self.session.request(method, self.base + address, allow_redirects=False, timeout=30, **how)

    def rest(self, method: str, path: str, value: Any = None) -> requests.Response:
        return self(method, f"/api/v1{path}", json=value)

    def logged_in(self, username: str, password: str) -> "Client":
        answer = self("POST", "/login", data={"username": username, "password": password})
        assert answer.status_code == 303, answer.text
        return self

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="(\w+)"', self("GET", "/account/password").text)
        assert found
        return found[1]


@pytest.fixture(scope="module")
def lab(bare_lab: Lab) -> Iterator[Lab]:
    urllib3.disable_warnings()
    bare_lab.power_off("fw2")
    yield bare_lab


@pytest.fixture(scope="module")
def boss(lab: Lab) -> Client:
    """Who may do everything, by a key; the node is set up, and something is in every list."""
    lab.first_boot(NODE)
    key = lab.cli_json(NODE, "key", "add", "--name", "boss", "--privilege", "all")["key"]
    client = Client(lab.web(NODE), **{"X-API-Key": key})
    for area, values in SEED.items():
        answer = client.rest("POST", f"/{area}?apply=true", values)
        assert answer.status_code == 200, (area, answer.text)
    lab.cli(NODE, "key", "add", "--name", "spare")
    return client


def test_the_first_visitor_sets_the_password_with_a_code_from_the_console(lab: Lab) -> None:
    lab.wait(lambda: (lab.root(NODE) / AGENT_DOOR.lstrip("/")).exists(), "the agent to open its door")
    code = lab.cli_json(NODE, "setup-code")["code"]
    visitor = Client(lab.web(NODE))
    assert visitor("GET", "/login").headers["location"] == "/setup"
    fields = {"password": "the first one", "password-again": "the first one"}
    assert "not the code" in visitor("POST", "/setup", data={"code": "AAAA-AAAA", **fields}).text
    done = visitor("POST", "/setup", data={"code": code, **fields})
    assert done.status_code == 303 and {"HttpOnly", "Secure", "SameSite=strict"} <= set(
        done.headers["set-cookie"].split("; ")
    )
    assert visitor("GET", "/account/password").status_code == 200
    assert visitor("GET", "/setup").headers["location"] == "/login"
    Client(lab.web(NODE)).logged_in("admin", "the first one")


@pytest.mark.parametrize(
    ("version", "works"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
)
def test_old_tls_is_not_spoken(lab: Lab, version: ssl.TLSVersion, works: bool) -> None:
    context = ssl._create_unverified_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    where = urlsplit(lab.web(NODE))
    assert where.scheme == "https" and where.hostname and where.port
    with socket.create_connection((where.hostname, where.port), timeout=10) as wire:
        try:
            with context.wrap_socket(wire, server_hostname=where.hostname) as secure:
                spoken = secure.version()
        except ssl.SSLError:
            spoken = None
    assert (spoken is not None) == works, spoken


def test_nobody_gets_in_without_logging_in(lab: Lab, boss: Client) -> None:
    stranger = Client(lab.web(NODE))
    for page in PAGES:
        if page.session:
            for method in page.methods:
                answer = stranger(method, re.sub(r"\{\w+\}", "new", page.address))
                assert answer.status_code == 303 and answer.headers["location"].startswith("/login"), page
    for call in described(boss):
        if call.path not in PUBLIC:
            assert stranger.rest(call.method, at(call), call.body).status_code == 401, call
    assert stranger("GET", "/metrics").status_code == stranger("GET", "/api/v1/openapi.json").status_code == 401


def test_every_change_needs_the_csrf_token(lab: Lab, boss: Client) -> None:
    admin = Client(lab.web(NODE)).logged_in("admin", lab.password)
    before = boss.rest("GET", "/revisions").json(), boss.rest("GET", "/diff").json()["changes"]
    for page in PAGES:
        if page.session and "POST" in page.methods:
            answer = admin("POST", re.sub(r"\{\w+\}", "new", page.address), data={"csrf": "0" * 64, "do": "apply"})
            assert answer.status_code == 403, page
    for call in described(boss):
        if call.path not in PUBLIC and call.method != "GET":
            assert admin.rest(call.method, at(call), call.body).status_code == 401, call
    assert before == (boss.rest("GET", "/revisions").json(), boss.rest("GET", "/diff").json()["changes"])


def test_who_may_only_read_reads_everything_and_changes_nothing(lab: Lab, boss: Client) -> None:
    watcher = Client(lab.web(NODE)).logged_in("watcher", str(SEED["users"]["password"]))
    csrf = watcher.csrf()
    before = boss.rest("GET", "/revisions").json(), boss.rest("GET", "/diff").json()["changes"]
    for address in addresses():
        acting = address in ("/diagnostics/ping", "/diagnostics/packet-capture")
        assert watcher("GET", address).status_code == (403 if acting else 200), address
    for call in described(boss):
        if call.path in PUBLIC or call.path == "/events":
            continue
        if call.method == "GET":
            status = watcher.rest("GET", at(call)).status_code
            assert status in ((403,) if call.path in HANDS else (200, 404)), (call, status)
        elif call.path not in OWN:
            answer = watcher(call.method, f"/api/v1{at(call)}", json=call.body, headers={"x-csrf-token": csrf})
            assert answer.status_code in (403, 404), (call, answer.text)
    for page in PAGES:
        if page.session and "POST" in page.methods and page.address not in ("/logout", *OWN):
            for do in ("apply", "maintenance-on", "restore", "make", "delete:x", ""):
                fields = {"csrf": csrf, "do": do, "number": "1", "id": "x", "name": "x"}
                answer = watcher("POST", re.sub(r"\{\w+\}", "new", page.address), data=fields)
                assert answer.status_code in (200, 303, 403), (page, answer.status_code)
    assert before == (boss.rest("GET", "/revisions").json(), boss.rest("GET", "/diff").json()["changes"])
    assert not boss.rest("GET", "/status").json()["maintenance"]


def test_a_script_in_any_text_field_does_not_run_in_a_browser(lab: Lab, boss: Client) -> None:
    taken = hostile(boss)
    assert len(taken) > 10
    ran: list[str] = []
    with chromium() as browser:
        admin = Admin(browser, lab.web(NODE)).log_in(lab.password)
        admin.page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
        shown = 0
        for address in hostile_pages(boss, taken):
            admin.page.goto(f"{lab.web(NODE)}{address}")
            shown += "<script>alert(1)" in admin.page.locator("body").inner_text()
            assert admin.page.locator("img[src=x]").count() == 0 and not ran, address
        assert shown >= 6
    assert not [c for c in admin.complaints if "Content Security" in c or "Content-Security" in c], admin.complaints
    boss.rest("POST", "/discard", {})


def test_made_up_calls_get_no_reply_that_is_not_described(boss: Client) -> None:
    openapi = narrowed(boss.rest("GET", "/openapi.json").json(), lambda path: known(boss, path))
    found = fuzz(openapi, f"{boss.base}/api/v1", boss.session.headers["X-API-Key"])
    assert not found.faults, "\n".join(found.faults)
    assert boss.rest("GET", "/rules").status_code == 200, "it was allowed to call until the end"
    operations = {call.method + " " + call.path for call in described(boss)} - {"GET /events"}
    assert set(found.statuses) == operations
    assert len(found.answered(300)) > len(operations) * 0.45, sorted(operations - found.answered(300))
    assert {name for name, counted in found.statuses.items() if set(counted) == {401}} == set()


def described(boss: Client) -> list[Call]:
    return list(calls(boss.rest("GET", "/openapi.json").json()))


def at(call: Call) -> str:
    return call.at(id="wan" if call.area == "interfaces" else "nobody", number="1", key="spare")


def known(boss: Client, path: str) -> list[Any]:
    """What there is to put in the braces of a path."""
    top = path.split("/")[1]
    if top == "keys":
        return ["spare"]
    if top == "revisions":
        return [next(r["number"] for r in boss.rest("GET", "/revisions").json() if r["running"])]
    listed = boss.rest("GET", f"/{top}")
    return [i["id"] for i in listed.json()["items"]] if listed.status_code == 200 and "items" in listed.json() else []


def hostile(boss: Client) -> list[str]:
    """Put the script in every text field that takes it; what is saved stays pending but for one."""
    taken = []
    for field in places():
        name = field.area.name
        ids = known(boss, f"/{name}/{{id}}") if field.item else []
        own = "" if field.area.item is None else "/settings"
        path = f"/{name}/{ids[-1]}" if ids else "" if field.item else f"/{name}{own}"
        if path and boss.rest("PATCH", path, {field.name: field.value}).status_code == 200:
            taken.append(f"{name}.{field.name}")
    rule = known(boss, "/rules/{id}")[0]
    assert boss.rest("PATCH", f"/rules/{rule}?apply=true", {"description": XSS}).status_code == 200
    return taken


def hostile_pages(boss: Client, taken: list[str]) -> list[str]:
    """Everything that shows what was put in."""
    found = ["/", "/changes", "/system/history", "/system/history/compare?before=1&after=0", "/status/carp",
             "/firewall/rules?if=lan", "/firewall/rules?if=wan"]  # fmt: skip
    for area in dict.fromkeys(field.partition(".")[0] for field in taken):
        ids = known(boss, f"/{area}/{{id}}")
        found += [place(area), *(f"{place(area)}/{i}" for i in ids[-1:])]
    return list(dict.fromkeys(found))
