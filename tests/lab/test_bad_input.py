"""Bad input on a running cluster: refused (or warned of) with the field's path, and nothing changes.

What only two nodes can find out together is said on both.
"""

import json
from typing import Any

import pytest

from gemel.lab.lab import Lab
from gemel.lab.topology import NODES, WAN_VIP
from tests.lab.stories import (
    Answer,
    in_force,
    in_sync,
    is_content,
    status,
    try_typing,
    typed,
    wait_for_complaint,
    wait_for_push,
    wait_for_roles,
)

pytestmark = pytest.mark.lab

VIP = ("vip", "add", "--type", "carp", "--password", "secret")
RULE = ("rule", "add", "lan", "--action", "pass", "--protocol", "tcp")
NAT = ("nat", "outbound", "add", "--interface", "wan", "--translation", WAN_VIP)

REFUSED = {
    "a VHID twice on one interface": (*VIP, "--interface", "wan", "--address", "198.51.100.210/24", "--vhid", "200"),
    "VHID 0": (*VIP, "--interface", "wan", "--address", "198.51.100.210/24", "--vhid", "0"),
    "VHID 256": (*VIP, "--interface", "wan", "--address", "198.51.100.210/24", "--vhid", "256"),
    "a VIP like the interface": (*VIP, "--interface", "wan", "--address", "198.51.100.201/24", "--vhid", "5"),
    "an unknown interface": ("rule", "add", "opt9", "--action", "pass", "--protocol", "any"),
    "port 70000": (*RULE, "--destination-port", "70000"),
    "host bits": (*RULE, "--source", "10.0.0.1/24"),
    "an IPv6 literal in an IPv4 rule": (*RULE, "--source", "2001:db8::1"),
}
PATHS = {
    "a VHID twice on one interface": ".vhid",
    "VHID 0": ".vhid",
    "VHID 256": ".vhid",
    "a VIP like the interface": ".address",
    "an unknown interface": ".interface",
    "port 70000": ".destination_port",
    "host bits": ".source",
    "an IPv6 literal in an IPv4 rule": ".source",
}
WARNED = {
    "a VIP in no network of its interface": (
        (*VIP, "--interface", "wan", "--address", "10.9.9.9/24", "--vhid", "6"), ".address", "in no network of WAN"),
    "private networks blocked on LAN": (
        ("interface", "set", "lan", "--block-private"), "interfaces[lan].block_private", "private"),
    "outbound NAT for any": ((*NAT, "--source", "any"), ".source", "the firewall"),
    "outbound NAT for this firewall": ((*NAT, "--source", "this firewall"), ".source", "the firewall"),
    "outbound NAT for the loopback": ((*NAT, "--source", "127.0.0.0/8"), ".source", "the firewall"),
}  # fmt: skip


def refused(lab: Lab, *argv: str, text: str | None = None) -> Answer:
    """The answer to what must be refused, with nothing changed: neither what runs nor what is pending."""
    before, pending = in_force(lab, "fw1"), lab.cli_json("fw1", "diff")
    answer = try_typing(lab, "fw1", *argv, text=text)
    assert answer.exit_status == 1, answer
    assert in_force(lab, "fw1") == before and lab.cli_json("fw1", "diff") == pending
    return answer


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_with_the_path_of_its_field_and_nothing_changes(cluster: Lab, what: str) -> None:
    answer = refused(cluster, *REFUSED[what])
    first = answer.err.splitlines()[0]
    assert first.startswith("error: ") and PATHS[what] in first.split(": ")[1], answer


@pytest.mark.parametrize("what", WARNED)
def test_it_is_saved_with_a_warning_that_says_why(cluster: Lab, what: str) -> None:
    argv, path, why = WARNED[what]
    try:
        answer = try_typing(cluster, "fw1", *argv)
        assert answer.exit_status == 0 and "warning: " in answer.err, answer
        assert path in answer.err and why in answer.err, answer
    finally:
        typed(cluster, "fw1", "gemel discard")


