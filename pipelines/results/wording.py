"""How pages write values and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.record.scores import shown_score


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


def objective(number: float | None) -> str:
    """A whole number from 10 on with commas between thousands, any other number as a score."""
    if number is None:
        return ""
    if float(number).is_integer() and abs(number) >= 10:
        return f"{number:,.0f}"
    return shown_score(number)


def config(values: Mapping[str, object]) -> str:
    """For example ``lr=0.1 n_layers=2``."""
    return " ".join(f"{name}={value(entry)}" for name, entry in values.items())


def count(n: int, thing: str) -> str:
    """For example 1 trial, 2 trials."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def listed(names: Sequence[str]) -> str:
    """For example a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
