"""The lines that are printed before a search."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from pipelines.cli.data_lines import data_lines
from pipelines.cli.text import format_seconds
from pipelines.cli.watching import cluster_line
from pipelines.cluster.machines import Cluster
from pipelines.cluster.resources import Node, TrialResources
from pipelines.record.scores import shown_score
from pipelines.results.wording import count
from pipelines.study.beforehand.estimate import Estimate
from pipelines.study.disk import checkpoint_bytes, disk_of, free_in
from pipelines.study.spec import StoppingSettings, StudySpec
from pipelines.study.study import Study
from pipelines.study.typed import shown
from pipelines.tuner.sampling.algorithms import ALGORITHMS
from pipelines.tuner.sampling.prior import SHARE
from pipelines.tuner.scheduling.schedulers import SCHEDULERS
from search_spaces import SearchSpace
from trainables.baselines import guess
from trainables.device.byte_sizes import format_bytes


def plan_lines(study: Study, cluster: Cluster, at_once: int) -> Iterator[str]:
    """What is about to run."""
    spec = study.spec
    yield from data_lines(study)
    if spec.run.baseline:
        model, found = guess(study.folds)
        if study.metric_name in found:
            score = shown_score(found[study.metric_name])
            yield f"baseline  always predicting {model} gives {study.metric_name} {score}"
    algo = spec.search.algo
    trials = count(study.trials, "trial")
    if study.size is not None:
        trials = f"a {algo} of {count(study.size, 'config')}"
    if study.size is not None and study.history:
        trials += " that are not in the history"
    yield (
        f"search    {spec.problem.name} with {algo}: {trials} of at most "
        f"{count(spec.budget.max_epochs, 'epoch')}, {study.metric_name} ({study.metric.mode}), "
        f"{study.scheduler.plan(study.stopping)}"
    )
    if study.size is None:
        yield from first_lines(study)
        if study.tried_first >= study.trials:
            all_are = f"all {study.trials} trials are configs"
            if study.trials == 1:
                all_are = "the only trial is a config"
            yield f"note      {all_are} to try first: {algo} itself suggests none"
        yield from _few_configs_lines(study)
    yield from unused_lines(study.spec, f"--algo {algo}", [algo])
    yield from _goal_lines(study)
    yield from _resource_lines(cluster, spec.resources.trial, at_once)
    if cluster.dashboard:
        yield cluster_line(cluster)
    disk = disk_of(study, min(at_once, study.trials))
    yield (
        f"disk      at most {format_bytes(disk.record)} for the record and its report, and "
        f"{disk.checkpoints} checkpoints at a time"
    )
    runs = study.folder.parent
    if (free := free_in(runs)) < disk.record:
        yield (
            f"warning   {format_bytes(free)} is free in {shown(runs)}: the disk may become "
            "full during the search"
        )
    yield f"run       {shown(study.folder)}"


def _resource_lines(cluster: Cluster, trial: TrialResources, at_once: int) -> Iterator[str]:
    """What a trial takes of what there is, or will be once the cluster has grown."""
    now, at_most = cluster.nodes(), cluster.nodes_at_most(trial)
    grows = len(at_most) > len(now)
    nodes = at_most if grows else now
    yield (
        f"resources {trial.cpus:g} CPU and {trial.gpus:g} GPU a trial, {at_once} at once on "
        f"{'up to ' if grows else ''}{_in_all(nodes)}{f'; now {_in_all(now)}' if grows else ''}"
    )
    if any(node.gpus for node in nodes) and not trial.gpus:
        yield "          the GPUs would idle: --gpus-per-trial 1/4 runs four trials on each"


def _in_all(nodes: Sequence[Node]) -> str:
    return (
        f"{len(nodes)} node{'s' if len(nodes) > 1 else ''} of {sum(n.cpus for n in nodes):g} CPUs "
        f"and {sum(n.gpus for n in nodes):g} GPUs in all"
    )


def first_lines(study: Study) -> Iterator[str]:
    """The configs that every algorithm except a grid begins with, and those that it draws around
    them."""
    first = []
    if own := len(study.start_with):
        first.append(f"{count(own, 'config')} of {study.spec.space.start_with}")
    if portfolio := len(study.space.try_first):
        of = "of the space's portfolio; --no-portfolio leaves them out"
        first.append(f"{count(portfolio, 'config')} {of}")
    if first:
        yield f"first     {', then '.join(first)}"
    if own and study.spec.space.prior:
        yield (
            f"prior     {SHARE:.0%} of the next trials are drawn around the configs of "
            f"{study.spec.space.start_with}, and fewer and fewer later"
        )


def _goal_lines(study: Study) -> Iterator[str]:
    """Further objectives, and requirements."""
    goals = study.goals
    if goals.several:
        told = ", ".join(f"{aim.name} ({aim.mode})" for aim in goals.aims[1:])
        yield f"also      {told}: a Pareto front"
        if study.spec.stopping.scheduler != "none" and not study.scheduler.changes_configs:
            yield (
                f"note      trials are stopped by {study.metric_name} alone, and only trials that "
                "train to the end can be on the front: --scheduler none stops none"
            )
    if goals.requirements:
        yield f"require   {', '.join(map(str, goals.requirements))}"


def unused_lines(spec: StudySpec, chosen: str, algos: Collection[str]) -> Iterator[str]:
    """Notes of options that have no effect on this search, or not all of it. ``chosen`` is the
    option that chose ``algos``."""
    stopping, default = spec.stopping, StoppingSettings()
    scheduler = SCHEDULERS[stopping.scheduler]
    for name in scheduler.ignores:
        if getattr(stopping, name) != getattr(default, name):
            option = name.replace("_", "-")
            yield f"note      --{option} has no effect with --scheduler {stopping.scheduler}"
    if spec.search.levels and not any(ALGORITHMS[algo].size for algo in algos):
        yield f"note      --levels has no effect with {chosen}"
    if scheduler.pauses and spec.resources.max_concurrent:
        yield (
            f"note      --scheduler {stopping.scheduler} resumes paused trials whenever there is "
            "room: more than --max-concurrent may run at once"
        )


def _few_configs_lines(study: Study) -> Iterator[str]:
    """A note if the space has fewer configs than there will be trials."""
    n = study.space.n_configs(most=study.trials)
    if n is not None and n < study.trials:
        yield (
            f"note      the space has only {count(n, 'config')}: the {study.trials} trials try "
            f"{'it' if n == 1 else 'some of them'} more than once"
        )


def space_lines(space: SearchSpace, levels: Mapping[str, int] | None) -> Iterator[str]:
    """The space, one parameter per line; with the values of a grid if ``levels`` is given."""
    resolved = None if levels is None else space.resolve_levels(levels)
    width = max(map(len, space.domains))
    yield "space"
    for name, domain in space.domains.items():
        if name in space.idle:
            continue
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


def estimate_lines(found: Estimate, node_price: float | None) -> Iterator[str]:
    """How long a search would take, and what it would cost if ``node_price`` is given."""
    least, most = map(format_seconds, found.seconds)
    epochs = f"{found.most_epochs}"
    if found.least_epochs < found.most_epochs:
        epochs = f"{found.least_epochs:.3g} (stopped early as planned) to {found.most_epochs}"
    again = f", then {found.repeats} repeats of {found.most_epochs}" if found.repeats else ""
    yield (
        f"estimate  {least} to {most}: {found.trials} trials of {epochs} epochs{again} of "
        f"{found.epoch_seconds:.3g} s (measured {found.where}), {found.at_once} at once"
    )
    if node_price is not None:
        low, high = found.node_hours
        yield (
            f"cost      {low * node_price:.3g} to {high * node_price:.3g}: {low:.3g} to {high:.3g} "
            f"hours of a node with {found.on_a_node} trials at once, at {node_price:g} an hour; "
            "not counted: the head, and nodes while they boot or wait"
        )


def checkpoint_line(study: Study) -> str:
    """How large a checkpoint may be."""
    size = format_bytes(checkpoint_bytes(study))
    return f"disk      a checkpoint takes about {size} at most, by networks drawn from the space"
