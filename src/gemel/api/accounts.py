"""Coming in, one's own account, and API keys."""

from typing import Annotated, Any

from fastapi import FastAPI, Path
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from gemel.api import replies
from gemel.api.asking import Asker, SessionOf, answered
from gemel.api.replies import errors
from gemel.control import agent
from gemel.control.door import Ask, Refused

PUBLIC = ("/login", "/setup")
"""What can be asked without a session."""

Word = Annotated[str, Field(max_length=200)]
Password = Annotated[str, Field(max_length=1000)]
KeyId = Annotated[str, Path(description="Id or name of the key.", max_length=60)]


class Login(BaseModel):
    """Whose session is asked for; `code`: the one-time code, where the account has a second factor."""

    username: Word
    password: Password
    code: Word = ""


class NewPassword(BaseModel):
    """Whose password, and which."""

    username: Word
    password: Password


class Session(BaseModel):
    """A session: its token is sent as ``Authorization: Bearer TOKEN``; valid for `seconds` after each use."""

    token: str
    username: str
    privileges: list[str]
    seconds: int


class Setup(BaseModel):
    """Whether the admin has no password yet, and `POST /setup` gives him one."""

    needed: bool


class First(BaseModel):
    """The code of ``gemel setup-code`` on the node's console, and the admin's password to be."""

    code: Word
    password: Password


class Account(BaseModel):
    """One's own account; `recovery_codes` are left to use on this node."""

    username: str
    second_factor: bool
    recovery_codes: int


class Change(BaseModel):
    """One's own password: the old one, and the new one."""

    old: Password
    password: Password


class Proof(BaseModel):
    """One's own password, to prove that it is really oneself."""

    password: Password


class Totp(BaseModel):
    """For an app that makes one-time codes: the secret in base32, and the same as ``otpauth:`` address."""

    secret: str
    address: str


class Code(BaseModel):
    """The code that the app shows now."""

    code: Word


class Recovery(BaseModel):
    """Each is good once in place of a one-time code. Shown this once."""

    codes: list[str]


class Whose(BaseModel):
    """An account, by its name."""

    username: Word


class Key(BaseModel):
    """An API key. `last_use` epoch on this node, null: never; `wrong` says why it opens nothing, empty: it does."""

    id: str
    name: str
    username: str
    privilege: str
    expires: str
    last_use: float | None
    wrong: str


class WantedKey(BaseModel):
    """A key that acts for an account (empty: the one that asks), with at most its rights. `privilege`: read-only or
    all; `expires`: the last day on which it is good, such as 2027-01-31, empty: no end."""

    name: Word
    privilege: Word = "read-only"
    expires: Word = ""
    username: Word = ""


class KeyMade(BaseModel):
    """The key itself, shown this once: send it as ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``."""

    id: str
    key: str


def add(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    """Give the application these routes."""
    _add_ways_in(api, ask, session_of)
    _add_own(api, ask, session_of)
    _add_second_factor(api, ask, session_of)
    _add_keys(api, ask, session_of)


def _remote(request: Request) -> str:
    return request.client.host if request.client else ""


def _no_session(no: Refused) -> Refused:
    """A refused login is a 401, with the problems that say why."""
    return Refused(str(no), [*no.problems, {"path": agent.NO_SESSION, "text": str(no), "level": "error"}])


def _add_ways_in(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    @api.post(
        "/login", tags=["Session"], operation_id="login", response_model=None,
        responses={200: {"model": Session}, **errors(422)},
        summary="Trade name and password for a session.",
        description="401 with a problem at `code`: the account has a second factor, send its `code`, too.",
    )  # fmt: skip
    async def login(request: Request, given: Login) -> Response:
        def work(to: Asker) -> dict[str, Any]:
            try:
                made = to(agent.Login(given.username, given.password, _remote(request), given.code))
            except Refused as no:
                raise _no_session(no) from None
            if not made.token:
                text = "this account has a second factor: send its one-time code as well"
                raise _no_session(Refused(text, [{"path": "code", "text": text, "level": "error"}]))
            return _session(made)

        return await answered(ask, "", work, public=True)

    @api.get("/setup", tags=["Session"], operation_id="get_setup", response_model=None,
             responses={200: {"model": Setup}, **errors()},
             summary="Does the admin still need a first password?")  # fmt: skip
    async def get_setup(request: Request) -> Response:
        return await answered(ask, "", lambda to: {"needed": to(agent.AskSetup())}, public=True)

    @api.post("/setup", tags=["Session"], operation_id="set_up", response_model=None,
              responses={200: {"model": Session}, **errors(409, 422)},
              summary="Set the admin's first password, with a code from the console.")  # fmt: skip
    async def set_up(request: Request, first: First) -> Response:
        asked = agent.SetUp(first.code, first.password, _remote(request))
        return await answered(ask, "", lambda to: _session(to(asked)), public=True)

    @api.post("/logout", tags=["Session"], operation_id="logout", response_model=None, status_code=204,
              responses=errors(), summary="End this session.")  # fmt: skip
    async def logout(request: Request) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.Logout(to.token)))

    @api.post("/logout-everywhere", tags=["Session"], operation_id="logout_everywhere", response_model=None,
              status_code=204, responses=errors(), summary="End all sessions of the account that asks.")  # fmt: skip
    async def logout_everywhere(request: Request) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.LogoutEverywhere(to.token)))


