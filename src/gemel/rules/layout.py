"""A list of rules laid out as chains of a table, so that the first rule that matches wins."""

from gemel.rules.addresses import Family
from gemel.rules.expressions import condition, quoted
from gemel.rules.ir import Rule
from gemel.rules.ruleset import Chain, Table
from gemel.rules.terms import Names, terms
from gemel.rules.verdicts import statements


def lay_out(table: Table, name: str, family: Family, rules: list[tuple[int, Rule]], names: Names) -> None:
    """Add chain `name` (and what it needs) for packets of one family; what no rule matches goes to `default_deny`."""
    lines = [
        f"{condition(term, family)}counter {statements(rule)} comment {quoted(rule.id)}"
        for rank, rule in rules
        for term in terms(rank, rule.match, family, names)
    ]
    table.chains[name] = Chain("", (*lines, "goto default_deny"))
