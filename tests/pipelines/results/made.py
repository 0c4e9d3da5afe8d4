"""Trials made by hand, for figures and pages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.record.files import RunFiles
from pipelines.record.trials import FinishedTrial, State
from search_spaces import SPACES, Config, SearchSpace

COMPLETE, STOPPED, DIVERGED, FAILED, CUT_SHORT = "complete", "stopped", "diverged", "failed", "cut"
_STATES = {COMPLETE: State.COMPLETE, FAILED: State.FAIL}
_STOPPED_BY = {STOPPED: "scheduler", DIVERGED: "divergence", CUT_SHORT: "interrupt"}


def made(
    values: Sequence[float],
    fate: str = COMPLETE,
    config: Mapping[str, Any] | None = None,
    *,
    mode: str = "max",
    **more: Any,
) -> FinishedTrial:
    """A trial with these values, one per epoch."""
    curve = dict(enumerate(values, start=1))
    best = (max if mode == "max" else min)(values, default=None)
    return FinishedTrial(
        **{
            "trial_id": more.get("trial_id", "t"),
            "config": dict(config or {}),
            "state": _STATES.get(fate, State.PRUNED),
            "curve": curve,
            "value": None if fate == FAILED else best,
            "best_epoch": next((epoch for epoch in curve if curve[epoch] == best), None),
            "stopped_by": _STOPPED_BY.get(fate, ""),
            "curves": {"val_accuracy": list(values)},
            "error": "RuntimeError: no" if fate == FAILED else "",
            **more,
        }
    )


def searched(
    n: int, space: SearchSpace = SPACES["mlp"], *, seed: int = 0, stopped: bool = True
) -> list[FinishedTrial]:
    """``n`` trials whose score depends only on lr: best near 0.01. Two in three are stopped at the
    first epoch, and trials with an lr above 0.7 diverge."""
    rng = np.random.default_rng(seed)
    trials = []
    for number in range(n):
        config: Config = space.sample(rng)
        lr = float(config["lr"])
        score = 0.95 - 0.1 * (np.log10(lr) + 2) ** 2 + 0.001 * rng.normal()
        more: dict[str, Any] = {
            "trial_id": f"{number:04x}",
            "started": 1e9 + number,
            "seconds": 2.0,
            "node": "n",
        }
        if lr > 0.7:
            trials.append(made([0.0], DIVERGED, config, **more))
        elif number % 3 and stopped:
            trials.append(made([score - 0.1], STOPPED, config, **more))
        else:
            trials.append(made([score - 0.1, score - 0.05, score], COMPLETE, config, **more))
    return trials


def went_on(folder: Path, **budget: int) -> Path:
    """Makes the run in ``folder`` look resumed: one driver worked on it from 100 s to 150 s after
    1970, and another, which was given this budget, from 200 s to 250 s."""
    drivers: list[tuple[float, Mapping[str, Any]]] = [(100.0, {}), (200.0, {"budget": budget})]
    lines: list[Mapping[str, Any]] = []
    for begun, changes in drivers:
        first = {"begun": begun, "part": "search", "host": "here", "process": 1}
        lines += [{**first, "changes": changes}, {"ended": begun + 50, "by": ""}]
    RunFiles(folder).sessions.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder
