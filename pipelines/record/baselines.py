"""What quick models score on the samples of a run: ``baselines.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from pipelines.record.header import read_json
from pipelines.record.whole import write_whole

# By the name of a model, its metrics; none where it was left out, as it is not quick on so much.
Baselines: TypeAlias = Mapping[str, Mapping[str, float]]


def left_out(baselines: Baselines) -> str:
    """Which models were, in words; "" where none was."""
    names = [name for name, metrics in baselines.items() if not metrics]
    return f"{' and '.join(names)} left out: not quick on data as large as these" * bool(names)


def write_baselines(path: Path, found: Baselines) -> None:
    """Whole or not at all."""
    write_whole(path, json.dumps(found, indent=1, allow_nan=False) + "\n")


def read_baselines(path: Path) -> Baselines:
    """Raises ``ValueError`` for a file that holds none."""
    try:
        content = read_json(path)
        return {
            str(name): {k: float(v) for k, v in found.items()} for name, found in content.items()
        }
    except (OSError, ValueError, AttributeError, TypeError, OverflowError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
