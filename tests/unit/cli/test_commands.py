"""What a person types at a node, and what comes of it."""

import json
from pathlib import Path

import pytest

from gemel.areas.every import SCHEMA
from gemel.areas.high_availability import BOXES
from gemel.areas.interfaces import INTERFACES
from gemel.control import paths
from gemel.core.model import plain
from gemel.daemons.agent.accounts import knows
from tests.unit.cli.conftest import Shell

RULES = (
    ("--protocol tcp --destination-port HTTPS", "SYNC net", "SYNC address", "Allow configuration synchronization"),
    ("--protocol pfsync", "SYNC net", "any", "Allow state synchronization"),
    ("--protocol icmp", "SYNC net", "SYNC net", "Allow ICMP for diagnostics"),
)


def test_the_recipe_is_typed_as_it_is_written(blank: Shell) -> None:
    blank.ok(
        "first-boot --hostname fw1 --wan wan --wan-address 198.51.100.201/24 --wan-gateway 198.51.100.1"
        " --lan lan --lan-address 192.168.1.2/24 --password-stdin",
        "a long password\n",
    )
    assert "assigned opt1" in blank.ok("interface assign sync")
    blank.ok("interface set opt1 --enable --description SYNC --ipv4 172.16.1.2/24")
    for options, source, destination, description in RULES:
        words = {"source": source, "destination": destination, "description": description}
        blank.ok(f"rule add opt1 --top --action pass {options}", **words)
    assert "rules" in blank.ok("diff")
    blank.ok("apply")
    blank.ok("ha set --synchronize-states --synchronize-interface opt1 --filter-host-id 1 --peer-ip 172.16.1.3")
    blank.ok(
        "ha set --synchronize-config-to 172.16.1.3 --username admin --password-stdin --areas all", "the peer's one\n"
    )
    blank.ok(
        "vip add --type carp --interface wan --address 198.51.100.200/24 --vhid 200 --base 1 --skew 1"
        " --random-password",
        description="WAN CARP VIP",
    )
    blank.ok("nat outbound mode hybrid")
    nat = "nat outbound add --interface wan --source 192.168.1.0/24 --translation"
    blank.ok("apply", message="virtual IPs")
    blank.ok(f"{nat} 198.51.100.200", description="LAN to WAN")
    isakmp = f"{nat} 198.51.100.200 --top --destination-port 500 --static-port"
    blank.ok(isakmp, description="ISAKMP - LAN to WAN")
    blank.ok("apply")

    areas = SCHEMA.dump(blank.config)["areas"]
    described = [r["description"] for r in areas["rules"]["items"] if r["interface"] == "opt1"]
    assert described == [words[3] for words in reversed(RULES)]
    [vip] = areas["virtual_ips"]["items"]
    assert (vip["base"], vip["skew"], len(vip["password"])) == (1, 1, 16)
    nat_items = areas["outbound_nat"]["items"]
    assert [m["description"] for m in nat_items] == ["ISAKMP - LAN to WAN", "LAN to WAN"]
    assert {m["translation"] for m in nat_items} == {f"vip:{vip['id']}"}
    ha = areas["high_availability"]
    assert (ha["password"], ha["filter_host_id"], set(ha["areas"])) == ("the peer's one", "1", set(BOXES))
    assert knows(blank.config, "admin", "a long password")
    assert SCHEMA.check(blank.config) == []
    assert blank.agent.node.has(blank.desk)


def test_a_configured_node_is_not_set_up_again(shell: Shell) -> None:
    first = "first-boot --hostname a --wan b --wan-address 10.0.0.1/8 --lan c --lan-address 10.0.0.2/8 --password-stdin"

    assert "configured already" in shell.refused(first, "a long password\n")


