"""A study's answer as a notebook shows it: a few lines of HTML, without a script of its own.

Texts of strangers are shown as they are: none is HTML here, and none is a formula for MathJax, which notebooks have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from actlab.analysis.cells import Cells
from actlab.analysis.document import totals
from actlab.analysis.escaping import code, plain
from actlab.analysis.layout import Table
from actlab.analysis.pages.document import in_html, inline, paragraph
from actlab.analysis.sections import Grid, Items

FOUND, DOUBTS = "What was found", "What to doubt"


def lists(said: Sequence[str], doubts: Sequence[str]) -> str:
    """Show what was found and what to doubt, two lists of Markdown."""
    parts = ((FOUND, said), (DOUBTS, doubts))
    return framed([f"<b>{head}</b>\n{in_html(Items(tuple(texts)), Path(), {}, ())}" for head, texts in parts if texts])


def summary(
    study: Mapping[str, Any],
    folder: Path,
    cells: Cells,
    table: Table,
    answer: tuple[Sequence[str], Sequence[str]],
    figures: Sequence[str],
    notes: Sequence[str] = (),
) -> str:
    """Show a study: its question, what was found, what to doubt, the table of final performance, names of figures.

    Networks that were not trained have no performance to show.

    Args:
        study: resolved.
        folder: where it lies.
        cells: its numbers.
        table: of final performance.
        answer: what was found, and what to doubt.
        figures: their names.
        notes: what is damaged or missing, and what else a reader should know, as plain lines.
    """
    name, question = plain(str(study.get("study", "study"))), plain(str(study.get("question", "")))
    head = f"**{name}**: {question}" if question else f"**{name}**"
    shown = f"<b>{inline(plain(table.title))}</b>\n{in_html(Grid(table.wide), Path(), {}, ())}"
    drawn = f"Drawn by `figure(name)`: {', '.join(map(code, figures))}." if figures else ""
    where = f"Folder: {code(str(folder))}."
    parts = [
        paragraph(f"{head}\n\n{totals(cells)}"),
        *([in_html(Items(tuple(map(plain, notes))), Path(), {}, ())] if notes else []),
        lists(*answer),
        *([] if cells.untrained else [f"{shown}\n{folded('About this table', table.note)}"]),
        paragraph(" ".join([where, *([drawn] if drawn else [])])),
    ]
    return framed(parts)


def folded(name: str, text: str) -> str:
    """Fold a text away, below its name."""
    return f"<details><summary>{inline(plain(name))}</summary>{paragraph(text)}</details>"


def framed(parts: Sequence[str]) -> str:
    """Put parts one below the other, out of the reach of MathJax: by the class that its versions each know.

    What is wider than the notebook scrolls by itself.
    """
    return "\n".join(['<div class="actlab tex2jax_ignore mathjax_ignore" style="overflow-x: auto">', *parts, "</div>"])
