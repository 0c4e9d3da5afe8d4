"""From new samples to the inputs of a network, and from its outputs to answers.

These are frozen values that were fitted on the train rows and that JSON can hold. Export and
prediction need nothing else from the data that a network was trained on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainables.data.column_files import column_from_dict, column_to_dict
from trainables.data.image_files import WHITE
from trainables.data.image_inputs import ImageInputs
from trainables.data.table_inputs import TableInputs
from trainables.data.targets import ClassKind, classes_of

FORMAT = 1


@dataclass(frozen=True)
class Preprocessing:
    """How new samples become inputs, and what the outputs mean."""

    inputs: TableInputs | ImageInputs
    class_names: tuple[str, ...] = ()
    """In the order of a network's outputs; empty for a regression."""
    target: str | None = None
    """The column of a table file that is predicted."""
    target_mean: float = 0.0
    """A regression's output is the distance from this mean, in units of ``target_std``."""
    target_std: float = 1.0
    class_kind: ClassKind | None = None
    """What the class names stand for; None for texts, and for older models."""

    @property
    def classes(self) -> np.ndarray:
        """(n_classes,) the values of the target's column, in the order of a network's outputs."""
        return classes_of(self.class_names, self.class_kind)

    def transform(self, samples: Any, which: np.ndarray | None = None) -> np.ndarray:
        """The inputs of a network for new samples; see ``transform`` of :class:`TableInputs` and
        :class:`ImageInputs`."""
        return self.inputs.transform(samples, which)

    def to_dict(self) -> dict[str, Any]:
        """The preprocessing, exactly, as values that JSON can hold."""
        inputs = self.inputs
        if isinstance(inputs, TableInputs):
            content: dict[str, Any] = {"columns": [column_to_dict(c) for c in inputs.columns]}
        else:
            content = {
                "mode": inputs.mode,
                "height": inputs.height,
                "width": inputs.width,
                "mean": list(inputs.mean),
                "std": list(inputs.std),
                "white": inputs.white,
            }
        return {
            "format": FORMAT,
            "kind": "table" if isinstance(inputs, TableInputs) else "images",
            **content,
            "class_names": list(self.class_names),
            "target": self.target,
            "target_mean": self.target_mean,
            "target_std": self.target_std,
            **({} if self.class_kind is None else {"class_kind": self.class_kind}),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Preprocessing:
        """The preprocessing that :meth:`to_dict` wrote. Raises ``ValueError`` for anything else."""
        try:
            if content["format"] != FORMAT:
                raise ValueError(f"format {content['format']}, but this version reads {FORMAT}")
            inputs: TableInputs | ImageInputs
            if content["kind"] == "table":
                inputs = TableInputs(tuple(map(column_from_dict, content["columns"])))
            else:
                inputs = _image_inputs(content)
            names, target = tuple(content["class_names"]), content["target"]
            mean, std = float(content["target_mean"]), float(content["target_std"])
            kind = content.get("class_kind")
            classes_of(names, kind)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"not a preprocessing: {type(error).__name__}: {error}") from None
        if not (isinstance(target, str | None) and all(isinstance(name, str) for name in names)):
            raise ValueError("not a preprocessing: a name is not a string")
        if not (math.isfinite(mean) and std > 0 and math.isfinite(std)):
            raise ValueError(f"not a preprocessing: the target has the scale {mean} +- {std}")
        return cls(inputs, names, target, mean, std, kind)


def _image_inputs(content: Mapping[str, Any]) -> ImageInputs:
    mode, height, width = content["mode"], content["height"], content["width"]
    mean, std = (tuple(map(float, content[key])) for key in ("mean", "std"))
    white = float(content.get("white", WHITE))  # older models do not have it
    channels = {"L": 1, "F": 1, "RGB": 3}[mode]
    finite = all(map(math.isfinite, (*mean, *std)))
    if not (len(mean) == len(std) == channels and finite and all(value > 0 for value in std)):
        raise ValueError(f"{channels} channels have the scale {mean} +- {std}")
    if not all(type(side) is int and 0 < side < 2**16 for side in (height, width)):
        raise ValueError(f"images of {width}x{height} pixels")
    if not 0 < white <= WHITE:
        raise ValueError(f"the value {white} of white")
    return ImageInputs(mode, height, width, mean, std, white)
