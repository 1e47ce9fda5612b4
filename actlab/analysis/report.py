"""The report of a study: every table and figure on disk, and one page that puts them together.

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
from actlab.analysis import bimodal
from actlab.analysis.cells import Cells, build_cells, cell_keys, sort_rows
from actlab.analysis.confounds import by_initialisation, of_table
from actlab.analysis.deviations import of_study
from actlab.analysis.drawings import Drawing
from actlab.analysis.escaping import bare, code, plain
from actlab.analysis.figures import FIGURES
from actlab.analysis.figures.writing import write_figures
from actlab.analysis.intervals import FEWEST
from actlab.analysis.layout import Table, in_markdown, setting, words, write_table
from actlab.analysis.making import Made, make_claims, make_own, make_shipped, own_name
from actlab.analysis.marking import marks_note
from actlab.analysis.notes import PARTLY, selected_in_short, selection_note, some_lack_values
from actlab.analysis.pages.report_page import PAGE, write_report
from actlab.analysis.parts import CLAIMS, WITHDRAWN, ReportError
from actlab.analysis.run_summary import run_summary
from actlab.analysis.sections import Grid, Items, Picture, Section, Text, markdown
from actlab.analysis.stages import of_stages, tuning_of
from actlab.analysis.tables import TABLES
from actlab.analysis.tables.outcomes import LOSS_SCALE
from actlab.analysis.variation import BOTH, EITHER, SPLIT, in_ranges, of_what, over_repeats, repeats_of, split_varies
from actlab.data.look import heading, lines
from actlab.measures import from_plain
from actlab.naming import counted
from actlab.outputs import making
from actlab.study import started
from actlab.study.selection import select_rule
from actlab.study.settings import Setting, of_manifest

__all__ = ["headline", "run_summary", "write"]


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
    cells = study_cells(study, manifest, runs, steps, layers, lacking, predictions)
    if cells.selected.empty:  # of a study in two stages, which has trained no fresh seed yet
        asked, own = (["selection"], []), False
    with making(folder, ("tables", "figures")) as output:
        made = make_shipped(folder, cells, *asked)
        drawn = [drawing for drawing in made.figures.values() if drawing]
        progress(0, sum(len(drawing.pages) for drawing in drawn))
        paths = [path for table in made.tables.values() if table for path in write_table(table, output.at / "tables")]
        if drawn:
            paths += write_figures(drawn, output.at / "figures", helper, progress)
        if own:
            paths += make_own(made, cells, *asked, output.at)
            if study.get("claims"):
                file, name = folder / str(study["claims"]), str(study.get("study"))
                paths += make_claims(made, cells, file, name, find, output.at)
        elif not cells.selected.empty:
            made.left_out = [name for names in asked for name in names or () if own_name(name)]
            made.left_out += [CLAIMS] if study.get("claims") else []
        report = output.at / "report.md"
        sections = document(study, manifest, cells, made, incomplete)
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
) -> Cells:
    """Build the cells of a study by its own rule, with what its manifest says of its measures and activations.

    What no run of it has is left out of its frames.

    Raises:
        MeasureError: the manifest's records of the user's measures are not readable.
    """
    rule = select_rule(study.get("report") or {})
    measures = from_plain(manifest.get("measures", {}))
    stated = (manifest.get("activations"), of_manifest(manifest), lacking, tuning_of(study, manifest))
    return build_cells(runs, steps, layers, rule, measures, *stated, rows_of_test(manifest), predictions)


def rows_of_test(manifest: Mapping[str, Any]) -> tuple[int, ...]:
    """List how many rows the test splits of a study's data sets have; manifests of old say nothing."""
    return tuple(sorted({int(about["rows"]["test"]) for about in manifest.get("data") or ()}))


def headline(
    study: Mapping[str, Any],
    manifest: Mapping[str, Any],
    runs: pd.DataFrame,
    steps: pd.DataFrame,
    layers: pd.DataFrame,
) -> str:
    """Write a study's answer for the terminal: its question and the table of final performance."""
    return headline_text(study, *headline_table(study, manifest, runs, steps, layers))


