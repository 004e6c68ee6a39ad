"""Who may push: an account with *System - HA node sync* may do that and nothing else; one without it may not."""

import base64
import json
import ssl
import urllib.request
import xmlrpc.client
from typing import Any

import pytest

from gemel.control.agent import Login
from gemel.control.door import Refused
from gemel.control.paths import AGENT_DOOR
from gemel.control.peer import Fault
from gemel.lab import recipe
from gemel.lab.lab import Lab
from tests.lab.stories import in_sync, is_content, status, try_typing, typed, wait_for_complaint

pytestmark = pytest.mark.lab

PASSWORD = "only for the peer"
ABILITIES = (
    ("pfsense.exec_shell", ("id",)),
    ("pfsense.exec_php", ("return 1;",)),
    ("pfsense.backup_config_section", (["system"],)),
    ("pfsense.restore_config_section", ({"system": {}},)),
    ("pfsense.merge_config_section", ({"system": {}},)),
    ("pfsense.filter_configure", ()),
    ("pfsense.interfaces_carp_configure", ()),
    ("system.listMethods", ()),
    ("gemel.status", ()),
)


@pytest.fixture(scope="module")
def pair(blank_lab: Lab) -> Lab:
    """The recipe up to configuration synchronisation, which will have an account of its own."""
    for step in recipe.STEPS[:4]:
        for node, commands in step.typed.items():
            typed(blank_lab, node, commands)
    add_user(blank_lab, "fw2", "hasync", "ha-sync")
    add_user(blank_lab, "fw2", "watcher", "read-only")
    typed(blank_lab, "fw2", "gemel apply")
    return blank_lab


def add_user(lab: Lab, node: str, name: str, privileges: str) -> None:
    options = ("--name", name, "--privileges", privileges, "--password-stdin")
    assert try_typing(lab, node, "user", "add", *options, text=f"{PASSWORD}\n").exit_status == 0


def push_as(lab: Lab, username: str) -> None:
    options = ("--synchronize-config-to", "172.16.1.3", "--username", username, "--password-stdin", "--areas")
    answer = try_typing(lab, "fw1", "ha", "set", *options, "rules,aliases,nat,virtual_ips", text=f"{PASSWORD}\n")
    assert answer.exit_status == 0, answer.err


def call(lab: Lab, username: str, method: str, *params: Any) -> Any:
    """An XML-RPC call as another tool makes it; raises `xmlrpc.client.Fault`."""
    basic = base64.b64encode(f"{username}:{PASSWORD}".encode()).decode()
    request = urllib.request.Request(
        f"{lab.web('fw2')}/xmlrpc.php",
        xmlrpc.client.dumps(params, method).encode(),
        {"Content-Type": "text/xml", "Authorization": f"Basic {basic}"},
    )
    with urllib.request.urlopen(request, timeout=10, context=ssl._create_unverified_context()) as response:
        return xmlrpc.client.loads(response.read())[0][0]


def test_an_account_without_the_privilege_is_refused_in_words_on_both(pair: Lab) -> None:
    push_as(pair, "watcher")
    wait_for_complaint(pair, "fw1", "watcher", "System - HA node sync")
    wait_for_complaint(pair, "fw2", "watcher", "System - HA node sync")
    assert status(pair, "fw1")["config_sync"]["status"] == "refused"
    assert recipe.rules(pair, "fw2", "opt1") == ("Temp rule for sync",)
    assert pair.cli_json("fw2", "peer", "show")["peer"] is None, "nor is it trusted from now on"


def test_an_account_with_the_privilege_alone_makes_first_contact_and_pushes(pair: Lab) -> None:
    push_as(pair, "hasync")
    pair.wait(lambda: in_sync(pair, "fw1"), "first contact and a push", 30)
    assert recipe.rules(pair, "fw2", "opt1") == recipe.SYNC_RULES
    pusher = [r["who"] for r in pair.cli_json("fw2", "revisions") if "fw1" in r["who"]]
    assert pusher and all("hasync" in who for who in pusher)
    for node in ("fw1", "fw2"):
        pair.wait(is_content(pair, node), f"{node} to be content", 20)


def test_it_pushes_what_comes_later_too(pair: Lab) -> None:
    typed(pair, "fw1", "gemel alias add --name later --type host --entries 192.0.2.3\ngemel apply")
    pair.wait(lambda: in_sync(pair, "fw1"), "the push", 20)
    shown = pair.cli_json("fw2", "alias", "list", "--running")["values"]["items"]
    assert [a["name"] for a in shown] == ["later"]


def test_it_cannot_log_in(pair: Lab) -> None:
    with pytest.raises(Refused, match="may not log in"):
        pair.ask("fw2", AGENT_DOOR, Login("hasync", PASSWORD))
    assert pair.ask("fw2", AGENT_DOOR, Login("watcher", PASSWORD)).privileges == ("read-only",)


@pytest.mark.parametrize(("method", "params"), ABILITIES)
def test_it_can_do_nothing_else_by_xml_rpc(pair: Lab, method: str, params: tuple[Any, ...]) -> None:
    with pytest.raises(xmlrpc.client.Fault) as refused:
        call(pair, "hasync", method, *params)
    assert refused.value.faultCode == Fault.NO_SUCH_METHOD


@pytest.mark.parametrize("method", ["gemel.hello", "gemel.report", "gemel.prepare", "gemel.commit"])
def test_its_password_alone_is_not_enough_for_a_push(pair: Lab, method: str) -> None:
    with pytest.raises(xmlrpc.client.Fault):
        call(pair, "hasync", method, "{}")


def test_health_checks_of_other_tools_may_use_it_and_no_other(pair: Lab) -> None:
    assert call(pair, "hasync", "pfsense.host_firmware_version", 1, 30)["firmware"]["version"]
    with pytest.raises(xmlrpc.client.Fault, match="System - HA node sync") as refused:
        call(pair, "watcher", "pfsense.host_firmware_version", 1, 30)
    assert refused.value.faultCode == Fault.NO_PRIVILEGE


def test_it_cannot_sign_in_to_pages_or_rest(pair: Lab) -> None:
    basic = base64.b64encode(f"hasync:{PASSWORD}".encode()).decode()
    credentials = json.dumps({"username": "hasync", "password": PASSWORD}).encode()
    for path, body in (("/api/v1/status", None), ("/firewall/rules", None), ("/api/v1/login", credentials)):
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{pair.web('fw2')}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=10, context=ssl._create_unverified_context()) as answer:
                assert answer.url.partition("?")[0].endswith("/login"), f"{path} answers {answer.url}"
        except urllib.error.HTTPError as refused:
            assert refused.code in (401, 403), path


def test_when_the_privilege_is_taken_away_it_pushes_no_more_and_both_say_so(pair: Lab) -> None:
    typed(pair, "fw2", "gemel user set hasync --privileges read-only\ngemel apply")
    typed(pair, "fw1", "gemel alias add --name too_late --type host --entries 192.0.2.4\ngemel apply")
    for node in ("fw1", "fw2"):
        wait_for_complaint(pair, node, "hasync", "lacks", "System - HA node sync")
    shown = pair.cli_json("fw2", "alias", "list", "--running")["values"]["items"]
    assert [a["name"] for a in shown] == ["later"]


def test_and_again_when_it_is_given_back(pair: Lab) -> None:
    typed(pair, "fw2", "gemel user set hasync --privileges ha-sync\ngemel apply")
    typed(pair, "fw1", "gemel sync")
    pair.wait(lambda: in_sync(pair, "fw1"), "the push", 40)
    for node in ("fw1", "fw2"):
        pair.wait(is_content(pair, node), f"{node} to be content", 20)
