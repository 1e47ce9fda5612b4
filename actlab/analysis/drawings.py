"""A figure before it is drawn: the numbers, and how they are drawn, as data for any renderer."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from actlab.analysis import bimodal, ties
from actlab.analysis.cells import Cells
from actlab.analysis.estimates import LOGS
from actlab.analysis.formats import Formats
from actlab.analysis.intervals import BESIDE
from actlab.analysis.layout import setting, words
from actlab.analysis.looks import LineStyle
from actlab.analysis.notes import selection_note, span
from actlab.analysis.of_trained import partly
from actlab.analysis.variation import BOTH, of_what, over_repeats
from actlab.later import pd
from actlab.measures import LOG10, about
from actlab.naming import file_stem, in_brief

INSTEAD = {"mean": "median", "low": "least", "high": "greatest"}
"""What is drawn, as tables print it, where a mean has no interval."""
RANGED = "ranged"
NAMED_LINES, FACETS, GRID, MAP, SCATTER = "named lines", "facets", "grid", "map", "scatter"
PROFILE, TILES, RIDGES, DOTS, MULTIPLES = "profile", "tiles", "ridges", "dots", "multiples"
BORN_DEAD = "begins_dead"
FRAMED = "framed"
"""Of a map's cells: whether half of their networks have a dead layer as they are drawn; whether theirs is the selected
rate."""
COUNTED, OF_THEM = "counted", "of_them"
"""Of a map's cells that are shares of few: how many, of how many."""
NAMED = ("activation", "optimizer", "weight_init", "data")
"""Settings of which the value alone says which it is."""
SCALE = ("scale_low", "scale_high")
"""How far the axis of a measure reaches in pictures that differ by width only."""
HEIGHTS = ("mean", "low", "high", "least", "greatest", "predicted", "predicted_low", "predicted_high")
WHEN = {"init": "at init", "final": "at the end"}
MOST_PAGES = 12
MOST_COLUMNS = 6  # of a grid
LAYERS_OF_A_LINE = 3  # from so many on a line by layer says how a measure changes along the network


@dataclass(frozen=True)
class Spec:
    """How a long frame with ``mean``, ``low`` and ``high`` is drawn, or what stands instead (``as_drawn``).

    Attributes:
        kind: ``named lines``: a panel for each measure and time (``at``), lines named at their ends; ``facets``: a
            panel for each value of ``panels``, dashed at init where the frame has ``at``, or what is predicted;
            ``grid``: rows (``panels``) by ``columns`` of panels; ``map``: one map of ``lines`` by ``x``;
            ``scatter``: a panel for each measure against its prediction (``x``), their difference below;
            ``profile``: one panel, decades by layer from the last to the first, lines named where they end;
            ``tiles``: for each value of ``panels`` the maps of ``lines`` by ``x``, one of each measure.
            ``ridges``: for each value of ``panels`` the histograms of ``lines``, one above the other; ``dots``: a panel
            for each measure and time, points with intervals, those of one ``x`` beside one another; ``multiples``: a
            panel for each value of ``panels``, at init points and dashed what is predicted, at the end a line; few that
            would press all others flat have scales of their own.
        x: the column along the horizontal axis.
        lines: the column that has a line for each value; in a map, a row.
        panels, columns: the columns that have a panel for each value.
        log: the measures whose axis is logarithmic.
        labels: {value of ``panels``: what its axis says}, of a grid; the value itself where it has none. Of tiles
            {measure: the head of its maps, which stand beside those of the first}.
        looks: {activation: its look}.
        most: how many columns a grid has, or lines a facet; of more, some are drawn, evenly spread.
        fitted: whether axes of shares end at a round number above what is drawn in all panels, and not at 1.
    """

    kind: str
    x: str
    lines: str
    panels: str = ""
    columns: str = ""
    log: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    looks: Mapping[str, LineStyle] = field(default_factory=dict, repr=False)
    most: int = MOST_COLUMNS
    fitted: bool = False


@dataclass(frozen=True)
class Drawing:
    """A figure before it is drawn.

    Attributes:
        title, caption: what it shows, and how to read it.
        frame: the numbers, with intervals; written as ``<name>.csv``.
        pages: {what they show, as ``data=wine``: rows of ``frame``}: a picture for each setting without a place in one.
        spec: how such rows are drawn.
        heads: {page: what it shows, in words}.
        name: its name in YAML and on disk; the decorator says it.
        formats: the files that the study asks for.
    """

    title: str
    caption: str
    frame: pd.DataFrame = field(repr=False)
    pages: dict[str, pd.DataFrame] = field(repr=False)
    spec: Spec
    heads: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    formats: Formats = field(default_factory=Formats)

    def stem(self, page: str) -> str:
        """The name of a page's files."""
        return file_stem(f"{self.name}-{page}" if page else self.name)


def subject(cells: Cells, keys: Sequence[str] | None = None) -> str:
    """Choose what lines or panels differ in: the activation, or another key where there is only one activation."""
    others = [key for key in (cells.selected_keys if keys is None else keys) if key not in ("activation", "depth")]
    return "activation" if cells.runs["activation"].nunique() > 1 or not others else others[0]