def headline_text(study: Mapping[str, Any], cells: Cells, table: Table) -> str:
    """Write the answer for the terminal, of a table that is made."""
    whole = table.frame[~bimodal.not_means(table.frame) & ~some_lack_values(table.frame)]
    ranged = whole["median"].notna() & (whole["least"] < whole["greatest"])
    shown = table.wide.map(lambda text: bare(re.sub(r"\*\*(.+?)\*\*", r"\1 *", str(text))))
    body = tabulate(shown.to_numpy().tolist(), list(map(bare, shown.columns)), "simple", disable_numparse=True)
    text = " ".join(str(cell) for row in table.wide.to_numpy() for cell in row)
    few = EITHER if over_repeats(table.frame) == BOTH else "runs"
    legend = [
        f"Test loss: {LOSS_SCALE}." if (table.frame["measure"] == "test_loss").any() else "",
        f"Median (least to greatest) of fewer than {FEWEST} {few}, which have no interval." if ranged.any() else "",
        PARTLY if re.search(r" (not diverged|defined)[^:]*: ", text) else "",
        "share: Wilson's interval of the share of runs that are alike." if "share in" in text else "",
        bimodal.note(table.frame).replace("*", ""),
        of_what(cells.selected, cells.selected_keys, table.frame, cells.test_rows),
        marks_note(table.frame, "*", cells.own),
        selected_in_short(cells),
        bare(of_table(cells, table.frame, cell_keys(cells), selected=True)),
    ]
    lines = [line for sentence in legend for line in textwrap.wrap(sentence, 110)]
    return "\n".join([str(study.get("question", "")).strip(), "", table.title, body, *lines]).strip()


def headline_table(
    study: Mapping[str, Any], manifest: Mapping[str, Any], runs: pd.DataFrame, steps: pd.DataFrame, layers: pd.DataFrame
) -> tuple[Cells, Table]:
    """Make the table of final performance, which answers a study's question."""
    cells = study_cells(study, manifest, runs, steps, layers)
    table = TABLES["performance"].make(cells)
    assert table is not None  # every run has a final loss
    return cells, table


def outdated(folder: Path, made: Made) -> list[Path]:
    """List what earlier reports wrote of tables and figures, so that none outlives its reason.

    What was to be made now and was not, because it failed or was left out, stays.
    """
    kept = {own_name(name) or name for name in (*made.failures, *made.left_out)}
    places = (
        ("tables", {*TABLES, *WITHDRAWN, *made.tables, CLAIMS}, (".csv", ".md", ".tex")),
        ("figures", {*FIGURES, *made.figures}, (".csv", ".png", ".svg")),
    )
    return [
        path
        for place, names, suffixes in places
        for path in sorted((folder / place).glob("*"))
        if path.suffix in suffixes
        and any(path.stem == name or path.stem.startswith(f"{name}-") for name in names - kept)
    ]


def document(
    study: Mapping[str, Any],
    manifest: Mapping[str, Any],
    cells: Cells,
    made: Made,
    incomplete: Sequence[str] = (),
) -> list[Section]:
    """Put the report together."""
    name = str(study.get("study", "study"))
    tables = {key: table for key, table in made.tables.items() if table or not lost(key, made)}
    drawn = {
        key: drawing if drawing and drawing.pages else None
        for key, drawing in made.figures.items()
        if drawing or not lost(key, made)
    }
    return [
        Section(1, plain(name), (Text(plain(str(study.get("question", "")))),)),
        Section(
            2,
            "What was run",
            (
                *settings_table(cells),
                *map(Text, incomplete),
                *data_notes(manifest),
                *diverged_runs(cells),
                *(Text(plain(line)) for line in started.of_manifest(manifest)),
                *unknown_death(manifest),
                *empty_columns(cells),
            ),
        ),
        *not_made(made),
        Section(2, "Tables", (*not_applicable(tables), *no_more(made))),
        *(table_section(table) for table in tables.values() if table),
        *([Section(2, "Figures", not_applicable(drawn))] if drawn else []),
        *(figure_section(drawing) for drawing in drawn.values() if drawing),
        Section(2, "How it was made", how_it_was_made(name, manifest)),
    ]


