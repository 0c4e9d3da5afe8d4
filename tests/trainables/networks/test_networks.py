"""The networks: shapes, configs, repeatability and the accuracy that they reach on digits."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from trainables.data.datasets import TrialData, load
from trainables.networks import NETWORKS, Network
from trainables.networks.cnn import CNN, ResidualBlock
from trainables.networks.cnn_config import CNNConfig
from trainables.networks.mlp import MLP
from trainables.networks.mlp_config import MLPConfig
from trainables.networks.network import Precision

CPU = torch.device("cpu")
MLP_VALUES: dict[str, object] = {"n_layers": 1, "width_1": 64, "lr": 0.05}
CNN_VALUES: dict[str, object] = {
    "n_blocks": 2,
    "channels": 16,
    "kernel_size": 3,
    "policy": "one_cycle",
    "lr": 0.1,
}


@pytest.fixture(scope="module")
def digits() -> TrialData:
    return load("digits")


def run(
    model: str, values: dict[str, object], data: TrialData, max_epochs: int, seed: int = 0
) -> list[dict[str, float | int | bool]]:
    epochs = NETWORKS[model](values, data, max_epochs=max_epochs, seed=seed, device=CPU)
    return [
        {name: value for name, value in metrics.items() if name != "seconds"}
        for metrics, _ in epochs
    ]


def test_an_mlp_learns_digits(digits: TrialData) -> None:
    assert run("mlp", MLP_VALUES, digits, 15)[-1]["val_accuracy"] > 0.93


def test_a_cnn_learns_digits(digits: TrialData) -> None:
    assert run("cnn", CNN_VALUES, digits, 5)[-1]["val_accuracy"] > 0.9


@pytest.mark.parametrize(
    ("precision", "model", "has_bf16", "expected"),
    [
        ("auto", "cnn", True, True),
        ("auto", "cnn", False, False),
        ("auto", "mlp", True, False),
        ("bf16", "mlp", True, True),
        ("fp32", "cnn", True, False),
    ],
)
def test_a_cnn_computes_in_bf16_on_a_gpu_that_has_it(
    monkeypatch: pytest.MonkeyPatch,
    precision: Precision,
    model: str,
    has_bf16: bool,
    expected: bool,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bf16)
    network = replace(NETWORKS[model], precision=precision)
    assert network.in_bf16(torch.device("cuda")) is expected
    assert not network.in_bf16(CPU)


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_a_seed_decides_everything(digits: TrialData, model: str) -> None:
    values = {**(MLP_VALUES if model == "mlp" else CNN_VALUES), "dropout": 0.2}
    first = run(model, values, digits, 2, seed=1)
    assert run(model, values, digits, 2, seed=1) == first
    assert run(model, values, digits, 2, seed=2) != first


def test_a_network_ends_its_cycles_where_it_is_told(digits: TrialData) -> None:
    values = {**MLP_VALUES, "policy": "one_cycle", "lr": 0.1}
    chain = replace(NETWORKS["mlp"], cycle_ends=lambda max_epochs: (1, 3, max_epochs))

    def rates(network: Network) -> list[float]:
        training = network(values, digits, max_epochs=9, seed=0, device=CPU)
        return [metrics["lr"] for metrics, _ in training]

    low = [epoch for epoch, rate in enumerate(rates(chain), 1) if rate < 0.01]
    assert low == [1, 3, 9]
    assert min(rates(NETWORKS["mlp"])[:3]) > 0.01  # one cycle is still on its way up


def test_each_epoch_comes_with_the_model_as_it_stands(digits: TrialData) -> None:
    epochs = NETWORKS["mlp"](MLP_VALUES, digits, max_epochs=2, seed=0, device=CPU)
    for metrics, model in epochs:
        model.eval()
        predicted = model(torch.tensor(digits.x_val)).argmax(1).numpy()
        assert metrics["val_accuracy"] == pytest.approx((predicted == digits.y_val).mean())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(8, 8), (28, 28), (32, 32), (9, 13)])
@pytest.mark.parametrize("n_blocks", [1, 4])
@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("residual", [False, True])
def test_a_cnn_takes_any_image(
    channels: int, size: tuple[int, int], n_blocks: int, kernel_size: int, residual: bool
) -> None:
    config = CNNConfig(
        n_blocks=n_blocks,
        channels=8,
        kernel_size=kernel_size,
        residual=residual,
        augmentation="flip_shift",
        lr=0.1,
    )
    model = CNN(config, (channels, *size), 10)
    assert model(torch.zeros(2, channels, *size)).shape == (2, 10)


@pytest.mark.parametrize("n_in", [4, 6])
def test_a_residual_block_begins_as_its_shortcut(n_in: int) -> None:
    torch.manual_seed(0)
    block, x = ResidualBlock(n_in, 6, 3), torch.randn(5, n_in, 7, 9)
    assert torch.equal(block(x), block.shortcut(x).relu())
    last = block.layers[-1]
    assert isinstance(last, torch.nn.BatchNorm2d)
    torch.nn.init.ones_(last.weight)
    assert not torch.equal(block(x), block.shortcut(x).relu())


def test_an_mlp_flattens_images() -> None:
    model = MLP(MLPConfig(n_layers=2, width_1=8, width_2=4, lr=0.1), (3, 9, 13), 7)
    assert model(torch.zeros(2, 3, 9, 13)).shape == (2, 7)


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "silu"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_an_mlp_takes_a_table(activation: Any, batch_norm: bool) -> None:
    config = MLPConfig(
        n_layers=1, width_1=8, lr=0.1, activation=activation, batch_norm=batch_norm, dropout=0.5
    )
    assert MLP(config, (13,), 3)(torch.zeros(2, 13)).shape == (2, 3)


def test_channels_double_up_to_the_cap() -> None:
    config = CNNConfig(n_blocks=4, channels=64, lr=0.1)
    assert config.block_channels == (64, 128, 256, 256)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"foo": 1}, "unknown hyperparameter 'foo': MLPConfig takes batch_size, optimizer, lr"),
        ({"n_layers": 6}, "n_layers must be an integer from 1 to 5, not 6"),
        ({"n_layers": 2}, "width_2 must be an integer of at least 1, not None"),
        ({"width_2": 8}, "width_2 must not be given when n_layers is 1, but it is 8"),
        ({"activation": "elu"}, "activation must be one of relu, tanh, gelu, silu, not 'elu'"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), not 1.0"),
        (
            {"batch_norm": True, "batch_size": 1},
            "batch_size must be at least 2 with batch_norm, not 1",
        ),
    ],
)
def test_a_bad_mlp_config_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLPConfig.from_dict({**MLP_VALUES, **changes})


def test_a_missing_hyperparameter_is_named() -> None:
    with pytest.raises(ValueError, match="missing hyperparameter 'lr' of MLPConfig"):
        MLPConfig.from_dict({"n_layers": 1, "width_1": 8})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_size": 4}, "kernel_size must be an integer that is odd and at least 1, not 4"),
        ({"n_blocks": 0}, "n_blocks must be an integer of at least 1, not 0"),
        ({"residual": 1}, "residual must be true or false, not 1"),
        (
            {"augmentation": "flip"},
            "augmentation must be one of none, shift, flip_shift, not 'flip'",
        ),
        ({"label_smoothing": 1.0}, r"label_smoothing must be in \[0, 1\), not 1.0"),
        ({"channels": 512}, "channels must be an integer from 1 to 256, not 512"),
    ],
)
def test_a_bad_cnn_config_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CNNConfig.from_dict({**CNN_VALUES, **changes})


def test_a_cnn_refuses_a_table_at_once() -> None:
    message = "a CNN needs images; 'wine' is a table with 13 columns: use `model=mlp`"
    wine = load("wine")
    with pytest.raises(ValueError, match=message):
        NETWORKS["cnn"].check(wine)
    with pytest.raises(ValueError, match=message):
        NETWORKS["cnn"](CNN_VALUES, wine, max_epochs=1, seed=0, device=CPU)
    NETWORKS["mlp"].check(wine)
