"""Who may look: whoever has the token of Ray, or of this server, in a cookie or a header.

A link opens the door once. What follows its ``#`` is a key that no browser sends along and no log
sees; the page at the link hands it over, and gets the cookie that Ray itself sets after its own
question for the token.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.live.addresses import OPEN

RAY_COOKIE = "ray-authentication-token"
OWN_COOKIE = "rangefinder-token"
KEY_HEADER = "X-Rangefinder-Key"
_HEADERS = ("Authorization", "X-Ray-Authorization")  # as Ray takes it
_MONTH = 30 * 24 * 3600  # as long as Ray's own cookie lasts


@dataclass(frozen=True)
class Door:
    """``token`` is "" where everybody may look, as in a Ray without tokens. ``key`` opens for who
    has no cookie yet; without one only the token does."""

    token: str
    cookie: str = RAY_COOKIE
    key: str = ""

    @classmethod
    def own(cls) -> Door:
        """Of a server without Ray."""
        return cls(secrets.token_urlsafe(32), OWN_COOKIE, secrets.token_urlsafe(16))

    def admits(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
        """Whether a request with these comes from somebody who has the token."""
        if not self.token:
            return True
        shown = [headers.get(name, "").removeprefix("Bearer ") for name in _HEADERS]
        return any(_same(token, self.token) for token in (*shown, cookies.get(self.cookie, "")))

    def opens_with(self, key: str) -> bool:
        """Whether ``key`` is that of the link."""
        return bool(self.key) and _same(key, self.key)

    def set_cookie(self) -> str:
        """The header that hands the token to a browser, which hides it from all pages."""
        rest = f"Max-Age={_MONTH}; Path=/; HttpOnly; SameSite=Strict"
        return f"{self.cookie}={self.token}; {rest}"

    def link(self, address: str) -> str:
        """What opens with one click, for the server at ``address``."""
        return f"{address}{OPEN}#{self.key}"


def _same(a: str, b: str) -> bool:
    return hmac.compare_digest(a.encode(), b.encode())
