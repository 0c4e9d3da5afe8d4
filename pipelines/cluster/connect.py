"""Connects to Ray, with the settings that matter and the reason for each."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from typing import Any

import ray
from ray._private.services import get_ray_address_from_environment
from ray.exceptions import RayError

from pipelines.cluster.address import ClusterError, TokenError, knock
from pipelines.cluster.fork_server import ForkServer, fork_server
from pipelines.cluster.garbage import uncollected
from pipelines.cluster.local_ray import LOCAL as LOCAL
from pipelines.cluster.local_ray import LateDashboard, start
from pipelines.cluster.machines import Cluster
from pipelines.cluster.quiet import init
from pipelines.cluster.reaper import reaping

# Held by the thread that has connected this process to Ray and will disconnect it.
_CONNECTED = threading.Lock()

SETTINGS = {
    # Writing CSV, JSON and TensorBoard files costs as much as the rest of a short trial.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Ray would ask a searcher for one trial at a time; our searcher itself limits how many run.
    "TUNE_MAX_PENDING_TRIALS_PG": "10000",
    # Ray's snapshots of the experiment are not used: our own record is written at once.
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    # Ctrl-C ends a study through its stopper, so that a checkpoint being written is not lost.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Ray's own tables and its usage prompt would break up our progress display.
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
    # In Ray's next version, 0 GPUs no longer hides the GPUs from a worker; use that behaviour now.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@contextmanager
def connecting(
    address: str | None = None,
    *,
    dashboard: bool = True,
    modules: Sequence[str] = (),
    job: Mapping[str, str] | None = None,
) -> Iterator[Callable[[], Cluster]]:
    """:func:`connect` in a thread of its own. This thread goes on as soon as Ray's processes have
    been launched, because imports here would delay them. The yielded function waits for the
    cluster, and raises what ``connect`` raises."""
    found: Future[Cluster] = Future()
    launched, done = threading.Event(), threading.Event()
    found.add_done_callback(lambda _: launched.set())

    def hold() -> None:
        try:
            with connect(
                address, dashboard=dashboard, modules=modules, job=job, launched=launched.set
            ) as cluster:
                found.set_result(cluster)
                done.wait()  # Linux ends Ray's processes when the thread that started them ends
        except Exception as error:
            if found.done():
                raise
            found.set_exception(error)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    try:
        launched.wait()
        yield found.result
    finally:
        done.set()
        thread.join()


@contextmanager
def connect(
    address: str | None = None,
    *,
    dashboard: bool = True,
    modules: Sequence[str] = (),
    job: Mapping[str, str] | None = None,
    launched: Callable[[], None] = lambda: None,
) -> Iterator[Cluster]:
    """Use the cluster that this process is connected to, or join the one at ``address``. Without
    an address, join the cluster that runs on this machine, or start Ray here. ``"local"`` always
    starts Ray here.

    If Ray is started here, the ``dashboard``, if asked for, starts with
    :meth:`Cluster.open_dashboard`, the processes of trials have ``modules`` imported in advance,
    and ``launched`` is called once Ray's processes have been launched. The Jobs page of the
    dashboard shows ``job``.

    Raises:
        ClusterError: no cluster answers at ``address``, or another thread has connected this
            process to Ray and has not disconnected it yet.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        if not _CONNECTED.acquire(timeout=1):
            raise ClusterError(
                "another search has connected this process to Ray: run one search after the other, "
                "or call `ray.init()` first"
            )
        stack.callback(_CONNECTED.release)
        connected_before = ray.is_initialized()  # in a notebook, say: do not shut it down
        if connected_before:
            stack.close()
        cluster = _join(address, job)
        if cluster is None:
            marks = stack.enter_context(reaping())
            server = stack.enter_context(fork_server(modules, marks))
            cluster = _start(dashboard, server, job, marks, launched)
        cluster.address = address
        try:
            yield cluster
        finally:
            if cluster.late_dashboard is not None:
                cluster.late_dashboard.close()
            if not connected_before:
                with uncollected():  # freeing a handle during the shutdown would end this process
                    ray.shutdown()


def _start(
    dashboard: bool,
    server: ForkServer | None,
    job: Mapping[str, str] | None,
    marks: Mapping[str, str],
    launched: Callable[[], None],
) -> Cluster:
    try:
        start(server, job, marks, launched)
    except (RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        hint = "; set RAY_TMPDIR to another folder" if isinstance(error, OSError) else ""
        raise ClusterError(f"Ray cannot be started here: {_first_line(error)}{hint}") from None
    return Cluster("", True, LateDashboard(marks) if dashboard else None)


def _join(address: str | None, job: Mapping[str, str] | None) -> Cluster | None:
    """Join a cluster; None if Ray must be started here."""
    if ray.is_initialized():
        return _joined(init(ignore_reinit_error=True))
    found = _find(address)
    if found is None:
        return None
    try:
        return _joined(init(job, address=found))
    except (RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = _first_line(error)
        raise ClusterError(f"the Ray cluster at {found} cannot be joined: {reason}") from None


def _first_line(error: Exception) -> str:
    """The first line; all lines if it ends with a colon, as if versions of Ray differ."""
    text = str(error).strip() or repr(error)
    first = text.splitlines()[0]
    return " ".join(text.split()) if first.endswith(":") else first


def _joined(context: Any) -> Cluster:
    url = context.dashboard_url
    return Cluster(f"http://{url}" if url else "", started_here=False)


def check_address(address: str | None) -> None:
    """Raises ``ClusterError`` if :func:`connect` would find no cluster at ``address``, or would be
    refused by it. This takes seconds and starts nothing."""
    _find(address)


def _find(address: str | None) -> str | None:
    """The address of a cluster that answers; None if Ray must be started here.

    Ray itself would try for a minute if nothing listens any more.
    """
    if address == LOCAL:
        return None
    if address not in (None, "auto"):
        knock(address)
        return address
    wanted = os.environ.get("RAY_ADDRESS") or address
    try:  # RAY_ADDRESS, or the note of `ray start`
        found = get_ray_address_from_environment(None, None)
    except ConnectionError:  # RAY_ADDRESS is auto, and no Ray runs here
        found = None
    if found not in (None, LOCAL):
        try:
            knock(found, "RAY_ADDRESS" if found == wanted else "`address`")
        except TokenError as error:
            if address is None:
                raise TokenError(f"{error}; `address=local` starts Ray here") from None
            raise
        except ClusterError:
            if wanted:
                raise
            return None  # that Ray was killed and could not remove its note
        return str(found)
    if "auto" in (address, wanted):
        cause = "RAY_ADDRESS is auto, but " if address is None else ""
        raise ClusterError(
            f"{cause}no Ray cluster runs on this machine: start one with `ray start --head`"
        )
    return None
