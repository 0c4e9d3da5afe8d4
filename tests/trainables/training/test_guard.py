from __future__ import annotations

import math

import pytest
import torch

from trainables.training.guard import DivergenceGuard

CPU = torch.device("cpu")


def ended_after(losses: list[float], steps: int) -> int | None:
    """How many batches a guard that checks every ``steps`` lets train; None if it lets all."""
    guard = DivergenceGuard(lambda first: 10 * first, CPU, steps)
    for n, loss in enumerate(losses, 1):
        if guard.explodes(torch.tensor(loss)):
            return n
    return len(losses) if guard.has_exploded() else None


@pytest.mark.parametrize("bad", [10.0, 1e30, math.inf, math.nan])
def test_a_bad_loss_ends_a_training_at_the_next_look(bad: float) -> None:
    losses = [1.0, 2.0, 9.9, bad, *[1.0] * 60]  # a recovery does not help
    assert ended_after(losses, steps=1) == 4
    assert ended_after(losses, steps=32) == 32
    assert ended_after(losses[:20], steps=32) == 20  # at the end of the epoch


def test_sound_losses_do_not() -> None:
    assert ended_after([1.0, 9.9] * 50, steps=1) is None
    assert ended_after([1.0, 9.9] * 50, steps=32) is None


def test_a_first_loss_that_is_no_number_is_bad_too() -> None:
    assert ended_after([math.nan, 1.0], steps=1) == 1
    assert ended_after([math.nan, 1.0], steps=32) == 2


def test_on_a_gpu_it_looks_within_fifty_steps() -> None:
    guard = DivergenceGuard(lambda first: 10 * first, torch.device("cuda"))
    losses = [1.0, math.nan, *[1.0] * 48]
    assert any(guard.explodes(torch.tensor(loss)) for loss in losses)


def test_between_two_looks_no_loss_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = DivergenceGuard(lambda first: 10 * first, CPU, steps=32)
    guard.explodes(torch.tensor(1.0))
    read: list[int] = []
    monkeypatch.setattr(torch.Tensor, "item", lambda self: read.append(1))
    for _ in range(30):
        guard.explodes(torch.tensor(1.0))
    assert not read
