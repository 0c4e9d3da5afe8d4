"""What a user has written in YAML, whatever it holds: plain values, or one line that says why
not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from trainables.data.files import check_file

MOST_BYTES = 10_000_000
MOST_VALUES = 100_000  # aliases of aliases make a few lines as many as they like
DEEPEST = 20


def read_yaml(path: Path, option: str) -> object:
    """The content of the file that ``option`` names: mappings, lists and plain values.

    Raises ``ValueError`` for a file that cannot be read, is no YAML, or is too large.
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
        raise ValueError(f"`{option}` {path} is no YAML: {reason}") from None
    except Exception:  # PyYAML's readers of dates and the like raise what they meet
        raise ValueError(f"`{option}` {path}: a value is not what its !!tag says") from None
    for n, depth in enumerate(_depths(value), 1):
        if depth > DEEPEST:
            raise ValueError(f"`{option}` {path} is nested deeper than {DEEPEST} levels")
        if n > MOST_VALUES:
            raise ValueError(f"`{option}` {path} holds more than {MOST_VALUES:,} values")
    return value


def _depths(content: object) -> Iterator[int]:
    """How deep each value lies. Without recursion, and without end where one holds itself."""
    waiting = [(content, 0)]
    while waiting:
        value, depth = waiting.pop()
        yield depth
        inside = value.items() if isinstance(value, dict) else ()
        parts = [part for pair in inside for part in pair]
        parts += value if isinstance(value, list | tuple | set) else ()
        waiting += ((part, depth + 1) for part in parts)
