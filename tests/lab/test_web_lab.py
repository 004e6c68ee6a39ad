"""The pages as somebody on the network gets them: TLS, log-in, a change that reaches the peer, little memory."""

import http.cookiejar
import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pyotp
import pytest

from gemel.lab.lab import Lab
from tests.lab.stories import in_sync, try_typing, typed

pytestmark = pytest.mark.lab

PASSWORD = "a word that both know"
MOST_MEMORY = 80 << 10  # KiB, of webd's own share of what it maps


class Visitor:
    """Somebody with cookies who believes every certificate."""

    def __init__(self, base: str) -> None:
        self._base = base
        context = ssl._create_unverified_context()
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), jar)
        self._csrf = ""

    def __call__(self, address: str, **fields: str) -> str:
        """The page that one ends at; with fields a form is sent."""
        body = urllib.parse.urlencode({**fields, "csrf": self._csrf}).encode() if fields else None
        with self._opener.open(self._base + address, body, timeout=20) as answer:
            text = str(answer.read().decode())
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', text)
        self._csrf = found[1] if found else self._csrf
        return text


@pytest.fixture(scope="module")
def visitor(cluster: Lab) -> Iterator[Visitor]:
    someone = Visitor(cluster.web("fw1"))
    assert "<h2" in someone("/login")
    someone("/login", username="admin", password=cluster.password)
    yield someone


def test_a_rule_by_the_page_runs_on_both_nodes_after_apply(cluster: Lab, visitor: Visitor) -> None:
    visitor("/firewall/rules/new?if=opt1&to=bottom")
    said = {"interface": "opt1", "action": "pass", "family": "inet", "protocol": "udp", "source": "net:opt1",
            "destination": "address:opt1", "destination_port": "123", "description": "by the page"}  # fmt: skip
    assert "must be applied" in visitor("/firewall/rules/new?if=opt1&to=bottom", **said)
    assert "by the page" not in str(cluster.cli_json("fw1", "rule", "list", "--running"))
    assert "have been applied" in visitor("/changes?back=/firewall/rules", do="apply")
    cluster.wait(lambda: in_sync(cluster, "fw1"), "the peer has it")
    other = Visitor(cluster.web("fw2"))
    other("/login", username="admin", password=cluster.password)
    page = other("/firewall/rules?if=opt1")
    assert "by the page" in page and "This is the secondary node" in page


def test_what_is_not_encrypted_is_sent_to_where_it_is(cluster: Lab) -> None:
    said = cluster.exec("lan", "python3", "-c", """
import http.client
c = http.client.HTTPConnection("192.168.1.2", 80, timeout=5)
c.request("GET", "/firewall/rules")
answer = c.getresponse()
print(answer.status, answer.getheader("location"))
""")
    assert said.split() == ["307", "https://192.168.1.2/firewall/rules"]


def test_webd_is_nobody_and_small(cluster: Lab, visitor: Visitor) -> None:
    for address in ("/firewall/rules", "/firewall/virtual-ips/new", "/system/history", "/changes"):
        visitor(address)
    found: Any = cluster.exec("fw1", "python3", "-c", """
import pathlib
for p in pathlib.Path("/proc").glob("[0-9]*"):
    if (p / "cmdline").read_bytes().split(b"\\0")[1:3] == [b"-m", b"gemel.daemons.webd"]:
        pss = next(l for l in (p / "smaps_rollup").read_text().splitlines() if l.startswith("Pss:"))
        print(pss.split()[1], p.stat().st_uid)
""")
    memory, user = map(int, found.split())
    assert user != 0
    assert memory <= MOST_MEMORY, f"{memory >> 10} MiB"


def test_a_killed_agent_is_said_in_words_and_comes_back(cluster: Lab, visitor: Visitor) -> None:
    cluster.kill("fw1", "agent", hold=True)
    try:
        with pytest.raises(urllib.error.HTTPError) as error:
            visitor("/firewall/rules")
        assert error.value.code == 503 and "The agent does not answer" in error.value.read().decode()
    finally:
        cluster.release("fw1", "agent")
    cluster.wait(lambda: cluster.cli("fw1", "status", check=False), "the agent is back")
    assert "Default allow LAN" in visitor("/firewall/rules?if=lan"), "and knows who has logged in"


def test_accounts_second_factors_and_keys_open_both_nodes(cluster: Lab) -> None:
    options = ("--name", "ann", "--privileges", "all", "--password-stdin")
    assert try_typing(cluster, "fw1", "user", "add", *options, text=f"{PASSWORD}\n").exit_status == 0
    typed(cluster, "fw1", "gemel apply")
    ann = rest(cluster, "fw1", "/login", {"username": "ann", "password": PASSWORD})["token"]
    secret = rest(cluster, "fw1", "/account/totp", {"password": PASSWORD}, ann)["secret"]
    rest(cluster, "fw1", "/account/totp/confirm", {"code": code(secret)}, ann)
    key = rest(cluster, "fw1", "/keys", {"name": "both"}, ann)["key"]
    cluster.wait(lambda: in_sync(cluster, "fw1"), "the peer has them", 30)

    with pytest.raises(urllib.error.HTTPError) as refused:
        rest(cluster, "fw2", "/login", {"username": "ann", "password": PASSWORD})
    assert refused.value.code == 401 and "one-time code" in refused.value.read().decode()
    there = rest(cluster, "fw2", "/login", {"username": "ann", "password": PASSWORD, "code": code(secret)})
    assert rest(cluster, "fw2", "/account", token=there["token"])["second_factor"]
    assert rest(cluster, "fw2", "/status", token=key)["node"] == "fw2"
    assert rest(cluster, "fw2", "/keys", token=key)[0]["last_use"], "on the node where it was used"
    assert secret not in str(cluster.cli_json("fw2", "user", "list")), "it is shown nowhere"

    cluster.cli("fw1", "totp-reset", "ann")
    cluster.cli("fw1", "key", "revoke", "both")
    cluster.wait(lambda: in_sync(cluster, "fw1"), "the peer has that, too", 30)
    assert rest(cluster, "fw2", "/login", {"username": "ann", "password": PASSWORD})["token"]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        rest(cluster, "fw2", "/status", token=key)


def code(secret: str) -> str:
    return pyotp.TOTP(secret).now()


def rest(lab: Lab, node: str, path: str, value: Any = None, token: str = "") -> Any:
    """A call as a program makes it."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    body = None if value is None else json.dumps(value).encode()
    request = urllib.request.Request(f"{lab.web(node)}/api/v1{path}", body, headers)
    with urllib.request.urlopen(request, timeout=20, context=ssl._create_unverified_context()) as answer:
        return json.loads(answer.read() or b"null")
