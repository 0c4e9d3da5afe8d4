"""A search that was resumed hours later: no figure shows these hours as work."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.sets.configs import LENET
from pipelines.record.files import RunFiles
from pipelines.results.figures.timeline import timeline_data, timeline_figure
from pipelines.results.findings import Findings
from pipelines.results.sections.places import places
from pipelines.results.working_time import gaps, in_working_time
from pipelines.study.runs import Run, open_run
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import made

BEGUN, HOURS = 1_700_000_000.0, 7200.0


def resumed(folder: Path) -> Run:
    """A run that was killed after 10 s of work, and resumed two hours later for 5 s more."""
    again = BEGUN + 10 + HOURS
    trials = [
        made([0.5], config=LENET, started=BEGUN + 1, seconds=4.0, node="n"),
        made([0.5], config=LENET, started=BEGUN + 8, seconds=5.0, node="n", resumed=1),
        made([0.5], config=LENET, started=again + 3, seconds=1.0, node="n"),
    ]
    files = RunFiles(write_run(folder, trials))
    begun = {"part": "search", "host": "h", "process": 1, "changes": {}}
    lines = [
        {"begun": BEGUN, **begun},
        {"ended": BEGUN + 10, "by": "killed"},
        {"begun": again, **begun},
        {"ended": again + 5, "by": ""},
    ]
    files.sessions.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return open_run(folder)


def test_a_clock_that_stands_still_in_the_gap(tmp_path: Path) -> None:
    run = resumed(tmp_path / "run")
    assert [trial.started - BEGUN for trial in in_working_time(run)] == [1, 8, 13]
    assert [(gap.at - BEGUN, gap.seconds, gap.by) for gap in gaps(run)] == [(10, HOURS, "killed")]
    data = timeline_data(in_working_time(run), gaps(run))
    assert data.places == ["n"]  # the second goes on in the place where it was
    assert (data.minutes, data.gaps) == (13 / 60, [9 / 60])
    assert len(timeline_figure(data).layout.shapes) == 1


def test_it_is_said(tmp_path: Path) -> None:
    told = str(places(Findings(resumed(tmp_path / "run"))).blocks[1])
    assert (
        "At the dotted line the search went on: 2 h 00 min after its driver ended (killed)" in told
    )


def test_a_search_in_one_piece_is_as_it_was(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", [made([0.5], config=LENET, started=BEGUN)]))
    assert in_working_time(run) == run.finished
    assert gaps(run) == []
