"""The steps hold what a person can type."""

import shlex

from gemel.lab.recipe import STEPS
from gemel.lab.topology import NODES


def lines(node: str) -> list[list[str]]:
    return [shlex.split(line) for s in STEPS for line in s.typed.get(node, "").strip().splitlines()]


def test_only_gemels_own_command_is_typed_and_each_line_is_one() -> None:
    assert {argv[0] for node in NODES for argv in lines(node)} == {"gemel"}
    assert not any(word == "gemel" for node in NODES for argv in lines(node) for word in argv[1:])


def test_the_secondary_is_given_no_more_than_the_recipe_gives_it() -> None:
    assert [argv[1:3] for argv in lines("fw2")] == [
        ["interface", "assign"], ["interface", "set"], ["apply"], ["rule", "add"], ["apply"], ["ha", "set"],
    ]


def test_the_primary_ends_with_nothing_pending() -> None:
    typed = lines("fw1")
    last = max(i for i, argv in enumerate(typed) if argv[1] == "apply")
    assert {argv[1] for argv in typed[last + 1 :]} == {"dhcp", "dns"}, "these two are applied at Save"
    assert sum(argv[1:3] == ["vip", "add"] for argv in lines("fw1")) == 2
