"""A network of the user's own is exported, whatever it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipelines import export, export_model, load_model
from pipelines.cli.command import main
from pipelines.record.trials import FinishedTrial, State
from search_spaces import Float, SearchSpace
from tests.pipelines.recorded import write_run
from tests.pipelines.winner.table_to_predict import predicted, table
from trainables.data.datasets import TrialData, load

pytestmark = pytest.mark.usefixtures("elsewhere")

MINE = """
import torch
from torch import nn
from torch.nn.functional import cross_entropy


class Tied(nn.Module):
    def __init__(self, n_inputs, n_classes):
        super().__init__()
        self.first, self.one, self.two = nn.Linear(n_inputs, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.two.weight = self.one.weight
        self.last = nn.Linear(4, n_classes)

    def forward(self, x):
        return self.last(self.two(self.one(self.first(x))))


class Flat(nn.Linear):
    def forward(self, x):
        return super().forward(x)[:, 0]


class Bessel(nn.Linear):
    def forward(self, x):
        return super().forward(torch.special.i1e(x))


def trains(network):
    def train(config, data, *, max_epochs, seed, device):
        torch.manual_seed(seed)
        x, y = torch.tensor(data.x_train), torch.tensor(data.y_train)
        model = network(x.shape[1], data.n_classes)
        optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
        for _ in range(max_epochs):
            optimizer.zero_grad()
            outputs = model(x)
            loss = cross_entropy(outputs, y) if outputs.ndim == 2 else outputs.square().mean()
            loss.backward()
            optimizer.step()
            yield {"val_loss": loss.item()}, model

    return train


linear, tied, flat, bessel = map(trains, (nn.Linear, Tied, Flat, Bessel))
"""


def of_mine(name: str) -> tuple[Path, TrialData]:
    """A run of a user's own function, without kept weights, and its data."""
    Path("mine_to_export.py").write_text(MINE)
    table().drop(columns="price").to_csv("mine.csv", index=False)
    data = load("mine.csv", target="kind")
    folder = write_run(
        Path("runs/own"),
        [FinishedTrial("a", {"lr": 0.1}, State.COMPLETE, {1: 0.5, 2: 0.4}, 0.4, 2, seed=3)],
        space=SearchSpace({"lr": Float(0.01, 1.0)}),
        data="mine.csv",
        target="kind",
        metric="val_loss",
        trainable=f"mine_to_export:{name}",
        fingerprint=data.fingerprint,
        max_epochs=2,
    )
    return folder, data


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path.cwd())


@pytest.mark.usefixtures("importable")
def test_a_function_of_the_users() -> None:
    folder, data = of_mine("linear")
    weights = torch.nn.Linear(data.input_shape[0], 2)
    torch.save(weights.state_dict(), folder / "best.pt")
    assert main(export.app, [str(folder), "kept"]) == 0
    x = torch.from_numpy(data.x_val)
    with torch.no_grad():
        assert torch.equal(torch.from_numpy(load_model("kept").of_inputs(data.x_val)), weights(x))
    (folder / "best.pt").unlink()
    assert main(export.app, [str(folder), "again", "--trial", "0"]) == 0
    assert load_model("again").of_inputs(data.x_val).shape == (len(x), 2)


@pytest.mark.usefixtures("importable")
def test_tied_weights_have_all_their_names() -> None:
    folder, _ = of_mine("tied")
    assert main(export.app, [str(folder), "model"]) == 0
    weights = load_file("model/weights.safetensors")
    assert torch.equal(weights["one.weight"], weights["two.weight"])
    assert len(predicted("model", "mine.csv")) == 300


@pytest.mark.usefixtures("importable")
def test_a_network_with_outputs_of_another_shape_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, _ = of_mine("flat")
    assert main(export.app, [str(folder), "model"]) == 2
    assert "mine_to_export:flat yields has outputs of the shape (2,)" in capsys.readouterr().err
    assert not Path("model").exists()


@pytest.mark.usefixtures("importable")
def test_a_network_that_onnx_has_no_words_for_is_exported_without(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra: pip install 'rangefinder[onnx]'")
    folder, _ = of_mine("bessel")
    assert main(export.app, [str(folder), "model", "--onnx"]) == 1
    shown = capsys.readouterr()
    assert "model     model: trained on train" in shown.out
    last = shown.err.splitlines()[-1]
    assert last.startswith("error: the network cannot be written as ONNX: No ONNX function")
    assert not Path("model/model.onnx").exists()
    assert "model.onnx" not in Path("model/README.md").read_text()
    assert len(predicted("model", "mine.csv")) == 300
    with pytest.raises(ValueError, match=r"as ONNX: .*; load_model\('other'\) loads the model"):
        export_model(folder, "other", onnx=True)
    assert len(load_model("other").predict("mine.csv")) == 300
