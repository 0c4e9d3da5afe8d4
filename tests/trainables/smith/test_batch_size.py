"""The batch size test: what it measures, when it ends, and what it tells."""

from __future__ import annotations

import gc
import json
import math
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from trainables.data.datasets import TrialData, load
from trainables.device.byte_sizes import format_bytes
from trainables.device.step_memory import default_bound
from trainables.networks import NETWORKS, Network
from trainables.smith.batch_size import BatchSizeTest, run_batch_size_test
from trainables.smith.batch_size_rule import knee, scale_lr
from trainables.training import steps as measuring
from trainables.training.config import TrainingConfig
from trainables.training.passes import make_passes

CPU = torch.device("cpu")
MLP = {"n_layers": 1, "width_1": 16, "lr": 0.05}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As few steps as possible, on one thread: their time does not matter here."""
    monkeypatch.setattr(measuring, "TIMED_SECONDS", 0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits() -> TrialData:
    return load("digits")


def head(data: TrialData, n: int) -> TrialData:
    return replace(data, x_train=data.x_train[:n], y_train=data.y_train[:n])


def run(data: TrialData, network: Network = NETWORKS["mlp"], **more: Any) -> BatchSizeTest:
    config = MLP if network is NETWORKS["mlp"] else {"lr": 0.1}
    return run_batch_size_test(network, {**config, **more.pop("config", {})}, data, **more)


@pytest.mark.parametrize(
    ("throughputs", "expected"),
    [
        ([100, 200, 400, 800], 64),  # there is much to gain as long as throughput doubles
        ([100, 190, 300, 310], 32),
        ([100, 79, 100, 100], 8),  # one slow measurement in between
        ([70, 79, 80, 100], 32),  # exactly enough
        ([400, 300, 200, 100], 8),
        ([50, 90, 100, 60], 16),  # too large for the caches
    ],
)
def test_the_knee_is_the_smallest_batch_that_is_nearly_as_fast_as_any(
    throughputs: list[float], expected: int
) -> None:
    sizes = [8, 16, 32, 64]
    assert knee(sizes, throughputs) == expected
    assert knee(sizes[::-1], throughputs[::-1]) == expected


def test_a_single_batch_is_its_own_knee() -> None:
    assert knee([8], [1.0]) == 8


def test_the_learning_rate_grows_with_the_batch_or_its_root() -> None:
    assert scale_lr(0.1, 128, 512, "linear") == pytest.approx(0.4)
    assert scale_lr(0.1, 128, 512, "sqrt") == pytest.approx(0.2)
    assert scale_lr(0.1, 128, 32, "sqrt") == pytest.approx(0.05)
    assert scale_lr(0.1, 128, 128, "linear") == 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.1, 8, 16, "cubic"), "the rule of scaling must be one of linear, sqrt, not 'cubic'"),
        ((0.0, 8, 16, "sqrt"), "lr must be above 0, not 0.0"),
        ((math.nan, 8, 16, "sqrt"), "lr must be above 0, not nan"),
        ((0.1, 0, 16, "sqrt"), "the batch size of lr must be at least 1, not 0"),
        ((0.1, 8, -1, "sqrt"), "the batch size must be at least 1, not -1"),
    ],
)
def test_what_cannot_be_scaled_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scale_lr(*arguments)


def test_batches_double_until_the_samples_are_used_up(digits: TrialData) -> None:
    test = run(head(digits, 100), device=CPU)
    assert [row.batch_size for row in test.rows] == [8, 16, 32, 64]
    assert test.largest == 64
    assert test.knee in (8, 16, 32, 64)
    assert test.stopped == "the training split has 100 samples, fewer than 128"
    assert all(row.samples_per_second > 0 for row in test.rows)


def test_a_step_larger_than_the_split_is_prepared_once_as_in_a_training(
    digits: TrialData, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def counted(*given: Any, batch_size: int, **more: Any) -> Any:
        sizes.append(batch_size)
        return make_passes(*given, batch_size=batch_size, **more)

    monkeypatch.setattr(measuring, "make_passes", counted)
    config, model = NETWORKS["mlp"].build(MLP, digits)
    steps = measuring.Steps(model, config, head(digits, 50), 0, CPU)
    for _ in range(3):
        steps.step(128)
    assert sizes == [50]


def test_fewer_samples_than_the_first_batch_are_one_batch(digits: TrialData) -> None:
    assert [row.batch_size for row in run(head(digits, 5), device=CPU).rows] == [5]


@pytest.mark.parametrize(("optimizer", "copies"), [("sgd", 3), ("adamw", 4)])
def test_the_memory_of_a_step_is_counted(digits: TrialData, optimizer: str, copies: int) -> None:
    """The sum of weights, gradients and one state of SGD or two of AdamW; then, for each sample,
    the pixels, the hidden units, the logarithms of the probabilities and the class; and once more
    the size of the pixels, for the gradient in flight."""
    test = run(head(digits, 64), device=CPU, config={"optimizer": optimizer})
    weights = 4 * (64 * 16 + 16 + 16 * 10 + 10)
    steps = 4 * 4 if optimizer == "adamw" else 0  # AdamW counts its steps for each parameter
    of_cross_entropy = 4
    a_sample = 4 * 64 + 4 * 16 + 4 * 10 + 8 + 4 * 64
    for row in test.rows:
        expected = copies * weights + steps + of_cross_entropy + a_sample * row.batch_size
        assert row.memory == expected


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_the_memory_is_the_same_in_every_test(digits: TrialData, model: str) -> None:
    config = {
        "mlp": MLP,
        "cnn": {"n_blocks": 2, "channels": 4, "lr": 0.1},
    }[model]
    data = head(digits, 64)
    first, second = (
        run_batch_size_test(NETWORKS[model], config, data, seed=seed, device=CPU)
        for seed in range(2)
    )
    memory = [row.memory for row in first.rows]
    assert memory == [row.memory for row in second.rows]
    growth = [b - a for a, b in pairwise(memory)]
    assert growth[1] == pytest.approx(2 * growth[0], rel=0.02)


def test_the_bound_ends_the_test_and_holds_for_every_row(digits: TrialData) -> None:
    data = head(digits, 64)
    needed = {row.batch_size: row.memory for row in run(data, device=CPU).rows}
    test = run(data, device=CPU, memory=needed[32])
    assert test.largest == 32
    assert test.stopped.startswith("a step on 64 samples needs ")
    assert test.stopped.endswith(f"more than {format_bytes(needed[32])}")
    assert run(data, device=CPU, memory=needed[32] - 1).largest == 16
    with pytest.raises(ValueError, match=r"not even the first batch fits: .* on 8 samples needs"):
        run(data, device=CPU, memory=needed[8] - 1)


@pytest.mark.parametrize("memory", [0, -1e9, math.nan])
def test_a_bound_has_to_be_above_nothing(digits: TrialData, memory: float) -> None:
    with pytest.raises(ValueError, match="the memory bound must be above 0 bytes, not"):
        run(digits, device=CPU, memory=memory)


def failing(error: Callable[[], Exception], above: int) -> tuple[Network, list[weakref.ref[Any]]]:
    """A network that fails on batches of more than ``above`` samples, and what it then held."""
    held: list[weakref.ref[Any]] = []

    class Failing(nn.Module):
        def __init__(self, config: TrainingConfig, shape: tuple[int, ...], n_outputs: int) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), n_outputs))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            output: torch.Tensor = self.layers(x)
            if len(x) > above:
                held.append(weakref.ref(output))
                raise error()
            return output

    return Network(TrainingConfig, Failing), held


@pytest.mark.parametrize(
    "error",
    [
        lambda: torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        lambda: RuntimeError("CUDA error: out of memory"),
        lambda: RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
        lambda: RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
        MemoryError,
    ],
    ids=["cuda", "runtime", "cublas", "cudnn", "cpu", "python"],
)
def test_running_out_of_memory_ends_the_test_and_leaves_nothing(
    digits: TrialData, error: Callable[[], Exception]
) -> None:
    network, held = failing(error, above=16)
    test = run(head(digits, 64), network, device=CPU)
    assert test.largest == 16
    assert test.stopped == "a step on 32 samples runs out of memory"
    gc.collect()
    assert [reference() for reference in held] == [None]


def test_running_out_of_memory_at_once_is_the_users_to_know(digits: TrialData) -> None:
    network, _ = failing(MemoryError, above=4)
    with pytest.raises(ValueError, match="first batch fits: a step on 8 samples runs out of mem"):
        run(digits, network, device=CPU)


def test_any_other_error_is_not_taken_for_it(digits: TrialData) -> None:
    network, _ = failing(lambda: RuntimeError("mat1 and mat2 shapes cannot be multiplied"), 16)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        run(digits, network, device=CPU)


def test_the_generator_is_left_as_it_was(digits: TrialData) -> None:
    before = torch.get_rng_state()
    run(head(digits, 20), device=CPU, config={"dropout": 0.3}, seed=5)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_test_is_json(digits: TrialData) -> None:
    test = run(head(digits, 20), device=CPU)
    content = json.loads(json.dumps(test.as_dict(), allow_nan=False))
    assert content["largest"] == 16
    assert content["rows"][0]["batch_size"] == 8


def test_the_cpu_is_bounded_and_a_gpu_says_itself() -> None:
    bound = default_bound(CPU)
    assert bound is not None
    assert bound > 1e8
    assert default_bound(torch.device("cuda")) is None
