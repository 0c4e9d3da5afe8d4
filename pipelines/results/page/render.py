"""A page as data that a browser draws, and as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs
from plotly.utils import PlotlyJSONEncoder

from pipelines.results.page.model import Drawing, Link, Page, Section

_OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]*(?: \d+)?")  # with its number, if it has one
_SCRIPTS = ("values.js", "figures.js", "table.js", "page.js")


class Head(NamedTuple):
    """The head of a page, above its sections."""

    title: str
    subtitle: str
    state: str


def page_json(page: Page) -> str:
    """The page as JSON for the page's own code, at the start or as news; NaN becomes null."""
    head = Head(page.title, page.subtitle, page.state)
    return joined(head, map(section_json, page.sections), as_json(page.trials))


def joined(head: Head, sections: Iterable[str], trials: str = "", **more: Any) -> str:
    """A page from its parts, which are JSON. In news, a section without changes is its ``id``
    alone, and ``trials`` may be left out."""
    known = as_json({**head._asdict(), **more})
    last = f',"trials":{trials}' if trials else ""
    return f'{known[:-1]},"sections":[{",".join(sections)}]{last}}}'


def section_json(section: Section) -> str:
    """One section with its figures; arrays are in Plotly's format."""
    return as_json(
        {
            "id": section.id,
            "title": section.title,
            "html": _html(section),
            "figures": [_drawing(drawing) for drawing in section.drawings],
            "table": section.shows_trials,
        }
    )


def _html(section: Section) -> str:
    return _environment().get_template("blocks.html.j2").render(blocks=section.blocks)


def as_json(content: object) -> str:
    """``content`` as JSON text; NaN becomes null."""
    return json.dumps(content, cls=PlotlyJSONEncoder, separators=(",", ":"))


def render(page: Page) -> str:
    """The whole page, as an HTML file that loads nothing else."""
    head = Head(page.title, page.subtitle, page.state)
    words = "".join(f"<h2>{escape(s.title)}</h2>\n{_html(s)}" for s in page.sections)
    return render_json(head, page_json(page), words=words)


def render_json(
    head: Head,
    content: str,
    *,
    live: str | None = None,
    links: Sequence[Link] = (),
    plotly: str | None = None,
    words: str = "",
) -> str:
    """The whole page from the JSON that :func:`joined` made. ``live`` is the address that the
    browser asks for news again and again. ``plotly`` is the address of Plotly's code: None puts the
    code into the page, and "" is for a page without figures. ``words`` are the sections as HTML,
    for a browser that runs no scripts.

    No name that a user has given can become code: words are escaped, data is passed as JSON, and
    the browser may run only the scripts below.
    """
    scripts = [*([get_plotlyjs()] if plotly is None else []), *map(_source, _SCRIPTS)]
    nonce = secrets.token_urlsafe(16) if plotly else ""
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            **head._asdict(),
            links=links,
            words=words,
            policy=_policy(scripts, nonce, live),
            style=_source("page.css"),
            plotly=plotly or "",
            nonce=nonce,
            scripts=scripts,
            data=_escaped(content),
            live=_escaped(json.dumps(live)),
        )
    )


def _drawing(drawing: Drawing) -> dict[str, Any]:
    content = drawing.figure.to_dict()
    content["layout"].pop("template", None)  # the page has colours of its own
    place = drawing._asdict()
    del place["figure"]
    return {**place, "data": content["data"], "layout": content["layout"]}


def _escaped(data: str) -> str:
    """``data`` for a script element, which only a ``<`` could end."""
    return data.replace("<", "\\u003c")


def _policy(scripts: list[str], nonce: str, live: str | None) -> str:
    """The content security policy. It allows scripts in the page by their hash. A script in a file
    has a nonce, because not all browsers check the hash of a file."""
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    known = [f"sha256-{digest}" for digest in hashes] + ([f"nonce-{nonce}"] if nonce else [])
    allowed = " ".join(f"'{word}'" for word in known)
    asks = "'none'" if live is None else "'self'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        f"img-src data: blob:; connect-src {asks}"
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("pipelines.results.page", "parts"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["options_as_code"] = _options_as_code
    return made


def _options_as_code(text: str) -> str:
    """``text`` as HTML."""
    return _OPTION.sub(r"<code>\g<0></code>", escape(text))


@cache
def _source(name: str) -> str:
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]
