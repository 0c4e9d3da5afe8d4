"""How pages write values and words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipelines.record.goals import Goals, reached
from pipelines.record.scores import shown_score
from pipelines.record.trials import REQUIREMENT, FinishedTrial
from trainables.training.metrics import METRICS

_SAVED_BY = {
    "scheduler": "by early stopping",
    "divergence": "because trials diverged",
    REQUIREMENT: "because trials broke a requirement",
}


def duration(seconds: float) -> str:
    """For example 1 h 05 min, 2 min 03 s or 4.1 s."""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def time_unit(seconds: float) -> tuple[str, float]:
    """The unit for a time axis of this length, and how many seconds the unit has."""
    if seconds < 2 * 60:
        return "seconds", 1.0
    return ("minutes", 60.0) if seconds < 2 * 3600 else ("hours", 3600.0)


def value(thing: object) -> str:
    """A float with four significant digits, anything else unchanged."""
    return f"{thing:.4g}" if isinstance(thing, float) else str(thing)


def score(number: float | None) -> str:
    """The score of a trial."""
    return "no value" if number is None else shown_score(number)


def counts(name: str, values: Iterable[float | None]) -> bool:
    """Whether the objective ``name``, which has these values in all trials, counts something: it is
    no metric, and all its values are whole."""
    return name not in METRICS and all(v is None or float(v).is_integer() for v in values)


def objectives(
    goals: Goals, some: Iterable[FinishedTrial], trials: Sequence[FinishedTrial]
) -> list[list[str]]:
    """The objectives of ``some`` of the ``trials``, a row for each."""
    are_counts = [counts(aim.name, (reached(t, aim.name) for t in trials)) for aim in goals.aims]
    return [
        [
            "" if value is None else objective(value, is_count=is_count)
            for value, is_count in zip(goals.values(trial), are_counts, strict=True)
        ]
        for trial in some
    ]


def objective(number: float, *, is_count: bool) -> str:
    """A count with commas between thousands, or a score."""
    return f"{number:,.0f}" if is_count else shown_score(number)


def config(values: Mapping[str, object]) -> str:
    """For example ``lr=0.1 n_layers=2``."""
    return " ".join(f"{name}={value(entry)}" for name, entry in values.items())


def saved_by(trials: Iterable[FinishedTrial]) -> str:
    """Why epochs were saved, as the end of a sentence."""
    causes = {trial.stopped_by for trial in trials if not trial.untrained}
    whys = [words for cause, words in _SAVED_BY.items() if cause in causes]
    return f" {listed(whys)}" if whys else ""


def count(n: int, thing: str) -> str:
    """For example 1 trial, 2 trials."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def share(part: float) -> str:
    """For example 0.0%, <0.1%, 12.3%; 0.0% means none."""
    return "<0.1%" if 0 < part < 0.001 else f"{part:.1%}"


def listed(names: Sequence[str]) -> str:
    """For example a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
