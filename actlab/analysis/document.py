"""A report's document: its sections in the order in which they are read, of tables and figures that are made already.

It answers first: what was found, what to doubt, the pictures, the tables; then what was run, and how it was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from actlab import commands
from actlab.analysis import findings
from actlab.analysis.cells import Cells, cell_keys, sort_rows
from actlab.analysis.confounds import by_initialisation
from actlab.analysis.deviations import of_study
from actlab.analysis.doubts import doubts_about
from actlab.analysis.drawings import Drawing
from actlab.analysis.escaping import code, plain
from actlab.analysis.layout import Table, in_markdown, setting, words
from actlab.analysis.making import Made, own_name
from actlab.analysis.notes import selection_note
from actlab.analysis.parts import WITHDRAWN
from actlab.analysis.said_once import DOUBTS, READING, said_once
from actlab.analysis.sections import Grid, Items, Link, Picture, Section, Text
from actlab.analysis.stages import but_for, of_stages
from actlab.analysis.variation import SPLIT, in_ranges, repeats_of, split_varies
from actlab.analysis.why_not import not_applicable
from actlab.data.look import heading, lines
from actlab.later import pd
from actlab.naming import counted
from actlab.study import started
from actlab.study.settings import Setting

TABLE, FIGURE = "table", "figure"


MOST_IN_TITLE = 120  # letters


def titled(name: str, question: str) -> tuple[str, str]:
    """Choose what a report is titled with, as Markdown: a study's question where it is short; and what stands below.

    >>> titled("depth", "Which still train?"), titled("depth", "")
    (('Which still train?', 'Study: `depth`'), ('depth', ''))
    """
    if question and len(question) <= MOST_IN_TITLE:
        return plain(question), f"Study: {code(name)}"
    return plain(name), plain(question)


def document(
    study: Mapping[str, Any],
    manifest: Mapping[str, Any],
    cells: Cells,
    made: Made,
    incomplete: Sequence[str] = (),
    home: Path | None = None,
) -> list[Section]:
    """Put the report together.

    Args:
        study: the resolved study.
        manifest: versions and platform, and what was understood of the data.
        cells: the study's.
        made: its tables and figures.
        incomplete: sentences, as Markdown, on runs that are planned and not here, and on parts that are left out.
        home: the study's folder, as commands name it; by default ``results/<study>``.
    """
    name = str(study.get("study", "study"))
    tables = {key: table for key, table in made.tables.items() if table or not lost(key, made)}
    drawn = {
        key: drawing if drawing and drawing.pages else None
        for key, drawing in made.figures.items()
        if drawing or not lost(key, made)
    }
    doubts = doubts_about(cells, tables, incomplete)
    notes = {anchor(TABLE, key): below_the_rule(one.note, cells) for key, one in tables.items() if one}
    captions = {anchor(FIGURE, key): below_the_rule(one.caption, cells) for key, one in drawn.items() if one}
    below, alike = said_once(captions | notes, doubts)
    question = str(study.get("question", "")).strip()
    title, label = titled(name, question)
    at_once = {key: one for key, one in tables.items() if key == findings.STANDING and one}
    if at_once and question:  # one function beside others is asked about, and no study that has a name
        title, label = plain(question), ""
    begin = (*([Text(label)] if label else []), *formulas(manifest), Text(of_which_runs(cells)))
    rest = {key: one for key, one in tables.items() if key not in at_once}
    return [
        Section(1, title, begin),
        *(table_section(one, below[anchor(TABLE, key)], 2) for key, one in at_once.items()),
        Section(2, "What was found", (what_was_found(cells, tables, drawn),)),
        *([Section(2, "What to doubt", (Items(doubts),), DOUBTS)] if doubts else []),
        *not_made(made),
        *([Section(2, "Figures", lacking(drawn))] if drawn else []),
        *(figure_section(one, below[anchor(FIGURE, key)]) for key, one in drawn.items() if one),
        Section(2, "Tables", (*lacking(rest), *no_more(made))),
        *(table_section(one, below[anchor(TABLE, key)]) for key, one in rest.items() if one),
        *([Section(2, "How to read", (Items(alike),), READING)] if alike else []),  # what captions and notes point to
        Section(2, "What was run", tuple(what_was_run(manifest, cells))),
        Section(2, "How it was made", how_it_was_made(home or Path("results") / name, manifest)),
    ]


def formulas(manifest: Mapping[str, Any]) -> list[Text]:
    """Write the formulas that the user's own activations state.

    >>> own = {"bent": {"order": 0, "formula": "z·tanh(z)"}, "relu": {"order": 2}}
    >>> [one.text for one in formulas({"activations": own})]
    ['`bent`: φ(z) = `z·tanh(z)`']
    """
    own = {label: one.get("formula") for label, one in (manifest.get("activations") or {}).items()}
    return [Text(f"{code(label)}: φ(z) = {code(str(text))}") for label, text in own.items() if text]


def anchor(kind: str, name: str) -> str:
    """Name the section of a table or figure for links."""
    return f"{kind}-{name}"


def what_was_found(
    cells: Cells, tables: Mapping[str, Table | None], drawn: Mapping[str, Drawing | None]
) -> Items | Text:
    """Say what the tables say, each sentence with the table that has its numbers and the figure that draws them."""
    said = findings.found_in(cells, tables)
    if not said:
        return Text(findings.nothing(cells))
    links = []
    for one in said:
        figures = [name for name in one.figures if drawn.get(name)]
        links.append((Link(TABLE, anchor(TABLE, one.table)), *(Link(FIGURE, anchor(FIGURE, x)) for x in figures[:1])))
    return Items(tuple(one.text for one in said), tuple(links), tuple(one.under for one in said))


def totals(cells: Cells) -> str:
    """Say how many runs there are, of how many cells and repeats."""
    runs = cells.runs
    number = len(runs.drop_duplicates(cells.keys)) if cells.keys else 1
    several = f"{counted(len(runs), 'run')}: {counted(number, 'cell')} and {repeats(runs)}."
    return of_stages(cells) or several


def of_which_runs(cells: Cells) -> str:
    """Say how many runs there are, and how those that are shown were chosen: once, for all that stands below."""
    return f"{totals(cells)} {selection_note(cells)}" if cells.select is not None else totals(cells)


def below_the_rule(text: str, cells: Cells) -> str:
    """Refer to the rule of selection where a note states it: it stands at the report's head."""
    if cells.select is None:
        return text.replace(f" {selection_note(cells)}", "")  # nothing was: said of what was run
    return text.replace(selection_note(cells), f"At each cell's selected {plain(words(cells.over))}.")


