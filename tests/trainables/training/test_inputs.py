"""Inputs on a device. The code for a GPU is tested on the CPU here, and on a GPU in tests/gpu."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.data.datasets import load
from trainables.training.inputs import as_pixels, inputs_on

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of colour images with all 256 levels."""
    folder = tmp_path_factory.mktemp("colours")
    rng = np.random.default_rng(0)
    for number in range(40):
        place: Path = folder / "ab"[number % 2] / f"{number}.png"
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(place)
    return str(folder)


def test_images_are_kept_as_bytes_and_used_as_the_same_numbers(colours: str) -> None:
    for source in ("digits", colours):
        data = load(source)
        found = as_pixels(CPU, data.x_train, data)
        assert found is not None
        assert found.kept.dtype == torch.uint8
        batch = torch.tensor([3, 1, 2])
        assert torch.equal(found.of(batch), torch.from_numpy(data.x_train)[batch])
        assert torch.equal(torch.cat(list(found.parts())), torch.from_numpy(data.x_train))
        turned = found.channels_last()
        assert turned.of(batch).is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(turned.of(batch), found.of(batch))


def test_what_does_not_come_from_bytes_is_kept_as_it_is() -> None:
    digits = load("digits")
    between = digits.x_train + np.float32(0.1)
    assert as_pixels(CPU, between, digits) is None
    assert as_pixels(CPU, digits.x_train, replace(digits, preprocessing=None)) is None
    table = load("wine")
    assert as_pixels(CPU, table.x_train, table) is None


def test_on_the_cpu_inputs_take_no_memory_of_their_own() -> None:
    digits = load("digits")
    inputs = inputs_on(CPU, digits.x_train, digits)
    assert inputs.kept.data_ptr() == digits.x_train.ctypes.data
    assert len(inputs) == len(digits.x_train)
