"""Which parameters mattered: over all trials at one epoch, and more than by chance."""

from __future__ import annotations

import pytest

from pipelines.results.figures.importance import (
    Importance,
    Scored,
    better_half,
    common_epoch,
    importance_data,
    importance_figure,
    scored,
)
from pipelines.results.sections.importance import sentence
from search_spaces import Choice, Float, SearchSpace
from tests.pipelines.results.made import (
    COMPLETE,
    CUT_SHORT,
    DIVERGED,
    FAILED,
    STOPPED,
    made,
    searched,
)
from trainables.training.metrics import METRICS

ACCURACY, LOSS = METRICS["val_accuracy"], METRICS["val_loss"]
MIXED = [
    made([0.5, 0.6, 0.7]),
    made([0.4, 0.3], STOPPED),
    made([0.9], DIVERGED),
    made([0.8, 0.8], FAILED),
    made([0.2], CUT_SHORT),
]


def test_trials_are_compared_at_the_last_epoch_that_all_have_reached() -> None:
    assert common_epoch(MIXED) == 2
    assert common_epoch(MIXED[2:]) is None
    assert common_epoch([]) is None


def test_the_score_is_the_best_up_to_there_and_a_diverged_trial_is_the_worst() -> None:
    rows = scored(MIXED, ACCURACY, 2)
    assert [(row.number, row.score) for row in rows] == [(0, 0.6), (1, 0.4), (2, 0.4)]
    losses = [made([2.0, 1.0], mode="min"), made([0.5], DIVERGED, mode="min")]
    assert [row.score for row in scored(losses, LOSS, 2)] == [1.0, 1.0]
    assert scored(MIXED[2:], ACCURACY, 2) == []


def test_the_better_half() -> None:
    rows = [Scored(n, {}, score) for n, score in enumerate([0.1, 0.4, 0.3, 0.2])]
    assert [row.number for row in better_half(rows, ACCURACY)] == [1, 2]
    assert [row.number for row in better_half(rows, LOSS)] == [0, 3]


SPACE = SearchSpace(
    {
        "lr": Float(1e-4, 1.0, log=True),
        "a": Float(0.0, 1.0),
        "b": Float(0.0, 1.0),
        "c": Choice(("x", "y", "z")),
        "fixed": Choice((1,)),
    }
)


def test_stopped_trials_tell_what_mattered() -> None:
    trials = searched(60, SPACE)
    rows = scored(trials, ACCURACY, 1)
    assert len(rows) == 60, "stopped and diverged ones count"
    found = importance_data(rows, SPACE, ACCURACY)
    assert found is not None
    assert found.names[0] == "lr"
    assert found.outstanding == ["lr"]
    assert "fixed" not in found.names
    assert sum(found.shares) == pytest.approx(1)


def test_where_most_diverged_the_others_are_the_best() -> None:
    """More than three quarters have the worst score, so the best quarter would be all trials."""
    configs = [trial.config for trial in searched(60, SPACE)]
    configs.sort(key=lambda config: config["lr"])
    few = [made([n / 100], config=config) for n, config in enumerate(configs[:12])]
    trials = [*few, *(made([0.0], DIVERGED, config) for config in configs[12:])]
    found = importance_data(scored(trials, ACCURACY, 1), SPACE, ACCURACY)
    assert found is not None
    assert found.outstanding == ["lr"]


def test_scores_by_chance_stand_out_from_nothing() -> None:
    """The same trials with their scores shuffled."""
    rows = scored(searched(60, SPACE), ACCURACY, 1)
    dealt = [
        row._replace(score=other.score)
        for row, other in zip(rows, rows[7:] + rows[:7], strict=True)
    ]
    found = importance_data(dealt, SPACE, ACCURACY)
    assert found is not None
    assert "lr" not in found.beyond_chance


def test_the_same_trials_say_the_same_again() -> None:
    rows = scored(searched(40, SPACE), ACCURACY, 1)
    assert importance_data(rows, SPACE, ACCURACY) == importance_data(rows, SPACE, ACCURACY)


def test_few_trials_or_one_parameter_say_nothing() -> None:
    rows = scored(searched(60, SPACE), ACCURACY, 1)
    assert importance_data(rows[:19], SPACE, ACCURACY) is None
    one = SearchSpace({"lr": SPACE.domains["lr"], "fixed": Choice((1,))})
    assert importance_data(rows, one, ACCURACY) is None
    assert importance_data([row._replace(score=0.5) for row in rows], SPACE, ACCURACY) is None


def test_a_parameter_stands_out_beyond_chance_and_not_by_its_colour_alone() -> None:
    data = Importance(["a", "b", "c", "d"], [0.5, 0.3, 0.1, 0.1], [0.2, 0.4, 0.05, 0.2], 30)
    assert (data.beyond_chance, data.outstanding) == (["a", "c"], ["a"])
    figure = importance_figure(data)
    large, small, within, chance = figure.data
    assert (list(large.y), list(large.x)) == ([0], [0.5])
    assert (list(small.y), list(small.x)) == ([2], [0.1])
    assert (list(within.y), list(within.x)) == ([1, 3], [0.3, 0.1])
    assert large.marker.pattern.shape != within.marker.pattern.shape
    assert figure.layout.shapes[0].x0 == 0.25, "an even share"
    assert list(chance.x) == [0.2, 0.4, 0.05, 0.2]


def test_the_sentence_names_what_stands_out() -> None:
    names, shares = ["a", "b", "c", "d", "e"], [0.4, 0.3, 0.15, 0.1, 0.05]
    many = sentence(Importance(names, shares, [0.01] * 5, 30))
    assert many.startswith("a and b make 70% ")
    assert "c, d and e pass the mark of chance" in many
    few = sentence(Importance(names, shares, [0.9] * 4 + [0.01], 30))
    assert few.startswith("no parameter stands out")
    assert "e passes the mark of chance" in few


@pytest.mark.parametrize("fate", [COMPLETE, STOPPED])
def test_a_conditional_parameter_is_not_lost(fate: str) -> None:
    from search_spaces import SPACES

    trials = searched(40, SPACES["mlp"], stopped=fate == STOPPED)
    found = importance_data(scored(trials, ACCURACY, 1), SPACES["mlp"], ACCURACY)
    assert found is not None
    assert {"width_5", "gamma"} <= set(found.names)
