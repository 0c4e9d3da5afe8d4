"""The state of a search as metrics that Ray exports to Prometheus: ``dashboards/grafana.json``.

Ray drops a gauge that was not set for 20 seconds. All gauges are set each time ``live.json`` is
written, and at least every ten seconds. So they disappear soon after the search has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from ray.util.metrics import Gauge

from pipelines.record.live import Live

_PREFIX = "rangefinder_"  # Ray adds "ray_" before it
GAUGES = {
    "best": "Best value of the metric so far",
    "running": "Trials that run",
    "finished": "Trials that have finished",
    "stopped": "Trials that the scheduler has stopped",
    "diverged": "Trials that have diverged",
    "failed": "Trials that have failed",
    "epochs_per_second": "Epochs trained in a second, lately",
    "suggestion_seconds": "Time that the algorithm takes for a suggestion",
    "slots_busy": "Share of the slots for trials that are busy",
    "gpus_per_trial": "Share of a GPU that a running trial has",
}


class Gauges:
    """The metrics of one search."""

    def __init__(self, run: str, metric: str) -> None:
        self._tags = {"run": run, "metric": metric}
        self._gauges: dict[str, Gauge] = {}

    def show(self, live: Live) -> None:
        """Set all gauges that have a value."""
        for name, value in values(live).items():
            if value is None:
                continue
            if name not in self._gauges:
                keys = tuple(self._tags)
                self._gauges[name] = Gauge(_PREFIX + name, GAUGES[name], tag_keys=keys)
            with suppress(Exception):  # the connection is lost: the search itself reports that
                self._gauges[name].set(value, tags=self._tags)


def values(live: Live) -> Mapping[str, float | None]:
    """The value of each gauge in ``GAUGES``."""
    shares = [trial.gpus for trial in live.trials]
    return {
        "best": live.best,
        "running": live.running,
        "finished": live.finished,
        "stopped": live.stopped,
        "diverged": live.diverged,
        "failed": live.failed,
        "epochs_per_second": live.epochs_per_second,
        "suggestion_seconds": live.suggestion_seconds,
        "slots_busy": live.running / live.slots if live.slots else None,
        "gpus_per_trial": sum(shares) / len(shares) if shares else None,
    }
