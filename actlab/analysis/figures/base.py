"""What the figures share: values all along training, few layers, and intervals in drawing order."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.deviations import BAND, PREDICTED, WITHIN, is_predicted, means_note, reasons_note, with_predictions
from actlab.analysis.drawings import FRAMED, INSTEAD, NAMED, evenly
from actlab.analysis.escaping import code, plain
from actlab.analysis.estimates import columns_of, in_one_form, long, summarise
from actlab.analysis.intervals import NO_INTERVAL
from actlab.analysis.layout import records, setting, words
from actlab.analysis.notes import NO_LOGARITHM, listed
from actlab.analysis.of_trained import TRAINED, partly, summarise_trained, untrained, with_none_trained
from actlab.analysis.predictions import cells_of_runs
from actlab.analysis.tables.base import order
from actlab.analysis.variation import SEED
from actlab.later import pd
from actlab.measures import LOG10
from actlab.naming import counted

MOST_PANELS = 20
MOST_NAMED = 8  # cells of a caption
DEEP = 30  # a network of a talk: beyond it, mean-field theory of usual widths says less
MARKS = (
    "Blank: not in the grid. Hatched: all runs diverged. In brackets: how many runs did not diverge, where some "
    "did; faded where these are fewer than half."
)
SELECTED = " Framed: the selected rate, at which all other figures and tables show these networks."
MOST_DEPTHS = 3  # lines or panels by layer: more are too many to follow, or too small to read
NOT_ALL_KEPT = "Markers: the layers that were kept, of which alone something is known; dots lead from one to the next."
MOST_LAYERS = 50  # a line through more points looks the same


def intervals(values: pd.DataFrame, cells: Cells, within: Sequence[str], trained: bool = False) -> pd.DataFrame:
    """Take intervals by cell over the selected runs, in the order in which they are drawn.

    Args:
        values: one row for each run, measure and place.
        cells: the study's.
        within: what splits a cell further.
        trained: whether, after initialisation, only those runs count that trained, of cells where some did and others
            did not: a mean over both lies where no run is. ``TRAINED`` says how many these are.
    """
    keys = cell_keys(cells)
    make = summarise_trained if trained else summarise
    frame = make(values, cells.selected, keys, own=cells.own)
    if "at" in within:
        frame = with_predictions(frame, values, cells, keys)
    if {"at", "layer"} <= set(within):
        frame = predicted_between(frame, predicted_layers(cells, keys), keys) if is_predicted(frame) else frame
    frame = with_none_trained(frame, cells.selected, keys) if trained else frame
    return order(frame, cells, keys, within)


def predicted_layers(cells: Cells, keys: Sequence[str]) -> pd.DataFrame:
    """Take what theory predicts of all layers of cells: keys, ``measure``, ``layer``, ``value``, ``spread``."""
    there = cells.predictions.loc[cells.predictions["layer"] > 0, ["cell", "measure", "layer", "value", "spread"]]
    by_run = cells_of_runs(cells.selected, cells.predictions)[["run", "cell"]].merge(cells.selected[["run", *keys]])
    by = [*keys, "measure", "layer"]
    rows = there.merge(by_run[["cell", *keys]].drop_duplicates(), on="cell")
    return rows.groupby(by, dropna=False)[["value", "spread"]].mean().reset_index()


def predicted_between(frame: pd.DataFrame, rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Add to estimates at init those layers that were not kept, of which theory speaks: rows of no run.

    A line of theory that leads straight from one kept layer to the next is not what theory says.

    Args:
        frame: the estimates, with their predictions.
        rows: what theory predicts of all layers, as ``predicted_layers`` gives it.
        keys: what makes a cell.
    """
    by = [*keys, "measure"]
    logged = rows["measure"].str.startswith(LOG10)
    rows["measure"] = rows["measure"].str.removeprefix(LOG10)
    spread = rows["spread"].where(rows["spread"] > 0)
    for name, value in zip(BAND, (rows["value"], rows["value"] - spread, rows["value"] + spread), strict=True):
        with np.errstate(over="ignore", under="ignore"):
            rows[name] = (10.0**value).where(logged, value)
        if LOG10 + name in frame:
            rows[LOG10 + name] = value.where(logged)
    of_theory = frame.loc[frame[PREDICTED].notna(), by].drop_duplicates()
    rows = rows.drop(columns=["value", "spread"]).merge(of_theory, on=by)
    kept = frame.loc[frame["at"] == "init", [*by, "layer"]]
    rows = rows.merge(kept, "left", on=[*by, "layer"], indicator=True)
    rows = rows[rows.pop("_merge") == "left_only"]
    rows = rows.assign(at="init", method=NO_INTERVAL, **dict.fromkeys(("n", "runs", "diverged", "missing"), 0))
    texts = {name: rows.get(name, "") for name in (TRAINED, "outside") if name in frame}
    return pd.concat([frame, rows.assign(**texts)], ignore_index=True) if len(rows) else frame


