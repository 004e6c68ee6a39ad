"""One-time codes (TOTP, RFC 6238: SHA-1, six digits, 30 seconds, as every app makes them) and recovery codes."""

import base64
import hmac
import secrets
from collections.abc import Iterable

import pyotp

from gemel.daemons.agent.remembered import digest

STEP = 30  # seconds
DRIFT = 1  # steps that a phone's clock may be off, either way
RECOVERY_CODES = 8


def new_secret() -> str:
    """160 bits in base32, as RFC 4226 §4 recommends."""
    return pyotp.random_base32()


def address(secret: str, username: str, node: str) -> str:
    """The ``otpauth:`` address for apps."""
    return pyotp.TOTP(secret).provisioning_uri(name=f"{username}@{node}", issuer_name="Gemel")


def step_of(secret: str, code: str, now: float, after: int) -> int | None:
    """The time step that the code is of, if it is later than `after`; None: it is wrong, or was used before.

    `now` is seconds since the epoch.
    """
    totp = pyotp.TOTP(secret)
    here = int(now) // STEP
    found, said = None, code.encode(errors="replace")
    for step in range(here - DRIFT, here + DRIFT + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), said) and step > after:
            found = step
    return found


def recovery_codes() -> tuple[str, ...]:
    """New ones, 80 random bits each: ``abcd-efgh-ijkl-mnop``."""
    made = (base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES))
    return tuple("-".join(code[i : i + 4] for i in range(0, 16, 4)) for code in made)


def recovery_hash(code: str) -> str:
    """What is kept of a recovery code, however it was typed."""
    return digest("".join(c for c in code.lower() if c.isalnum()))


def plain_code(code: str) -> str:
    """A one-time code without the blank that apps show in its middle."""
    return "".join(code.split())


def is_recovery(code: str, hashes: Iterable[str]) -> str | None:
    """The hash of a recovery code that is one of `hashes`."""
    said = recovery_hash(code)
    return next((h for h in hashes if hmac.compare_digest(h, said)), None)
