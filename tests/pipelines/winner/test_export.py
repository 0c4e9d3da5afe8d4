"""An exported model predicts from the user's files what the search had in its validation."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from benchmarks.sets.configs import LENET
from pipelines import export, load_model, predict
from pipelines.cli.command import FAILURE, main
from pipelines.record.looks import Look, add_look
from pipelines.record.trials import FinishedTrial, State
from pipelines.winner import exporting
from pipelines.winner.exported import MODEL
from pipelines.winner.trained import Trained
from search_spaces import SPACES
from tests.pipelines.recorded import write_run
from tests.pipelines.winner.table_to_predict import predicted, table
from trainables.data import table_streams
from trainables.data.datasets import TrialData, load
from trainables.data.images import read_digits, read_folder
from trainables.data.splits import split_rows
from trainables.data.tables import read_file
from trainables.networks import NETWORKS
from trainables.training.batches import EVALUATION_BATCH

pytestmark = pytest.mark.usefixtures("elsewhere")

CPU = torch.device("cpu")
SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"width_1": 12, "width_2": 12},
    "cnn": {"n_blocks": 1, "channels": 8, "residual": True, "augmentation": "shift"},
}


@dataclass(frozen=True)
class Searched:
    """A run, and its winner's outputs for the validation samples in the best epoch."""

    folder: Path
    data: TrialData
    outputs: np.ndarray
    rows: np.ndarray  # of the validation samples, if the source is a file or a folder


def searched(
    source: str,
    model: str = "mlp",
    target: str | None = None,
    changes: Mapping[str, Any] = MappingProxyType({}),
    **settings: Any,
) -> Searched:
    """A run as a search would have left it, with the second epoch as the best."""
    torch.set_num_threads(1)
    data = load(source, target=target)
    config = {
        **(LENET if model == "mlp" else SPACES[model].try_first[0]),
        **SMALL[model],
        **changes,
    }
    best, epochs = {}, []
    training = NETWORKS[model](config, data, max_epochs=3, seed=5, device=CPU)
    for metrics, network in training:
        epochs.append(metrics)
        if metrics["epoch"] == 2:
            best = {name: t.clone() for name, t in network.state_dict().items()}
            with torch.no_grad():
                batches = torch.from_numpy(data.x_val).split(EVALUATION_BATCH)
                outputs = torch.cat([network(batch) for batch in batches])
    metric = "val_accuracy" if data.task == "classification" else "val_r2"
    trial = FinishedTrial(
        "a",
        config,
        State.COMPLETE,
        {e: 0.5 + 0.1 * (e == 2) for e in (1, 2, 3)},
        0.6,
        2,
        seed=5,
        metrics={k: float(v) for k, v in epochs[1].items() if k not in ("epoch", "diverged")},
    )
    folder = Path("runs/it")
    settings = {"metric": metric, "max_epochs": 3, "target": target, "model": model, **settings}
    write_run(folder, [trial], data=source, fingerprint=data.fingerprint, **settings)
    spec = folder / "spec.json"
    content = json.loads(spec.read_text())
    content["prepared"]["data"] |= {"task": data.task, "classes": list(data.class_names)}
    spec.write_text(json.dumps(content))
    torch.save(best, folder / "best.pt")
    path, rows = Path(source), np.empty(0, int)
    if path.exists():
        raw = read_folder(path) if target is None else read_file(path, target)
        rows = split_rows(raw, source, 0).val
    return Searched(folder, data, outputs.numpy(), rows)


@pytest.mark.parametrize("file", [MODEL, exporting.WEIGHTS, exporting.CARD])
def test_a_full_disk_is_one_line_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    searched("wine")
    write = exporting._write_model

    def full(trained: Trained, folder: Path) -> None:
        (folder / file).symlink_to("/dev/full")
        write(trained, folder)

    monkeypatch.setattr(exporting, "_write_model", full)
    assert main(export.app, ["runs/it", "model"]) == FAILURE
    (error,) = capsys.readouterr().err.splitlines()
    assert error == f"error: {Path('model').absolute()}: No space left on device"
    assert [path.name for path in Path().iterdir()] == ["runs"]


