"""A word from a worker to the driver, while the worker answers nothing else."""

from __future__ import annotations

from contextlib import suppress

_PREFIX = "rangefinder-word-"


def leave_word(key: str, text: str) -> None:
    """Where Ray's store cannot be reached nothing is said: a word is worth less than a trial."""
    with suppress(Exception):
        from ray.experimental.internal_kv import _internal_kv_put

        _internal_kv_put(_PREFIX + key, text.encode(errors="replace"), overwrite=True)


def take_word(key: str) -> str:
    """The last one that was left at ``key``, once; "" for none."""
    with suppress(Exception):
        from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get

        if text := _internal_kv_get(_PREFIX + key):
            _internal_kv_del(_PREFIX + key)
            return str(text.decode())
    return ""
