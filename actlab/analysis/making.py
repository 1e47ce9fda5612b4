"""Making a report's tables, figures and verdicts so that a part of the user's that fails takes no other part with it.

What is shipped is made first, and what is to be written of it put into words; then the user's functions run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from actlab import sources
from actlab.analysis import claims, claims_file
from actlab.analysis.cells import Cells, handed_out
from actlab.analysis.drawings import Drawing
from actlab.analysis.figures import FIGURES
from actlab.analysis.figures.writing import write_figures
from actlab.analysis.layout import Table, write_table
from actlab.analysis.parts import CLAIMS, OF_THEORY, OF_TRAINING, WITHDRAWN, P, Part, PartError, ReportError, chosen
from actlab.analysis.tables import TABLES
from actlab.registry import Registry

T = TypeVar("T")


@dataclass
class Made:
    """The parts of a report.

    Attributes:
        folder: the study's: paths in it are written from there on, so that a report does not say where it was made.
        tables, figures: by name, in the report's order; None where one does not apply.
        failures: {name, as the study has it: why} of the user's tables and figures that failed.
        undecided: {claim: why} of the claims that failed: they have a row in the table of claims.
        left_out: names of the user's that nothing was run for.
        withdrawn: tables that the study names and that there are no more.
    """

    folder: Path
    tables: dict[str, Table | None] = field(default_factory=dict)
    figures: dict[str, Drawing | None] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    undecided: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)

    def short(self, text: str) -> str:
        """Write paths in the study's folder from there on."""
        return text.replace(f"{self.folder.absolute()}/", "").replace(f"{self.folder}/", "")

    def attempt(self, name: str, make: Callable[[], T]) -> T | None:
        """Make something of the user's; where it fails, note why."""
        try:
            with sources.contained():
                return make()
        except (ReportError, PartError, claims.ClaimsError, sources.SourceError) as error:
            self.failures[name] = self.short(str(error))
        except OSError:
            raise
        except Exception as error:  # what it made cannot be put into words, or drawn
            self.failures[name] = f"{name}: cannot be written: {type(error).__name__}: {sources.first_line(error)}"
        return None


def own_name(asked: str) -> str | None:
    """Return the name of a user's function that is asked for as ``path/to/file.py:function``; None of another name."""
    named = sources.parse(asked)
    return named[1] if named else None


def shipped(registry: Registry[Part[P]], asked: Sequence[str] | None) -> dict[str, Part[P]]:
    """Find the shipped ones among the tables or figures that are asked for.

    Raises:
        PartError: there is no such table or figure.
    """
    return chosen(registry, None if asked is None else [name for name in asked if own_name(name) is None])


def make_shipped(folder: Path, cells: Cells, tables: Sequence[str] | None, figures: Sequence[str] | None) -> Made:
    """Make the shipped tables and figures that are asked for, and keep the places of the user's.

    A table that there is no more is left out: a study that was stored while there was one still reports.

    Raises:
        PartError: there is no such table or figure; names file and key.
    """
    made = Made(folder, withdrawn=[name for name in tables or () if name in WITHDRAWN])
    tables = tables if tables is None else [name for name in tables if name not in WITHDRAWN]
    for registry, asked, into in ((TABLES, tables, made.tables), (FIGURES, figures, made.figures)):
        try:
            parts: dict[str, Part[Any]] = shipped(registry, asked)
        except PartError as error:
            raise PartError(f"{folder / 'study.yaml'}: report.{registry.kind}s: {error}") from None
        if asked is None:
            without = (*(OF_THEORY if cells.predictions.empty else ()), *(OF_TRAINING if cells.untrained else ()))
            parts = {name: part for name, part in parts.items() if name not in without}
        for name in asked if asked is not None else parts:
            into[own_name(name) or name] = None
        into.update({name: part.make(cells) for name, part in parts.items()})
    return made


def make_own(
    made: Made,
    cells: Cells,
    tables: Sequence[str] | None,
    figures: Sequence[str] | None,
    at: Path,
    study: str = "",
) -> list[Path]:
    """Make the tables and figures that come from files of the user's, and write each.

    Args:
        made: what is made already; these are added.
        cells: the study's.
        tables, figures: those asked for.
        at: where ``tables/`` and ``figures/`` are written.
        study: its name.

    Returns:
        the files written.
    """
    paths: list[Path] = []
    wanted = dict.fromkeys(tables or ())
    for asked in filter(own_name, wanted):
        table = made.attempt(asked, partial(own_table, asked, made.folder, wanted, cells, at / "tables", study))
        made.tables |= {table[0].name: table[0]} if table else {}
        paths += table[1] if table else []
    wanted = dict.fromkeys(figures or ())
    for asked in filter(own_name, wanted):
        figure = made.attempt(asked, partial(own_figure, asked, made.folder, wanted, cells, at / "figures"))
        made.figures |= {figure[0].name: figure[0]} if figure else {}
        paths += figure[1] if figure else []
    return paths


def own_table(
    asked: str, folder: Path, wanted: Iterable[str], cells: Cells, at: Path, study: str
) -> tuple[Table, list[Path]] | None:
    """Make a table of the user's and write it; None where it does not apply."""
    table = find(TABLES, asked, folder, wanted).make(handed_out(cells))
    return (table, write_table(table, at, study)) if table else None


def own_figure(
    asked: str, folder: Path, wanted: Iterable[str], cells: Cells, at: Path
) -> tuple[Drawing, list[Path]] | None:
    """Make a figure of the user's and draw it; None where it does not apply."""
    drawing = find(FIGURES, asked, folder, wanted).make(handed_out(cells))
    return (drawing, write_figures([drawing], at)) if drawing else None


def find(registry: Registry[Part[P]], asked: str, folder: Path, wanted: Iterable[str]) -> Part[P]:
    """Find a part of the user's.

    Args:
        registry: ``TABLES`` or ``FIGURES``.
        asked: its name in the study.
        folder: where the path in it begins.
        wanted: all names that are asked for.

    Raises:
        PartError: there is none, or another one has its name.
    """
    (part,) = chosen(registry, [asked], folder).values()
    if [own_name(name) or name for name in wanted].count(part.name) > 1:
        raise PartError(f"{asked}: there is another {registry.kind} of that name; rename the function")
    return part


def make_claims(
    made: Made, cells: Cells, file: Path, study: str, find: Callable[[str], Cells | None], at: Path
) -> list[Path]:
    """Decide a study's claims and write their table, in which a claim that failed has a row that says so."""
    listed = made.attempt(CLAIMS, lambda: claims_file.load(file))
    if listed is not None:
        table = claims.decide(listed, cells, study, find, made.short)
    else:
        row = claims.failed(file.name, made.failures.pop(CLAIMS))
        table = claims.as_table([row], [], int((cells.runs["status"] != "ok").sum()), len(cells.runs))
    failed = table.frame[table.frame["verdict"] == claims.FAILED]
    made.undecided = dict(zip(failed["id"], failed["condition"], strict=True))
    made.tables = {CLAIMS: table, **made.tables}
    return write_table(table, at / "tables", study)
