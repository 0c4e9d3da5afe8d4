"""The page of a run with any result. Names that a user gives cannot inject markup."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.sets.configs import LENET
from pipelines.record.goals import Aim, Goals
from pipelines.record.trials import FinishedTrial
from pipelines.results.page.model import Code, Page, Section, Table, Words
from pipelines.results.page.render import Head, page_json, render, render_json
from pipelines.results.run_page import report_page
from pipelines.study.runs import open_run
from search_spaces import SPACES, Choice, Float, Int, SearchSpace
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import DIVERGED, FAILED, STOPPED, made, searched, went_on

ORDER = [
    "outcome",
    "progress",
    "curves",
    "importance",
    "parameters",
    "learning-rate",
    "stopping",
    "remarks",
    "places",
    "trials",
    "again",
]
ONE = SearchSpace({"lr": Float(1e-4, 1.0, log=True)})
HOSTILE = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'


def page_of(folder: Path, trials: Sequence[FinishedTrial], **settings: Any) -> Page:
    return report_page(open_run(write_run(folder, trials, **settings)))


def words(section: Section) -> str:
    return " ".join(b.text for b in section.blocks if isinstance(b, Words | Code))


def section(page: Page, name: str) -> Section:
    return next(part for part in page.sections if part.id == name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """A run of forty trials."""
    return page_of(tmp_path_factory.mktemp("runs") / "whole", searched(40), max_epochs=3)


def test_the_sections_are_in_their_order(whole: Page) -> None:
    assert [part.id for part in whole.sections] == ORDER
    ids = [drawing.id for part in whole.sections for drawing in part.drawings]
    assert len(set(ids)) == len(ids)
    assert {"curves", "chosen", "importance", "parallel", "surface", "layers", "rungs"} <= set(ids)


def test_what_the_page_says_of_the_whole_run(whole: Page) -> None:
    assert whole.state == "40 trials; the search is over."
    assert "Over all 40 trials: lr " in words(section(whole, "importance"))
    assert "asha stopped" in words(section(whole, "stopping"))
    assert "pipelines.run --max-epochs 3 Next:" in words(section(whole, "again"))


@pytest.mark.parametrize(
    ("trials", "settings", "said"),
    [
        ([], {}, {"outcome": "No trial has a value", "curves": "No trial", "trials": "No trial"}),
        (
            [made([0.5, 0.6], config=LENET)] * 3,
            {},
            {"importance": "Too few trials", "parameters": "Too few trials"},
        ),
        (
            [made([0.0], DIVERGED, LENET)] * 30,
            {},
            {"outcome": "there is no best", "curves": "No trial", "remarks": "30 trials diverged"},
        ),
        (
            [made([], FAILED, LENET)] * 6,
            {},
            {"outcome": "there is no best", "remarks": "6 trials failed"},
        ),
        ([made([0.5], STOPPED, LENET)] * 30, {}, {"importance": "the same score"}),
        (
            searched(30, ONE),
            {"space": ONE, "trainable": "mine:train"},
            {"importance": "Only 1 parameter", "learning-rate": "No learning rate is known"},
        ),
        (searched(12), {"scheduler": "none"}, {"stopping": "no early stopping"}),
        (searched(12), {"scheduler": "median"}, {"stopping": "at fixed epochs"}),
        ([made([n / 9, n / 8], config=LENET) for n in range(6)], {}, {"parameters": ""}),
        (
            searched(12),
            {"scheduler": "pbt", "algo": "random"},
            {"stopping": "stops no trial", "outcome": "changed while it trained"},
        ),
        (searched(12), {"folds": 3}, {"outcome": "3 folds", "curves": "mean of 3 folds"}),
        (
            [made([2.0, 1.0], config=LENET, mode="min")] * 6,
            {"metric": "val_loss"},
            {"outcome": "lowest val_loss"},
        ),
    ],
    ids=[
        "none",
        "three",
        "diverged",
        "failed",
        "stopped",
        "one",
        "no-stopping",
        "median",
        "one-config",
        "pbt",
        "folds",
        "loss",
    ],
)
def test_each_page_makes_sense(
    tmp_path: Path, trials: list[FinishedTrial], settings: dict[str, Any], said: dict[str, str]
) -> None:
    page = page_of(tmp_path / "run", trials, **settings)
    assert [part.id for part in page.sections] == ORDER
    for name, text in said.items():
        shown = words(section(page, name))
        assert text in shown if text else not shown
    json.loads(page_json(page), parse_constant=pytest.fail)


def test_of_very_many_trials_it_is_said_that_some_are_drawn(
    whole: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "are drawn" not in words(section(whole, "parameters"))
    for name in ("MOST_POINTS", "MOST_LAYERS"):
        monkeypatch.setattr(f"pipelines.results.sections.parameters.{name}", 30)
    found = section(page_of(tmp_path / "run", searched(40), max_epochs=3), "parameters")
    assert "of 40 trials, the figures show the best and some of each" in words(found)
    (layers,) = (drawing.caption for drawing in found.drawings if drawing.id == "layers")
    assert "; 30 of " in layers


@pytest.mark.parametrize(
    ("epochs", "more", "told", "ended"),
    [
        (30, {"started": 101.0}, "with learning rates between 0.0001 and 0.001", False),
        (20, {"started": 101.0}, "with learning rates between 0.0001 and 0.001", True),
        (2, {"started": 101.0}, "with the learning rate 0.001 throughout", True),
        (20, {"started": 201.0}, "with the learning rate 0.001 throughout", True),
        (
            2,
            {"planned": {1: 2, 2: 90}},
            "with the learning rate 0.001 throughout",
            True,
        ),
        (
            20,
            {"planned": {1: 30, 18: 90}},
            "with learning rates between 0.0001 and 0.001",
            True,
        ),
        (
            2,
            {"started": 201.0, "changes": {2: LENET}, "curves": {"lr": [0.5, 0.25]}},
            "with learning rates between 0.25 and 0.5 at the ends of its epochs",
            False,
        ),
    ],
)
def test_the_learning_rate_is_as_planned_as_far_as_the_best_was_trained(
    tmp_path: Path, epochs: int, more: dict[str, Any], told: str, ended: bool
) -> None:
    """A trial planned for 30 epochs, in a search resumed for 90: it drops at half of the 30."""
    config = {**LENET, "policy": "step", "decay_rate": 0.1, "n_drops": 1}
    best = made([n / 100 for n in range(epochs)], config=config, **more)
    folder = went_on(write_run(tmp_path / "run", [best], max_epochs=30), max_epochs=90)
    found = section(report_page(open_run(folder)), "learning-rate")
    assert f"The best trial, 0, trained {told}." in words(found)
    (rates,) = found.drawings
    assert (f"it ended at epoch {epochs}" in rates.caption) == ended
    assert "dotted: the best epoch" in rates.caption
    assert ("at the ends of the epochs" in rates.caption) == ("changes" in more)


def test_repeats_are_told_with_their_spread(tmp_path: Path) -> None:
    from pipelines.record.files import RunFiles
    from pipelines.record.writing import Record

    folder = write_run(tmp_path / "run", [made([0.5], config=LENET)], repeats=2)
    files = RunFiles(folder)
    record = Record(files, files.repeats, SPACES["mlp"], Goals((Aim("value", "max"),)))
    for value in (0.4, 0.6):
        record.append(made([value], config=LENET, repeat_of="t", trial_id=str(value)))
    record.close()
    table = section(report_page(open_run(folder)), "outcome").blocks[-1]
    assert isinstance(table, Table)
    assert list(table.rows[0][:4]) == ["0", "0.5000", "0.1000", "2"]


def test_the_trials_are_there_column_by_column(tmp_path: Path) -> None:
    space = SearchSpace({"kind": Choice(("a", "b")), "lr": Float(0.0, 1.0), "one": Choice((1,))})
    trials = [
        made([0.5, 0.75], config={"kind": "b", "lr": 0.25, "one": 1}, trial_id="x"),
        made([0.9], DIVERGED, {"kind": "a", "lr": 0.5, "one": 1}, trial_id="y"),
        made([], FAILED, {"kind": "a", "lr": 0.5, "one": 1}, trial_id="z", machines_lost=1),
        made([0.6], config={"kind": "a", "lr": 0.5, "one": 1}, trial_id="w", broken="val_f1>1"),
    ]
    page = page_of(tmp_path / "run", trials, space=space, trainable="mine:train")
    content = page.trials
    columns = {column["name"]: unpacked(column["values"]) for column in content["columns"]}
    assert (content["n"], content["best"], content["ids"]) == (4, 0, ["x", "y", "z", "w"])
    assert columns["lr"] == [0.25, 0.5, 0.5, 0.5]
    assert columns["kind"] == [1, 0, 0, 0]
    assert columns["val_accuracy"][0] == 0.75
    assert np.isnan(columns["val_accuracy"][1:3]).all()
    assert columns["val_accuracy"][3] == 0.6, "how near it came to a requirement"
    assert [column["name"] for column in content["columns"]][-1] == "one", (
        "what varies stands first"
    )
    assert unpacked(content["lengths"]) == [2, 1, 0, 1]
    assert unpacked(content["curves"]["val_accuracy"]) == pytest.approx([0.5, 0.75, 0.9, 0.6])
    failed = "RuntimeError: no; 1 machine lost"
    assert content["why"] == ["", "diverged in epoch 1", failed, "breaks val_f1>1"]
    assert content["told"] == {2: "RuntimeError: no"}


def test_a_parameter_with_the_name_of_another_column_has_its_own(tmp_path: Path) -> None:
    """The filter finds a column by its name, in upper or lower case."""
    space = SearchSpace({"epochs": Int(1, 9), "Seconds": Int(1, 9), "lr": Float(0.0, 1.0)})
    trials = [made([0.5, 0.75], config={"epochs": 7, "Seconds": 8, "lr": 0.25}, trial_id="x")]
    content = page_of(tmp_path / "run", trials, space=space, trainable="mine:train").trials
    columns = {column["name"]: column for column in content["columns"]}
    assert len({name.lower() for name in columns}) == len(content["columns"])
    assert unpacked(columns["epochs"]["values"]) == [2]
    assert unpacked(columns["param.epochs"]["values"]) == [7]
    assert unpacked(columns["param.Seconds"]["values"]) == [8]


def unpacked(packed: dict[str, str]) -> list[Any]:
    array = np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])
    return list(array.tolist())


def test_the_traceback_of_a_failed_trial_is_on_the_page(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [made([], FAILED, LENET, trial_id="f")])
    (folder / "errors").mkdir()
    (folder / "errors" / "f.txt").write_text("x" * 30_000 + "\nValueError: the end")
    text = report_page(open_run(folder)).trials["told"][0]
    assert text.endswith("ValueError: the end")
    assert len(text) == 20_000


def test_what_trials_printed_is_on_the_page(tmp_path: Path) -> None:
    """The output of the best trial and of the first that failed, but no unrelated files."""
    trials = [
        made([0.5], config=LENET, trial_id="quiet"),
        made([0.7], config=LENET, trial_id="loud"),
        made([], FAILED, LENET, trial_id="f"),
    ]
    folder = write_run(tmp_path / "run", trials)
    for folder_of, name, text in (
        ("printed", "loud", "batch 1\n"),
        ("printed", "f", "careful\n"),
        ("errors", "f", "ValueError: no"),
        ("printed", "stranger", "me"),
    ):
        (folder / folder_of).mkdir(exist_ok=True)
        (folder / folder_of / f"{name}.txt").write_text(text)
    told = report_page(open_run(folder)).trials["told"]
    assert told == {1: "Printed:\nbatch 1", 2: "Printed:\ncareful\n\nValueError: no"}


def test_nothing_a_user_named_breaks_out(tmp_path: Path) -> None:
    space = SearchSpace({HOSTILE: Choice((HOSTILE, "b")), "lr": LR, "n": Float(0.0, 1.0)})
    trials = [
        made([0.1, n / 40], config={HOSTILE: HOSTILE, "lr": 0.01 + n / 50, "n": n / 40})
        for n in range(40)
    ]
    trials.append(
        made([], FAILED, {HOSTILE: "b", "lr": 0.1, "n": 0.5}, error=HOSTILE, node=HOSTILE)
    )
    page = page_of(tmp_path / "run", trials, space=space, trainable=f"m:{HOSTILE}", data=HOSTILE)
    text = render(page)
    ours = text.count("<script")
    assert HOSTILE not in text
    assert "<img" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert ours == text.count("</script>") == text.count("<script>") + 2
    for part in json.loads(page_json(page))["sections"]:
        assert "<img" not in part["html"]
        assert "<script" not in part["html"]
        # Plotly shows some markup of its own.
        assert HOSTILE not in json.dumps(part["figures"], default=str)


LR = Float(1e-4, 1.0, log=True)


def test_the_browser_runs_our_scripts_alone_and_asks_nobody(whole: Page) -> None:
    text = render(whole)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert "connect-src &#39;none&#39;" in policy[1]
    assert policy[1].count("sha256-") == 5
    assert "unsafe-inline" not in policy[1].partition("style-src")[0]
    outside = text.replace("http://www.w3.org", "")
    assert not re.search(r'(?:src|href)="?https?:', outside.split("<script>")[0])


def test_the_words_can_be_read_without_scripts(whole: Page) -> None:
    """As in the preview of a mail. The figures and the table of all trials cannot."""
    text = render(whole).partition("<noscript>")[2].partition("</noscript>")[0]
    assert [f"<h2>{section.title}</h2>" in text for section in whole.sections] == [True] * 11
    assert "<dt>best val_accuracy</dt>" in text
    assert "<script" not in text


def test_a_live_page_asks_for_its_news_where_it_is_told_to(whole: Page) -> None:
    text = render_json(Head("a", "b", "c"), page_json(whole), live="data.json", plotly="p.js")
    assert '<script src="p.js" nonce="' in text
    assert "connect-src &#39;self&#39;" in text
    assert '<script type="application/json" id="live">"data.json"</script>' in text


def test_the_data_of_a_page_are_json_without_nan(whole: Page) -> None:
    content = json.loads(page_json(whole), parse_constant=pytest.fail)
    assert set(content) == {"title", "subtitle", "state", "sections", "trials"}
    assert all("template" not in f["layout"] for s in content["sections"] for f in s["figures"])
