"""The commands with which a report says how to repeat the search."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sets.configs import LENET
from pipelines import report, run
from pipelines.cli.command import main
from pipelines.record.files import RunFiles
from pipelines.results.findings import Findings
from pipelines.results.page.model import Code, Table
from pipelines.results.sections.again import again, options, setting_values, typed
from pipelines.study.prepare import resolve
from pipelines.study.runs import open_run
from pipelines.study.spec import StudySpec
from pipelines.study.study_file import read_study
from search_spaces import Float
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import DIVERGED, made, searched

SETTINGS: list[dict[str, Any]] = [
    {"space": {"portfolio": False}},
    {"problem": {"drop": ("a", "b c"), "category": ("d",)}},
    {"problem": {"also": ("n_parameters",), "require": ("n_parameters<1e5", "seconds<9")}},
    {"space": {"fix": {"lr": 0.0123456789, "optimizer": "adamw"}}},
    {"space": {"range": {"lr": (0.000123456789, 0.1), "n_layers": (1, 3)}}},
    {"search": {"algo": "grid", "levels": {"lr": 5, "n_layers": 3}}},
    {"resources": {"gpus_per_trial": 1 / 3, "trial_timeout": 90.5}},
    {"budget": {"time_budget": 5400.0}},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_command_has_the_settings_that_it_is_made_of(
    settings: dict[str, Any], elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = StudySpec.model_validate(settings)
    assert main(run.app, [*options(spec), "--print-study"]) == 0
    Path("printed.yaml").write_text(capsys.readouterr().out)
    assert read_study("printed.yaml") == spec


def test_a_number_is_as_short_as_it_can_be() -> None:
    spec = StudySpec().but(budget={"time_budget": 5400.0}, space={"max_parameters": 1e6})
    assert options(spec) == ["--max-parameters", "1000000", "--time-budget", "5400s"]


def test_settings_that_differ_in_the_last_digit_are_told_apart() -> None:
    specs = [StudySpec().but(space={"fix": {"lr": lr}}) for lr in (0.0123456788, 0.0123456789)]
    assert [setting_values(spec)["fix"] for spec in specs] == ["lr=0.0123456788", "lr=0.0123456789"]
    assert setting_values(specs[0])["drop"] == setting_values(specs[0])["range"] == "none"


def following(folder: Path) -> list[list[str]]:
    """The commands under "Next", as words without ``python -m``."""
    *_, code = again(Findings(open_run(folder))).blocks
    assert isinstance(code, Code)
    return [shlex.split(line)[2:] for line in code.text.splitlines()]


def test_what_comes_next_searches_the_same_data_for_the_same_metric(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {
        "data": "breast_cancer",
        "metric": "val_f1",
        "range": {"lr": (1e-4, 0.1)},
        "seed": 7,
    }
    folder = write_run(elsewhere / "runs" / "it", searched(40, stopped=False), **asked)
    RunFiles(folder).winner.write_text("- {}\n")
    searches = [words[1:] for words in following(folder) if words[0] == "pipelines.run"]
    assert [words[-2] for words in searches[1:]] == ["--zoom-from", "--seed-from", "--start-with"]
    for words in searches:
        assert main(run.app, [*words, "--print-study"]) == 0
        Path("printed.yaml").write_text(capsys.readouterr().out)
        spec = read_study("printed.yaml")
        assert (spec.problem.data, spec.problem.metric) == ("breast_cancer", "val_f1")
        assert spec.search.seed == 7
        if spec.space.zoom_from is not None:  # the old range would undo it
            found = resolve(spec).space.domains["lr"]
            assert isinstance(found, Float)
            assert found.high / found.low < 500


@pytest.mark.parametrize(
    ("settings", "seeds"),
    [
        ({"seed": 3}, [["seed", "3"]]),
        ({"seed": 3, "split_seed": 3}, [["seed", "3"]]),
        ({"seed": 3, "split_seed": 0}, [["seed", "3"], ["seed of the split", "0"]]),
    ],
)
def test_the_seed_of_the_split_is_told_if_it_is_another(
    tmp_path: Path, settings: dict[str, Any], seeds: list[list[str]]
) -> None:
    found = Findings(open_run(write_run(tmp_path / "it", [made([0.5], config={})], **settings)))
    (table,) = (block for block in again(found).blocks if isinstance(block, Table))
    assert [row for row in table.rows if str(row[0]).startswith("seed")] == seeds


@pytest.mark.parametrize(
    ("n_sound", "settings", "absent", "there"),
    [
        (0, {}, ("evaluate", "export", "zoom", "--zoom-from", "--resume"), ("--seed-from",)),
        (1, {"algo": "grid"}, ("zoom", "--start-with"), ("evaluate", "export", "--seed-from")),
        (1, {"ended": "interrupt"}, (), ("--resume runs/it",)),
        (1, {"ended": None, "scheduler": "hyperband"}, ("--resume",), ("evaluate",)),
        (5, {"trainable": "made:by_hand"}, ("pipelines.run",), ("evaluate", "zoom")),
        (5, {"trainable": "__main__:f"}, ("pipelines.run", "evaluate"), ("zoom",)),
    ],
)
def test_what_would_be_refused_is_not_offered(
    elsewhere: Path,
    n_sound: int,
    settings: dict[str, Any],
    absent: tuple[str, ...],
    there: tuple[str, ...],
) -> None:
    trials = [*[made([0.5], config={})] * n_sound, *[made([0.1], DIVERGED, {})] * 3]
    folder = write_run(elsewhere / "runs" / "it", trials, **settings)
    RunFiles(folder).weights.touch()
    text = "\n".join(map(" ".join, following(folder)))
    assert [word for word in absent if word in text] == []
    assert [word for word in there if word not in text] == []


def test_where_no_trial_yielded_a_model_none_is_tested(elsewhere: Path) -> None:
    folder = write_run(elsewhere / "it", [made([0.5], config={})], trainable="made:by_hand")
    assert [words[0] for words in following(folder)] == ["pipelines.report"]


def test_the_page_says_how_a_function_that_no_command_can_import_goes_on(elsewhere: Path) -> None:
    more: dict[str, Any] = {"trainable": "__main__:train", "ended": "interrupt"}
    folder = write_run(elsewhere / "runs" / "it", [made([0.5], config={})], **more)
    *_, code = again(Findings(open_run(folder))).blocks
    assert isinstance(code, Code)
    assert code.text.splitlines()[0] == "search(resume='runs/it', trainable=train)"


@pytest.mark.parametrize("host", ["here", "elsewhere"])
def test_the_address_is_in_the_commands_that_train_on_the_machine_of_the_driver(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    more: dict[str, Any] = {"address": "10.0.0.1:6379", "ended": "interrupt"}
    folder = write_run(elsewhere / "runs" / "it", [made([0.5], config=LENET)], **more)
    if host == "elsewhere":  # a copy of the run, where that cluster may not be in reach
        monkeypatch.setattr("socket.gethostname", lambda: host)
    assert main(report.app, [str(folder)]) == 0
    (line,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("go on "))
    told = {name: words for name, *words in reversed(following(folder))}  # the first of each name
    for words in (line.split(), told["pipelines.run"], told["pipelines.evaluate"]):
        assert (words[-2:] == ["--address", "10.0.0.1:6379"]) == (host == "here")
    for name in ("pipelines.report", "pipelines.export"):
        assert "--address" not in told[name]  # they need no cluster


def test_the_commands_of_the_page_run(elsewhere: Path) -> None:
    command = typed("run", "--help").split()
    assert command[0] == "python"
    done = subprocess.run([sys.executable, *command[1:]], capture_output=True, check=False)
    assert done.returncode == 0
