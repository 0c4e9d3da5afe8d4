"""A search with the share of a GPU that is measured to be best, first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipelines.cluster.connect import Cluster
from pipelines.cluster.measured_share import best_row, check_has_gpu, measure_shares, table
from pipelines.plan.largest import largest_configs
from pipelines.plan.prepare import Study
from pipelines.search.study import StudySpec
from trainables.networks import Network

_CONFIGS = 2  # that are measured


def with_measured_share(
    spec: StudySpec, study: Study, cluster: Cluster, *, say: Callable[[str], None]
) -> StudySpec:
    """``spec`` with the share of a GPU with which most trials of the largest configs end in an
    hour. The figures are shown.

    Raises ``ValueError`` where there is no GPU, and where the configs do not fit on one.
    """
    assert isinstance(study.trained, Network)  # run.py refuses --trainable
    nodes = cluster.nodes()
    check_has_gpu(nodes, spec.cpus_per_trial)
    configs = largest_configs(study.space, study.trained, study.data, n=_CONFIGS, seed=spec.seed)
    say(f"measuring how many trials share a GPU best, with the {len(configs)} largest configs")
    rows = measure_shares(
        nodes,
        study.trained,
        configs,
        study.folds or (study.data,),
        cpus=spec.cpus_per_trial,
        max_epochs=spec.max_epochs,
        seed=spec.seed,
    )
    for line in table(rows):
        say(line)
    best = best_row(rows)
    say(f"share     {best.name} of a GPU for each trial: most trials an hour")
    return replace(spec, gpus_per_trial=best.share)
