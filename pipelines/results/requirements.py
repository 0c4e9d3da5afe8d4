"""Which requirements the trials of a search break."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from pipelines.record.trials import FinishedTrial


def not_met(trials: Iterable[FinishedTrial]) -> str:
    """The requirements that trials break, and how often: ``seconds<9 (4 do not)``."""
    counts = Counter(name for trial in trials if trial.broken for name in trial.broken.split(", "))
    return ", ".join(
        f"{name} ({n} {'does' if n == 1 else 'do'} not)" for name, n in counts.most_common()
    )


def why_no_best(trials: Sequence[FinishedTrial]) -> str:
    """What is true of no trial of a search without a best one: ``meets seconds<9 (4 do not)``."""
    broken = [trial for trial in trials if trial.infeasible]
    if not broken:
        return "has a value to compare"
    meets = f"meets {not_met(broken)}"
    return meets if len(broken) == len(trials) else f"both has a value to compare and {meets}"
