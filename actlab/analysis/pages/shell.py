"""The shell of every HTML page: one file with its style, its scripts and its charts, which needs no network.

Charts are Vega-Lite, made with Altair. Inlined once, Vega, Vega-Lite and vega-embed are 0.9 MB; Plotly's bundle is
4.8 MB, most of the 6 MB that a page may have. A Vega-Lite chart is data, so no chart is JavaScript of our own; it is
drawn as SVG, whose texts follow the page's colours (``currentColor``) and can be read aloud; its sliders are the
browser's own, with labels and keys. ``ast`` has Vega interpret its expressions: the page's policy forbids ``eval``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from actlab.analysis.pages.library import library

TEMPLATES = Path(__file__).parents[2] / "templates" / "pages"
NONE: Mapping[str, Any] = {}


def html_page(
    title: str,
    body: str,
    charts: Mapping[str, dict[str, Any]] = NONE,
    scripts: Sequence[str] = (),
    data: Mapping[str, Any] = NONE,
) -> str:
    """Put a page together: the same input, the same bytes.

    Args:
        title: of the window, as plain text.
        body: what stands in ``<main>``, as HTML; texts of strangers in it are escaped by who makes it.
        charts: {id of an element of the body: the Vega-Lite specification that is drawn into it}.
        scripts: names of files beside the template that the body needs.
        data: {id of an element: what scripts find in it, as JSON}; under ``datasets`` data that charts share, by name.

    Returns:
        the page's text.

    Raises:
        ValueError: a specification or the data hold a number that JSON has not (NaN, infinity).

    >>> page = html_page("<depth>", "<p>Nothing yet.</p>")
    >>> "<title>&lt;depth&gt;</title>" in page, "https://" in page
    (True, False)
    """
    ours = [beside(name) for name in scripts]
    if charts:
        data = {"charts": {key: unversioned(spec) for key, spec in charts.items()}, **data}
    if charts:  # the library puts itself into `window`, where ours finds it
        ours = [library(), beside("charts.js"), *ours]
    return (
        environment()
        .get_template("page.html")
        .render(
            title=title,
            body=body,
            style=beside("page.css"),
            scripts=[harmless(one) for one in ours],
            policy=policy([harmless(one) for one in ours]),
            data={name: in_script(one) for name, one in data.items()},
        )
    )


@lru_cache(maxsize=1)
def environment() -> Any:
    """Make the environment of the templates; what is not marked as HTML is escaped."""
    import jinja2

    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def beside(name: str) -> str:
    """Read a file that lies beside the template."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def unversioned(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a specification without its schema's address, which names Altair's release and not the page's Vega."""
    return {key: value for key, value in spec.items() if key != "$schema"}


def harmless(script: str) -> str:
    r"""Write a script so that no text in it ends the element it stands in.

    >>> print(harmless("'</script>'"))
    '<\/script>'
    """
    return script.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def in_script(value: Any) -> str:
    r"""Write JSON that is harmless in ``<script>``, whatever its texts.

    Raises:
        ValueError: a number in it is one that JSON has not.

    >>> print(in_script({"a": "</script><!--"}))
    {"a":"\u003c/script\u003e\u003c!--"}
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    for one in "<>&\u2028\u2029":
        text = text.replace(one, f"\\u{ord(one):04x}")
    return text


def policy(scripts: Sequence[str]) -> str:
    """State what a page may do: run its own scripts, by their hashes, and show pictures that it holds itself."""
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts]
    run = " ".join(f"'sha256-{one}'" for one in digests) or "'none'"
    allowed = ("default-src 'none'", f"script-src {run}", "style-src 'unsafe-inline'", "img-src data: blob:")
    return "; ".join((*allowed, "base-uri 'none'", "form-action 'none'"))