def of_those_trained(frame: pd.DataFrame, cells: Cells) -> str:
    """Say in which cells those runs alone are drawn that trained."""
    some = partly(frame)
    if not some.any():
        return ""
    keys = [key for key in cell_keys(cells) if frame[key].nunique(dropna=False) > 1]
    there = frame[some].drop_duplicates(keys) if keys else frame[some].head(1)
    names = [
        ", ".join(in_short(row[key]) if key in NAMED else f"{words(key)} {in_short(row[key])}" for key in keys)
        for row in records(there)
    ]
    each = [f"{plain(name)}: {text}" if name else text for name, text in zip(names, there[TRAINED], strict=True)]
    if len(each) > MOST_NAMED:
        each = [*each[:MOST_NAMED], f"and {counted(len(each) - MOST_NAMED, 'further cell')}"]
    when = " after initialisation" if "at" in frame and (frame["at"] == "init").any() else ""
    return f"Where some runs trained and others did not, those that trained are drawn{when} ({'; '.join(each)})."


def some_trained(frame: pd.DataFrame, cells: Cells) -> str:
    """``of_those_trained`` of a figure in which a ring about a point says so."""
    text = of_those_trained(frame, cells)
    return f"Ringed: {text[0].lower()}{text[1:]}" if text else ""


def marked_untrained(frame: pd.DataFrame, how: str) -> str:
    """Say how a figure marks what is of cells of which no run trained, where there are any.

    >>> marked_untrained(pd.DataFrame({"none_trained": [True]}), "Hollow")
    'Hollow: of cells of which no run trained.'
    """
    return f"{how}: of cells of which no run trained." if untrained(frame).any() else ""


def ranges_where_intervals_mislead(frame: pd.DataFrame, values: pd.DataFrame, cells: Cells) -> pd.DataFrame:
    """Put median and range into the place of intervals that reach to what cannot be.

    Runs of which none trained have learned in part, each as far as it came: the interval of the mean of so skewed a
    sample may lie below anything that the activation can give. So may one that reaches across 0 where all runs lie on
    one side of it.

    Args:
        frame: estimates with ``at`` and ``layer``.
        values: of each run, that they are of.
        cells: the study's.
    """
    by = [*cell_keys(cells), "measure", "at", "layer"]
    each = values.merge(cells.selected[["run", *cell_keys(cells)]], on="run").groupby(by, dropna=False)["value"]
    runs = frame[by].merge(each.agg(["median", "min", "max"]).reset_index(), "left", on=by).set_axis(frame.index)
    across = ((frame["low"] < 0) & (runs["min"] >= 0)) | ((frame["high"] > 0) & (runs["max"] <= 0))
    misleads = frame["low"].notna() & runs["median"].notna() & ~partly(frame) & (untrained(frame) | across)
    instead = dict(zip(INSTEAD.values(), ("median", "min", "max"), strict=True))
    ranges = {name: runs[of].where(misleads, frame[name]) for name, of in instead.items()}
    return frame.assign(**{name: frame[name].mask(misleads) for name in ("low", "high")}, **ranges)


def legend_of_theory(frame: pd.DataFrame, cells: Cells) -> str:
    """Say how predictions are drawn, where a frame has any."""
    if not is_predicted(frame):
        return ""
    drawn = "At init: points are measured, dashed lines predicted by mean-field theory."
    return " ".join(filter(None, [drawn, reasons_note(frame, cells), means_note(frame, cells)]))


