"""Who may look: a request needs the token of Ray, or of this server, in a cookie or a header.

A browser without the cookie opens a link first. The part after its ``#`` is a key, which a browser
does not send with the address and no log sees. The page at the link sends the key in a header, and
gets the cookie that Ray itself sets after it has asked for the token.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.live.addresses import OPEN

RAY_COOKIE = "ray-authentication-token"
KEY_HEADER = "X-Rangefinder-Key"
_HEADERS = ("Authorization", "X-Ray-Authorization")  # in which Ray accepts it
_MONTH = 30 * 24 * 3600  # as long as Ray's own cookie lasts


@dataclass(frozen=True)
class Door:
    """``token`` is "" if everybody may look, as in a Ray without tokens. ``key`` admits a browser
    that has no cookie yet; if the key is "", only the token does."""

    token: str
    cookie: str = RAY_COOKIE
    key: str = ""

    @classmethod
    def own(cls, port: int) -> Door:
        """The door of a server without Ray at ``port``."""
        return cls(secrets.token_urlsafe(32), own_cookie(port), secrets.token_urlsafe(16))

    def admits(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
        """Whether a request with these headers and cookies has the token."""
        if not self.token:
            return True
        shown = [headers.get(name, "").removeprefix("Bearer ") for name in _HEADERS]
        return any(_same(token, self.token) for token in (*shown, cookies.get(self.cookie, "")))

    def opens_with(self, key: str) -> bool:
        """Whether ``key`` is that of the link."""
        return bool(self.key) and _same(key, self.key)

    def set_cookie(self) -> str:
        """The header that gives the token to a browser. No script in a page can read the cookie."""
        rest = f"Max-Age={_MONTH}; Path=/; HttpOnly; SameSite=Strict"
        return f"{self.cookie}={self.token}; {rest}"

    def link(self, address: str) -> str:
        """The link that opens the server at ``address`` with one click."""
        return f"{address}{OPEN}#{self.key}"


def own_cookie(port: int | str) -> str:
    """The name of the cookie of a server at ``port``: all ports of a host share their cookies."""
    return f"rangefinder-token-{port}"


def _same(a: str, b: str) -> bool:
    return hmac.compare_digest(a.encode(), b.encode())
