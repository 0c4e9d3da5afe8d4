"""Smith's recipe as a user types it."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines import smith as command
from pipelines.cli import smith as saving
from pipelines.cli.command import FAILURE, main
from pipelines.recipe import steps
from pipelines.recipe.fitting import batch_size_up_to, fit_into
from pipelines.results.figures.short_runs import short_runs_figure
from pipelines.study.seeding import load_configs
from search_spaces import SPACES, Choice, Float, Int, SearchSpace
from trainables.smith.lr_range_test import Bounds
from trainables.smith.short_runs import ShortRun, ValueTest
from trainables.training import steps as measuring

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As few timed steps as possible. The number of threads is restored."""
    monkeypatch.setattr(measuring, "TIMED_SECONDS", 0)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def smith(*options: object, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Runs the command, which must succeed. Returns its lines by their first word."""
    assert main(command.app, [*map(str, options), "--epochs", "2", "--output", "out"]) == 0
    lines = capsys.readouterr().out.splitlines()
    return {line.split()[0]: line.partition(" ")[2].strip() for line in lines}


@pytest.mark.parametrize(("model", "data"), [("mlp", "breast_cancer"), ("cnn", "digits")])
def test_the_config_is_one_that_a_search_starts_with(
    model: str, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = smith("--model", model, "--data", data, capsys=capsys)
    (config,) = load_configs(Path("out/config.yaml"), SPACES[model])
    record = json.loads(Path("out/smith.json").read_text())
    assert config == record["found"]
    assert config["policy"] == "one_cycle"
    tested = {name: record[name]["chosen"] for name in ("momentum", "weight_decay")}
    assert config["max_momentum"] == tested["momentum"]
    assert config["weight_decay"] == pytest.approx(max(tested["weight_decay"], 1e-6), abs=1e-6)
    assert list(lines) == [
        *("data", "batch", "lr", "momentum", "decay"),
        *("config", "figures", "numbers", "next"),
    ]
    assert lines["next"].endswith(f"--model {model} --data {data} --start-with out/config.yaml")
    names = {"batch_size", "lr_range", "momentum", "weight_decay"}
    assert {path.stem for path in Path("out").glob("*.html")} == names


def test_a_disk_without_room_for_the_figures_costs_no_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fill(folder: Path, *_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder / "lr_range.html"))

    monkeypatch.setattr(saving, "save_figures", fill)
    assert main(command.app, ["--data", "wine", "--epochs", "2", "--output", "out"]) == FAILURE
    out, err = capsys.readouterr()
    assert "\nconfig    n_layers=" in out
    assert err.endswith("out/lr_range.html: No space left on device\n")
    assert load_configs(Path("out/config.yaml"), SPACES["mlp"])


def test_the_ratio_is_exact_whatever_the_rounding_of_the_bounds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bounds = Bounds(0.05 / 10, 0.05, 0.02, 0.1, 0.5, "made up")
    assert bounds.base_lr / bounds.max_lr != 0.1
    monkeypatch.setattr(steps, "find_bounds", lambda *_: bounds)
    smith("--model", "mlp", "--data", "wine", capsys=capsys)
    (config,) = load_configs(Path("out/config.yaml"), SPACES["mlp"])
    assert config["base_lr_ratio"] == 0.1


def test_a_table_of_the_users(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    rows = [f"{a:.3f},{b:.3f},{'yes' if a + b > 0 else 'no'}" for a, b in x]
    Path("mine.csv").write_text("\n".join(["a,b,class", *rows]))
    lines = smith("--data", "mine.csv", "--target", "class", "--seed", 3, capsys=capsys)
    assert "--data mine.csv --target class --seed 3 --start-with" in lines["next"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--model rnn", "'rnn' is none of mlp, cnn"),
        ("--epochs 1", "1 is below 2"),
        ("--memory none", "'none' is not an amount of memory"),
        ("--memory 1kB", "not even the first batch fits"),
        ("--model cnn --data wine", "a CNN needs images"),
        ("--config none.yaml", "none.yaml cannot be read"),
        ("--data none", "none"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    options: str, message: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command.app, options.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert list(elsewhere.iterdir()) == []


def test_a_folder_that_exists_is_not_written_to(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command.app, ["--output", str(elsewhere)]) == 2
    assert "exists: give a folder that does not" in capsys.readouterr().err


SPACE = SearchSpace(
    {
        "n": Int(1, 4),
        "lr": Float(1e-3, 1e-1, log=True),
        "decay": Choice((1e-3, 1e-4, 0.0)),
        "kind": Choice(("a", "b")),
        "batch_size": Choice((64, 32, 128)),
    }
)


def test_a_config_is_made_to_lie_in_the_space() -> None:
    values: dict[str, Any] = {"n": 9, "lr": 0.5, "decay": 1e-5, "kind": "b", "batch_size": 100}
    config = fit_into(SPACE, {**values, "other": 1})
    assert config == {"n": 4, "lr": 0.1, "decay": 0.0, "kind": "b", "batch_size": 128}
    assert SPACE.contains(config)
    with pytest.raises(ValueError, match=r"kind c is not in the search space, which has \{a, b\}"):
        fit_into(SPACE, {**values, "kind": "c"})
    switch = SearchSpace({"on": Choice((True, False))})
    with pytest.raises(ValueError, match="on 1 is not in the search space"):
        fit_into(switch, {"on": 1})  # a number has no nearest switch


@pytest.mark.parametrize(("most", "size"), [(31, 32), (32, 32), (100, 64), (4096, 128)])
def test_a_batch_size_of_the_space(most: int, size: int) -> None:
    assert batch_size_up_to(SPACE, most) == size


def test_the_figure_shows_what_was_chosen_and_what_diverged() -> None:
    runs = (
        ShortRun(0.99, (1.0, 1e3), (1.0, 1e3), diverged=True),
        ShortRun(0.9, (1.0, 0.2), (0.9, 0.3), diverged=False),
    )
    figure = short_runs_figure(ValueTest("momentum", runs, 0.9, "why"))
    lines = {trace.name: list(trace.y) for trace in figure.data if trace.showlegend}
    assert lines == {"0.99 diverged": [None, None], "0.9 chosen": [0.9, 0.3]}
