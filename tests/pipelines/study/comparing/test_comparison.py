"""The comparison of algorithms: its table, its curves, and what it goes on with."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.cli import comparison as running
from pipelines.record.header import read_header
from pipelines.record.trials import FinishedTrial, State
from pipelines.results.algorithms_page import algorithms_page
from pipelines.results.page.model import Page
from pipelines.study.comparing.comparison import (
    Cell,
    Comparison,
    best_so_far,
    compare_rows,
    mean_curve,
)
from pipelines.study.comparing.comparison_spec import DOUBLE, ComparisonSpec
from pipelines.study.prepare import load_problem, load_test_rows
from search_spaces import Config, Float, SearchSpace
from tests.pipelines.recorded import write_run
from tests.pipelines.running import study_of
from trainables.training.metrics import METRICS

ACCURACY, LOSS = METRICS["val_accuracy"], METRICS["val_loss"]
CELLS = [
    Cell("a", 0, 0.9, 10, 1.0),
    Cell("b", 0, 0.8, 20, 2.0),
    Cell("a", 1, 0.7, 30, 3.0),
    Cell("b", 1, 0.7, 40, 4.0),
]


def trial(value: float | None, epochs: int, stopped_by: str = "") -> FinishedTrial:
    curve = dict.fromkeys(range(1, epochs + 1), value or 0.0)
    return FinishedTrial("t", {}, State.COMPLETE, curve, value, epochs, stopped_by)


def page_text(page: Page) -> str:
    return f"{page.state} {page.sections}"


def test_random_with_double_budget_is_always_a_row_and_none_is_twice() -> None:
    spec = ComparisonSpec.model_validate({"compared": {"algos": ["gp", "random", "gp"]}})
    assert spec.rows == ["gp", "random", DOUBLE]
    assert spec.cell("gp", 3).budget.trials == 40
    double = spec.cell(DOUBLE, 3)
    assert (double.search.algo, double.search.seed, double.budget.trials) == ("random", 3, 80)
    assert double.run.name == "random-x2-3"
    assert double.budget.time_budget is None
    timed = ComparisonSpec.model_validate({"budget": {"time_budget": "20m"}})
    assert [timed.cell(row, 0).budget.time_budget for row in ("random", DOUBLE)] == [1200, 2400]


def test_all_cells_have_the_same_split_and_their_records_say_which() -> None:
    spec = ComparisonSpec.model_validate({"problem": {"data": "wine"}})
    first, later = (load_problem(spec.cell("random", seed))[0] for seed in (0, 3))
    np.testing.assert_array_equal(first.x_train, later.x_train)
    own = ComparisonSpec.model_validate({"problem": {"data": "wine", "split_seed": 3}})
    assert own.cell("random", 0).split_seed == own.cell("random", 1).split_seed == 3
    other = load_problem(own.cell("random", 0))[0]
    assert not np.array_equal(first.x_train, other.x_train)
    tested = load_test_rows(spec.cell("random", 1)).x
    assert not np.array_equal(tested, load_test_rows(own.cell("random", 1)).x)


def test_the_table_has_means_errors_and_ranks() -> None:
    a, b = compare_rows(CELLS, ACCURACY)
    assert (a.algo, b.algo) == ("a", "b")
    assert a.best == pytest.approx(0.8)
    assert a.best_error == pytest.approx(0.1)  # stdev 0.1414 over the root of 2
    assert (a.epochs, a.seconds) == (20, 2.0)
    assert (a.rank, b.rank) == (1.25, 1.75)  # 1 and 2, then a tie at 1.5


def test_one_seed_has_no_standard_error() -> None:
    rows = compare_rows([*CELLS, Cell("c", 0, 0.5, 20, 1.0)], ACCURACY)
    assert [row.told for row in rows] == ["0.8000 +- 0.1000", "0.7500 +- 0.0500", "0.5000"]
    one = compare_rows(CELLS[:1], ACCURACY)
    assert "error" not in page_text(algorithms_page("it", one, [], "val_accuracy"))
    assert "standard error" in page_text(algorithms_page("it", rows, [], "val_accuracy"))


def test_where_less_is_better_the_order_turns() -> None:
    assert [row.algo for row in compare_rows(CELLS, LOSS)] == ["b", "a"]


def test_the_best_so_far_counts_epochs_and_leaves_diverged_trials_out() -> None:
    trials = [trial(0.0, 2, "divergence"), trial(0.5, 3), trial(0.4, 1), trial(0.6, 4)]
    assert best_so_far(trials, ACCURACY) == [(5, 0.5), (6, 0.5), (10, 0.6)]


def test_a_budget_that_configs_to_try_first_fill_is_refused(tmp_path: Path) -> None:
    first: list[Config] = [{"x": n / 10} for n in range(5)]
    space = SearchSpace(
        {"x": Float(0.0, 1.0)}, try_first=tuple(first[:2]), forbid=lambda config: config["x"] == 0
    )
    study = study_of(tmp_path, None, space=space, trials=1)
    assert study.tried_first == 1  # the other is forbidden
    with pytest.raises(ValueError, match=r"use `trials=2` or more, or --no-portfolio$"):
        running._check(study, begun=False)
    running._check(study, begun=True)  # it may be older than this
    running._check(study_of(tmp_path, None, space=space, trials=2), begun=False)
    mine = replace(study, start_with=tuple(first[2:4]))
    with pytest.raises(ValueError, match=r"use `trials=4` or more, or fewer of `start_with`$"):
        running._check(mine, begun=False)


def test_a_grid_takes_no_configs_to_start_with_in_whichever_row_it_stands(tmp_path: Path) -> None:
    study = study_of(tmp_path, None, algo="grid", start_with="mine.yaml")
    with pytest.raises(ValueError, match="`start_with` is for an algorithm that draws: not grid"):
        running._check(study, begun=False)
    running._check(study, begun=True)


def test_a_mean_curve_ends_with_the_longest_seed() -> None:
    """A seed that has finished keeps its last value, so the curve ends at the mean of the table."""
    curve = mean_curve("a", [[(2, 0.2), (6, 0.6)], [(4, 0.4), (5, 0.8), (9, 1.0)]])
    assert curve.epochs == [4, 5, 6, 9]
    assert curve.mean == pytest.approx([0.3, 0.5, 0.7, 0.8])
    assert curve.error == pytest.approx([0.1, 0.3, 0.1, 0.2])
    assert mean_curve("a", [[(2, 0.2), (6, 0.6)]]).error == []


def test_finished_cells_are_not_missing(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path)
    assert list(comparison.missing(["a", "b"], range(2))) == [
        ("a", 0),
        ("b", 0),
        ("a", 1),
        ("b", 1),
    ]
    comparison.finish(CELLS[0])
    comparison.finish(CELLS[3])
    assert comparison.cells() == [CELLS[0], CELLS[3]]
    assert list(comparison.missing(["a", "b"], range(2))) == [("b", 0), ("a", 1)]


@pytest.mark.parametrize(
    ("left", "whole"),
    [
        ("", []),
        ("algo,seed,be", []),
        ("a,0,0.9,10,1.0\r\n", [CELLS[0]]),
        ("algo,seed,best,epochs,seconds\r\na,0,0.9,10,1.0\r\nb,0,0.8", [CELLS[0]]),
        ("algo,seed,best,epochs,seconds\r\na,0,0.9,10,1.0\r\nb,0,0.8,20,2", [CELLS[0]]),
    ],
    ids=["empty", "half a header", "no header", "half a line", "half a number"],
)
def test_a_table_that_a_full_disk_cut_short_keeps_what_is_whole(
    tmp_path: Path, left: str, whole: list[Cell]
) -> None:
    comparison = Comparison(tmp_path)
    comparison.table.write_text(left, newline="")
    assert comparison.cells() == whole
    comparison.finish(CELLS[1])
    assert comparison.cells() == [*whole, CELLS[1]]
    first, *rows = comparison.table.read_text().splitlines()
    assert first == "algo,seed,best,epochs,seconds"
    assert len(rows) == len(whole) + 1


@pytest.mark.parametrize(
    "damaged",
    [b"b,0,0.9a,0,0.9,10,1.0\r\n", b"b,0,0.8,20\r\n", b"b,0,0.8,2\xff,2.0\r\n", b"\0\r\n"],
    ids=["two in a line", "a field is missing", "no UTF-8", "NUL"],
)
def test_a_table_with_a_damaged_line_is_refused_and_stays(tmp_path: Path, damaged: bytes) -> None:
    comparison = Comparison(tmp_path)
    content = b"algo,seed,best,epochs,seconds\r\n" + damaged + b"a,0,0.9,10,1.0\r\n"
    comparison.table.write_bytes(content)
    says = f"^{comparison.table}, line 2 is not a cell: restore the file, or delete it"
    for reads in (comparison.cells, lambda: comparison.finish(CELLS[1])):
        with pytest.raises(ValueError, match=says):
            reads()
    assert comparison.table.read_bytes() == content


def test_a_disk_that_is_full_costs_no_cell_but_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = Comparison(tmp_path)
    comparison.finish(CELLS[0])

    def full(path: Path, text: str) -> None:
        path.write_bytes(text.encode()[:9])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space left on device"):
            comparison.finish(CELLS[1])
    assert comparison.cells() == [CELLS[0]]
    comparison.finish(CELLS[1])
    assert comparison.cells() == CELLS[:2]


def test_another_algorithm_and_another_machine_go_on_with_a_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = Comparison(tmp_path)
    before = study_of(tmp_path, None, algo="random").prepared()
    del before["data"]["notes"]  # as an older version wrote it
    comparison.claim({}, before)
    monkeypatch.setattr("pipelines.study.study.machine", lambda: {"system": "another"})
    now = study_of(tmp_path, None, algo="gp").prepared()
    comparison.claim({}, now)
    with pytest.raises(ValueError, match=r"compares with lr_bounds\.adam = None, not 0\.1: "):
        comparison.claim({}, {**now, "lr_bounds": {"adam": 0.1}})


def test_a_comparison_goes_on_with_more_seeds_but_with_no_other_grid(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path)
    grid = {"algos": ["grid"], "seeds": 1, "levels": {"lr": 5}}
    comparison.claim({"compared": grid}, {})
    comparison.claim({"compared": {**grid, "algos": ["gp"], "seeds": 2}}, {})
    assert read_header(tmp_path)[0]["compared"] == {**grid, "algos": ["grid", "gp"], "seeds": 2}
    comparison.claim({"compared": grid}, {})
    assert read_header(tmp_path)[0]["compared"]["seeds"] == 2, "fewer leave what was compared"
    with pytest.raises(ValueError, match=r"compares with compared\.levels\.lr = 5, not 7"):
        comparison.claim({"compared": {**grid, "levels": {"lr": 7}}}, {})
    with pytest.raises(ValueError, match=r"compares with compared\.levels\.lr = 5, not None"):
        comparison.claim({"compared": {**grid, "levels": {}}}, {})


def test_a_search_is_no_comparison(tmp_path: Path) -> None:
    comparison = Comparison(write_run(tmp_path / "it"))
    with pytest.raises(ValueError, match="it is a search, not a comparison: choose another"):
        comparison.claim({"compared": {}}, {})