def test_items_are_listed_changed_moved_and_deleted_by_what_they_are_called(shell: Shell) -> None:
    assert "SYNC net" in shell.ok("rule list SYNC") and "web_servers" not in shell.ok("rule list opt1")
    shell.ok("rule set https --description https --log")
    shell.ok("rule move https --top")
    shell.ok("alias set web_servers --entries 192.168.1.82,192.168.1.83")
    shell.ok("vip delete 198.51.100.210")
    shell.ok("apply")

    assert [r["id"] for r in shell.json("rule list SYNC")["values"]["items"]] == ["https", "icmp", "pfsync"]
    web = shell.json("alias list")["values"]["items"][0]
    assert web["entries"] == ["192.168.1.82", "192.168.1.83"]
    assert "198.51.100.210" not in shell.ok("vip list")


def test_flags_have_their_opposite(shell: Shell) -> None:
    shell.ok("interface set SYNC --disable")
    shell.ok("rule set to_web --log --no-sync --disabled")
    shell.ok("rule set to_web --no-log --sync --not-disabled")

    assert "interfaces" in shell.ok("diff") and "rules" not in shell.ok("diff")


def test_areas_without_items_are_shown_and_set(shell: Shell) -> None:
    shell.ok("system set --hostname fw9 --dns-servers 9.9.9.9 --dns-servers 1.1.1.1")

    assert shell.json("system show")["values"]["dns_servers"] == ["9.9.9.9", "1.1.1.1"]
    assert "fw9" in shell.ok("system show") and "fw9" not in shell.ok("system show --running")
    assert "(hidden)" in shell.ok("ha show") and "secret" not in shell.ok("ha show")


def test_history(shell: Shell) -> None:
    shell.ok("rule set https --log")
    shell.ok("apply", message="more to read")

    heads = shell.json("revisions")
    assert [(h["message"], h["running"]) for h in heads] == [("more to read", True), ("first boot", False)]
    assert "more to read" in shell.ok("revisions")
    [change] = shell.json("diff 1 2")["changes"]
    assert (change["path"], change["before"], change["after"]) == ("rules[https].log", False, True)
    assert shell.json("restore 1")["revision"] == 3
    assert not shell.json("diff 1 3")["changes"]


def test_what_is_pending_can_be_applied_or_forgotten_by_area(shell: Shell) -> None:
    shell.ok("rule set https --log")
    shell.ok("system set --domain example.org")

    shell.ok("discard --area rules")
    assert shell.json("apply --area system")["revision"] == 2
    assert "nothing is pending" in shell.refused("apply")


def test_a_refusal_names_the_field_and_ends_with_1(shell: Shell) -> None:
    port = shell.refused("rule set to_web --destination-port 70000")
    assert port.startswith("error: rules[to_web].destination_port: '70000' is no port")
    assert "rules[to_web].destination: this needs web_servers" in shell.refused("alias delete web_servers")
    assert "there is none called 'x'" in shell.refused("rule delete x")
    assert "nothing to change was given" in shell.refused("rule set https")
    assert "only one of" in shell.refused("rule move https --top --before icmp")
    assert "no password came" in shell.refused("passwd --password-stdin", "")


def test_a_warning_is_said_and_does_not_stop_or_spoil_the_answer(shell: Shell) -> None:
    result = shell.run("nat outbound add --source any --translation 198.51.100.200 --json")

    assert result.exit_code == 0 and json.loads(result.stdout)["warnings"]
    assert "warning: outbound_nat[" in result.stderr and "would lose internet" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    "line", ["weed list", "rule add", "rule add lan --colour red", "vip add --vhid one", "carp maintenance perhaps"]
)
def test_wrong_usage_ends_with_2(shell: Shell, line: str) -> None:
    assert shell.run(line).exit_code == 2


def test_without_an_agent_it_ends_with_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell) -> None:
    monkeypatch.setattr(paths, "AGENT_DOOR", str(tmp_path / "nobody.sock"))

    result = shell.run("status")

    assert result.exit_code == 3 and "the agent does not answer" in result.stderr


