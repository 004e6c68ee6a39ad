"""Who asks: logins, sessions and passwords."""

from dataclasses import dataclass

from gemel.control.door import Question


@dataclass(frozen=True, slots=True)
class Session:
    """What a login gives: valid for `seconds` after each use."""

    token: str
    username: str
    privileges: tuple[str, ...]
    seconds: int


@dataclass(frozen=True, slots=True)
class Login(Question[Session]):
    """Trade name and password for a session. Refused in one form of words, whatever was wrong."""

    username: str
    password: str
    remote: str = ""
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
    """Give an account a new password (its own, or with all privileges anybody's). Applied at once."""

    username: str
    password: str
    token: str = ""
    answer_shape = None
