"""The panel of real tables: what its result table says, and that its halves are disjoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.panel import main, read, rows
from benchmarks.searched_panel import ahead
from benchmarks.sets.configs import CONFIGS
from benchmarks.sets.scores import Score
from benchmarks.sets.tables import IN_USE, SET_ASIDE
from search_spaces import SPACES


def score(table: str, side: str, test: float, seed: int = 0) -> Score:
    return Score(table, side, seed, test, 0.0, 1.0)


def test_a_row_has_the_mean_over_seeds_and_the_last_rows_rank_the_sides() -> None:
    scores = [
        score("one", "a", 0.9),
        score("one", "b", 0.7),
        score("one", "b", 0.8, seed=1),
        score("two", "a", 0.5),
        score("two", "b", 0.75),
    ]
    assert list(rows(scores, ["one", "two"], ["a", "b", "c"])) == [
        ["one", "0.9000", "0.7500 +- 0.0707", ""],
        ["two", "0.5000", "0.7500", ""],
        ["mean rank", "1.50", "1.50", ""],
        ["behind the best, on average", "0.1250", "0.0750", ""],
    ]


def test_sides_that_are_equal_share_the_mean_of_their_ranks() -> None:
    scores = [score("one", side, test) for side, test in (("a", 0.9), ("b", 1.0), ("c", 1.0))]
    assert list(rows(scores, ["one"], ["a", "b", "c"]))[1] == ["mean rank", "3.00", "1.50", "1.50"]


def test_within_the_noise_is_what_the_splits_cannot_tell() -> None:
    """a is best on both tables; b is as good within the noise only on the first."""
    scores = [
        *(score("one", "a", value, seed) for seed, value in enumerate((0.90, 0.80, 0.85))),
        *(score("one", "b", value, seed) for seed, value in enumerate((0.80, 0.85, 0.84))),
        *(score("two", "a", value, seed) for seed, value in enumerate((0.90, 0.80, 0.85))),
        *(score("two", "b", value, seed) for seed, value in enumerate((0.80, 0.70, 0.75))),
    ]
    assert list(ahead(scores, ["a", "b"])) == [
        "a: within the noise of the best on 2 of 2, at most 0.0000 behind",
        "b: within the noise of the best on 1 of 2, at most 0.1000 behind (two)",
    ]


def test_what_is_set_aside_is_not_in_use() -> None:
    assert not IN_USE.keys() & SET_ASIDE.keys()
    assert not {t.source for t in IN_USE.values()} & {t.source for t in SET_ASIDE.values()}
    assert len(IN_USE) == len(SET_ASIDE)


def test_the_best_configs_are_tried_first() -> None:
    """Each config, with the other parameters that the space needs."""
    first = SPACES["mlp"].try_first
    for name in ("piecewise, categories", "periodic"):
        assert any(CONFIGS[name].items() <= config.items() for config in first)


def test_what_was_done_is_not_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.jsonl"
    for _ in range(2):
        main(tables=("diabetes",), sides=("linear",), seeds=1, processes=1, results=results)
    (done,) = read(results)
    assert f"| diabetes | {done.test:.4f} |" in capsys.readouterr().out


def test_an_unknown_side_is_named() -> None:
    with pytest.raises(ValueError, match="no table and no side is called 'forest'"):
        main(tables=("diabetes",), sides=("forest",))
