from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from trainables.networks.dropout import Dropout

N = 400_000


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
def test_the_share_and_the_mean_are_those_of_p(p: float) -> None:
    output = Dropout(p)(torch.ones(N))
    dropped = (output == 0).float().mean().item()
    # 1/512 for the rounding of p, and five standard deviations.
    assert dropped == pytest.approx(p, abs=1 / 512 + 5 * (p * (1 - p) / N) ** 0.5)
    assert output.mean().item() == pytest.approx(1, abs=5 * (p / (1 - p) / N) ** 0.5)
    assert len(output.unique()) == 2


def test_masks_are_independent_of_each_other_and_of_the_place() -> None:
    drop = Dropout(0.5)
    first, second = (drop(torch.ones(1000, 400)) == 0 for _ in range(2))
    for one, other in (
        (first, second),
        (first[:, :-1], first[:, 1:]),
        (first[:-1], first[1:]),
        (first[:, :-8], first[:, 8:]),  # the words that bytes come from
    ):
        both = (one & other).float().mean().item()
        assert both == pytest.approx(0.25, abs=5 * (0.25 * 0.75 / one.numel()) ** 0.5)


def test_the_gradient_goes_through_what_is_kept() -> None:
    x = torch.ones(1000, requires_grad=True)
    output = Dropout(0.5)(x)
    output.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, output.detach())
    assert 0 < int((output == 0).sum()) < 1000


def test_nothing_is_dropped_in_evaluation_nor_where_p_is_none() -> None:
    x = torch.randn(100)
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)


def test_what_rounds_to_a_p_of_one_keeps_something() -> None:
    output = Dropout(0.999)(torch.ones(N))
    assert 0 < int((output != 0).sum()) < N / 100


def test_the_masks_of_an_epoch_depend_on_torchs_generator_alone() -> None:
    drop, x = Dropout(0.5), torch.ones(64, 30)
    drop.train()
    drop(x)
    state = torch.get_rng_state()
    drop.train()
    epoch = [drop(x) for _ in range(3)]
    torch.set_rng_state(state)
    another = Dropout(0.5).train()
    assert all(torch.equal(a, another(x)) for a in epoch)
    drop.train()
    assert not torch.equal(drop(x), epoch[0])


def test_the_state_of_a_model_knows_nothing_of_it() -> None:
    drop = Dropout(0.5)
    drop(torch.ones(3))
    assert not drop.state_dict()
