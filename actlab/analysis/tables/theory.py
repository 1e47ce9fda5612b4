"""Theory: every number that is predicted beside the one that was measured, and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence

from actlab.analysis.cells import Cells, cell_keys, sort_rows
from actlab.analysis.deviations import (
    DEVIATION,
    PREDICTED,
    WITHIN,
    deviation_text,
    joined,
    networks,
    of_study,
    predicted_text,
    theory_note,
)
from actlab.analysis.drawings import subject
from actlab.analysis.escaping import plain
from actlab.analysis.estimates import available, long, records_at, summarise
from actlab.analysis.layout import Table, estimate, in_markdown, records, words
from actlab.analysis.notes import intervals_note, listed
from actlab.analysis.parts import table
from actlab.analysis.tables.base import positions
from actlab.analysis.variation import SEED, over_repeats
from actlab.later import pd
from actlab.measures import LOG10

MOST_ROWS = 20
BETWEEN, WHOLE = "between", "whole network"
OF_DEATH = ("dead_fraction", "no_gradient_fraction", "born_dead_fraction")
EXPECTED = 0.954  # of a normal distribution within two standard deviations


def at_init(cells: Cells) -> pd.DataFrame:
    """Take what was measured of the selected runs at step 0 and is predicted: of layers, and of whole networks."""
    there = cells.predictions[cells.predictions["measure"] != ""]
    parts = []
    for frame, rows in ((cells.layers, there["layer"] > 0), (cells.steps, there["layer"] == 0)):
        names = available(frame, dict.fromkeys(there.loc[rows, "measure"].str.removeprefix(LOG10)))
        if names:
            parts.append(long(records_at(frame, cells.selected, "init", names), names))
    out = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["run", "measure", "value"])
    return out.assign(layer=out["layer"].fillna(0).astype(int) if "layer" in out else 0)


@table
def predictions(cells: Cells) -> Table | None:
    """What mean-field theory predicts at initialisation beside what was measured, with the deviation."""
    if cells.predictions.empty or (cells.predictions["measure"] == "").all():
        return None
    values = at_init(cells)
    single = networks(cells, values)
    if single.empty:
        return None
    keys = cell_keys(cells)
    frame = joined(summarise(values, cells.selected, keys, own=cells.own), single, cells, keys)
    frame = frame[frame[PREDICTED].notna()]
    frame = with_scatter(frame, single, cells, keys)
    frame = frame.merge(positions(cells), "left", on=["depth", "layer"])
    frame["position"] = frame["position"].fillna(BETWEEN).where(frame["layer"] > 0, WHOLE)
    frame = sort_rows(frame.sort_values(["measure", "layer"], kind="stable"), keys, cells.ranks)
    worst = without_repeats(worst_first(frame, [subject(cells), "measure"]), subject(cells))
    sentences = [
        summary(single, cells),
        f"Printed is for each {plain(words(subject(cells)))} and measure the largest deviation, the largest first; "
        "every cell, layer and measure is in the CSV.",
        *([f"{len(worst) - MOST_ROWS} more are in the CSV only."] if len(worst) > MOST_ROWS else []),
        theory_note(cells, frame, later=False),
        "*standard errors*: the same difference, in the standard deviation that a mean over so many networks is "
        "expected to have: beyond ±3 it is no chance, and theory is off by that much at this width.",
        assumptions(cells),
        of_study(cells),
        intervals_note(frame, f" over {over_repeats(frame)}"),
    ]
    note = " ".join(filter(None, sentences))
    return Table("Measured beside predicted at initialisation", note, frame, wide(worst[:MOST_ROWS], keys))


def with_scatter(frame: pd.DataFrame, single: pd.DataFrame, cells: Cells, keys: Sequence[str]) -> pd.DataFrame:
    """Add how single networks scatter: their share within two spreads, and their standard deviation in spreads."""
    all_of = single.merge(cells.runs[["run", SEED, *keys]], on="run").drop_duplicates([*keys, SEED, "measure", "layer"])
    by = [*keys, "measure", "layer"]
    all_of = all_of.assign(within=all_of[DEVIATION].abs() <= WITHIN)
    grouped = all_of.groupby(by, dropna=False)
    scatter = grouped.agg(share_within=("within", "mean"), scatter=(DEVIATION, "std")).reset_index()
    return frame.merge(scatter, "left", on=by)


def worst_first(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Take the row with the largest deviation of each group, the largest first."""
    size = frame[DEVIATION].abs()
    order = frame.assign(_=size).sort_values("_", ascending=False, kind="stable").dropna(subset="_")
    return order.drop(columns="_").groupby(list(by), sort=False, dropna=False).head(1).reset_index(drop=True)


