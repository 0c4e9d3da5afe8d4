"""Requirements and target values that no training can meet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.record.goals import Aim, Goals, Requirement
from pipelines.study.objectives import check_possible
from trainables.training.metrics import METRICS, Metric, accuracy

LIFT = Metric("max", 0.0, "classification", lambda p: 10 * accuracy(p))


def test_only_a_bound_that_its_entry_names_limits_a_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    lift = Aim("val_lift", "max")
    above = Goals((lift,), (Requirement("val_lift", ">", 10.0),))
    monkeypatch.setitem(METRICS, "val_lift", LIFT)
    check_possible(above, 95.0)

    monkeypatch.setitem(METRICS, "val_lift", replace(LIFT, best=10.0))
    check_possible(Goals((lift,), (Requirement("val_lift", "<", 20.0),)), 10.0)
    with pytest.raises(ValueError, match="`target_value` 95: val_lift is at most 10"):
        check_possible(above, 95.0)
    with pytest.raises(ValueError, match="`require` val_lift>10: val_lift is at most 10"):
        check_possible(above, None)
