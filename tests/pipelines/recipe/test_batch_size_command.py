"""The command of the batch size test: what it prints, writes, and refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from pipelines import batch_size as command
from pipelines.cli.batch_size import table_lines
from pipelines.cli.command import main
from pipelines.recipe.fitting import batch_size_up_to
from pipelines.recipe.settings import ScalingSettings
from pipelines.results.figures.batch_size import batch_size_figure
from search_spaces import SPACES
from trainables.smith.batch_size import BatchRow, BatchSizeTest
from trainables.training import steps as measuring

TEST = BatchSizeTest(
    (BatchRow(8, 100.4, 1000), BatchRow(16, 190, 2_500_000), BatchRow(32, 200, 5_000_000_000)),
    knee=16,
    largest=32,
    stopped="why",
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As few steps as possible. The number of threads, which the command sets, is restored."""
    monkeypatch.setattr(measuring, "TIMED_SECONDS", 0)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_the_table_has_the_scaled_learning_rate_where_it_is_asked_for() -> None:
    head, *rows = table_lines(TEST, ScalingSettings(scale_lr="sqrt", lr=0.1, lr_batch_size=8))
    assert head.split() == ["batch", "samples/s", "memory", "lr,", "sqrt", "from", "0.1"]
    assert rows[2].split() == ["32", "200", "5", "GB", "0.2"]
    head, *rows = table_lines(TEST, ScalingSettings())
    assert head.split() == ["batch", "samples/s", "memory"]
    assert rows[1].split() == ["16", "190", "2.5", "MB"]


@pytest.mark.parametrize(
    ("size", "expected"), [(8, 32), (32, 32), (127, 64), (256, 256), (4096, 256)]
)
@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_the_search_takes_the_largest_batch_up_to_the_knee(
    model: str, size: int, expected: int
) -> None:
    assert batch_size_up_to(SPACES[model], size) == expected


def test_the_figure_has_both_curves_and_the_knee() -> None:
    figure = batch_size_figure(TEST, chosen=16)
    throughput, memory = figure.data
    assert list(throughput.y) == [100.4, 190, 200]
    assert list(memory.y) == [0.001, 2.5, 5000]
    assert list(figure.layout.xaxis.ticktext) == ["8", "16", "32"]
    assert figure.layout.yaxis2.tickmode == "auto", "else the memory has ticks such as 2.41"
    [mark] = figure.layout.shapes
    assert mark.x0 == mark.x1 == 1  # the second of the three


def test_the_figure_marks_what_was_chosen_if_it_is_not_the_knee() -> None:
    figure = batch_size_figure(TEST, chosen=32)
    assert [mark.x0 for mark in figure.layout.shapes] == [1, 2]
    assert [note.text for note in figure.layout.annotations] == ["knee 16", "chosen 32"]


@pytest.mark.parametrize(("model", "data"), [("cnn", "digits"), ("mlp", "wine")])
def test_a_test_prints_its_table_and_writes_what_it_found(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], model: str, data: str
) -> None:
    scaling = ["--scale-lr", "linear", "--lr", "0.1", "--lr-batch-size", "16"]
    options = ["--model", model, "--data", data, "--memory", "3MB", "--gpus", "0", *scaling]
    assert main(command.app, options) == 0
    printed = capsys.readouterr().out
    [folder] = Path("batch_size").iterdir()
    content = json.loads((folder / "batch_size.json").read_text())
    sizes = [row["batch_size"] for row in content["test"]["rows"]]
    assert sizes[:3] == [8, 16, 32]
    assert content["scaled_lrs"][:3] == pytest.approx([0.05, 0.1, 0.2])
    assert all(row["memory"] <= 3e6 for row in content["test"]["rows"])
    lines = {line.split()[0]: line for line in printed.splitlines()}
    assert f"knee      {content['test']['knee']}: " in lines["knee"]
    assert f"largest   {sizes[-1]}: " in lines["largest"]
    assert str(folder / "batch_size.html") in lines["figure"]
    assert f"pipelines.run --model {model} --data {data} --fix batch_size=" in lines["next"]
    _, searched = lines["next"].split("batch_size=")
    if int(searched) != content["test"]["knee"]:
        assert f"chosen    {searched}: of the sizes that a search tries" in lines["chosen"]
    page = (folder / "batch_size.html").read_text()
    assert "samples per second" in page
    assert f'<p id="subtitle">{model} on {data}</p>' in page


def test_a_config_of_ones_own_decides_what_is_trained(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("config.yaml").write_text("n_layers: 1\nwidth_1: 9\nlr: 1e-2\n")
    options = ["--data", "wine", "--config", "config.yaml", "--output", "out/here", "--seed", "3"]
    assert main(command.app, options) == 0
    content = json.loads(Path("out/here/batch_size.json").read_text())
    assert content["config"]["width_1"] == 9
    assert content["scaled_lrs"] is None
    assert "--seed 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ("--memory 1kB", "not even the first batch fits: a step on 8 samples needs"),
        ("--memory -1GB", "'-1GB' must be above 0"),
        ("--memory much", "'much' is not an amount of memory"),
        ("--model cmm", "'cmm' is none of mlp, cnn"),
        ("--model cnn --data wine", "a CNN needs images"),
        ("--scale-lr cubic --lr 1 --lr-batch-size 8", "'cubic' is none of linear, sqrt"),
        ("--scale-lr sqrt --lr 0.1", "--scale-lr sqrt needs --lr and --lr-batch-size"),
        ("--lr 0.1 --lr-batch-size 8", "need --scale-lr linear or sqrt"),
        ("--scale-lr sqrt --lr 0 --lr-batch-size 8", "0 is not above 0"),
        ("--scale-lr sqrt --lr 0.1 --lr-batch-size 0", "0 is below 1"),
        ("--gpus -1", "-1 is below 0"),
        ("--cpus 0", "0 is not above 0"),
        ("--data gone.csv --target y", "gone.csv"),
        ("--config gone.yaml", "gone.yaml"),
        ("--output .", "--output . exists"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], options: str, part: str
) -> None:
    assert main(command.app, options.split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert part in error
    assert not list(Path().iterdir())
