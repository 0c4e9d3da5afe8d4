"""Whether the machines of a cluster can hold a trial."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.cluster.local_ray import local_node
from pipelines.cluster.resources import Node, check_fit, check_has_gpu
from pipelines.study.spec import ResourceSettings


def check_trial(nodes: Sequence[Node], resources: ResourceSettings) -> None:
    """Raises ``ValueError``, with what the nodes have, if none of them can hold a trial."""
    if resources.measured:
        check_has_gpu(nodes, resources.cpus_per_trial)
    else:
        check_fit(nodes, resources.trial)


def check_trial_here(resources: ResourceSettings) -> None:
    """The same for this machine, before Ray is started on it."""
    asks_for_gpu = resources.measured or resources.trial.gpus > 0
    check_trial([local_node(count_gpus=asks_for_gpu)], resources)
