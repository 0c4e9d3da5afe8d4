"""The seed of a search determines every random draw, and another seed gives other draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.record.events import Asked, read_events
from pipelines.record.files import RunFiles
from pipelines.study.prepare import prepare
from pipelines.tuner.sampling.algorithms import ALGORITHMS
from tests.pipelines.running import spec_of, study_of
from tests.pipelines.study.without_ray import Curve, search, without_ray

__all__ = ["without_ray"]

DRAWS = [name for name, algorithm in ALGORITHMS.items() if algorithm.size is None]


def trainable(config: dict[str, Any], data: Any, *, max_epochs: int, **_: Any) -> Curve:
    return Curve(lambda config, epoch: config["x"] / epoch, config, max_epochs)


def asked(folder: Path, algo: str, seed: int) -> list[Asked]:
    study = study_of(folder, trainable, algo=algo, seed=seed)
    search(study)
    return [e for e in read_events(RunFiles(folder).events) if isinstance(e, Asked)]


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize("algo", DRAWS)
def test_another_seed_gives_other_configs_and_other_trainings(tmp_path: Path, algo: str) -> None:
    first, same, other = (
        asked(tmp_path / name, algo, seed) for name, seed in (("a", 5), ("b", 5), ("c", 6))
    )
    assert [e.config for e in first] == [e.config for e in same]
    assert all(a.config != b.config for a, b in zip(first, other, strict=True))
    assert {e.seed for e in first} == {5}
    assert {e.seed for e in other} == {6}


@pytest.mark.parametrize("folds", [None, 2])
def test_another_seed_gives_other_rows_to_validate(elsewhere: Path, folds: int | None) -> None:
    first, same, other = (
        prepare(spec_of(data="wine", seed=seed, folds=folds)).data for seed in (5, 5, 6)
    )
    assert (first.x_val == same.x_val).all()
    assert (first.x_val != other.x_val).any()
    assert first.fingerprint == other.fingerprint  # it covers all rows, and the table is the same
