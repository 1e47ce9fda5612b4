"""Figures on disk: their numbers as CSV, and each page as PNG and SVG, or as the study asks."""

from __future__ import annotations

import textwrap
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from actlab.analysis.drawings import Drawing, Spec
from actlab.analysis.layout import to_csv
from actlab.later import Later, pd
from actlab.naming import MOST_DRAWN, drawn_name, few_digits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from actlab.analysis import panels, style
else:  # Matplotlib, which a process that only shares out the pages need not import
    panels, style = Later("actlab.analysis.panels"), Later("actlab.analysis.style")

AHEAD = 2  # pages that the process that helps has: one at work, and one for when that is done
MOST_IN_TITLE = 110  # letters of the settings that a picture is of
LOW, OF_A_LINE = 3.2, 0.18  # inches
GLUE = "\N{NO-BREAK SPACE}"


def write_figures(
    drawings: Sequence[Drawing],
    folder: Path,
    helper: Executor | None = None,
    progress: Callable[[int, int], None] = lambda done, pages: None,
) -> list[Path]:
    """Write for each figure ``<name>.csv`` with the numbers and, for every page, the files that it is to have.

    Args:
        drawings: the figures.
        folder: where they go.
        helper: a process that draws too: it begins with the first page, and this one with the last.
        progress: called with the number of pages that are done, and of all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages = [(drawing, page) for drawing in drawings for page in drawing.pages]
    waiting = deque(pages)
    # Handed over as they are drawn, never taken back: loky fails to end where a future of its own was cancelled.
    shared: deque[tuple[tuple[Drawing, str], Future[list[Path]]]] = deque()
    written: dict[str, list[Path]] = {}
    while waiting or shared:
        progress(len(written), len(pages))
        try:
            while helper is not None and waiting and len(shared) < AHEAD:
                shared.append((waiting[0], helper.submit(write_page, *waiting[0], folder)))
                waiting.popleft()
        except BrokenExecutor:  # it died, of memory perhaps
            helper = None
        if shared and (shared[0][1].done() or not waiting):
            (drawing, page), drawn = shared.popleft()
            try:
                written[drawing.stem(page)] = drawn.result()
                continue
            except BrokenExecutor:
                helper = None
        else:
            drawing, page = waiting.pop()
        written[drawing.stem(page)] = write_page(drawing, page, folder)
    if pages:
        progress(len(pages), len(pages))
    paths = []
    for drawing in drawings:
        numbers = folder / f"{drawing.name}.csv"
        numbers.write_text(to_csv(drawing.frame, "%.6g"), encoding="utf-8", newline="\n")
        paths += [numbers, *(path for page in drawing.pages for path in written[drawing.stem(page)])]
    return paths


def write_page(drawing: Drawing, page: str, folder: Path) -> list[Path]:
    """Write one picture of a figure, in the formats that it is to have."""
    formats = drawing.formats
    return style.save(draw_page(drawing, page), folder / drawing.stem(page), formats.suffixes, formats.dpi)


def draw_page(drawing: Drawing, page: str) -> Figure:
    """Draw one picture of a figure, with its title."""
    with style.apply():
        picture = panels.render(*with_drawn_names(drawing.spec, drawing.pages[page]))
        settings = drawn_name(drawing.heads.get(page, page), MOST_IN_TITLE)
        # An average letter is .6 of the size of a font, which is 10 points; a title is no wider than what it is of.
        letters = max(int(picture.get_size_inches()[0] * 72 / 6.0), 24)
        title = drawing.title.replace("$", r"\$")  # Matplotlib would take two of them for a formula
        text = f"{title} ({settings})" if settings else title
        lines = [text] if len(text) <= letters else [title, settings]
        text = "\n".join(part for one in lines for part in in_equal_lines(kept_whole(one, letters), letters))
        if picture.get_figheight() < LOW:  # of a low picture each line more would take a row's height
            picture.set_figheight(picture.get_figheight() + OF_A_LINE * text.count("\n"))
        picture.suptitle(text.replace(GLUE, " "))
        return picture


def kept_whole(text: str, most: int) -> str:
    """Let a text of several settings break at its commas alone, where none of them is too long for a line.

    >>> [line.replace(GLUE, " ") for line in in_equal_lines(kept_whole("train rows 50, weight decay 0", 18), 18)]
    ['train rows 50,', 'weight decay 0']
    """
    parts = text.split(", ")
    return ", ".join(one.replace(" ", GLUE) for one in parts) if max(map(len, parts)) < most else text


def in_equal_lines(text: str, most: int) -> list[str]:
    """Break a text into as few lines of at most so many letters as may be, none of which is one word left over.

    >>> in_equal_lines("back through 30 hidden layers, at the end of training", 50)
    ['back through 30 hidden layers,', 'at the end of training']
    """
    number = len(textwrap.wrap(text, most))
    longest = min(max(map(len, text.split(" "))), most)  # no word is broken that a line has room for
    widths = range(max(len(text) // max(number, 1), longest, 1), most)
    return next((lines for w in widths if len(lines := textwrap.wrap(text, w)) <= number), textwrap.wrap(text, most))


def with_drawn_names(spec: Spec, rows: pd.DataFrame) -> tuple[Spec, pd.DataFrame]:
    """Put names as a picture has room for into the place of those that are too long, or would be formulas."""
    columns = {name for name in (spec.x, spec.lines, spec.panels, spec.columns) if name in rows}
    names = [one for column in columns for one in rows[column].unique() if isinstance(one, str)]
    composed = set(rows["panel"]) if "panel" in columns else set()  # of several settings: a title has lines for them
    new: dict[str, str] = {}
    for name in dict.fromkeys(names):
        if (short := drawn_name(few_digits(name), MOST_IN_TITLE if name in composed else MOST_DRAWN)) != name:
            taken = {*names, *new.values()}
            new[name] = next(one for i in count(1) if (one := f"{short} ({i})" if i > 1 else short) not in taken)
    if not new:
        return spec, rows
    renamed = rows.assign(**{column: [new.get(one, one) for one in rows[column]] for column in columns})
    looks = {new.get(key, key): one for key, one in spec.looks.items()}
    labels = {new.get(key, key): one for key, one in spec.labels.items()}
    return replace(spec, looks=looks, labels=labels), renamed
