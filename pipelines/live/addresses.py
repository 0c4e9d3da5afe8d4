"""The addresses of the pages."""

from __future__ import annotations

from urllib.parse import quote

HOME = "/rangefinder"
RUN = f"{HOME}/run"
NEWS = f"{HOME}/news"
ALIVE = f"{HOME}/alive"
OPTUNA = f"{HOME}/optuna"
# Ray shows what lies under /static to everybody, even without a token.
OPEN = "/static/rangefinder/open"
ENTER = "/static/rangefinder/enter"
# What the Metrics tab of Ray's dashboard asks for, and where it then looks for Grafana.
GRAFANA_HEALTH = "/api/grafana_health"
PROMETHEUS_HEALTH = "/api/prometheus_health"
METRICS = f"{HOME}/metrics"


def quoted(path: str) -> str:
    """``path`` quoted for an address. It may contain bytes that are not UTF-8."""
    return quote(path, errors="surrogateescape")
