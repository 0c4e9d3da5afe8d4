"""Short messages from a worker to the driver, for a time when the worker answers nothing else."""

from __future__ import annotations

from contextlib import suppress

_PREFIX = "rangefinder-word-"


def leave_word(key: str, text: str) -> None:
    """Leave a message. If Ray's store cannot be reached, do nothing: the trial matters more."""
    with suppress(Exception):
        from ray.experimental.internal_kv import _internal_kv_put

        _internal_kv_put(_PREFIX + key, text.encode(errors="replace"), overwrite=True)


def take_word(key: str) -> str:
    """Take the latest message at ``key``, which removes it; "" if there is none."""
    with suppress(Exception):
        from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get

        if text := _internal_kv_get(_PREFIX + key):
            _internal_kv_del(_PREFIX + key)
            return str(text.decode())
    return ""