def expected_of_means(
    frame: pd.DataFrame, cells: Cells, keys: Sequence[str], factors: Sequence[str] = ()
) -> pd.DataFrame:
    """Turn the spread of one network about its prediction into that of a mean over so many: ±2 of it over √n.

    Points are means, and a shade of one network's spread would make them look nearer than they are.

    Args:
        frame: estimates with their predictions, ``predicted_low`` and ``predicted_high`` one spread to either side.
        cells: the study's.
        keys: what makes a cell.
        factors: the measures whose spread is a factor either way.
    """
    if not is_predicted(frame):
        return frame
    networks = cells.selected.groupby(list(keys), dropna=False)[SEED].nunique().rename("networks").reset_index()
    own = frame["n"].where(frame["n"] > 0, frame.groupby([*keys, "measure"], dropna=False)["n"].transform("max"))
    n = frame[list(keys)].merge(networks, "left", on=list(keys))["networks"].set_axis(frame.index)
    times = WITHIN / n.where(n < own, own).clip(lower=1) ** 0.5
    predicted, by_factor = frame[PREDICTED], frame["measure"].isin(factors) & (frame[PREDICTED] > 0)
    new = {}
    for name in BAND[1:]:
        steps = predicted + times * (frame[name] - predicted)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            powers = predicted * (frame[name] / predicted).where(by_factor) ** times
        new[name] = powers.where(by_factor, steps).where(predicted.notna(), frame[name])
        if LOG10 + name in frame:
            logs = frame[LOG10 + PREDICTED]
            new[LOG10 + name] = logs + times * (frame[LOG10 + name] - logs)
    return frame.assign(**new)


OF_MEANS = (
    "two standard errors about the prediction: twice the standard deviation that one network of this width is expected "
    "to have, over √n of the n networks that a point is the mean of"
)


def without_logarithm(frame: pd.DataFrame) -> str:
    """Say of which activations some runs have no norm where others have, and what is drawn there; else nothing.

    >>> rows = {"activation": ["selu", "relu"], "measure": "signal_grad_norm", "runs": 3, "missing": [2, 0]}
    >>> without_logarithm(pd.DataFrame(rows)).partition(" A ")[0]
    'In places without a norm, which is 0 there or not finite: `selu` (up to 2 of 3 runs).'
    """
    norms = frame["measure"].map(lambda name: str(name).removeprefix(LOG10).endswith("grad_norm"))
    some = frame[(frame["missing"] > 0) & norms]
    if some.empty:
        return ""
    worst = some.loc[some.groupby("activation", sort=False)["missing"].idxmax()]
    each = [f"{code(str(row['activation']))} (up to {row['missing']} of {row['runs']} runs)" for row in records(worst)]
    return f"In places without a norm, which is 0 there or not finite: {listed(each)}. {NO_LOGARITHM}"


def over_training(cells: Cells, measures: Sequence[str]) -> pd.DataFrame:
    """Take every record of the selected runs that did not diverge.

    What was not evaluated is left out; a run of which a measure is nowhere known keeps its last record, which says so.
    """
    ok = cells.selected.loc[cells.selected["status"] == "ok", "run"]
    steps = in_one_form(cells.steps[cells.steps["run"].isin(ok)], measures)
    values = long(steps[["run", "step", *columns_of(steps, measures)]], measures)
    of_run = values.groupby(["run", "measure"])
    nowhere = (of_run["value"].transform("count") == 0) & (values["step"] == of_run["step"].transform("max"))
    return values[values["value"].notna() | nowhere].reset_index(drop=True)


def with_each(frame: pd.DataFrame, values: pd.DataFrame, cells: Cells) -> pd.DataFrame:
    """Add the values of all seeds, in their order, to the estimates made of them."""
    by = [*cell_keys(cells), "measure", "step"]
    each = values.merge(cells.selected[["run", "seed", *cell_keys(cells)]], on="run").sort_values("seed", kind="stable")
    texts = each.groupby(by, dropna=False)["value"].agg(lambda one: " ".join(f"{x:.5g}" for x in one))
    return frame.merge(texts.rename("each").reset_index(), on=by, how="left")


