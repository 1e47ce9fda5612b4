"""What runs came to: which networks train how deep, and which are the best of those that do."""

from __future__ import annotations

import math

from actlab.analysis import bimodal
from actlab.analysis.cells import Cells
from actlab.analysis.findings.base import (
    MOST_NAMED,
    Finding,
    Tables,
    at_depth,
    called,
    deepest,
    keys_of,
    named,
    of_runs,
    only_value,
    tied,
    varied,
    with_numbers,
)
from actlab.analysis.layout import in_markdown, number, records, words
from actlab.analysis.notes import listed
from actlab.analysis.tables.base import without
from actlab.analysis.tables.outcomes import TRAINED_SHARE
from actlab.analysis.ties import margin_of
from actlab.later import pd
from actlab.measures import about
from actlab.naming import counted

MOST_COLUMNS = 2
FIGURES = ("trained_by_depth", "accuracy_by_depth")


def trained(cells: Cells, tables: Tables) -> Finding | None:
    """Which networks train how deep: the deepest of which most runs trained, and how many did beyond."""
    if cells.untrained:
        return None
    if "trained" not in tables:
        return counts(cells, tables)
    frame = tables["trained"].frame
    others = without(keys_of(cells, frame), "depth")
    names = varied(frame, others)
    if frame["depth"].nunique() == 1:
        text = f"Trained at {only_value(frame, 'depth')}: {by_outcome(frame, names)}."
        return Finding(text, "trained", FIGURES)
    last = deepest(frame, others)
    whole = last[last["at_grid_end"]]
    parts = []
    if len(whole):
        deep = f"At {at_depth(last)}, the deepest here,"
        lines = frame.merge(whole[others].drop_duplicates(), on=others) if others else frame
        still = "still " * bool((lines["mean"] >= TRAINED_SHARE).all())  # not where a shallower depth does not train
        parts.append(f"{deep} networks {still}train with {named(whole, names)} ({least(whole)}).")
    rest = last[~last["at_grid_end"]].sort_values("deepest_trained_depth", ascending=False, kind="stable")
    for _, rows in rest.groupby("deepest_trained_depth", sort=False, dropna=False):
        depth = float(rows["deepest_trained_depth"].iloc[0])
        beyond = next_deeper(frame, rows, others, depth)
        which = listed([called(row, names) for row in records(beyond.head(MOST_NAMED))] + more_than_named(beyond))
        far = "at no depth" if math.isnan(depth) else f"up to depth {depth:g}"
        parts.append(f"With {which} {'they' if parts else 'networks'} train {far}: {of_next(beyond, names)}.")
    parts.append(f"Counted is a depth at which at least {100 * TRAINED_SHARE:.0f} % of the runs trained.")
    return Finding(" ".join(parts), "trained", FIGURES)


def more_than_named(rows: pd.DataFrame) -> list[str]:
    """Count what is not named of many."""
    return [f"{len(rows) - MOST_NAMED} more"] if len(rows) > MOST_NAMED else []


def of_next(rows: pd.DataFrame, names: list[str]) -> str:
    """Write how many runs trained at the next depth, of several cells each one's."""
    if len(rows) == 1:
        row = records(rows)[0]
        return f"at depth {row['depth']:g} {of_runs(row)}"
    each = [f"{of_runs(row)} with {called(row, names)}" for row in records(rows.head(MOST_NAMED))]
    depths = rows["depth"].nunique() == 1
    if not depths:
        each = [f"{text} (depth {row['depth']:g})" for text, row in zip(each, records(rows), strict=False)]
    return f"{f'at depth {rows.depth.iloc[0]:g} ' if depths else 'next '}{listed([*each, *more_than_named(rows)])}"


def next_deeper(frame: pd.DataFrame, rows: pd.DataFrame, others: list[str], depth: float) -> pd.DataFrame:
    """Take of each line the row of the next depth after ``depth``; of lines that train at none, their best."""
    lines = frame.merge(rows[others].drop_duplicates(), on=others) if others else frame
    lines = lines.assign(order=-lines["mean"]) if math.isnan(depth) else lines.assign(order=lines["depth"])
    lines = lines if math.isnan(depth) else lines[lines["depth"] > depth]
    first = lines.groupby(others, dropna=False, sort=False)["order"].idxmin() if others else [lines["order"].idxmin()]
    return lines.loc[first].drop(columns="order")


def least(rows: pd.DataFrame) -> str:
    """Write how many runs trained where several cells have about as many: the least of them."""
    one = records(rows.loc[[rows["mean"].idxmin()]])[0]
    alike = rows["mean"].nunique() == 1 and rows["n"].nunique() == 1
    return f"{'' if alike else 'at the least '}{of_runs(one)}{' each' * (alike and len(rows) > 1)}"