def _session(made: agent.Session) -> dict[str, Any]:
    return {"token": made.token, "username": made.username, "privileges": made.privileges, "seconds": made.seconds}


def _add_own(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    @api.get("/account", tags=["Account"], operation_id="account", response_model=None,
             responses={200: {"model": Account}, **errors()}, summary="One's own account.")  # fmt: skip
    async def account(request: Request) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.AskAccount(to.token)))

    @api.post("/account/password", tags=["Account"], operation_id="change_password", response_model=None,
              status_code=204, responses=errors(409, 422),
              summary="Change one's own password; all sessions of the account end.")  # fmt: skip
    async def change_password(request: Request, change: Change) -> Response:
        asked = agent.ChangePassword(change.old, change.password, session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))

    @api.post("/password", tags=["Account"], operation_id="password", response_model=None, status_code=204,
              responses=errors(409, 422), summary="Give any account a new password; its sessions end.")  # fmt: skip
    async def password(request: Request, given: NewPassword) -> Response:
        asked = agent.SetPassword(given.username, given.password, session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))


def _add_second_factor(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    @api.post("/account/totp", tags=["Account"], operation_id="start_totp", response_model=None,
              responses={200: {"model": Totp}, **errors(409, 422)},
              summary="Begin to set up one-time codes for one's own account.")  # fmt: skip
    async def start(request: Request, proof: Proof) -> Response:
        asked = agent.StartTotp(proof.password, session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))

    @api.post("/account/totp/confirm", tags=["Account"], operation_id="confirm_totp", response_model=None,
              responses={200: {"model": Recovery}, **errors(409, 422)},
              summary="Prove that the app makes the right codes: from now on each login needs one.")  # fmt: skip
    async def confirm(request: Request, code: Code) -> Response:
        asked = agent.ConfirmTotp(code.code, session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))

    @api.post("/account/totp/end", tags=["Account"], operation_id="end_totp", response_model=None, status_code=204,
              responses=errors(409, 422), summary="One's own account needs no codes any more.")  # fmt: skip
    async def end(request: Request, proof: Proof) -> Response:
        asked = agent.EndTotp(proof.password, session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))

    @api.post("/totp-reset", tags=["Account"], operation_id="reset_totp", response_model=None, status_code=204,
              responses=errors(409, 422),
              summary="Some account needs no codes any more: for who has lost them.")  # fmt: skip
    async def reset(request: Request, whose: Whose) -> Response:
        asked = agent.ResetTotp(whose.username, session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))


def _add_keys(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    @api.get("/keys", tags=["API Keys"], operation_id="keys", response_model=None,
             responses={200: {"model": list[Key]}, **errors()},
             summary="All API keys, without their secrets.")  # fmt: skip
    async def keys(request: Request) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.Keys(to.token)))

    @api.post("/keys", tags=["API Keys"], operation_id="make_key", response_model=None,
              responses={200: {"model": KeyMade}, **errors(409, 422)},
              summary="Make an API key. It is shown this once.")  # fmt: skip
    async def make(request: Request, wanted: WantedKey) -> Response:
        asked = agent.MakeKey(**wanted.model_dump(), token=session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))

    @api.delete("/keys/{key}", tags=["API Keys"], operation_id="revoke_key", response_model=None, status_code=204,
                responses=errors(404, 409, 422), summary="Revoke an API key, at once.")  # fmt: skip
    async def revoke(request: Request, key: KeyId) -> Response:
        def work(to: Asker) -> None:
            known = {word for k in to(agent.Keys(to.token)) for word in (k.id, k.name)}
            if key not in known:
                raise replies.NotThere(f"there is no API key {key!r}")
            to(agent.RevokeKey(key, to.token))

        return await answered(ask, session_of(request), work)
