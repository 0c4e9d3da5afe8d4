"""Zooming in on a recorded run, and the command that shows it."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import run as search
from pipelines import zoom as command
from pipelines.cli.command import main
from pipelines.study.prepare import prepare
from pipelines.study.references import import_object
from pipelines.study.runs import open_run, recorded_space
from pipelines.study.spec import StudySpec
from pipelines.study.zoom import zoom, zoom_lines
from search_spaces import SPACES, Float, Int, SearchSpace
from tests.pipelines.recorded import write_run
from tests.pipelines.running import GROUP_OF
from tests.pipelines.study.made_histories import ACCURACY, NESTED, extremes, history


@pytest.mark.parametrize("model", SPACES)
def test_the_space_of_a_run_is_in_its_record(tmp_path: Path, model: str) -> None:
    run = open_run(write_run(tmp_path / "run", history(SPACES[model], 0), model=model))
    assert run.space == SPACES[model]


def test_a_range_is_known_though_no_trial_had_the_parameter(tmp_path: Path) -> None:
    changed = SPACES["mlp"].replace({"width_5": Int(9, 11)})
    shallow = [t for t in history(changed, 0) if t.config["n_layers"] == 1]
    run = open_run(write_run(tmp_path / "run", shallow, space=changed))
    assert run.space == changed


def test_a_zoomed_run_can_be_zoomed_again(tmp_path: Path) -> None:
    first = zoom(SPACES["cnn"], extremes(SPACES["cnn"], 1.0), ACCURACY)[0]
    folder = write_run(tmp_path / "run", extremes(first, 1.0), space=first, model="cnn")
    again = open_run(folder)
    assert again.space.domains["lr"] == first.domains["lr"] == Float(0.708, 31.6, log=True)
    second, changes = zoom(again.space, again.finished, ACCURACY)
    assert "the top 15 of 60 trials" in changes[0].why
    lr = second.domains["lr"]
    assert isinstance(lr, Float)
    assert lr.high == 100.0


def test_a_run_on_other_data_is_a_warning(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", history(SPACES["mlp"], 0), data="wine", fingerprint="0123")
    spec = StudySpec.model_validate({"problem": {"data": "digits"}, "space": {"zoom_from": folder}})
    (line,) = [line for line in prepare(spec).notes if line.startswith("warning")]
    assert line.startswith(f"warning   {folder} searched other data: wine, fingerprint 0123, here ")


def test_a_space_of_ones_own_need_not_be_given_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_run(tmp_path / "run", history(NESTED, 0), space=NESTED, trainable="gone:train")
    assert recorded_space(open_run(folder)) == NESTED
    assert main(command.app, [str(folder)]) == 0
    assert "--trainable gone:train" in capsys.readouterr().out


def test_a_function_that_forbids_configs_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("zoom_own.py").write_text("def too_large(config):\n    return config['x'] > 0.5\n")
    space = SearchSpace({"x": Float(0.0, 1.0)}, forbid=import_object("zoom_own:too_large"))  # type: ignore[arg-type]
    run = open_run(write_run(Path("run"), space=space, trainable="zoom_own:train"))
    assert run.forbids == "zoom_own:too_large"
    assert run.space.forbid is None
    found = recorded_space(run)
    assert found.forbid is not None
    assert found.forbid({"x": 0.6})
    Path("zoom_own.py").unlink()
    monkeypatch.delitem(sys.modules, "zoom_own")
    with pytest.raises(ValueError, match="forbids configs: 'zoom_own:too_large' cannot be"):
        recorded_space(run)


def test_what_forbids_configs_is_found_in_the_space_where_it_has_no_name(tmp_path: Path) -> None:
    place = "tests.pipelines.study.forbidding"
    space = import_object(f"{place}:ENDS_ALONE")
    assert isinstance(space, SearchSpace)
    folder = write_run(tmp_path / "run", space=space, trainable=f"{place}:train")
    header = json.loads((folder / "spec.json").read_text())
    header["problem"]["space"] = f"{place}:ENDS_ALONE"
    (folder / "spec.json").write_text(json.dumps(header))
    run = open_run(folder)
    assert run.forbids == f"{place}:<lambda>"
    assert recorded_space(run) == space


def test_the_command_prints_the_table_and_what_to_type_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = history(SPACES["mlp"], 0)
    run = write_run(tmp_path / "a folder" / "run", trials)
    before = {path: path.read_bytes() for path in run.iterdir()}
    assert main(command.app, [str(run)]) == 0
    *table, following = capsys.readouterr().out.splitlines()
    assert table == list(zoom_lines(zoom(SPACES["mlp"], trials, ACCURACY)[1]))
    assert f"pipelines.run --zoom-from '{run}' --algo gp" in following
    assert {path: path.read_bytes() for path in run.iterdir()} == before
    assert main(command.app, [str(run), "--quantile", "0.5"]) == 0
    *table, note, _ = capsys.readouterr().out.splitlines()
    assert table == list(zoom_lines(zoom(SPACES["mlp"], trials, ACCURACY, 0.5)[1]))
    assert note == "note      --zoom-from takes the top 25% of the trials"


def test_what_to_type_next_is_for_the_same_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem: dict[str, Any] = {
        "seed": 3,
        "data_fraction": 0.5,
        "class_weights": "balanced",
        "folds": 2,
        "max_parameters": 50_000.0,
        "require": ("n_parameters<100000",),
        "metric": "val_f1",
    }
    run = write_run(tmp_path / "run", history(SPACES["mlp"], 0), **problem)
    assert main(command.app, [str(run)]) == 0
    following = shlex.split(capsys.readouterr().out.splitlines()[-1])
    typed = following[following.index("pipelines.run") + 1 :]
    assert main(search.app, [*typed, "--print-study"]) == 0
    found = StudySpec.model_validate(yaml.safe_load(capsys.readouterr().out))
    assert {name: getattr(getattr(found, GROUP_OF[name]), name) for name in problem} == problem


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no run in nowhere: there is no such folder"),
        (["few"], "there are 4 among 4; search with more"),
        (["few", "--quantile", "0"], "0 is not above 0"),
        (["few", "--quantile", "1.5"], "1.5 is above 1"),
        ([], "requires an argument"),
    ],
)
def test_bad_input_is_one_line_that_says_what_is_wrong(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(Path("few"), history(SPACES["mlp"], 0, n=4))
    assert main(command.app, arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
