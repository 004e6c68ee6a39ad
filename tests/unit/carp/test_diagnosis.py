"""Another password, or another address set: told apart, and named."""

import pytest

from gemel.carp.diagnosis import explain_digest
from gemel.carp.wire import Advert, Seal

from .world import PASSWORD, vhid

OURS = ("198.51.100.200", "198.51.100.205")


def explained(theirs, password=PASSWORD, known=(), ours=OURS):
    advert = Advert(1, 1, 0, 99, Seal(password, 1, theirs).digest(99))
    return explain_digest(vhid(addresses=ours), advert, known)


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (["198.51.100.200"], "other address set (the sender has not 198.51.100.205)"),
        ([*OURS, "198.51.100.9"], "other address set (the sender also has 198.51.100.9)"),
        (["198.51.100.200", "198.51.100.206"],
         "other address set (the sender has 198.51.100.206 instead of 198.51.100.205)"),
        ([], "other address set (the sender has not 198.51.100.200, 198.51.100.205)"),
    ],
)  # fmt: skip
def test_likely_mistakes_are_named(theirs, said):
    assert explained(theirs) == said


def test_addresses_from_elsewhere_are_tried_too():
    assert explained([*OURS, "10.1.2.3"]) == "another password"
    assert "also has 10.1.2.3" in explained([*OURS, "10.1.2.3"], known=["10.1.2.3"])


def test_another_password_is_what_remains():
    assert explained(OURS, password="Secret") == "another password"


def test_many_addresses_cost_a_bounded_search():
    many = tuple(f"10.{n}.0.1" for n in range(120))
    assert explained(many[:-1], ours=many) == "other address set (the sender has not 10.119.0.1)"
    assert explained(many, password="other", ours=many) == "another password"
