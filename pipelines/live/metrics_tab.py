"""The Metrics tab of Ray's dashboard: without Grafana, it shows our pages in a frame."""

from __future__ import annotations

import os
from typing import Any

from pipelines.live.addresses import METRICS

# If somebody has set up Grafana, its pages belong into the tab.
_SET_UP = ("RAY_GRAFANA_HOST", "RAY_GRAFANA_IFRAME_HOST", "RAY_PROMETHEUS_HOST")
SMALL = (
    "<!DOCTYPE html><html lang=en><meta name=color-scheme content='light dark'>"
    "<title>Searches</title>"
    "<p style='font: 14px system-ui'>There is no Grafana. The Metrics tab shows the searches."
)


def is_ours() -> bool:
    """Whether the tab is free for our pages."""
    return not any(name in os.environ for name in _SET_UP)


def grafana_health() -> dict[str, Any]:
    """What Ray answers if Grafana runs."""
    found: dict[str, Any] = {
        "grafanaHost": METRICS,
        "grafanaOrgId": "1",
        "sessionName": "",
        "dashboardUids": {},
        "dashboardDatasource": "none",
        "grafanaClusterFilter": None,
    }
    return {"result": True, "msg": "Grafana running", "data": found}


def prometheus_health() -> dict[str, Any]:
    """What Ray answers if Prometheus runs."""
    return {"result": True, "msg": "prometheus running", "data": {}}
