"""Revival: of the units that were dead at some evaluation, how many are alive again, over training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actlab.analysis.cells import Cells
from actlab.analysis.drawings import GRID, Drawing, Spec, drawing
from actlab.analysis.estimates import available, long, summarise
from actlab.analysis.figures.base import NAMED, in_short
from actlab.analysis.layout import records, setting, words
from actlab.analysis.notes import listed, mean_of
from actlab.analysis.parts import figure
from actlab.analysis.variation import repeats_of
from actlab.later import pd

TOGETHER = ["depth", "learning_rate"]
"""Settings over which the units of a seed are counted together."""
FROZEN = "freeze_layers"
COUNTS = ["revived_fraction", "ever_dead_fraction"]
RATE = "revival_rate"
LAYERS, LINES = "layers", ("frozen_layers", "setting")


@figure(default=False)
def revival(cells: Cells) -> Drawing | None:
    """Units that were dead and are alive again, over training; apart, those above which nothing moves if frozen."""
    if len(available(cells.layers, COUNTS)) < 2 or cells.runs["steps"].max() == 0:
        return None
    frozen = int(cells.runs[FROZEN].max()) if FROZEN in cells.keys else 0
    keys = [key for key in cells.keys if key not in TOGETHER]
    columns = next((key for key in ("optimizer", "data", *keys) if key in keys and key != FROZEN), "activation")
    kept, said = comparable(cells.runs, keys, columns)
    counts = counted_together(kept, cells.layers, keys, frozen)
    if counts.empty:
        return None
    repeats = [*dict.fromkeys([*keys, columns, *repeats_of(cells.runs)])]
    samples = counts.drop_duplicates(repeats)[repeats].assign(status="ok")
    samples = samples.assign(run=[str(i) for i in range(len(samples))])
    values = long(counts.merge(samples, on=repeats)[["run", "step", LAYERS, RATE]], [RATE])
    frame = summarise(values, samples, [*dict.fromkeys([*keys, columns])], own=cells.own)
    lines = LINES[0] if keys in ([FROZEN], [FROZEN, columns], [columns, FROZEN]) else LINES[1]
    frame = frame.assign(**{lines: [line_of(row, keys, columns) for row in records(frame)]})
    frame = frame.sort_values([LAYERS, lines, columns, "step"], key=places, kind="stable").reset_index(drop=True)
    labels = {one: f"alive again, of units\nonce dead: {one}" for one in dict.fromkeys(frame[LAYERS])}
    spec = Spec(GRID, "step", lines, LAYERS, columns, labels=labels, looks=cells.looks, fitted=True)
    caption = (
        "Alive again: of the units that were dead at this evaluation or an earlier one, the share that is not dead "
        f"now. The units of all depths and learning rates of a seed are counted together. {mean_of(frame)}. {said}"
    )
    if frozen:
        caption += (
            f" Above, layer {frozen + 1}: with all layers below it frozen, nothing that its units are given changes. "
            "Below, the layers further up, which have layers that move below them either way."
        )
    return drawing(cells, frame, spec, "Dead units that come back", caption.strip(), [columns])


def comparable(runs: pd.DataFrame, keys: Sequence[str], columns: str) -> tuple[pd.DataFrame, str]:
    """Take runs such that every seed has one of each setting, with layers frozen and without.

    Settings of which more than half diverged are left out first: few of their seeds are left, and no sample.

    Returns:
        these runs, and what is said of the others.
    """
    lines = [key for key in keys if key != FROZEN]
    by, repeats = [*lines, *TOGETHER], repeats_of(runs)
    runs = runs.assign(sound=runs["status"] == "ok")
    pairs = runs.assign(sound=runs.groupby([*by, *repeats], dropna=False)["sound"].transform("all"))
    kept = pairs[pairs.groupby(by, dropna=False)["sound"].transform("mean") >= 0.5]
    kept = kept[kept.groupby([*lines, *repeats], dropna=False)["sound"].transform("all")]
    if len(kept) == len(runs):
        return kept, ""
    total = runs.groupby(columns, sort=False).size()
    left = kept.groupby(columns, sort=False).size().reindex(total.index, fill_value=0)
    each = [f"{left[one]} of {total[one]} runs with {words(columns)} {setting(one)}" for one in total.index]
    rule = "Left out are settings of which more than half of the runs diverged, then seeds of which another run did"
    return kept, f"{rule}: drawn are {listed(each)}."


def counted_together(runs: pd.DataFrame, layers: pd.DataFrame, keys: Sequence[str], frozen: int) -> pd.DataFrame:
    """Count the units of each seed over depths and rates, by group of layers and step, of what had any dead."""
    every = [*dict.fromkeys([*keys, "activation", *repeats_of(runs)])]
    there = layers[["run", "step", "layer", *COUNTS]].dropna().merge(runs[["run", *every]], on="run")
    there = there[there["layer"] > frozen]
    first = f"layer {frozen + 1}"
    there[LAYERS] = [first if frozen and one == frozen + 1 else f"layers {frozen + 2} and up" for one in there["layer"]]
    if not frozen:
        there[LAYERS] = "all hidden layers"
    sums = there.groupby([*every, LAYERS, "step"], dropna=False, sort=False)[COUNTS].sum().reset_index()
    ever = sums[COUNTS[1]]
    sums[RATE] = sums[COUNTS[0]] / ever.where(ever > 0)
    some = sums.groupby("activation")[COUNTS[1]].transform("max") > 0
    return sums[some & (sums.groupby("step")[COUNTS[1]].transform("max") > 0)]


def line_of(row: Mapping[str, object], keys: Sequence[str], columns: str) -> str:
    """Say which line of a panel a cell is."""
    rest = [key for key in keys if key != columns]
    if rest == [FROZEN]:
        number = int(str(row[FROZEN]))
        return "none" if number == 0 else "layer 1" if number == 1 else f"layers 1 to {number}"
    each = (f"{'' if key in NAMED else words(key) + ' '}{in_short(row[key])}" for key in rest)
    return ", ".join(each) or "all"


def places(column: pd.Series) -> pd.Series:
    """Sort by the order in which values occur, steps by their numbers."""
    return column if column.name == "step" else column.map({one: i for i, one in enumerate(column.unique())})
