"""Checks a record when it is opened. A record that was edited, or that another program wrote, is
refused with one clear line, because all later code relies on its contents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from pipelines.record.trials import FinishedTrial
from search_spaces import Choice, SearchSpace
from trainables.smith.lr_range_rule import Bounds

_STRICT = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")
_Count = Annotated[int, Field(ge=0, lt=2**63)]


class _Data(BaseModel):
    model_config = _STRICT
    name: str
    task: Literal["classification", "regression"]
    fingerprint: str
    train: _Count
    validation: _Count
    input_shape: list[_Count]
    classes: list[str]
    notes: list[str] = []


class _Space(BaseModel):
    model_config = _STRICT
    forbid: str | None


def fields_of(kind: type, *, finite: bool = True) -> type[BaseModel]:
    """A model with the fields of the dataclass ``kind``, for :func:`check`."""
    config = ConfigDict(**{**_STRICT, "allow_inf_nan": not finite})
    return create_model(f"_{kind.__name__}", __config__=config, **get_type_hints(kind))


_Bounds = fields_of(Bounds)
_Trial = fields_of(FinishedTrial)


class _Prepared(BaseModel):
    model_config = _STRICT
    space: _Space
    data: _Data
    lr_bounds: dict[str, dict[str, Any]]
    lr_tests: dict[str, dict[str, Any]] = {}
    start_with: list[dict[str, Any]] = []
    learnt_from: list[str] | None = None
    algorithm: str = ""
    versions: dict[str, str]
    machine: dict[str, str] = {}


def check_prepared(content: Mapping[str, Any]) -> None:
    """Raises ``ValueError`` for content that no preparation of a study writes."""
    check(_Prepared, content)
    for bounds in content["lr_bounds"].values():
        check(_Bounds, bounds)
    without = [name for name in content.get("lr_tests", {}) if name not in content["lr_bounds"]]
    if without:
        raise ValueError(f"lr_tests.{without[0]} has no bounds")


def check_trial(trial: FinishedTrial, space: SearchSpace) -> None:
    """Raises ``ValueError`` for a trial that no search in ``space`` writes."""
    check(_Trial, vars(trial))
    for name, value in trial.config.items():
        domain = space.domains.get(name)
        if domain is None:
            raise ValueError(f"config.{name} is not a parameter of the space")
        if not isinstance(domain, Choice) and type(value) not in (int, float):
            raise ValueError(f"config.{name} is {value!r}, not a number")
    epochs = len(trial.curve)
    if any(epoch < 1 for epoch in trial.curve):
        raise ValueError("curve has an epoch below 1")
    for name, values in trial.curves.items():
        if len(values) != epochs:
            raise ValueError(f"curves.{name} has {len(values)} values for {epochs} epochs")
    if trial.value is not None and trial.best_epoch is None:
        raise ValueError(f"value is {trial.value}, but best_epoch is missing")


def check(model: type[BaseModel], content: Mapping[str, Any]) -> None:
    """Raises ``ValueError`` for the first field of ``content`` that does not fit ``model``."""
    try:
        model.model_validate(content)
    except ValidationError as error:
        raise ValueError(first_of(error)) from None


def first_of(error: ValidationError) -> str:
    """The first field that does not fit, its value and the rule."""
    first = error.errors(include_url=False)[0]
    if "error" in (context := first.get("ctx", {})):  # one of our own checks
        return str(context["error"])
    where = ".".join(map(str, first["loc"]))
    return f"{where} is {str(first['input'])[:60]!r}: {first['msg']}"
