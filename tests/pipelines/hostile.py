"""Run folders that no search would leave: a sound one with one thing changed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ESCAPE = "\x1b[31m<script>alert(1)</script>\x07\u202e"
WRONG: dict[str, Any] = {
    "none": None,
    "text": ESCAPE,
    "negative": -1,
    "huge": 10**400,
    "infinite": float("inf"),
    "nan": float("nan"),
    "list": [],
    "mapping": {},
    "nested": [[{"a": [1]}]],
    "truth": True,
    "half": "\ud800",
}


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every value in ``content``; in a list, only to the first."""
    inside = list(content.items()) if isinstance(content, dict) else list(enumerate(content))[:1]
    for key, value in inside:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def changed(content: Any, path: tuple[Any, ...], value: Any = ...) -> Any:
    """A copy with ``value`` at ``path``, or without anything at ``path`` if no value is given."""
    copy = json.loads(json.dumps(content))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copy


def json_changes(content: Any) -> Iterator[tuple[str, Any]]:
    """Copies of ``content`` with each value left out or replaced by one of another kind."""
    for path in places(content):
        label = ".".join(map(str, path))
        yield f"{label} left out", changed(content, path)
        for name, value in WRONG.items():
            yield f"{label} {name}", changed(content, path, value)


def put(path: Path, make: Callable[[Path], object]) -> None:
    """Replaces a file by something else."""
    path.unlink(missing_ok=True)
    make(path)


# What may be found in place of a file.
IN_PLACE: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "an empty file": Path.touch,
    "bytes": lambda path: path.write_bytes(bytes(range(256))),
    "deep JSON": lambda path: path.write_text("[" * 10_000),
    "other JSON": lambda path: path.write_text("[1, 2]"),
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a device": lambda path: path.symlink_to("/dev/zero"),
}


def copy_of(sound: Path, place: Path) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    return Path(shutil.copytree(sound, place))
