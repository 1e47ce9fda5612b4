"""The report of a study: every table and figure on disk, one page of them all, and the answer for the terminal.

Nothing in it depends on when or in which order it was made: the same measurements give the same bytes.
"""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pandas as pd
from tabulate import tabulate

from actlab import commands
from actlab.analysis import bimodal, findings
from actlab.analysis.cells import Cells, build_cells
from actlab.analysis.document import document
from actlab.analysis.doubts import doubts_about
from actlab.analysis.escaping import bare
from actlab.analysis.figures import FIGURES
from actlab.analysis.figures.writing import write_figures
from actlab.analysis.findings.decided import stored_verdicts
from actlab.analysis.formats import of_report
from actlab.analysis.intervals import FEWEST
from actlab.analysis.layout import Table, write_table
from actlab.analysis.making import Made, make_claims, make_own, make_shipped, own_name
from actlab.analysis.marking import marks_note
from actlab.analysis.notes import PARTLY, selected_in_short, some_lack_values
from actlab.analysis.pages.report_page import PAGE, write_report
from actlab.analysis.parts import CLAIMS, WITHDRAWN, ReportError
from actlab.analysis.run_summary import run_summary
from actlab.analysis.sections import markdown
from actlab.analysis.stages import tuning_of
from actlab.analysis.tables import TABLES
from actlab.analysis.tables.outcomes import LOSS_SCALE
from actlab.analysis.variation import BOTH, EITHER, over_repeats
from actlab.data.look import chance_accuracy
from actlab.measures import from_plain
from actlab.outputs import making
from actlab.study.selection import select_rule
from actlab.study.settings import of_manifest

__all__ = ["headline", "run_summary", "write"]

WIDE = 110  # columns of the terminal's lines
INDENTED: dict[str, Any] = {"subsequent_indent": "  "}


def write(
    folder: Path,
    study: Mapping[str, Any],
    manifest: Mapping[str, Any],
    runs: pd.DataFrame,
    steps: pd.DataFrame,
    layers: pd.DataFrame,
    progress: Callable[[int, int], None] = lambda done, pages: None,
    helper: Executor | None = None,
    find: Callable[[str], Cells | None] = lambda name: None,
    lacking: Mapping[str, int] | None = None,
    own: bool = True,
    incomplete: Sequence[str] = (),
    predictions: pd.DataFrame | None = None,
    histograms: pd.DataFrame | None = None,
) -> list[Path]:
    """Write ``tables/``, ``figures/``, ``report.md`` and ``report.html`` into a study's folder.

    Args:
        folder: the study's own.
        study: the resolved study; ``report`` may hold ``select``, ``tables`` and ``figures``.
        manifest: versions and platform.
        runs, steps, layers: the study's frames, rows in any order.
        progress: called with how many pictures are done, and how many there are to be.
        helper: a process that draws too.
        find: gives another study's cells by its name, None where it is not at hand: for claims on several.
        lacking: {measure: how many runs were stored before it was measured}.
        own: whether the user's tables, figures and claims are made, which runs the files that hold them.
        incomplete: sentences, as Markdown, on runs that are planned and not here, and on parts that are left out.
        predictions: what theory predicts of the runs at initialisation, where the study has it.
        histograms: how many values lie in each bin, where the study measured that.

    Returns:
        the files written, tables first.

    Raises:
        PartError: the study names a table or figure that does not exist.
        ReportError: a table, figure or claim of the user's failed; all others are written.
        OutputError: something stands in the way of a file, or none can be written; what there was is as it was.
        MeasureError: the manifest's records of the user's measures are not readable.
    """
    wanted = study.get("report") or {}
    tables, figures = wanted.get("tables"), wanted.get("figures")
    asked = ([tables] if isinstance(tables, str) else tables, [figures] if isinstance(figures, str) else figures)
    cells = study_cells(study, manifest, runs, steps, layers, lacking, predictions, histograms)
    if cells.selected.empty:  # of a study in two stages, which has trained no fresh seed yet
        asked, own = (["selection"], []), False
    with making(folder, ("tables", "figures")) as output:
        name = str(study.get("study", ""))
        made = make_shipped(folder, cells, *asked)
        drawn = [drawing for drawing in made.figures.values() if drawing]
        progress(0, sum(len(drawing.pages) for drawing in drawn))
        paths = [
            path for table in made.tables.values() if table for path in write_table(table, output.at / "tables", name)
        ]
        if drawn:
            paths += write_figures(drawn, output.at / "figures", helper, progress)
        if own:
            paths += make_own(made, cells, *asked, output.at, name)
            if study.get("claims"):
                file = folder / str(study["claims"])
                paths += make_claims(made, cells, file, name, find, output.at)
        elif not cells.selected.empty:
            made.left_out = [name for names in asked for name in names or () if own_name(name)]
            made.left_out += [CLAIMS] if study.get("claims") else []
        report = output.at / "report.md"
        sections = document(study, manifest, cells, made, incomplete, commands.home(folder, name))
        report.write_text(markdown(sections), encoding="utf-8", newline="\n")
        pages = write_report(sections, study, cells, output.at) if wanted.get("html", True) else []
        output.outdated = lambda: [*outdated(folder, made), *([] if pages else [folder / PAGE])]
    if failures := [*made.failures.values(), *made.undecided.values()]:
        command = commands.typed("run", "CONFIG", "--out", folder)
        again = f"All else is written. Mend the file that the study names and call `{command}` again: it trains nothing"
        raise ReportError("\n".join([*failures, again]))
    return [output.final(path) for path in [*paths, report, *pages]]


