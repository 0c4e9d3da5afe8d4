"""What is known about a search before its data are loaded, and what its trials import."""

from __future__ import annotations

from pipelines.study.spec import StudySpec

IMPORTS = (
    "pipelines.tuner.worker.trial",
    "trainables.device.reused",
    "trainables.networks.cnn",
    "trainables.networks.mlp",
    "trainables.training.fit",
)


def job_of(spec: StudySpec) -> dict[str, str]:
    """The metadata of a search in Ray's list of jobs; its data need not be loaded yet."""
    problem, algorithm = spec.problem, spec.search.algo
    what = f"{problem.name} with {algorithm} on {problem.data}"
    told = {"job_name": spec.run.name or what, "algorithm": algorithm, "data": problem.data}
    return {**told, "run": spec.run.name or "named when it begins", "model": problem.name}
