"""Starting the server of the pages, from the process that searches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pipelines

MODULE = "pipelines.live.serve"
_PATIENCE = 60.0  # seconds for its start


class ServerError(Exception):
    """The server does not start; the message says why, in a line."""


@contextmanager
def serving(roots: Sequence[Path], *, token: str, key: str) -> Iterator[str]:
    """Starts a server for the runs in ``roots`` and yields its address, which only this machine can
    reach. The server ends with this process at the latest. The token and the key are written only
    to a pipe.

    Raises :class:`ServerError`.
    """
    process = _started()
    try:
        yield f"http://127.0.0.1:{_port(process, roots, token, key)}"
    finally:
        assert process.stdin is not None
        process.stdin.close()


def _started() -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            [sys.executable, "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": _path(), "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # so that Ctrl-C reaches only the search
        )
    except OSError as error:
        raise ServerError(str(error)) from None


def _port(process: subprocess.Popen[str], roots: Sequence[Path], token: str, key: str) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    limit = threading.Timer(_PATIENCE, process.kill)
    limit.start()
    try:
        orders = {"roots": [str(root.resolve()) for root in roots], "token": token, "key": key}
        process.stdin.write(json.dumps(orders) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except OSError:  # the server has ended
        line = ""
    finally:
        limit.cancel()
    if line.strip().isdecimal():
        return int(line)
    process.kill()
    said = process.stderr.read().strip().splitlines()
    raise ServerError(said[-1] if said else "it does not answer")


def _path() -> str:
    """The ``PYTHONPATH`` with which the server can import this project, wherever the search was
    started."""
    own = str(Path(pipelines.__file__).parents[1])
    return os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH")])])
