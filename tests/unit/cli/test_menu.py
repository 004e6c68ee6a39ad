"""`gemel console`: somebody at the machine, and what comes of it."""

import os
import stat
from pathlib import Path

import pytest

from gemel.areas.factory import factory_default
from gemel.areas.gateways import GATEWAYS
from gemel.areas.interfaces import INTERFACES
from gemel.areas.rules import RULES
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.cli.menu import ACTS
from gemel.control import paths
from gemel.daemons.agent.accounts import knows
from tests.unit.cli.conftest import Shell


def typed(shell: Shell, *lines: str) -> str:
    """What the terminal shows when these lines are typed, and then Ctrl-D."""
    result = shell.run("console", "\n".join(lines) + "\n")
    assert result.exit_code == 0, result.output
    return str(result.output)


def test_it_shows_the_node_and_the_menu_and_ends(shell: Shell) -> None:
    for leave in ("0", "q", "logout"):
        shown = typed(shell, leave)
        assert shown.count("Gemel node fw1 (primary)") == 1
        assert "WAN   wan   198.51.100.201/24" in shown and "AB:CD" in shown
        assert all(title in shown for title, _ in ACTS.values())
    assert typed(shell, "").count("Gemel node fw1") == 2, "Enter looks again; the end of the input leaves"
    assert "There is no '99' here." in typed(shell, "99", "0")


def test_the_same_for_programs(shell: Shell) -> None:
    report = shell.json("console")
    assert report["node"] == "fw1" and report["fingerprint"] == "AB:CD" and len(report["interfaces"]) == 3


def test_the_address_of_lan_is_changed_at_once_and_nothing_else_with_it(shell: Shell) -> None:
    shell.ok("system set --domain other.example")
    number = shell.desk.number
    shown = typed(shell, "2", "2", "192.168.1.9/24", "", "", "", "0")
    assert f"revision {number + 1} runs" in shown
    lan = shell.config[INTERFACES].get("lan")
    assert lan is not None and (lan.ipv4, lan.ipv6, lan.enabled, lan.gateway) == ("192.168.1.9/24", "", True, "")
    assert "system" in shell.desk.pending.models, "what somebody else has saved stays pending"
    last = shell.desk.last
    assert last is not None and last.message == "console: addresses of LAN"


def test_the_gateway_follows_and_a_new_one_gets_a_name(shell: Shell) -> None:
    typed(shell, "2", "wan", "", "198.51.100.9", "2001:db8::2/64", "2001:db8::1", "0")
    wan = shell.config[INTERFACES].get("wan")
    assert wan is not None and wan.ipv6 == "2001:db8::2/64"
    assert {g.name: g.address for g in shell.config[GATEWAYS].items} == {
        "WANGW": "198.51.100.9", "WANGW6": "2001:db8::1",
    }  # fmt: skip
    assert (wan.gateway, wan.gateway6) == ("wangw", "wangw6")
    typed(shell, "2", "wan", "", "", "none", "0")
    wan = shell.config[INTERFACES].get("wan")
    assert wan is not None and (wan.ipv6, wan.gateway6, wan.gateway) == ("", "", "wangw")
    assert [g.name for g in shell.config[GATEWAYS].items] == ["WANGW"], "one that nobody could reach goes, too"


def test_a_refusal_is_said_and_leads_back_to_the_menu(shell: Shell) -> None:
    number = shell.desk.number
    shown = typed(shell, "2", "LAN", "192.168.1.2", "", "", "2", "sync", "192.168.1.77/24", "", "", "0")
    assert "interfaces[lan].ipv4" in shown and "overlaps" in " ".join(shown.split())
    assert shown.count("Gemel node fw1") == 3 and shell.desk.number == number
    assert "there is no interface 7" in typed(shell, "2", "7", "0")
    assert typed(shell, "2", "", "0").count("Gemel node fw1") == 2


def test_the_admin_gets_a_password(shell: Shell) -> None:
    shown = typed(shell, "3", "another long one", "another long one", "n", "0")
    assert "has a new password" in shown and "another long one" not in shown
    assert knows(shell.config, "admin", "another long one")
    assert "error" in typed(shell, "3", "short", "short", "0")
    assert knows(shell.config, "admin", "another long one")


def test_a_revision_is_restored_after_a_look_at_what_differs(shell: Shell) -> None:
    first = shell.desk.number
    shell.ok("rule delete https")
    shell.ok("apply -m oops")
    shown = typed(shell, "15", str(first), "y", "0")
    assert "oops" in shown and "+ rules[https]" in shown
    assert shell.desk.number == first + 2 and any(r.id == "https" for r in shell.config[RULES].items)
    assert "there is no revision 999" in typed(shell, "15", "999", "0")
    typed(shell, "15", str(first), "n", "0")
    typed(shell, "15", "", "0")
    assert shell.desk.number == first + 2


def test_factory_default_needs_the_word_and_keeps_the_way_in(shell: Shell) -> None:
    before, number = shell.config, shell.desk.number
    assert "Nothing was done." in typed(shell, "4", "yes", "0")
    assert shell.config == before
    shown = typed(shell, "4", "default", "0")
    assert f"revision {number + 1} runs: factory default" in shown and "enter the code" in " ".join(shown.split())
    expected = factory_default(before)
    assert shell.config.having(rules=expected[RULES]) == expected
    assert shell.config[VIRTUAL_IPS].items == () and not shell.desk.node.maintenance
    typed(shell, "15", str(number), "y", "0")
    assert shell.config == before, "it can be taken back"


def test_a_shell_leads_back(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "shell"
    program.write_text(f"#!/bin/sh\necho was here > {tmp_path}/mark\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setitem(os.environ, "SHELL", str(program))
    assert typed(shell, "8", "0").count("Gemel node fw1") == 2
    assert (tmp_path / "mark").read_text() == "was here\n"
    monkeypatch.setitem(os.environ, "SHELL", str(tmp_path / "none"))
    assert "No such file" in typed(shell, "8", "0")


def test_without_an_agent_it_says_so_and_the_shell_is_there(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "AGENT_DOOR", str(tmp_path / "nobody.sock"))
    shown = typed(shell, "3", "a long password", "a long password", "0")
    assert shown.count("the agent does not answer") == 3 and "8) Shell" in shown
