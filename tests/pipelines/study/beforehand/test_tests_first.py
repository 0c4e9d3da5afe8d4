"""A search whose learning rates and batch sizes are bounded by a test that runs first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.sets.configs import LENET, STEPPED
from pipelines.study.beforehand import batch_first, range_first
from pipelines.study.beforehand.batch_first import bound_batch_size
from pipelines.study.beforehand.range_first import range_space
from pipelines.study.beforehand.tests_first import run_tests_first
from pipelines.study.prepare import resolve
from search_spaces import SPACES, Choice, Float, SearchSpace
from tests.pipelines.running import spec_of
from trainables.data.datasets import TrialData, load
from trainables.device.step_memory import default_bound
from trainables.networks import NETWORKS
from trainables.smith.batch_size import BatchSizeTest
from trainables.smith.lr_range_test import Bounds
from trainables.training.optimizers import OPTIMIZERS

CPU = torch.device("cpu")
MLP = NETWORKS["mlp"]


@pytest.fixture(scope="module")
def digits() -> TrialData:
    return load("digits")


@pytest.mark.parametrize("model", SPACES)
def test_learning_rates_lie_between_the_bounds_of_all_optimisers(
    digits: TrialData, model: str
) -> None:
    ranged = range_space(SPACES[model], NETWORKS[model], digits, first=None, seed=0, device=CPU)
    lr, ratio = ranged.space.domains["lr"], ranged.space.domains["base_lr_ratio"]
    assert isinstance(lr, Float)
    assert lr.low == min(b.base_lr for b in ranged.bounds.values())
    assert lr.high == max(b.to_search[1] for b in ranged.bounds.values())
    assert set(ranged.bounds) == ({"sgd"} if model == "cnn" else set(OPTIMIZERS))
    assert isinstance(ratio, Float)
    assert ratio.low == ratio.high == pytest.approx(0.1)
    assert ratio.when == SPACES[model].domains["base_lr_ratio"].when
    assert len(ranged.notes) == len(ranged.bounds)


def bounds_at(monkeypatch: pytest.MonkeyPatch, max_lr: float) -> None:
    """Makes every LR range test find these bounds."""
    found = Bounds(max_lr / 10, max_lr, max_lr, max_lr, 0.5, "made up")
    monkeypatch.setattr(range_first, "bounds_to_search", lambda *_: (None, found))


def test_configs_with_the_ratio_of_the_test_stay_in_the_space_whatever_its_rounding(
    digits: TrialData, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = np.random.default_rng(0).uniform(0.01, 1, 100).tolist()
    assert any((rate / 10) / rate != 0.1 for rate in rates)
    for rate in rates:
        bounds_at(monkeypatch, rate)
        ranged = range_space(SPACES["mlp"], MLP, digits, first=None, seed=0, device=CPU)
        assert ranged.space.domains["base_lr_ratio"].contains(0.1)


@pytest.mark.parametrize(
    ("given", "ratio"),
    [
        ({"fix": {"base_lr_ratio": 0.3}}, Float(0.3, 0.3, log=True)),
        ({"range": {"base_lr_ratio": (0.2, 0.4)}}, Float(0.2, 0.4, log=True)),
    ],
)
def test_a_ratio_that_the_user_sets_stays(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], ratio: Float
) -> None:
    bounds_at(monkeypatch, 0.1)
    space = resolve(spec_of(lr_range_test=True, **given)).space
    assert replace(space.domains["base_lr_ratio"], when=None) == ratio


@pytest.mark.parametrize(("asked", "bound"), [(None, default_bound(CPU)), ("1GB", 1e9)])
def test_the_memory_of_a_batch_size_test_is_bounded_on_a_cpu(
    digits: TrialData, monkeypatch: pytest.MonkeyPatch, asked: str | None, bound: float
) -> None:
    bounds: list[float | None] = []

    def run(*_: object, memory: float | None, **__: object) -> BatchSizeTest:
        bounds.append(memory)
        return BatchSizeTest((), 32, 512, "made up")

    monkeypatch.setattr(batch_first, "run_batch_size_test", run)
    run_tests_first(spec_of(batch_size_test=True, memory=asked), SPACES["mlp"], MLP, digits, ())
    assert bounds == [bound]


def test_a_space_without_a_range_of_learning_rates_is_refused(digits: TrialData) -> None:
    space = SearchSpace({"lr": Choice((0.1, 0.2))})
    with pytest.raises(ValueError, match="sets the range of lr: the space has none"):
        range_space(space, MLP, digits, first=None, seed=0, device=CPU)


def test_batches_that_do_not_fit_are_left_out(digits: TrialData) -> None:
    space, test, line = bound_batch_size(
        SPACES["mlp"], MLP, digits, first=None, memory=None, seed=0, device=CPU
    )
    assert space.domains["batch_size"] == SPACES["mlp"].domains["batch_size"]
    rows = {row.batch_size: row.memory for row in test.rows}
    space, test, line = bound_batch_size(
        SPACES["mlp"], MLP, digits, first=None, memory=rows[64] + 1, seed=0, device=CPU
    )
    assert isinstance(space.domains["batch_size"], Choice)
    assert space.domains["batch_size"].options == (32, 64)
    assert "at most 64" in line


def test_a_small_table_keeps_all_batches_where_memory_ends_none(digits: TrialData) -> None:
    """A training on it has batches of all its samples then."""
    small = replace(digits, x_train=digits.x_train[:20], y_train=digits.y_train[:20])
    space, test, line = bound_batch_size(
        SPACES["mlp"], MLP, small, first=None, memory=None, seed=0, device=CPU
    )
    assert test.largest == 16
    assert space == SPACES["mlp"]
    assert "all fit" in line
    memory = test.rows[0].memory + 1
    with pytest.raises(ValueError, match="8 is the largest batch that fits, and the space has"):
        bound_batch_size(SPACES["mlp"], MLP, small, first=None, memory=memory, seed=0, device=CPU)


def test_no_batch_that_fits_is_one_clear_error(digits: TrialData) -> None:
    first = LENET
    space = SPACES["mlp"].replace({"batch_size": Choice((512,))})
    rows = bound_batch_size(
        SPACES["mlp"], MLP, digits, first=first, memory=None, seed=0, device=CPU
    )[1].rows
    memory = next(row.memory for row in rows if row.batch_size == 64) + 1
    with pytest.raises(ValueError, match="64 is the largest batch that fits, and the space has"):
        bound_batch_size(space, MLP, digits, first=first, memory=memory, seed=0, device=CPU)


@pytest.mark.parametrize("given", [{"range": {"lr": (1e-3, 1)}}, {"fix": {"lr": 0.1}}])
def test_two_ranges_of_lr_contradict_each_other(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="leave lr out"):
        spec_of(lr_range_test=True, **given)


def test_the_bounds_reach_the_study() -> None:
    study = resolve(spec_of(model="cnn", lr_range_test=True))
    bounds = study.lr_bounds["sgd"]
    assert study.space.domains["lr"] == Float(*bounds.to_search, log=True)
    assert any(note.startswith("lr range  sgd") for note in study.notes)


def test_memory_alone_bounds_nothing() -> None:
    with pytest.raises(ValueError, match="`batch_size_test`, which is not given"):
        spec_of(memory="1GB")


def test_configs_that_the_tests_leave_out_are_counted_aloud(digits: TrialData) -> None:
    low, inside = ({**c, "lr": lr} for c, lr in zip((LENET, STEPPED), (1e-4, 0.01), strict=True))
    space = replace(SPACES["mlp"], try_first=(inside, low))
    after = run_tests_first(spec_of(lr_range_test=True), space, MLP, digits, (low, inside))
    assert after.start_with == (inside,)
    assert after.space.contains(inside)
    assert set(after.lr_bounds) == set(OPTIMIZERS)
    given, first = after.notes[-2:]
    assert given.startswith("start     1 of 2 configs of `start_with`: the others lie")
    assert after.space.try_first == (inside,)
    assert first.startswith("start     1 of 2 configs that the space tries first: the others")
