"""A study's results as Python and notebooks have them: the engine's frames, and what the analysis says and draws.

Neither room knows the other; here, and in ``actlab.reporting``, they meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actlab.engine import results as stored
from actlab.naming import counted, listed, nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from actlab.analysis.cells import Cells
    from actlab.analysis.drawings import Drawing
    from actlab.analysis.layout import Table

MOST_NAMES = 40
"""Figures that a message lists."""


@dataclass(frozen=True)
class Findings:
    """What a study's report says first; in a notebook, two lists.

    Attributes:
        sentences: what was found, one each, as Markdown.
        doubts: what these sentences do not bear, likewise.
    """

    sentences: tuple[str, ...]
    doubts: tuple[str, ...]

    def __repr__(self) -> str:
        """Write both lists as a terminal shows them."""
        from actlab.analysis.report import answer_lines

        return "\n".join(answer_lines(self.sentences, self.doubts))

    def _repr_html_(self) -> str:
        """Show both lists in a notebook."""
        from actlab.analysis.pages.in_notebook import lists

        return lists(self.sentences, self.doubts)


@dataclass(frozen=True, repr=False)
class Results(stored.Results):
    """A study as it was read from the disk, what was found in it, and its figures.

    In a notebook, or at a prompt, it shows its question, what was found, what to doubt and the table of final
    performance. ``findings()`` gives the sentences alone, ``figure(name)`` draws.
    """

    def findings(self) -> Findings:
        """Say what was found and what to doubt, as the report does: sentences that rules make of its tables.

        Of a part of the runs, which ``where`` gives, these alone are spoken of, and not the claims of the whole study.

        >>> load("results/depth").findings().sentences[0]  # doctest: +SKIP
        """
        from actlab.analysis import report
        from actlab.reporting import incomplete

        if self.runs.empty:
            return Findings(("There is no run.",), ())
        cells, _, tables = self._answered
        return Findings(*map(tuple, report.answer(cells, tables, incomplete(self))))

    @property
    def figures(self) -> tuple[str, ...]:
        """The names that ``figure`` knows: those that the study's report draws, or would."""
        from actlab.analysis.figures import FIGURES

        folder, own = self.path / "figures", self._own_figures
        drawn = [name for name in (*FIGURES, *own) if (folder / f"{name}.csv").is_file()]
        return tuple(drawn or [*(name for name, one in FIGURES.items() if one.default), *own])

    def figure(self, name: str, page: str | None = None, *, trust: bool = False) -> Figure:
        """Draw a figure of the study's, as its report does.

        Args:
            name: one of ``figures``, of those that ``actlab list`` names, or ``path/to/file.py:function``. A function
                that the study names is run only from the study's own ``sources/``, unaltered.
            page: which picture, where a figure has one for each value of some setting.
            trust: whether such a function is run although it was altered, or lies elsewhere.

        Returns:
            a Matplotlib figure, which a notebook shows, and which can be altered and saved.

        Raises:
            PartError: there is no such figure or picture, or the figure does not apply to the study.
            ReportError: a function of the user's failed.
            UntrustedError: a file of the study's was altered, or lies elsewhere; nothing was run.

        >>> load("results/depth").figure("gradient_by_layer").savefig("talk.pdf")  # doctest: +SKIP
        """
        from actlab.analysis.figures.writing import draw_page
        from actlab.analysis.parts import PartError

        drawing = None if self.runs.empty else self._drawing(name, trust)
        if drawing is None or not drawing.pages:
            raise PartError(f"figure {name}: does not apply to this study; it has {listed(self.figures, MOST_NAMES)}")
        pages = list(drawing.pages)
        if page is None and len(pages) > 1:
            raise PartError(f"figure {name}: has {len(pages)} pictures; choose one as page=..., of {quoted(pages)}")
        if page is not None and page not in pages:
            raise PartError(f"figure {name}: has no picture {page!r}; choose from {quoted(pages)}")
        return draw_page(drawing, pages[0] if page is None else page)

    @cached_property
    def _answered(self) -> tuple[Cells, Table, dict[str, Table | None]]:
        """The cells, and the tables that answer the study's question: made once, of the frames as they are then."""
        from actlab.analysis.report import headline_tables

        frames = self.runs, self.steps, self.layers, self.predictions
        folder = None if self.is_part else self.path
        return headline_tables(self.study, self.manifest, *frames, folder, self.histograms)

    @property
    def _own_figures(self) -> dict[str, str]:
        """The user's figures that the study asks for: by name, as the study has them."""
        from actlab import sources

        asked = (self.study.get("report") or {}).get("figures") or []
        asked = [asked] if isinstance(asked, str) else asked
        return {parsed[1]: one for one in asked if (parsed := sources.parse(one))}

    def _drawing(self, name: str, trust: bool) -> Drawing | None:
        """Make the numbers of a figure, and what is said of how they are drawn; None where it does not apply.

        Raises:
            PartError, ReportError, UntrustedError: see ``figure``.
        """
        from actlab import sources
        from actlab.analysis.cells import handed_out
        from actlab.analysis.figures import FIGURES
        from actlab.analysis.parts import PartError, chosen
        from actlab.engine import trusting

        cells = self._answered[0]
        if asked := self._own_figures.get(name) or (name if name in self._own_figures.values() else ""):
            with sources.only(trusting.to_report(self, trust, lambda line: None)):
                (part,) = chosen(FIGURES, [asked], self.path).values()
                return part.make(handed_out(cells))
        if sources.parse(name):
            (part,) = chosen(FIGURES, [name], Path()).values()
            return part.make(handed_out(cells))
        if name not in FIGURES:
            near = nearest(name, [*FIGURES, *self._own_figures]).partition("; choose from")[0]
            raise PartError(f"there is no figure '{name}'{near}; this study has {listed(self.figures, MOST_NAMES)}")
        return FIGURES[name].make(cells)

    def __repr__(self) -> str:
        """Write the study's answer as the command line does, and what there is of it."""
        from actlab.analysis.report import headline_text

        shapes = {name: getattr(self, name) for name in ("runs", "steps", "layers", "histograms", "predictions")}
        frames = ", ".join(f"{name} {len(one)} × {one.shape[1]}" for name, one in shapes.items() if len(one))
        what = f"Results of study {self.study.get('study')} in {self.path}: {counted(len(self.runs), 'run')}"
        lines = [f"{what}{' of it' if self.is_part else ''}", f"frames: {frames or 'empty'}", *self._to_know()]
        if self.runs.empty:
            return "\n".join(lines)
        cells, table, tables = self._answered
        return "\n".join([headline_text(self.study, cells, table, tables), "", *lines])

    def _repr_html_(self) -> str:
        """Show the study's answer in a notebook."""
        from actlab.analysis.escaping import plain
        from actlab.analysis.pages.document import paragraph
        from actlab.analysis.pages.in_notebook import framed, summary

        if self.runs.empty:
            return framed([paragraph(plain(repr(self)))])
        cells, table, _ = self._answered
        said = self.findings()
        answer = said.sentences, said.doubts
        return summary(self.study, self.path, cells, table, answer, self.figures, self._to_know())

    def _to_know(self) -> tuple[str, ...]:
        """List what is damaged or missing, and what else a reader should know."""
        return *(f"damaged: {line}" for line in self.damage), *self.notes


def of(one: stored.Results) -> Results:
    """Give a study's frames what is said and drawn of them."""
    names: dict[str, Any] = {field.name: getattr(one, field.name) for field in fields(one)}
    return Results(**names)


def quoted(names: Sequence[str]) -> str:
    """List names as they are typed.

    >>> quoted(["norm=none", "norm=layer"])
    "'norm=none', 'norm=layer'"
    """
    return listed([f"'{name}'" for name in names], MOST_NAMES, 120)