def without_repeats(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Leave out rows of a measure that is predicted and measured to be what another one of the same cell is.

    Units that are dead have no gradient, and those that are dead at step 0 are born dead: three names of one number.
    """
    same = [name for name in (by, "position", "layer", "mean", PREDICTED, DEVIATION) if name in rows]
    one_kind = rows["measure"].isin(OF_DEATH)
    return rows[~(one_kind & rows[one_kind].duplicated(same).reindex(rows.index, fill_value=False))]


def summary(single: pd.DataFrame, cells: Cells) -> str:
    """Say what share of single networks lies within two spreads of their prediction, of all values and by measure."""
    cell_of = (
        single.dropna(subset=DEVIATION)
        .merge(cells.runs[["run", SEED]], on="run")
        .drop_duplicates(["measure", "layer", SEED, PREDICTED, "value"])
    )  # runs that differ in their training alone begin as one network
    if cell_of.empty:
        return ""
    within = cell_of[DEVIATION].abs() <= WITHIN
    by_measure = within.groupby(cell_of["measure"], sort=False).mean().sort_values(kind="stable")
    each = [f"{plain(words(str(name)))} {100 * share:.0f} %" for name, share in by_measure.items()]
    return (
        f"Of {len(within):,} values of single networks {100 * within.mean():.0f} % lie within {WITHIN:g} expected "
        f"spreads of their prediction ({100 * EXPECTED:.0f} % would of a normal distribution): {listed(each)}."
    )


def assumptions(cells: Cells) -> str:
    """Say under what assumptions predictions were made: each once, and which of them others add to.

    >>> from types import SimpleNamespace
    >>> two = ["infinite width", "infinite width and many inputs; spread of Gaussian weights"]
    >>> assumptions(SimpleNamespace(predictions=pd.DataFrame({"measure": ["a", "b"], "assumption": two})))
    'Assumed is (1) infinite width, (2) infinite width and many inputs, with the spread of Gaussian weights.'
    """
    there = cells.predictions.loc[cells.predictions["measure"] != "", "assumption"].astype(str)
    named = [plain(text.replace("; spread of", ", with the spread of").replace("; ", ", ")) for text in unique(there)]
    if len(named) < 2:
        return f"Assumed is {named[0]}." if named else ""
    return f"Assumed is {', '.join(f'({place}) {text}' for place, text in enumerate(named, 1))}."


def unique(texts: pd.Series) -> list[str]:
    """List texts that are not empty, each once."""
    return [text for text in dict.fromkeys(texts) if text]


def wide(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Lay rows out for people: keys, measure and place, measured, predicted and the deviation."""
    shown = [key for key in keys if key == "activation" or rows[key].nunique(dropna=False) > 1]
    place = {WHOLE: WHOLE, BETWEEN: "{}"}
    layers = [
        place.get(at, f"{at} ({{}})").format(layer) for at, layer in zip(rows["position"], rows["layer"], strict=True)
    ]
    columns = {plain(words(key)): [in_markdown(value, key) for value in rows[key]] for key in shown}
    columns |= {
        "measure": [plain(words(str(name))) for name in rows["measure"]],
        "layer": layers,
        "measured": [estimate(row) for row in records(rows)],
        PREDICTED: [predicted_text(row) for row in records(rows)],
        DEVIATION: [deviation_text(x) for x in rows[DEVIATION]],
        "standard errors": [deviation_text(x) for x in rows["standard_errors"]],
    }
    return pd.DataFrame(columns)