def study_cells(
    study: Mapping[str, Any],
    manifest: Mapping[str, Any],
    runs: pd.DataFrame,
    steps: pd.DataFrame,
    layers: pd.DataFrame,
    lacking: Mapping[str, int] | None = None,
    predictions: pd.DataFrame | None = None,
    histograms: pd.DataFrame | None = None,
) -> Cells:
    """Build the cells of a study by its own rule, with what its manifest says of its measures and activations.

    What no run of it has is left out of its frames.

    Raises:
        MeasureError: the manifest's records of the user's measures are not readable.
    """
    rule = select_rule(study.get("report") or {})
    measures = from_plain(manifest.get("measures", {}))
    stated = (manifest.get("activations"), of_manifest(manifest), lacking, tuning_of(study, manifest))
    more = (rows_of_test(manifest), predictions, of_report(study.get("report")), histograms)
    return build_cells(runs, steps, layers, rule, measures, *stated, *more, chance=chances(manifest))


def rows_of_test(manifest: Mapping[str, Any]) -> tuple[int, ...]:
    """List how many rows the test splits of a study's data sets have; manifests of old say nothing."""
    return tuple(sorted({int(about["rows"]["test"]) for about in manifest.get("data") or ()}))


def chances(manifest: Mapping[str, Any]) -> dict[str, float]:
    """Return the test accuracy of always saying the most frequent class, by the data sets' contents."""
    each = {str(about.get("content", "")): chance_accuracy(about) for about in manifest.get("data") or ()}
    return {content: right for content, right in each.items() if right is not None}


def headline(
    study: Mapping[str, Any],
    manifest: Mapping[str, Any],
    runs: pd.DataFrame,
    steps: pd.DataFrame,
    layers: pd.DataFrame,
) -> str:
    """Write a study's answer for the terminal: its question, what was found, and the table of final performance."""
    cells, table, tables = headline_tables(study, manifest, runs, steps, layers)
    return headline_text(study, cells, table, tables)


def headline_text(
    study: Mapping[str, Any],
    cells: Cells,
    table: Table,
    tables: Mapping[str, Table | None] | None = None,
    width: int = WIDE,
) -> str:
    """Write the answer for the terminal, of tables that are made.

    Networks that are not trained have no performance to show.

    Args:
        study: as resolved.
        cells: its numbers.
        table: of final performance.
        tables: those that the report shows.
        width: of the terminal, in letters: sentences are broken there, and a wider table continues below.
    """
    width = min(width, WIDE)
    said = [str(study.get("question", "")).strip(), "", *answer_lines(*answer(cells, tables or {}), width)]
    if cells.untrained:
        return "\n".join(said).strip()
    whole = table.frame[~bimodal.not_means(table.frame) & ~some_lack_values(table.frame)]
    ranged = whole["median"].notna() & (whole["least"] < whole["greatest"])
    shown = table.wide.map(lambda text: bare(re.sub(r"\*\*(.+?)\*\*", r"\1 *", str(text))))
    body = "\n\n".join(blocks(list(map(bare, shown.columns)), shown.to_numpy().tolist(), width))
    text = " ".join(str(cell) for row in table.wide.to_numpy() for cell in row)
    few = EITHER if over_repeats(table.frame) == BOTH else "runs"
    legend = [
        f"Test loss: {LOSS_SCALE}." if (table.frame["measure"] == "test_loss").any() else "",
        f"Median (least to greatest) of fewer than {FEWEST} {few}, which have no interval." if ranged.any() else "",
        PARTLY if re.search(r" (not diverged|defined)[^:]*: ", text) else "",
        "share: Wilson's interval of the share of runs that are alike." if "share in" in text else "",
        bimodal.note(table.frame).replace("*", ""),
        marks_note(table.frame, "*", cells.own),
        selected_in_short(cells),
    ]
    lines = [line for sentence in legend for line in textwrap.wrap(sentence, width)]
    return "\n".join([*said, "", *textwrap.wrap(table.title, width), body, *lines]).strip()


