"""Revival: of the units that were dead at some evaluation, how many are alive again, over training or at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actlab.analysis.cells import Cells
from actlab.analysis.drawings import GRID, NAMED, Drawing, Spec, drawing
from actlab.analysis.estimates import available, long, summarise
from actlab.analysis.figures.base import in_short
from actlab.analysis.figures.units import by_depth_and_rate
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
RANGE = ("least", "greatest")
LAYERS = "layers"


@figure(default=False)
def revival(cells: Cells) -> Drawing | None:
    """Units that were dead and are alive again: a map at the end; where layers are frozen, over training."""
    if len(available(cells.layers, COUNTS)) < 2 or cells.runs["steps"].max() == 0:
        return None
    frozen = int(cells.runs[FROZEN].max()) if FROZEN in cells.keys else 0
    if not frozen:
        return by_depth_and_rate(cells, RATE, "Dead units that come back, by depth and learning rate")
    keys = [key for key in cells.keys if key not in TOGETHER]
    columns = next((key for key in ("optimizer", "data", *keys) if key in keys and key != FROZEN), "activation")
    kept, said = comparable(cells.runs, columns)
    counts = counted_together(kept, cells.layers, keys, frozen)
    if counts.empty:
        return None
    repeats = [*dict.fromkeys([*keys, columns, *repeats_of(cells.runs)])]
    samples = counts.drop_duplicates(repeats)[repeats].assign(status="ok")
    samples = samples.assign(run=[str(i) for i in range(len(samples))])
    values = long(counts.merge(samples, on=repeats)[["run", "step", LAYERS, RATE]], [RATE])
    frame = summarise(values, samples, [*dict.fromkeys([*keys, columns])], own=cells.own)
    few = 2 * frame["n"] < frame["runs"]  # a share of one unit or two is all or nothing
    frame = frame.assign(**{name: frame[name].mask(few) for name in ("mean", "low", "high", "median", *RANGE)})
    alone = [key for key in keys if key != columns] == [FROZEN]
    lines = FROZEN if alone else "setting"  # called as in every table
    frame = frame if alone else frame.assign(setting=[line_of(row, keys, columns) for row in records(frame)])
    frame = frame.sort_values([LAYERS, lines, columns, "step"], key=places, kind="stable").reset_index(drop=True)
    labels = {one: f"alive again, of units\nonce dead: {one}" for one in dict.fromkeys(frame[LAYERS])}
    spec = Spec(GRID, "step", lines, LAYERS, columns, labels=labels, looks=cells.looks, fitted=True)
    caption = (
        "Alive again: of the units that were dead at this evaluation or an earlier one, the share that is not dead "
        "now. The units of all depths and learning rates of a seed are counted together. "
        f"{words(FROZEN).capitalize()}: how many hidden layers, from the input on, keep what they were drawn with. "
        f"{mean_of(frame[~few])}. The axes end above the greatest share. {said}"
    )
    if few.any():
        caption += " Nothing is drawn where fewer than half of the seeds have a unit that was ever dead."
    further = listed([str(one) for one in sorted(set(cells.layers["layer"])) if one > frozen + 1])
    caption += (
        f" Above, layer {frozen + 1}: with all layers below it frozen, nothing that its units are given changes. "
        f"Below, the layers further up, which have layers that move below them either way: {further}."
    )
    return drawing(cells, frame, spec, "Dead units that come back", caption.strip(), [columns])


def comparable(runs: pd.DataFrame, columns: str) -> tuple[pd.DataFrame, str]:
    """Take the depths and rates of which no run diverged, so that all lines of a panel are of the same, in all seeds.

    Returns:
        these runs, and what is said of the others.
    """
    sound = (runs["status"] == "ok").groupby([runs[key] for key in (columns, *TOGETHER)], dropna=False).transform("all")
    kept = runs[sound]
    if len(kept) == len(runs):
        return kept, ""
    total = runs.groupby(columns, sort=False).size()
    left = kept.groupby(columns, sort=False).size().reindex(total.index, fill_value=0)
    each = [f"{left[one]} of {total[one]} runs with {words(columns)} {setting(one)}" for one in total.index]
    return kept, f"Left out are depths and rates of which any run diverged: drawn are {listed(each)}."


def counted_together(runs: pd.DataFrame, layers: pd.DataFrame, keys: Sequence[str], frozen: int) -> pd.DataFrame:
    """Count the units of each seed over depths and rates, by group of layers and step, of what had any dead."""
    every = [*dict.fromkeys([*keys, "activation", *repeats_of(runs)])]
    there = layers[["run", "step", "layer", *COUNTS]].dropna().merge(runs[["run", *every]], on="run")
    there = there[there["layer"] > frozen]
    first, last = f"layer {frozen + 1}", f"layers above {frozen + 1}"
    there[LAYERS] = [first if one == frozen + 1 else last for one in there["layer"]]
    sums = there.groupby([*every, LAYERS, "step"], dropna=False, sort=False)[COUNTS].sum().reset_index()
    ever = sums[COUNTS[1]]
    sums[RATE] = sums[COUNTS[0]] / ever.where(ever > 0)
    some = sums.groupby("activation")[COUNTS[1]].transform("max") > 0
    return sums[some & (sums.groupby("step")[COUNTS[1]].transform("max") > 0)]


def line_of(row: Mapping[str, object], keys: Sequence[str], columns: str) -> str:
    """Say which line of a panel a cell is."""
    rest = [key for key in keys if key != columns]
    each = (f"{'' if key in NAMED else words(key) + ' '}{in_short(row[key])}" for key in rest)
    return ", ".join(each) or "all"


def places(column: pd.Series) -> pd.Series:
    """Sort by the order in which values occur, steps by their numbers."""
    return column if column.name == "step" else column.map({one: i for i, one in enumerate(column.unique())})
