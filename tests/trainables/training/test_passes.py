"""What a step computes, in float32 and in bfloat16. For CUDA graphs see tests/gpu."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.training.inputs import Inputs
from trainables.training.passes import Passes, make_passes

X = torch.randn(40, 3, 8, 8, generator=torch.Generator().manual_seed(0))
INPUTS = Inputs(X)
Y = torch.arange(40) % 4
BATCH = torch.arange(0, 40, 2)


def cnn() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4)
    )


def computed(*, bf16: bool) -> tuple[Tensor, Tensor, list[Tensor]]:
    model = cnn()
    passes = Passes(model, functional.cross_entropy, INPUTS, Y, bf16)
    output, loss = passes.forward(BATCH)
    passes.backward()
    return output, loss, [p.grad for p in model.parameters() if p.grad is not None]


def test_a_pass_gives_the_loss_of_its_batch_and_its_gradients() -> None:
    output, loss, gradients = computed(bf16=False)
    model = cnn()
    expected = functional.cross_entropy(model(X[BATCH]), Y[BATCH])
    expected.backward()
    assert torch.equal(loss, expected.detach())
    assert len(gradients) == 6
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        torch.testing.assert_close(gradient, parameter.grad)
    assert output.shape == (20, 4)
    assert not output.requires_grad


def test_bf16_computes_nearly_the_same_and_gives_float32() -> None:
    output, loss, gradients = computed(bf16=True)
    plain, plain_loss, plain_gradients = computed(bf16=False)
    assert {t.dtype for t in (output, loss, *gradients)} == {torch.float32}
    assert not torch.equal(output, plain)
    torch.testing.assert_close(loss, plain_loss, rtol=0.02, atol=0.02)
    for gradient, expected in zip(gradients, plain_gradients, strict=True):
        torch.testing.assert_close(gradient, expected, rtol=0.2, atol=0.02)


def test_gradients_are_replaced_and_not_added_up() -> None:
    model = cnn()
    passes = make_passes(model, functional.cross_entropy, INPUTS, Y, batch_size=20)
    found = []
    for _ in range(2):
        passes.forward(BATCH)
        passes.backward()
        (weight, *_) = model.parameters()
        assert weight.grad is not None
        found.append(weight.grad.clone())
    torch.testing.assert_close(*found)
