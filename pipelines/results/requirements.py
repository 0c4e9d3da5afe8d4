"""Which requirements the trials of a search break."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from pipelines.record.goals import reached, read_requirement
from pipelines.record.trials import FinishedTrial
from pipelines.results import wording


def not_met(trials: Sequence[FinishedTrial]) -> str:
    """The requirements that trials break, how often, and how near a trial came to each:
    ``seconds<9 (4 do not; the nearest has 9.2000)``."""
    counts = Counter(name for trial in trials if trial.broken for name in trial.broken.split(", "))
    return ", ".join(
        f"{name} ({n} {'does' if n == 1 else 'do'} not{_nearest(name, trials)})"
        for name, n in counts.most_common()
    )


def _nearest(text: str, trials: Iterable[FinishedTrial]) -> str:
    """The best value of the trials that break the requirement ``text``; "" if none is known."""
    requirement = read_requirement(text)
    name = requirement.name
    breaking = [trial for trial in trials if text in trial.broken.split(", ")]
    values = [value for t in breaking if (value := reached(t, name)) is not None]
    if not values:
        return ""
    nearest = min(values, key=requirement.violation)
    shown = wording.objective(nearest, is_count=wording.counts(name, values))
    return f"; the nearest has {shown}"


def why_no_best(trials: Sequence[FinishedTrial]) -> str:
    """What is true of no trial of a search without a best one: ``meets seconds<9 (4 do not)``."""
    broken = [trial for trial in trials if trial.infeasible]
    if not broken:
        return "has a value to compare"
    meets = f"meets {not_met(broken)}"
    return meets if len(broken) == len(trials) else f"both has a value to compare and {meets}"
