"""What the processes of a search may do before its first trials come."""

from __future__ import annotations

import os

from pipelines.study.spec import StudySpec

_OF_A_TRIAL = ("pipelines.tuner.trial", "trainables.training.fit", "trainables.device.reused")


def job_of(spec: StudySpec) -> dict[str, str]:
    """What Ray's list of jobs says of a search, before its data are loaded."""
    problem, algorithm = spec.problem, spec.search.algo
    what = f"{problem.name} with {algorithm} on {problem.data}"
    told = {"job_name": spec.run.name or what, "algorithm": algorithm, "data": problem.data}
    return {**told, "run": spec.run.name or "named when it begins", "model": problem.name}


def imports_of_trials(spec: StudySpec) -> tuple[str, ...]:
    """The modules of a trial. None where most of this machine's cores, for each of which Ray starts
    a process, would import them for nothing."""
    resources, cores = spec.resources, os.cpu_count() or 1
    at_once = int(cores / resources.cpus_per_trial) if resources.cpus_per_trial else cores
    used = min(at_once, resources.max_concurrent or cores, spec.budget.trials)
    return _OF_A_TRIAL if 2 * used >= cores else ()
