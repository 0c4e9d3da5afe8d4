"""A training on a real GPU: its CUDA graph changes only the time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from benchmarks.gpu_steps import plain
from search_spaces.portfolio import CNN_PORTFOLIO, MLP_PORTFOLIO
from tests.gpu.processes import alone, needs_more_to_record
from trainables.data.datasets import TrialData, load
from trainables.device import gpu
from trainables.device.share import pick_device
from trainables.networks import NETWORKS
from trainables.training import fit, passes
from trainables.training.guard import DivergenceGuard
from trainables.training.inputs import inputs_on

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that CUDA works on"),
]
# With dropout, which draws random numbers on the GPU, and a last batch that is smaller.
MLP = {**MLP_PORTFOLIO[0], "cat_embedding": False, "dropout": 0.3, "batch_size": 100}


@pytest.fixture(scope="module")
def diabetes() -> TrialData:
    return load("diabetes")


@pytest.fixture(scope="module")
def digits() -> TrialData:
    return load("digits")


def begin(network: str, config: Any, data: TrialData, **how: Any) -> Any:
    return replace(NETWORKS[network], **how)(
        config, data, max_epochs=6, seed=1, device=pick_device(1)
    )


def losses(training: Any) -> list[tuple[float, float]]:
    return [(metrics["train_loss"], metrics["val_loss"]) for metrics, _ in training]


def test_a_graph_gives_what_its_kernels_give_one_by_one(
    diabetes: TrialData, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[int] = []
    record = passes.GraphedPasses._record

    def told(self: passes.GraphedPasses, batch: torch.Tensor) -> None:
        recorded.append(len(batch))
        record(self, batch)

    monkeypatch.setattr(passes.GraphedPasses, "_record", told)
    graphed = losses(begin("mlp", MLP, diabetes))
    assert recorded == [100]

    monkeypatch.setattr(fit, "make_passes", plain)
    assert losses(begin("mlp", MLP, diabetes)) == pytest.approx(graphed, rel=1e-5)
    assert recorded == [100]


def test_a_training_goes_on_from_its_state_as_if_never_interrupted(diabetes: TrialData) -> None:
    whole = losses(begin("mlp", MLP, diabetes))
    first = begin("mlp", MLP, diabetes)
    for _ in range(3):
        next(first)
    saved = io.BytesIO()
    torch.save(first.state_dict(), saved)
    saved.seek(0)
    torch.rand(100, device="cuda")  # other code that draws in between
    second = begin("mlp", MLP, diabetes)
    second.load_state_dict(torch.load(saved, weights_only=True, map_location="cpu"))
    assert losses(second) == pytest.approx(whole[3:], rel=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_cnns_learn_in_either_precision_and_their_weights_stay_float32(
    digits: TrialData, precision: str
) -> None:
    config = {**CNN_PORTFOLIO[0], "residual": True}
    *_, (metrics, model) = begin("cnn", config, digits, precision=precision)
    assert metrics["val_accuracy"] > 0.9
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_images_are_bytes_on_the_gpu_and_used_as_the_same_numbers(digits: TrialData) -> None:
    inputs = inputs_on(pick_device(1), digits.x_train, digits)
    assert inputs.kept.dtype == torch.uint8
    assert torch.equal(torch.cat(list(inputs.parts())).cpu(), torch.from_numpy(digits.x_train))


def test_a_training_that_explodes_ends_within_50_steps(
    digits: TrialData, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[torch.Tensor] = []
    explodes = DivergenceGuard.explodes

    def counted(self: DivergenceGuard, loss: torch.Tensor) -> bool:
        steps.append(loss)
        return explodes(self, loss)

    monkeypatch.setattr(DivergenceGuard, "explodes", counted)
    config = {**MLP, "optimizer": "sgd", "lr": 1e6, "batch_size": 8}
    metrics, _ = next(begin("mlp", config, digits))
    assert metrics["diverged"]
    assert len(steps) <= 50


def test_it_waits_for_the_gpu_only_where_the_guard_looks(digits: TrialData) -> None:
    training = begin("mlp", {**MLP, "batch_size": 8}, digits)
    next(training)
    torch.cuda.set_sync_debug_mode("error")  # from here on, code that waits for the GPU raises
    try:
        guard = training._training._guard
        guard._steps = 10**6
        training._training.model.train()
        order = torch.arange(len(digits.x_train)).cuda(non_blocking=True)
        for start in range(0, 800, 8):
            training._training._run_batch(order[start : start + 8])
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_the_memory_of_a_graph_is_given_back(digits: TrialData) -> None:
    config = {**CNN_PORTFOLIO[0], "channels": 64, "kernel_size": 5, "batch_size": 512}
    for _ in range(2):
        training: Iterator[Any] | None = begin("cnn", config, digits)
        assert training is not None
        next(training)
        training = None
    assert gpu.release() == 0


def test_a_graph_that_gets_no_memory_is_told_as_out_of_memory() -> None:
    assert alone(needs_more_to_record)
