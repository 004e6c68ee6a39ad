"""What two introductions tell."""

from dataclasses import replace

from gemel.control.peer import Fault
from gemel.sync.meeting import findings, interface_table
from gemel.sync.messages import Introduction, Network
from tests.unit.sync.world import NETWORKS

MINE = Introduction("fw1", "0.1", 1, 7, True, "1", NETWORKS)
THEIRS = Introduction("fw2", "0.1", 1, 3, False, "2", NETWORKS)


def faults(mine: dict[str, Network], theirs: dict[str, Network]) -> list[int]:
    return [f.fault for f in findings(replace(MINE, interfaces=mine), replace(THEIRS, interfaces=theirs))]


def test_alike_nodes_have_nothing_to_tell() -> None:
    assert findings(MINE, THEIRS) == []


def test_networks_decide_where_both_are_known() -> None:
    assert faults({"opt1": Network("SYNC", "10.0.0.0/24")}, {"opt1": Network("HEARTBEAT", "10.0.0.0/24")}) == []
    assert faults({"opt1": Network("SYNC", "10.0.0.0/24")}, {"opt1": Network("SYNC", "10.0.1.0/24")}) == [
        Fault.DIFFERENT_INTERFACES
    ]


def test_one_family_that_differs_is_enough() -> None:
    mine, theirs = Network("A", "10.0.0.0/24", "fd00::/64"), Network("A", "10.0.0.0/24", "fd01::/64")
    assert faults({"lan": mine}, {"lan": theirs}) == [Fault.DIFFERENT_INTERFACES]


def test_descriptions_decide_where_no_network_can_be_compared() -> None:
    assert faults({"opt1": Network("DMZ", "10.0.0.0/24")}, {"opt1": Network("sync")}) == [Fault.DIFFERENT_INTERFACES]
    assert faults({"wan": Network("WAN", "10.0.0.0/24")}, {"wan": Network("wan", None, "fd00::/64")}) == []


def test_an_interface_that_only_one_node_has_is_left_to_the_check() -> None:
    more = {**NETWORKS, "opt2": Network("DMZ", "10.0.0.0/24")}
    assert faults(more, NETWORKS) == [] and faults(NETWORKS, more) == []


def test_the_table_is_in_order_and_marks_what_differs() -> None:
    many = {f"opt{n}": Network(f"N{n}", f"10.0.{n}.0/24") for n in (10, 2, 1)} | NETWORKS
    fewer = {**many, "opt2": Network("N3", "10.0.3.0/24")}
    del fewer["opt10"]
    table = interface_table(replace(MINE, interfaces=many), replace(THEIRS, interfaces=fewer)).splitlines()
    assert [line[1:].split()[0] for line in table] == ["interface", "wan", "lan", "opt1", "opt2", "opt10"]
    assert [line for line in table if line.startswith("≠")] == [table[4]]
    assert table[5].endswith("not assigned")


def test_the_worst_comes_first() -> None:
    theirs = replace(
        THEIRS, config_version=0, has_target=True, host_id="1", interfaces={"wan": Network("X", "10.0.0.0/8")}
    )
    assert [f.fault for f in findings(MINE, theirs)] == [
        Fault.DIFFERENT_VERSION,
        Fault.CONFLICT,
        Fault.DIFFERENT_INTERFACES,
        0,
    ]


def test_a_newer_receiver_takes_what_an_older_node_sends_and_says_so() -> None:
    [finding] = findings(MINE, replace(THEIRS, config_version=2, software="0.2"))
    assert finding.fault == 0
    assert "fw1 runs Gemel 0.1 (configuration version 1), fw2 runs 0.2 (configuration version 2)" in finding.text

    [other_protocol] = findings(MINE, replace(THEIRS, config_version=2, protocol=9))
    assert other_protocol.fault == Fault.DIFFERENT_VERSION


def test_no_host_id_on_either_side_is_no_clash() -> None:
    assert findings(replace(MINE, host_id=None), replace(THEIRS, host_id=None)) == []
