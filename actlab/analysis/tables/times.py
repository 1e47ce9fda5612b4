"""Times: how soon runs met the target, with those that never did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from actlab.analysis.cells import Cells, cell_keys, sort_rows
from actlab.analysis.censored import FEWEST_PAIRS, Soonest, median_time, soonest
from actlab.analysis.intervals import BESIDE
from actlab.analysis.layout import UNDECIDED, Table, lay_out, marked, number, records, setting
from actlab.analysis.notes import notes
from actlab.analysis.parts import table
from actlab.analysis.tables.base import by_cell, with_selected, without
from actlab.analysis.ties import MARKS
from actlab.analysis.variation import SEED, SPLIT, split_varies
from actlab.later import pd
from actlab.naming import counted

MEDIAN = "Kaplan–Meier median"
TIME = "steps_to_target"

NOUNS = {SPLIT: "split", SEED: "seed"}


@table
def convergence(cells: Cells) -> Table | None:
    """Share of runs that met the stated validation loss, and the step by which half of them had."""
    keys = cell_keys(cells)
    runs = cells.selected
    times = times_of(runs)
    got_there = np.isfinite(times["time"])
    reached = runs[["run"]].assign(measure="target_reached", value=got_there.astype(float))
    share = by_cell(cells, reached, keys).drop(columns="missing").assign(censored=0)
    frame = sort_rows(medians(times, keys), keys, cells.ranks)
    repeat = repeat_of(times, keys)
    frame, judged = mark_soonest(frame, times, cells, keys, repeat)
    texts = [marked(in_cell(row), row) for row in records(frame)]
    wide = lay_out(frame.assign(text=texts), without(keys, "depth"), ["depth"])
    both = pd.concat([frame, share], ignore_index=True)[[*dict.fromkeys((*keys, *frame, *share))]]
    both[[*MARKS]] = both[[*MARKS]].eq(True)  # where the share has none: False
    pairs = runs[["data", "target_loss"]].drop_duplicates().sort_values("data")
    targets = ", ".join(
        f"{data} {number(loss)}" for data, loss in zip(pairs["data"], pairs["target_loss"], strict=True)
    )
    what = (
        f"How many runs of a cell reached the target, a validation loss of at most ({targets}), and the step by which "
        "half of all of them had (Kaplan–Meier median; least to greatest), where half did. *never*: not within its "
        f"steps; a diverged run never did. {resolution(frame)}"
    )
    said = notes(cells, share, what, selected=True, whose=" of the share that reached, in the CSV,")
    note = f"{said} {verdicts(judged, NOUNS[repeat])}"
    return Table("Steps to target", note.strip(), with_selected(both, cells), wide)


def times_of(runs: pd.DataFrame) -> pd.DataFrame:
    """Add the column ``time``: ∞ where a run never got there, or diverged."""
    got_there = runs["target_reached"].astype(bool) & (runs["status"] == "ok")
    return runs.assign(time=runs[TIME].astype(float).where(got_there, math.inf))


def medians(times: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Take the median and the range of the column ``time`` in each cell, ∞ for runs that never got there.

    Returns:
        one row per cell, with the columns of an estimate, of which ``mean`` and its bounds are empty; ``n`` counts the
        runs that got there, ``every`` is the fewest steps between two evaluations that any run of the cell had.
    """
    rows = []
    for values, cell in times.groupby(list(keys), dropna=False, sort=False):
        time, lost = cell["time"].to_numpy(float), int((cell["status"] != "ok").sum())
        n = int(np.isfinite(time).sum())
        rows.append(
            dict(zip(keys, values, strict=True))
            | {"measure": TIME}
            | dict.fromkeys(("mean", "low", "high"), math.nan)
            | {"n": n, "runs": len(cell), "diverged": lost, "censored": len(cell) - n - lost, "method": MEDIAN}
            | dict.fromkeys(BESIDE, math.nan)
            | {"median": median_time(time), "least": time.min(), "greatest": time.max()}
            | {"every": float(cell["evaluate_every"].min()) if "evaluate_every" in cell else math.nan}
        )
    return pd.DataFrame(rows)


def repeat_of(times: pd.DataFrame, keys: Sequence[str]) -> str:
    """Say which column tells pairs apart: the split where several are, since its runs are no independent repeats."""
    return SPLIT if SPLIT not in keys and split_varies(times) else SEED


def mark_soonest(
    frame: pd.DataFrame, times: pd.DataFrame, cells: Cells, keys: Sequence[str], repeat: str = SEED
) -> tuple[pd.DataFrame, list[Soonest]]:
    """Add ``best``, ``undecided`` and ``p_value``: the soonest cell of a problem and depth, and what may be as soon.

    A column of which no cell is told apart from the soonest has no mark.
    """
    frame = frame.assign(**dict.fromkeys(MARKS, False), p_value=math.nan)
    fixed = {one.column for one in cells.settings if one.problem}
    numbered = times.merge(frame[[*keys]].assign(_row=frame.index), on=list(keys))
    found = []
    for _, rows in frame.groupby([*(key for key in keys if key in fixed), "measure"], dropna=False):
        here = numbered[numbered["_row"].isin(rows.index)]
        column = here.groupby([repeat, "_row"])["time"].median().unstack("_row")
        judged = soonest(column)
        found.append(judged)
        if judged.later:
            frame.loc[judged.best, "best"] = True
            frame.loc[list(judged.undecided), "undecided"] = True
        for row, p_value in judged.p_values.items():
            frame.loc[row, "p_value"] = p_value
    return frame, found


