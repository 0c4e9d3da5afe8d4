"""Cross-validation in lockstep."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from trainables.data.datasets import TrialData, load, load_folds, load_test
from trainables.networks import NETWORKS
from trainables.training.cross_validation import (
    CrossValidated,
    Lockstep,
    ResumableLockstep,
    summarise,
)

CPU = torch.device("cpu")
CONFIG = {"n_layers": 1, "width_1": 8, "lr": 0.05, "dropout": 0.2}


@pytest.fixture(scope="module")
def folds() -> tuple[TrialData, ...]:
    return load_folds("wine", 3)


def test_each_sample_validates_once_and_none_is_of_the_test_split() -> None:
    folds = load_folds("digits", 5)
    whole = load("digits")
    test = load_test("digits")
    pool = len(whole.x_train) + len(whole.x_val)
    assert [len(f.x_train) + len(f.x_val) for f in folds] == [pool] * 5
    validated = np.concatenate([f.y_val for f in folds])
    assert len(validated) == pool
    everything = np.bincount(np.concatenate([validated, test.y]))
    assert (everything == np.bincount(np.concatenate([whole.y_train, whole.y_val, test.y]))).all()


def pixels(x: np.ndarray, inputs: Any) -> set[bytes]:
    """The images of digits before they were scaled."""
    return {image.tobytes() for image in np.rint(x * inputs.std[0] + inputs.mean[0]).astype(int)}


def test_no_row_of_the_test_split_is_in_a_fold() -> None:
    folds, whole = load_folds("digits", 3, seed=5), load("digits", seed=5)
    assert whole.preprocessing is not None
    hidden = pixels(load_test("digits", seed=5).x, whole.preprocessing.inputs)
    assert len(hidden) == 360
    for fold in folds:
        assert fold.preprocessing is not None
        seen = pixels(np.concatenate([fold.x_train, fold.x_val]), fold.preprocessing.inputs)
        assert len(seen) == 1437
        assert seen.isdisjoint(hidden)


def test_folds_are_stratified_and_seeded() -> None:
    first, same, other = (load_folds("digits", 4, seed=s) for s in (0, 0, 1))
    for fold in first:
        shares = np.bincount(fold.y_val) / len(fold.y_val)
        assert shares.min() > 0.08
        assert shares.max() < 0.12
    assert all((a.y_val == b.y_val).all() for a, b in zip(first, same, strict=True))
    assert any((a.y_val != b.y_val).any() for a, b in zip(first, other, strict=True))


def test_a_fold_is_normalised_by_its_own_train_part(folds: tuple[TrialData, ...]) -> None:
    for fold in folds:
        assert np.abs(fold.x_train.mean(axis=0)).max() < 1e-5


def test_a_regression_has_folds_too() -> None:
    assert {f.task for f in load_folds("diabetes", 3)} == {"regression"}


def test_a_class_that_is_smaller_than_the_folds_is_named() -> None:
    with pytest.raises(ValueError, match="has 38 samples for 40 folds"):
        load_folds("wine", 40)


def test_each_epoch_is_the_mean_of_the_folds(folds: tuple[TrialData, ...]) -> None:
    mlp = NETWORKS["mlp"]
    alone = []
    for fold in folds:
        training = mlp({**CONFIG, "dropout": 0.0}, fold, max_epochs=3, seed=0, device=CPU)
        alone.append([metrics["val_loss"] for metrics, _ in training])
    together = CrossValidated(mlp)(
        {**CONFIG, "dropout": 0.0}, folds, max_epochs=3, seed=0, device=CPU
    )
    for epoch, (metrics, model) in enumerate(together):
        losses = [values[epoch] for values in alone]
        assert metrics["epoch"] == epoch + 1
        assert metrics["val_loss"] == pytest.approx(statistics.fmean(losses))
        assert metrics["val_loss_std"] == pytest.approx(statistics.stdev(losses))
        assert isinstance(model, torch.nn.ModuleList)
        assert len(model) == 3


def test_one_diverged_fold_makes_the_config_diverged() -> None:
    summary = summarise(
        [{"val_loss": 0.1, "diverged": False}, {"val_loss": 1000.0, "diverged": True}]
    )
    assert summary["diverged"] is True


@pytest.mark.parametrize("diverged", [0, 1])
def test_a_fold_that_says_only_then_that_it_diverged_is_heard(diverged: int) -> None:
    folds: list[dict[str, Any]] = [{"val_loss": 0.1, "more": 1.0}, {"val_loss": 0.1, "more": 1.0}]
    folds[diverged] = {"val_loss": 1000.0, "diverged": True}
    summary = summarise(folds)
    assert summary["diverged"] is True
    assert summary["val_loss"] == pytest.approx(500.05)
    assert "more" not in summary
    folds[diverged] = {"val_loss": math.nan}
    assert math.isnan(summarise(folds)["val_loss"])


def test_seconds_are_those_of_all_folds_together() -> None:
    folds = [{"val_loss": 0.1, "seconds": 1.5}, {"val_loss": 0.3, "seconds": 2.0}]
    assert summarise(folds)["seconds"] == 3.5


def test_folds_with_other_metrics_are_refused() -> None:
    with pytest.raises(ValueError, match="same metrics for every fold, but only some have b, a"):
        summarise([{"val_loss": 0.1, "b": 1.0}, {"val_loss": 0.1, "a": 1.0}])


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ({"val_loss": 0.5}, "but it returned {'val_loss': 0.5}, a dict: it needs a `yield`"),
        ([0.5], "but it yielded 0.5, a float"),
        ([({"val_loss": None}, None)], "yield numbers, but its metric 'val_loss' is None"),
    ],
)
def test_what_is_no_trainable_is_told_so_of_folds_too(returned: Any, words: str) -> None:
    def start(*_: Any, **__: Any) -> Any:
        return iter(returned) if isinstance(returned, list) else returned

    with pytest.raises(TypeError, match=re.escape(words)):
        next(CrossValidated(start)({}, (0, 1), max_epochs=1, seed=0, device=CPU))


@pytest.mark.parametrize(
    "values",
    [
        (math.nan, 1.0),
        (1.0, math.inf),
        (math.inf, -math.inf),
        (math.inf, math.inf),
        (1.5e308, 1.5e308),  # their sum is infinite
    ],
)
def test_what_is_not_finite_in_one_fold_is_not_in_the_mean(values: tuple[float, ...]) -> None:
    summary = summarise([{"val_loss": value, "mine": value} for value in values])
    assert not math.isfinite(summary["val_loss"])
    assert not math.isfinite(summary["mine"])
    assert math.isnan(summary["val_loss_std"])


def test_folds_go_on_from_their_state(folds: tuple[TrialData, ...]) -> None:
    def start() -> Any:
        return CrossValidated(NETWORKS["mlp"])(CONFIG, folds, max_epochs=4, seed=0, device=CPU)

    def losses(training: Any) -> list[float]:
        return [metrics["val_loss"] for metrics, _ in training]

    straight = losses(start())
    interrupted = start()
    assert isinstance(interrupted, ResumableLockstep)
    next(interrupted), next(interrupted)
    state = interrupted.state_dict()  # before another training seeds torch's generator
    resumed = start()
    resumed.load_state_dict(state)
    assert losses(resumed) == straight[2:]


def generator(config: Any, data: Any, **_: Any) -> Iterator[Any]:
    yield {"val_loss": 1.0}, None
    if data:
        yield {"val_loss": 2.0}, None


def test_generators_end_together_and_cannot_be_saved() -> None:
    training = CrossValidated(generator)({}, (False, True), max_epochs=9, seed=0, device=CPU)
    assert type(training) is Lockstep
    assert [(m["val_loss"], model) for m, model in training] == [(1.0, None)]
