"""Sentences on a page that are true of some searches only."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sets.configs import LENET
from pipelines.cli.summary import result_lines
from pipelines.record.baselines import left_out
from pipelines.record.files import RunFiles
from pipelines.record.goals import Aim, Goals
from pipelines.record.header import read_header, write_header
from pipelines.record.trials import REQUIREMENT, FinishedTrial
from pipelines.record.writing import Record
from pipelines.results.page.model import Code, Section, Words
from pipelines.results.requirements import why_no_best
from pipelines.results.run_page import report_page
from pipelines.results.wording import duration
from pipelines.study.prepare import prepare
from pipelines.study.runs import open_run
from search_spaces import SPACES
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import COMPLETE, DIVERGED, FAILED, STOPPED, made
from tests.pipelines.running import spec_of
from trainables.data.datasets import load
from trainables.smith.lr_range_rule import Bounds

TIMED: dict[str, Any] = {"config": LENET, "node": "n", "curves": {"seconds": [2.0, 2.0]}}
PAUSED = [made([0.5, 0.6], started=1000.0 + n, seconds=60.0, **TIMED) for n in range(14)]


def sections(folder: Path, *trials: FinishedTrial, **settings: Any) -> dict[str, str]:
    """The words of each section."""
    return told(write_run(folder, trials, **settings))


def told(folder: Path) -> dict[str, str]:
    return {part.id: _words(part) for part in report_page(open_run(folder)).sections}


def _words(section: Section) -> str:
    return " ".join(block.text for block in section.blocks if isinstance(block, Words | Code))


def test_what_is_paused_holds_no_place(tmp_path: Path) -> None:
    """Fourteen trials that ran in turns in two slots are not fourteen places."""
    found = sections(tmp_path / "whole", *PAUSED)
    assert "14 places on 1 node, busy" in found["places"]
    assert "Where the time of 14 places went" in found["outcome"]
    for scheduler, algo in (("hyperband", "optuna"), ("pbt", "random")):
        found = sections(tmp_path / scheduler, *PAUSED, scheduler=scheduler, algo=algo)
        assert "It includes the pauses of the trial" in found["places"]
        assert "place" not in found["places"]
        assert "Where the time" not in found["outcome"]


def test_a_page_says_where_narrower_ranges_come_from(tmp_path: Path) -> None:
    trials = [made([n / 10], config={**LENET, "lr": n / 10}) for n in range(1, 9)]
    wide = tmp_path / "wide"
    assert "The ranges were set by" not in sections(wide, *trials)["parameters"]
    narrow = sections(tmp_path / "narrow", *trials, zoom_from=wide)
    assert f"The ranges were set by the best trials of {wide}." in narrow["parameters"]


def test_hyperband_compares_within_brackets(tmp_path: Path) -> None:
    found = sections(tmp_path / "run", *PAUSED, scheduler="hyperband")["stopping"]
    assert "Trials pause at rungs and are compared with the other trials of their bracket" in found
    assert "does not compare" not in found


@pytest.mark.parametrize(
    ("trials", "said"),
    [
        ([made([0.5] * 9, config=LENET)], " 0 were saved."),
        ([made([0.5], STOPPED, LENET)], " were saved by early stopping."),
        ([made([0.5], DIVERGED, LENET)], " were saved because trials diverged."),
        (
            [made([0.5], STOPPED, LENET), made([0.5], DIVERGED, LENET)],
            " were saved by early stopping and because trials diverged.",
        ),
        (
            [replace(made([0.5], STOPPED, LENET), stopped_by=REQUIREMENT, broken="seconds<9")],
            " were saved because trials broke a requirement.",
        ),
    ],
)
def test_why_epochs_were_saved(tmp_path: Path, trials: list[FinishedTrial], said: str) -> None:
    assert said in sections(tmp_path / "run", *trials)["stopping"]


def test_what_early_stopping_saved_is_of_the_trials_that_it_stopped(tmp_path: Path) -> None:
    """A requirement on the time of training, for example, is broken by stopped trials too."""
    slow = [replace(made([0.5], STOPPED, LENET), broken="seconds<9")] * 3
    trials = [*slow, made([0.5] * 3, config=LENET)]
    folder = write_run(tmp_path / "run", trials, max_epochs=3, require=("seconds<9",))
    found = told(folder)["stopping"]
    assert "asha stopped 3 of 4 trials." in found
    assert "6 were saved by early stopping." in found
    counted, *_ = result_lines(open_run(folder).result, None, SPACES["mlp"])
    assert counted == "trials    4: 1 trained to the end, 3 infeasible"


def test_the_terminal_says_why_epochs_were_saved(tmp_path: Path) -> None:
    for fate, said in (
        (COMPLETE, "epochs    1 trained"),
        (STOPPED, "epochs    1 trained, 2 saved by early stopping"),
        (DIVERGED, "epochs    1 trained, 2 saved because trials diverged"),
    ):
        length = 1 if fate == COMPLETE else 3
        folder = write_run(tmp_path / fate, [made([0.5], fate, LENET)], max_epochs=length)
        _, epochs, *_ = result_lines(open_run(folder).result, None, SPACES["mlp"])
        assert epochs == said


def test_an_order_of_equal_scores_says_nothing(tmp_path: Path) -> None:
    trials = [made([0.5], STOPPED, LENET), *[made([0.5] * 3, config=LENET)] * 30]
    found = sections(tmp_path / "run", *trials, scheduler="asha", max_epochs=3, grace_period=1)
    assert (
        "The 30 trials that went on from epoch 1 to epoch 3 have equal scores at one of them: "
        "their order says nothing."
    ) in found["stopping"]
    assert "Too few" not in found["stopping"]


def test_that_not_all_errors_are_listed_is_said(tmp_path: Path) -> None:
    failed = [made([], FAILED, LENET, error=f"RuntimeError: {n}") for n in range(12)]
    found = sections(tmp_path / "run", *failed)["remarks"]
    assert "12 trials failed: And 2 other errors, in trials.csv." in found
    assert "other" not in sections(tmp_path / "ten", *failed[:10])["remarks"]


def test_an_empty_front_promises_nothing(tmp_path: Path) -> None:
    trial = made([0.5], STOPPED, LENET, n_parameters=9)
    found = sections(tmp_path / "run", trial, also=("n_parameters",))["front"]
    assert "No trial is on the front of val_accuracy (max) and n_parameters (min)." in found


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.7, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
    ],
)
def test_a_duration_is_in_the_unit_of_its_rounded_value(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_where_trials_wait_for_the_end_of_a_cycle_it_is_said(tmp_path: Path) -> None:
    config = {**LENET, "policy": "triangular", "step_size": 1}
    trials = [made([0.5] * 2, STOPPED, config), made([0.5] * 9, config=config)]
    stopping = {"max_epochs": 9, "grace_period": 1}
    found = sections(tmp_path / "run", *trials, scheduler="aligned_asha", **stopping)
    compared = "compared at the first end of a cycle at or after each of the epochs 1 and 3."
    assert compared in found["curves"]
    assert compared in found["stopping"]
    assert "Too few trials went on from rung 1 to rung 3" in found["stopping"]
    found = sections(tmp_path / "plain", *trials, scheduler="asha", **stopping)
    assert "Dotted lines: trials are compared at epochs 1 and 3." in found["curves"]
    assert "Too few trials went on from epoch 1 to epoch 3" in found["stopping"]


def test_a_range_test_tells_the_range_that_was_searched(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [made([0.5], config=LENET)])
    files = RunFiles(folder)
    bounds = Bounds(0.000221, 0.00221, 0.001, 0.011, 0.2, "why", highest_lr=0.033)
    settings, prepared = read_header(folder)
    write_header(files, settings, {**prepared, "lr_bounds": {"sgd": asdict(bounds)}})
    assert (
        "The LR range test of sgd: learning rates to search from 0.000221 to 0.033 "
        "(base_lr 0.000221, max_lr 0.00221: why)."
    ) in told(folder)["learning-rate"]


def test_the_winner_of_repeats_is_by_the_right_bound(tmp_path: Path) -> None:
    for metric, sign in (("val_accuracy", "minus"), ("val_loss", "plus")):
        folder = write_run(tmp_path / metric, [made([0.5], config=LENET)], repeats=2, metric=metric)
        files = RunFiles(folder)
        record = Record(files, files.repeats, SPACES["mlp"], Goals((Aim("value", "max"),)))
        for value in (0.4, 0.6):
            record.append(made([value], config=LENET, repeat_of="t", trial_id=str(value)))
        record.close()
        assert f"the best mean {sign} one standard error" in told(folder)["outcome"]


def test_which_requirement_no_trial_meets(tmp_path: Path) -> None:
    broken = replace(made([0.5], config=LENET), broken="val_f1>0.9")
    found = sections(tmp_path / "run", *[broken] * 4, require=("val_f1>0.9",))
    assert "No trial meets val_f1>0.9 (4 do not): there is no best." in found["outcome"]
    found = sections(tmp_path / "one", broken, require=("val_f1>0.9",))
    assert "No trial meets val_f1>0.9 (1 does not): there is no best." in found["outcome"]


def test_how_near_a_trial_came_to_a_requirement(tmp_path: Path) -> None:
    large = replace(made([0.5], config=LENET), broken="n_parameters<1000")
    trials = [replace(large, n_parameters=n) for n in (123_456, 8598)]
    found = sections(tmp_path / "size", *trials, require=("n_parameters<1e3",))
    assert "n_parameters<1000 (2 do not; the nearest has 8,598)" in found["outcome"]
    broken = "val_accuracy>0.99, val_f1>0.9"
    trials = [
        replace(made([value]), broken=broken, metrics={"val_accuracy": value})
        for value in (0.7, 0.98, 0.8)
    ]
    assert why_no_best(trials) == (
        "meets val_accuracy>0.99 (3 do not; the nearest has 0.9800), val_f1>0.9 (3 do not)"
    )


def test_in_which_epochs_trials_diverged(tmp_path: Path) -> None:
    one, other = made([0.5], DIVERGED, LENET), made([0.5] * 3, DIVERGED, LENET)
    for name, trials, said in (
        ("one", [one], "1 trial diverged, in epoch 1."),
        ("same", [one, one], "2 trials diverged, each in epoch 1."),
        ("both", [one, other], "2 trials diverged, the earliest in epoch 1, the latest in epoch 3"),
    ):
        assert said in sections(tmp_path / name, *trials)["remarks"]


def test_trials_that_failed_break_no_requirement(tmp_path: Path) -> None:
    trials = [
        replace(made([0.5], config=LENET), broken="seconds<9", seconds=9.2),
        *[made([], FAILED, LENET)] * 3,
    ]
    folder = write_run(tmp_path / "run", trials, require=("seconds<9",))
    nearest = "the nearest has 9.2000"
    why = f"both has a value to compare and meets seconds<9 (1 does not; {nearest})"
    assert f"No trial {why}: there is no best." in told(folder)["outcome"]
    run = open_run(folder)
    assert f"best      none: no trial {why}" in list(result_lines(run.result, None, run.space))


def test_how_many_numbers_a_built_in_table_has(tmp_path: Path) -> None:
    fitted = load("wine").preprocessing
    assert fitted is not None
    trial = made([0.5], config=LENET)
    found = sections(tmp_path / "run", trial, preprocessing=[fitted.to_dict()])["data"]
    assert found.endswith("13 columns: 13 numbers; 13 inputs in all.")


def test_what_was_noted_of_the_columns_is_on_the_page(tmp_path: Path) -> None:
    table = tmp_path / "it.csv"
    rows = "".join(f"{37 * n % 1000:05d},{n % 2},c{n // 2 % 2}\n" for n in range(60))
    table.write_text(f"postcode,x,y\n{rows}")
    study = prepare(spec_of(data=table, target="y"))
    folder = write_run(tmp_path / "run", preprocessing=study.preprocessing)
    settings, prepared = read_header(folder)
    data = study.prepared()["data"]
    write_header(RunFiles(folder), settings, {**prepared, "data": data})
    note = "postcode: numbers such as 00000: --category postcode if they are codes."
    assert told(folder)["data"].endswith(f"; 2 inputs in all. {note}")


def test_trials_that_were_not_trained_had_no_epochs_to_save(tmp_path: Path) -> None:
    trials = [
        made([0.5] * 3, config=LENET),
        made([0.4], STOPPED, LENET),
        replace(made([], STOPPED, LENET), stopped_by=REQUIREMENT, broken="n_parameters<9"),
    ]
    found = sections(tmp_path / "run", *trials, max_epochs=3, require=("n_parameters<9",))
    assert (
        "asha stopped 1 of 3 trials. Of 6 possible epochs of the 2 that were trained, 4 were "
        "trained; 2 were saved by early stopping."
    ) in found["stopping"]
    found = sections(tmp_path / "all", *trials[:2], max_epochs=3)
    assert "Of 6 possible epochs, 4 were trained; 2 were saved" in found["stopping"]


def test_the_default_metric_is_no_option_to_type(tmp_path: Path) -> None:
    trial = made([0.5], config=LENET)
    assert "--metric" not in sections(tmp_path / "a", trial, metric="val_accuracy")["again"]
    assert "--metric val_f1" in sections(tmp_path / "b", trial, metric="val_f1")["again"]


def test_where_no_trial_has_ended_it_is_not_said_that_none_started(tmp_path: Path) -> None:
    found = sections(tmp_path / "run", ended=None)
    for name in ("places", "trials"):
        assert found[name] == "No trial has finished, and none runs."


def test_the_best_of_a_tie_is_told_beside_the_last_improvement(tmp_path: Path) -> None:
    sizes = (900, 500, 100)
    trials = [made([0.5], config=LENET, n_parameters=n, trial_id=str(n)) for n in sizes]
    found = sections(tmp_path / "run", *trials, also=("n_parameters",))["progress"]
    assert "The last improvement was trial 0; 2 trials after it found nothing better." in found
    tie = "Trial 2 has the same val_accuracy and is the best"
    assert f"{tie}: of equal trials, those that trained to the end come first" in found
    alone = sections(tmp_path / "alone", *trials)["progress"]
    assert "has the same" not in alone
    losses = [{"val_accuracy": 0.5, "val_loss": loss} for loss in (0.9, 0.5, 0.1)]
    trials = [
        replace(trial, metrics=metrics) for trial, metrics in zip(trials, losses, strict=True)
    ]
    found = sections(tmp_path / "losses", *trials)["progress"]
    assert f"{tie}, because its validation loss is lower." in found


def test_models_that_are_left_out_are_listed() -> None:
    names = ("ridge regression", "gradient boosting", "mean")
    missing: dict[str, dict[str, float]] = {name: {} for name in names}
    assert left_out(missing).startswith("ridge regression, gradient boosting and mean left out: ")
    assert left_out({"mean": {}}).startswith("mean left out: ")
