"""What the runs came to: their final metric and whether they trained, against depth; their losses over training."""

from __future__ import annotations

import math

from actlab.analysis import bimodal
from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.drawings import (
    COUNTED,
    DOTS,
    FRAMED,
    GRID,
    MAP,
    NAMED_LINES,
    OF_THEM,
    TILES,
    Drawing,
    Spec,
    drawing,
    subject,
)
from actlab.analysis.estimates import long, summarise
from actlab.analysis.figures.base import (
    MARKS,
    SELECTED,
    in_one_picture,
    intervals,
    marked_untrained,
    of_those_trained,
    over_training,
    some_trained,
    with_each,
    with_selected,
)
from actlab.analysis.intervals import FEWEST
from actlab.analysis.layout import words
from actlab.analysis.notes import mean_of
from actlab.analysis.of_trained import NONE_TRAINED, TRAINED, partly, summarise_trained, with_none_trained
from actlab.analysis.outscored import LUCK, of_selection, with_outscored
from actlab.analysis.parts import figure
from actlab.analysis.tables import gradients
from actlab.analysis.tables import outcomes as tables
from actlab.analysis.tables.base import order, without
from actlab.analysis.ties import FACTOR, margin_of
from actlab.later import pd
from actlab.measures import about

OF_ERRORS = "The axis has equal steps for equal ratios of errors (from .9 to .95 as far as from .95 to .975)."
ROWS = "train_rows"
GAPS = ("generalization_gap_error", "generalization_gap_loss")
"""The first of them that a study has: a loss is large where a network is sure and wrong, an error rate is not."""
MOST_FOLLOWED, MOST_BESIDE = 5, 80
"""Lines that an eye can follow where they cross, and points that a picture has room for beside one another."""
NEARLY, MANY = 0.9, 20
"""Of more runs than these, from which share of trained ones on the others are points beside the estimate."""
OF_ESTIMATE = ("mean", "low", "high", "n", "diverged", "missing", "method", "median", "least", "greatest")
UNTRAINED_BESIDE = "Small points beside a ring: the runs that did not."
CLEARLY = (
    "*Clearly*: by more than counts as no difference ({margin}), and further than luck alone brings in one of "
    "{luck} comparisons. Without a frame no other is clearly better, which does not make the selected one the best."
)
CHANCE = "Dotted: chance, the share of the test rows that the most frequent class of the training rows has."


@figure
def accuracy_by_depth(cells: Cells) -> Drawing | None:
    """Test accuracy (or loss) against depth: lines, or points beside one another where they are many."""
    table = tables.final_performance(cells)
    lines, depths = table.frame[subject(cells)].nunique(), table.frame["depth"].nunique()
    beside = lines > MOST_FOLLOWED and depths > 1 and lines * depths <= MOST_BESIDE
    spec = Spec(DOTS if beside else NAMED_LINES, x="depth", lines=subject(cells), looks=cells.looks)
    scale = f" ({tables.LOSS_SCALE})" if (table.frame["measure"] == "test_loss").any() else ""
    final = with_none_trained(with_seeds(table.frame, cells), cells.selected, cell_keys(cells))
    frame, apart = with_outscored(with_chance(final, cells), cells), ""
    if ((frame["seeds"] != "") & ~partly(frame)).any():
        apart = " Where some runs trained and others did not, each run is a small point" + (
            "." if beside else ": no line leads through what lies between."
        )
    said = of_selection(cells)
    estimates = estimates_of(frame).replace("dotted edges", "dotted") if beside else estimates_of(frame)
    caption = " ".join(
        [
            f"Final metric on the test split{scale}. {estimates}.{apart}",
            *filter(None, [some_trained(frame, cells), UNTRAINED_BESIDE * bool(partly(frame).any())]),
            *filter(None, [marked_untrained(frame, "Hollow")]),
            *([OF_ERRORS] if (frame["measure"] == "test_accuracy").any() else []),
            *([CHANCE] if "chance" in frame else []),
            *([f"{said[0].upper()}{said[1:]}. {clearly(frame, cells)}"] if said else []),
        ]
    )
    return drawing(cells, frame, spec, table.title, caption)


