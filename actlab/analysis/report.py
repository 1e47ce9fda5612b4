"""The report of a study: every table and figure on disk, and one page that puts them together.

Nothing in it depends on when or in which order it was made: the same measurements give the same bytes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pandas as pd
from tabulate import tabulate

from actlab.analysis import claims, figures, tables
from actlab.analysis.cells import Cells, Select, build_cells, sort_rows
from actlab.analysis.layout import Table, pipe_table, setting, words, write_table
from actlab.analysis.run_summary import run_summary
from actlab.measures import from_plain

__all__ = ["headline", "run_summary", "write"]

# Longer tables are folded: the report stays readable, and everything is in it.
FOLD_FROM = 24
SETTINGS = ("data", "task", "train_rows", "activation", "depth", "width", "weight_init", "weight_gain", "bias_init")
SETTINGS_TRAIN = ("optimizer", "learning_rate", "batch_size", "steps", "weight_decay", "seed")
# Told where a run has them.
OPTIONS = {"norm": "none", "residual": False, "dropout": 0.0, "dropout_kind": "", "schedule": "constant"}
OPTIONS |= {"clip_norm": None}


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
) -> list[Path]:
    """Write ``tables/``, ``figures/`` and ``report.md`` into a study's folder.

    Args:
        folder: the study's own.
        study: the resolved study; ``report`` may hold ``select``, ``tables`` and ``figures``.
        manifest: versions and platform.
        runs, steps, layers: the study's frames, rows in any order.
        progress: called with how many pictures are done, and how many there are to be.
        helper: a process that draws too.
        find: gives another study's cells by its name, None where it is not at hand: for claims on several.

    Returns:
        the files written, tables first.

    Raises:
        ValueError: the study names a table or figure that does not exist.
        ClaimsError: its claims file cannot be used.
        MeasureError: the manifest's records of the user's measures are not readable.
    """
    wanted = study.get("report") or {}
    found = study_cells(study, manifest, runs, steps, layers)
    table_names = names(wanted.get("tables"), tables.DEFAULT_TABLES, tables.TABLES, "table")
    figure_names = names(wanted.get("figures"), figures.DEFAULT_FIGURES, figures.FIGURES, "figure")
    progress(0, len(figure_names))
    made_tables = tables.make_tables(found, table_names)
    drawn = {name: figures.FIGURES[name](found) for name in figure_names}
    paths = []
    clear(folder)
    if study.get("claims"):
        verdicts = claims.decide(claims.load(folder / str(study["claims"])), found, str(study.get("study")), find)
        made_tables = {verdicts.name: verdicts, **made_tables}
    for table in made_tables.values():
        paths += write_table(table, folder / "tables") if table is not None else []
    drawings = [drawing for drawing in drawn.values() if drawing is not None]
    if drawings:
        paths += figures.write_figures(drawings, folder / "figures", helper, progress)
    report = folder / "report.md"
    report.write_text(page(study, manifest, found, made_tables, drawn), encoding="utf-8", newline="\n")
    return [*paths, report]


def study_cells(
    study: Mapping[str, Any],
    manifest: Mapping[str, Any],
    runs: pd.DataFrame,
    steps: pd.DataFrame,
    layers: pd.DataFrame,
) -> Cells:
    """The cells of a study by its own selection rule, with what its manifest says of its measures.

    Raises:
        MeasureError: the manifest's records of the user's measures are not readable.
    """
    rule = select_rule(study.get("report") or {})
    return build_cells(runs, steps, layers, rule, from_plain(manifest.get("measures", {})))


def headline(study: Mapping[str, Any], runs: pd.DataFrame, steps: pd.DataFrame, layers: pd.DataFrame) -> str:
    """What a study found, for the terminal: its question and the table of final performance."""
    found = build_cells(runs, steps, layers, select_rule(study.get("report") or {}))
    table = tables.TABLES["performance"](found)
    assert table is not None  # every run has a final loss
    plain = table.wide.map(lambda text: re.sub(r"\*\*(.+?)\*\*", r"\1 *", str(text)).replace("`", ""))
    body = tabulate(plain.to_numpy().tolist(), list(plain.columns), "simple", disable_numparse=True)
    marks = "* best of its column; † not told apart from it (95 %)."
    chosen = f" {words(found.select.column).capitalize()} selected by {words(found.select.by)}." if found.select else ""
    return "\n".join([str(study.get("question", "")).strip(), "", table.title, body, f"{marks}{chosen}"]).strip()


def select_rule(wanted: Mapping[str, Any]) -> Select | None:
    """The selection rule of a study: its own, none where it says ``null``, the default where it says nothing."""
    if "select" not in wanted:
        return Select()
    rule = wanted["select"]
    return None if rule is None else Select(**{key: str(value) for key, value in rule.items()})


def names(asked: Sequence[str] | None, default: Sequence[str], valid: Mapping[str, Any], kind: str) -> list[str]:
    """The names asked for, or the default ones; each must be valid."""
    chosen = list(dict.fromkeys(default if asked is None else asked))
    for name in chosen:
        if name not in valid:
            raise ValueError(f"unknown {kind} '{name}'; choose from {', '.join(valid)}")
    return chosen


def clear(folder: Path) -> None:
    """Remove what an earlier report wrote, so that no table or picture outlives its reason."""
    for part, suffixes in (("tables", (".csv", ".md", ".tex")), ("figures", (".csv", ".png", ".svg"))):
        known = (*tables.TABLES, "claims") if part == "tables" else tuple(figures.FIGURES)
        for path in sorted((folder / part).glob("*")):
            ours = any(path.stem == name or path.stem.startswith(f"{name}-") for name in known)
            if ours and path.suffix in suffixes:
                path.unlink()


def page(
    study: Mapping[str, Any],
    manifest: Mapping[str, Any],
    found: Cells,
    made_tables: Mapping[str, Table | None],
    drawn: Mapping[str, figures.Drawing | None],
) -> str:
    """``report.md`` as text."""
    name = str(study.get("study", "study"))
    parts = [f"# {name}", str(study.get("question", "")).strip(), "## What was run", *what_was_run(found)]
    parts += ["## Tables"]
    for table in made_tables.values():
        parts += table_section(table) if table is not None else []
    none = [words(key) for key, table in made_tables.items() if table is None]
    if none:
        parts.append(f"Not applicable to this study: {', '.join(none)}.")
    if drawn:
        parts.append("## Figures")
    for drawing in drawn.values():
        parts += figure_section(drawing) if drawing is not None and drawing.pages else []
    none = [words(key) for key, drawing in drawn.items() if drawing is None or not drawing.pages]
    if none:
        parts.append(f"Not applicable to this study: {', '.join(none)}.")
    parts += ["## How it was made", *how_it_was_made(name, manifest)]
    return "\n\n".join(part for part in parts if part) + "\n"


def what_was_run(found: Cells) -> list[str]:
    """Paragraphs on the runs: how many, what varied, which diverged, which initialisation ``auto`` was."""
    runs = found.runs
    cells = runs.drop_duplicates(found.keys) if found.keys else runs.head(1)
    diverged = runs[runs["status"] != "ok"]
    seeds = runs["seed"].nunique()
    parts = [f"{count(len(runs), 'run')}: {count(len(cells), 'cell')} and {count(seeds, 'seed')}."]
    rows = []
    for key in (*SETTINGS, *SETTINGS_TRAIN):
        if key in runs:
            values = (
                sorted(set(runs[key]), key=lambda value: (found.ranks.get(value, 0), value))
                if key == "activation"
                else sorted(set(runs[key]))
            )
            rows.append((words(key), ", ".join(setting(value, key) for value in values)))
    options = [key for key, without in OPTIONS.items() if key in runs and set(runs[key].dropna()) - {without}]
    for key in dict.fromkeys([*found.keys, *options]):
        if key not in (*SETTINGS, *SETTINGS_TRAIN):
            different = runs[key].drop_duplicates().sort_values()
            rows.append((words(key), ", ".join(setting(value, key) for value in different)))
    parts.append(pipe_table(pd.DataFrame(rows, columns=["setting", "values"])))
    auto = runs[runs["weight_init"] == "auto"] if "weight_init_used" in runs else runs.head(0)
    if len(auto):
        used = auto.groupby("weight_init_used")["activation"].unique()
        told = "; ".join(
            f"`{name}` for {', '.join(f'`{a}`' for a in sorted(used[name], key=found.ranks.__getitem__))}"
            for name in used.index
        )
        parts.append(f"`auto` weight initialisation was {told}.")
    parts.append(tables.selection_note(found))
    parts += diverged_runs(diverged, found)
    return parts


def diverged_runs(diverged: pd.DataFrame, found: Cells) -> list[str]:
    """Which runs diverged, by cell."""
    if diverged.empty:
        return ["No run diverged."]
    keys = tables.cell_keys(found, found.keys)
    grouped = diverged.groupby(keys, dropna=False)
    rows = grouped.agg(seeds=("seed", lambda s: ", ".join(map(str, sorted(s)))), first=("diverged_step", "min"))
    frame = sort_rows(rows.reset_index(), keys, found.ranks)
    wide = pd.DataFrame({words(key): [setting(value, key) for value in frame[key]] for key in keys})
    wide["seeds"], wide["first step"] = frame["seeds"].to_numpy(), [setting(float(step)) for step in frame["first"]]
    text = (
        f"{len(diverged)} of {len(found.runs)} runs diverged (a minibatch loss, or the whole split's, was not finite):"
    )
    return [text, folded(pipe_table(wide), len(wide), "the diverged runs")]


def table_section(table: Table) -> list[str]:
    """A table's heading, its body (folded where long) and its note."""
    return [
        f"### {table.title}",
        folded(pipe_table(table.wide), len(table.wide), "the table"),
        f"{table.note} [CSV](tables/{table.name}.csv)",
    ]


