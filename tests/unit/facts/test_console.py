"""What stands on the text console."""

import pytest

from gemel.facts.console import COLUMNS, CONSOLE, ConsoleView, differs, lines, prompt, text_for_getty
from tests.unit.facts.node import node_status, vhid

WAN6 = "2001:db8::2/64"
PORTS = [
    {"id": "wan", "title": "WAN", "device": "eth0", "enabled": True, "ipv4": "198.51.100.201/24", "ipv6": WAN6},
    {"id": "lan", "title": "LAN", "device": "eth1", "enabled": True, "ipv4": "192.168.1.2/24", "ipv6": ""},
    {"id": "opt1", "title": "SYNC", "device": "eth2", "enabled": False, "ipv4": "172.16.1.2/24", "ipv6": ""},
]  # fmt: skip
FINGERPRINT = ":".join(f"{n:02X}" for n in range(32))


def view(fingerprint: str = FINGERPRINT, **changes: object) -> ConsoleView:
    status = {**node_status(), "web_address": "https://192.168.1.2", **changes}
    return CONSOLE.read({"status": status, "interfaces": PORTS, "fingerprint": fingerprint}, {})


def test_it_names_the_node_its_addresses_its_roles_and_its_pages() -> None:
    text = "\n".join(lines(view()))
    assert text.splitlines()[0] == "Gemel node fw1 (primary), revision 7"
    for words in (
        "  WAN   eth0  198.51.100.201/24, 2001:db8::2/64",
        "  LAN   eth1  192.168.1.2/24",
        "  SYNC  eth2  (disabled)",
        "  WAN@200  MASTER  192.0.2.1",
        "  LAN@1    MASTER  192.0.2.1",
        "  GUI  https://192.168.1.2",
        "  No problems.",
    ):
        assert words in text.splitlines()
    assert "".join(text.split("SHA-256")[1].split("\n\n")[0].split()) == FINGERPRINT[:47] + FINGERPRINT[48:]
    assert all(len(line) <= COLUMNS for line in text.splitlines())


def test_the_gravest_problems_stand_there_and_the_others_are_counted() -> None:
    long = "the peer is silent " * 10
    shown = lines(view(problems=[long, "two", "three", "four", "five", "six"], maintenance=True))
    text = "\n".join(shown)
    assert "(primary, in maintenance mode)" in shown[0]
    assert "  ! two" in shown and "  ! four" in shown and "five" not in text
    assert shown[-1] == "  and 2 more: `gemel status`"
    assert max(map(len, shown)) <= COLUMNS and " ".join(long.split()) in " ".join(text.split())


def test_many_virtual_ips_leave_room_for_the_rest() -> None:
    shown = lines(view(carp=[vhid("lan", n, "BACKUP") for n in range(1, 41)]))
    assert len(shown) <= 24 and "  and 32 more: `gemel status`" in shown


def test_a_node_that_has_nothing_yet() -> None:
    status = {**node_status(carp=[]), "web_address": ""}
    bare = CONSOLE.read({"status": status, "interfaces": [], "fingerprint": ""}, {})
    heading, nothing = "Gemel node fw1 (primary), revision 7", "  No interface is assigned."
    assert lines(bare) == [heading, "", nothing, "", "  No problems."]
    assert "SHA-256" not in "\n".join(lines(view(fingerprint="")))


def test_what_others_said_cannot_drive_the_terminal() -> None:
    shown = lines(view(problems=["peer \x1b[2J\x07says \\n"]))
    assert "  ! peer ?[2J?says \\n" in shown
    text = text_for_getty(view(problems=["peer \x1b[2J\x07says \\n"]))
    assert "peer ?[2J?says \\\\n" in text, "agetty would take \\n for the host name"
    assert "gemel console" in text and text.endswith("\n\n")


@pytest.mark.parametrize(
    ("changes", "news"),
    [
        ({}, False),
        ({"problems": ["nothing heard for 12 s"]}, True),
        ({"carp": [vhid("wan", 200, "BACKUP")]}, True),
        ({"web_address": "https://192.168.1.20"}, True),
    ],
)
def test_what_is_worth_a_new_prompt(changes: dict[str, object], news: bool) -> None:
    assert differs(view(), view(**changes)) is news


def test_figures_that_count_on_are_no_news() -> None:
    assert not differs(view(problems=["silent for 12 s"]), view(problems=["silent for 13 s"]))
    assert differs(None, view()) and differs(view(), view(fingerprint="00:11"))


def test_a_prompt_names_the_node_and_its_role() -> None:
    assert prompt(view()) == "fw1 MASTER"
    both = node_status()["carp"]
    apart = [{**both[0], "state": "BACKUP"}, *both[1:]]
    assert prompt(view(carp=apart, maintenance=True)) == "fw1 MASTER/BACKUP, maintenance"
    assert prompt(view(carp=[])) == "fw1"
    assert prompt(view(node="fw\x1b[1")) == "fw?[1 MASTER"
