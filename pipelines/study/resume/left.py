"""What is left to do of a study that goes on."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.record.scores import shown_score
from pipelines.record.trials import FinishedTrial
from pipelines.study.repeats import to_repeat
from pipelines.study.result import StudyResult
from pipelines.study.study import Study


def searched(study: Study) -> StudyResult | None:
    """The result of the search if nothing is left to search; else None."""
    if study.resumed is None or not _search_is_over(study):
        return None
    trials = study.resumed.search.trials
    most = study.spec.budget.max_epochs
    return StudyResult(trials, study.metric_name, most, also=study.goals.aims[1:])


def nothing_left(study: Study) -> str:
    """Why a study that goes on has nothing left to do; "" if something is left."""
    result = searched(study)
    if result is None or _repeats_left(study, result.trials):
        return ""
    return _search_is_over(study)


def longer_budget(budget: float, worked: float) -> float:
    """A time budget with which a search goes on that has used up ``budget`` and has ``worked`` for
    so many seconds."""
    longer = 2 * budget
    while longer <= worked:
        longer *= 2
    return longer


def budget_to_go_on(study: Study) -> float | None:
    """The :func:`longer_budget` of a study that has used up its own; else None."""
    budget = study.spec.budget.time_budget
    if budget is None or study.resumed is None or _search_is_over(study) != _used_up(budget):
        return None
    return longer_budget(budget, study.resumed.search.seconds)


def check_longer(study: Study) -> None:
    """Raises ``ValueError`` if trials are to train for more epochs, but a limit of the search is
    reached already."""
    if study.resumed is None or "max_epochs" not in study.resumed.changes.get("budget", {}):
        return
    if study.resumed.search.trained_on and (why := _search_is_over(study)):
        most = study.spec.budget.max_epochs
        raise ValueError(f"`max_epochs` {most}: no trial can train longer, because {why}")


def _search_is_over(study: Study) -> str:
    assert study.resumed is not None
    before, budget = study.resumed.search, study.spec.budget
    best = StudyResult(before.trials, study.metric_name, budget.max_epochs).best
    target, value = budget.target_value, None if best is None else best.value
    if target is not None and value is not None and study.metric.reaches(value, target):
        return f"its best, {shown_score(value)}, has reached the target, {target:g}"
    if budget.time_budget is not None and before.seconds >= budget.time_budget:
        return _used_up(budget.time_budget)
    if before.unfinished or len(before.asked) < study.trials:
        return ""
    return f"all its {len(before.asked)} trials have ended"


def _used_up(time_budget: float) -> str:
    return f"its time budget, {time_budget:g} s, is used up"


def _repeats_left(study: Study, trials: Sequence[FinishedTrial]) -> bool:
    seeds = study.spec.budget.repeats
    if not seeds or study.resumed is None:
        return False
    repeats = study.resumed.repeats
    done = {(asked.repeat_of, asked.seed) for asked in repeats.asked}
    first = study.spec.search.seed + 1
    wanted = [
        (trial.trial_id, seed)
        for trial in to_repeat(trials, study.goals)
        for seed in range(first, first + seeds)
    ]
    return bool(repeats.unfinished) or any(pair not in done for pair in wanted)
