"""Deltas are small, and numbers of rules stay. That a delta leads where a full load leads is tested in the lab."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemel.rules.addresses import parse_range
from gemel.rules.delta import delta
from gemel.rules.ir import Action, Alias, Interface, Match, Policy, Rule, addresses, ports
from gemel.rules.nft import compile
from gemel.rules.ranks import GAP, Ranks
from gemel.rules.ruleset import Chain, Collection, Ruleset, Table
from tests.unit.rules.strategies import ALIASES, long_list, policies

LONG = long_list(1000, 4)
NEW = Rule("new", Match(4, frozenset({6}), addresses("10.1.1.1"), None, None, ports(8443)), Action.PASS)


def lan(rules: tuple[Rule, ...], aliases: tuple[Alias, ...] = ()) -> Policy:
    return Policy((Interface("lan", "lan", rules),), aliases=aliases)


def test_nothing_changed_is_nothing_to_do() -> None:
    old = compile(lan(LONG))
    assert delta(old, compile(lan(LONG), old)) == ""


def test_without_a_previous_ruleset_all_is_loaded() -> None:
    new = compile(lan(LONG))
    assert delta(None, new) == new.text()


def test_a_rule_added_anywhere_is_a_few_lines() -> None:
    old = compile(lan(LONG))
    for place in (0, 500, 1000):
        text = delta(old, compile(lan((*LONG[:place], NEW, *LONG[place:])), old))
        assert 'comment "new"' in text and len(text.splitlines()) < 30


def test_a_changed_action_is_one_element() -> None:
    plain = next(i for i, rule in enumerate(LONG) if not rule.log and rule.action is Action.PASS)
    old = compile(lan(LONG))
    changed = replace(LONG[plain], action=Action.BLOCK)
    text = delta(old, compile(lan((*LONG[:plain], changed, *LONG[plain + 1 :])), old))
    rank = old.ranks[f"if_lan/{changed.id}"]
    assert text.splitlines() == [
        f"delete element inet gemel if_lan_4_rules {{ {rank} }}",
        f'add element inet gemel if_lan_4_rules {{ {rank} comment "{changed.id}" : drop }}',
    ]


def test_a_refreshed_alias_touches_its_set_alone() -> None:
    before = Alias("names", (parse_range("10.0.0.1"), parse_range("10.0.0.9")), changing=True)
    after = replace(before, ranges=(parse_range("10.0.0.9"), parse_range("10.0.0.20")))
    rules = (*LONG, Rule("a", Match(4, None, addresses(aliases=("names",))), Action.PASS))
    old = compile(lan(rules, (before,)))
    assert delta(old, compile(lan(rules, (after,)), old)).splitlines() == [
        "delete element inet gemel a4_names { 10.0.0.1 }",
        "add element inet gemel a4_names { 10.0.0.20 }",
    ]


def test_what_refers_goes_before_what_it_refers_to() -> None:
    jumping = Collection("map", "type mark : verdict;", {"1": " : goto b"})
    old = Ruleset({"t": Table({"m": jumping}, {"a": Chain("", ("meta mark vmap @m",)), "b": Chain("", ("drop",))})})
    new = Ruleset({"t": Table({}, {"a": Chain("", ("accept",))})})
    lines = delta(old, new).splitlines()
    steps = ("flush chain inet t a", "delete map inet t m", "delete chain inet t b")
    assert [line for line in lines if line in steps] == list(steps)


def test_a_map_of_another_type_is_loaded_with_its_table() -> None:
    old = Ruleset({"t": Table({"m": Collection("set", "type mark;", {})})})
    new = Ruleset({"t": Table({"m": Collection("set", "type ipv4_addr;", {})})})
    assert delta(old, new) == new.text()
    assert delta(old, Ruleset({})) == "delete table inet t\n"


ids = st.lists(st.sampled_from("abcdefghijkl"), unique=True)


@given(ids, ids)
def test_numbers_rise_and_rules_that_did_not_move_keep_theirs(before: list[str], after: list[str]) -> None:
    first = Ranks({})
    had = dict(zip(before, first.of("l", before), strict=True))
    numbers = Ranks(first.numbers).of("l", after)
    assert all(low < high for low, high in zip([0, *numbers], numbers, strict=False))
    common = [rule for rule in after if rule in had]
    if common and common == [rule for rule in before if rule in after]:
        assert all(number == had[rule] for rule, number in zip(after, numbers, strict=True) if rule in had)


def test_a_full_gap_gives_all_new_numbers() -> None:
    ranks = Ranks({"l/a": 1, "l/b": 2})
    assert ranks.of("l", ["a", "x", "b"]) == [GAP, 2 * GAP, 3 * GAP]


def test_the_same_rule_twice_has_two_numbers() -> None:
    assert Ranks({}).of("l", ["a", "a"]) == [GAP, 2 * GAP]


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(policies(20), policies(20), st.booleans())
def test_what_is_taken_over_is_what_would_have_been_made(mine: Policy, theirs: Policy, refreshed: bool) -> None:
    old = compile(mine)
    first = replace(ALIASES[0], ranges=(parse_range("10.9.9.9"),))
    new = replace(mine, interfaces=(mine.interfaces[0], theirs.interfaces[1]))
    new = replace(new, aliases=(first, *ALIASES[1:])) if refreshed else new
    assert compile(new, old) == compile(new, replace(old, parts=None))
