"""The recipe, which comes with the product: read from docs/recipe.md, shown at /help/recipe, linked from every page."""

import functools
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

PLACE = "/help/recipe"
PICTURES = "/help/pictures"
DOCS = Path(__file__).parent / "docs"  # links to the documents of the project, so that they are packed with the pages

STEPS = (
    ("/interfaces", "setup-sync-interface"),
    ("/firewall/rules", "add-firewall-rules-for-synchronization"),
    ("/firewall/virtual-ips", "add-carp-vips"),
    ("/firewall/nat/outbound", "setup-outbound-nat"),
    ("/firewall/nat", "other-nat-concerns"),
    ("/system/high-availability", "configure-pfsync"),
    ("/services/dhcp", "setup-dhcp"),
    ("/services/dhcp-mappings", "setup-dhcp"),
    ("/status/dhcp-leases", "setup-dhcp"),
    ("/services", "vpns-and-other-services"),
    ("/status/carp", "check-carp-and-state-synchronization-status"),
    ("/status/state-synchronization", "check-carp-and-state-synchronization-status"),
    ("/diagnostics/states", "check-carp-and-state-synchronization-status"),
    ("/", "pull-the-power"),
)
"""Beginning of a page's address -> the step that speaks of it; the first that fits. `/` is the Dashboard alone."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The text as HTML, its title, and its steps: anchor -> heading, in their order."""

    title: str
    text: Markup
    steps: dict[str, str]


@functools.cache
def recipe() -> Recipe:
    """The recipe; made once."""
    source = (DOCS / "recipe.md").read_text()
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(source)
    title, steps = "", dict[str, str]()
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open" and opening.tag == "h1":
            title = title or content.content
        elif opening.type == "heading_open":
            anchor = slug(content.content)
            opening.attrSet("id", anchor)
            if opening.tag == "h2":
                steps[anchor] = content.content
        for inline in content.children or ():
            if inline.type == "image":
                inline.attrSet("src", f"{PICTURES}/{Path(str(inline.attrGet('src'))).name}")
                inline.attrSet("loading", "lazy")
    # The title is the page's own.
    body = [t for i, t in enumerate(tokens) if not any(o.tag == "h1" for o in tokens[max(0, i - 2) : i + 1])]
    return Recipe(title, Markup(markdown.renderer.render(body, markdown.options, {})), steps)


def slug(heading: str) -> str:
    """A heading as an anchor, as code forges make it."""
    kept = (c for c in heading.lower() if c.isalnum() or c in " -_")
    return "".join(kept).strip().replace(" ", "-")


def step_of(address: str) -> tuple[str, str]:
    """Where the help for a page is, and the words of that step; the beginning if no step speaks of the page."""
    path = address.partition("?")[0]
    steps = recipe().steps
    for beginning, anchor in STEPS:
        fits = path == "/" if beginning == "/" else path == beginning or path.startswith(f"{beginning}/")
        if fits and anchor in steps:
            return f"{PLACE}#{anchor}", steps[anchor]
    return PLACE, recipe().title
