"""Labs for the tests: one per module, taken down afterwards, and also when the tests are killed.

`bare_lab` is only built, `blank_lab` has answered its first-boot questions, `cluster` has been through the recipe
without its DHCP and DNS, `serving_cluster` through all of it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gemel.lab import recipe
from gemel.lab.lab import Lab


@contextmanager
def a_lab(first_boot: bool) -> Iterator[Lab]:
    if os.geteuid():
        pytest.skip("needs root")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    lab = Lab(f"t{os.getpid()}{worker[2:]}"[:12])
    lab.up(first_boot=first_boot, owner=os.getpid())
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="module")
def bare_lab() -> Iterator[Lab]:
    with a_lab(first_boot=False) as lab:
        yield lab


@pytest.fixture(scope="module")
def blank_lab() -> Iterator[Lab]:
    with a_lab(first_boot=True) as lab:
        yield lab


@pytest.fixture(scope="module")
def cluster() -> Iterator[Lab]:
    with a_lab(first_boot=True) as lab:
        recipe.carry_out(lab, services=False)
        yield lab


@pytest.fixture(scope="module")
def serving_cluster() -> Iterator[Lab]:
    """With DHCP and DNS on the LAN VIP, too."""
    with a_lab(first_boot=True) as lab:
        recipe.carry_out(lab)
        yield lab
