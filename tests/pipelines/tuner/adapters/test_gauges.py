"""The metrics of a search, and Grafana's queries for them, in a real Prometheus."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import ray
import yaml

from pipelines.cluster.machines import Cluster
from pipelines.tuner.adapters.gauges import GAUGES, Gauges, values
from tests.pipelines.live.standing import running, standing

PROMETHEUS = shutil.which("prometheus")
DASHBOARD = Path(__file__).parents[4] / "dashboards" / "grafana.json"
DROPPED_AFTER = 20.0  # seconds after which Ray drops a metric


def test_every_gauge_has_its_value() -> None:
    live = standing(running([0.5], gpus=0.25), running([0.5], gpus=0.5), slots=4, diverged=3)
    found = values(live)
    assert set(found) == set(GAUGES)
    assert (found["slots_busy"], found["gpus_per_trial"], found["diverged"]) == (0.5, 0.375, 3)
    assert values(standing(slots=0))["slots_busy"] is None


def queries() -> dict[str, str]:
    """Grafana's queries, by panel, for all runs."""
    content = json.loads(DASHBOARD.read_text())
    return {
        f"{panel['title']} {target['refId']}": target["expr"].replace("$run", ".*")
        for panel in content["panels"]
        for target in panel["targets"]
    }


def test_the_dashboard_shows_every_gauge_and_no_other() -> None:
    shown = set()
    for query in queries().values():
        name = query.partition("ray_rangefinder_")[2].partition("{")[0]
        shown.add(name)
    assert shown == set(GAUGES)


@pytest.mark.slow
@pytest.mark.skipif(PROMETHEUS is None, reason="needs Prometheus: apt install prometheus")
def test_grafanas_queries_find_a_search_in_a_real_prometheus(
    cluster: Cluster, tmp_path: Path
) -> None:
    gauges = Gauges("it", "val_accuracy")
    live = standing(running([0.5], gpus=0.25), slots=2, best=0.9375)
    (node,) = ray.nodes()
    with prometheus(tmp_path, f"127.0.0.1:{node['MetricsExportPort']}") as address:
        started = time.monotonic()
        missing = dict(queries())
        while missing or time.monotonic() - started < DROPPED_AFTER + 5:
            assert time.monotonic() - started < 90, missing
            gauges.show(live)
            time.sleep(1)
            missing = {
                title: query for title, query in queries().items() if not ask(address, query)
            }
        assert ask(address, "ray_rangefinder_best")[0]["metric"]["run"] == "it"
        assert float(ask(address, queries()["Best so far A"])[0]["value"][1]) == 0.9375


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """The address of a Prometheus that reads ``target`` every second."""
    assert PROMETHEUS is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    static = [{"targets": [target]}]
    job = {"job_name": "ray", "scrape_interval": "1s", "static_configs": static}
    (folder / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": [job]}))
    command = [PROMETHEUS, "--config.file=prometheus.yml", f"--web.listen-address={address}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        yield address
    finally:
        process.kill()
        process.wait()


def ask(address: str, query: str) -> list[dict[str, Any]]:
    """The answer of Prometheus; empty while it starts."""
    try:
        with urlopen(f"http://{address}/api/v1/query?{urlencode({'query': query})}") as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return result
    except OSError:
        return []