def test_what_is_no_configuration_is_not_imported(cluster: Lab) -> None:
    assert "JSON" in refused(cluster, "import", "-", text='{"version": ').err
    assert "YAML" in refused(cluster, "import", "-", text="a: [1\nb: }").err
    running: dict[str, Any] = cluster.cli_json("fw1", "export")
    newer = {**running, "version": running["version"] + 1}
    assert "version" in refused(cluster, "import", "-", text=json.dumps(newer)).err
    unknown = json.loads(json.dumps(running))
    unknown["areas"]["rules"]["items"][0]["colour"] = "green"
    assert "colour" in refused(cluster, "import", "-", text=json.dumps(unknown)).err


def test_the_same_host_id_on_both_is_reported_on_both_and_mended_by_another(cluster: Lab) -> None:
    wait_for_roles(cluster, "fw1")
    typed(cluster, "fw2", "gemel ha set --filter-host-id 1")
    for node in NODES:
        wait_for_complaint(cluster, node, "filter host ID 1")
    typed(cluster, "fw2", "gemel ha set --filter-host-id 2")
    wait_until_content(cluster)


def test_a_second_sync_target_is_refused_on_both_and_overwrites_nothing(cluster: Lab) -> None:
    wait_for_push(cluster)
    before = [json.dumps(cluster.cli_json(node, "rule", "list", "--running")["values"]) for node in NODES]
    answer = try_typing(
        cluster, "fw2", "ha", "set", "--synchronize-config-to", "172.16.1.2", "--username", "admin",
        "--password-stdin", "--areas", "all", text=f"{cluster.password}\n",
    )  # fmt: skip
    assert answer.exit_status == 0, answer
    typed(cluster, "fw1", "gemel alias add --name during --type host --entries 192.0.2.9\ngemel apply")
    for node in NODES:
        wait_for_complaint(cluster, node, "Synchronize Config to IP", "clear it on the secondary")
        cluster.wait(lambda node=node: status(cluster, node)["role_config"] == "conflict", f"{node} to see a conflict")
    assert not in_sync(cluster, "fw1") and not in_sync(cluster, "fw2")
    assert [json.dumps(cluster.cli_json(node, "rule", "list", "--running")["values"]) for node in NODES] == before
    assert "during" not in json.dumps(cluster.cli_json("fw2", "alias", "list")["values"])

    typed(cluster, "fw2", 'gemel ha set --synchronize-config-to ""')
    cluster.wait(lambda: in_sync(cluster, "fw1"), "the push, by itself", 40)
    assert "during" in json.dumps(cluster.cli_json("fw2", "alias", "list", "--running")["values"])
    wait_until_content(cluster)
    assert [status(cluster, node)["role_config"] for node in NODES] == ["primary", "secondary"]


def test_an_interface_that_means_another_network_on_each_is_refused_with_a_table(cluster: Lab) -> None:
    for name in ("dmz", "guest"):
        cluster.add_segment(name)
    wait_for_push(cluster)
    for node, device, address in (("fw2", "guest", "10.0.11.3/24"), ("fw1", "dmz", "10.0.10.2/24")):
        typed(cluster, node, f"""
            gemel interface assign {device}
            gemel interface set opt2 --enable --description {device.upper()} --ipv4 {address}
            gemel apply
        """)  # fmt: skip
    for node in NODES:
        wait_for_complaint(cluster, node, "the same interface does not mean the same network")
    error = status(cluster, "fw1")["config_sync"]["last_error"]
    row = next(line for line in error.splitlines() if "opt2" in line)
    assert "≠" in row and "DMZ (10.0.10.0/24)" in row and "GUEST (10.0.11.0/24)" in row, error
    assert not in_sync(cluster, "fw1")

    typed(cluster, "fw2", "gemel interface set opt2 --device dmz --description DMZ --ipv4 10.0.10.3/24\ngemel apply")
    cluster.wait(lambda: in_sync(cluster, "fw1"), "the push, by itself", 40)
    wait_until_content(cluster)


def wait_until_content(lab: Lab) -> None:
    for node in NODES:
        lab.wait(is_content(lab, node), f"{node} to be content", 20)
