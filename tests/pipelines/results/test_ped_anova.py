"""The importance of parameters, against Optuna's evaluator."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import optuna
import pytest
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import create_trial

from pipelines.record.journal import distribution
from pipelines.results.figures.ped_anova import PedAnova
from search_spaces import SPACES, Choice, Config, Float, Int, SearchSpace

TOY = SearchSpace(
    {
        "float": Float(-1.0, 3.0),
        "log": Float(1e-5, 1.0, log=True),
        "few": Int(1, 6),
        "many": Int(0, 1000),
        "log_int": Int(1, 4096, log=True),
        "choice": Choice(("a", "b", "c")),
        "flag": Choice((True, False)),
        "fixed": Choice((1,)),
    }
)


def optunas(
    configs: Sequence[Config], losses: Sequence[float], space: SearchSpace
) -> dict[str, float]:
    study = optuna.create_study()
    distributions = {name: distribution(domain) for name, domain in space.domains.items()}
    for config, loss in zip(configs, losses, strict=True):
        of_it = {name: distributions[name] for name in config}
        study.add_trial(create_trial(value=loss, params=config, distributions=of_it))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return PedAnovaImportanceEvaluator(target_quantile=0.25).evaluate(study)


@pytest.mark.parametrize("space", [TOY, SPACES["mlp"], SPACES["cnn"]], ids=["toy", "mlp", "cnn"])
@pytest.mark.parametrize("n", [20, 61, 300])
def test_it_is_what_optuna_finds(space: SearchSpace, n: int) -> None:
    rng = np.random.default_rng(n)
    configs = [space.sample(rng) for _ in range(n)]
    losses = np.round(rng.normal(size=n), 1)  # some are equal
    best = losses <= np.quantile(losses, 0.25, method="inverted_cdf")
    ours = PedAnova(configs, space).importances(best)
    theirs = {
        name: share for name, share in optunas(configs, losses.tolist(), space).items() if share
    }
    assert {name for name, share in ours.items() if share} == set(theirs)
    factor = (best.sum() / n) ** 2
    for name, share in theirs.items():
        assert factor * ours[name] == pytest.approx(share, rel=1e-6), name


def test_the_best_that_are_all_differ_in_nothing() -> None:
    rng = np.random.default_rng(0)
    configs = [TOY.sample(rng) for _ in range(30)]
    found = PedAnova(configs, TOY).importances(np.ones(30, dtype=bool))
    assert found == pytest.approx(dict.fromkeys(found, 0.0))
