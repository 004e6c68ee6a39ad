"""System > User Manager: accounts, their second factors, and API keys."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from gemel.areas.users import USERS
from gemel.control.agent import Keys, List, MakeKey, ResetTotp, RevokeKey
from gemel.control.door import Refused
from gemel.web.form import NOTHING_WRONG, Wrong, is_set
from gemel.web.menu import TABS, place, title
from gemel.web.pages.area import AreaPages, refused
from gemel.web.visit import Page, Visit

KEYS = place("api_keys")
PRIVILEGES = (("read-only", "Read only"), ("all", "Everything"))


class UserPages(AreaPages):
    """Hand-made: whether an account has a second factor, and its reset."""

    list_template = "users.html"
    form_template = "user.html"

    def beside_form(self, visit: Visit, values: Mapping[str, Any]) -> dict[str, Any]:
        return {"second_factor": is_set(values.get("totp"))}

    def edit(self, visit: Visit) -> Response:
        if visit.method != "POST" or visit.form.get("do") != "reset-totp":
            return super().edit(visit)
        found = visit.ask(List(self.area.name, ids=(visit.path["item"],), limit=1, running=True)).items
        if not found:
            return visit.go(self.address)
        name = str(found[0]["name"])
        visit.ask(ResetTotp(name))
        return visit.go(visit.address, f"{name} needs no one-time codes any more.")


def keys(visit: Visit) -> Response:
    """The list of API keys; a POST makes one, which is shown this once, or revokes one."""
    if visit.method == "GET":
        return _keys(visit)
    verb, _, key = visit.form.get("do").partition(":")
    try:
        if verb == "revoke":
            visit.ask(RevokeKey(key))
            return visit.go(KEYS, "The key has been revoked: it opens nothing any more.")
        form = visit.form
        asked = MakeKey(form.get("name").strip(), form.get("privilege"), form.get("expires"), form.get("account"))
        made = visit.ask(asked)
    except Refused as no:
        return _keys(visit, refused(_renamed(no), "api_keys", ("name", "privilege", "expires", "account")))
    return visit.show("key_made.html", key=made.key, name=asked.name, **_around())


def _renamed(no: Refused) -> Refused:
    """The agent says `username` for what the form calls account."""
    problems = [{**p, "path": "account" if p.get("path") == "username" else p.get("path")} for p in no.problems]
    return Refused(str(no), problems)


def _keys(visit: Visit, wrong: Wrong = NOTHING_WRONG) -> Response:
    listed = visit.ask(List(USERS.name, limit=1000, running=True, brief=True)).items
    accounts = ["admin", *(str(u["name"]) for u in listed)]
    return visit.show(
        "keys.html", keys=visit.ask(Keys()), wrong=wrong, accounts=accounts,
        privileges=PRIVILEGES, form=visit.form, **_around(),
    )  # fmt: skip


def _around() -> dict[str, Any]:
    return {"path": title("api_keys", "API Keys"), "page_tabs": TABS["api_keys"]}


PAGES = UserPages(USERS)
KEY_PAGES = (Page(KEYS, keys),)
