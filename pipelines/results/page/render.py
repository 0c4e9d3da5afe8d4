"""A page as data that a browser draws, and as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs
from plotly.utils import PlotlyJSONEncoder

from pipelines.results.page.model import Drawing, Page, Section

_SCRIPTS = ("values.js", "figures.js", "table.js", "page.js")


def page_data(page: Page) -> dict[str, Any]:
    """What the page's own code takes, to begin with or as news: plain JSON, arrays as Plotly's."""
    return {
        "title": page.title,
        "subtitle": page.subtitle,
        "state": page.state,
        "sections": [_section(section) for section in page.sections],
        "trials": page.trials,
    }


def page_json(page: Page) -> str:
    """:func:`page_data` as text; NaN is null."""
    return json.dumps(page_data(page), cls=PlotlyJSONEncoder, separators=(",", ":"))


def render(page: Page, live: str | None = None) -> str:
    """The whole page. ``live`` is the address, relative to the page's own, of its news: the browser
    asks for :func:`page_json` there again and again.

    Nothing that a user has named can become code: words are escaped, data is data, and the browser
    is told to run the scripts below alone.
    """
    scripts = [get_plotlyjs(), *map(_source, _SCRIPTS)]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            policy=_policy(scripts, live),
            style=_source("page.css"),
            scripts=scripts,
            data=_escaped(page_json(page)),
            live=_escaped(json.dumps(live)),
        )
    )


def _section(section: Section) -> dict[str, Any]:
    html = _environment().get_template("blocks.html.j2").render(blocks=section.blocks)
    return {
        "id": section.id,
        "title": section.title,
        "html": html,
        "figures": [_drawing(drawing) for drawing in section.drawings],
        "table": section.shows_trials,
    }


def _drawing(drawing: Drawing) -> dict[str, Any]:
    content = drawing.figure.to_dict()
    content["layout"].pop("template", None)  # the page has colours of its own
    place = drawing._asdict()
    del place["figure"]
    return {**place, "data": content["data"], "layout": content["layout"]}


def _escaped(data: str) -> str:
    """Inside a script element only ``<`` could end it."""
    return data.replace("<", "\\u003c")


def _policy(scripts: list[str], live: str | None) -> str:
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    asks = "'none'" if live is None else "'self'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        f"img-src data: blob:; connect-src {asks}"
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pipelines.results.page", "parts"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _source(name: str) -> str:
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]