EMBEDDED = {"cat_embedding": True, "num_embedding_size": 4}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {**EMBEDDED, "num_embedding": "piecewise_linear", "n_bins": 16},
        {**EMBEDDED, "num_embedding": "periodic", "frequency_scale": 1.0},
    ],
)
def test_a_classification_of_a_table(
    changes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    frame = table().drop(columns="price")
    frame["buyer"] = [f"b{n % 60}" for n in range(len(frame))]
    frame.to_csv("mine.csv", index=False)
    run = searched("mine.csv", target="kind", changes=changes)
    assert main(export.app, [str(run.folder), "model"]) == 0
    probabilities = torch.from_numpy(run.outputs).softmax(1).numpy()
    rows = pd.read_csv("mine.csv").iloc[run.rows]
    found = load_model("model").predict(rows)
    assert list(found) == ["prediction", "p_high", "p_low"]
    assert found.index.equals(rows.index)
    assert (found[["p_high", "p_low"]].to_numpy() == probabilities).all()
    names = np.array(["high", "low"])[probabilities.argmax(1)]
    assert found["prediction"].tolist() == names.tolist()
    rows.drop(columns="kind").assign(note="x").to_csv("new.csv", index=False)
    capsys.readouterr()
    of_file = predicted("model", "new.csv")
    assert "ignored   'note': the model has not been trained with it" in capsys.readouterr().err
    assert (of_file[["p_high", "p_low"]].to_numpy(np.float32) == probabilities).all()
    assert of_file["prediction"].tolist() == found["prediction"].tolist()


def test_a_regression_gives_values_in_the_units_of_the_target() -> None:
    table().drop(columns="kind").to_csv("mine.csv", index=False)
    run = searched("mine.csv", target="price")
    assert main(export.app, [str(run.folder), "model"]) == 0
    rows = pd.read_csv("mine.csv").iloc[run.rows]
    model = load_model("model")
    assert (model.outputs(rows) == run.outputs).all()
    scaled = run.outputs[:, 0].astype(float) * run.data.target_std + run.data.target_mean
    assert (model.predict(rows)["prediction"].to_numpy() == scaled).all()
    rows.to_csv("new.csv", index=False)
    assert (predicted("model", "new.csv")["prediction"].astype(float) == scaled).all()
    assert abs(scaled.mean() - 1000) < 300


def test_a_folder_of_images() -> None:
    rng = np.random.default_rng(0)
    for label, level in (("dark", 40), ("light", 200)):
        Path("photos", label).mkdir(parents=True)
        for i in range(20):
            pixels = rng.integers(level - 40, level + 40, (12, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(Path("photos", label, f"{i:02}.png"))
    run = searched("photos", "cnn")
    assert main(export.app, [str(run.folder), "model"]) == 0
    files = np.array(sorted(Path("photos").rglob("*.png")))[run.rows]
    probabilities = torch.from_numpy(run.outputs).softmax(1).numpy()
    found = load_model("model").predict(list(files))
    assert (found[["p_dark", "p_light"]].to_numpy() == probabilities).all()
    everything = predicted("model", "photos").set_index("file")
    some = everything.loc[[str(file) for file in files], ["p_dark", "p_light"]]
    assert some.to_numpy(np.float32) == pytest.approx(probabilities, rel=1e-5)
    assert len(everything) == 40
    one = predicted("model", files[0])
    assert one["p_dark"].iloc[0] == pytest.approx(probabilities[0, 0], rel=1e-5)


def test_files_of_digits_are_predicted_as_the_digits() -> None:
    run = searched("digits", "cnn")
    assert main(export.app, [str(run.folder), "model"]) == 0
    pixels = read_digits().x[:40]
    Path("photos").mkdir()
    for place, image in enumerate(pixels):
        levels = (image[0] * 255.0 / 16).round().astype(np.uint8)
        Image.fromarray(levels).save(f"photos/{place:02}.png")
    wanted = load_model("model").predict(pixels).filter(like="p_")
    found = predicted("model", "photos").filter(like="p_")
    np.testing.assert_allclose(found, wanted, atol=0.002)
    card = " ".join(Path("model/README.md").read_text().split())
    assert "8x8 pixels, 1 channel, with values from 0 to 16" in card
    assert "pandas, pillow and pyarrow" in card


def test_the_folder_holds_nothing_pickled_and_says_what_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table().drop(columns="price").to_csv("mine.csv", index=False)
    run = searched("mine.csv", target="kind")
    look = Look(1.0, (0,), ({},), (2,), (1, 2), 240, 60, {"test_accuracy": (0.5, 0.7)})
    add_look(run.folder / "evaluation.json", look)
    assert main(export.app, [str(run.folder), "model"]) == 0
    folder = Path("model")
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert f"weights.safetensors ({size / 1e3:.3g} kB)" in capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == {
        *("README.md", "model.json", "model.pt2", "preprocessing.json", "weights.safetensors")
    }
    with zipfile.ZipFile(folder / "model.pt2") as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    assert not any(content[:1] == b"\x80" or content[:2] == b"PK" for content in contents)
    best = torch.load(run.folder / "best.pt", weights_only=True)
    kept = load_file(folder / "weights.safetensors")
    assert all(torch.equal(kept[name], tensor) for name, tensor in best.items())
    card = (folder / "README.md").read_text()
    for words in ("test_accuracy | 0.6000 +- 0.1414", run.data.fingerprint, "`high`, `low`"):
        assert words in card
    about = load_model("model").about
    (trial,) = about["trials"]
    assert (trial["trial"], trial["epochs"], about["model"]) == (0, 2, "mlp")


def test_another_trial_is_trained_again_as_in_the_search() -> None:
    table().drop(columns="price").to_csv("mine.csv", index=False)
    run = searched("mine.csv", target="kind")
    (run.folder / "best.pt").unlink()
    assert main(export.app, [str(run.folder), "model", "--trial", "0"]) == 0
    rows = pd.read_csv("mine.csv").iloc[run.rows]
    assert (load_model("model").outputs(rows) == run.outputs).all()


def test_after_cross_validation_the_config_is_trained_on_all_folds() -> None:
    table().drop(columns="price").to_csv("mine.csv", index=False)
    run = searched("mine.csv", target="kind", folds=2)
    assert main(export.app, [str(run.folder), "model"]) == 0
    assert load_model("model").about["trained_on"] == "train and validation"


def test_a_model_is_used_without_anything_that_searches() -> None:
    table().drop(columns="price").to_csv("mine.csv", index=False)
    run = searched("mine.csv", target="kind")
    assert main(export.app, [str(run.folder), "model"]) == 0
    code = (
        "import sys, pandas\n"
        "absent = 'ray optuna hyperopt plotly sklearn torchvision scipy pydantic cyclopts PIL'\n"
        "for name in absent.split(): sys.modules[name] = None\n"
        "from pipelines import load_model\n"
        "print(len(load_model('model').predict(pandas.read_csv('mine.csv'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "300\n", done.stderr


def test_a_large_file_is_read_in_pieces(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(table_streams, "_BLOCK", 2000)
    monkeypatch.setattr(table_streams, "_ROWS", 50)
    frame = table().drop(columns="price")
    frame["count"] = [*frame["count"][:280], *[0.5] * 20]  # whole numbers in the first pieces
    frame.loc[:200, "colour"] = "1"  # looks like a number there
    frame.to_csv("mine.csv", index=False)
    run = searched("mine.csv", target="kind")
    assert main(export.app, [str(run.folder), "model"]) == 0
    whole = load_model("model").predict(pd.read_csv("mine.csv", dtype={"colour": object}))
    assert len(list(table_streams.stream_table(Path("mine.csv"), texts=["colour"]))) > 3
    frame.to_parquet("mine.parquet")
    for file in ("mine.csv", "mine.parquet"):
        found = predicted("model", file)
        assert found["p_high"].to_numpy() == pytest.approx(whole["p_high"].to_numpy(), rel=1e-4)
    capfd.readouterr()
    assert main(predict.app, ["model", "mine.csv"]) == 0
    rows = list(csv.reader(io.StringIO(capfd.readouterr().out)))
    assert rows[0] == ["prediction", "p_high", "p_low"]
    assert len(rows) == 301


@pytest.mark.parametrize(
    ("arguments", "value", "rule"),
    [
        ("model gone.csv", "gone.csv", "does not exist"),
        ("model few.csv", "'size'", "it has 'colour'"),
        ("model words.csv", "words.csv", "'size'"),
        ("model mine.csv --output there.csv", "there.csv", "exists"),
        ("model photo.png", "photo.png", "no table"),
        ("nowhere mine.csv", "nowhere", "no model"),
        ("broken mine.csv", "preprocessing.json", "format"),
        ("newer mine.csv", "newer has the format 99", "this version reads 1"),
        ("torn mine.csv", "torn/model.pt2", "cannot be loaded"),
        ("images mine.csv", "mine.csv", "is not an image"),
    ],
)
def test_what_cannot_be_predicted_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: str, value: str, rule: str
) -> None:
    frame = table().drop(columns="price")
    frame.to_csv("mine.csv", index=False)
    run = searched("mine.csv", target="kind")
    assert main(export.app, [str(run.folder), "model"]) == 0
    pictures = load("digits").preprocessing
    assert pictures is not None
    for folder, file, content in (
        ("broken", "preprocessing.json", '{"format": 99}'),
        ("newer", "model.json", '{"format": 99}'),
        ("torn", "model.pt2", Path("model/model.pt2").read_bytes()[:1000].hex()),
        ("images", "preprocessing.json", json.dumps(pictures.to_dict())),
    ):
        Path(shutil.copytree("model", folder), file).write_text(content)
    frame.drop(columns="size").iloc[:, :1].to_csv("few.csv", index=False)
    frame.assign(size="big").to_csv("words.csv", index=False)
    Path("there.csv").write_text("mine")
    Image.new("RGB", (9, 9)).save("photo.png")
    capsys.readouterr()
    assert main(predict.app, arguments.split()) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert value in shown.err
    assert rule in shown.err
    assert Path("there.csv").read_text() == "mine"


@pytest.mark.parametrize(("source", "model"), [("digits", "cnn"), ("wine", "mlp")])
def test_onnx_gives_what_the_network_gives_for_any_number_of_samples(
    source: str, model: str
) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the extra: pip install 'rangefinder[onnx]'")
    pytest.importorskip("onnxscript", reason="needs the extra: pip install 'rangefinder[onnx]'")
    from onnx.reference import ReferenceEvaluator

    run = searched(source, model)
    assert main(export.app, [str(run.folder), "new", "--onnx"]) == 0
    assert "`model.onnx` is" in Path("new/README.md").read_text()
    program = onnx.load("new/model.onnx")
    onnx.checker.check_model(program)
    assert [entry.name for entry in program.graph.input] == ["inputs"]
    evaluator = ReferenceEvaluator(program)
    for n in (1, 5):
        (found,) = evaluator.run(["outputs"], {"inputs": run.data.x_val[:n]})
        assert np.abs(found - run.outputs[:n]).max() < 1e-4
    # It stands beside what needs no ONNX.
    assert load_model("new").of_inputs(run.data.x_val[:5]).shape == (5, run.data.n_classes)


def test_what_cannot_be_exported_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table().drop(columns="price").to_csv("mine.csv", index=False)
    run = searched("mine.csv", target="kind")
    Path("full").mkdir()
    Path("full/file").touch()
    cases = [
        ([str(run.folder), "full"], "not empty"),
        ([str(run.folder), "new", "--trial", "7"], "the trials 0 to 0"),
        (["nowhere", "new"], "no run in nowhere"),
        ([str(run.folder), "/proc/none"], "cannot be written"),
    ]
    monkeypatch.setitem(sys.modules, "onnxscript", None)  # as if it were not installed
    cases.append(([str(run.folder), "new", "--onnx"], "pip install 'rangefinder[onnx]'"))
    for arguments, rule in cases:
        capsys.readouterr()
        assert main(export.app, arguments) == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err.count("\n")) == ("", 1)
        assert rule in shown.err
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    assert main(export.app, [str(run.folder), "new"]) == 2
    assert "is off by" in capsys.readouterr().err
    assert not Path("new").exists()
    assert not list(Path().glob(".new*"))
