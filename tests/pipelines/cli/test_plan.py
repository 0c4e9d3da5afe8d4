"""The lines that are printed before a search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from PIL import Image

from benchmarks.sets.configs import LENET
from pipelines.cli.data_lines import data_lines
from pipelines.cli.plan import plan_lines
from pipelines.study.prepare import prepare
from search_spaces import Choice, Int, SearchSpace
from tests.pipelines.running import spec_of
from tests.pipelines.study.without_ray import OneNode

pytestmark = pytest.mark.usefixtures("elsewhere")

FEW = SearchSpace({"n": Int(1, 3)})


def plan(**settings: object) -> str:
    return "\n".join(plan_lines(prepare(spec_of(**settings)), OneNode(), 2))


def test_where_one_class_is_large_a_better_metric_is_named() -> None:
    lines = [f"{i % 9},{'no' if i % 5 else 'yes'}" for i in range(100)]
    Path("mine.csv").write_text("\n".join(["x,late", *lines]) + "\n")
    shown = plan(data="mine.csv", target="late")
    assert "classes   80% of the training samples are 'no'" in shown
    assert "--metric val_balanced_accuracy or val_auc" in shown
    changed = plan(data="mine.csv", target="late", metric="val_auc", class_weights="balanced")
    assert "classes   " not in changed


def test_where_few_samples_validate_folds_are_offered() -> None:
    offered = "88 validation samples hardly tell configs apart: --folds 5 judges each by all 353"
    assert offered in plan(data="diabetes")
    assert "--folds" not in plan(data="diabetes", folds=5)
    assert "--folds" not in plan(data="breast_cancer")


def test_where_few_images_make_few_steps_a_smaller_batch_is_named() -> None:
    for label in ("dark", "light"):
        Path("few", label).mkdir(parents=True)
        for i in range(50):
            pixels = np.full((8, 8), i, dtype=np.uint8)
            Image.fromarray(pixels).save(Path("few", label, f"{i}.png"))
    told = "60 training images make 1 step an epoch in batches of 128: --fix batch_size=32 makes 2"
    assert told in plan(data="few", model="cnn")
    assert "step" not in plan(data="few", model="cnn", fix={"batch_size": 32})
    assert "steps an epoch" not in plan(data="digits", model="cnn")
    named = SearchSpace({"batch_size": Choice(("all", "one"))}, try_first=({"batch_size": "all"},))
    study = replace(prepare(spec_of(data="few", model="cnn")), space=named)
    assert not any("an epoch" in line for line in data_lines(study))


def test_where_no_trial_is_the_algorithms_own_it_is_said() -> None:
    settings = {"algo": "optuna", "data": "breast_cancer"}
    said = "all 8 trials are configs to try first: optuna itself suggests none"
    assert said in plan(**settings, trials=8)
    assert "suggests none" not in plan(**settings, trials=9)
    assert "suggests none" not in plan(**settings, trials=8, portfolio=False)


def test_the_users_own_configs_to_try_first_are_named() -> None:
    Path("own.yaml").write_text(yaml.safe_dump([LENET, {**LENET, "lr": 0.05}]))
    begins = "first     2 configs of own.yaml"
    assert begins in plan(start_with="own.yaml", portfolio=False).splitlines()
    shown = plan(start_with="own.yaml", prior=True)
    assert f"\n{begins}, then 7 configs of the space's portfolio; --no-portfolio" in shown
    assert "prior     50% of the next trials are drawn around the configs of own.yaml" in shown


def test_options_that_have_no_effect_are_named() -> None:
    def notes(**settings: object) -> list[str]:
        lines = plan(data="breast_cancer", **settings).splitlines()
        return [line for line in lines if "has no effect" in line]

    rules = {"grace_period": 2, "reduction_factor": 2}
    assert not notes(scheduler="none")
    assert not notes(scheduler="asha", algo="grid", trials=36, levels={"lr": 6}, **rules)
    assert notes(scheduler="median", algo="random", levels={"lr": 6}, **rules) == [
        "note      --reduction-factor has no effect with --scheduler median",
        "note      --levels has no effect with --algo random",
    ]
    assert len(notes(scheduler="none", **rules)) == 2


def test_where_the_space_has_fewer_configs_than_trials_it_is_said() -> None:
    own = {"trainable": "tests.pipelines.study.forbidding:train", "scheduler": "none"}
    few = {"algo": "random", "space": f"{__name__}:FEW", **own}
    said = "the space has only 3 configs: the 4 trials try some of them more than once"
    assert said in plan(**few, trials=4)
    assert "more than once" not in plan(**few, trials=3)
    assert "more than once" not in plan(algo="random", trials=4)


def test_where_more_trials_may_run_than_asked_it_is_said() -> None:
    settings = {"algo": "random", "max_concurrent": 1}
    assert "more than --max-concurrent may run at once" in plan(**settings, scheduler="pbt")
    assert "--max-concurrent" not in plan(**settings, scheduler="asha")


def test_where_the_disk_has_no_room_for_the_record_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "is free" not in plan(data="breast_cancer")
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=2_000_000))
    (line,) = [line for line in plan(data="breast_cancer").splitlines() if "is free" in line]
    assert line == "warning   2 MB is free in runs: the disk may become full during the search"


def test_images_of_the_user_that_a_network_for_tables_gets_are_noted() -> None:
    for label in ("dark", "light"):
        Path("photos", label).mkdir(parents=True)
        for i in range(20):
            pixels = np.full((12, 10, 3), i, dtype=np.uint8)
            Image.fromarray(pixels).save(Path("photos", label, f"{i}.png"))

    def noted(**settings: object) -> bool:
        return any("--model cnn" in line for line in data_lines(prepare(spec_of(**settings))))

    assert noted(data="photos", model="mlp")
    assert not noted(data="photos", model="cnn")
    assert not noted(data="digits", model="mlp")
