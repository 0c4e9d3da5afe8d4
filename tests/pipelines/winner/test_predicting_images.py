"""Predictions for a folder of images."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from pipelines import load_model, predict
from pipelines.cli.command import main
from pipelines.winner import predicting
from pipelines.winner.exported import ABOUT, MODEL, PREPROCESSING
from trainables.data.datasets import load

pytestmark = pytest.mark.usefixtures("elsewhere")


def write_model_of_images() -> None:
    """Writes an untrained network for ``digits`` into ``model``."""
    fitted = load("digits").preprocessing
    assert fitted is not None
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    example = torch.zeros(2, *fitted.inputs.shape)
    program = torch.export.export(
        network, (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)
    )
    Path("model").mkdir()
    torch.export.save(program, Path("model", MODEL))
    Path("model", ABOUT).write_text(json.dumps({"format": 1}))
    Path("model", PREPROCESSING).write_text(json.dumps(fitted.to_dict()))


def test_a_folder_of_images_may_hold_other_things_and_names_of_other_encodings() -> None:
    write_model_of_images()
    Path("photos/folder.png").mkdir(parents=True)
    Path("photos/gone.png").symlink_to("nowhere")
    Image.new("L", (8, 8)).save("photos/a.png")
    shutil.copy("photos/a.png", os.fsdecode(b"photos/b\xe4.png"))
    assert main(predict.app, ["model", "photos", "--output", "out.csv"]) == 0
    assert list(pd.read_csv("out.csv")["file"]) == [
        "photos/a.png",
        "photos/b\N{REPLACEMENT CHARACTER}.png",
    ]


def test_what_was_predicted_before_a_broken_image_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(predicting, "_AT_ONCE", 2)
    write_model_of_images()
    Path("photos").mkdir()
    for name in "abcd":
        Image.new("L", (8, 8)).save(f"photos/{name}.png")
    Path("photos/d.png").write_bytes(b"no")
    assert main(predict.app, ["model", "photos", "--output", "out.csv"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "'photos/d.png' cannot be decoded" in shown
    assert "the first 2 predictions are in out.first-2.csv" in shown
    assert not Path("out.csv").exists()
    assert list(pd.read_csv("out.first-2.csv")["file"]) == ["photos/a.png", "photos/b.png"]
    assert main(predict.app, ["model", "photos", "--output", "out.csv"]) == 2  # not over them
    assert "the first 2 predictions are in out.first-2-2.csv" in capsys.readouterr().err
    Path("photos/b.png").write_bytes(b"no")
    assert main(predict.app, ["model", "photos", "--output", "none.csv"]) == 2
    assert not list(Path().glob("*none*"))


def test_images_by_a_path_and_what_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    write_model_of_images()
    model = load_model("model")
    for place, name in enumerate(("b.png", "a.PNG", "inner/c.png")):
        path = Path("photos", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 80 * place).save(path)
    Path("photos/notes.txt").write_text("mine")
    all_of_them = ["photos/a.PNG", "photos/b.png", "photos/inner/c.png"]
    wanted = model.predict(all_of_them)
    for whole in ("photos", Path("photos"), map(Path, all_of_them)):
        pd.testing.assert_frame_equal(model.predict(whole), wanted)
    Path("without suffix").write_bytes(Path("photos/a.PNG").read_bytes())
    for one in ("photos/a.PNG", Path("photos/a.PNG"), ["without suffix"]):
        pd.testing.assert_frame_equal(model.predict(one), wanted.iloc[:1])
    Path("empty").mkdir()
    wrong: Any
    for wrong, told in (
        ("empty", "'empty' has no images"),
        ("gone.png", "'gone.png' does not exist"),
        (["gone.png"], "'gone.png' does not exist"),
        (3, "give pixels"),
        ([3], "give pixels"),
        (np.array([None]), "give pixels"),
        (pd.DataFrame({"x": [1]}), "give pixels"),
    ):
        with pytest.raises(ValueError, match=told):
            model.predict(wrong)
    assert main(predict.app, ["model", "empty"]) == 2
    assert "'empty' has no images" in capsys.readouterr().err
