"""What settings accept from a command line, a file or Python, and the one line that tells what is
wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.study.comparing.comparison_spec import ComparisonSpec
from pipelines.study.settings import Settings, read_bytes, read_scalar, read_seconds
from pipelines.study.spec import StudySpec
from pipelines.study.study_file import read_study, read_study_file, study_file
from pipelines.tuner.sampling.algorithms import ALGORITHMS
from tests.pipelines.running import GROUP_OF, spec_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("20m", 20 * 60),
        ("1h30m", 90 * 60),
        ("2d", 2 * 24 * 3600),
        ("1.5h", 90 * 60),
        (" 5m ", 300),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert read_seconds(text) == seconds
    assert spec_of(time_budget=text).budget.time_budget == seconds
    assert spec_of(time_budget=seconds).budget.time_budget == seconds


@pytest.mark.parametrize("text", ["", "90", "h", "1w", "-5m", "5m later", "1h,30m", "1e3s", "inf"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is not a duration: write 90s, 20m, 1h30m"):
        read_seconds(text)


def test_a_duration_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="'0m' must be longer than 0"):
        read_seconds("0m")


def test_a_seed_that_torch_cannot_take_is_refused() -> None:
    """A seed beyond 32 bits needs a split_seed of its own."""
    assert spec_of(seed=10**18, split_seed=0).search.seed == 10**18
    with pytest.raises(ValueError, match="less than or equal to 1000000000000000000"):
        spec_of(seed=2**63, split_seed=0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2GB", 2e9),
        ("500 MB", 5e8),
        ("1.5GiB", 1.5 * 2**30),
        ("64KiB", 2**16),
        ("1e6", 1e6),
        ("3 kb", 3000),
    ],
)
def test_memory_is_read(text: str, expected: float) -> None:
    assert read_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "GB", "2XB", "two GB", "nanGB", "infGB", "1..5GB", "2 GB x"])
def test_what_is_no_memory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of memory: write 2GB, 500MB"):
        read_bytes(text)


@pytest.mark.parametrize("text", ["0", "0GB", "-2GB"])
def test_memory_is_above_nothing(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' must be above 0"):
        read_bytes(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-5", -5),
        ("1e-3", 1e-3),
        ("true", True),
        ("False", False),
        ("relu", "relu"),
        (2.5, 2.5),
        ("01", "01"),
        ("nan", "nan"),
        ("1e999", "1e999"),
    ],
)
def test_a_scalar_has_the_type_that_it_looks_like(text: Any, value: Any) -> None:
    assert read_scalar(text) == value
    assert type(read_scalar(text)) is type(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "nan is not a finite number"),
        (float("inf"), "inf is not a finite number"),
        (None, "no value is given"),
        ([1, 2], r"\[1, 2\] is not a number, truth value or text"),
    ],
)
def test_what_is_no_scalar_is_refused_in_words(value: Any, message: str) -> None:
    for given in ({"fix": {"lr": value}}, {"range": {"lr": (0.1, value)}}):
        with pytest.raises(ValueError, match=message):
            spec_of(**given)


def test_levels_may_be_repeated_for_another_parameter() -> None:
    assert spec_of(levels=["lr=4", "n_layers=3"]).search.levels == {"lr": 4, "n_layers": 3}
    with pytest.raises(ValidationError, match="'lr=4': lr is given twice"):
        spec_of(levels=["lr=5", "n_layers=3", "lr=4"])
    assert spec_of(levels={"lr": 4}).search.levels == {"lr": 4}


@pytest.mark.parametrize("entry", ["lr", "lr=", "=3", ""])
def test_what_is_no_level_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=f"'{entry}' is not of the form NAME=N, such as lr=5"):
        spec_of(levels=[entry])


@pytest.mark.parametrize("entry", ["lr=x", "lr=-1", "lr=2.5", "lr=²", "lr=0"])
def test_levels_are_whole_numbers_of_one_or_more(entry: str) -> None:
    with pytest.raises(ValidationError, match=r"levels\.lr"):
        spec_of(levels=[entry])


@pytest.mark.parametrize("given", ["lr=1e-3..0.1", {"lr": "1e-3..0.1"}, {"lr": [1e-3, 0.1]}])
def test_ranges(given: Any) -> None:
    assert spec_of(range=given).space.range == {"lr": (1e-3, 0.1)}


@pytest.mark.parametrize("text", ["lr=0.1", "lr=..1", "lr=1.."])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not of the form LOW\.\.HIGH"):
        spec_of(range=text)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"trials": 0}, "budget.trials"),
        ({"trials": True}, "budget.trials"),
        ({"trials": "many"}, "budget.trials"),
        ({"data_fraction": 1.5}, "problem.data_fraction"),
        ({"data_fraction": "wine"}, "problem.data_fraction"),
        ({"data": 3}, "problem.data"),
        ({"target_value": float("nan")}, "budget.target_value"),
        ({"reduction_factor": 1}, "stopping.reduction_factor"),
        ({"gpus_per_trial": 0.3}, "resources.gpus_per_trial"),
        ({"folds": 1}, "problem.folds"),
        ({"name": "a/b"}, "run.name"),
    ],
)
def test_a_wrong_value_from_python_names_the_field(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=field.replace(".", r"\.")):
        spec_of(**settings)


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"budget\.trails"):
        StudySpec.model_validate({"budget": {"trails": 3}})


def test_a_choice_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(ValueError, match=r"'optun' is none of grid, .* \(did you mean 'optuna'\?"):
        spec_of(algo="optun")
    with pytest.raises(ValueError, match=r"\(did you mean 'val_accuracy'\?"):  # not val_auc
        spec_of(metric="val_acc")


def test_a_choice_knows_what_was_registered_since(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ALGORITHMS, "mine", ALGORITHMS["random"])
    assert spec_of(algo="mine").search.algo == "mine"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"grace_period": 9, "max_epochs": 4}, "`grace_period` 9 is above `max_epochs` 4"),
        ({"memory": "2GB"}, "`memory` is a bound for `batch_size_test`, which is not given"),
        ({"lr_range_test": True, "fix": {"lr": 1}}, "leave lr out of `range`, `fix`"),
        ({"trainable": "m:f", "max_parameters": 9}, "`max_parameters` is only for a `model`"),
        ({"trainable": "m:f", "lr_range_test": True}, "`lr_range_test` is only for a `model`"),
        ({"trainable": "m:f", "precision": "bf16"}, "`precision` is only for a `model`"),
        ({"trainable": "m:f", "gpus_per_trial": "auto"}, "`gpus_per_trial=auto` is only for a"),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("+", r"\+")):
        spec_of(**settings)


def test_no_two_settings_have_the_same_option() -> None:
    assert len(GROUP_OF) == sum(
        len(type(getattr(StudySpec(), group)).model_fields) for group in StudySpec.model_fields
    )


def test_every_setting_is_explained_in_one_line() -> None:
    for group in StudySpec.model_fields:
        for name, field in type(getattr(StudySpec(), group)).model_fields.items():
            assert field.description, name
            assert "\n" not in field.description, name


CHANGED = spec_of(
    data="mine.csv",
    target="kind",
    algo="gp",
    levels={"lr": 5},
    fix={"optimizer": "adamw", "batch_norm": True, "n_layers": 2},
    range={"lr": (1e-4, 0.1), "width_1": (16, 64)},
    time_budget="20m",
    gpus_per_trial="1/3",
    cpus_per_trial=0.25,
    start_with="mine.yaml",
    seed=3,
)


def test_a_printed_study_file_is_the_same_study(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    for spec in (StudySpec(), CHANGED):
        text = study_file(spec)
        path.write_text(text)
        assert read_study(path) == spec
        comments = [line for line in text.splitlines() if line.strip().startswith("#")]
        assert len(comments) == 1 + len(StudySpec.model_fields) + len(GROUP_OF)


def test_a_study_file_need_not_be_whole(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("budget: {trials: 7, time_budget: 20m}\nspace:\n  range: {lr: 1e-4..1e-1}\n")
    spec = read_study(path)
    assert (spec.budget.trials, spec.budget.time_budget) == (7, 1200.0)
    assert spec.space.range == {"lr": (1e-4, 0.1)}
    assert spec.budget.max_epochs == StudySpec().budget.max_epochs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("budget: {trails: 3}", r"has an unknown setting budget.trails \(did you mean trials\?\)"),
        ("bugdet: {trials: 3}", r"has an unknown group bugdet \(did you mean budget\?\)"),
        ("trials: 3", "has an unknown group trials"),
        ("budget: 3", "budget is not a mapping from settings to values"),
        ("- 3", "is not a mapping from groups to their settings"),
        (
            "problem: {also: n_parameters}",
            r"problem.also must be a list, not 'n_parameters': write \[n_parameters\]",
        ),
        ("problem: {drop: id}", r"problem.drop must be a list, not 'id': write \[id\]"),
        ("{", "is not valid YAML"),
        ("", "is not a mapping from groups"),
    ],
)
def test_a_study_file_that_is_wrong_says_so_in_a_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_study_file(path)
    assert "\n" not in str(error.value)


def test_a_study_file_that_is_not_there_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone.yaml cannot be read: No such file"):
        read_study_file(tmp_path / "gone.yaml")


@pytest.mark.parametrize("kind", [StudySpec, ComparisonSpec])
def test_half_of_a_character_is_refused_in_words(kind: type[Settings]) -> None:
    with pytest.raises(ValidationError, match="half of a character"):
        kind.model_validate({"problem": {"model": "caf\udce9"}})