def test_status(shell: Shell) -> None:
    assert shell.json("status")["node"] == "fw1"
    page = shell.ok("status")
    assert "no problems" in page and "WAN@200" in page and "1 (this node), 2" in page
    assert "WAN@200" in shell.ok("carp status") and shell.json("carp status")["maintenance"] is False


def test_maintenance(shell: Shell) -> None:
    shell.ok("carp maintenance on")
    assert shell.desk.node.maintenance
    shell.ok("carp maintenance off")
    shell.ok("carp disable")
    assert not shell.desk.node.maintenance and shell.desk.node.carp_disabled
    shell.ok("carp enable")


def test_accounts_get_passwords_from_standard_input(shell: Shell) -> None:
    shell.ok("user add --name ann --privileges all --password-stdin", "a long password\n")
    shell.ok("apply")
    shell.ok("passwd ann --password-stdin", "another long one\n")

    assert knows(shell.config, "ann", "another long one")
    assert "at least 8 characters" in shell.refused("passwd ann --password-stdin", "short\n")


# Files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_json", [False, True], ids=["YAML", "JSON"])
def test_what_was_exported_is_imported(shell: Shell, tmp_path: Path, as_json: bool) -> None:
    file = tmp_path / "exported"
    file.write_text(json.dumps(shell.json("export")) if as_json else shell.ok("export"))
    before = plain(shell.config.named("rules"))
    shell.ok("rule set https --log")
    shell.ok("apply")

    assert shell.json(f"import {file}")["revision"] == 3

    assert plain(shell.config.named("rules")) == before


def test_a_revision_that_was_kept_is_imported(shell: Shell, tmp_path: Path) -> None:
    before = plain(shell.config.named("rules"))
    shell.ok("rule set https --log")
    shell.ok("apply")
    [kept] = tmp_path.rglob("revisions/00000001.json")

    assert shell.json(f"import {kept}")["revision"] == 3

    assert plain(shell.config.named("rules")) == before


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not JSON"),
        ("a: [", "is neither JSON nor YAML"),
        ("just words", "is neither JSON nor YAML of a configuration"),
        ("", "is neither JSON nor YAML of a configuration"),
        ("- a\n- b\n", "is neither JSON nor YAML of a configuration"),
        ("!!python/object:os.system {}", "is neither JSON nor YAML"),
        ("version: 1\nareas: {}\ncolours: {}\n", "error: colours: there is no such field"),
        ("version: 1\nareas:\n  colours: {}\n", "error: colours: there is no such area"),
        ("version: 1\nareas:\n  rules:\n    colour: red\n", "error: rules.colour: there is no such field"),
        ("version: 2\nareas: {}\n", "made by a newer Gemel: this is configuration version 2, this node reads up to 1"),
        ("areas: {}\n", "error: version: must be 1"),
    ],
)
def test_a_file_that_is_no_configuration_changes_nothing(
    shell: Shell, tmp_path: Path, content: str, sentence: str
) -> None:
    file = tmp_path / "exported"
    file.write_text(content)
    before = shell.config

    assert sentence in shell.refused(f"import {file}")
    assert sentence in shell.refused("import -", content).replace("- is", f"{file} is")

    assert shell.config is before and shell.desk.number == 1


def test_a_file_that_is_not_there_or_no_text(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"\xff\xd8\xff")

    assert "cannot be read: No such file" in shell.refused(f"import {tmp_path / 'none'}")
    assert "cannot be read: it is no text" in shell.refused(f"import {tmp_path / 'picture'}")


def test_a_number_that_may_be_empty_is_emptied(shell: Shell) -> None:
    def mtu() -> object:
        return next(i.mtu for i in shell.desk.candidate[INTERFACES].items if i.id == "lan")

    shell.ok("interface set lan --mtu 1400")
    assert mtu() == 1400
    assert shell.run("interface set lan --mtu many").exit_code == 2
    shell.ok("interface set lan --mtu none")
    assert mtu() is None
