"""What a report says to type for the same search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines import run
from pipelines.cli.command import main
from pipelines.results.sections.again import options, setting_values
from pipelines.study.spec import StudySpec
from pipelines.study.study_file import read_study

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
