"""Nothing passes by magic: each direction of each synchronisation needs the receiver's own rule, and says so.

Rules are not among the areas that are synchronised here, so that each node keeps its own.
"""

import pytest

from gemel.lab.lab import Lab
from gemel.lab.namespace import LabError
from gemel.lab.topology import NODES, other
from tests.lab.stories import complains, is_content, restart, status, typed, wait_for_complaint

pytestmark = pytest.mark.lab

PFSYNC = '--protocol pfsync --source "SYNC net" --destination any --description "Allow state synchronization"'
HTTPS = (
    '--protocol tcp --source "SYNC net" --destination "SYNC address" --destination-port HTTPS '
    '--description "Allow configuration synchronization"'
)


@pytest.fixture(scope="module")
def pair(blank_lab: Lab) -> Lab:
    """Both have the SYNC interface and synchronise, and no rule on it lets anything in."""
    for node, plan in NODES.items():
        typed(blank_lab, node, f"""
            gemel interface assign sync
            gemel interface set opt1 --enable --description SYNC --ipv4 {plan.sync}
            gemel apply
            gemel ha set --synchronize-states --synchronize-interface opt1 --filter-host-id {plan.number} \
                --peer-ip {NODES[other(node)].sync.partition("/")[0]}
        """)  # fmt: skip
    typed(blank_lab, "fw1", """
        gemel ha set --synchronize-config-to 172.16.1.3 --username admin --password-stdin \
            --areas aliases,nat,virtual_ips,users
        gemel alias add --name first --type host --entries 192.0.2.1
        gemel apply
    """)  # fmt: skip
    return blank_lab


def aliases(lab: Lab, node: str) -> list[str]:
    return [a["name"] for a in lab.cli_json(node, "alias", "list", "--running")["values"]["items"]]


def sending(lab: Lab, node: str) -> str:
    return str(status(lab, node)["state_sync"]["sending"])


def receiving(lab: Lab, node: str) -> str:
    return str(status(lab, node)["state_sync"]["receiving"])


def add_rule(lab: Lab, node: str, rule: str) -> None:
    typed(lab, node, f"gemel rule add opt1 --top --action pass {rule}\ngemel apply")


def delete_rule(lab: Lab, node: str, protocol: str) -> None:
    listed = lab.cli_json(node, "rule", "list", "opt1", "--running")["values"]["items"]
    rule = next(r["id"] for r in listed if r["protocol"] == protocol)
    typed(lab, node, f"gemel rule delete {rule}\ngemel apply")


def wait_for_states(lab: Lab, receiver: str) -> None:
    """Until a state that the sender has arrives at the receiver."""
    sender = other(receiver)

    def arrived() -> bool:
        # A state as of a flow through the sender, between networks that are not its own.
        lab.exec(sender, "conntrack", "-I", "-p", "udp", "-s", "203.0.113.7", "-d", "203.0.113.8", "--sport", "9",
                 "--dport", str(NODES[sender].number), "-t", "60", check=False)  # fmt: skip
        return knows(lab, receiver, sender)

    lab.wait(arrived, f"a state of {sender} at {receiver}", 20)


def knows(lab: Lab, node: str, creator: str) -> bool:
    """Whether the node has the state that was put into the creator's table by hand."""
    mine = ("-p", "udp", "-s", "203.0.113.7", "--dport", str(NODES[creator].number))
    return "203.0.113.8" in lab.exec(node, "conntrack", "-L", *mine, check=False)


def test_without_the_secondarys_rule_for_https_no_push_arrives_and_both_say_why(pair: Lab) -> None:
    wait_for_complaint(pair, "fw1", "configuration synchronisation", "172.16.1.3", "rule")
    assert status(pair, "fw1")["config_sync"]["last_error"]
    wait_for_complaint(pair, "fw2", "SYNC", "HTTPS", "rule")
    assert aliases(pair, "fw2") == [] and status(pair, "fw2")["config_sync"]["peer"] is None


def test_with_the_rule_the_push_starts_by_itself(pair: Lab) -> None:
    add_rule(pair, "fw2", HTTPS)
    pair.wait(lambda: aliases(pair, "fw2") == ["first"], "the push", 20)
    pair.wait(lambda: status(pair, "fw1")["config_sync"]["last_error"] is None, "fw1 to be content with it")
    assert not complains(pair, "fw2", "HTTPS")()


def test_without_rules_for_pfsync_no_states_arrive_at_either_node(pair: Lab) -> None:
    for node in NODES:
        pair.wait(lambda node=node: "rule for pfsync" in receiving(pair, node), f"{node} to say what is missing", 20)
        pair.wait(lambda node=node: "the peer's rule for pfsync" in sending(pair, node), f"{node} to say it", 20)
        wait_for_complaint(pair, node, "pfsync")
        assert status(pair, node)["state_sync"]["status"] == "connecting"


def test_with_the_primarys_rule_states_arrive_there_and_only_there(pair: Lab) -> None:
    add_rule(pair, "fw1", PFSYNC)
    wait_for_states(pair, "fw1")
    with pytest.raises(LabError):
        pair.wait(lambda: knows(pair, "fw2", "fw1"), "a state where none may arrive", 2)
    assert one_way(pair, into="fw1")


def test_with_the_secondarys_rule_too_they_arrive_at_both(pair: Lab) -> None:
    add_rule(pair, "fw2", PFSYNC)
    for node in NODES:
        wait_for_states(pair, node)
        pair.wait(is_content(pair, node), f"{node} to be content", 20)
        assert status(pair, node)["state_sync"]["status"] == "in sync"


def test_without_the_primarys_rule_they_arrive_only_at_the_secondary(pair: Lab) -> None:
    delete_rule(pair, "fw1", "pfsync")
    restart(pair, "fw2", "flowd")  # an open connection has a state, and is let in until it ends
    wait_for_states(pair, "fw2")
    pair.wait(lambda: one_way(pair, into="fw2"), "both to say it", 20)
    add_rule(pair, "fw1", PFSYNC)
    wait_for_states(pair, "fw1")
    for node in NODES:
        pair.wait(is_content(pair, node), f"{node} to be content", 20)


def one_way(lab: Lab, into: str) -> bool:
    """Both nodes say that states flow into one of them only, and which rule is missing."""
    blocked = other(into)
    return (
        receiving(lab, into).startswith("receiving from")
        and sending(lab, blocked).startswith("sending to")
        and "this node's own rule for pfsync" in receiving(lab, blocked)
        and "the peer's rule for pfsync" in sending(lab, into)
        and complains(lab, blocked, "this node's own rule for pfsync")()
        and complains(lab, into, "the peer's rule for pfsync")()
        and {status(lab, node)["state_sync"]["status"] for node in NODES} == {"one way"}
    )


def test_a_push_stops_again_when_the_secondary_takes_its_rule_away(pair: Lab) -> None:
    delete_rule(pair, "fw2", "tcp")
    wait_for_complaint(pair, "fw2", "SYNC", "HTTPS", "rule")
    typed(pair, "fw1", "gemel alias add --name second --type host --entries 192.0.2.2\ngemel apply")
    wait_for_complaint(pair, "fw1", "configuration synchronisation", "rule")
    assert aliases(pair, "fw2") == ["first"]
    add_rule(pair, "fw2", HTTPS)
    pair.wait(lambda: aliases(pair, "fw2") == ["first", "second"], "the push", 25)
    for node in NODES:
        pair.wait(is_content(pair, node), f"{node} to be content", 20)
