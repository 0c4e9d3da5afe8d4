"""Results in a file, one per line. A result that is there is not measured again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def kept(file: Path | None) -> list[Any]:
    """The results in a file; none if there is no file yet."""
    if file is None or not file.exists():
        return []
    return [json.loads(line) for line in file.read_text().splitlines()]


def keep(file: Path | None, result: object) -> None:
    """Append a result, if there is a file for results."""
    if file is not None:
        with file.open("a") as lines:
            lines.write(json.dumps(result) + "\n")