def lost(name: str, made: Made) -> bool:
    """Whether a part of the user's failed, or was left out."""
    return any((own_name(one) or one) == name for one in (*made.failures, *made.left_out))


def not_made(made: Made) -> list[Section]:
    """Say what of the user's failed, and what was left out."""
    stays = "what an earlier report wrote of it is not touched"
    items = [f"{code(name)} failed, and {stays}: {plain(why)}" for name, why in made.failures.items()]
    if made.undecided:
        names = ", ".join(map(code, made.undecided))
        items.append(f"Claims that could not be decided: {names}; the table of claims says why")
    items += [
        f"{code(name)} was left out, because no file of the user's was to be run; {stays}" for name in made.left_out
    ]
    return [Section(2, "What this report lacks", (Items(tuple(items)),))] if items else []


def not_applicable(made: Mapping[str, Table | Drawing | None]) -> tuple[Text, ...]:
    """Name what has nothing to say of this study."""
    none = [words(key) for key, one in made.items() if one is None]
    return (Text(f"Not applicable to this study: {', '.join(map(plain, none))}."),) if none else ()


def no_more(made: Made) -> tuple[Text, ...]:
    """Say which tables the study names that there are no more, and why."""
    return tuple(Text(f"There is no table {code(name)} any more: {WITHDRAWN[name]}.") for name in made.withdrawn)


def settings_table(cells: Cells) -> list[Text | Grid]:
    """Say how many runs there were, what varied and how, and which initialisation ``auto`` was."""
    runs = cells.runs
    number = len(runs.drop_duplicates(cells.keys)) if cells.keys else 1
    repeats = [counted(runs["seed"].nunique(), "seed")]
    repeats += [counted(runs[SPLIT].nunique(), "split")] if split_varies(runs) else []
    totals = (counted(len(runs), "run"), counted(number, "cell"), " × ".join(repeats))
    keys = [one.column for one in cells.settings if one.column in cells.keys or is_reported(one, runs)]
    rows = [(plain(words(key)), ", ".join(in_markdown(value, key) for value in different(cells, key))) for key in keys]
    rows.append(("seed", in_ranges(runs["seed"])))
    blocks: list[Text | Grid] = [
        Text(of_stages(cells) or f"{totals[0]}: {totals[1]} and {totals[2]}."),
        Grid(pd.DataFrame(rows, columns=["setting", "values"])),
    ]
    if each := by_initialisation(runs, cells.ranks):
        blocks.append(Text(f"`auto` weight initialisation was {each}."))
    predicted = of_study(cells)
    return [*blocks, Text(selection_note(cells)), *([Text(predicted)] if predicted else [])]


def data_notes(manifest: Mapping[str, Any], most: int = 12) -> list[Items]:
    """Say what was understood of the data, by which names, and what was unsure; manifests of old say nothing."""
    items = []
    for about in manifest.get("data") or ():
        head = heading(about)
        target, *others = lines(about).items()
        understood = "; ".join([target[1], *(f"{what} {text}" for what, text in others)])
        items += [plain(f"{head}: {text}") for text in (understood, *about["unsure"])]
    hidden = [f"and {counted(len(items) - most, 'line')} more, in manifest.json"] if len(items) > most else []
    return [Items((*items[:most], *hidden))] if items else []


def is_reported(one: Setting, runs: pd.DataFrame) -> bool:
    """Whether a report lists a setting that does not vary: unless it is not used."""
    return one.reported and not (one.unused and set(runs[one.column].dropna()) <= set(one.unused))


def different(cells: Cells, key: str) -> list[Any]:
    """List the values of a setting, in order."""
    values = list(cells.runs[key].drop_duplicates().sort_values())
    return sorted(values, key=cells.ranks.__getitem__) if key == "activation" else values


