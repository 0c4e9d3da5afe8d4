"""What the tests before a search train: the config of a file, of a run's best trial, or of the
space; and that search as a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.cli.command import to_type
from search_spaces import SPACES
from search_spaces.policies import policy_domains
from trainables.training.config import TrainingConfig
from trainables.training.schedules import POLICIES


@dataclass(frozen=True)
class Subject:
    """A network's hyperparameters, and the data that it is to learn."""

    model: str
    config: Mapping[str, object]
    data: str
    target: str | None
    data_fraction: float
    seed: int


def find_subject(
    *,
    model: str | None,
    data: str | None,
    target: str | None,
    seed: int | None,
    config: Path | None,
    run: Path | None,
) -> Subject:
    """What is None comes from ``run``, else it is what a search has by default.

    The config is that of the file ``config``, or of the best trial of ``run``, or the first that a
    search would try; its policy is made constant. Raises ``ValueError`` for a file or a run that
    is not there or holds no config, and for a ``model`` that is not the run's.
    """
    if config is not None and run is not None:
        raise ValueError(f"--config {config} and --from {run}: give one of the two")
    if run is not None:
        return _of_run(run, model, data, target, seed)
    name = model or "mlp"
    values = SPACES[name].try_first[0] if config is None else _read(config)
    if (policy := values.get("policy", "constant")) not in POLICIES:
        raise ValueError(f"--config {config}: the policy {policy} is none of {', '.join(POLICIES)}")
    return Subject(name, _constant(values), data or "digits", target, 1.0, seed or 0)


def search_command(subject: Subject, *options: str) -> str:
    """What to type for a search of the same problem, with ``options``."""
    words = ["--model", subject.model, "--data", subject.data]
    if subject.target is not None:
        words += ["--target", subject.target]
    if subject.seed:
        words += ["--seed", str(subject.seed)]
    return to_type("run", *words, *options)


def _of_run(
    run: Path, model: str | None, data: str | None, target: str | None, seed: int | None
) -> Subject:
    from pipelines.search.record import load_spec, load_trials
    from pipelines.search.trials import best_trial
    from trainables.training.metrics import METRICS

    spec = load_spec(run)
    if spec["model"] not in SPACES:
        raise ValueError(f"--from {run} searched {spec['model']}, not {' or '.join(SPACES)}")
    if model not in (None, spec["model"]):
        raise ValueError(f"--from {run} has the model {spec['model']}, not {model}")
    best = best_trial(load_trials(run), METRICS[spec["metric"]])
    if best is None:
        raise ValueError(f"--from {run}: no trial of the run ended soundly")
    same_data = data in (None, spec["data"])
    return Subject(
        model=spec["model"],
        config=_constant(best.config),
        data=data or spec["data"],
        target=target or (spec.get("target") if same_data else None),
        data_fraction=spec.get("data_fraction", 1.0) if same_data else 1.0,
        seed=spec["seed"] if seed is None else seed,
    )


def _read(path: Path) -> dict[str, object]:
    """The mapping in a YAML file, or the first of a list of them."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ValueError(f"--config {path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"--config {path} is no YAML: {error}") from None
    first = content[0] if isinstance(content, list) and content else content
    if not isinstance(first, dict) or not first:
        raise ValueError(f"--config {path} holds no config: a mapping 'name: value', or a list")
    return {str(name): _number(value) for name, value in first.items()}


def _number(value: object) -> object:
    """YAML takes 1e-3, without a point, for text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _constant(config: Mapping[str, object]) -> dict[str, object]:
    """Without what another policy takes; where that moved the momentum, with the default one."""
    moving = policy_domains().keys() - {"momentum"}
    kept = {name: value for name, value in config.items() if name not in moving}
    # The sweep sets the learning rate, but a config needs one.
    return {"lr": 1.0, "momentum": TrainingConfig.momentum, **kept, "policy": "constant"}
