"""Measures, before a search, which share of a GPU is best for its trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipelines.cluster.machines import Cluster
from pipelines.cluster.measured_share import best_row, measure_shares, table
from pipelines.cluster.resources import check_has_gpu
from pipelines.study.beforehand.largest import largest_configs
from pipelines.study.settings import merged
from pipelines.study.study import Study

_CONFIGS = 2  # to measure


def with_measured_share(study: Study, cluster: Cluster, *, say: Callable[[str], None]) -> Study:
    """``study`` with the share of a GPU that lets the most trials of the largest configs end in an
    hour. ``say`` gets the figures.

    Raises ``ValueError`` if there is no GPU, or if the configs do not fit on one.
    """
    spec, network = study.spec, study.network
    assert network is not None  # StudySpec has checked that
    nodes = cluster.nodes()
    check_has_gpu(nodes, spec.resources.cpus_per_trial)
    configs = largest_configs(study.space, network, study.data, n=_CONFIGS, seed=spec.search.seed)
    say(f"measuring how many trials share a GPU best, with the {len(configs)} largest configs")
    rows = measure_shares(
        nodes,
        network,
        configs,
        study.folds,
        cpus=spec.resources.cpus_per_trial,
        max_epochs=spec.budget.max_epochs,
        seed=spec.search.seed,
    )
    for line in table(rows):
        say(line)
    best = best_row(rows)
    say(f"share     {best.name} of a GPU for each trial: most trials an hour")
    measured = {"resources": {"gpus_per_trial": best.share}}
    resumed = study.resumed
    if resumed is not None:  # the record notes the changed setting
        resumed = replace(resumed, changes=merged(resumed.changes, measured))
    return replace(study, spec=spec.but(**measured), resumed=resumed)
