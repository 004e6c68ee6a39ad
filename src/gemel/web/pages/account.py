"""One's own account: password and second factor."""

import segno
from markupsafe import Markup
from starlette.responses import Response

from gemel.control.agent import AskAccount, ChangePassword, ConfirmTotp, EndTotp, StartTotp
from gemel.control.door import Refused
from gemel.web.form import NOTHING_WRONG, Wrong
from gemel.web.pages.area import refused
from gemel.web.visit import Page, Visit

PASSWORD, SECOND_FACTOR = "/account/password", "/account/second-factor"
TABS = (("Password", PASSWORD), ("Second Factor", SECOND_FACTOR))


def password(visit: Visit) -> Response:
    """Change one's own password."""
    wrong = NOTHING_WRONG
    if visit.method == "POST":
        entered = visit.form.get("password")
        if entered != visit.form.get("password-again"):
            wrong = Wrong({"password": ["the two entries differ"]}, [])
        else:
            try:
                visit.ask(ChangePassword(visit.form.get("old"), entered))
            except Refused as no:
                wrong = refused(no, "", ("old", "password"))
            else:
                return visit.go("/login")
    return visit.show("password.html", wrong=wrong, page_tabs=TABS)


def second_factor(visit: Visit) -> Response:
    """One-time codes for one's own account: set up in two steps, and ended again. Each step needs the password or a
    code, so that nobody at an unlocked desk does it."""
    if visit.method == "GET":
        return _shown(visit)
    try:
        match visit.form.get("do"):
            case "start":
                secret = visit.ask(StartTotp(visit.form.get("password")))
                return _enrolling(visit, secret.secret, secret.address)
            case "confirm":
                codes = visit.ask(ConfirmTotp(visit.form.get("code"))).codes
                return visit.show("recovery_codes.html", codes=codes, page_tabs=TABS)
            case "end":
                visit.ask(EndTotp(visit.form.get("password")))
                return visit.go(SECOND_FACTOR, "The second factor is off: the password alone opens this account.")
    except Refused as no:
        wrong = refused(no, "", ("password", "code"))
        if visit.form.get("do") == "confirm" and "code" in wrong.fields:
            return _enrolling(visit, visit.form.get("secret"), visit.form.get("address"), wrong)
        return _shown(visit, wrong)
    return visit.go(SECOND_FACTOR)


def _shown(visit: Visit, wrong: Wrong = NOTHING_WRONG) -> Response:
    own = visit.ask(AskAccount())
    area = "admin" if own.username == "admin" else "users"
    return visit.show(
        "second_factor.html", own=own, wrong=wrong, page_tabs=TABS,
        overwritten=area in visit.frame.overwritten,
    )  # fmt: skip


def _enrolling(visit: Visit, secret: str, address: str, wrong: Wrong = NOTHING_WRONG) -> Response:
    groups = " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))
    return visit.show(
        "second_factor_new.html", secret=secret, groups=groups, address=address,
        picture=drawn(address), wrong=wrong, page_tabs=TABS,
    )  # fmt: skip


def drawn(address: str) -> Markup:
    """A QR code as SVG, drawn here: no picture and no style from anywhere."""
    code = segno.make(address[:500] or " ", error="m", boost_error=False)
    return Markup(code.svg_inline(scale=5, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr"))


PAGES = (Page(PASSWORD, password), Page(SECOND_FACTOR, second_factor))
