"""A batch size test before a search, which leaves out the batch sizes that do not fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from search_spaces import Choice, Config, SearchSpace
from trainables.data.datasets import TrialData
from trainables.networks import Network
from trainables.smith.batch_size import BatchSizeTest, run_batch_size_test

_NAME = "batch_size"


def bound_batch_size(
    space: SearchSpace,
    network: Network,
    data: TrialData,
    *,
    first: Config | None,
    memory: float | None,
    seed: int,
    device: torch.device,
) -> tuple[SearchSpace, BatchSizeTest, str]:
    """``space`` without the batch sizes above the largest that fits into ``memory`` (bytes; None
    is all of a GPU's); the test, and a line about it. If the training set has too few samples for
    a batch that does not fit, all batch sizes are kept.

    The test uses the config ``first``, else the first that the space tries or draws. Raises
    ``ValueError`` for a space without a choice of batch sizes, or if none of them fits.
    """
    domain = space.domains.get(_NAME)
    if not isinstance(domain, Choice):
        raise ValueError("`batch_size_test` bounds the choice of batch_size: the space has none")
    config = first or next(iter(space.try_first), None) or space.sample(np.random.default_rng(seed))
    test = run_batch_size_test(network, config, data, memory=memory, seed=seed, device=device)
    gain = f"({test.stopped}); throughput gains little above {test.knee}"
    if test.ran_out_of(len(data.x_train)):
        return space, test, f"batch     all fit {gain}"
    options = tuple(size for size in domain.options if float(size) <= test.largest)
    if not options:
        raise ValueError(
            f"`batch_size_test`: {test.largest} is the largest batch that fits, and the space has "
            f"{', '.join(map(str, domain.options))}"
        )
    line = f"batch     at most {test.largest} {gain}"
    return space.replace({_NAME: replace(domain, options=options)}), test, line
