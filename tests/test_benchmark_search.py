"""The benchmark that compares searches: all of them search the same space."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.peers.hyperopt_alone import drawn
from benchmarks.peers.training import Work, active, to_draw
from pipelines.study.narrowing import for_data
from search_spaces import SPACES, Int
from trainables.networks import NETWORKS


@pytest.mark.parametrize("data", ["digits", "breast_cancer"])
def test_peers_search_the_space_that_this_pipeline_does(data: str) -> None:
    work = Work(data=data, seed=1)
    loaded = work.load()
    ours = for_data(SPACES["mlp"], NETWORKS["mlp"], loaded)
    assert replace(work.space(loaded), try_first=()) == replace(ours, try_first=())


def test_a_peer_without_conditions_draws_what_has_several_values() -> None:
    work = Work()
    space = work.space(work.load())
    names = to_draw(space)
    assert "num_embedding" in space.domains
    assert "num_embedding" not in names
    first = {name: domain.at(0.0) for name, domain in names.items()}
    assert space.contains(active(space, first))


def test_hyperopt_draws_integers_in_their_logarithm() -> None:
    assert "qloguniform" in str(drawn("width", Int(8, 512, log=True)))
    assert "quniform" in str(drawn("layers", Int(1, 5)))
