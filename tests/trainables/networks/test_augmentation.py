"""Images are shifted and flipped in training, and left alone in evaluation."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch.nn import functional

from trainables.data.datasets import TrialData, load
from trainables.networks import NETWORKS
from trainables.networks.augmentation import RandomFlip, RandomShift, augment

CPU = torch.device("cpu")
CONFIG: dict[str, Any] = {
    "n_blocks": 2,
    "channels": 8,
    "residual": True,
    "augmentation": "flip_shift",
    "label_smoothing": 0.1,
    "dropout": 0.2,
    "lr": 0.05,
}


@pytest.fixture(scope="module")
def digits() -> TrialData:
    return load("digits", fraction=0.2)


def one_bright_pixel(n: int, side: int) -> torch.Tensor:
    x = torch.zeros(n, 2, side, side + 3)
    x[:, :, side // 2, side // 2] = 1
    return x


def values(image: torch.Tensor) -> tuple[float, ...]:
    return tuple(image.flatten().tolist())


def test_each_shift_is_equally_likely_and_moves_the_whole_image() -> None:
    torch.manual_seed(0)
    x = one_bright_pixel(9000, 9)
    shifted = RandomShift(1).train()(x)
    assert torch.equal(shifted[:, 0], shifted[:, 1])  # all channels alike
    assert torch.equal(shifted.sum((2, 3)), torch.ones(9000, 2))
    places = shifted[:, 0, 3:6, 3:6].flatten(1).sum(0)  # it is nowhere else
    assert places.sum() == 9000
    assert places.min() > 1000 - 5 * 30  # five standard deviations
    assert places.max() < 1000 + 5 * 30


def test_what_comes_in_is_the_image_reflected_at_its_border() -> None:
    torch.manual_seed(0)
    x = torch.arange(12.0).reshape(1, 1, 3, 4)
    padded = functional.pad(x, [2] * 4, mode="reflect")
    crops = {
        tuple(padded[0, 0, i : i + 3, j : j + 4].flatten().tolist())
        for i in range(5)
        for j in range(5)
    }
    seen = RandomShift(2).train()(x.expand(2000, -1, -1, -1))
    assert {tuple(image.flatten().tolist()) for image in seen} == crops


def test_half_of_the_images_are_mirrored() -> None:
    torch.manual_seed(0)
    x = torch.rand(4000, 1, 3, 4)
    seen = RandomFlip().train()(x)
    mirrored = (seen == x.flip(3)).flatten(1).all(1)
    assert torch.equal(seen[~mirrored], x[~mirrored])
    assert abs(int(mirrored.sum()) - 2000) < 5 * 32


@pytest.mark.parametrize(
    ("how", "side", "kinds"),
    [
        ("none", 28, []),
        ("shift", 28, [3]),
        ("flip_shift", 8, [None, 1]),
        ("flip_shift", 2, [None, 1]),
        ("shift", 1, []),  # there is nothing to reflect
    ],
)
def test_an_image_is_moved_by_an_eighth_of_its_side(how: Any, side: int, kinds: list[Any]) -> None:
    layers = augment(how, side)
    assert [getattr(layer, "most", None) for layer in layers.children()] == kinds
    x = torch.rand(5, 1, side, side)
    assert layers.train()(x).shape == x.shape
    assert torch.equal(layers.eval()(x), x)


def test_a_training_goes_on_from_its_state_as_if_never_interrupted(digits: TrialData) -> None:
    def training() -> Any:
        return NETWORKS["cnn"](CONFIG, digits, max_epochs=4, seed=3, device=CPU)

    def told(metrics: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in metrics.items() if name != "seconds"}

    whole = [told(metrics) for metrics, _ in training()]
    interrupted, file = training(), io.BytesIO()
    next(interrupted), next(interrupted)
    torch.save(interrupted.state_dict(), file)
    resumed = training()
    file.seek(0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert [told(metrics) for metrics, _ in resumed] == whole[2:]


@pytest.mark.parametrize("change", ["residual", "augmentation", "label_smoothing"])
def test_each_changes_the_training(digits: TrialData, change: str) -> None:
    without = {name: value for name, value in CONFIG.items() if name != change}
    scores = [
        next(NETWORKS["cnn"](config, digits, max_epochs=1, seed=0, device=CPU))[0]["val_loss"]
        for config in (CONFIG, without)
    ]
    assert scores[0] != scores[1]
