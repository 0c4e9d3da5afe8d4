"""How to use an exported model: ``load_model(FOLDER).predict(rows)``.

This needs torch and the packages that read data, but neither Ray nor Optuna.
"""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.record.files import RunFiles, missing
from trainables.data.preprocessing import Preprocessing
from trainables.training.batches import outputs_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FORMAT = 1
MODEL, ABOUT, PREPROCESSING = "model.pt2", "model.json", "preprocessing.json"
PREDICTION = "prediction"


class ExportedModel:
    """The model in a folder that ``export.py`` has made."""

    def __init__(self, folder: str | Path) -> None:
        import torch

        self._folder = folder = Path(folder).expanduser()
        self.about: Mapping[str, Any] = _read(folder / ABOUT)
        """Data, config, scores and versions."""
        if self.about.get("format") != FORMAT:
            raise ValueError(
                f"{folder} has the format {self.about.get('format')}: this version reads {FORMAT}"
            )
        try:
            self.preprocessing = Preprocessing.from_dict(_read(folder / PREPROCESSING))
        except ValueError as error:
            raise ValueError(f"{folder / PREPROCESSING}: {error}") from None
        log = logging.getLogger("torch.export")
        disabled, log.disabled = log.disabled, True  # it shows a traceback for a broken file
        try:
            self._module = torch.export.load(folder / MODEL).module()
        except Exception as error:  # zipfile, json and torch raise a dozen types on a broken file
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"{folder / MODEL} cannot be loaded: {reason}") from None
        finally:
            log.disabled = disabled

    def __reduce__(self) -> tuple[type[ExportedModel], tuple[Path]]:
        """Another process loads it from the folder again."""
        return ExportedModel, (self._folder.absolute(),)

    def __repr__(self) -> str:
        what = f"{self.about['model']}, {self.about['task']}"
        classes = f" of {len(self.class_names)} classes" if self.class_names else ""
        return f"ExportedModel({str(self._folder)!r}: {what}{classes})"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in the order of the probabilities; empty for a regression."""
        return self.preprocessing.class_names

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of :meth:`predict`: the prediction, and the probability of each class."""
        return (PREDICTION, *(f"p_{name}" for name in self.class_names))

    def predict(
        self,
        samples: pd.DataFrame
        | pa.Table
        | pa.RecordBatch
        | np.ndarray
        | str
        | Path
        | Iterable[str | Path],
    ) -> pd.DataFrame:
        """Predictions for a table, a file that holds a table, some image files, or a folder of
        images (in the order of their names): a row for each sample.

        For a classification, a row has the class (a number or truth value if the target's column
        has such values) and the probability of each class. For a regression it has the value in
        the units of the target. Columns that the model does not know are ignored.

        Raises ``ValueError`` if a column is missing, if a file is not an image, or if ``samples``
        are something else.
        """
        import pandas as pd

        index = samples.index if isinstance(samples, pd.DataFrame) else None
        return pd.DataFrame(dict(self.predicted(samples)), index=index)

    def predicted(
        self, samples: Any, *, as_texts: bool = False
    ) -> Iterator[tuple[str, np.ndarray]]:
        """The predictions column by column: names and arrays (n,). With ``as_texts`` a class is
        given by its name."""
        import torch

        outputs = torch.from_numpy(self.outputs(samples))
        if self.class_names:
            classes = self.preprocessing.classes
            classes = np.array(self.class_names, dtype=object) if as_texts else classes
            yield PREDICTION, classes[outputs.argmax(1).numpy()]
            probabilities = outputs.softmax(1).numpy()
            for place, name in enumerate(self.columns[1:]):
                yield name, probabilities[:, place]
        else:
            scaled = outputs[:, 0].double().numpy() * self.preprocessing.target_std
            yield PREDICTION, scaled + self.preprocessing.target_mean

    def outputs(self, samples: Any) -> np.ndarray:
        """The outputs of the network: float32 (n, n_outputs), before any softmax."""
        return self.of_inputs(self.preprocessing.transform(samples))

    def of_inputs(self, inputs: np.ndarray) -> np.ndarray:
        """The outputs for inputs that are already encoded."""
        return np.asarray(outputs_of(self._module, inputs).numpy())


def load_model(folder: str | Path) -> ExportedModel:
    """The model in ``folder``, ready to predict.

    Raises ``ValueError`` if there is no model, or if it has another format.
    """
    return ExportedModel(folder)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise ValueError(f"no model in {path.parent}: {_why_none(path, error)}") from None
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a mapping")
    return content


def _why_none(path: Path, error: OSError) -> str:
    """Why ``path`` in an exported folder cannot be read, and what to do."""
    folder = path.parent
    if RunFiles(folder).spec.is_file():
        command = shlex.join(["python", "-m", "pipelines.export", str(folder), "model"])
        return f"it is a run; `{command}` exports its model"
    if why := missing(path):
        return f"{why}; give the folder that export.py has written"
    return f"{path.name}: {error.strerror}"
