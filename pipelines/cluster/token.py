"""Ray's token, which is needed to open its dashboard."""

from __future__ import annotations


def ray_token() -> str:
    """The token of the cluster that this process is connected to; "" if it needs none."""
    from ray._private.authentication.authentication_utils import is_token_auth_enabled
    from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]

    if not is_token_auth_enabled():
        return ""
    token: str = AuthenticationTokenLoader.instance().get_raw_token()
    return token
