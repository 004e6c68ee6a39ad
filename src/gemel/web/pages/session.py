"""Logging in and out, and the choice of light or dark."""

from starlette.responses import RedirectResponse, Response

from gemel.control.agent import NO_SESSION, Login, Logout, LogoutEverywhere, SetPassword
from gemel.control.door import Refused
from gemel.web.form import NOTHING_WRONG, Wrong
from gemel.web.pages.area import refused
from gemel.web.security import forget_session, is_local, set_session
from gemel.web.visit import Page, Visit


def login(visit: Visit) -> Response:
    """Trade name and password for a session, and go where one wanted to."""
    wanted = visit.query.get("next", "/")
    back = wanted if is_local(wanted) and not wanted.startswith("/login") else "/"
    visit.token = ""
    if visit.method == "GET":
        return visit.show("login.html", wrong="", username="", back=back)
    username = visit.form.get("username").strip()
    try:
        session = visit.asked(Login(username, visit.form.get("password"), visit.remote))
    except Refused as no:
        return visit.show("login.html", 403, wrong=f"{str(no)[:1].upper()}{str(no)[1:]}.", username=username, back=back)
    response = RedirectResponse(back, 303)
    set_session(response, session.token)
    return response


def logout(visit: Visit) -> Response:
    """End this session, or with `everywhere` all of this account."""
    try:
        visit.ask(LogoutEverywhere() if "everywhere" in visit.form else Logout(""))
    except Refused as no:  # a session that is over is as good as ended
        if NO_SESSION not in {p.get("path") for p in no.problems}:
            raise
    response = RedirectResponse("/login", 303)
    forget_session(response)
    return response


def password(visit: Visit) -> Response:
    """Change one's own password."""
    wrong = NOTHING_WRONG
    if visit.method == "POST":
        entered = visit.form.get("password")
        if entered != visit.form.get("password-again"):
            wrong = Wrong({"password": ["the two entries differ"]}, [])
        else:
            try:
                visit.ask(SetPassword(visit.frame.username, entered))
            except Refused as no:
                wrong = refused(no, "", ("password",))
            else:
                return visit.go("/login")
    return visit.show("password.html", wrong=wrong)


PAGES = (
    Page("/login", login, session=False),
    Page("/logout", logout, methods=("POST",)),
    Page("/account/password", password),
)
