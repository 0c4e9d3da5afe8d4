"""The commands to type after a search: here, or on the computer that launched the cluster."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.cli.options import to_type
from pipelines.cluster.machines import Cluster
from pipelines.record.files import RunFiles
from pipelines.record.sessions import address_here, read_sessions
from pipelines.study.references import is_importable
from pipelines.study.study import Study
from pipelines.study.typed import in_python, option_words, shown

_CLUSTER = "CLUSTER.yaml"  # the file that `ray up` was given there


def to_go_on(study: Study, cluster: Cluster | None, time_budget: float | None = None) -> str:
    """The command that goes on with the search ``study``, or the call in Python if no command can
    import its function; ``cluster`` is None if none was needed."""
    folder, trainable = study.folder, study.spec.problem.trainable
    if cluster and cluster.launched and is_importable(trainable):
        return _to_submit("run", resume=_from_home(folder), time_budget=time_budget)
    return to_resume(folder, trainable, _address(study, cluster), time_budget)


def to_resume(
    folder: Path, trainable: str | None, address: str | None, time_budget: float | None = None
) -> str:
    """The command that goes on with the run in ``folder`` from here, or the call in Python if no
    command can import its function ``trainable``."""
    if not is_importable(trainable):
        return in_python(folder, trainable, time_budget)
    return to_type("run", resume=shown(folder), time_budget=time_budget, address=address)


def instead_of_resuming(folder: Path, scheduler: str, *, has_trials: bool) -> str:
    """What to do if ``scheduler`` does not let the run in ``folder`` go on."""
    learn = f": a new search learns from its trials with --seed-from {shown(folder)}"
    return f"not possible with scheduler={scheduler}{learn if has_trials else ''}"


def next_lines(study: Study, cluster: Cluster | None, *, has_winner: bool) -> Iterator[str]:
    """The commands that show the run of ``study``, and that test its winner, if there is one that
    a command can train again."""
    folder, trainable = study.folder, study.spec.problem.trainable
    if cluster and cluster.launched:
        yield f"next      {_to_fetch(folder)}"
        evaluate = _to_submit("evaluate", str(_from_home(folder)))
    else:
        yield f"next      {to_type('report', str(shown(folder)))}"
        evaluate = to_type("evaluate", str(shown(folder)), address=_address(study, cluster))
    if has_winner and is_importable(trainable):
        yield f"then      {evaluate}"


def _address(study: Study, cluster: Cluster | None) -> str | None:
    """The address of ``cluster``, or of the one that the search ran on before."""
    if cluster:
        return cluster.address
    return address_here(read_sessions(RunFiles(study.folder)))


def _to_fetch(folder: Path) -> str:
    run = folder.name if folder.parent == Path.home() / "runs" else str(folder)
    return shlex.join(["python", "pipelines/fetch.py", _CLUSTER, run])


def _to_submit(name: str, *words: str, **options: Any) -> str:
    typed = option_words({"address": "auto", **options})
    return shlex.join(["ray", "submit", _CLUSTER, f"pipelines/{name}.py", *words, *typed])


def _from_home(folder: Path) -> Path:
    """`ray submit` runs a command in the home folder."""
    return folder.relative_to(Path.home()) if folder.is_relative_to(Path.home()) else folder