def repeats(runs: pd.DataFrame) -> str:
    """Say how often each cell of some runs is repeated.

    >>> repeats(pd.DataFrame({"data_seed": [0, 1], "seed": [7, 7]}))
    '1 seed × 2 splits'
    """
    each = [counted(runs["seed"].nunique(), "seed")]
    each += [counted(runs[SPLIT].nunique(), "split")] if split_varies(runs) else []
    return " × ".join(each)


def what_was_run(manifest: Mapping[str, Any], cells: Cells) -> list[Text | Items | Grid]:
    """List the settings, what was understood of the data, what diverged, and what is not known."""
    return [
        *settings_table(cells),
        *data_notes(manifest),
        *diverged_runs(cells),
        *(Text(plain(line)) for line in started.of_manifest(manifest)),
        *unknown_death(manifest),
        *empty_columns(cells),
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


def lacking(made: Mapping[str, Table | Drawing | None]) -> tuple[Text, ...]:
    """Name what has nothing to say of this study."""
    said = not_applicable(key for key, one in made.items() if one is None)
    return (Text(said),) if said else ()


def no_more(made: Made) -> tuple[Text, ...]:
    """Say which tables the study names that there are no more, and why."""
    return tuple(Text(f"There is no table {code(name)} any more: {WITHDRAWN[name]}.") for name in made.withdrawn)


def settings_table(cells: Cells) -> list[Text | Grid]:
    """List what varied and how, which initialisation ``auto`` was, and how a value was selected."""
    runs = cells.runs
    keys = [one.column for one in cells.settings if one.column in cells.keys or is_reported(one, runs)]
    rows = [(plain(words(key)), ", ".join(in_markdown(value, key) for value in different(cells, key))) for key in keys]
    rows.append(("seed", in_ranges(runs["seed"])))
    blocks: list[Text | Grid] = [
        Grid(pd.DataFrame(rows, columns=["setting", "values"])),
    ]
    if each := by_initialisation(runs, cells.ranks):
        blocks.append(Text(f"`auto` weight initialisation was {each}."))
    predicted = of_study(cells)
    nothing = [Text(selection_note(cells))] if cells.select is None else []
    return [*blocks, *nothing, *([Text(predicted)] if predicted else [])]


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
    of = f"{len(diverged)} of {counted(len(cells.runs), 'run')}{but_for(cells)}"
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


def table_section(table: Table, note: str, level: int = 3) -> Section:
    """Put a table together with its note and where its numbers are."""
    shown, below = table.on_page or (table.wide, {})
    more = (Grid(frame, name, first=str(frame.columns[0]), folded=True) for name, frame in below.items())
    blocks: tuple[Grid | Text, ...] = (Grid(shown), *more, Text(note, f"tables/{table.name}.csv"))
    return Section(level, table.title, blocks, anchor(TABLE, table.name))


def figure_section(drawing: Drawing, caption: str) -> Section:
    """Put a figure's pictures together with its caption and where its numbers are."""
    pictures = tuple(
        Picture(drawing.title, f"figures/{drawing.stem(page)}.{drawing.formats.in_pages}", drawing.spec, rows)
        for page, rows in drawing.pages.items()
    )
    numbers = Text(caption, f"figures/{drawing.name}.csv")
    return Section(3, drawing.title, (*pictures, numbers), anchor(FIGURE, drawing.name))


def how_it_was_made(home: Path, manifest: Mapping[str, Any]) -> tuple[Items, Text]:
    """Say versions and platform, and how to make it again: facts that do not change from one report to the next."""
    versions = manifest.get("versions") or {}
    facts = {key: manifest.get(key) for key in ("python", "platform", "device", "devices", "git_revision", "revision")}
    items = [
        *([", ".join(plain(f"{package} {versions[package]}") for package in sorted(versions))] if versions else []),
        *(plain(f"{words(key)}: {fact}") for key, fact in facts.items() if isinstance(fact, str | int | float)),
    ]
    again = (
        f"{code(commands.typed('report', home))} "
        "writes these tables and figures again from the stored measurements; "
        "`actlab run study.yaml --out .` in that folder trains what is missing."
    )
    return Items(tuple(items)), Text(again)
