"""The token of Ray, which whoever looks at its dashboard has to have."""

from __future__ import annotations


def ray_token() -> str:
    """That of the cluster that this process is connected to; "" where it asks for none."""
    from ray._private.authentication.authentication_utils import is_token_auth_enabled
    from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]

    if not is_token_auth_enabled():
        return ""
    token: str = AuthenticationTokenLoader.instance().get_raw_token()
    return token
