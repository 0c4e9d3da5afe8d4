"""Export of a run's winner: a folder with all that is needed to use it, without pickled files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.study.circumstances import versions
from pipelines.study.runs import Run
from pipelines.winner.card import model_card
from pipelines.winner.evaluation import check_network
from pipelines.winner.exported import ABOUT, FORMAT, MODEL, PREPROCESSING, ExportedModel
from pipelines.winner.trained import Trained

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS, CARD, ONNX = "weights.safetensors", "README.md", "model.onnx"
TOLERANCE = 1e-5  # of the outputs of the exported program, relative to the largest
_CHECKED = 300  # validation samples, in a batch of one and one of all others


def check_onnx() -> None:
    """Raises ``ValueError`` if packages for ONNX are missing."""
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        raise ValueError(
            "`onnx` needs the packages onnx and onnxscript: pip install 'rangefinder[onnx]'"
        ) from None


def export(run: Run, trained: Trained, folder: Path, name: str) -> None:
    """Write ``trained`` into ``folder``, with a card for a model in a folder called ``name``.

    Raises ``ValueError`` if it is a user's own network that does not fit the data, or if torch
    cannot export it.
    """
    if trained.data.preprocessing is None:
        raise ValueError(f"'{trained.data.name}' was made by hand: its encoding is not known")
    if own := run.spec.problem.trainable:
        check_network(trained.model, trained.data, own)
    about = _about(run, trained)
    _write_model(trained, folder)
    _write_json(folder / ABOUT, about)
    _write_json(folder / PREPROCESSING, trained.data.preprocessing.to_dict())
    card = model_card(about, trained.data.preprocessing, name, run.space.idle)
    (folder / CARD).write_text(card)
    _check(folder, trained)


def write_onnx(trained: Trained, folder: Path) -> str:
    """Write the network as ONNX into ``folder``, and name it on the card there. Returns why that is
    not possible, else ""."""
    import torch

    try:
        torch.onnx.export(
            trained.model,
            (_example(trained),),
            folder / ONNX,
            input_names=["inputs"],
            output_names=["outputs"],
            dynamic_shapes=({0: "n"},),
            external_data=False,
            verbose=False,
        )
    except Exception as error:  # torch and onnxscript raise a dozen types
        (folder / ONNX).unlink(missing_ok=True)
        return _line(_first_cause(error))
    with (folder / CARD).open("a") as card:
        card.write("`model.onnx` is the same network: it takes encoded samples.\n")
    return ""


def _example(trained: Trained) -> Tensor:
    """Inputs for two samples: from a batch of one, torch would export a program for single samples
    only."""
    import torch

    return torch.zeros(2, *trained.data.input_shape)


def _write_model(trained: Trained, folder: Path) -> None:
    import torch
    from safetensors.torch import save

    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    try:
        program = torch.export.export(trained.model, (_example(trained),), dynamic_shapes=dynamic)
    except Exception as error:  # torch raises a dozen types for what it cannot export
        raise ValueError(f"torch cannot export the network: {_line(error)}") from None
    program._example_inputs = None  # torch would pickle these
    file = io.BytesIO()  # written by Python: if the disk is full, torch does not say so
    torch.export.save(program, file)
    (folder / MODEL).write_bytes(file.getvalue())
    state = {  # copies: a tensor may have several names, and the file format allows one
        name: t.clone(memory_format=torch.contiguous_format)
        for name, t in trained.model.state_dict().items()
    }
    (folder / WEIGHTS).write_bytes(save(state))


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


def _first_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