@figure
def gap_by_rows(cells: Cells) -> Drawing | None:
    """Test minus train against the number of training rows, of error rates or of losses: how much is overfitted."""
    table = tables.generalization(cells)
    if table is None or ROWS not in cells.selected_keys:
        return None
    measures = [name for name in GAPS if table.frame["measure"].str.startswith(name).any()]
    frame = table.frame[table.frame["measure"].str.startswith(measures[0])]
    frame = with_none_trained(frame.reset_index(drop=True), cells.selected, cell_keys(cells))
    caption = [
        f"Test − train, at the end and where a run first meets the target's training loss. {mean_of(frame)}.",
        some_trained(frame, cells),
        marked_untrained(frame, "Hollow"),
    ]
    spec = Spec(DOTS, x=ROWS, lines=subject(cells), looks=cells.looks)
    return drawing(
        cells, frame, spec, "Is the gap larger where there are fewer training rows?", " ".join(filter(None, caption))
    )


def clearly(frame: pd.DataFrame, cells: Cells) -> str:
    """Say what makes another value of the swept key clearly better, in the measures of a frame."""
    margins = {name: margin_of(about(name, cells.own)) for name in dict.fromkeys(frame["measure"])}
    each = [
        f"{words(name)}: {f'a factor of {FACTOR:g}' if one.ratio else f'{one.delta:g}'}"
        for name, one in margins.items()
        if one is not None
    ]
    return CLEARLY.format(margin="; ".join(each), luck=f"{1 / LUCK:,.0f}")


def estimates_of(frame: pd.DataFrame) -> str:
    """Say what estimates are drawn: those of cells whose runs are not drawn one by one."""
    drawn = frame[(frame["seeds"] == "") | partly(frame)]
    if "n_trained" in drawn:  # of those that trained alone there is a mean
        drawn = drawn.assign(n_trained=drawn["n_trained"].mask(partly(drawn), drawn["runs"]))
    return mean_of(drawn) if len(drawn) else "Runs as they are"


def with_chance(frame: pd.DataFrame, cells: Cells) -> pd.DataFrame:
    """Add to accuracies what a network has that always says the most frequent class, where that is known."""
    if "data_content" not in cells.selected:
        return frame
    keys = cell_keys(cells)
    runs = cells.selected.assign(chance=cells.selected["data_content"].map(dict(cells.chance)))
    each = runs.groupby(keys, dropna=False)["chance"].agg(lambda one: one.iloc[0] if one.nunique() == 1 else math.nan)
    out = frame.merge(each.reset_index(), on=keys, how="left")
    out["chance"] = out["chance"].where(out["measure"] == "test_accuracy")
    return out if out["chance"].notna().any() else frame


def with_seeds(frame: pd.DataFrame, cells: Cells) -> pd.DataFrame:
    """Add each run's value to cells of which some runs trained and others did not, and take their range away.

    Where nearly all trained the estimate is of these, as ``TRAINED`` says, and the others' values alone are added: one
    run of a hundred must not make a cloud of what was a point.
    """
    keys, runs = cell_keys(cells), cells.selected
    some_of, nearly = bimodal.partly(frame), nearly_all(frame)
    names = sorted(set(frame["measure"]) & set(runs))
    if nearly.any():
        of_them = summarise_trained(long(runs[["run", *names]], names), runs, keys, cells.own)
        of_them = frame[[*keys, "measure"]].merge(of_them, "left", on=[*keys, "measure"]).set_axis(frame.index)
        new = {name: of_them[name].where(nearly, frame[name]) for name in OF_ESTIMATE if name in frame}
        frame = frame.assign(**new, **{TRAINED: of_them[TRAINED].where(nearly, "")})
    lost = ~runs["trained"].astype(bool) | (runs["status"] != "ok")
    every, untrained = (
        {name: rows.groupby(keys, dropna=False)[name].apply(list) for name in names} for rows in (runs, runs[lost])
    )
    places = frame[keys].itertuples(index=False, name=None)
    at = [place if len(keys) > 1 else place[0] for place in places]
    seeds = [
        " ".join(f"{x:.4g}" for x in (untrained if most else every)[name][place] if x == x)
        if some and name in names
        else ""
        for name, place, some, most in zip(frame["measure"], at, some_of, nearly, strict=True)
    ]
    return frame.assign(seeds=seeds)


