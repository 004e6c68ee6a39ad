"""Somebody at a browser, who goes by what pages show: menus, tabs, labels, the words of options and buttons.

Debian's own Chromium, without a screen. What a page must not do, however it looks, is written down as it happens:
complaints on the console, faults of scripts, and requests to any other host than the node's (`Admin.complaints`).
"""

import contextlib
import copy
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Request,
    Response,
    TimeoutError,
    sync_playwright,
)

from tests.lab.png import small

CHROMIUM = "/usr/bin/chromium"
PATIENCE = 15.0  # seconds for a page, or for what it shall show in the end
WIDTH, HEIGHT = 1120, 600

SCREENSHOTS = "SCREENSHOTS"
"""The environment variable that names a folder for screenshots; without it there are none."""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The browser. Each `Admin` has cookies of their own in it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


class Admin:
    """Somebody with a page of one node open."""

    def __init__(self, browser: Browser, address: str, width: int = WIDTH, dark: bool = False) -> None:
        self.address = address
        self._host = urlsplit(address).netloc
        self._context = browser.new_context(
            ignore_https_errors=True, viewport={"width": width, "height": HEIGHT}, reduced_motion="reduce",
            color_scheme="dark" if dark else "light",
        )  # fmt: skip
        self._context.set_default_timeout(PATIENCE * 1000)
        self.complaints: list[str] = []
        self.loads: list[str] = []
        self._context.on("console", self._said)
        self._context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self._context.on("request", self._requested)
        self._context.on("response", self._answered)
        self.page = self._context.new_page()

    def another_page(self) -> "Admin":
        """The same session in a second page."""
        other = copy.copy(self)
        other.page = self._context.new_page()
        other.page.goto(self.address)
        return other

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _requested(self, request: Request) -> None:
        if urlsplit(request.url).scheme not in ("data", "blob") and urlsplit(request.url).netloc != self._host:
            self.complaints.append(f"asked another host: {request.url}")
        if request.is_navigation_request():
            self.loads.append(request.url)

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.request.method} {response.url}")

    # -- getting somewhere ------------------------------------------------------------------------------------------

    def log_in(self, password: str, username: str = "admin") -> "Admin":
        """Through the door."""
        self.page.goto(self.address)
        self.enter("Username", username)
        self.enter("Password", password)
        self.press("Log In")
        self.page.get_by_role("navigation", name="Main").wait_for()
        return self

    def go(self, menu: str, entry: str, tab: str = "") -> "Admin":
        """By the menus, and to a tab of the page."""
        bar = self.page.get_by_role("navigation", name="Main")
        bar.get_by_role("button", name=menu, exact=True).click()
        links, buttons = (bar.get_by_role(role, name=entry, exact=True) for role in ("link", "button"))
        with self.page.expect_navigation():
            links.or_(buttons).click()
        if tab:
            self.tab(tab)
        return self

    def tab(self, name: str) -> None:
        """A tab of the page; a number of items may stand beside its name."""
        tabs = self.page.get_by_role("main").get_by_role("navigation")
        with self.page.expect_navigation():
            tabs.get_by_role("link").filter(has_text=name).first.click()

    def close(self) -> None:
        self._context.close()

    # -- forms ------------------------------------------------------------------------------------------------------

    def field(self, label: str) -> Locator:
        """The field with this label, and no other."""
        return self.page.get_by_label(label, exact=True).locator("visible=true")

    def enter(self, label: str, text: str) -> None:
        self.field(label).fill(text)

    def choose(self, label: str, option: str) -> None:
        """An option of a drop-down, by its words."""
        self.field(label).select_option(label=option)

    def check(self, *labels: str) -> None:
        """Boxes, and choices of which one holds."""
        for label in labels:
            self.field(label).check()

    def press(self, name: str) -> None:
        """A button, or a link that looks like one."""
        buttons = self.page.get_by_role("button", name=name, exact=True)
        links = self.page.get_by_role("link", name=name, exact=True)
        buttons.or_(links).first.click()

    def save(self) -> None:
        """Save, where the page must then ask for Apply Changes."""
        self.press("Save")
        self.sees("The changes must be applied for them to take effect.")

    def apply(self) -> None:
        """Apply Changes, until the page says that they have been applied."""
        self.press("Apply Changes")
        self.sees("The changes have been applied")

    # -- looking ----------------------------------------------------------------------------------------------------

    def sees(self, text: str) -> None:
        """Wait until that text stands on the page.

        Raises:
            AssertionError: it does not.
        """
        try:
            self.page.get_by_text(text).locator("visible=true").first.wait_for()
        except TimeoutError:
            raise AssertionError(f"{text!r} is not on the page: {self.page.inner_text('main')}") from None

    def table(self) -> list[list[str]]:
        """The cells of the first table's rows, as they are read, each as one line."""
        rows = self.page.locator("main table").first.locator("tbody tr")
        return [[" ".join(t.split()) for t in r.locator("td").all_inner_texts()] for r in rows.all()]

    def column(self, heading: str) -> list[str]:
        """A column of the first table, from the top; none where there is no such column."""
        heads = [" ".join(h.split()) for h in self.page.locator("main table").first.locator("th").all_inner_texts()]
        found = [n for n, h in enumerate(heads) if h.lower() == heading.lower()]
        return [row[found[0]] for row in self.table() if len(row) == len(heads)] if found else []

    def wait(self, until: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
        """Look again and again, on the open page.

        Raises:
            AssertionError: in vain.
        """
        end = time.monotonic() + patience
        while not until():
            assert time.monotonic() < end, f"{patience:.0f} s in vain for {what}: {self.page.inner_text('main')}"
            self.page.wait_for_timeout(50)

    def screenshot(self, name: str, whole: bool = True) -> None:
        """NAME.png in the folder that `SCREENSHOTS` names, if it names one."""
        if folder := os.environ.get(SCREENSHOTS):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.mouse.move(0, 0)
            taken = self.page.screenshot(full_page=whole, animations="disabled")
            (Path(folder) / f"{name}.png").write_bytes(small(taken))
