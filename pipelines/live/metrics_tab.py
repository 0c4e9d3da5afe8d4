"""The Metrics tab of Ray's dashboard: where there is no Grafana, it frames our pages."""

from __future__ import annotations

import os
from typing import Any

from pipelines.live.addresses import METRICS

# Where somebody has set up a Grafana, its own pages belong there.
_SET_UP = ("RAY_GRAFANA_HOST", "RAY_GRAFANA_IFRAME_HOST", "RAY_PROMETHEUS_HOST")
SMALL = (
    "<!DOCTYPE html><html lang=en><meta name=color-scheme content='light dark'>"
    "<title>Searches</title>"
    "<p style='font: 14px system-ui'>There is no Grafana. The Metrics tab shows the searches."
)


def is_ours() -> bool:
    """Whether the tab is free."""
    return not any(name in os.environ for name in _SET_UP)


def grafana_health() -> dict[str, Any]:
    """As Ray answers where a Grafana runs."""
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
    """As Ray answers where a Prometheus runs."""
    return {"result": True, "msg": "prometheus running", "data": {}}
