"""How every page looks: reached from the menus, at three widths, light and dark, without data and with 1,000 rules.

Nothing runs out of the window, nothing complains, nothing is asked of another host, axe-core finds no serious fault. If
the environment variable SCREENSHOTS names a folder, pictures of all pages are put there for people to look at.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from gemel.lab.lab import Lab
from tests.lab.browser import Admin, chromium

pytestmark = pytest.mark.lab

WIDTHS = (390, 1280, 2560)
AXE = {("light", 1280): {}, ("dark", 390): {"runOnly": ["color-contrast"]}}
"""Theme and width -> what axe-core is asked there: all of it, and once more what other colours can spoil."""
SERIOUS = ("serious", "critical")
RULES = 1000
FORMS = (
    "/firewall/rules/new?if=lan", "/firewall/rules/separators/new?if=lan", "/firewall/aliases/new",
    "/firewall/nat/port-forward/new", "/firewall/nat/outbound/new", "/firewall/virtual-ips/new", "/interfaces/lan",
    "/vlans/new", "/bonds/new", "/bridges/new",
    "/system/routing/gateways/new", "/system/users/new", "/account/password", "/changes", "/help/recipe",
)  # fmt: skip


@pytest.fixture(scope="module")
def looking(cluster: Lab) -> Iterator[dict[str, Admin]]:
    with chromium() as browser:
        themes = {"light": False, "dark": True}
        address = cluster.web("fw1")
        yield {n: Admin(browser, address, dark=dark).log_in(cluster.password) for n, dark in themes.items()}


def fill(lab: Lab) -> None:
    """Many rules on WAN, some separators, an alias with more entries than a list shows, and something pending."""
    config = lab.cli_json("fw1", "export")
    words = ("pass", "block", "reject")
    lines = [
        {
            "id": f"r{i}", "interface": "wan", "action": words[i % 3], "disabled": i % 7 == 0, "log": i % 5 == 0,
            "protocol": "tcp", "source": f"198.18.{i >> 8}.{i & 255}", "destination": "any",
            "destination_port": str(1 + i), "description": f"Rule number {i} of a long list with words in it",
        }
        for i in range(RULES)
    ]  # fmt: skip
    separators = [
        {"id": f"s{i}", "group": "wan", "title": f"What begins at {i}", "color": color, "above": f"r{i}"}
        for i, color in zip(range(1, 40, 10), ("blue", "green", "orange", "red"), strict=True)
    ]
    areas = config["areas"]
    areas["rules"] = {"items": [*areas["rules"]["items"], *lines], "separators": separators}
    entries = [f"203.0.113.{i}" for i in range(200)]
    areas["aliases"]["items"].append({"id": "many", "name": "many_hosts", "entries": entries})
    lab.exec("fw1", "sh", "-c", "cat > /tmp/full.json && gemel import /tmp/full.json", text=json.dumps(config))


def menus(admin: Admin) -> list[str]:
    """Every page that the menus lead to."""
    admin.page.goto(admin.address)
    return _links(admin, "#menus a[href^='/']")


def tabs(admin: Admin) -> list[str]:
    """The tabs of the open page."""
    return _links(admin, "main nav[aria-label=Tabs] a[href^='/'], main nav[aria-label=Interfaces] a")


def _links(admin: Admin, selector: str) -> list[str]:
    found = admin.page.eval_on_selector_all(selector, "them => them.map(a => a.getAttribute('href'))")
    return [str(address) for address in found]


def faults(admin: Admin, address: str, data: str, theme: str) -> list[str]:
    """What is wrong with a page."""
    found = []
    admin.page.goto(admin.address + address)
    for width in WIDTHS:
        admin.page.set_viewport_size({"width": width, "height": 900})
        beyond = admin.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if beyond > 0:
            found.append(f"{address} at {width}: {beyond} px beyond the window: {_widest(admin)}")
        page = address.strip("/").replace("/", "-").partition("?")[0] or "dashboard"
        admin.screenshot(f"{data}-{theme}-{page}-{width}")
        if (theme, width) in AXE and not (data == "full" and theme == "dark"):
            found += [f"{address} at {width}: {fault}" for fault in accessibility(admin, AXE[theme, width])]
    found += [f"{address}: {complaint}" for complaint in admin.complaints]
    admin.complaints.clear()
    return found


def accessibility(admin: Admin, asked: dict[str, Any]) -> list[str]:
    """What axe-core calls serious or worse."""
    result: Any = Axe().run(admin.page, options={"resultTypes": ["violations"], **asked})
    return [
        f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:160]} ({len(v['nodes'])})"
        for v in result.response["violations"]
        if v["impact"] in SERIOUS
    ]


def _widest(admin: Admin) -> str:
    """What reaches beyond the window, for whoever mends it."""
    return str(admin.page.evaluate("""() => {
        const wide = document.documentElement.clientWidth;
        const out = [...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > wide + 1);
        return out.slice(0, 3).map((e) => `${e.tagName}.${e.className}`).join(" ");
    }"""))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_looks_well_with_no_data(looking: dict[str, Admin], theme: str) -> None:
    admin = looking[theme]
    waiting, seen, wrong = [*menus(admin), *FORMS], set[str](), list[str]()
    while waiting:
        address = waiting.pop()
        if address not in seen:
            seen.add(address)
            wrong += faults(admin, address, "empty", theme)
            waiting += tabs(admin)
    assert len(seen) > 40
    assert not wrong, "\n".join(wrong)


def test_long_lists_and_pending_changes_look_well(cluster: Lab, looking: dict[str, Admin]) -> None:
    fill(cluster)
    cluster.cli("fw1", "rule", "set", "r3", "--description", "changed and not applied")
    pages = (
        "/firewall/rules?if=wan", "/firewall/rules?if=wan&page=7", "/firewall/rules?if=wan&q=number+99",
        "/firewall/rules/r3", "/firewall/rules/separators/s1?if=wan", "/firewall/aliases", "/firewall/aliases/many",
        "/changes", "/system/history",
    )  # fmt: skip
    wrong = [
        fault
        for theme, admin in looking.items()
        for address in pages
        for fault in faults(admin, address, "full", theme)
    ]
    assert not wrong, "\n".join(wrong)
