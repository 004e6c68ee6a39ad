"""Coming in and going out: the first password, logging in in one step or two, logging out."""

from starlette.responses import RedirectResponse, Response

from gemel.control.agent import NO_SESSION, AskSetup, Login, LoginCode, Logout, LogoutEverywhere, Session, SetUp
from gemel.control.door import Refused
from gemel.web.form import NOTHING_WRONG, Wrong
from gemel.web.pages.area import refused
from gemel.web.security import forget_session, is_local, set_session
from gemel.web.visit import Page, Visit


def login(visit: Visit) -> Response:
    """Trade name and password, and where there is a second factor its code, for a session; go where one wanted to."""
    wanted = visit.query.get("next", "/")
    back = wanted if is_local(wanted) and not wanted.startswith(("/login", "/setup")) else "/"
    visit.token = ""
    if visit.method == "GET":
        if visit.asked(AskSetup()):
            return RedirectResponse("/setup", 303)
        return visit.show("login.html", wrong="", username="", back=back)
    if "ticket" in visit.form:
        return _second_step(visit, back)
    username = visit.form.get("username").strip()
    try:
        session = visit.asked(Login(username, visit.form.get("password"), visit.remote))
    except Refused as no:
        return visit.show("login.html", wrong=_sentence(no), username=username, back=back)
    if not session.token:
        return visit.show("login_code.html", wrong="", username=session.username, ticket=session.ticket, back=back)
    return _let_in(session, back)


def _second_step(visit: Visit, back: str) -> Response:
    ticket, username = visit.form.get("ticket"), visit.form.get("username")
    try:
        session = visit.asked(LoginCode(ticket, visit.form.get("code"), visit.remote))
    except Refused as no:
        if NO_SESSION in {p.get("path") for p in no.problems}:  # from the beginning
            return visit.show("login.html", wrong=_sentence(no), username=username, back=back)
        return visit.show("login_code.html", wrong=_sentence(no), username=username, ticket=ticket, back=back)
    return _let_in(session, back)


def _let_in(session: Session, back: str) -> Response:
    response = RedirectResponse(back, 303)
    set_session(response, session.token)
    return response


def _sentence(no: Refused) -> str:
    return f"{str(no)[:1].upper()}{str(no)[1:]}."


def setup(visit: Visit) -> Response:
    """The admin's first password, for who can read a code on the node's console. Gone once there is a password."""
    visit.token = ""
    if not visit.asked(AskSetup()):
        return RedirectResponse("/login", 303)
    wrong = NOTHING_WRONG
    if visit.method == "POST":
        entered = visit.form.get("password")
        if entered != visit.form.get("password-again"):
            wrong = Wrong({"password": ["the two entries differ"]}, [])
        else:
            try:
                return _let_in(visit.asked(SetUp(visit.form.get("code"), entered, visit.remote)), "/")
            except Refused as no:
                wrong = refused(no, "", ("code", "password"))
    return visit.show("setup.html", wrong=wrong, code=visit.form.get("code"))


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


PAGES = (
    Page("/login", login, session=False),
    Page("/setup", setup, session=False),
    Page("/logout", logout, methods=("POST",)),
)
