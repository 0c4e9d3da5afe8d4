"""The words before and after a search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipelines.cli.command import to_type
from pipelines.cli.display import format_config, shown
from pipelines.cluster.connect import Cluster
from pipelines.search.advice import advice
from pipelines.search.repeats import Repeats
from pipelines.search.study import StudySpec, Summary
from search_spaces import SearchSpace
from trainables.data.datasets import TrialData, describe
from trainables.training.metrics import METRICS

_ENDED_BY = {
    "interrupt": "stopped by Ctrl-C: every finished trial is kept, and what the rest had reached",
    "time budget": "stopped at the time budget",
    "target value": "stopped at the target value",
    "failures": "stopped: the first trials all failed",
}


def plan_lines(
    spec: StudySpec,
    data: TrialData,
    cluster: Cluster,
    folder: Path,
    grid_size: int | None,
    at_once: int,
) -> Iterator[str]:
    """What is about to run."""
    yield f"data      {describe(data)}"
    trials = f"a grid of {grid_size} configs" if grid_size is not None else f"{spec.trials} trials"
    goes_on = f"1 in {spec.reduction_factor:g} goes on"
    stopping = {
        "asha": f"asha stopping from epoch {spec.grace_period}, {goes_on}",
        "aligned_asha": f"asha at ends of cycles from epoch {spec.grace_period}, {goes_on}",
        "median": f"median stopping from epoch {spec.grace_period}",
        "hyperband": f"hyperband pausing at rungs, {goes_on}",
        "pbt": f"pbt changing the worst quarter from epoch {spec.grace_period}",
        "none": "no early stopping",
    }[spec.scheduler]
    yield (
        f"search    {spec.model} with {spec.algo}: {trials} of at most {spec.max_epochs} epochs, "
        f"{spec.metric} ({METRICS[spec.metric].mode}), {stopping}"
    )
    nodes = cluster.nodes()
    gpus = sum(node.gpus for node in nodes)
    yield (
        f"resources {spec.cpus_per_trial:g} CPU and {spec.gpus_per_trial:g} GPU a trial, "
        f"{at_once} at once on {len(nodes)} node{'s' if len(nodes) > 1 else ''} "
        f"of {sum(node.cpus for node in nodes):g} CPUs and {gpus:g} GPUs in all"
    )
    if gpus and not spec.gpus_per_trial:
        yield "          the GPUs would idle: --gpus-per-trial 1/4 runs four trials on each"
    if cluster.dashboard:
        yield f"dashboard {cluster.dashboard}"
    yield f"run       {shown(folder)}"


def space_lines(space: SearchSpace, levels: Mapping[str, int] | None) -> Iterator[str]:
    """The space, one parameter a line; with a grid's values where ``levels`` is given."""
    resolved = None if levels is None else space.resolve_levels(levels)
    width = max(map(len, space.domains))
    yield "space"
    for name, domain in space.domains.items():
        line = f"  {name:{width}}  {domain}"
        if domain.when is not None:
            line += f"  when {domain.when}"
        if resolved is not None:
            values = ", ".join(
                f"{v:.4g}" if isinstance(v, float) else str(v)
                for v in domain.levels(resolved[name])
            )
            line += f"  -> {values}"
        yield line


def summary_lines(
    summary: Summary,
    spec: StudySpec,
    folder: Path,
    cluster: Cluster,
    repeats: Sequence[Repeats] = (),
) -> Iterator[str]:
    """What came out, and what to type next."""
    if summary.ended_by:
        yield f"ended     {_ENDED_BY[summary.ended_by]}"
    counts = {
        "trained to the end": len(summary.complete),
        "stopped early": len(summary.stopped),
        "diverged": len(summary.diverged),
        "failed": len(summary.failed),
        "cut short": len(summary.cut_short),
    }
    yield (
        f"trials    {len(summary.trials)}: "
        f"{', '.join(f'{count} {ending}' for ending, count in counts.items() if count)}"
    )
    yield (
        f"epochs    {summary.epochs} trained, "
        f"{summary.epochs_saved} saved by stopping early what performs badly or diverges"
    )
    if summary.best is not None:
        best = summary.best
        spread = best.metrics.get(f"{spec.metric}_std")
        over = "" if spread is None else f" +- {spread:.4f} over {spec.folds} folds"
        yield f"best      {spec.metric} {best.value:.4f}{over} at epoch {best.best_epoch}"
        yield f"config    {format_config(best.config)}"
    elif summary.failed:
        yield f"error     {summary.failed[0].error} (all of it in {shown(folder / 'errors')})"
    if hint := advice(summary.trials):
        yield f"advice    {hint}"
    if repeats:
        yield from _repeats_lines(repeats, spec, folder)
    yield f"run       {shown(folder)}"
    if cluster.dashboard:
        note = " (ends with this command)" if cluster.started_here else ""
        yield f"dashboard {cluster.dashboard}{note}"
    yield f"next      {to_type('report', str(shown(folder)))}"


def _repeats_lines(repeats: Sequence[Repeats], spec: StudySpec, folder: Path) -> Iterator[str]:
    """A line for each config, the best lower bound first."""
    yield f"repeats   {spec.metric} of the best configs, with {spec.repeats} other seeds each"
    for r in repeats:
        yield f"          {r.mean:.4f} +- {r.error:.4f}  {format_config(r.config)}"
    yield f"winner    the first, by mean less one standard error: {shown(folder / 'winner.yaml')}"