def drawing(
    cells: Cells, frame: pd.DataFrame, spec: Spec, title: str, caption: str, keys: Sequence[str] | None = None
) -> Drawing:
    """Cut a frame into pages: a key that has no place in a picture gets a picture for each of its values.

    Args:
        cells: the study's.
        frame: the numbers.
        spec: how they are drawn.
        title, caption: what it shows; what is left out is added to the caption.
        keys: what makes a cell of the frame; by default the keys of the selected runs.
    """
    keys = cells.selected_keys if keys is None else keys
    unused = [name for name in BESIDE if name not in INSTEAD.values()]
    frame = frame.drop(columns=[*unused, *ties.COLUMNS, *bimodal.COLUMNS], errors="ignore")
    placed = {"activation", "depth", spec.x, spec.lines, spec.panels, spec.columns}
    others = [key for key in keys if key not in placed and key in frame]
    some_of = spec.columns or (spec.lines if spec.kind == FACETS else "")
    least = LAYERS_OF_A_LINE if some_of == "depth" and spec.x == "layer" else -math.inf
    pages: dict[str, pd.DataFrame] = {}
    said: dict[str, dict[str, str]] = {}
    brief = {key: in_brief(map(setting, frame[key])) for key in others}
    for values, rows in frame.groupby(others, dropna=False, sort=False) if others else [((), frame)]:
        texts = {key: brief[key][setting(value)] for key, value in zip(others, values, strict=True)}
        if rows["mean"].notna().any():
            picture = few(rows, some_of, spec.most, least).reset_index(drop=True)
            page = file_name("-".join(f"{key}={text}" for key, text in texts.items()), pages)
            pages[page] = in_words(picture, (spec.lines, spec.panels, spec.x))
            said[page] = {
                key: (about(text).label or words(text)) if key == "measure" else f"{words(key)} {text}"
                for key, text in texts.items()
            }
    # Of several pictures each says what tells it from the others.
    varied = [key for key in others if len(said) == 1 or len({one[key] for one in said.values()}) > 1]
    heads = {page: ", ".join(one[key] for key in varied) for page, one in said.items()}
    runs = cells.runs if cells.over in keys else cells.selected
    of_runs = [key for key in keys if key in runs]
    sentences = [caption, *filter(None, [how_many(frame), of_what(runs, of_runs, frame, cells.test_rows)])]
    if others:
        sentences.append(f"One picture for each setting of {', '.join(map(words, others))}.")
    if "width" in others:
        pages = on_one_scale(pages, [*(key for key in others if key != "width"), *({spec.lines} & set(frame))])
    if others and spec.kind == GRID and spec.lines == "layer":  # parameters of the same name, learned in another way
        pages = on_one_scale(pages, [spec.panels])
    if len(pages) > MOST_PAGES:
        sentences.append(f"{MOST_PAGES} of {len(pages)} are drawn; the CSV has them all.")
    if cells.select is not None and cells.over not in keys:
        sentences.append(selection_note(cells))
    if some_of and (number := frame[some_of].nunique()) > spec.most:
        sentences.append(f"{spec.most} of {number} {words(some_of)}s are drawn; the CSV has them all.")
    return Drawing(title, " ".join(sentences), frame, some_of_all(pages, others), spec, heads)


def how_many(frame: pd.DataFrame) -> str:
    """Say of how many runs the cells of a picture are: a sentence so short that a report says it each time.

    Cells of which those alone are drawn that trained say so themselves, and of how many these are.

    >>> how_many(pd.DataFrame({"runs": [20, 3]})), how_many(pd.DataFrame({"runs": [1]}))
    ('3 to 20 seeds per cell.', '1 seed per cell.')
    """
    if "runs" not in frame:
        return ""
    sizes = frame.loc[~partly(frame) & (frame["runs"] > 0), "runs"]
    over = over_repeats(frame)
    what = "runs" if over == BOTH else over
    return f"{span(sizes)} {what if sizes.max() > 1 else what[:-1]} per cell." if len(sizes) else ""