def by_outcome(rows: pd.DataFrame, names: list[str]) -> str:
    """Say of how many of their runs cells trained, those with as many together: the most first."""
    parts = []
    for _, alike in rows.sort_values("mean", ascending=False, kind="stable").groupby(["mean", "n"], sort=False):
        parts.append(f"{least(alike)} of {named(alike, names)}")
    if len(parts) > MOST_NAMED:
        parts = [*parts[: MOST_NAMED // 2], "...", *parts[-(MOST_NAMED // 2) :]]
    return "; ".join(parts)


def counts(cells: Cells, tables: Tables) -> Finding | None:
    """Of a report without shares: in how many cells every run trained, in how many some, in how many none."""
    if "performance" not in tables:
        return None
    frame = ranking(tables["performance"].frame)
    every, none = frame["n_trained"] == frame["runs"], frame["n_trained"] == 0
    if every.all() or none.all():
        which = "Every" if every.all() else "No"
        return Finding(f"{which} run of every cell trained.", "performance", FIGURES)
    groups = [(in_markdown(name, "activation"), rows.index) for name, rows in frame.groupby("activation", sort=False)]
    if 1 < len(groups) <= MOST_NAMED:
        each = [f"{every[at].sum()} of the {counted(len(at), 'cell')} of {name}" for name, at in groups]
    else:
        each = [f"{every.sum()} of the {counted(len(frame), 'cell')}"]
    rest = {"some runs trained and others did not": (~every & ~none).sum(), "none did": none.sum()}
    more = ", and ".join(f"in {number} {what}" for what, number in rest.items() if number)
    begin = f"Every run trained in {listed(each)}"
    if not every.any():
        begin = f"In none of {counted(len(frame), 'cell')} did every run train"
    return Finding(f"{begin}; {more}.", "performance", FIGURES)


def ranking(frame: pd.DataFrame) -> pd.DataFrame:
    """Take the metric by which activations are ranked, of which each cell has one."""
    return frame[frame["measure"].isin(["test_accuracy", "test_loss"])]


def best(cells: Cells, tables: Tables) -> Finding | None:
    """Which of the deepest networks that all trained is the best, which is as good, which is worse for certain."""
    if "performance" not in tables or cells.untrained:
        return None
    frame = ranking(tables["performance"].frame)
    columns = {one.column for one in cells.settings if one.problem and one.column in frame}
    marked = frame[frame["best"] | frame["as_good"] | frame["undecided"] | frame["behind"].notna()]
    marked = marked[marked["depth"] == marked["depth"].max()]
    by = [*sorted(columns - {"depth"}), "measure"]
    groups = [rows for _, rows in marked.groupby(by, dropna=False, sort=False)] if len(marked) else []
    keys = [key for key in keys_of(cells, frame) if key not in columns]
    where = [key for key in by[:-1] if frame[key].nunique() > 1]
    texts = [one_column(rows, varied(frame, keys), where, cells) for rows in groups]
    texts = [text for text in texts if text]
    if not texts:
        return None
    more = len(texts) - MOST_COLUMNS
    rest = f" {counted(more, 'further column')} of the table compare likewise." if more > 0 else ""
    return Finding(" ".join(texts[:MOST_COLUMNS]) + rest, "performance", FIGURES[::-1])


def one_column(rows: pd.DataFrame, names: list[str], where: list[str], cells: Cells) -> str:
    """Say of cells that were compared which is the best, as good, worse, and of which that is open (see ``ties``)."""
    measure = str(rows["measure"].iloc[0])
    record, top = about(measure), rows[rows["best"]]
    margin = margin_of(record)
    if top.empty or margin is None:
        return ""
    if len(top) == 1:  # of one function under two names the one is as high as the other
        top = tied(rows, top.index[0], "mean", cells)
    rows = rows.assign(**{name: rows[name] & ~rows.index.isin(top.index) for name in ("undecided", "as_good")})
    open_, good = rows[rows["undecided"]], rows[rows["as_good"]]
    worse = rows[~(rows.index.isin(top.index) | rows["undecided"] | rows["as_good"])].sort_values(
        "behind", ascending=False
    )
    extreme = "highest" if record.better == "higher" else "lowest"
    place = listed([only_value(rows, key) for key in [*where, "depth"]])
    decimals = 3 if measure == "test_accuracy" else None
    parts = [
        f"Of the {counted(len(rows), 'cell')} at {place} in which every run trained, the {extreme} mean "
        f"{words(measure)} is {with_numbers(top, names, lambda row: bimodal.estimate(row, decimals))}"
    ]
    if len(good):
        parts.append(f"As good (within {margin.words}): {named(good, names)}")
    if len(worse):
        furthest = records(worse.head(1))[0]
        those = named(tied(worse, worse.index[0], "behind", cells), names)
        how = "a factor of " if margin.ratio else ""
        gap = f"{how}{number(furthest['behind'])} [{number(furthest['behind_low'])}, {number(furthest['behind_high'])}]"
        which = f"{those}{' the most' * (len(worse) > 1)}, by {gap}"
        parts.append(f"Worse: {counted(len(worse), 'cell')}, {which}" if len(worse) > 1 else f"Worse: {which}")
    if len(open_):
        parts.append(f"Not decided: {named(open_, names)}")
    return f"{'. '.join(parts)}."
