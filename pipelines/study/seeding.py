"""What a search may begin from: the trials of another run, and configs in a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipelines.record.goals import SIZE, Goals
from pipelines.record.trials import FinishedTrial
from pipelines.study.runs import Run, open_run
from pipelines.study.spec import StudySpec
from pipelines.study.yaml_file import read_yaml
from search_spaces import Config, SearchSpace
from trainables.data.datasets import TrialData
from trainables.networks import Network


def history_of(
    spec: StudySpec,
    space: SearchSpace,
    network: Network | None,
    data: TrialData,
    only: Sequence[str] | None = None,
) -> tuple[tuple[FinishedTrial, ...], list[str]]:
    """The trials of ``seed_from``, if it is given, and lines that say so. ``only`` and the errors
    are those of :func:`load_history`."""
    if spec.space.seed_from is None:
        return (), []
    return load_history(
        spec.space.seed_from,
        space,
        spec.problem.goals,
        data.fingerprint,
        None if network is None else partial(network.size, data=data),
        only,
        split_seed=spec.split_seed,
    )


def load_history(
    folder: Path,
    space: SearchSpace,
    goals: Goals,
    fingerprint: str,
    size: Callable[[Config], int] | None = None,
    only: Sequence[str] | None = None,
    *,
    split_seed: int,
) -> tuple[tuple[FinishedTrial, ...], list[str]]:
    """The finished trials of the run in ``folder`` that ``space`` contains, and lines for the user:
    how many there are, and a warning if they were trained on other data, or on another split of
    the data than that with ``split_seed``.

    They are judged by the present requirements. A trial that was not trained, but would be trained
    now, is left out. ``size`` counts the parameters of a config's network. If ``only`` is given, it
    names the trials to use, in their order.

    Raises ``ValueError`` if ``folder`` is not a run, or if the run searched for another metric.
    """
    run = open_run(folder)
    theirs, ours = run.spec.problem.metric, goals.first.name
    if theirs != ours:
        raise ValueError(f"`seed_from` {folder} searched for {theirs}, not for {ours}")
    trials = run.finished
    if only is not None:
        named = {trial.trial_id: trial for trial in trials}
        trials = [named[name] for name in only if name in named]
    whole = [replace(trial, config=space.completed(trial.config)) for trial in trials]
    inside = [trial for trial in whole if space.contains(trial.config)]
    if size is not None and SIZE in goals.names:
        inside = [replace(trial, n_parameters=size(trial.config)) for trial in inside]
    judged = map(goals.judged, inside)
    # A trial that was not trained, because of a requirement that is gone, teaches nothing.
    fitting = tuple(trial for trial in judged if trial.broken or not trial.untrained)
    untrained, outside = len(inside) - len(fitting), len(trials) - len(inside)
    n, kind = len(fitting), "history" if fitting else "warning"
    line = f"{kind:<10}{n} trial{'s' * (n != 1)} of {folder}"
    if not trials:
        line = f"warning   {folder} has no finished trial to learn from"
    line += f"; {outside} dropped: the space does not contain them" if outside else ""
    line += f"; {untrained} dropped: they were not trained" if untrained else ""
    return fitting, [line, *other_data(run, fingerprint, split_seed)]


def other_data(run: Run, fingerprint: str, split_seed: int) -> list[str]:
    """A line that warns if ``run`` did not search the data with this fingerprint, or if another
    seed split them."""
    theirs, seed = run.data.fingerprint, run.spec.split_seed
    if theirs != fingerprint:
        return [
            f"warning   {run.files.folder} searched other data: {run.data.name}, fingerprint "
            f"{theirs[:8]}, here {fingerprint[:8]}"
        ]
    if seed != split_seed:
        return [
            f"warning   {run.files.folder} split the data with the seed {seed}, not {split_seed}: "
            f"it may have chosen by what are test rows here; `split_seed` {seed} avoids that"
        ]
    return []


def load_configs(path: Path, space: SearchSpace) -> tuple[Config, ...]:
    """The configs in a YAML file: a list of mappings from names to values.

    Raises ``ValueError``, with the number of the config, for what the space does not contain.
    """
    entries = read_yaml(path, "start_with")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"`start_with` {path} is not a list of configs: each '- name: value ...'")
    return tuple(_config(entry, space, f"{path}, config {n}") for n, entry in enumerate(entries, 1))


def _config(entry: dict[str, object], space: SearchSpace, where: str) -> Config:
    config: Config = {}
    for name, value in entry.items():
        if name not in space.domains:
            raise ValueError(f"`start_with` {where}: the space has no parameter '{name}'")
        try:
            config[name] = space.domains[name].parse(str(value))
        except ValueError as error:
            raise ValueError(f"`start_with` {where}: {name}: {error}") from None
    whole = space.completed(config)
    if problem := space.problem_with(whole):
        raise ValueError(f"`start_with` {where}: {problem}")
    return whole
