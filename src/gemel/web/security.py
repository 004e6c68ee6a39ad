"""What keeps a browser's session to its owner: cookie, CSRF token, and the headers of every answer. Pure."""

import hashlib
import hmac
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from gemel.control.agent import KEY_PREFIX

COOKIE = "__Host-gemel"
"""The prefix makes browsers insist on Secure, on the whole path, and on no other host (RFC 6265bis §4.1.3.2)."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

TOKEN_FIELD = "csrf"
TOKEN_HEADER = "x-csrf-token"
KEY_HEADER = "x-api-key"
WATCHING_HEADER = "x-gemel-watching"
"""Set by scripts that load parts of a page again without a person: no reason to keep a session open."""


def csrf_token(session: str) -> str:
    """The token that a session's own pages know: it follows from the session's, which no other site can read."""
    return hashlib.sha256(b"gemel csrf " + session.encode()).hexdigest()


def is_csrf_token(session: str, said: str) -> bool:
    """Whether `said` is the session's token; takes as long whatever it is."""
    return hmac.compare_digest(csrf_token(session).encode(), said.encode())


def same_site(headers: Mapping[str, str]) -> bool:
    """Whether a POST comes from a page of this very host, as far as the browser says (names in lower case)."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin", "")
    return not origin or origin == f"https://{headers.get('host', '')}"


def set_session(response: Response, token: str) -> None:
    """Hand the browser its session. Without expiry: it ends with the browser, or when the agent says so."""
    response.set_cookie(COOKIE, token, path="/", secure=True, httponly=True, samesite="strict")


def forget_session(response: Response) -> None:
    """Take it away again."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")


def guarded(response: Response, store: bool = False) -> Response:
    """With the headers that every answer has. Pages are not kept anywhere (`store`: files may be)."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if not store:
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def cookie_session(request: Request) -> str:
    """The session in our cookie. An API key is none: browsers send cookies by themselves, keys are sent on purpose."""
    token = request.cookies.get(COOKIE, "")
    return "" if token.startswith(KEY_PREFIX) else token


def session_of(request: Request) -> str:
    """The session of a request that is no page's: a token or an API key as Bearer, an API key in its own header, or our
    cookie together with the CSRF token.

    Empty where there is none, or where a change might have come from another site.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    if key := request.headers.get(KEY_HEADER, "").strip():
        return key if key.startswith(KEY_PREFIX) else ""
    token = cookie_session(request)
    if request.method in ("GET", "HEAD"):
        return token
    ours = same_site(request.headers) and is_csrf_token(token, request.headers.get(TOKEN_HEADER, ""))
    return token if token and ours else ""


def is_local(address: str) -> bool:
    """Whether this is a path on this very site, to go to after the log-in, and not a way out of it."""
    return address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
