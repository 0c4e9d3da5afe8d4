"""Where the pages are."""

from __future__ import annotations

from urllib.parse import quote

HOME = "/rangefinder"
RUN = f"{HOME}/run"
NEWS = f"{HOME}/news"
ALIVE = f"{HOME}/alive"
OPTUNA = f"{HOME}/optuna"
# Ray shows what lies under /static to everybody: to those that have no token yet too.
OPEN = "/static/rangefinder/open"
ENTER = "/static/rangefinder/enter"
# What the Metrics tab of Ray's dashboard asks for, and where it looks for a Grafana then.
GRAFANA_HEALTH = "/api/grafana_health"
PROMETHEUS_HEALTH = "/api/prometheus_health"
METRICS = f"{HOME}/metrics"


def quoted(path: str) -> str:
    """``path`` in an address: by its bytes, which need be no UTF-8."""
    return quote(path, errors="surrogateescape")
