"""The console: the first password, second factors, API keys."""

import re

import pyotp

from gemel.areas.api_keys import API_KEYS
from gemel.areas.users import ADMIN
from gemel.control.agent import SetUp
from gemel.daemons.agent.accounts import knows
from tests.unit.cli.conftest import Shell
from tests.unit.daemons.agent import WEB

FIRST = "first-boot --hostname fw1 --wan wan --wan-address 198.51.100.201/24 --lan lan --lan-address 192.168.1.2/24"


def test_a_node_set_up_without_a_password_prints_the_code_for_the_first_visitor(blank: Shell) -> None:
    [code] = re.findall(r"[A-Z2-9]{4}-[A-Z2-9]{4}", blank.ok(FIRST))
    session = blank.agent(SetUp(code, "a long password"), WEB)
    assert session.token and knows(blank.config, "admin", "a long password")
    assert "a password already" in blank.refused("setup-code")


def test_a_code_can_be_printed_again_and_only_the_last_is_good(blank: Shell) -> None:
    first = blank.json("setup-code")["code"]
    assert "15 minutes" in blank.ok("setup-code")
    assert "not the code" in str(blank.agent.refusal(SetUp(first, "a long password"), WEB))


def test_keys_are_made_listed_and_revoked_and_never_shown_again(shell: Shell) -> None:
    assert "no API keys yet" in shell.ok("key list")
    key = shell.ok("key add --name metrics --expires 2030-01-31").strip()
    assert re.fullmatch(r"gemel_[0-9a-f]{8}_[\w-]{43}", key)
    assert "metrics" in shell.ok("key list") and key not in shell.ok("key list --json")
    assert key not in str(shell.json("export")) and "(hidden)" not in str(shell.json("export"))
    assert shell.json("key list")[0]["privilege"] == "read-only"
    assert "another key" in shell.refused("key add --name metrics")
    assert "no date" in shell.refused("key add --name other --expires soon")
    assert "no account" in shell.refused("key add --name other --account nobody")
    shell.ok("key revoke metrics")
    assert shell.config[API_KEYS].items == ()
    assert "none called" in shell.refused("key revoke metrics")


def test_root_takes_a_second_factor_away(shell: Shell) -> None:
    assert "no second factor" in shell.refused("totp-reset admin")
    admin = shell.config[ADMIN].model_copy(update={"totp": pyotp.random_base32()})
    shell.desk.config = shell.config.having(admin=admin)
    shell.ok("totp-reset")
    assert shell.config[ADMIN].totp == ""


def test_what_the_node_makes_itself_cannot_be_typed(shell: Shell) -> None:
    shell.ok("user add --name ann --privileges all --password-stdin", "a long password\n")
    assert "No such option" in shell.run("user set ann --totp JBSWY3DPEHPK3PXP").output
