"""What a report is made of: tables and figures, each a function of a study's cells, declared by a decorator.

To add one, write the function in ``tables/`` or ``figures/`` and decorate it; a study's YAML names it. A user's own
comes from a file, by the same decorators, and is named ``my_tables.py:slopes``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, Generic, TypeVar, cast, overload

from actlab import sources
from actlab.analysis.cells import Cells
from actlab.analysis.drawings import Drawing, Spec, file_name
from actlab.analysis.layout import Table
from actlab.errors import ActlabError
from actlab.later import pd
from actlab.registry import OWN_PACKAGE, Registry, options_of

P = TypeVar("P", Table, Drawing)
TableFunction = Callable[[Cells], Table | None]
FigureFunction = Callable[[Cells], Drawing | None]


CLAIMS = "claims"
"""The table of a study's verdicts, which no other may replace."""
WITHDRAWN = {
    "ranks": "mean ranks over the settings of one study took depths of one grid, of the same data and seeds, for "
    "independent samples",
}
"""Tables that there were once, and why there are none of them any more: stored studies may still name them."""
OF_THEORY = ("predictions", "predicted_slopes")
"""Tables and figures of predictions alone: a study that has none, since it is older, is not said to lack them."""
OF_TRAINING = (
    *("performance", "trained", "generalization", "convergence", "accuracy_by_depth", "trained_by_depth"),
    *("gap_by_rows", "trained_by_rate", "training_curves", "gradient_by_layer_at_end", "death", "dying"),
    *("dead_over_training", "weakening", "revival"),
)
"""Those of what training did: a study whose networks are measured as they were drawn has none of them to show."""
MOST_NAME = 80  # bytes; a picture's file is named after its figure and settings


class PartError(ActlabError, ValueError):
    """An unknown table or figure, or one that cannot be used."""


class ReportError(ActlabError, RuntimeError):
    """A function of the user's that failed while a report was made; what is measured is stored."""


@dataclass(frozen=True)
class Part(Generic[P]):
    """A table or a figure of the report.

    Attributes:
        name: its function's, which is its name in YAML and on disk.
        make: from a study's cells to the table or drawing, None where it has nothing to say. It is made once.
        default: whether a study has it that names no tables (or figures).
    """

    name: str
    make: Callable[[Cells], P | None]
    default: bool


TABLES: Registry[Part[Table]] = Registry("table", PartError, may_read=True)
FIGURES: Registry[Part[Drawing]] = Registry("figure", PartError, may_read=True)


@overload
def table(function: TableFunction) -> TableFunction: ...
@overload
def table(*, default: bool) -> Callable[[TableFunction], TableFunction]: ...
def table(
    function: TableFunction | None = None, *, default: bool = True
) -> TableFunction | Callable[[TableFunction], TableFunction]:
    """Declare a table under its function's name.

    The function takes a study's ``Cells`` (its frames, the selected runs, the keys of a cell) and returns a ``Table``
    (title, note, the numbers as a long frame, the same laid out for people), or None where it does not apply.

    Args:
        function: the function.
        default: whether studies have the table that do not say which they want; a user's own has to be named.

    Raises:
        PartError: the function takes something else than cells, or its name is too long for a file.

    >>> __name__ = "my_tables"  # a file of one's own
    >>> from actlab.analysis.cells import cell_keys
    >>> from actlab.analysis.estimates import summarise
    >>> from actlab.analysis.layout import pivot
    >>> @table
    ... def slopes(cells):
    ...     values = cells.selected[["run"]].assign(measure="vanishing_slope", value=cells.selected["vanishing_slope"])
    ...     keys = cell_keys(cells)  # all settings that vary: fewer would average over the others
    ...     frame = summarise(values, cells.selected, keys)
    ...     wide = pivot(frame, [key for key in keys if key != "depth"], ["depth"])
    ...     return Table("Slopes at the end", "Means over seeds.", frame, wide)
    """
    if function is None:
        return lambda function: declare(TABLES, function, default, Table)
    return declare(TABLES, function, default, Table)


@overload
def figure(function: FigureFunction) -> FigureFunction: ...
@overload
def figure(*, default: bool) -> Callable[[FigureFunction], FigureFunction]: ...
def figure(
    function: FigureFunction | None = None, *, default: bool = True
) -> FigureFunction | Callable[[FigureFunction], FigureFunction]:
    """Declare a figure under its function's name.

    The function takes a study's ``Cells`` and returns a ``Drawing`` (title, caption, the numbers as a long frame, and
    how they are drawn), or None where it does not apply. ``actlab.analysis.drawings.drawing`` makes one.

    Args:
        function: the function.
        default: whether studies have the figure that do not say which they want; a user's own has to be named.

    Raises:
        PartError: see ``table``.

    >>> __name__ = "my_figures"  # a file of one's own
    >>> from actlab.analysis.cells import cell_keys
    >>> from actlab.analysis.drawings import NAMED_LINES, Spec, drawing
    >>> from actlab.analysis.estimates import summarise
    >>> @figure
    ... def slopes(cells):
    ...     values = cells.selected[["run"]].assign(measure="vanishing_slope", value=cells.selected["vanishing_slope"])
    ...     frame = summarise(values, cells.selected, cell_keys(cells))
    ...     spec = Spec(NAMED_LINES, x="depth", lines="activation", looks=cells.looks)
    ...     return drawing(cells, frame, spec, "Slopes at the end", "Means over seeds.")
    """
    if function is None:
        return lambda function: declare(FIGURES, function, default, Drawing)
    return declare(FIGURES, function, default, Drawing)


