"""Ray's object store, which holds the data of a search once per node, for all its processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ray.exceptions import ObjectStoreFullError, OutOfDiskError

from pipelines.record.patience import StorageError


@contextmanager
def room() -> Iterator[None]:
    """Inside the block, data may be put there. If its memory is full, Ray uses its disk folder.

    Raises ``StorageError`` if that disk is full too.
    """
    try:
        yield
    except (ObjectStoreFullError, OutOfDiskError):
        raise StorageError(
            "no room for the data in Ray's object store, and its folder's disk is full: free some "
            "space, or set RAY_TMPDIR to a folder on another disk"
        ) from None
