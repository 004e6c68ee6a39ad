"""Who asks: logins, sessions and passwords."""

from dataclasses import dataclass

from gemel.control.door import Question


@dataclass(frozen=True, slots=True)
class Session:
    """What a login gives: valid for `seconds` after each use. With an empty token the account needs a one-time code:
    `LoginCode` takes it with the `ticket`."""

    token: str
    username: str
    privileges: tuple[str, ...]
    seconds: int
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class Login(Question[Session]):
    """Trade name and password, and where there is a second factor its code, for a session. Refused in one form of
    words, whatever was wrong."""

    username: str
    password: str
    remote: str = ""
    code: str = ""
    answer_shape = Session


@dataclass(frozen=True, slots=True)
class Logout(Question[None]):
    """End this session."""

    token: str
    answer_shape = None


@dataclass(frozen=True, slots=True)
class LogoutEverywhere(Question[None]):
    """End all sessions of the account that asks."""

    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class SetPassword(Question[None]):
    """Give any account a new password: root, and who has all privileges. Applied at once; its sessions end."""

    username: str
    password: str
    token: str = ""
    answer_shape = None
