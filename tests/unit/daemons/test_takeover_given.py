"""What `gemel setup` is told beforehand, by a file and by flags."""

import pytest

from gemel.core.problem import Invalid
from gemel.daemons.takeover.given import given, ports


def test_flags_stand_above_the_file():
    said = given("wan: eth0\nlan: eth1\nother: [eth2=SYNC, eth3]\npassword: '01234567'\n", lan="eth9", other=None)
    assert (said.wan, said.lan, said.password) == ("eth0", "eth9", "01234567")
    assert ports(said) == (("eth2", "SYNC"), ("eth3", ""))
    assert ports(given("other: [a]", other=["b=C"])) == (("b", "C"),)


def test_no_further_ports_is_not_the_same_as_nothing_said():
    assert ports(given("other: []")) == ()
    assert ports(given("other:\n")) is None
    assert ports(given("")) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("other: eth2", "other: must be a list, such as [eth2=SYNC]"),
        ("other: [1]", "other[0]: must be text"),
        ("password: 01234567", "password: must be text: put it in quotes"),
        ("wan: yes", "wan: must be text"),
        ("wann: eth0", "wann: there is no such field"),
        ("- eth0", "must say hostname, wan"),
        ("a: b: c", "this is no YAML"),
    ],
)
def test_what_is_of_another_type_is_refused_at_its_field(text, said):
    with pytest.raises(Invalid) as refusal:
        given(text)
    assert str(refusal.value).startswith(said)
