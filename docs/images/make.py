"""Makes the pictures of the README from a real search: needs Chromium.

python -m docs.images.make
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text

from pipelines.live.addresses import HOME, OPEN
from tests.pipelines.browser import Browser, browser
from tests.pipelines.live.test_watching import go, searching

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COLUMNS = 100
NAMES = 10  # columns for what a line is about
COLOURS = 96  # of a picture


def search(runs: Path) -> str:
    """What a search prints, whose record is then in ``runs``."""
    command = ["pipelines/run.py", "--algo", "optuna", "--name", "first", "--runs-dir", str(runs)]
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.replace(str(runs), "runs")


def draw_terminal(printed: str, path: Path) -> None:
    """The first lines and the last ones, as a terminal shows them."""
    lines = [line for line in printed.splitlines() if "done  " not in line]
    best = [i for i, line in enumerate(lines) if line.startswith("new best")]
    kept = [*lines[: best[1] + 1], "...", *lines[best[-1] :]]
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text("$ python pipelines/run.py --algo optuna --name first", style="bold"))
    for line in kept:
        name, rest = line[:NAMES], line[NAMES:]
        shown = Text.assemble((name, "bold green" if name.strip() == "best" else "cyan"), rest)
        console.print(shown, soft_wrap=False)
    drawing = console.export_svg(title="rangefinder")
    path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL))


def shoot(chromium: Browser, path: Path) -> None:
    """What is seen now, as a small file."""
    chromium.shoot(path)
    Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)


def shoot_live(chromium: Browser, path: Path) -> None:
    """The page of a search that runs, inside Ray's dashboard."""
    ended = "parseInt(document.querySelector('#now .numbers dd')?.innerText)"
    with (
        tempfile.TemporaryDirectory(prefix="w") as folder,  # short, for Ray's sockets in it
        searching(Path(folder), "--trials", "300") as search,
    ):
        address, key = search.link()
        go(chromium, f"{address}{OPEN}#{key}")
        chromium.wait_for(f"location.pathname === '{HOME}'")
        go(chromium, f"{address}{HOME}/run/runs/it")
        chromium.wait_for(f"{ended} > 60")
        chromium.wait_for("document.body.dataset.drawn === 'yes' && !figures.waiting.length")
        shoot(chromium, path)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        runs = Path(folder)
        draw_terminal(search(runs), HERE / "terminal.svg")
        chromium.look(1200, 900)
        chromium.open(f"file://{runs / 'first' / 'report.html'}")
        shoot(chromium, HERE / "report.png")
        chromium.evaluate("document.getElementById('parameters').scrollIntoView()")
        shoot(chromium, HERE / "parameters.png")
        shoot_live(chromium, HERE / "live.png")


if __name__ == "__main__":
    main()