def nearly_all(frame: pd.DataFrame) -> pd.Series:
    """Say of which cells nearly all of many runs trained.

    >>> nearly_all(pd.DataFrame({"n_trained": [99, 80, 19, 100], "runs": [100, 100, 20, 100]})).tolist()
    [True, False, False, False]
    """
    if "n_trained" not in frame:
        return pd.Series(False, index=frame.index)
    return bimodal.partly(frame) & (frame["n_trained"] >= NEARLY * frame["runs"]) & (frame["runs"] > MANY)


@figure
def trained_by_depth(cells: Cells) -> Drawing | None:
    """Share of runs that trained against depth, a row per activation."""
    table = tables.trained(cells)
    if table is None or cells.selected["depth"].nunique() < 2:
        return None
    frame = with_counts(table.frame.drop(columns=["deepest_trained_depth", "at_grid_end"]))
    caption = "Share of runs whose final training loss is at most half of the best constant predictor's."
    return drawing(cells, frame, Spec(MAP, x="depth", lines=subject(cells)), table.title, caption)


def with_counts(shares: pd.DataFrame) -> pd.DataFrame:
    """Add to shares of few runs how many these are, of how many.

    >>> with_counts(pd.DataFrame({"mean": [1 / 3, 0.95], "n": [3, 20]}))["counted"].tolist()
    [1.0, nan]
    """
    few = (shares["n"] > 0) & (shares["n"] < FEWEST)
    counts = {COUNTED: (shares["mean"] * shares["n"]).round(), OF_THEM: shares["n"].astype(float)}
    return shares.assign(**{name: number.where(few) for name, number in counts.items()})


def counts_alone(frame: pd.DataFrame) -> pd.DataFrame:
    """Let all cells of a map of shares say how many runs trained, where a key can say of how many.

    So it can where all have as many, or those at the selected rate, and all others; not of how many then stands in no
    cell.
    """
    trained = frame["measure"] == "trained"
    few = trained & frame[COUNTED].notna()
    sizes = frame[trained].groupby(frame.get(FRAMED, trained))["runs"].nunique()
    if not few.any() or (sizes > 1).any():
        return frame
    counts = (frame["mean"] * frame["n"]).round().where(trained)
    return frame.assign(**{COUNTED: counts, OF_THEM: math.nan})  # type: ignore[arg-type]


@figure
def trained_by_rate(cells: Cells) -> Drawing | None:
    """Share of seeds that trained at each depth and learning rate, beside it the final metric; maps per activation."""
    if "learning_rate" not in cells.keys or cells.runs["depth"].nunique() < 2:
        return None
    keys = cell_keys(cells, cells.keys)
    metric = "test_accuracy" if (cells.runs["task"] == "classification").all() else "test_loss"
    runs = cells.runs.assign(trained=cells.runs["trained"].astype(float))
    shares = with_counts(summarise(long(runs[["run", "trained"]], ["trained"]), cells.runs, keys, own=cells.own))
    came_to = summarise_trained(long(runs[["run", metric]], [metric]), cells.runs, keys, cells.own)
    came_to = with_none_trained(came_to, cells.runs, keys)
    came_to["runs"] = came_to[keys].merge(shares[[*keys, "runs"]], on=keys)["runs"]
    frame = order(pd.concat([shares, came_to], ignore_index=True), cells, keys, [])
    frame = frame.sort_values("measure", key=lambda column: column != "trained", kind="stable").reset_index(drop=True)
    frame = frame.assign(median=math.nan)  # few runs or many: one map has one statistic
    frame = frame.assign(**{NONE_TRAINED: frame[NONE_TRAINED].eq(True)}) if NONE_TRAINED in frame else frame
    frame = counts_alone(with_selected(frame, cells))
    others = without(cells.keys, "learning_rate")
    frame, panels, shown = in_one_picture(frame, subject(cells, others), without(others, "depth"), 10)
    spec = Spec(TILES, x="learning_rate", lines="depth", panels=panels, labels={metric: about(metric).words})
    caption = (
        "Share of seeds whose final training loss is at most half of the best constant predictor's, and beside it the "
        f"mean final {words(metric)} of those that trained, at every learning rate. Where none did, the cell is not "
        f"filled, and the mean is of all that did not diverge. {MARKS}{SELECTED * (FRAMED in frame)}"
    )
    return drawing(
        cells,
        frame,
        spec,
        "What trains, by depth and learning rate",
        caption,
        [key for key in cells.keys if key not in shown],
    )


