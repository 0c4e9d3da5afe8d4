"""A search with HyperOpt alone: ``fmin``, which runs one trial at a time and stops none early. It
uses this project's space, networks and data; every parameter is drawn, active or not.

    python benchmarks/peers/hyperopt_alone.py FOLDER --trials 40 --algo optuna
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import hyperopt
import numpy as np
from cyclopts import run
from hyperopt import hp

from benchmarks.peers.training import USUAL, Work, active, gather, to_draw, train
from search_spaces import Float, Int
from search_spaces.domains import Domain


def drawn(name: str, domain: Domain) -> Any:
    if isinstance(domain, Float):
        if domain.log:
            return hp.loguniform(name, math.log(domain.low), math.log(domain.high))
        return hp.uniform(name, domain.low, domain.high)
    if isinstance(domain, Int):
        low, high = domain.low - 0.5, domain.high + 0.5  # the ends are as likely as the rest
        if domain.log:
            return hp.qloguniform(name, math.log(low), math.log(high), 1)
        return hp.quniform(name, low, high, 1)
    return hp.choice(name, domain.options)


def main(folder: Path, work: Work = USUAL) -> None:
    """Search at random if ``algo`` is random, else with TPE; write what was trained to
    FOLDER/work.json."""
    loaded = work.load()
    space = work.space(loaded)

    def objective(flat: dict[str, Any]) -> float:
        training = train(folder, active(space, flat), loaded, work)
        return -max(float(metrics["val_accuracy"]) for metrics in training)

    hyperopt.fmin(
        objective,
        {name: drawn(name, domain) for name, domain in to_draw(space).items()},
        algo=hyperopt.rand.suggest if work.algo == "random" else hyperopt.tpe.suggest,
        max_evals=work.trials,
        rstate=np.random.default_rng(work.seed),
        show_progressbar=False,
        verbose=False,
    )
    gather(folder)


if __name__ == "__main__":
    run(main)
