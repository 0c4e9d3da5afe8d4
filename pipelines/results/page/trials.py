"""All trials of a run, column by column: the data of the page's table, its curves and its chosen
trial."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.record.files import RunFiles
from pipelines.record.front import ranked_by
from pipelines.record.goals import SECONDS, Goals, reached
from pipelines.record.trials import FinishedTrial
from pipelines.results import wording
from pipelines.results.fates import Fate, fate
from pipelines.results.figures.axes import compact, in_order, thin
from pipelines.results.stops import Stop
from search_spaces import Choice, SearchSpace
from search_spaces.domains import Domain
from trainables.training.metrics import METRICS, Metric

MOST_CURVES = 2000  # trials whose curves are kept: half are the best, half are spread over all
MOST_TOLD = 50  # trials whose errors are shown, and as many whose output is shown
_TOLD_LENGTH = 20_000  # characters, counted from the end, which says what was raised
_WITHOUT = ("epoch",)
_NO_VALUE = (Fate.DIVERGED, Fate.FAILED)


def trials_data(
    trials: Sequence[FinishedTrial],
    space: SearchSpace,
    name: str,
    metric: Metric,
    stops: Mapping[int, Stop],
    files: RunFiles,
    goals: Goals | None = None,
) -> dict[str, Any]:
    """The trials as plain JSON; arrays are in Plotly's format. ``best`` is the row of the best
    trial."""
    if not trials:
        return {"n": 0}
    rows = {id(trial): row for row, trial in enumerate(trials)}
    also = () if goals is None else goals.aims[1:]
    best = [rows[id(trial)] for trial in ranked_by(trials, metric, also)]
    return {
        "n": len(trials),
        "metric": name,
        "best": best[0] if best else None,
        "ids": [trial.trial_id for trial in trials],
        "columns": _columns(trials, space, name, goals),
        "why": [_why(trial, stops.get(row)) for row, trial in enumerate(trials)],
        "told": _told(trials, best, files),
        **_curves(trials, {*best[: MOST_CURVES // 2], *thin(range(len(trials)), MOST_CURVES // 2)}),
    }


def _columns(
    trials: Sequence[FinishedTrial], space: SearchSpace, name: str, goals: Goals | None
) -> list[dict[str, Any]]:
    """Each column has its own name, by which the filter finds it: a parameter whose name is taken
    is called as in ``trials.csv``, such as ``param.epochs``."""
    others = [*_facts(trials, name), *_goals(trials, goals)]
    taken = {"trial", *(column["name"].lower() for column in others)}
    parameters = _parameters(trials, space)
    for column in parameters:
        if column["name"].lower() in taken:
            column["name"] = f"param.{column['name']}"
    return [*others, *parameters]


def _facts(trials: Sequence[FinishedTrial], name: str) -> list[dict[str, Any]]:
    return [
        _choices("state", [fate(trial).value for trial in trials], [kind.value for kind in Fate]),
        _scores(name, [None if fate(trial) in _NO_VALUE else trial.value for trial in trials]),
        _numbers("best_epoch", [trial.best_epoch for trial in trials]),
        _numbers("epochs", [trial.epochs for trial in trials]),
        _scores(SECONDS, [trial.seconds for trial in trials]),
    ]


def _goals(trials: Sequence[FinishedTrial], goals: Goals | None) -> list[dict[str, Any]]:
    """The other objectives and requirements, without those that have a column already."""
    names = [] if goals is None else [n for n in goals.names[1:] if n != SECONDS]
    return [_scores(name, [reached(trial, name) for trial in trials]) for name in names]


def _parameters(trials: Sequence[FinishedTrial], space: SearchSpace) -> list[dict[str, Any]]:
    """The parameters that vary come first; idle ones are left out."""
    domains = {name: domain for name, domain in space.domains.items() if name not in space.idle}
    columns = {name: _parameter(name, domain, trials) for name, domain in domains.items()}
    return sorted(columns.values(), key=lambda column: space.domains[column["name"]].single)


def _parameter(name: str, domain: Domain, trials: Sequence[FinishedTrial]) -> dict[str, Any]:
    values = [trial.config.get(name) for trial in trials]
    if isinstance(domain, Choice):
        told = [None if value is None else str(value) for value in values]
        return _choices(name, told, [str(option) for option in in_order(domain)])
    return _numbers(name, values)


def _numbers(name: str, values: Sequence[Any]) -> dict[str, Any]:
    return {"name": name, "values": _packed([np.nan if v is None else v for v in values], "f8")}


def _scores(name: str, values: Sequence[Any]) -> dict[str, Any]:
    return {**_numbers(name, values), "is": "count" if wording.counts(name, values) else "score"}


def _choices(name: str, values: Sequence[str | None], options: list[str]) -> dict[str, Any]:
    places = {option: place for place, option in enumerate(options)}
    codes = [-1 if value is None else places.get(value, -1) for value in values]
    return {"name": name, "values": _packed(codes, "i2"), "options": options}


def _why(trial: FinishedTrial, stop: Stop | None) -> str:
    """How ``trial`` ended, and what its curve shows, in a few words."""
    how = {
        Fate.STOPPED: f"stopped {stop}" if stop else "stopped by the scheduler",
        Fate.DIVERGED: f"diverged in epoch {trial.epochs}",
        Fate.FAILED: trial.error or "failed",
        Fate.CUT_SHORT: f"cut short: {trial.stopped_by}",
        Fate.INFEASIBLE: f"breaks {trial.broken}",
        Fate.COMPLETE: trial.error,
        Fate.RUNNING: f"has been running for {wording.duration(trial.seconds)}",
    }[fate(trial)]
    clue = trial.clue if trial.clue not in ("", "fits") else ""
    lost = f"{wording.count(trial.machines_lost, 'machine')} lost" if trial.machines_lost else ""
    return "; ".join(part for part in (how, clue, lost) if part)


def _told(trials: Sequence[FinishedTrial], best: Sequence[int], files: RunFiles) -> dict[int, str]:
    """What trials printed and raised, by row, for the first trials that failed and the best ones
    that printed."""
    failed = [row for row, trial in enumerate(trials) if trial.error][:MOST_TOLD]
    printed = {path.stem for path in files.printed.glob("*.txt")}
    others = range(len(trials)) if printed else ()
    told = [row for row in dict.fromkeys([*best, *others]) if trials[row].trial_id in printed]
    return {row: _text(trials[row], files) for row in {*failed, *told[:MOST_TOLD]}}


def _text(trial: FinishedTrial, files: RunFiles) -> str:
    printed, raised = (
        path.read_text(errors="replace") if path.is_file() else ""
        for path in (folder / f"{trial.trial_id}.txt" for folder in (files.printed, files.errors))
    )
    parts = [f"Printed:\n{printed.rstrip()}" if printed else "", raised or trial.error]
    return "\n\n".join(filter(None, parts))[-_TOLD_LENGTH:]


def _curves(trials: Sequence[FinishedTrial], kept: set[int]) -> dict[str, Any]:
    """The curves of the trials in ``kept``, one after the other."""
    some = [trial if row in kept else None for row, trial in enumerate(trials)]
    names = dict.fromkeys(name for trial in some if trial for name in trial.curves)
    return {
        "lengths": _packed([len(trial.curve) if trial else 0 for trial in some], "i4"),
        "scores": [name for name in names if name in METRICS],
        "epochs": _packed([e for t in some if t for e in sorted(t.curve)], "i4"),
        "curves": {
            name: _array(
                compact([v for t in some if t for v in t.curves.get(name) or [None] * len(t.curve)])
            )
            for name in names
            if name not in _WITHOUT
        },
    }


def _packed(values: Sequence[Any], dtype: str) -> dict[str, str]:
    return _array(np.array(values, f"<{dtype}"))


def _array(array: np.ndarray) -> dict[str, str]:
    bdata = base64.b64encode(array.tobytes()).decode()
    return {"dtype": array.dtype.str.lstrip("<|"), "bdata": bdata}