def in_cell(row: Mapping[str, Any]) -> str:
    """Write how many runs got there, then the median and range of the times of all, where half did.

    >>> row = {"n": 3, "runs": 5, "diverged": 0, "median": 500.0, "least": 250.0, "greatest": math.inf, "every": 250.0}
    >>> in_cell(row), in_cell(row | {"n": 2, "median": math.inf, "diverged": 1})
    ('3 of 5 reached: 500 (≤ 250 to never)', '2 of 5 reached (1 diverged)')
    """
    lost = f"{row['diverged']} diverged" if row["diverged"] else ""
    text = f"{row['n']} of {row['runs']} reached"
    if not math.isfinite(row["median"]):
        return f"{text} ({lost})" if lost else text

    def step(time: float) -> str:
        if math.isinf(time):
            return "never"
        return f"≤ {setting(time)}" if 0 < time <= row["every"] else setting(time)

    differ = row["least"] != row["greatest"]
    beside = [*([f"{step(row['least'])} to {step(row['greatest'])}"] if differ else []), *([lost] if lost else [])]
    return f"{text}: {step(row['median'])}" + (f" ({'; '.join(beside)})" if beside else "")


def resolution(frame: pd.DataFrame) -> str:
    """Say how exactly a time is known, and of how many cells no more than that it is within the first evaluation.

    >>> one = {"n": 5, "runs": 5, "median": 250.0, "every": 250.0}
    >>> resolution(pd.DataFrame([one, one | {"median": 500.0}]))
    'Evaluated every 250 steps: a time is known to within them, and of 1 of 2 cells no more than that it is within the \
first (≤ 250).'
    """
    every = sorted(set(frame["every"].dropna()))
    if not every or every == [1]:
        return ""
    first = int(((frame["median"] > 0) & (frame["median"] <= frame["every"])).sum())
    steps = " or ".join(map(setting, every))
    only = f", and of {first} of {counted(len(frame), 'cell')} no more than that it is within the first (≤ {steps})"
    return f"Evaluated every {steps} steps: a time is known to within them{only if first else ''}."


def verdicts(judged: Sequence[Soonest], repeat: str = "seed") -> str:
    """Say what is marked, by which test, and where nothing is.

    ``repeat`` is of what two runs are a pair: of one seed or, where these vary, of one split.
    """
    compared = [one for one in judged if one.comparisons]
    if not compared:
        return ""
    told = [one for one in compared if one.later]
    shared = [one for one in compared if one.shared]
    few = [one for one in compared if one.best is not None and not one.p_values]
    rest = [one for one in compared if one.p_values and not one.later]
    most = max(one.comparisons for one in compared)
    sentences = []
    if told:
        drawn = max(one.resamples for one in told)
        bonferroni = f", × {most} for all pairs of a column, of which the best is chosen" if most > 1 else ""
        sentences.append(
            f"**Bold**: the soonest of a column, by the mean rank of its runs, never last; {UNDECIDED}: not told apart "
            f"from it; unmarked: later, by a permutation test of the ranks in pairs of one {repeat} (all exchanges, or "
            f"{drawn:,} drawn ones; p ≤ .05{bonferroni})."
        )
    if few:
        pairs, needed = min(one.pairs for one in few), max(one.needed for one in few)
        number = f"fewer than {FEWEST_PAIRS}" if pairs < FEWEST_PAIRS else str(pairs)
        times = f" once it is corrected for {counted(max(one.comparisons for one in few), 'comparison')}"
        sentences.append(
            f"Which cell is the soonest is not judged{of_columns(few, compared)}: {number} pairs of one {repeat} can "
            f"tell none apart{times if most > 1 else ''}; it takes {needed} {repeat}s at the least."
        )
    if shared:
        sentences.append(
            f"No cell is the soonest{of_columns(shared, compared)}: several are the first at this resolution."
        )
    if rest:
        sentences.append(f"No cell is told apart from the soonest{of_columns(rest, compared)}.")
    none = [one for one in compared if one.best is None and not one.shared]
    if none:
        sentences.append(f"No run reached it{of_columns(none, compared)}.")
    return " ".join(sentences)


def of_columns(some: Sequence[Soonest], compared: Sequence[Soonest]) -> str:
    """Say in how many of the columns something holds; nothing where in all."""
    return "" if len(some) == len(compared) else f" in {len(some)} of {counted(len(compared), 'column')}"
