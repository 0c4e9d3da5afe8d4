"""The lines that are printed after a search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pipelines.cli.onward import instead_of_resuming, next_lines, to_go_on
from pipelines.cli.text import format_config
from pipelines.cli.watching import cluster_line
from pipelines.cluster.machines import Cluster
from pipelines.record.baselines import Baselines, left_out
from pipelines.record.files import RunFiles
from pipelines.record.front import pareto_front
from pipelines.record.goals import Goals
from pipelines.record.scores import shown_score
from pipelines.record.sessions import read_sessions
from pipelines.record.trials import TIME_BUDGET, FinishedTrial
from pipelines.results import wording
from pipelines.results.advice import advice
from pipelines.results.fates import fates
from pipelines.results.requirements import why_no_best
from pipelines.study.interrupts import OUTPUT
from pipelines.study.repeats import Repeats
from pipelines.study.result import StudyResult
from pipelines.study.resume.left import longer_budget
from pipelines.study.study import Study
from pipelines.study.typed import shown
from search_spaces import SearchSpace
from trainables.training.metrics import METRICS

MOST_OF_FRONT = 10  # trials shown on a terminal
_MANY_FAILED = 0.2  # of the trials
_KEPT = "every finished trial is kept, and so is what the others had reached"

_ENDED_BY = {
    "interrupt": f"stopped by Ctrl-C: {_KEPT}",
    "SIGTERM": f"stopped by SIGTERM: {_KEPT}",
    "SIGHUP": f"stopped by SIGHUP, because its terminal closed: {_KEPT}",
    OUTPUT: f"stopped, because nobody reads its output: {_KEPT}",
    TIME_BUDGET: "stopped at the time budget",
    "target value": "stopped at the target value",
    "storage": "stopped: checkpoints could not be written (`error` in trials.csv says why)",
    "failures": "stopped: the first trials all failed",
}


def result_lines(result: StudyResult, folds: int | None, space: SearchSpace) -> Iterator[str]:
    """How the trials ended, the best of them, and the advice that follows."""
    ended = ", ".join(f"{count} {kind}" for kind, count in fates(result.trials).items())
    untrained = sum(trial.untrained for trial in result.trials)
    ended += f" ({untrained} of them not trained)" if untrained else ""
    yield f"trials    {len(result.trials)}: {ended}" if ended else "trials    none has finished"
    why = wording.saved_by(result.trials)
    saved = f", {result.epochs_saved} saved{why}" if result.epochs_saved else ""
    yield f"epochs    {result.epochs} trained{saved}"
    if result.best is not None:
        best = result.best
        spread = best.metrics.get(f"{result.metric}_std")
        score = shown_score(best.value)
        if spread is not None:
            score += f" +- {shown_score(spread, like=best.value)} over {folds} folds"
        yield f"best      {result.metric} {score} at epoch {best.best_epoch}"
        yield from _other_metrics(result.metric, best.metrics)
        yield f"config    {format_config(best.config, space)}"
    elif result.infeasible:
        yield f"best      none: no trial {why_no_best(result.trials)}"
    if hint := advice(result.trials):
        yield f"advice    {hint}"


def front_lines(trials: Sequence[FinishedTrial], goals: Goals, space: SearchSpace) -> Iterator[str]:
    """The Pareto front; nothing if there is one objective."""
    if not goals.several:
        return
    front = pareto_front(trials, goals)
    if not front:
        yield "front     none: no trial has trained to the end and meets what is required"
        return
    numbers = {id(trial): number for number, trial in enumerate(trials)}
    n = f"{len(front)} trials" if len(front) > 1 else "1 trial"
    names = ", ".join(f"{aim.name} ({aim.mode})" for aim in goals.aims)
    yield f"front     {n} that no other beats in all of {names}"
    rows = wording.objectives(goals, front, trials)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for trial, row in list(zip(front, rows, strict=True))[:MOST_OF_FRONT]:
        values = "  ".join(f"{text:>{w}}" for text, w in zip(row, widths, strict=True))
        yield f"{numbers[id(trial)]:>7}   {values}  {format_config(trial.config, space)}"
    if len(front) > MOST_OF_FRONT:
        yield f"          and {len(front) - MOST_OF_FRONT} more: the report has all"


def _other_metrics(metric: str, found: Mapping[str, float]) -> Iterator[str]:
    """The other metrics at the same epoch."""
    names = [name for name in METRICS if name in found and name != metric]
    others = [f"{name} {shown_score(found[name])}" for name in names]
    if others:
        yield f"there     {'  '.join(others)}"


def baseline_lines(result: StudyResult, baselines: Baselines) -> Iterator[str]:
    """What quick models score, the best first; and whether a network is better."""
    name = result.metric
    metric = METRICS[name]
    scores = {model: found[name] for model, found in baselines.items() if name in found}
    missing = left_out(baselines)
    if not scores:
        if missing:
            yield f"baseline  {missing}"
        return
    ordered = sorted(scores, key=lambda model: scores[model], reverse=metric.mode == "max")
    told = ", ".join(f"{model} {shown_score(scores[model])}" for model in ordered)
    yield f"baseline  {name} of {told}"
    best = result.best
    if best and best.value is not None and not metric.better(best.value, scores[ordered[0]]):
        yield f"          no network of the search is better than {ordered[0]}"
    if missing:
        yield f"          {missing}"


def summary_lines(
    study: Study,
    result: StudyResult,
    cluster: Cluster | None,
    repeats: Sequence[Repeats] = (),
    baselines: Baselines | None = None,
) -> Iterator[str]:
    """The results, and what to type next. ``cluster`` is None if none was needed."""
    files = RunFiles(study.folder)
    if result.ended_by:
        yield f"ended     {_ENDED_BY[result.ended_by]}"
    yield from result_lines(result, study.spec.problem.folds, study.space)
    yield from front_lines(result.trials, study.goals, study.space)
    yield from baseline_lines(result, baselines or {})
    yield from _failure_lines(result, files)
    for trial in result.trained_on_in_vain:
        yield f"note      trial {trial.trial_id}: {trial.error}"
    if repeats:
        yield (
            f"repeats   {study.metric_name} of the best configs, "
            f"with {study.spec.budget.repeats} other seeds each"
        )
        yield from repeats_lines(repeats, study.space)
        sign = "plus" if study.metric.mode == "min" else "minus"
        yield f"winner    the first, by mean {sign} one standard error: {shown(files.winner)}"
    yield f"run       {shown(study.folder)}"
    if cluster and cluster.dashboard and not cluster.started_here:
        yield cluster_line(cluster)
    if result.ended_by not in ("", "target value") and not study.scheduler.pauses:
        budget, more = study.spec.budget.time_budget, None
        if budget is not None and result.ended_by == TIME_BUDGET:
            searching = sum(s.worked for s in read_sessions(files) if s.part == "search")
            more = longer_budget(budget, searching)
        yield f"go on     {to_go_on(study, cluster, more)}"
    elif result.ended_by not in ("", "target value"):
        scheduler, has_trials = study.spec.stopping.scheduler, bool(result.trials)
        instead = instead_of_resuming(study.folder, scheduler, has_trials=has_trials)
        yield f"go on     {instead}"
    # A user's own function may yield no model.
    has_model = study.network is not None or files.weights.is_file()
    has_winner = result.best is not None and has_model
    yield from next_lines(study, cluster, has_winner=has_winner)


def _failure_lines(result: StudyResult, files: RunFiles) -> Iterator[str]:
    """The most frequent error of failed trials, and how many failed."""
    failed, n = result.failed, len(result.trials)
    if not failed:
        return
    error, times = Counter(trial.error for trial in failed).most_common(1)[0]
    many = len(failed) >= _MANY_FAILED * n
    kind = "error" if result.best is None else "warning" if many else "failed"
    told = f"{len(failed)} of {n} trials" + (" failed" if kind != "failed" else "")
    told += f", {times} of them" if times < len(failed) else ""
    yield f"{kind:<10}{told}: {error} (full text in {shown(files.errors)})"


def repeats_lines(repeats: Sequence[Repeats], space: SearchSpace) -> Iterator[str]:
    """A line for each config, the best lower bound first."""
    for r in repeats:
        score = f"{shown_score(r.mean)} +- {shown_score(r.error, like=r.mean)}"
        yield f"          {score}  {format_config(r.config, space)}"
