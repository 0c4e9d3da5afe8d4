"""Export of a run's winner: a folder with all that is needed to use it, without pickled files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.study.circumstances import versions
from pipelines.study.folders import check_writable
from pipelines.study.runs import Run
from pipelines.winner.card import model_card
from pipelines.winner.exported import ABOUT, FORMAT, MODEL, PREPROCESSING, ExportedModel
from pipelines.winner.trained import Trained

WEIGHTS, CARD, ONNX = "weights.safetensors", "README.md", "model.onnx"
TOLERANCE = 1e-5  # of the outputs of the exported program, relative to the largest
_CHECKED = 300  # validation samples, in a batch of one and one of all others


def check_export(folder: Path, *, onnx: bool) -> None:
    """Raises ``ValueError`` if ``folder`` cannot be written, or packages for ``onnx`` are
    missing."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"'{folder}' exists and is not empty: give a new or an empty folder")
    check_writable(folder)
    if onnx:
        try:
            import onnxscript  # noqa: F401
        except ImportError:
            raise ValueError(
                "`onnx` needs the packages onnx and onnxscript: pip install 'rangefinder[onnx]'"
            ) from None


def export(run: Run, trained: Trained, folder: Path, *, onnx: bool = False) -> None:
    """Write ``trained`` into ``folder``, completely or not at all.

    Raises ``ValueError`` if torch cannot export the network.
    """
    if trained.data.preprocessing is None:
        raise ValueError(f"'{trained.data.name}' was made by hand: its encoding is not known")
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        about = _about(run, trained)
        _write_model(trained, part, onnx=onnx)
        _write_json(part / ABOUT, about)
        _write_json(part / PREPROCESSING, trained.data.preprocessing.to_dict())
        card = model_card(about, trained.data.preprocessing, folder.name, run.space.idle)
        (part / CARD).write_text(card)
        _check(part, trained)
        if folder.exists():
            folder.rmdir()
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_model(trained: Trained, folder: Path, *, onnx: bool) -> None:
    import torch
    from safetensors.torch import save_file

    # Two samples: from a batch of one, torch would export a program for single samples only.
    example = torch.zeros(2, *trained.data.input_shape)
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    try:
        program = torch.export.export(trained.model, (example,), dynamic_shapes=dynamic)
    except Exception as error:  # torch raises a dozen types for what it cannot export
        raise ValueError(f"torch cannot export the network: {_line(error)}") from None
    program._example_inputs = None  # torch would pickle these
    torch.export.save(program, folder / MODEL)
    state = {name: t.contiguous() for name, t in trained.model.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    (folder / WEIGHTS).chmod((folder / MODEL).stat().st_mode)  # so that others may read it
    if onnx:
        torch.onnx.export(
            trained.model,
            (example,),
            folder / ONNX,
            input_names=["inputs"],
            output_names=["outputs"],
            dynamic_shapes=({0: "n"},),
            external_data=False,
            verbose=False,
        )


def _check(folder: Path, trained: Trained) -> None:
    """Raises ``ValueError`` if the written program does not give the outputs of the network."""
    import torch

    exported = ExportedModel(folder)
    for inputs in (trained.data.x_val[:1], trained.data.x_val[1:_CHECKED]):
        with torch.no_grad():
            wanted = trained.model(torch.from_numpy(inputs)).numpy()
        found = exported.of_inputs(inputs)
        off = float(np.abs(found - wanted).max(initial=0.0))
        if not off <= TOLERANCE * max(1.0, float(np.abs(wanted).max(initial=0.0))):
            raise ValueError(f"the exported program is off by {off:.3g} from the network")


def _about(run: Run, trained: Trained) -> dict[str, Any]:
    """The content of the card, for programs."""
    spec, data = run.spec, run.data
    return {
        "format": FORMAT,
        "task": data.task,
        "model": spec.problem.name,
        "input_shape": list(trained.data.input_shape),
        "outputs": trained.data.n_classes,
        "metric": run.metric,
        "trained_on": trained.trained_on,
        "run": run.files.folder.name,
        "trials": [
            {
                "trial": c.number,
                "weight": c.weight,
                "config": dict(c.trial.config),
                "epochs": c.trial.best_epoch if trained.as_searched else c.epochs,
                "seed": c.trial.seed if trained.as_searched else None,
                "validation": dict(c.trial.metrics),
            }
            for c in trained.candidates
        ],
        "seeds": list(trained.seeds),
        "test": _tested(run, trained),
        "search": {
            "algorithm": spec.search.algo,
            "scheduler": spec.stopping.scheduler,
            "trials": len(run.finished),
            "epochs": run.result.epochs,
            "max_epochs": spec.budget.max_epochs,
            "seed": spec.search.seed,
            "split_seed": spec.split_seed,
        },
        "data": {
            "source": spec.problem.data,
            "name": data.name,
            "fingerprint": data.fingerprint,
            "train": data.train,
            "validation": data.validation,
            "of_the_weights": len(trained.data.x_train),
        },
        "versions": versions(),
    }


def _tested(run: Run, trained: Trained) -> dict[str, Any] | None:
    """The last look at the test set with these trials. A look with weights that the search kept
    counts only if they are these weights."""
    members = {c.number: c.weight for c in trained.candidates}
    weights = (trained.candidates[0].trial.seed,) if trained.as_searched else ()
    looks = [
        (number, look)
        for number, look in enumerate(run.looks, start=1)
        if look.members == members and (not look.kept or look.seeds == weights)
    ]
    if not looks:
        return None
    number, look = looks[-1]
    return {
        "trials": list(look.trials),
        "seeds": len(look.seeds),
        "kept": look.kept,
        "samples": look.samples,
        "trained_on": look.trained_on,
        "look": number,
        "looks": len(run.looks),
        "metrics": {name: look.told(name) for name in look.values},
        "together": dict(look.together) if look.seeds == trained.seeds else {},
    }


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