def blocks(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Write a table for the terminal, in as many blocks of columns as its width asks for; each begins with the first.

    >>> print(*blocks(["activation", "depth 2", "depth 10"], [["relu", "0.97", "0.93"]], 20), sep="\\n\\n")
    activation    depth 2
    ------------  ---------
    relu          0.97
    <BLANKLINE>
    activation    depth 10
    ------------  ----------
    relu          0.93
    """

    def written(columns: Sequence[int]) -> str:
        cells = [[row[at] for at in (0, *columns)] for row in rows]
        return tabulate(cells, [heads[at] for at in (0, *columns)], "simple", disable_numparse=True)

    written_blocks, columns = [], list[int]()
    for at in range(1, len(heads)):
        if columns and max(map(len, written([*columns, at]).splitlines())) > width:
            written_blocks.append(written(columns))
            columns = []
        columns.append(at)
    return [*written_blocks, written(columns)]


def answer_lines(sentences: Sequence[str], doubts: Sequence[str], width: int = WIDE) -> list[str]:
    """Write what was found and what to doubt for the terminal: the report's sentences, without its marks and links."""
    parts = [
        (head, list(map(bare, said)))
        for head, said in (("What was found", sentences), ("What to doubt", doubts))
        if said
    ]
    lines = []
    for head, said in parts:
        lines += ["", head, *(line for one in said for line in textwrap.wrap(f"- {one}", width, **INDENTED))]
    return lines[1:]


def answer(
    cells: Cells, tables: Mapping[str, Table | None], incomplete: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """List what was found and what to doubt, as Markdown; ``incomplete``: see ``write``."""
    found = [one.text for one in findings.found_in(cells, tables)]
    return found or [findings.nothing(cells)], list(doubts_about(cells, tables, incomplete))


def headline_tables(
    study: Mapping[str, Any],
    manifest: Mapping[str, Any],
    runs: pd.DataFrame,
    steps: pd.DataFrame,
    layers: pd.DataFrame,
    predictions: pd.DataFrame | None = None,
    folder: Path | None = None,
    histograms: pd.DataFrame | None = None,
) -> tuple[Cells, Table, dict[str, Table | None]]:
    """Make the tables that answer a study's question.

    Args:
        study, manifest, runs, steps, layers, predictions, histograms: see ``write``.
        folder: the study's, where it holds a report: what was decided of its claims is read there, and decided once.

    Returns:
        the cells; the table of final performance; and by name those tables of the report that findings and doubts read.
    """
    cells = study_cells(study, manifest, runs, steps, layers, None, predictions, histograms)
    table = TABLES["performance"].make(cells)
    assert table is not None  # every run has a final loss
    return cells, table, tables_read(study, cells, folder)


def tables_read(
    study: Mapping[str, Any], cells: Cells, folder: Path | None = None, read: Sequence[str] = findings.READ
) -> dict[str, Table | None]:
    """Make those tables of a study's report that are read to say what was found.

    Args:
        study, folder: see ``headline_tables``.
        cells: its numbers.
        read: the tables that are, where the report has them.
    """
    asked = (study.get("report") or {}).get("tables")
    asked = [asked] if isinstance(asked, str) else asked
    there = [name for name in read if name in TABLES]
    names = [name for name in there if (TABLES[name].default if asked is None else name in asked)]
    tables = {} if cells.selected.empty else {name: TABLES[name].make(cells) for name in names}
    if folder is not None and study.get("claims"):
        tables |= {CLAIMS: stored_verdicts(folder / "tables")}
    return tables


def outdated(folder: Path, made: Made) -> list[Path]:
    """List what earlier reports wrote of tables and figures, so that none outlives its reason.

    What was to be made now and was not, because it failed or was left out, stays.
    """
    kept = {own_name(name) or name for name in (*made.failures, *made.left_out)}
    places = (
        ("tables", {*TABLES, *WITHDRAWN, *made.tables, CLAIMS}, (".csv", ".md", ".tex")),
        ("figures", {*FIGURES, *made.figures}, (".csv", ".png", ".svg", ".pdf")),
    )
    return [
        path
        for place, names, suffixes in places
        for path in sorted((folder / place).glob("*"))
        if path.suffix in suffixes
        and any(path.stem == name or path.stem.startswith(f"{name}-") for name in names - kept)
    ]
