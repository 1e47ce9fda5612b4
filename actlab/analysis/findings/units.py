"""Units: whose die, at which rates, whether they come back, and who has weak ones instead."""

from __future__ import annotations

from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.findings.base import (
    MOST_LONG,
    Finding,
    Row,
    Tables,
    called,
    keys_of,
    kind,
    middle,
    named,
    of_runs,
    only_value,
    tied,
    varied,
    whole,
    with_numbers,
)
from actlab.analysis.layout import estimate, in_markdown, number, records, words
from actlab.analysis.tables.units import HALF, begin_dead
from actlab.later import pd
from actlab.naming import counted

RATE, OPTIMIZER = "learning_rate", "optimizer"
FIGURES = ("dying", "weakening")
SOURCES = (
    ("dead_units", "dead_fraction", ("Units are", "No unit is", "dead {at_last}")),
    ("death", "ever_dead_fraction", ("Units were", "No unit was", "dead at some evaluation")),
)
"""Tables that say which units died, the measure of each, and what it is."""


def born_dead(cells: Cells, tables: Tables) -> Finding | None:
    """How many networks are born dead, of each initialiser or activation; where the most are; what becomes of them."""
    if "dead_networks" not in tables:
        return None
    frame = tables["dead_networks"].frame
    keys = varied(frame, keys_of(cells, frame, all_values=True))
    frame = frame[(frame["at"] == "init") & (frame["n"] > 0)]
    if not frame["born_dead"].any():
        return None
    by = "weight_init" if "weight_init" in keys else "activation"
    rest = [key for key in keys if key != by and (key != "activation" or frame["activation"].nunique() > 1)]
    parts: list[str] = []
    for value, rows in frame.groupby(by, sort=False, dropna=False):
        text = (
            f"{rows['born_dead'].sum():.0f} of {counted(int(rows['n'].sum()), 'network')} with {in_markdown(value, by)}"
        )
        text += "" if parts else " are born dead, that is, have a hidden layer that is dead before training"
        most = rows[rows["mean"] == rows["mean"].max()]
        worst = f" ({worst_of(most, rest)})" if rows["mean"].max() > 0 and rest else ""
        parts.append(f"{text}{worst}")
    born, stayed, trained = (int(frame[name].sum()) for name in ("born_dead", "stayed_dead", "born_trained"))
    text = f"{'; '.join(parts)}."
    became = ""
    if not cells.untrained:
        still, did = ("all" if count == born else count or "none" for count in (stayed, trained))
        became = f" Of these {born}, {still} {'is' if still == 1 else 'are'} still dead at the end, and {did} trained."
    return Finding(f"{text}{became}", "dead_networks")


def worst_of(rows: pd.DataFrame, keys: list[str]) -> str:
    """Write how many runs of the worst cell it is, or of each of several that are as bad."""
    first = records(rows)[0]
    if len(rows) == 1:
        return f"in the worst cell, {called(first, keys)}: {of_runs(first)}"
    each = [called(row, keys) for row in records(rows.head(MOST_LONG))]
    more = [f"{len(rows) - MOST_LONG} more"] * (len(rows) > MOST_LONG)
    return f"in the {len(rows)} worst cells, {'; '.join([*each, *more])}: {of_runs(first)} each"


def in_cell(row: Row) -> str:
    """Write a share of units as the tables do."""
    return estimate(row, 3)


def dead(tables: Tables) -> tuple[str, tuple[str, str, str], pd.DataFrame]:
    """Take the rows that say whose units died, with their table and what they are; none where the report has none."""
    for name, measure, what in SOURCES:
        if name in tables:
            frame = tables[name].frame
            frame = frame[(frame["measure"] == measure) & (frame["n"] > 0)]
            if len(frame):
                return name, what, frame.reset_index(drop=True)
    return "", ("", "", ""), pd.DataFrame()


def greatest(frame: pd.DataFrame) -> pd.DataFrame:
    """Take the row with the largest estimate of each activation, the largest first."""
    ordered = frame.assign(_=middle(frame)).sort_values("_", ascending=False, kind="stable")
    return ordered.groupby("activation", sort=False).head(1)


def largest(most: pd.DataFrame, keys: list[str]) -> str:
    """Write the largest share of units of any cell, of several activations each one's."""
    where = "in the worst cell of each" if len(most) > 1 else "in the worst cell"
    return f"{where} the {kind(most)} share is {with_numbers(most, keys, in_cell)}"


def deaths(cells: Cells, tables: Tables) -> Finding | None:
    """Whose units die, where the most do, and at which rates; whose never do."""
    table, (units, no_unit, when), frame = dead(tables)
    if frame.empty:
        return None
    when = when.format(at_last=cells.at_last)
    keys = varied(frame, keys_of(cells, frame, all_values=True))
    figures = FIGURES if table == "dead_units" else ()  # they draw what is dead at the end
    die = frame.groupby("activation", sort=False)["mean"].max() > 0
    without = frame.drop_duplicates("activation")
    without = without[~without["activation"].map(die)]
    sound = "run" if (frame["n"] == frame["runs"]).all() else "run that did not diverge"
    if not die.any():
        return Finding(f"{no_unit} {when} in any {sound}.", table)
    full = frame[whole(frame)]
    at_birth = half_begin_dead(cells, full)
    full = full[~at_birth]
    most = greatest(full[full["activation"].map(die)])
    none = f" None is with {named(without, ['activation'])} in any {sound}." if len(without) else ""
    if most.empty or not (most["_"] > 0).any():
        dying = frame.drop_duplicates("activation")
        text = f"{units} {when} with {named(dying[dying['activation'].map(die)], ['activation'])}.{none}"
        return Finding(text, table, figures)
    left_out = ["with a diverged run"] * (not whole(frame).all())
    left_out += ["that begin with a dead layer in at least half of the runs"] * bool(at_birth.any())
    partly = f" (cells {' and cells '.join(left_out)} are left out)" if left_out else ""
    text = f"{units} {when}: {largest(most, keys)}{partly}."
    return Finding(f"{text}{by_rate(full, most, keys, cells)}{none}", table, figures)


