"""The benchmark of super-convergence: its statistics and its verdicts."""

import pytest

from benchmarks.clr import LRS, NETWORK, Measured, Trained, accuracy_of, app, train, verdict
from pipelines.cli.command import main as run
from trainables.data.datasets import load, load_test

CONFIG = {**NETWORK, "n_blocks": 1, "channels": 2, "batch_size": 256, "lr": 0.1}


def measured(*test: float, epochs: int = 30) -> Measured:
    return Measured("constant", epochs, LRS[1], (Trained((0.5, 0.9), 1.0, None),), test)


@pytest.mark.parametrize(
    ("short", "word"),
    [
        ((0.90, 0.92), "reached"),
        ((0.99, 0.97), "reached"),
        ((0.88, 0.92), "missed by no more than noise"),  # -0.01 +- 0.022
        ((0.80, 0.82), "missed"),
    ],
)
def test_verdict_weighs_the_noise(short: tuple[float, ...], word: str) -> None:
    said = verdict(measured(*short, epochs=10), measured(0.90, 0.92))
    assert said.endswith(f": {word}")
    assert said.startswith("constant in 10 epochs, constant in 30: ")


def test_epochs_are_counted_to_the_first_that_reaches() -> None:
    curve = Trained((0.5, 0.9, 0.8, 0.9), 1.0, None)
    assert (curve.epochs_to(0.9), curve.epochs_to(0.4), curve.epochs_to(0.95)) == (2, 1, None)
    rows = [measured(0.9, 0.9).row(accuracy) for accuracy in (0.9, 0.95)]
    assert rows[0].endswith("2.0, 1 of 1")
    assert rows[1].endswith("  0 of 1")


def test_training_and_the_test_accuracy_at_its_end() -> None:
    trained = train(CONFIG, load("digits"), 2, 0)
    assert len(trained.curve) == 2
    assert 0 < accuracy_of(trained.model, load_test("digits")) < 1


def test_divergence_is_an_accuracy_of_0() -> None:
    trained = train({**CONFIG, "lr": 1e30}, load("digits"), 3, 0)
    assert trained.curve[1:] == (0.0, 0.0)
    assert trained.model is None
    assert accuracy_of(trained.model, load_test("digits")) == 0


@pytest.mark.parametrize("too_few", ["--seeds=1", "--epochs=2"])
def test_too_few_are_refused_before_anything_is_trained(
    too_few: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app, [too_few]) == 2
    assert "Must be >=" in capsys.readouterr().err


def test_unknown_data_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, ["--data", "wine"]) == 2
    assert "'wine' is none of digits, mnist" in capsys.readouterr().err
