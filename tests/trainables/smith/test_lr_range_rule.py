"""The rule of the LR range test: from curves made by hand to bounds, or to one clear line."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from trainables.smith.lr_range_rule import smooth, suggest_bounds

NAN, INF = math.nan, math.inf
N = 100


def curve(
    *, noise: float = 0.0, seed: int = 0, steepest: float = 1e-2, n: int = N, steepness: float = 4.0
) -> tuple[list[float], list[float]]:
    """A loss that falls from 2.3 to 0.3, fastest at ``steepest``, and explodes from lr 1 on. The
    noise is a share of the loss."""
    lrs = np.geomspace(1e-5, 10, n)
    decades = np.log10(lrs)
    losses = 2.3 - 2 / (1 + np.exp(-steepness * (decades - math.log10(steepest))))
    losses += np.where(lrs > 1, lrs**2 - 1, 0)
    losses *= 1 + noise * np.random.default_rng(seed).standard_normal(n)
    return lrs.tolist(), losses.tolist()


def flat(noise: float, seed: int = 0) -> tuple[list[float], list[float]]:
    losses = 2.3 + noise * np.random.default_rng(seed).standard_normal(N)
    return np.geomspace(1e-5, 10, N).tolist(), losses.tolist()


@pytest.mark.parametrize("tail", [[], [NAN], [INF, NAN, 0.1]])
@pytest.mark.parametrize("noise", [0.0, 0.002, 0.01])
def test_the_steepest_fall_is_found_in_noise_and_before_a_tail_that_is_not_finite(
    noise: float, tail: list[float]
) -> None:
    for seed in range(30):
        lrs, losses = curve(noise=noise, seed=seed)
        bounds = suggest_bounds(lrs, [*losses[: N - len(tail)], *tail])
        assert 8e-3 < bounds.steepest_lr < 1.25e-2
        assert 1.5e-2 < bounds.max_lr < 6e-2
        assert bounds.max_lr < bounds.lowest_lr < 1


@pytest.mark.parametrize("steepest", [1e-4, 1e-3, 0.1])
def test_bounds_move_with_the_curve(steepest: float) -> None:
    bounds = suggest_bounds(*curve(steepest=steepest, noise=0.005))
    assert bounds.steepest_lr == pytest.approx(steepest, rel=0.15)
    assert 1.5 < bounds.max_lr / steepest < 6


def test_linear_steps_give_the_bounds_of_exponential_ones() -> None:
    # Nearly all points lie above the fall, which has 15 below its middle.
    lrs = np.linspace(1e-5, 0.3, 2 * N)
    rng = np.random.default_rng(0)
    losses = 2.3 - 2 / (1 + np.exp(-4 * (np.log10(lrs) + 1.65)))
    bounds = suggest_bounds(lrs.tolist(), (losses + 0.005 * rng.standard_normal(2 * N)).tolist())
    assert bounds.steepest_lr == pytest.approx(10**-1.65, rel=0.3)


@pytest.mark.parametrize("divisor", [10, 100])
def test_base_lr_is_a_share_of_max_lr(divisor: float) -> None:
    bounds = suggest_bounds(*curve(), divisor)
    assert bounds.base_lr == pytest.approx(bounds.max_lr / divisor)
    assert bounds.max_lr == suggest_bounds(*curve()).max_lr


def test_where_the_curve_turns_up_abruptly_max_lr_keeps_away() -> None:
    lrs, losses = curve()
    cliff = 3e-2
    turned = [9.0 if lr > cliff else loss for lr, loss in zip(lrs, losses, strict=True)]
    smooth_end, abrupt = suggest_bounds(lrs, losses), suggest_bounds(lrs, turned)
    assert abrupt.steepest_lr < abrupt.max_lr < abrupt.lowest_lr < cliff
    assert abrupt.max_lr < 0.7 * smooth_end.max_lr
    assert "leaves room before it turns up" in abrupt.reason
    assert "it falls a third as fast" in smooth_end.reason


def test_the_height_of_an_explosion_does_not_matter() -> None:
    lrs, losses = curve()
    higher = [loss * 1e6 if lr > 2 else loss for lr, loss in zip(lrs, losses, strict=True)]
    assert suggest_bounds(lrs, higher) == suggest_bounds(lrs, losses)


def test_a_single_odd_batch_does_not_move_the_bounds_far() -> None:
    lrs, losses = curve(noise=0.01)
    steady = suggest_bounds(lrs, losses)
    for odd in (10, 30, 60, 70):
        bounds = suggest_bounds(lrs, [*losses[:odd], losses[odd] * 1.5, *losses[odd + 1 :]])
        assert bounds.max_lr == pytest.approx(steady.max_lr, rel=0.5)


def test_where_batches_differ_much_the_smoothing_is_wider() -> None:
    widths = []
    for seed in range(10):
        lrs, losses = curve(noise=0.25, seed=seed)
        bounds = suggest_bounds(lrs, losses)
        widths.append(bounds.width)
        assert 2e-3 < bounds.steepest_lr < 5e-2
    assert max(widths) > suggest_bounds(*curve(noise=0.01)).width


def test_a_loss_that_still_falls_at_the_end_says_so() -> None:
    lrs, losses = curve()
    kept = [lr for lr in lrs if lr < 1.1e-2]
    bounds = suggest_bounds(kept, losses[: len(kept)])
    assert bounds.max_lr == pytest.approx(kept[-1])
    assert "a higher learning rate may find a higher bound" in bounds.reason


def test_the_reason_names_what_was_found() -> None:
    bounds = suggest_bounds(*curve())
    for lr in (bounds.steepest_lr, bounds.max_lr, bounds.lowest_lr):
        assert f"{lr:.3g}" in bounds.reason


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.5])
def test_noise_is_no_fall(noise: float) -> None:
    messages = []
    for seed in range(40):
        try:
            suggest_bounds(*flat(noise, seed))
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) >= 39
    for message in messages:
        assert message.startswith("no usable slope: the loss never falls by more than the noise")


def test_a_loss_that_is_flat_and_then_explodes_never_falls() -> None:
    lrs, losses = flat(0.01)
    exploding = [loss + max(0, lr - 0.1) ** 2 for lr, loss in zip(lrs, losses, strict=True)]
    with pytest.raises(ValueError, match="no usable slope: the loss never falls"):
        suggest_bounds(lrs, exploding)


@pytest.mark.parametrize(
    ("lrs", "losses", "message"),
    [
        (
            [0.1, 0.2, 0.3],
            [2.3, 9.0, NAN],
            r"diverged at once: the loss is nan at lr 0\.3, after 2",
        ),
        ([0.1, 0.2], [INF, INF], r"diverged at once: the loss is inf at lr 0\.1, after 0"),
        (
            [0.1, 0.2, 0.3],
            [2.3, 4.0, 9.0],
            r"diverged at once: the loss is 9 at lr 0\.3",
        ),
        (range(1, 31), [2.0 + i for i in range(30)], "diverged at once: the loss rises"),
        ([0.1, 0.2, 0.3], [2.3, 2.2, 2.1], "no usable slope: the curve has 3 points, but at least"),
        ([], [], "no usable slope: the curve has 0 points"),
        ([0.1], [2.3, 2.2], "1 learning rates need as many losses, not 2"),
        ([0.2, 0.1], [2.3, 2.2], "must be above 0 and rise"),
        ([0.0, 0.1], [2.3, 2.2], "must be above 0 and rise"),
    ],
)
def test_what_has_no_bounds_is_refused(
    lrs: Sequence[float], losses: Sequence[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        suggest_bounds(lrs, losses)


@pytest.mark.parametrize("divisor", [1.0, 0.0, -10.0, NAN])
def test_base_lr_is_below_max_lr(divisor: float) -> None:
    with pytest.raises(ValueError, match="divisor must be above 1"):
        suggest_bounds(*curve(), divisor)


def test_smoothing_keeps_a_line_and_knows_its_slope() -> None:
    lrs = np.geomspace(1e-4, 1, 50)
    line = 2 - 0.3 * np.log10(lrs)
    smoothed = smooth(lrs.tolist(), line.tolist())
    assert smoothed.losses == pytest.approx(2 - 0.3 * np.log10(smoothed.lrs))
    assert smoothed.slopes == pytest.approx(np.full(len(smoothed.lrs), -0.3))
