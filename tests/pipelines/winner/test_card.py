"""What the card of a model says about its scores and its data."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from benchmarks.sets.configs import LENET
from pipelines.record.looks import Look, add_look
from pipelines.record.trials import FinishedTrial, State
from pipelines.study.runs import open_run
from pipelines.winner.candidates import winner
from pipelines.winner.card import model_card
from pipelines.winner.exporting import export
from pipelines.winner.trained import Trained
from pipelines.winner.training import all_but_test, search_data
from search_spaces import SPACES, Choice
from tests.pipelines.recorded import write_run
from trainables.data.columns import Category
from trainables.data.datasets import load
from trainables.data.table_inputs import TableInputs
from trainables.networks import NETWORKS

pytestmark = pytest.mark.usefixtures("elsewhere")

CONFIG = {**LENET, "width_1": 12, "width_2": 12, "cat_embedding": False}
OTHER = {**CONFIG, "lr": 0.02}
LOOK = Look(1.0, (0,), (CONFIG,), (2,), (1, 2), 142, 36, {"test_accuracy": (0.5, 0.7)})


def searched(*looks: Look, data: str = "wine", **settings: Any) -> Path:
    trial = FinishedTrial("a", CONFIG, State.COMPLETE, {1: 0.8}, 0.8, 1, metrics={"val_loss": 0.4})
    other = FinishedTrial("b", OTHER, State.COMPLETE, {1: 0.7}, 0.7, 1)
    folder = write_run(
        Path("runs/it"),
        [trial, other],
        data=data,
        fingerprint=load(data).fingerprint,
        max_epochs=2,
        **settings,
    )
    for look in looks:
        add_look(folder / "evaluation.json", look)
    return folder


def card(folder: Path, *, again: bool = False) -> str:
    """The card in one line: of the winner as the search kept it, or trained ``again``."""
    run = open_run(folder)
    data = all_but_test(run) if again else search_data(run)[0]
    model: nn.Module = NETWORKS["mlp"].build(CONFIG, data)[1].eval()
    on, seeds = ("train and validation", (1, 2)) if again else ("train", ())
    Path("model").mkdir(exist_ok=True)
    export(run, Trained(model, data, on, (winner(run),), seeds), Path("model"), "model")
    return " ".join(Path("model/README.md").read_text().split())


def test_each_look_has_its_number() -> None:
    other = replace(LOOK, trials=(1,), configs=(OTHER,), values={"test_accuracy": (0.9, 0.9)})
    told = card(searched(LOOK, other))
    assert "(look 1 of 2 at it)" in told
    assert "with 2 seeds; mean +- standard deviation" in told
    assert "0.6000 +- 0.1414" in told


def test_one_look_with_one_seed_is_no_mean() -> None:
    told = card(searched(replace(LOOK, seeds=(1,), values={"test_accuracy": (0.5,)})))
    assert "trained again on train and validation (142 samples) with one seed:" in told


def test_the_test_scores_of_other_networks_say_so() -> None:
    folder = searched(LOOK)
    sentence = (
        "The scores below are not of these weights, which were trained on the training samples"
    )
    assert sentence in card(folder)
    for path in ("runs", "model"):
        shutil.rmtree(path)
    folder = searched(replace(LOOK, kept=True, seeds=(0,), values={"test_accuracy": (0.5,)}))
    told = card(folder)
    assert "with these very weights" in told
    assert sentence not in told
    shutil.rmtree("model")
    add_look(folder / "evaluation.json", LOOK)
    told = card(folder, again=True)
    assert "0.6000 +- 0.1414" in told
    assert sentence not in told


def test_the_samples_are_those_of_the_weights() -> None:
    folder = searched(data_fraction=0.3)
    data = load("wine", fraction=0.3)
    told = card(folder)
    assert f"the weights were trained on train ({len(data.x_train)} samples)" in told
    assert "Not tested: the scores below are on the validation set, which chose" in told
    Path("model").rename("before")
    told = card(folder, again=True)
    whole = load("wine")
    n = len(np.concatenate([whole.y_train, whole.y_val]))
    assert f"the weights were trained on train and validation ({n} samples)" in told
    assert "the scores below are of the search's own training, on the validation set" in told
    assert "They are not of these weights, which were trained on that set too." in told


def test_a_table_of_numbers_has_no_sentence_on_categories() -> None:
    told = card(searched())
    assert "- columns: 13 numbers; 13 inputs in all" in told
    assert "category" not in told
    assert "A number or a date outside the range of the training data counts as" in told
    assert "Its probabilities were not calibrated." in told
    assert "needs Rangefinder, torch, numpy, pandas and pyarrow, and no Ray" in told


def test_of_many_classes_the_first_are_listed() -> None:
    fitted = load("wine").preprocessing
    assert fitted is not None
    card(searched())
    about = json.loads(Path("model/model.json").read_text())
    many = replace(fitted, class_names=tuple(f"c{n}" for n in range(100)))
    told = " ".join(model_card(about, many, "model").split())
    assert "one of 100 classes (`c0`, `c1`, " in told
    assert "`c19` and 80 more, in `preprocessing.json`), and a probability" in told


def test_a_table_with_categories_has_one() -> None:
    fitted = load("wine").preprocessing
    assert fitted is not None
    card(searched())
    about = json.loads(Path("model/model.json").read_text())
    column = Category("kind", ("a", "b"), other=False, of_numbers=False)
    with_category = replace(fitted, inputs=TableInputs((column,)))
    told = " ".join(model_card(about, with_category, "model").split())
    assert "A value of a category that was not in the training data counts as" in told
    assert "outside the range" not in told


def test_the_seed_of_the_split_is_told_if_it_is_another() -> None:
    told = card(searched(seed=3, split_seed=1))
    assert "val_accuracy; seed 3 - the data were split with seed 1" in told
    search = json.loads(Path("model/model.json").read_text())["search"]
    assert (search["seed"], search["split_seed"]) == (3, 1)
    shutil.rmtree("runs")
    Path("model").rename("before")
    assert "split with seed" not in card(searched(seed=3))


def test_a_regression_has_no_probabilities() -> None:
    told = card(searched(data="diabetes", metric="val_loss"))
    assert "It predicts a value" in told
    assert "probabilities" not in told


def test_what_the_space_leaves_no_choice_about_is_not_listed() -> None:
    assert "`cat_embedding=False`" in card(searched())
    shutil.rmtree("runs")
    Path("model").rename("before")
    told = card(searched(space=SPACES["mlp"].replace({"cat_embedding": Choice((False,))})))
    assert "`lr=" in told
    assert "cat_embedding" not in told
