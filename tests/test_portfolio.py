"""How the configs of a portfolio are chosen."""

from __future__ import annotations

import numpy as np

from benchmarks.portfolio import choose, regrets


def test_those_are_chosen_that_do_well_where_the_others_do_not() -> None:
    scores = np.array(
        [
            [0.9, 0.9, 0.1, 0.1],  # best on two tables
            [0.6, 0.6, 0.3, 0.3],  # never bad, and never the best
            [0.1, 0.1, 0.9, 0.2],
            [0.1, 0.1, 0.2, 0.9],
            [0.0, 0.0, 0.0, 0.0],
        ]
    )
    assert set(choose(regrets(scores), range(5), size=3)) == {0, 2, 3}
    assert choose(regrets(scores), [1, 4], size=3) == [1, 4]
    assert choose(regrets(scores), range(5)) == [*choose(regrets(scores), range(5), size=3), 1, 4]


def test_regret_is_a_share_of_the_way_to_the_median_and_no_more_than_one() -> None:
    scores = np.array([[1.0], [0.75], [0.5], [-100.0], [0.5]])
    assert regrets(scores)[:, 0].tolist() == [0.0, 0.5, 1.0, 1.0, 1.0]
