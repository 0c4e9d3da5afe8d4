"""Which requirements the trials of a search break."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pipelines.record.trials import FinishedTrial


def not_met(trials: Iterable[FinishedTrial]) -> str:
    """The requirements that trials break, and how often: ``seconds<9 (4 do not)``."""
    counts = Counter(name for trial in trials if trial.broken for name in trial.broken.split(", "))
    return ", ".join(f"{name} ({n} do not)" for name, n in counts.most_common())
