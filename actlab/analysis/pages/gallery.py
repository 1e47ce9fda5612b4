"""An index page over studies: a card for each, with its question, what was found, its headline figure and its numbers.

Nothing is measured or drawn for it: sentences are the report's, by its own rules, and the figure is the file that a
report has written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from actlab.analysis import findings
from actlab.analysis.cells import Cells
from actlab.analysis.document import different, repeats
from actlab.analysis.escaping import one_line
from actlab.analysis.figures import FIGURES
from actlab.analysis.layout import words
from actlab.analysis.making import own_name
from actlab.analysis.pages.document import inline, picture
from actlab.analysis.pages.shell import environment, html_page
from actlab.analysis.report import tables_read
from actlab.analysis.variation import in_ranges
from actlab.docstrings import summary
from actlab.naming import counted
from actlab.outputs import is_link_inside

PAGE = "gallery.html"
TITLE = "Studies"
FINISHED, INCOMPLETE, DAMAGED, EMPTY = STATES = ("finished", "incomplete", "damaged", "empty")
LINKS = {"report.html": "report, to explore", "report.md": "report as Markdown", "study.yaml": "YAML"}
MOST_LETTERS = 600
"""Of what was found: sentences that go beyond are folded, but never the first."""
MOST_NAMED = 12
"""Activations; more are folded."""
MOST_REPORT = 2_000_000
"""Bytes of a report in which the titles of its pictures are looked for."""
TITLED = re.compile(r"^!\[(.+)\]\(figures/(.+)\.(?:png|svg|pdf)\)$", re.MULTILINE)
MOST_PICTURE = 500_000
"""Bytes of a figure; a larger one is left to the report."""


@dataclass(frozen=True)
class Card:
    """What the page says of a study.

    Attributes:
        folder: the study's.
        name: its own.
        status: one of ``STATES``.
        question: as it is written.
        runs, planned, diverged: counts; None where they are not known.
        activations: their labels, in the story's order.
        facts: {what: numbers}, as texts.
        findings: sentences in Markdown.
        figure: the file of its headline figure, which a card shows whole, and what that shows; None without one.
        notes: what is damaged or missing, as plain lines.
    """

    folder: Path
    name: str
    status: str
    question: str = ""
    runs: int | None = None
    planned: int | None = None
    diverged: int = 0
    activations: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    figure: tuple[Path, str] | None = None
    notes: tuple[str, ...] = ()


def sentences(study: Mapping[str, Any], cells: Cells, folder: Path) -> tuple[str, ...]:
    """Say what was found as the report does, as Markdown.

    Args:
        study: resolved.
        cells: its numbers.
        folder: where its report is: what was decided of its claims is read there.
    """
    said = findings.found_in(cells, tables_read(study, cells, folder, findings.OF_RULES))
    return tuple(one.text for one in said) or (findings.nothing(cells),)


def numbers(cells: Cells) -> dict[str, str]:
    """List of which depths and seeds a study is."""
    depths = cells.runs["depth"]
    tuned = f", after {counted(len(cells.tuning.seeds), 'tuning seed')}" if cells.tuning else ""
    return {
        f"depth{'s' * (depths.nunique() > 1)}": in_ranges(depths),
        "repeats": f"{repeats(cells.selected)}{tuned}",
    }


def labels(cells: Cells) -> tuple[str, ...]:
    """List a study's activations, in the story's order."""
    return tuple(map(str, different(cells, "activation")))


def headline(study: Mapping[str, Any], folder: Path) -> tuple[Path, str] | None:
    """Find the first figure of a study's report that is there as a picture: a study says first what answers it.

    Of the two files of a figure it is the smaller one.

    Args:
        study: resolved.
        folder: its own; a link in it is not followed.

    Returns:
        the file, and what the figure shows.
    """
    return next(pictures(study, folder), None)


def pictures(study: Mapping[str, Any], folder: Path) -> Iterator[tuple[Path, str]]:
    """List what ``headline`` chooses from, in the report's order."""
    titles = titles_of(folder / "report.md")
    wanted = study.get("report") or {}
    asked = wanted.get("figures")
    asked = [asked] if isinstance(asked, str) else asked
    for one in FIGURES if asked is None else asked:
        name = own_name(one) or one
        there = [path for suffix in ("png", "svg") for path in files_of(folder / "figures", name, suffix)]
        there = [path for path in there if not is_link_inside(folder, path) and path.is_file()]
        there = [path for path in there if path.stat().st_size <= MOST_PICTURE]
        if there:
            path = min(there, key=lambda path: path.stat().st_size)
            title = titles.get(path.stem) or (wanted.get("titles") or {}).get(name)
            about = summary(FIGURES[name].make).rstrip(".") if name in FIGURES else words(name)
            yield path, str(title or about[:1].upper() + about[1:])


