"""Problems age out, and strangers cannot fill the memory."""

from gemel.carp.ledger import MOST_PROBLEMS, Ledger


def test_a_problem_lasts_until_it_has_stopped():
    ledger = Ledger()
    ledger.complain("a", "it is so", now=0, until=10)
    assert ledger.knows("a", 9)
    ledger.keep("a", 15)
    assert ledger.problems(14) == ("it is so",)
    assert ledger.problems(15) == ()
    assert not ledger.knows("a", 15)


def test_problems_are_bounded_and_old_ones_make_room():
    ledger = Ledger()
    for n in range(MOST_PROBLEMS + 50):
        ledger.complain(n, f"{n}", now=0, until=10)
    assert len(ledger.problems(1)) == MOST_PROBLEMS
    ledger.complain("new", "new", now=11, until=20)
    assert ledger.problems(11) == ("new",)


def test_new_settings_forget_all():
    ledger = Ledger()
    ledger.complain("a", "it is so", now=0, until=10)
    ledger.forget_problems()
    assert ledger.problems(1) == ()
