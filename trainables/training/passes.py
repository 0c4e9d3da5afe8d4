"""The forward and backward passes of a training's steps. On a GPU they are one CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from trainables.training.inputs import Inputs

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


class Passes:
    """The passes of ``model`` on batches of ``x`` and ``y`` (n,), which are on its device.

    With ``bf16`` the model computes in bfloat16 wherever autocast considers it safe. Weights, loss
    and gradients stay float32 (Micikevicius et al. 2018, arXiv 1710.03740, section 3; bfloat16
    needs no scaling of the loss). Images are then kept with their channels last, the order that
    tensor cores prefer.
    """

    def __init__(self, model: nn.Module, loss: Loss, x: Inputs, y: Tensor, bf16: bool) -> None:
        self._bf16 = bf16
        self._model = model
        if bf16 and x.kept.ndim == 4:
            model.to(memory_format=torch.channels_last)
            x = x.channels_last()
        self._loss, self._x, self._y = loss, x, y
        self._parameters = list(model.parameters())
        self._latest: Tensor | None = None

    def predict(self, x: Tensor) -> Tensor:
        """The model's outputs, float32."""
        if not self._bf16:
            output: Tensor = self._model(x)
            return output
        with torch.autocast(x.device.type, torch.bfloat16):
            output = self._model(x)
        return output.float()

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs for the samples of ``batch``, and their loss."""
        output = self.predict(self._x.of(batch))
        self._latest = self._loss(output, self._y[batch])
        return output.detach(), self._latest.detach()

    def backward(self) -> None:
        """Replaces all gradients by those of the latest forward pass."""
        assert self._latest is not None
        for parameter in self._parameters:
            parameter.grad = None
        self._latest.backward()
        self._latest = None


class GraphedPasses(Passes):
    """Records both passes of a batch of ``size`` samples once as a CUDA graph, and replays it with
    one launch: on a GPU, a small network's step mostly consists of launching kernels.

    The first batch, in which CUDA's libraries set themselves up, and batches of other sizes run
    without the graph. Random numbers are the same either way.
    """

    def __init__(
        self, model: nn.Module, loss: Loss, x: Inputs, y: Tensor, bf16: bool, size: int
    ) -> None:
        super().__init__(model, loss, x, y, bf16)
        self._size = size
        self._warm = False
        self._graph: torch.cuda.CUDAGraph | None = None
        self._replayed = False

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        self._replayed = self._warm and len(batch) == self._size
        if not self._replayed:
            self._warm = True
            return super().forward(batch)
        if self._graph is None:
            self._record(batch)
        self._batch.copy_(batch)
        assert self._graph is not None
        self._graph.replay()
        return self._output.clone(), self._of_batch.clone()  # the next replay overwrites both

    def backward(self) -> None:
        if not self._replayed:
            super().backward()
            return
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient

    def _record(self, batch: Tensor) -> None:
        self._batch = batch.clone()
        for parameter in self._parameters:
            parameter.grad = None  # frees their memory for the gradients of the graph
        graph = torch.cuda.CUDAGraph()
        # The graph does not record what other threads do with CUDA meanwhile.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._output, self._of_batch = super().forward(self._batch)
            super().backward()
        self._gradients = [parameter.grad for parameter in self._parameters]
        self._graph = graph


def make_passes(
    model: nn.Module, loss: Loss, x: Inputs, y: Tensor, *, batch_size: int, bf16: bool = False
) -> Passes:
    """The passes for batches of ``batch_size`` samples, or sometimes fewer, on ``y``'s device."""
    if y.device.type == "cuda":
        return GraphedPasses(model, loss, x, y, bf16, batch_size)
    return Passes(model, loss, x, y, bf16)
