"""Bad input of a search is one line that names the value and the rule, and starts nothing."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
import ray
from PIL import Image

from pipelines import run
from pipelines.cli.command import main
from pipelines.cluster.machines import Cluster

pytestmark = pytest.mark.usefixtures("elsewhere")


def write_bad_inputs() -> None:
    Path("empty.csv").write_text("")
    Path("one.csv").write_text("x,y\n" + "1,a\n" * 20)
    Path("lonely.csv").write_text("x,y\n" + "1,a\n2,b\n" * 10 + "3,c\n")
    Path("bare").mkdir()
    for label in "ab":
        Path("photos", label).mkdir(parents=True)
        for i in range(5):
            Image.new("RGB", (9, 9)).save(Path("photos", label, f"{i}.png"))
    Path("photos/b/broken.png").write_bytes(b"no picture")
    Path("runs/taken").mkdir(parents=True)
    Path("mine.py").write_text(
        "SPACE = 3\n\ndef train(config, data, **_): ...\n\ndef bare(): ...\n"
    )
    Path("bad.yaml").write_text("- {lr: 0.1}\n")
    Path("typo.yaml").write_text("budget: {trails: 3}")
    Path("zero.yaml").write_text("budget: {trials: 0}")
    Path("broken.py").write_text("raise KeyError('oops')\n")
    os.mkfifo("pipe.csv")
    Path("endless.csv").symlink_to("/dev/zero")
    Path("twice.csv").write_text("x,y,y\n" + "1,2,3\n" * 20)
    Path("loop/a").mkdir(parents=True)
    Path("loop/a/up").symlink_to("..")
    Path("deep.yaml").write_text("[" * 3000 + "]" * 3000)
    Path("date.yaml").write_text("!!timestamp 'x'\n")
    Path("large.yaml").touch()
    os.truncate("large.yaml", 10_000_001)
    lines = [f"{b}: &{b} [{f'*{a}, ' * 9}]\n" for a, b in itertools.pairwise("abcdefghi")]
    Path("many.yaml").write_text(f"a: &a [{'x, ' * 9}]\n{''.join(lines)}")


BAD = [
    ("--algo optun", "optun", "optuna"),
    ("--model rnn", "rnn", "cnn"),
    ("--data digit", "digit", "digits"),
    ("--scheduler medium", "medium", "median"),
    ("--metric f1", "f1", "val_loss"),
    ("--data gone.csv --target y", "gone.csv", "does not exist"),
    ("--data empty.csv --target y", "empty.csv", "empty"),
    ("--data one.csv --target z", "'z'", "'x', 'y'"),
    ("--data one.csv", "one.csv", "target"),
    ("--data one.csv --target y", "'a'", "at least 2"),
    ("--data lonely.csv --target y", "'c'", "at least 3"),
    ("--data bare", "bare", "sub-folder"),
    ("--data pipe.csv --target y", "pipe.csv", "a pipe, not a file"),
    ("--data endless.csv --target y", "endless.csv", "a device, not a file"),
    ("--data twice.csv --target y", "twice.csv", "more than one column 'y'"),
    ("--data one.csv --target y --drop z", "'z'", "'x', 'y'"),
    ("--data one.csv --target y --drop x", "one.csv", "no feature columns"),
    ("--data one.csv --target y --drop y", "--drop y", "the target"),
    ("--data one.csv --target y --task regression", "'y'", "texts"),
    ("--data wine --drop x", "wine", "--drop"),
    ("--data loop", "loop/a/up", "a link to a folder that contains it"),
    ("--data photos", "broken.png", "decoded"),
    ("--data wine --model cnn", "wine", "images"),
    ("--data diabetes --metric val_accuracy", "val_accuracy", "val_r2"),
    ("--data diabetes --metric val_auc", "val_auc", "val_rmse"),
    ("--data diabetes --class-weights balanced", "--class-weights balanced", "no classes"),
    ("--class-weights heavy", "heavy", "balanced"),
    ("--also val_accuracy", "--also val_accuracy", "an objective already"),
    ("--also val_loss --also val_loss", "--also val_loss", "an objective already"),
    ("--also val_loss --algo cmaes", "--algo cmaes", "searches for one objective"),
    ("--require val_r2<1", "--require val_r2", "does not fit 'digits'"),
    ("--require val_accuracy>2", "--require val_accuracy>2", "at most 1"),
    ("--require val_loss<0", "--require val_loss<0", "at least 0"),
    ("--target-value 95", "--target-value 95", "val_accuracy is at most 1"),
    ("--metric val_loss --target-value -1", "--target-value -1", "val_loss is at least 0"),
    ("--require n_parameters<1", "n_parameters<1", "1,000 networks drawn at random"),
    ("--data-fraction 1.5", "1.5", "above 1"),
    ("--trials 0", "0", "below 1"),
    ("--trials many", "many", "whole number"),
    ("--max-epochs -1", "-1", "below 1"),
    ("--time-budget -5m", "-5m", "20m"),
    ("--target-value nan", "nan", "finite"),
    ("--reduction-factor 1", "1", "above 1"),
    ("--grace-period 9 --max-epochs 4", "9", "4"),
    ("--gpus-per-trial 0.3", "0.3", "1/3"),
    ("--gpus-per-trial 2", "2", "1 GPUs"),
    ("--cpus-per-trial 3", "3", "2 CPUs"),
    ("--cpus-per-trial 0", "0", "above 0"),
    ("--max-concurrent 0", "0", "below 1"),
    ("--name taken", "taken", "exists"),
    ("--name a/b", "a/b", "begin with a letter or a digit"),
    (f"--name {'n' * 300}", "has 300 characters", "at most 128"),
    ("--storage=", "--storage ''", "not a path"),
    ("--runs-dir=", "--runs-dir ''", "not a path"),
    ("--storage /proc/none", "/proc/none", "cannot be written"),
    ("--runs-dir /proc/none", "/proc/none", "cannot be written"),
    ("--seed -1", "-1", "below 0"),
    ("--algo grid --trials 3", "36", "--levels"),
    ("--algo grid --levels depth=3", "depth", "n_layers"),
    ("--levels depth=3", "depth", "n_layers"),
    ("--levels lr=0", "lr 0", "below 1"),
    ("--levels lr", "'lr'", "lr=5"),
    ("--trainable gone:train --space mine:SPACE", "gone", "imported"),
    ("--trainable mine:test --space mine:SPACE", "mine", "test"),
    ("--trainable broken:train --space mine:SPACE", "broken", "oops"),
    ("--trainable mine:train", "mine:train", "--space"),
    ("--trainable mine:bare --dry-run", "mine:bare", "(config, data, max_epochs=, seed=, device=)"),
    ("--trainable mine:train --plot-schedule", "--plot-schedule", "not for mine:train"),
    ("--space mine:SPACE", "mine:SPACE", "SearchSpace"),
    ("--fix depth=3", "depth", "n_layers"),
    ("--fix num_embedding=periodic", "digits", "no column for it"),
    ("--prior", "--prior", "give that file"),
    ("--algo grid --start-with bad.yaml", "--start-with", "not grid"),
    ("--fix lr=fast", "fast", "not a number"),
    ("--fix lr=0.1 --fix lr=0.2", "lr=0.2", "twice"),
    ("--range lr=1..0.1", "1..0.1", "low must not be above high"),
    ("--range optimizer=a..b", "optimizer", "no range"),
    ("--max-parameters 0", "0", "above 0"),
    ("--max-parameters 600", "--max-parameters 600", "has 610 parameters"),
    ("--zoom-from gone", "gone", "no run"),
    ("--seed-from gone", "gone", "no run"),
    ("--start-with gone.yaml", "gone.yaml", "cannot be read"),
    ("--start-with bad.yaml", "config 1", "is missing"),
    ("--nonsense", "--nonsense", "Unknown option"),
    ("--trails 3", "--trails", "--trials"),
    ("stray", "stray", "begins with --"),
    ("--trials", "--trials", "requires an argument"),
    ("--study gone.yaml", "gone.yaml", "cannot be read"),
    ("--study typo.yaml", "trails", "did you mean trials"),
    ("--study deep.yaml", "deep.yaml", "nested too deeply"),
    ("--study date.yaml", "date.yaml", "!!tag"),
    ("--study many.yaml", "many.yaml", "more than 100,000 values"),
    ("--study pipe.csv", "pipe.csv", "a pipe, not a file"),
    ("--study large.yaml", "large.yaml", "larger than 10,000,000 bytes"),
    ("--start-with deep.yaml", "deep.yaml", "nested too deeply"),
    ("--study zero.yaml", "budget.trials 0", "below 1"),
    ("--study zero.yaml --trials 3 --grace-period 9 --max-epochs 4", "9", "--max-epochs 4"),
    ("--node-price 0.5", "0.5", "--dry-run"),
]


@pytest.mark.parametrize(("options", "value", "rule"), BAD, ids=[case[0] for case in BAD])
def test_bad_input_is_one_line_that_names_value_and_rule(
    cluster: Cluster,
    capsys: pytest.CaptureFixture[str],
    options: str,
    value: str,
    rule: str,
) -> None:
    write_bad_inputs()
    before = sorted(Path().rglob("*"))
    assert main(run.app, options.split()) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert value in shown.err
    assert rule in shown.err
    assert [p for p in sorted(Path().rglob("*")) if "__pycache__" not in str(p)] == before


def test_an_address_where_nothing_answers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    assert main(run.app, ["--address", "127.0.0.1:1"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "127.0.0.1:1" in shown