@figure
def training_curves(cells: Cells) -> Drawing | None:
    """Training and validation loss over steps."""
    losses = ("train_loss", "validation_loss")
    values = over_training(cells, losses)
    frame = intervals(values, cells, ["measure", "step"], trained=True)
    if frame.empty:
        return None
    if few := int(frame["runs"].max()) < FEWEST:
        frame = with_each(frame, values, cells)
    spec = Spec(
        GRID,
        x="step",
        lines=subject(cells),
        panels="measure",
        columns="depth",
        log=losses,
        labels={name: about(name).axis for name in losses},
        looks=cells.looks,
    )
    caption = (
        f"{mean_of(frame, not few)}{'; thin each seed, trained or not' * few}; diverged runs are left out. An axis "
        "that a few heights would press flat ends below these: their lines leave it through its top, at a triangle "
        "that says how far up they go. Training loss is the minibatch mean since the last record, and of the whole "
        "split at evaluations. "
        f"{of_those_trained(frame, cells)} {marked_untrained(frame, 'Hollow')}"
    ).strip()
    return drawing(cells, frame, spec, "Loss over training", caption)


@figure(default=False)
def intervals_by_depth(cells: Cells) -> Drawing | None:
    """Final metric and vanishing slope as points with intervals, activations beside one another at each depth."""
    if cells.selected["depth"].nunique() < 2:
        return None
    final = with_chance(with_seeds(tables.final_performance(cells).frame, cells), cells).assign(at="final")
    slopes = gradients.vanishing_slopes(cells)
    parts = [final]
    if slopes is not None:
        own = slopes.frame[slopes.frame["measure"] == "vanishing_slope"].assign(seeds="")
        parts.append(own[[name for name in dict.fromkeys((*final, TRAINED)) if name in own]])
    frame = with_none_trained(pd.concat(parts, ignore_index=True), cells.selected, cell_keys(cells))
    frame = frame.assign(**{TRAINED: frame[TRAINED].fillna("")}) if TRAINED in frame else frame
    spec = Spec(DOTS, x="depth", lines=subject(cells), looks=cells.looks)
    lacking = (frame["diverged"] + frame["missing"] > 0) & (frame["n"] > 0)
    some = "; half filled where some runs have no value" * bool(lacking.any())
    below = " Below the axis stand cells without any." * bool((frame["n"] == 0).any())
    slope = "A slope is defined from depth 3 on." * (len(parts) > 1 and int(frame["depth"].min()) < 3)
    caption = f"{estimates_of(frame).replace('dotted edges', 'dotted')}{some}.{below}"
    caption += f" {CHANCE}" * ("chance" in frame)
    beside = UNTRAINED_BESIDE * bool((partly(frame) & (frame["seeds"] != "")).any())
    marked = [some_trained(frame, cells), beside, marked_untrained(frame, "Hollow")]
    caption = " ".join(filter(None, [caption, *marked, slope]))
    caption += f" {OF_ERRORS}" * bool((frame["measure"] == "test_accuracy").any())
    return drawing(cells, frame, spec, "Estimates with their intervals, by depth", caption)
