"""The agent's door: who asks what gets which answer, and never a secret."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from gemel.areas.every import SCHEMA
from gemel.control import agent as ask
from gemel.core.codec import encode
from gemel.core.model import HIDDEN
from tests.unit.areas.cluster import primary
from tests.unit.daemons.agent import WEB, Agent, running

PASSWORD = "correct horse battery"
SECRETS = ("secret", "s3cret", "$argon2", "SCRAM", PASSWORD)


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return running(tmp_path)


def test_every_question_has_an_answer(agent: Agent) -> None:
    assert {*agent.answers._entrance.public, *agent.answers._by_question} == set(ask.QUESTIONS)


def test_who_may_only_read_is_refused_everything_else(agent: Agent) -> None:
    agent.change("users", "add", apply=True, name="bob", privileges="read-only", password=PASSWORD)
    token = agent(ask.Login("bob", PASSWORD), WEB).token
    samples = {
        ask.Change: {"edits": ()}, ask.Restore: {"number": 1}, ask.Import: {"config": {}},
        ask.SetPassword: {"username": "bob", "password": PASSWORD}, ask.Maintenance: {"on": True},
        ask.EnableCarp: {"on": False}, ask.PinPeer: {"fingerprint": ""}, ask.TestVirtualMac: {"interface": "wan"},
        ask.Ping: {"host": "192.168.1.50"}, ask.Capture: {"interface": "lan"}, ask.AskRun: {"id": "x"},
        ask.AskRuns: {"kind": "ping"}, ask.StopRun: {"id": "x"}, ask.ReadCapture: {"id": "x"},
        ask.ForgetLease: {"address": "192.168.1.100"},
        ask.WakeOnLan: {"interface": "lan", "mac": "00:1b:44:11:3a:b7"},
        ask.ResetTotp: {"username": "bob"}, ask.MakeKey: {"name": "k"}, ask.RevokeKey: {"key": "k"},
    }  # fmt: skip
    carried = [q for q in ask.QUESTIONS if "token" in {f.name for f in dataclasses.fields(q)}]
    asked = {q: q(**samples.get(q, {}), token=token) for q in carried if q not in (*ask.READING, *ask.OWN)}
    before = agent.desk.number

    for question in asked.values():
        assert "may not do this" in str(agent.refusal(question, WEB))

    assert {ask.Apply, ask.Export, ask.Discard, *samples} <= set(asked)
    assert agent.desk.number == before
    assert agent(ask.Show("rules", token=token), WEB).area == "rules"


def test_a_change_is_saved_shown_compared_and_applied(agent: Agent) -> None:
    changed = agent.change("rules", "add", interface="SYNC", source="LAN net", description="new")
    [item] = changed.items

    shown = agent(ask.Show("rules"))
    assert shown.pending and shown.words[item] == {"interface": "SYNC", "source": "LAN net"}
    assert not agent(ask.Show("rules", running=True)).pending
    report = agent(ask.Diff())
    assert [(c.path, c.kind) for c in report.changes] == [(f"rules[{item}]", "added")]
    assert report.authors == {"rules": "root from the console"}

    applied = agent(ask.Apply(message="because"))
    assert applied.revision == 2 and applied.warnings == ()
    head = agent(ask.Revisions())[0]
    assert (head.number, head.who, head.where, head.message) == (2, "root", "the console", "because") and head.running
    assert agent(ask.Restore(1)).revision == 3 and agent.desk.config == primary()


def test_a_refusal_brings_the_fields(agent: Agent) -> None:
    order = ask.EditOrder("rules", "add", values={"id": "x", "interface": "dmz", "colour": 1})
    no = agent.refusal(ask.Change((order,)))

    assert {p["path"] for p in no.problems} == {"rules[x].interface", "rules[x].colour"}
    assert agent.refusal(ask.Show("weeds")).problems[0]["path"] == "weeds"
    assert agent.refusal(ask.Change((ask.EditOrder("rules", "burn"),))).problems[0]["text"] == "there is no verb 'burn'"
    assert agent.refusal(ask.Apply()).problems[0]["text"] == "nothing is pending"


def test_what_the_machine_refuses_is_said_and_nothing_has_changed(agent: Agent) -> None:
    agent.node.machine.fails = len(agent.node.machine.performed)

    no = agent.refusal(ask.Maintenance(True))

    assert str(no).startswith("could not be applied, nothing has changed: ")
    assert not agent.desk.node.maintenance


def test_no_answer_shows_a_secret_but_the_export(agent: Agent) -> None:
    agent.change("users", "add", name="ann", privileges="all", password=PASSWORD)
    agent.change("virtual_ips", "set", "wan_vip", password="s3cret")
    agent.change("high_availability", "set", password="s3cret")
    agent(ask.SetPassword("admin", PASSWORD))

    told = [agent(ask.Show(area.name, running)) for area in SCHEMA.areas for running in (False, True)]
    told += [agent(ask.Diff(a, b)) for a, b in ((0, -1), (1, 0), (1, 2), (2, 1))]
    told += [agent(ask.Revisions())]

    assert not [word for word in SECRETS if any(word in str(encode(answer)) for answer in told)]
    assert HIDDEN in str(told)
    assert agent(ask.Export())["areas"]["high_availability"]["password"] == "s3cret"


def test_a_form_that_comes_back_with_hidden_secrets_leaves_them_alone(agent: Agent) -> None:
    [vip] = [i for i in agent(ask.Show("virtual_ips")).values["items"] if i["id"] == "wan_vip"]
    assert vip["password"] == HIDDEN

    agent.change("virtual_ips", "set", "wan_vip", **{**vip, "description": "outside"})

    kept = next(v for v in agent.desk.candidate.named("virtual_ips").items if v.id == "wan_vip")  # type: ignore[attr-defined]
    assert (kept.password, kept.description) == ("secret", "outside")


def test_a_new_password_outlives_pending_changes(agent: Agent) -> None:
    agent.change("users", "add", apply=True, name="ann", privileges="all", password=PASSWORD)
    agent.change("users", "set", "ann", description="pending")

    agent(ask.SetPassword("ann", "another long one"))
    agent(ask.Apply())

    assert agent(ask.Login("ann", "another long one"), WEB).username == "ann"
    assert "wrong" in str(agent.refusal(ask.Login("ann", PASSWORD), WEB))


def test_export_and_import_are_inverse(agent: Agent) -> None:
    exported = agent(ask.Export())
    agent.change("rules", "delete", "to_web", apply=True)

    assert agent(ask.Import(exported)).revision == 3
    assert agent.desk.config == primary()
    assert agent(ask.Revisions())[0].message == "imported"


@pytest.mark.parametrize(
    ("config", "path"),
    [({"version": 2, "areas": {}}, "version"), ({"version": 1, "areas": {}, "x": 1}, "x"), ({}, "")],
)
def test_an_import_that_is_no_configuration_changes_nothing(agent: Agent, config: Any, path: str) -> None:
    assert agent.refusal(ask.Import(config)).problems[0]["path"] == path
    assert agent.desk.number == 1


def test_only_a_node_with_a_target_can_push(agent: Agent) -> None:
    agent.change("high_availability", "set", synchronize_config_to="")

    assert "this node does not push" in str(agent.refusal(ask.SyncNow()))


@pytest.mark.parametrize("fingerprint", ["AB", "XY" * 32, "AB:" * 31 + "G0"])
def test_a_fingerprint_is_32_pairs(agent: Agent, fingerprint: str) -> None:
    assert agent.refusal(ask.PinPeer(fingerprint)).problems[0]["path"] == "fingerprint"
