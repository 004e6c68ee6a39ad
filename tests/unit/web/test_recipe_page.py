"""Help: the recipe is there, and every page leads to the step that speaks of it."""

import re
from pathlib import Path

import pytest

from gemel.web.menu import addresses
from gemel.web.recipe import PLACE, STEPS, recipe, slug, step_of
from tests.unit.web.browser import logged_in, node


def test_every_step_that_is_linked_is_in_the_recipe() -> None:
    assert {anchor for _, anchor in STEPS} <= set(recipe().steps)


@pytest.mark.parametrize(
    ("address", "step"),
    [
        ("/", "Pull the power"),
        ("/interfaces/opt1", "Setup Sync Interface"),
        ("/firewall/rules?if=opt1", "Add Firewall Rules for Synchronization"),
        ("/firewall/nat/port-forward/new", "Other NAT Concerns"),
        ("/system/high-availability", "Configure pfsync"),
        ("/status/dhcp-leases", "Setup DHCP"),
        ("/services/dhcp-mappings?if=lan", "Setup DHCP"),
        ("/system/users", "Configuring a high availability cluster"),
    ],
)
def test_a_page_leads_to_its_step(address: str, step: str) -> None:
    assert step_of(address)[1] == step


def test_the_recipe_is_a_page_with_anchors_and_without_scripts(tmp_path: Path) -> None:
    _, application = node(tmp_path)
    browser = logged_in(application)
    page = browser.get(PLACE)
    assert page.status == 200
    for anchor, heading in recipe().steps.items():
        assert f'id="{anchor}"' in page.text and heading in page.words
    assert "<table>" in page.text
    for address in addresses():
        assert f'href="{step_of(address)[0]}"' in browser.get(address).text, address


def test_pictures_are_those_of_the_recipe_alone(tmp_path: Path) -> None:
    _, application = node(tmp_path)
    browser = logged_in(application)
    for name in ("nothing.png", "..%2Frecipe.md", "recipe.md"):
        assert browser.get(f"/help/pictures/{name}").status == 404


def test_anchors_are_made_as_forges_make_them() -> None:
    assert slug("VPNs and Other Services (2)!") == "vpns-and-other-services-2"


def test_every_picture_of_the_recipe_is_there(tmp_path: Path) -> None:
    browser = logged_in(node(tmp_path)[1])
    pictures = re.findall(r'<img src="(/help/pictures/[^"]+)"', browser.get("/help/recipe").text)
    assert pictures
    for address in pictures:
        page = browser.get(address)
        assert page.status == 200 and page.headers["content-type"] == "image/png", address