def thin_layers(values: pd.DataFrame, cells: Cells, most: int = MOST_LAYERS) -> pd.DataFrame:
    """Keep at most so many layers of each depth, evenly spread, with the first and the last."""
    values = values.merge(cells.runs[["run", "depth"]], on="run")
    layers = {depth: sorted(set(there)) for depth, there in values.groupby("depth")["layer"]}
    keep = [(depth, layer) for depth, there in layers.items() for layer in evenly(there, most)]
    return values.merge(pd.DataFrame(keep, columns=["depth", "layer"]), on=["depth", "layer"]).drop(columns="depth")


def of_kept_layers(cells: Cells) -> str:
    """Say that layers are missing between those that were kept of the selected runs; else nothing."""
    of_run = cells.layers[cells.layers["run"].isin(cells.selected["run"])].groupby("run")["layer"]
    return NOT_ALL_KEPT if (of_run.nunique() <= of_run.max() - of_run.min()).any() else ""


def only_nonzero(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Keep activations with any estimate that is not 0; sentences name the others: none there, or not known."""
    of_activation = frame.groupby("activation", sort=False)["mean"]
    some, known = of_activation.max().fillna(0) > 0, of_activation.count() > 0
    zero, unknown = (
        ", ".join(code(str(name)) for name in some.index[left_out]) for left_out in (~some & known, ~known)
    )
    sentences = [
        *([f"No such unit with {zero}: not drawn."] if zero else []),
        *([f"Not known of {unknown}: not drawn."] if unknown else []),
    ]
    return frame[frame["activation"].map(some)].reset_index(drop=True), sentences


def in_one_picture(
    frame: pd.DataFrame, panels: str, keys: Sequence[str], most: int = MOST_PANELS
) -> tuple[pd.DataFrame, str, list[str]]:
    """Give each setting a panel of one picture, where these are not too many, instead of a picture.

    Returns:
        the frame with a column for the panels, its name, and the settings that it stands for.
    """
    others = [key for key in keys if key != panels]
    if not others or len(frame.drop_duplicates([panels, *others])) > most:
        return frame, panels, []
    names = [panels] * (frame[panels].nunique() > 1) + others
    texts = [
        ", ".join(
            f"{'' if isinstance(value, str) and key in NAMED else words(key) + ' '}{in_short(value)}"
            for key, value in zip(names, values, strict=True)
        )
        for values in frame[names].itertuples(index=False)
    ]
    return frame.assign(panel=texts), "panel", [panels, *others]


def in_short(value: object) -> str:
    """Write a setting as a panel has room for.

    >>> in_short("constant(value=-0.5)"), in_short("gaussian(sigma_w=1.5)")
    ('−0.5', 'gaussian(sigma_w=1.5)')
    """
    constant = re.fullmatch(r"constant\(value=(.+)\)", setting(value))
    return constant[1].replace("-", "−", 1) if constant else setting(value)


def with_selected(frame: pd.DataFrame, cells: Cells) -> pd.DataFrame:
    """Say of which cells the swept value is the selected one, where there was one to select: ``FRAMED``."""
    if cells.selection.empty or cells.over not in frame:
        return frame
    keys = [key for key in cells.selection if key in frame and key in (*cells.keys, cells.over)]
    chosen = cells.selection.loc[cells.selection["selected"], keys].drop_duplicates().assign(**{FRAMED: True})
    out = frame.merge(chosen, on=keys, how="left")
    return out.assign(**{FRAMED: out[FRAMED].eq(True)})


def one_depth(depths: pd.Series) -> int:
    """Choose the deepest of a study's depths up to 30, or the shallowest.

    >>> one_depth(pd.Series([2, 30, 50])), one_depth(pd.Series([50, 100]))
    (30, 50)
    """
    return int(max(depths[depths <= DEEP], default=depths.min()))


def is_of_training(cells: Cells, column: str) -> bool:
    """Whether a setting says how networks are trained, not what they are."""
    return any(one.column == column and one.key.startswith("train.") for one in cells.settings)
