"""The scores of quick models on the samples of a run: ``baselines.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from pipelines.record.header import read_json
from pipelines.record.whole import write_whole
from trainables.baselines import MODELS

# The metrics of each model, by its name. Empty if the model was left out because it is slow on so
# much data. For a model that did not finish in time: how long the end of the search waited for it.
Baselines: TypeAlias = Mapping[str, Mapping[str, float]]

_WAITED = "waited"  # seconds


def left_out(baselines: Baselines) -> str:
    """Which models were left out, and why, in words; "" if none was."""
    why: dict[str, list[str]] = {}
    for name, found in baselines.items():
        if not found:
            why.setdefault("too slow for data of this size", []).append(name)
        elif _WAITED in found:
            late = f"not finished {found[_WAITED]:.3g} s after the end of the search"
            why.setdefault(late, []).append(name)
    return "; ".join(f"{_listed(names)} left out: {reason}" for reason, names in why.items())


def _listed(names: Sequence[str]) -> str:
    """For example a, b and c."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def with_late(done: Baselines, task: str, waited: float) -> Baselines:
    """The models in ``done``, and the other models of ``task`` as late by ``waited`` seconds."""
    late = {name: {_WAITED: waited} for name in MODELS[task] if name not in done}
    return {**done, **late}


def without_late(baselines: Baselines) -> Baselines:
    """The models that need not be fitted again."""
    return {name: found for name, found in baselines.items() if _WAITED not in found}


def write_baselines(path: Path, found: Baselines) -> None:
    """Write ``found``, whole or not at all."""
    write_whole(path, json.dumps(found, indent=1, allow_nan=False) + "\n")


def read_baselines(path: Path) -> Baselines:
    """Raises ``ValueError``, which says what to do, for a file that holds no baselines."""
    try:
        return {
            str(name): {k: float(v) for k, v in found.items()}
            for name, found in read_json(path).items()
        }
    except (ValueError, AttributeError, TypeError, OverflowError):
        raise ValueError(
            f"{path} cannot be read: delete it, and a search that goes on fits the quick models "
            "again"
        ) from None
