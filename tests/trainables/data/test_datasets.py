"""Every source of data: names, splits, fractions and seeds, and messages for unusable sources."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trainables.data.datasets import DATASETS, describe, load, load_test
from trainables.data.images import Images


def write_csv(path: Path, **columns: object) -> str:
    pd.DataFrame(columns).to_csv(path, index=False)
    return str(path)


def test_import_is_light() -> None:
    code = (
        "import sys, trainables.data.datasets; "
        "print([m for m in ('torch', 'sklearn', 'pandas', 'PIL', 'ray') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("digits", "digits: 1078 train + 359 validation images 1x8x8, 10 classes"),
        ("breast_cancer", "breast_cancer: 342 train + 113 validation rows of 30 features, 2 class"),
        ("wine", "wine: 107 train + 35 validation rows of 13 features, 3 classes"),
        ("diabetes", "diabetes: 265 train + 88 validation rows of 10 features, regression"),
    ],
)
def test_embedded(name: str, line: str) -> None:
    data = load(name)
    assert describe(data).startswith(line)
    assert data.name == name
    assert data.x_train.dtype == data.x_val.dtype == np.float32
    assert data.input_shape == data.x_val.shape[1:]
    assert data.is_image == (name == "digits")
    axes = (0, 2, 3) if data.is_image else (0,)
    np.testing.assert_allclose(data.x_train.mean(axis=axes, dtype=float), 0, atol=1e-5)
    np.testing.assert_allclose(data.x_train.std(axis=axes, dtype=float), 1, atol=1e-5)
    if data.task == "classification":
        assert data.y_train.dtype == np.int64
        assert set(data.y_train) == set(data.y_val) == set(range(data.n_classes))
        assert len(data.class_names) == data.n_classes
    else:
        assert data.y_train.dtype == np.float32
        assert (data.n_classes, data.class_names) == (1, ())
        assert data.y_train.mean() == pytest.approx(0, abs=1e-5)
        assert data.y_train.std() == pytest.approx(1, abs=1e-5)


def test_stratified() -> None:
    data = load("breast_cancer")
    assert data.y_val.mean() == pytest.approx(data.y_train.mean(), abs=0.01)


def test_seed_decides_the_split_and_nothing_else() -> None:
    first, again, other = load("wine", seed=1), load("wine", seed=1), load("wine", seed=2)
    np.testing.assert_array_equal(first.x_train, again.x_train)
    assert not np.array_equal(first.x_train, other.x_train)
    assert first.fingerprint == again.fingerprint == other.fingerprint


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_load_and_load_test_are_disjoint_and_together_complete(tmp_path: Path, kind: str) -> None:
    number = np.arange(100)
    target = number % 3 if kind == "classification" else number / 7
    # Two digits: both are in the train rows, so no number is outside their range.
    source = write_csv(tmp_path / "t.csv", tens=number // 10, ones=number % 10, y=target)
    for seed in (0, 1):
        data, test = load(source, target="y", seed=seed), load_test(source, target="y", seed=seed)
        assert (len(data.x_train), len(data.x_val), len(test.x)) == (60, 20, 20)
        x = np.concatenate([data.x_train, test.x, data.x_val])
        tens, ones = (np.unique(digits, return_inverse=True)[1] for digits in x.T)
        numbers = 10 * tens + ones
        assert sorted(numbers) == list(number)
        if kind == "regression":  # test targets are in the same unit as train targets
            targets = np.concatenate([data.y_train, test.y])
            numbers = numbers[: len(targets)]
            assert np.corrcoef(numbers, targets)[0, 1] == pytest.approx(1, abs=1e-6)


def test_fraction_takes_a_nested_stratified_part_of_train_only() -> None:
    whole, half, least = load("digits"), load("digits", fraction=0.5), load("digits", fraction=1e-9)
    np.testing.assert_array_equal(whole.x_val, half.x_val)
    assert len(half.x_train) == pytest.approx(539, abs=5)
    np.testing.assert_allclose(np.bincount(half.y_train), np.bincount(whole.y_train) / 2, atol=0.6)
    assert sorted(least.y_train) == list(range(10))
    rows = {sample.tobytes() for sample in half.x_train}
    assert rows <= {sample.tobytes() for sample in whole.x_train}
    assert {sample.tobytes() for sample in least.x_train} <= rows
    assert len(load("diabetes", fraction=0.1).x_train) == 26


def test_rare_classes_reach_every_part(tmp_path: Path) -> None:
    labels = ["common"] * 190 + ["a"] * 3 + ["b"] * 3 + ["c"] * 4
    source = write_csv(tmp_path / "t.csv", x=range(200), y=labels)
    for seed in range(10):
        data, test = load(source, target="y", seed=seed), load_test(source, target="y", seed=seed)
        assert set(data.y_train) == set(data.y_val) == set(test.y) == {0, 1, 2, 3}


@pytest.mark.parametrize(("n_classes", "per_class"), [(2, 5), (4, 3), (20, 3), (3, 4), (5, 7)])
def test_smallest_classifications_split(tmp_path: Path, n_classes: int, per_class: int) -> None:
    labels = np.arange(n_classes * per_class) % n_classes
    source = write_csv(tmp_path / "t.csv", x=range(len(labels)), y=labels)
    data, test = load(source, target="y"), load_test(source, target="y")
    assert set(data.y_train) == set(data.y_val) == set(test.y) == set(range(n_classes))
    assert len(data.y_train) + len(data.y_val) + len(test.y) == len(labels)


def table(**columns: object) -> Callable[[Path], str]:
    return lambda folder: write_csv(folder / "t.csv", **columns)


TEN = list(range(10))

UNUSABLE: dict[str, tuple[Callable[[Path], str], str | None, str]] = {
    "unknown name": (lambda _: "dgits", None, r"'dgits' \(did you mean 'digits'\?\).*wine.*\.csv"),
    "nothing like it": (lambda _: "zzz", None, "unknown data set 'zzz': give one of digits, "),
    "blank": (lambda _: " ", None, "unknown data set ' '"),
    "two lines": (lambda _: "a\nb", None, r"unknown data set 'a\\nb'"),
    "no such file": (lambda _: "no/such.csv", "y", "'no/such.csv' does not exist"),
    "no such folder": (lambda _: "no/such", None, "'no/such' does not exist"),
    "no such home": (lambda _: "~no-such-user/t.csv", "y", "~no-such-user.*cannot be opened"),
    "name too long": (lambda _: "x" * 5000, None, "cannot be opened"),
    "extension": (
        lambda folder: write_csv(folder / "t.xlsx", x=TEN),
        "y",
        r"unsupported extension '\.xlsx': give a \.csv or",
    ),
    "no target": (table(x=TEN, y=[0, 1] * 5), None, r"t\.csv' needs a target: .*one of 'x', 'y'$"),
    "target for a name": (lambda _: "wine", "y", "target 'y' given for 'wine', which has its own"),
    "one class": (table(x=TEN, y=["a"] * 10), "y", "has only the class 'a'.* at least 2"),
    "class of one": (
        table(x=TEN, y=["a"] * 9 + ["b\nc"]),
        "y",
        r"class 'b\\nc' has 1 sample: every class needs at least 3, one each for train, valid",
    ),
    "class of texts": (table(x=TEN, y=["a"] * 8 + ["b"] * 2), "y", r"class 'b' .* and test$"),
    "class of two": (
        table(x=TEN, y=[1] * 8 + [5] * 2),
        "y",
        "class '5' has 2 samples.*; `task` regress",
    ),
}


@pytest.mark.parametrize(("write", "target", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_source(
    tmp_path: Path, write: Callable[[Path], str], target: str | None, message: str
) -> None:
    source = write(tmp_path)
    for function in (load, load_test):
        with pytest.raises(ValueError, match=message) as caught:
            function(source, target=target)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.01, float("nan"), float("inf")])
def test_unusable_fraction(fraction: float) -> None:
    with pytest.raises(ValueError, match=f"fraction {fraction}: must be greater than 0 and at mo"):
        load("wine", fraction=fraction)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_unusable_seed(seed: int) -> None:
    with pytest.raises(ValueError, match=f"seed {seed}: must be between 0 and 4294967295"):
        load("wine", seed=seed)


@pytest.mark.parametrize(
    ("x", "y", "rule"),
    [
        (np.zeros((40, 1, 4, 4)), np.arange(30) % 2, "has 40 samples and 30 targets"),
        (np.full((40, 1, 4, 4), np.nan), np.arange(40) % 2, "has pixels that are not finite"),
        (np.zeros((40, 1, 4, 4)), np.full(40, np.nan), "has targets that are not finite"),
    ],
)
def test_an_own_data_set_is_sound(
    monkeypatch: pytest.MonkeyPatch, x: np.ndarray, y: np.ndarray, rule: str
) -> None:
    monkeypatch.setitem(DATASETS, "own", lambda: Images(x.astype(np.float32), y, ("a", "b")))
    with pytest.raises(ValueError, match=f"data set 'own' {rule}"):
        load("own")


def test_the_data_sets_that_the_documentation_names_are_there() -> None:
    assert set(DATASETS) >= {
        *("digits", "breast_cancer", "wine", "diabetes"),
        *("mnist", "fashion_mnist", "cifar10"),
    }
