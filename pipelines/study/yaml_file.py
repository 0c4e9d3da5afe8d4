"""Reads a user's YAML file, whatever it holds: returns plain values, or raises an error of one
line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from trainables.data.files import check_file

MOST_BYTES = 10_000_000
MOST_VALUES = 100_000  # aliases of aliases can make a huge number of values in a few lines
DEEPEST = 20


def read_yaml(path: Path, option: str) -> object:
    """The content of the file that ``option`` names: mappings, lists and plain values.

    Raises ``ValueError`` for a file that cannot be read, is not valid YAML, or is too large.
    """
    try:
        check_file(path)
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(f"`{option}` {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"`{option}` {error}") from None
    if len(content) > MOST_BYTES:
        raise ValueError(f"`{option}` {path} is larger than {MOST_BYTES:,} bytes")
    try:
        value = yaml.safe_load(content.decode())
    except RecursionError:
        raise ValueError(f"`{option}` {path} is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"`{option}` {path} is not valid YAML: {reason}") from None
    except Exception:  # PyYAML's readers of dates and other types raise various errors
        raise ValueError(f"`{option}` {path}: a value is not what its !!tag says") from None
    for n, depth in enumerate(_depths(value), 1):
        if depth > DEEPEST:
            raise ValueError(f"`{option}` {path} is nested deeper than {DEEPEST} levels")
        if n > MOST_VALUES:
            raise ValueError(f"`{option}` {path} holds more than {MOST_VALUES:,} values")
    return value


def _depths(content: object) -> Iterator[int]:
    """The depth of each value. It uses no recursion, and never ends if a value holds itself."""
    waiting = [(content, 0)]
    while waiting:
        value, depth = waiting.pop()
        yield depth
        inside = value.items() if isinstance(value, dict) else ()
        parts = [part for pair in inside for part in pair]
        parts += value if isinstance(value, list | tuple | set) else ()
        waiting += ((part, depth + 1) for part in parts)
