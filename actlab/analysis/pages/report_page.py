"""The report of a study as one HTML page: its document, what can be explored by hand, and its runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from actlab.analysis.cells import Cells
from actlab.analysis.escaping import plain
from actlab.analysis.layout import words
from actlab.analysis.pages.document import OF_CLAIMS, html
from actlab.analysis.pages.explore import explore
from actlab.analysis.pages.run_list import order_of, run_list
from actlab.analysis.pages.shell import html_page
from actlab.analysis.pages.thinning import Rule
from actlab.analysis.sections import Section

PAGE = "report.html"
MOST_BYTES = 6_000_000
"""Of a page: what is repeated is thinned until it has no more."""
LAYERS, RUNS = "Explore the layers", "The runs"
SCRIPTS = ("keep.js", "tables.js", "controls.js", "runs.js")
BEFORE = {LAYERS: ("Tables", "What was run", "How it was made"), RUNS: ("What was run", "How it was made")}
"""What a reader explores by hand stands before the first of these headings: behind the pictures, behind the tables."""


log = logging.getLogger("actlab.pages")


def write_report(sections: Sequence[Section], study: Mapping[str, Any], cells: Cells, folder: Path) -> list[Path]:
    """Write ``report.html`` beside the report in Markdown; its arguments are those of ``report_page``.

    Without the library that draws its charts there is no page, which the log says, and all else is written.
    """
    path = folder / PAGE
    try:
        text = report_page(sections, study, cells, folder)
    except ChildProcessError as error:
        log.warning("%s is not written: %s", PAGE, error)
        return []
    path.write_text(text, encoding="utf-8", newline="\n")
    return [path]


def report_page(sections: Sequence[Section], study: Mapping[str, Any], cells: Cells, folder: Path) -> str:
    """Make the page, thinned as far as its size asks for.

    Args:
        sections: the document.
        study: resolved.
        cells: its numbers.
        folder: where its pictures and numbers are.
    """
    rule = Rule()
    while True:
        text = page(sections, study, cells, folder, rule)
        if len(text.encode()) <= MOST_BYTES or rule == rule.halved() or rule.pictures < MOST_BYTES / 100:
            return text
        rule = rule.halved()


def page(sections: Sequence[Section], study: Mapping[str, Any], cells: Cells, folder: Path, rule: Rule) -> str:
    """Make the page by a rule."""
    parts = {LAYERS: explore(cells, rule, order_of(study, cells)), RUNS: run_list(study, cells, rule)}
    parts = {heading: part for heading, part in parts.items() if part.body}
    document = list(sections)
    for heading in parts:
        before = (i for i, one in enumerate(document) if one.level == 2 and one.heading in BEFORE[heading])
        document.insert(next(before, len(document)), Section(2, heading))
    settings = [*(plain(words(one.column)) for one in cells.settings), *OF_CLAIMS]
    below = {heading: part.body for heading, part in parts.items()}
    charts = {name: spec for part in parts.values() for name, spec in part.charts.items()}
    datasets = {name: rows for part in parts.values() for name, rows in part.datasets.items()}
    data = {"datasets": datasets} | {name: one for part in parts.values() for name, one in part.data.items()}
    body = html(document, folder, settings, below, rule.pictures)
    return html_page(str(study.get("study", "study")), body, charts, SCRIPTS, data)