def on_one_scale(pages: Mapping[str, pd.DataFrame], alike: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Give pictures that are alike in some settings the range of all of them, by measure: columns ``SCALE``.

    >>> pages = {str(width): pd.DataFrame([{"width": width, "measure": "a", "mean": 1 / width}]) for width in (1, 2)}
    >>> on_one_scale(pages, [])["2"].to_dict("records")
    [{'width': 2, 'measure': 'a', 'mean': 0.5, 'scale_low': 0.5, 'scale_high': 1.0}]
    """
    all_of = pd.concat(pages.values())
    heights = all_of[[name for name in HEIGHTS if name in all_of]].astype(float)
    ends = all_of[[*alike, "measure"]].assign(**{SCALE[0]: heights.min(axis=1), SCALE[1]: heights.max(axis=1)})
    by = ends.groupby([*alike, "measure"], dropna=False)
    ranges = by.agg({SCALE[0]: "min", SCALE[1]: "max"}).reset_index()
    return {page: rows.merge(ranges, "left", on=[*alike, "measure"]) for page, rows in pages.items()}


def some_of_all(
    pages: Mapping[str, pd.DataFrame], keys: Sequence[str], most: int = MOST_PAGES
) -> dict[str, pd.DataFrame]:
    """Choose at most so many pictures, of every value of each setting one before any has many.

    >>> pages = {f"{a}{b}": pd.DataFrame({"a": [a], "b": [b]}) for a in "xy" for b in "123"}
    >>> list(some_of_all(pages, ["a", "b"], 4))
    ['x1', 'x2', 'x3', 'y1']
    """
    seen: Counter[tuple[str, Any]] = Counter()
    chosen: list[str] = []
    has = {page: [(key, setting(rows[key].iloc[0])) for key in keys] for page, rows in pages.items()}
    while len(chosen) < min(most, len(pages)):
        left = [page for page in pages if page not in chosen]
        chosen.append(min(left, key=lambda page: (min((seen[one] for one in has[page]), default=0), left.index(page))))
        seen.update(has[chosen[-1]])
    return {page: rows for page, rows in pages.items() if page in chosen}


def as_drawn(frame: pd.DataFrame) -> pd.DataFrame:
    """Put median and range into the place of means without an interval, where there are any, and say where: ``ranged``.

    >>> row = {"mean": 0.4, "low": np.nan, "high": np.nan, "median": 0.5, "least": 0.1, "greatest": 0.6}
    >>> as_drawn(pd.DataFrame([row]))[["mean", "low", "high", "ranged"]].to_numpy().tolist()
    [[0.5, 0.1, 0.6, True]]
    """
    if "median" not in frame:
        return frame.assign(**{RANGED: False})
    ranged = frame["low"].isna() & frame["median"].notna()
    names = dict(INSTEAD)
    if LOGS[0] in frame:
        names |= {LOG10 + name: LOG10 + other for name, other in INSTEAD.items() if LOG10 + other in frame}
    return frame.assign(**{name: frame[name].where(~ranged, frame[other]) for name, other in names.items()}).assign(
        **{RANGED: ranged}
    )


LINEAR_TO_1 = "linear to 1"
PRESSED = 5.0
"""How many times as high as nine tenths of all values a few lie that would press these flat."""


def pressed_flat(values: pd.Series) -> bool:
    """Tell whether a few values would press all others flat on an axis of equal steps.

    >>> pressed_flat(pd.Series([0.5] * 99 + [300.0])), pressed_flat(pd.Series([0.5] * 99 + [3.0]))
    (True, False)
    """
    known = values[np.isfinite(values)].abs()
    return bool(len(known)) and bool(known.max() > PRESSED * max(float(known.quantile(0.9)), 1.0))


def in_words(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Put settings into words where some have none (no limit to the norm, say): nothing equals a missing number.

    >>> in_words(pd.DataFrame({"clip_norm": [1.0, None]}), ["clip_norm"])["clip_norm"].tolist()
    ['1', 'none']
    """
    missing = [name for name in columns if name in frame and frame[name].isna().any()]
    return frame.assign(**{name: [setting(value) for value in frame[name]] for name in missing})


def file_name(page: str, taken: Container[str]) -> str:
    """Make a page's name one for files, and another one than those that are taken.

    >>> file_name("data=a b.csv", ()), file_name("data=a_b.csv", ("data=a_b.csv",))
    ('data=a_b.csv', 'data=a_b.csv-2')
    """
    name = re.sub(r"[^A-Za-z0-9_.=-]+", "_", page).strip("_")
    numbered = (f"{name}-{i}" if i > 1 else name for i in itertools.count(1))
    return next(one for one in numbered if one not in taken)


def few(rows: pd.DataFrame, column: str, most: int = MOST_COLUMNS, least: float = -math.inf) -> pd.DataFrame:
    """Keep the rows of at most so many values of a column, evenly spread, with the first and the last.

    Where there are more, and as many from ``least`` on, it is from there on that they are chosen.

    >>> few(pd.DataFrame({"depth": [2, 5, 10, 20, 30, 50]}), "depth", 3, 3)["depth"].tolist()
    [5, 20, 50]
    """
    if not column:
        return rows
    values = in_order(rows[column])
    beyond = [one for one in values if isinstance(one, str) or one >= least]
    values = beyond if len(values) > most and len(beyond) >= most else values
    return rows[rows[column].isin(evenly(values, most))]


def in_order(values: Iterable[Any]) -> list[Any]:
    """List different values in the order of numbers, words as they first occur.

    >>> in_order([3, 1, 3]), in_order(["1", "none", "0.1"])
    ([1, 3], ['1', 'none', '0.1'])
    """
    different = list(dict.fromkeys(values))
    return different if any(isinstance(value, str) for value in different) else sorted(different)


def evenly(values: Sequence[float], most: int) -> list[float]:
    """Choose at most so many of some ordered values, evenly spread, with the first and the last.

    >>> evenly([1, 2, 3, 4, 5], 3)
    [1, 3, 5]
    """
    at = np.unique(np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int))
    return [values[i] for i in at]