def figure_section(drawing: figures.Drawing) -> list[str]:
    """A figure's heading, its pictures and its caption."""
    pictures = [f"![{drawing.title}](figures/{stem}.png)" for stem in drawing.pages]
    return [f"### {drawing.title}", *pictures, f"{drawing.caption} [CSV](figures/{drawing.name}.csv)"]


def folded(body: str, rows: int, what: str) -> str:
    """A long table behind a click."""
    if rows < FOLD_FROM:
        return body
    return f"<details><summary>{rows} rows: show {what}</summary>\n\n{body}\n\n</details>"


def how_it_was_made(name: str, manifest: Mapping[str, Any]) -> list[str]:
    """Versions and platform, and how to make it again: facts that do not change from one report to the next."""
    lines = []
    versions = manifest.get("versions")
    if isinstance(versions, Mapping):
        lines.append(", ".join(f"{package} {versions[package]}" for package in sorted(versions)))
    for key in ("python", "platform", "device", "devices", "git_revision", "revision"):
        value = manifest.get(key)
        if isinstance(value, str | int | float):
            lines.append(f"{words(key)}: {value}")
    body = "\n".join(f"- {line}" for line in lines)
    again = f"`actlab report results/{name}` writes these tables and figures again from the stored measurements; "
    again += "`actlab run study.yaml --out .` in that folder trains what is missing."
    return [body, again]


def count(number: int, what: str) -> str:
    """A number and its noun.

    >>> count(1, "run"), count(3, "seed")
    ('1 run', '3 seeds')
    """
    return f"{number} {what}{'' if number == 1 else 's'}"
