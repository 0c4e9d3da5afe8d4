"""What a browser shows of a run, through a dashboard at localhost:8265, as JSON.

``python -m tests.cluster.look RUN``, with the token on the standard input.
"""

from __future__ import annotations

import json
import sys

from pipelines.live.addresses import HOME, OPEN
from tests.pipelines.browser import Browser, browser

ADDRESS = "http://localhost:8265"
DRAWN = "document.body?.dataset.drawn === 'yes'"
ROWS = (
    "Object.fromEntries([...document.querySelectorAll('tbody tr')].map(row => "
    "[row.cells[0].textContent, [...row.cells].slice(1).map(cell => cell.textContent)]))"
)


def look(tab: Browser, run: str, token: str) -> dict[str, object]:
    """Looks without the token and with it. It is typed once; after that the cookie is enough."""
    go(tab, HOME)
    without = tab.evaluate("document.body.textContent")
    go(tab, OPEN)
    tab.wait_for("!document.querySelector('form').hidden")
    tab.evaluate(f"document.querySelector('input').value = {token!r}")
    tab.evaluate("document.querySelector('button').click()")
    tab.wait_for(f"location.pathname === {HOME!r} && {DRAWN}")
    rows = tab.evaluate(ROWS)
    tab.evaluate(
        f"[...document.querySelectorAll('tbody a')].find(a => a.textContent === {run!r}).click()"
    )
    tab.wait_for(f"location.pathname.startsWith('{HOME}/run/') && {DRAWN}")
    trials = "document.querySelector('#now .numbers dd')?.textContent"
    return {
        "without": without,
        "rows": rows,
        "trials": tab.evaluate(trials),
        "state": tab.evaluate("document.querySelector('#state').textContent"),
    }


def go(tab: Browser, path: str) -> None:
    tab.call("Page.navigate", url=f"{ADDRESS}{path}")
    tab.wait_for("document.readyState === 'complete'")


if __name__ == "__main__":
    with browser() as opened:
        print(json.dumps(look(opened, sys.argv[1], sys.stdin.read())))