def diverged_runs(cells: Cells) -> list[Text | Grid]:
    """Say which runs diverged, by cell."""
    diverged = cells.runs[cells.runs["status"] != "ok"]
    if diverged.empty:
        return [Text("No run diverged.")]
    keys = cell_keys(cells, cells.keys)
    grouped = diverged.groupby(keys, dropna=False)
    rows = grouped.agg(first=("diverged_step", "min"))
    rows["seeds"] = grouped[repeats_of(cells.runs)].apply(named_repeats)
    frame = sort_rows(rows.reset_index(), keys, cells.ranks)
    wide = pd.DataFrame({plain(words(key)): [in_markdown(value, key) for value in frame[key]] for key in keys})
    wide["seeds"], wide["first step"] = frame["seeds"].to_numpy(), [setting(float(step)) for step in frame["first"]]
    of = f"{len(diverged)} of {counted(len(cells.runs), 'run')}"
    text = f"{of} diverged (a minibatch loss, or the whole split's, was not finite):"
    return [Text(text), Grid(wide, "the diverged runs")]


def named_repeats(runs: pd.DataFrame) -> str:
    """Name some runs of a cell by their seeds, and where these are of several splits by both.

    >>> named_repeats(pd.DataFrame({"data_seed": [0, 0, 1], "seed": [1, 2, 1]}))
    '1, 2 of split 0; 1 of split 1'
    """
    if SPLIT not in runs:
        return in_ranges(runs["seed"])
    seeds = runs.groupby(SPLIT)["seed"].agg(in_ranges)
    return "; ".join(f"{text} of split {split}" for split, text in seeds.items())


def empty_columns(cells: Cells) -> tuple[Text, ...]:
    """Name the measures that runs lack because they were made before these were measured."""
    names = [
        code(name) if count == len(cells.runs) else f"{code(name)} ({counted(count, 'run')})"
        for name, count in cells.lacking.items()
    ]
    if not names:
        return ()
    return (
        Text(
            f"Empty, because runs were made before it was measured: {', '.join(names)}; training them again fills it."
        ),
    )


def unknown_death(manifest: Mapping[str, Any]) -> list[Text]:
    """Say of which activations unit death is not known, why, and what to declare."""
    activations = manifest.get("activations") or {}
    reasons = {label: one.get("unknown_death") for label, one in activations.items()}
    return [Text(f"Unit death of {code(label)} is not known: {plain(why)}.") for label, why in reasons.items() if why]


def table_section(table: Table) -> Section:
    """Put a table together with its note and where its numbers are."""
    return Section(3, table.title, (Grid(table.wide), Text(table.note, f"tables/{table.name}.csv")))


def figure_section(drawing: Drawing) -> Section:
    """Put a figure's pictures together with its caption and where its numbers are."""
    pictures = (
        Picture(drawing.title, f"figures/{drawing.stem(page)}.png", drawing.spec, rows)
        for page, rows in drawing.pages.items()
    )
    return Section(3, drawing.title, (*pictures, Text(drawing.caption, f"figures/{drawing.name}.csv")))


def how_it_was_made(name: str, manifest: Mapping[str, Any]) -> tuple[Items, Text]:
    """Say versions and platform, and how to make it again: facts that do not change from one report to the next."""
    versions = manifest.get("versions") or {}
    facts = {key: manifest.get(key) for key in ("python", "platform", "device", "devices", "git_revision", "revision")}
    items = [
        *([", ".join(plain(f"{package} {versions[package]}") for package in sorted(versions))] if versions else []),
        *(plain(f"{words(key)}: {fact}") for key, fact in facts.items() if isinstance(fact, str | int | float)),
    ]
    again = (
        f"{code(commands.typed('report', f'results/{name}'))} "
        "writes these tables and figures again from the stored measurements; "
        "`actlab run study.yaml --out .` in that folder trains what is missing."
    )
    return Items(tuple(items)), Text(again)
