"""Several runs on one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

from pipelines.record.scores import shown_score
from pipelines.results import wording
from pipelines.results.endings import unfinished
from pipelines.results.figures.best_so_far import Against, best_so_far_data
from pipelines.results.figures.side_by_side import side_by_side_figure
from pipelines.results.figures.timeline import timeline_data
from pipelines.results.page.model import Block, Drawing, Link, Page, Section, Table, Words
from pipelines.results.sections.again import setting_values
from pipelines.results.working_time import in_working_time
from pipelines.study.runs import Run
from trainables.training.metrics import METRICS


def comparison_page(
    runs: Sequence[Run], address: Callable[[Run], str] | None = None, state: str = ""
) -> Page:
    """What each run found, how fast, and in which settings the runs differ. ``address`` gives the
    address of a run's own page, and ``state`` says whether more runs follow.

    Raises ``ValueError`` if the runs optimise different metrics, or if a run is given twice.
    """
    scores = {run.metric: _name(run) for run in runs}
    if len(scores) > 1:
        (a, first), (b, second) = list(scores.items())[:2]
        raise ValueError(f"{first} optimises {a} and {second} {b}: compare runs of the same metric")
    names = [_name(run) for run in runs]
    if len({run.files.folder.resolve() for run in runs}) < len(runs):
        raise ValueError("a run is given twice")
    if len(set(names)) < len(names):
        names = [str(run.files.folder) for run in runs]
    ends = [
        f"{name}: {text}"
        for name, run in zip(names, runs, strict=True)
        if (text := unfinished(run))
    ]
    return Page(
        title=" and ".join(names) if len(names) == 2 else f"{len(names)} runs",
        subtitle=f"compared by {runs[0].metric}",
        state=" ".join([*filter(None, [state]), *ends]) or "All runs are over.",
        sections=[_outcome(names, runs, address), _progress(names, runs), _settings(names, runs)],
    )


def _name(run: Run) -> str:
    return run.files.folder.name


def _outcome(
    names: Sequence[str], runs: Sequence[Run], address: Callable[[Run], str] | None
) -> Section:
    blocks: list[Block] = []
    if len({run.data.fingerprint for run in runs}) > 1:
        words = "The runs used different data: their scores cannot be compared."
        blocks.append(Words(words, "warning"))
    elif len({run.spec.split_seed for run in runs}) > 1:
        words = "The runs split the data with different seeds: a part of each difference comes from"
        blocks.append(Words(f"{words} the split."))
    head = [
        "run",
        runs[0].metric,
        "epoch",
        "trials",
        "epochs",
        "saved",
        "time",
        "config of the best",
    ]
    rows: list[list[str | Link]] = []
    for name, run in zip(names, runs, strict=True):
        first = name if address is None else Link(name, address(run))
        rows.append([first, *_cells(run)])
    blocks.append(Table(head, rows))
    return Section("outcome", "What came out", blocks)


def _cells(run: Run) -> list[str]:
    result, best = run.result, run.best
    seconds = 60 * timeline_data(in_working_time(run)).minutes
    counts = [str(len(result.trials)), str(result.epochs), str(result.epochs_saved)]
    if best is None:
        return ["none", "", *counts, wording.duration(seconds), ""]
    value = shown_score(best.value)
    rest = [wording.duration(seconds), wording.config(run.space.without_idle(best.config))]
    return [value, str(best.best_epoch), *counts, *rest]


def _progress(names: Sequence[str], runs: Sequence[Run]) -> Section:
    metric = METRICS[runs[0].metric]
    data = {
        name: best_so_far_data(in_working_time(run), metric)
        for name, run in zip(names, runs, strict=True)
    }
    drawings = [
        Drawing(f"best-{a}", side_by_side_figure(data, runs[0].metric, metric, a), role="")
        for a in get_args(Against)
    ]
    return Section("progress", "Best so far", [Words(_chance(runs))], drawings)


def _chance(runs: Sequence[Run]) -> str:
    """How many searches there are of each kind. Searches of one kind differ at most in their
    seed."""
    kinds: dict[tuple[str, ...], list[str]] = {}  # with the seeds of the searches of each
    for run in runs:
        values = setting_values(run.spec)
        seed = values.pop("seed")
        kinds.setdefault(tuple(values.values()), []).append(seed)
    counts = [len(seeds) for seeds in kinds.values()]
    distinct = [len(set(seeds)) for seeds in kinds.values()]
    least, most = min(counts), max(counts)
    if most == 1:
        return "There is one search of each kind: the difference may be chance."
    n = f"{most}" if least == most else f"{least} to {most}"
    seeds = "some with the same seed"
    if distinct == counts:
        seeds = "with different seeds"
    elif max(distinct) == 1:
        seeds = "with the same seed"
    return f"{n} searches of each kind, {seeds}: differences within a kind are chance."


def _settings(names: Sequence[str], runs: Sequence[Run]) -> Section:
    values = [setting_values(run.spec) for run in runs]
    differ = [key for key in values[0] if len({value[key] for value in values}) > 1]
    if not differ:
        block: Block = Words("The runs have the same settings.")
    else:
        block = Table(["setting", *names], [[key, *(v[key] for v in values)] for key in differ])
    return Section("settings", "Where the settings differ", [block])
