"""What every template can use: icons, addresses of files, the CSRF field, menus, words of options."""

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from gemel import __version__
from gemel.web.files import Files
from gemel.web.form import endpoint_parts, masked_parts, port_parts
from gemel.web.menu import menus, tab_of
from gemel.web.recipe import step_of
from gemel.web.security import TOKEN_FIELD
from gemel.web.words import option_word


def furniture(files: Files) -> Mapping[str, Any]:
    """The globals of the templates."""
    sprite = files.address("vendor/icons.svg")

    @functools.lru_cache(maxsize=4096)  # hundreds on a list, most of them the same few
    def icon(name: str, label: str = "", extra: str = "") -> Markup:
        """An icon; without a label it is decoration, which screen readers skip."""
        told = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
        return Markup('<svg class="icon {}" {}><use href="{}#{}"></use></svg>').format(extra, told, sprite, name)

    @pass_context
    def csrf(context: Context) -> Markup:
        return Markup('<input type="hidden" name="{}" value="{}">').format(TOKEN_FIELD, context["csrf_value"])

    return {
        "icon": icon, "file": files.address, "csrf": csrf, "menus": menus, "option_word": option_word,
        "version": __version__, "endpoint_parts": endpoint_parts, "port_parts": port_parts,
        "masked_parts": masked_parts, "moment": moment, "step_of": step_of, "tab_of": tab_of, "lines": "\n".join,
    }  # fmt: skip


def moment(when: float, machine: bool = False) -> str:
    """A time of day as people read it (the node's own zone), or with `machine` as scripts do."""
    if machine:
        return datetime.fromtimestamp(when, UTC).isoformat()
    return datetime.fromtimestamp(when).astimezone().strftime("%Y-%m-%d %H:%M:%S")
