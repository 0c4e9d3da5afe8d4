"""From a run to a folder with all that its winner's use needs, and nothing pickled in it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.study.circumstances import versions
from pipelines.study.folders import check_writable
from pipelines.study.runs import Run
from pipelines.winner.candidates import Candidate, winner
from pipelines.winner.card import model_card
from pipelines.winner.exported import ABOUT, FORMAT, MODEL, PREPROCESSING, ExportedModel
from pipelines.winner.one_training import Training, train_here
from pipelines.winner.training import all_but_test, search_data, trainable_of
from trainables.data.datasets import TrialData
from trainables.device.share import pick_device, set_threads
from trainables.networks import Network

if TYPE_CHECKING:
    from torch import nn

WEIGHTS, CARD, ONNX = "weights.safetensors", "README.md", "model.onnx"
TOLERANCE = 1e-5  # of the outputs of the exported program, relative to the largest
_CHECKED = 300  # validation samples, in a batch of one and one of all others


@dataclass(frozen=True)
class Trained:
    """A network, the data that it was trained on, and where its weights come from."""

    model: nn.Module
    data: TrialData
    trained_on: str


def check_export(folder: Path, *, onnx: bool) -> None:
    """Raises ``ValueError`` where nothing could be written into ``folder``."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"'{folder}' exists and is not empty: give a folder that does not")
    check_writable(folder)
    if onnx:
        try:
            import onnxscript  # noqa: F401
        except ImportError:
            raise ValueError(
                "`onnx` needs the packages onnx and onnxscript: pip install 'rangefinder[onnx]'"
            ) from None


def export(run: Run, chosen: Candidate | None, folder: Path, *, onnx: bool = False) -> Trained:
    """Write the model of ``chosen``, or of the winner, into ``folder``, whole or not at all.

    Raises ``ValueError`` where the data or the trainable are not what they were, and where torch
    cannot export the network.
    """
    candidate = chosen or winner(run)
    trained = trained_model(run, chosen)
    if trained.data.preprocessing is None:
        raise ValueError(f"'{trained.data.name}' was made by hand: how is not known")
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        about = _about(run, candidate, trained)
        _write_model(trained, part, onnx=onnx)
        _write_json(part / ABOUT, about)
        _write_json(part / PREPROCESSING, trained.data.preprocessing.to_dict())
        (part / CARD).write_text(model_card(about, trained.data.preprocessing, folder.name))
        _check(part, trained)
        if folder.exists():
            folder.rmdir()
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return trained


def trained_model(run: Run, chosen: Candidate | None) -> Trained:
    """The network of ``chosen``, or of the winner, whose weights the run has kept.

    Weights of another trial are not kept: it is trained again, as in the search. After
    cross-validation there is one for each fold, with an encoding of its own: the config is trained
    on all of them together.
    """
    trainable, spec = trainable_of(run), run.spec
    set_threads(spec.resources.trial.cpus)
    candidate = chosen or winner(run)
    max_epochs, device = spec.budget.max_epochs, pick_device(spec.resources.trial.gpus)
    config = candidate.trial.config
    if spec.problem.folds:
        data = all_but_test(run)
        training = Training(config, candidate.epochs, max_epochs, spec.search.seed)
        model = train_here(trainable, data, training, device)
        return Trained(_sound(model), data, "train and validation")
    (data,) = search_data(run)
    if chosen is None and run.files.weights.is_file():
        return Trained(_with_weights(run, trainable, config, data), data, "train")
    epochs = candidate.trial.best_epoch or 1
    training = Training(config, epochs, max_epochs, candidate.trial.seed)
    return Trained(_sound(train_here(trainable, data, training, device)), data, "train")


def _sound(model: nn.Module | None) -> nn.Module:
    if model is None:
        raise ValueError("the training diverged: choose another `trial`")
    return model


def _with_weights(run: Run, trainable: Any, config: Any, data: TrialData) -> nn.Module:
    import torch

    if isinstance(trainable, Network):
        _, model = trainable.build(config, data)
    else:  # the function alone knows what its network is: its first epoch has one
        once = Training(config, 1, run.spec.budget.max_epochs, run.spec.search.seed)
        model = _sound(train_here(trainable, data, once, torch.device("cpu")))
    try:
        model.load_state_dict(torch.load(run.files.weights, weights_only=True))
    except RuntimeError as error:
        raise ValueError(f"{run.files.weights} does not fit the network: {error}") from None
    return model.eval()


def _write_model(trained: Trained, folder: Path, *, onnx: bool) -> None:
    import torch
    from safetensors.torch import save_file

    # Of two samples: torch would take a batch of one for a network of single samples.
    example = torch.zeros(2, *trained.data.input_shape)
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    try:
        program = torch.export.export(trained.model, (example,), dynamic_shapes=dynamic)
    except Exception as error:  # torch raises a dozen types for what it cannot export
        raise ValueError(f"torch cannot export the network: {_line(error)}") from None
    program._example_inputs = None  # which torch would pickle
    torch.export.save(program, folder / MODEL)
    state = {name: t.contiguous() for name, t in trained.model.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    (folder / WEIGHTS).chmod((folder / MODEL).stat().st_mode)  # which others may read
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
    """Raises ``ValueError`` where what was written does not give what the network gives."""
    import torch

    exported = ExportedModel(folder)
    for inputs in (trained.data.x_val[:1], trained.data.x_val[1:_CHECKED]):
        with torch.no_grad():
            wanted = trained.model(torch.from_numpy(inputs)).numpy()
        found = exported.of_inputs(inputs)
        off = float(np.abs(found - wanted).max(initial=0.0))
        if not off <= TOLERANCE * max(1.0, float(np.abs(wanted).max(initial=0.0))):
            raise ValueError(f"the exported program is off by {off:.3g} from the network")


def _about(run: Run, candidate: Candidate, trained: Trained) -> dict[str, Any]:
    """What the card says too, for programs."""
    spec, data, trial = run.spec, run.data, candidate.trial
    alone = [look for look in run.looks if look.trials == (candidate.number,)]
    look = alone[-1] if alone else None
    return {
        "format": FORMAT,
        "task": data.task,
        "model": spec.problem.name,
        "config": dict(trial.config),
        "input_shape": list(trained.data.input_shape),
        "outputs": trained.data.n_classes,
        "metric": run.metric,
        "trained_on": trained.trained_on,
        "run": run.files.folder.name,
        "trial": candidate.number,
        "epoch": candidate.epochs if spec.problem.folds else trial.best_epoch,
        "validation": dict(trial.metrics),
        "test": None
        if look is None
        else {
            "trials": list(look.trials),
            "seeds": len(look.seeds),
            "samples": look.samples,
            "trained_on": look.trained_on,
            "looks": len(run.looks),
            "metrics": {name: look.told(name) for name in look.values},
        },
        "search": {
            "algorithm": spec.search.algo,
            "scheduler": spec.stopping.scheduler,
            "trials": len(run.finished),
            "epochs": run.result.epochs,
            "max_epochs": spec.budget.max_epochs,
            "seed": spec.search.seed,
        },
        "data": {
            "source": spec.problem.data,
            "name": data.name,
            "fingerprint": data.fingerprint,
            "train": data.train,
            "validation": data.validation,
        },
        "versions": versions(),
    }


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