def declare(
    registry: Registry[Part[P]], function: Callable[[Cells], P | None], default: bool, kind: type[P]
) -> Callable[[Cells], P | None]:
    """Record a function; what it makes bears its name.

    Raises:
        PartError: the function takes something else than cells, or its name is too long for a file.
        ReportError: when it is called, it fails or makes something else.
    """
    name = getattr(function, "__name__", repr(function))
    options_of(name, function, ("cells",), PartError)
    if len(name.encode()) > MOST_NAME:
        raise PartError(
            f"{name[:40]}...: is the name of files too, and may have {MOST_NAME} bytes; rename the function"
        )

    @wraps(function)
    def once(cells: Cells) -> P | None:
        if function not in cells.made:
            with users_failures(name, users=not function.__module__.startswith(OWN_PACKAGE)):
                made = function(cells)
            made_as = "actlab.analysis.drawings.drawing" if kind is Drawing else "actlab.analysis.layout.Table"
            if made is not None and not isinstance(made, kind):
                what = f"gives {type(made).__name__}; expected a {kind.__name__}, made by {made_as}, or None"
                raise ReportError(f"{name}: {what}")
            if made is not None and (wrong := wrong_fields(made)):
                raise ReportError(f"{name}: {wrong}; {kind.__name__}s are made by {made_as}")
            cells.made[function] = None if made is None else as_asked(replace(made, name=name), cells)
        return cast("P | None", cells.made[function])

    registry.declare(once, Part(name, once, default), name)
    return once


def as_asked(made: P, cells: Cells) -> P:
    """Give a figure the title and the files that the study asks for; a table stays as it is."""
    if not isinstance(made, Drawing):
        return made
    asked: Any = {"title": cells.formats.titles.get(made.name, made.title), "formats": cells.formats}
    return replace(made, **asked)


def wrong_fields(made: Table | Drawing) -> str:
    """Say which field of a table or drawing holds something else than it is to hold; empty where all are right."""
    texts = ("title", "note") if isinstance(made, Table) else ("title", "caption")
    frames = ("frame", "wide") if isinstance(made, Table) else ("frame",)
    kinds = {**dict.fromkeys(texts, str), **dict.fromkeys(frames, pd.DataFrame)}
    if isinstance(made, Drawing):
        kinds |= {"pages": dict, "spec": Spec}
    for name, kind in kinds.items():
        if not isinstance(getattr(made, name), kind):
            return f"its {name} is {type(getattr(made, name)).__name__}, not {kind.__name__}"
    if isinstance(made, Drawing):
        for page, rows in made.pages.items():
            if not isinstance(page, str) or file_name(page, ()) != page or not isinstance(rows, pd.DataFrame):
                return f"its page {page!r} is no name for a file, or holds no frame"
    return ""


@contextmanager
def users_failures(name: str, users: bool = True) -> Iterator[None]:
    """Name a function of the user's, and the line, in whatever goes wrong with it; another's has all the time it needs.

    Raises:
        ReportError: it failed.
    """
    try:
        with sources.reading(), sources.contained(users):
            yield
    except Exception as error:
        if not isinstance(error, sources.SourceError) and not sources.blames_user(error):
            raise
        raise ReportError(f"{name}: {sources.failure(error)}") from error


def chosen(registry: Registry[Part[P]], asked: Sequence[str] | None, folder: Path = Path()) -> dict[str, Part[P]]:
    """Find the tables (or figures) asked for, or the default ones.

    Args:
        registry: ``TABLES`` or ``FIGURES``.
        asked: their names; None: the default ones.
        folder: where the paths of files begin.

    Raises:
        PartError: there is no such table, or two have one name.
    """
    if asked is None:
        return {name: part for name, part in registry.items() if part.default}
    parts: dict[str, Part[P]] = {}
    for name in dict.fromkeys(asked):
        if name in WITHDRAWN and registry is TABLES:
            raise PartError(f"there is no table '{name}' any more ({WITHDRAWN[name]}); take it out of the list")
        with sources.contained() if sources.parse(name) else nullcontext():
            part = registry.find(str(folder / name) if sources.parse(name) else name)
        if part.name in parts or part.name == CLAIMS:
            raise PartError(f"{name}: there is another {registry.kind} of that name; rename the function")
        parts[part.name] = part
    return parts