def half_begin_dead(cells: Cells, frame: pd.DataFrame) -> pd.Series:
    """Say which cells have a wholly dead layer before training in half of the runs, as the figure crosses them out."""
    keys = [key for key in cell_keys(cells, cells.keys) if key in frame]
    if "network_dead" not in cells.steps or not len(frame):
        return pd.Series(False, index=frame.index)
    there = frame[keys].merge(begin_dead(cells, keys), "left", on=keys)["born_with_dead_layer"]
    return pd.Series((there >= HALF).to_numpy(), index=frame.index)


def by_rate(frame: pd.DataFrame, most: pd.DataFrame, keys: list[str], cells: Cells) -> str:
    """Say how many units die in the worst cell at the ends of the grid of rates, of the activation that has most.

    Rates are compared within one optimizer, whatever the other settings.
    """
    if RATE not in keys:
        return ""
    top = records(most)[0]
    rows = frame[frame["activation"] == top["activation"]]
    rows = rows[rows[OPTIMIZER] == top[OPTIMIZER]] if OPTIMIZER in keys else rows
    names = [key for key in keys if key not in ("activation", RATE, OPTIMIZER)]
    rows = rows.assign(_=middle(rows)).sort_values("_", ascending=False, kind="stable")
    ends = {"lowest": rows[RATE].min(), "highest": rows[RATE].max()}
    ends = {end: rate for end, rate in ends.items() if rate != top[RATE]}
    if not ends:
        return ""
    texts = []
    for end, rate in ends.items():
        row = records(rows[rows[RATE] == rate].head(1))[0]
        which = f", {called(row, names)}" if names else ""
        texts.append(f"{in_cell(row)} at the {end} {words(RATE)} ({in_markdown(rate, RATE)}{which})")
    under = f" and {only_value(rows, OPTIMIZER)}" if OPTIMIZER in keys else ""
    name = named(tied(most, most.index[0], "_", cells), ["activation"])
    return f" With {name}{under} the worst cell has {' and '.join(texts)}."


def revived(cells: Cells, tables: Tables) -> Finding | None:
    """How many of the units that were dead are alive at the end: the least and the greatest share."""
    if "death" not in tables:
        return None
    frame = tables["death"].frame
    keys = varied(frame, keys_of(cells, frame, all_values=True))
    frame = frame[(frame["measure"] == "revival_rate") & (frame["n"] > 0)]
    full = frame[whole(frame)]
    if full.empty:
        return None
    ordered = full.assign(_=middle(full)).sort_values("_", kind="stable")
    low, high = records(ordered.iloc[[0, -1]])
    lowest = ordered[ordered["_"] == low["_"]]
    among = f"the {counted(len(full), 'cell')}" if len(full) > 1 else "the one cell"
    known = f"(in {among} in which every run had dead units)"
    if high["_"] == 0:
        return Finding(f"No unit that was dead at some evaluation is alive at the end {known}.", "death")
    text = f"Of the units that were dead at some evaluation, this {kind(full)} share is alive again at the end:"
    if 1 < len(lowest) == len(ordered):
        return Finding(f"{text} {number(low['_'])} in each cell {known}.", "death")
    each = [named(tied(ordered, ordered.index[end], "_", cells), keys) for end in (0, -1)]
    ends = [f"{in_cell(one)} with {those}" for one, those in zip((low, high), each, strict=True)]
    if 1 < len(lowest) < len(ordered):
        ends[0] = f"{in_cell(low)} in {counted(len(lowest), 'cell')}, as with {called(low, keys)},"
    span = f"from {ends[0]} to {ends[1]}" if len(full) > 1 else ends[0]
    return Finding(f"{text} {span} {known}.", "death")


def weak(cells: Cells, tables: Tables) -> Finding | None:
    """Where no unit dies, how many are weak: the activations without a dead unit that have the most."""
    if "dead_units" not in tables:
        return None
    frame = tables["dead_units"].frame
    keys = varied(frame, keys_of(cells, frame, all_values=True))
    of_death = frame[frame["measure"] == "dead_fraction"].groupby("activation")["mean"]
    alive = of_death.max()[of_death.max() == 0].index  # unknown is not 0
    most = greatest(frame[(frame["measure"] == "weak_fraction") & whole(frame) & frame["activation"].isin(alive)])
    most = most[most["_"] > 0]
    if most.empty:
        return None
    text = (
        f"Activations without a dead unit have weak ones {cells.at_last}, whose derivative is next to 0 on every row: "
        f"{largest(most, keys)}."
    )
    return Finding(text, "dead_units", FIGURES[::-1])