def titles_of(report: Path) -> dict[str, str]:
    """Read from a report what its pictures are called: {name of the file: title}."""
    try:
        text = report.read_bytes()[:MOST_REPORT].decode(errors="replace") if not report.is_symlink() else ""
    except OSError:
        return {}
    return {name: title for title, name in TITLED.findall(text)}


def files_of(folder: Path, name: str, suffix: str) -> list[Path]:
    """List the files of a figure, or of the first of its pictures where it has several."""
    if not name.isidentifier():
        return []
    whole = folder / f"{name}.{suffix}"
    return [whole] if os.path.lexists(whole) else sorted(folder.glob(f"{name}-*.{suffix}"))[:1]


def page(cards: Sequence[Card], out: Path) -> str:
    """Write the page, by the names of the studies.

    Args:
        cards: one for each study.
        out: the folder that the page stands in: links begin there.
    """
    ordered = sorted(cards, key=lambda one: (one.name, address(one.folder, out)))
    body = (
        environment()
        .get_template("gallery.html.j2")
        .render(
            title=TITLE,
            total=total(cards),
            cards=[shown_as(one, out) for one in ordered],
            one_line=one_line,
            inline=inline,
        )
    )
    return html_page(f"actlab: {counted(len(cards), 'study', 'studies')}", body, scripts=("keep.js", "gallery.js"))


def total(cards: Sequence[Card]) -> str:
    """Say how many studies there are, how they stand, and how many runs they have.

    >>> total([Card(Path("a"), "a", FINISHED, runs=1200), Card(Path("b"), "b", EMPTY, runs=0)])
    '2 studies (1 finished, 1 empty), 1,200 runs'
    """
    states = [one.status for one in cards]
    each = ", ".join(f"{states.count(state)} {state}" for state in STATES if state in states)
    runs = sum(one.runs or 0 for one in cards)
    return f"{counted(len(cards), 'study', 'studies')} ({each}), {runs:,} run{'s' * (runs != 1)}"


def shown_as(one: Card, out: Path) -> dict[str, Any]:
    """Put together what the template writes of a card."""
    links = {text: address(one.folder / name, out) for name, text in LINKS.items() if (one.folder / name).is_file()}
    reports = [links[text] for name, text in LINKS.items() if text in links and name.startswith("report")]
    first = fitting(one.findings)
    where = Path(os.path.relpath(one.folder, out)).as_posix()
    return {
        "card": one,
        "where": "" if where == one.name else where,
        "links": links,
        "report": next(iter(reports), ""),
        "count": in_words(one),
        "first": one.findings[:first],
        "more": one.findings[first:],
        "folded": len(one.activations) > MOST_NAMED,
        "figure": picture(one_line(one.figure[1]), one.figure[0]) if one.figure else "",
    }


def in_words(one: Card) -> str:
    """Say how many of the planned runs are there, and how many of these diverged.

    >>> in_words(Card(Path("a"), "a", INCOMPLETE, runs=1200, planned=2000, diverged=3))
    '1,200 of 2,000 planned, 3 diverged'
    """
    if one.runs is None:
        return "not known"
    of = f" of {one.planned:,} planned" if one.planned is not None else ""
    return f"{one.runs:,}{of}{f', {one.diverged:,} diverged' if one.diverged else ''}"


def fitting(texts: Sequence[str], most: int = MOST_LETTERS) -> int:
    """Count how many of some sentences there is room for: at least one.

    >>> fitting(["a" * 700, "b"]), fitting(["a" * 300, "b" * 300, "c"])
    (1, 2)
    """
    return max(1, sum(sum(map(len, texts[: i + 1])) <= most for i in range(len(texts))))


def address(path: Path, out: Path) -> str:
    """Write where a file is, from a folder on, as a link whatever letters its name has.

    >>> address(Path("results/a b/x:<y>.md"), Path("results"))
    'a%20b/x%3A%3Cy%3E.md'
    """
    return quote(os.fsencode(os.path.relpath(path, out)))
