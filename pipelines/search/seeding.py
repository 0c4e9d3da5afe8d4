"""What a search may begin from: another run's trials, and configs in a file."""

from __future__ import annotations

from pathlib import Path

import yaml

from pipelines.search.record import load_spec, load_trials
from pipelines.search.trials import FinishedTrial
from search_spaces import Config, SearchSpace


def load_history(
    run: Path, space: SearchSpace, metric: str
) -> tuple[tuple[FinishedTrial, ...], int]:
    """The finished trials of ``run`` that ``space`` contains, and the number of the others.

    Raises ``ValueError`` where ``run`` is no run, or searched for another metric.
    """
    theirs = load_spec(run)["metric"]
    if theirs != metric:
        raise ValueError(f"--seed-from {run} searched for {theirs}, not for {metric}")
    trials = load_trials(run)
    fitting = tuple(trial for trial in trials if space.contains(trial.config))
    return fitting, len(trials) - len(fitting)


def load_configs(path: Path, space: SearchSpace) -> tuple[Config, ...]:
    """The configs in a YAML file: a list of mappings from names to values.

    Raises ``ValueError``, with the number of the config, for what the space does not contain.
    """
    try:
        entries = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"--start-with {path} cannot be read: {error}") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"--start-with {path} is not a list of configs: each '- name: value ...'")
    return tuple(_config(entry, space, f"{path}, config {n}") for n, entry in enumerate(entries, 1))


def _config(entry: dict[str, object], space: SearchSpace, where: str) -> Config:
    config: Config = {}
    for name, value in entry.items():
        if name not in space.domains:
            raise ValueError(f"--start-with {where}: the space has no parameter '{name}'")
        try:
            config[name] = space.domains[name].parse(str(value))
        except ValueError as error:
            raise ValueError(f"--start-with {where}: {name}: {error}") from None
    if problem := space.problem_with(config):
        raise ValueError(f"--start-with {where}: {problem}")
    return config
