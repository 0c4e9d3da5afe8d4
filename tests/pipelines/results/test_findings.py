"""What the sections of a page share: the same order of trials, and no figure if there is nothing to
draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.results.findings import Findings
from pipelines.results.page.render import page_json
from pipelines.results.run_page import report_page
from pipelines.results.sections.curves import curves
from pipelines.results.sections.parameters import parameters
from pipelines.results.sections.progress import progress
from pipelines.study.runs import open_run
from search_spaces import Float, SearchSpace
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import DIVERGED, made, searched

SPACE = SearchSpace({"lr": Float(1e-4, 1.0, log=True), "a": Float(0.0, 1.0)})


def test_the_best_is_the_same_trial_everywhere(tmp_path: Path) -> None:
    """Equal trials are sorted by the other objectives."""
    sizes = [500, 900, 100, 700, 300]
    trials = [
        made([0.9], config={"lr": 10.0**-n, "a": 0.5}, n_parameters=size, started=1.0, node="n")
        for n, size in enumerate(sizes)
    ]
    write_run(tmp_path / "it", trials, space=SPACE, trainable="m:f", also=["n_parameters"])
    found = Findings(open_run(tmp_path / "it"))
    assert found.best is found.ranked[0] is found.trials[2]
    figure = curves(found).drawings[0].figure
    first = min(figure.data, key=lambda trace: trace.legendrank)
    assert set(first.customdata) == {2}
    slices = [d for d in parameters(found).drawings if d.id.startswith("slice")]
    assert slices[0].caption == "best 0.01"


def test_where_no_trial_has_a_value_nothing_is_drawn(tmp_path: Path) -> None:
    trials = [made([0.0], DIVERGED, t.config, started=1.0, node="n") for t in searched(12, SPACE)]
    run = open_run(write_run(tmp_path / "it", trials, space=SPACE, trainable="m:f"))
    found = Findings(run)
    for section in (progress, curves, parameters):
        assert not section(found).drawings
        assert len(section(found).blocks) == 1
    assert "slice-" not in page_json(report_page(run))


def test_all_slices_have_one_axis_and_one_key(tmp_path: Path) -> None:
    trials = searched(30, SPACE)
    run = open_run(write_run(tmp_path / "it", trials, space=SPACE, trainable="m:f"))
    drawings = parameters(Findings(run)).drawings
    slices = [d.figure for d in drawings if d.id.startswith("slice")]
    assert len(slices) == 2
    assert len({tuple(figure.layout.yaxis.range) for figure in slices}) == 1
    (key,) = (d.figure for d in drawings if d.id == "key")
    assert len(key.data) == 3


def test_a_surface_is_of_important_parameters_only_if_some_stand_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, trials in (
        ("some", searched(60, SPACE)),
        ("none", [made([rng.random()], config=t.config) for t in searched(20, SPACE)]),
    ):
        run = open_run(write_run(tmp_path / name, trials, space=SPACE, trainable="m:f"))
        (caption,) = (d.caption for d in parameters(Findings(run)).drawings if d.id == "surface")
        which = ", the most important numeric parameters that every trial has: "
        assert (which in caption) == (name == "some")
