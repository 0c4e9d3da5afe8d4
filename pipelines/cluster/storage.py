"""Checks within seconds whether a storage in the cloud can be written."""

from __future__ import annotations

import subprocess
import sys

PATIENCE = 6.0  # seconds; without credentials, S3's client would try for more than a minute

_CREDENTIALS = (
    "are there credentials (`aws configure`, AWS_ACCESS_KEY_ID, or the role of the node), "
    "and does the bucket exist?"
)
_WRITE = """
import sys
from pyarrow.fs import FileSystem
try:
    filesystem, path = FileSystem.from_uri(sys.argv[1])
    marker = f"{path}/.rangefinder"
    with filesystem.open_output_stream(marker) as stream:
        stream.write(b"")
    filesystem.delete_file(marker)
except Exception as error:
    print(" ".join(str(error).split()) or repr(error))
    sys.exit(1)
"""


def try_to_write(uri: str, patience: float = PATIENCE) -> None:
    """Write and delete a file at ``uri``, in a process that is killed after ``patience`` seconds.

    Raises ``ValueError`` if ``uri`` cannot be written, or does not answer.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", _WRITE, uri],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(
            f"`storage` '{uri}' does not answer within {patience:g} s: {_CREDENTIALS}"
        ) from None
    if done.returncode:
        hint = f": {_CREDENTIALS}" if uri.startswith("s3://") else ""
        raise ValueError(f"`storage` '{uri}' cannot be written: {done.stdout.strip()}{hint}")
