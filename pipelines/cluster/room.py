"""Ray's object store, which holds the data of a search once for all processes of a node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ray.exceptions import ObjectStoreFullError, OutOfDiskError

from pipelines.record.patience import StorageError


@contextmanager
def room() -> Iterator[None]:
    """Inside, data may be put there: Ray takes its folder on the disk where the memory is full.

    Raises ``StorageError`` where that disk is full too.
    """
    try:
        yield
    except (ObjectStoreFullError, OutOfDiskError):
        raise StorageError(
            "no room for the data in Ray's object store, and its folder's disk is full: free some "
            "space, or have RAY_TMPDIR name a folder on another disk"
        ) from None
