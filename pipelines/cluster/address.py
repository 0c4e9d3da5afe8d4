"""Checks within seconds whether a Ray cluster answers at an address and accepts our token. Ray
itself would try for a minute, and would not say why it failed."""

from __future__ import annotations

import logging
import socket

import grpc
from ray._private.authentication.authentication_token_setup import (
    ensure_token_if_auth_enabled,
    maybe_enable_token_auth_if_token_available,
)
from ray._private.grpc_utils import init_grpc_channel
from ray.core.generated.gcs_service_pb2 import CheckAliveRequest
from ray.core.generated.gcs_service_pb2_grpc import NodeInfoGcsServiceStub
from ray.exceptions import AuthenticationError

PATIENCE = 5.0  # seconds for a host, and for Ray on it, to answer
_CLIENT = "ray://"
_JOBS = ("http://", "https://")
_TOKEN = (
    "give the cluster's token: copy ~/.ray/auth_token from where `ray up` was run, "
    "and set RAY_AUTH_MODE=token"
)


class ClusterError(ValueError):
    """The cluster asked for cannot be reached."""


class TokenError(ClusterError):
    """There is a cluster, but it does not accept our token."""


def knock(address: str, setting: str = "`address`") -> None:
    """Raises ``ClusterError`` if nothing listens at ``address``, if what listens is not Ray, if it
    is Ray's server for clients or for jobs, or if it refuses our token. Messages name the
    ``setting`` that gave the address."""
    if address.startswith(_JOBS):
        raise ClusterError(
            f"{setting} {address}: this is for `ray job`; use auto, local or HOST:PORT here"
        )
    if address.startswith(_CLIENT):
        raise ClusterError(
            f"{setting} {address}: Ray Client cannot run a search or a training: the driver must "
            "run on a node of the cluster; use `ray submit` or `ray job submit` (docs/cluster.md)"
        )
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdigit()):
        raise ClusterError(f"{setting} '{address}' is not auto, local or HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(f"no Ray cluster at {setting} {address}: {error}") from None
    use_token()
    _ask(address, setting)


def use_token() -> None:
    """Use the token on this machine, as Ray does by default.

    Raises ``TokenError`` if a token is needed and there is none.
    """
    logging.getLogger("ray._private.authentication").setLevel(logging.CRITICAL)
    try:
        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
        ensure_token_if_auth_enabled(None, create_token_if_missing=False)
    except (AuthenticationError, RuntimeError) as error:
        raise TokenError(f"no token for Ray: {str(error).partition('. ')[0]}: {_TOKEN}") from None


def _ask(address: str, setting: str) -> None:
    with init_grpc_channel(address) as channel:
        try:
            NodeInfoGcsServiceStub(channel).CheckAlive(CheckAliveRequest(), timeout=PATIENCE)
        except grpc.RpcError as error:
            code = error.code()
            if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
                raise TokenError(
                    f"the Ray cluster at {setting} {address} refuses the token: {_TOKEN}"
                ) from None
            if code is grpc.StatusCode.DEADLINE_EXCEEDED:
                reason = f"the server at {setting} {address} does not answer: it may not be Ray"
            else:
                reason = f"no Ray cluster at {setting} {address}: {error.details()}"
            raise ClusterError(" ".join(reason.split())) from None
