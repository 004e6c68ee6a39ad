"""A person's own account, the first password, second factors, and API keys."""

from dataclasses import dataclass

from gemel.control.agent.session import Session
from gemel.control.door import Question

KEY_PREFIX = "gemel_"
"""What API keys begin with, so that they are told from sessions, and found where they have been left lying about."""


@dataclass(frozen=True, slots=True)
class SetupCodeGiven:
    """The code and how many seconds it is good for."""

    code: str
    seconds: int


@dataclass(frozen=True, slots=True)
class SetupCode(Question[SetupCodeGiven]):
    """Make a code with which the first visitor of the pages sets the admin's password. Root only; a new one ends the
    old one; refused once the admin has a password."""

    answer_shape = SetupCodeGiven


@dataclass(frozen=True, slots=True)
class AskSetup(Question[bool]):
    """Whether the admin has no password yet. Anybody may ask."""

    answer_shape = bool


@dataclass(frozen=True, slots=True)
class SetUp(Question[Session]):
    """Trade the code from the console for the admin's first password, and a session of his."""

    code: str
    password: str
    remote: str = ""
    answer_shape = Session


@dataclass(frozen=True, slots=True)
class LoginCode(Question[Session]):
    """The second step of a login: its ticket and a one-time code, or one of the recovery codes."""

    ticket: str
    code: str
    remote: str = ""
    answer_shape = Session


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """The account that asks. `recovery_codes` are left to use on this node."""

    username: str
    second_factor: bool
    recovery_codes: int


@dataclass(frozen=True, slots=True)
class AskAccount(Question[OwnAccount]):
    """For the page of one's own account."""

    token: str = ""
    answer_shape = OwnAccount


@dataclass(frozen=True, slots=True)
class ChangePassword(Question[None]):
    """Give one's own account a new password, knowing the old one. Applied at once; all its sessions end."""

    old: str
    password: str
    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class TotpSecret:
    """What an app that makes one-time codes needs: the secret in base32, and the same as ``otpauth:`` address."""

    secret: str
    address: str


@dataclass(frozen=True, slots=True)
class StartTotp(Question[TotpSecret]):
    """Begin to enrol one's own account for one-time codes (RFC 6238). Nothing changes before `ConfirmTotp`."""

    password: str
    token: str = ""
    answer_shape = TotpSecret


@dataclass(frozen=True, slots=True)
class RecoveryCodes:
    """Each opens the account once on each node, in place of a one-time code. Shown this once."""

    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfirmTotp(Question[RecoveryCodes]):
    """A code made with the new secret: from now on each login needs one. Applied at once."""

    code: str
    token: str = ""
    answer_shape = RecoveryCodes


@dataclass(frozen=True, slots=True)
class EndTotp(Question[None]):
    """One's own account needs no one-time codes any more. Applied at once."""

    password: str
    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class ResetTotp(Question[None]):
    """Some account needs no one-time codes any more: for who has lost phone and recovery codes. Applied at once."""

    username: str
    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class KeyShown:
    """An API key without its secret. `expires` is a date or empty; `last_use` epoch on this node, None: never;
    `wrong` says why it opens nothing, empty where it does."""

    id: str
    name: str
    username: str
    privilege: str
    expires: str
    last_use: float | None
    wrong: str


@dataclass(frozen=True, slots=True)
class Keys(Question[tuple[KeyShown, ...]]):
    """All API keys."""

    token: str = ""
    answer_shape = tuple[KeyShown, ...]


@dataclass(frozen=True, slots=True)
class KeyMade:
    """A new API key: `key` is shown this once, only its hash is kept."""

    id: str
    key: str


@dataclass(frozen=True, slots=True)
class MakeKey(Question[KeyMade]):
    """Make an API key that acts for an account (empty: the one that asks), with at most that account's rights.
    `expires` is the last day on which it is good (2027-01-31), empty: no end. Applied at once."""

    name: str
    privilege: str = "read-only"
    expires: str = ""
    username: str = ""
    token: str = ""
    answer_shape = KeyMade


@dataclass(frozen=True, slots=True)
class RevokeKey(Question[None]):
    """End an API key, by its id or name. Applied at once."""

    key: str
    token: str = ""
    answer_shape = None
