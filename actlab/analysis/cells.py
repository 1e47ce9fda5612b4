"""From frames to cells: which settings vary, and which learning rate a cell got.

A *cell* is every setting that varies among the runs, except its repeats: the seed and the split (``data.seed``). Frames
are put into one order first, so that nothing below depends on the order in which jobs finished.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from actlab.analysis.estimates import summarise
from actlab.analysis.formats import Formats
from actlab.analysis.intervals import BESIDE
from actlab.analysis.looks import LineStyle, looks_of
from actlab.analysis.predictions import cells_of_runs
from actlab.analysis.stages import Tuning, as_stored, superseded
from actlab.analysis.variation import SPLIT, untrained
from actlab.later import pd
from actlab.measures import LOG10, Measure
from actlab.study.selection import STAGE, Select
from actlab.study.settings import ENVIRONMENT, UNSTATED, Setting

NOT_SETTINGS = (
    "run",
    "seed",
    STAGE,
    "learned",
    "activation_order",
    "activation_family",
    "activation_name",
    *ENVIRONMENT,
)


@dataclass(frozen=True)
class Cells:
    """A study's frames in one order, its cells' keys, and the runs at the selected value of the swept key.

    Attributes:
        runs, steps, layers: the frames, sorted by run, step and layer.
        keys: the columns of ``runs`` that vary, seed and split aside: what makes a cell.
        settings: what is known of the columns that are settings, in the order of display.
        select: how a value of the swept key was chosen; None where nothing was to choose.
        over: the column of that key; empty without a selection.
        selection: one row per cell and value of the swept key; empty without a selection.
        selected: ``runs`` at the selected values (all runs without a selection).
        selected_keys: ``keys`` without the selected one.
        ranks: the place of each activation label in the story, for sorting.
        looks: the colour, marker and dash of each activation label.
        same_as: {activation: {another that computes the same values: whether always, or at first}}, as far as known.
        own: the records of the user's measures, by their columns.
        lacking: {measure: how many runs were stored before it was measured}.
        tuning: the first stage of a study in two: of its runs at the selected values, none is in ``runs``.
        test_rows: how many rows the test splits have, of each data set; empty where that is not known.
        chance: {data set's content: test accuracy of always saying the most frequent class}, of those that have one.
        predictions: what theory predicts of step 0 by settings, measure and layer; empty where a study has none.
        histograms: how many values lie in each bin, by run, step, layer and measure; empty where none were measured.
        formats: what the study asks of its figures.
        made: the tables and figures made so far, by their function: figures draw some tables again.
    """

    runs: pd.DataFrame = field(repr=False)
    steps: pd.DataFrame = field(repr=False)
    layers: pd.DataFrame = field(repr=False)
    keys: list[str]
    settings: tuple[Setting, ...] = field(repr=False)
    select: Select | None
    over: str
    selection: pd.DataFrame = field(repr=False)
    selected: pd.DataFrame = field(repr=False)
    selected_keys: list[str]
    ranks: dict[str, int]
    looks: dict[str, LineStyle] = field(repr=False)
    own: Mapping[str, Measure] = field(default_factory=dict, repr=False)
    lacking: Mapping[str, int] = field(default_factory=dict, repr=False)
    tuning: Tuning | None = None
    test_rows: tuple[int, ...] = ()
    chance: Mapping[str, float] = field(default_factory=dict, repr=False)
    same_as: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    predictions: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(), repr=False)
    histograms: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(), repr=False)
    formats: Formats = field(default_factory=Formats)
    made: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def untrained(self) -> bool:
        """Whether networks are measured as they were drawn, and none is trained."""
        return untrained(self.runs)

    @property
    def at_last(self) -> str:
        """When the last record is, in words."""
        return "at initialisation" if self.untrained else "at the end"


def handed_out(cells: Cells) -> Cells:
    """Return cells for a function of the user's to have: what it alters in them, no other part of a report sees."""
    names = ("runs", "steps", "layers", "selection", "selected", "predictions", "histograms")
    frames = {name: getattr(cells, name).copy(deep=False) for name in names}
    own = {
        name: type(getattr(cells, name))(getattr(cells, name)) for name in ("keys", "selected_keys", "ranks", "looks")
    }
    return replace(cells, **frames, **own, own=dict(cells.own), lacking=dict(cells.lacking), made={})


def build_cells(
    runs: pd.DataFrame,
    steps: pd.DataFrame,
    layers: pd.DataFrame,
    select: Select | None = None,
    own: Mapping[str, Measure] | None = None,
    activations: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Sequence[Setting] = UNSTATED,
    lacking: Mapping[str, int] | None = None,
    tuning: Tuning | None = None,
    test_rows: Sequence[int] = (),
    predictions: pd.DataFrame | None = None,
    formats: Formats | None = None,
    histograms: pd.DataFrame | None = None,
    chance: Mapping[str, float] | None = None,
) -> Cells:
    """Sort the frames, find the cells, and apply the selection rule.

    Args:
        runs, steps, layers: a study's frames, rows in any order.
        select: the rule; it is dropped where its key does not vary.
        own: the records of the user's measures, as the manifest has them.
        activations: {label: its ``order``, ``look`` and ``same_as``}, as the manifest has them; older ones have none.
        settings: what is known of the columns that are settings, likewise.
        lacking: {measure: how many runs were stored before it was measured}; what none has is left out of the frames.
        tuning: the first stage of a study in two: its runs choose, and the others are shown.
        test_rows: how many rows the test splits have, of each data set.
        predictions: what theory predicts of them, rows in any order.
        formats: what is asked of figures.
        histograms: the frame of that name, rows in any order.
        chance: see ``Cells``.
    """
    lacking = lacking or {}
    counts = pd.DataFrame() if histograms is None else histograms
    more: dict[str, Any] = {"test_rows": tuple(test_rows), "predictions": predictions_of(runs, predictions)}
    more |= {"histograms": counts, "formats": formats or Formats(), "chance": chance or {}}
    more["same_as"] = {label: one["same_as"] for label, one in (activations or {}).items() if one.get("same_as")}
    empty = [column for name, count in lacking.items() if count == len(runs) for column in (name, LOG10 + name)]
    runs, steps, layers = (frame.drop(columns=empty, errors="ignore") for frame in (runs, steps, layers))
    runs = runs.sort_values("run", kind="stable").reset_index(drop=True)
    steps = steps.sort_values(["run", "step"], kind="stable").reset_index(drop=True)
    layers = layers.sort_values(["run", "step", "layer"], kind="stable").reset_index(drop=True)
    known = tuple(settings_in(runs, settings))
    keys = varying(runs, known)
    orders = activation_orders(runs) | {label: float(one["order"]) for label, one in (activations or {}).items()}
    ranks = activation_ranks(runs, orders)
    given = {label: one["look"] for label, one in (activations or {}).items() if one.get("look")}
    looks = looks_of({label: int(orders[label]) for label in ranks}, given)
    over = next((one.column for one in known if select is not None and one.key == select.over), "")
    if tuning is not None and not runs["seed"].isin(tuning.seeds).any():
        tuning = None  # nothing was to be tuned: the key has one value
    if tuning is not None and over:
        keys = [one.column for one in known if one.column in (*keys, over)]
    if select is None or over not in keys:
        nothing = (None, "", pd.DataFrame(), runs, keys, ranks, looks, own or {}, lacking, None)
        return Cells(runs, steps, layers, keys, known, *nothing, **more)
    others = [key for key in keys if key != over]
    if tuning is None:
        selection = selection_frame(runs, keys, select, over, ranks)
    else:
        first = runs[runs["seed"].isin(tuning.seeds)]
        selection = as_stored(selection_frame(first, keys, select, over, ranks), first, keys, tuning)
        number, runs = len(runs), runs[~superseded(runs, tuning, selection, keys)].reset_index(drop=True)
        steps, layers = (frame[frame["run"].isin(runs["run"])].reset_index(drop=True) for frame in (steps, layers))
        lacking = {name: len(runs) if count == number else min(count, len(runs)) for name, count in lacking.items()}
    shown = runs if tuning is None else runs[~runs["seed"].isin(tuning.seeds)]
    chosen = selection.loc[selection["selected"], [*others, over]]
    selected = shown.merge(chosen, on=[*others, over], how="inner") if others else None
    if selected is None:
        selected = shown[shown[over].isin(chosen[over])]
    selected = selected.sort_values("run", kind="stable").reset_index(drop=True)
    about = (keys, known, select, over, selection, selected, others, ranks, looks, own or {}, lacking, tuning)
    return Cells(runs, steps, layers, *about, **more)


def predictions_of(runs: pd.DataFrame, predictions: pd.DataFrame | None) -> pd.DataFrame:
    """Take the predictions that are of any of these runs, in one order."""
    if predictions is None or predictions.empty:
        return pd.DataFrame()
    there = predictions["cell"].isin(cells_of_runs(runs, predictions)["cell"])
    return predictions[there].sort_values(["cell", "measure", "layer"], kind="stable").reset_index(drop=True)


def cell_keys(cells: Cells, keys: Sequence[str] | None = None) -> list[str]:
    """List the keys of a table: what varies, and activation and depth in any case, in the order of display."""
    wanted = {*(cells.selected_keys if keys is None else keys), "activation", "depth"}
    return [one.column for one in cells.settings if one.column in wanted]


def settings_in(runs: pd.DataFrame, settings: Sequence[Setting] = UNSTATED) -> list[Setting]:
    """List the settings that ``runs`` has; of a study that states none, also unknown columns before ``status``."""
    names = [str(name) for name in runs.columns]
    known = [one for one in settings if one.column in names]
    if settings is not UNSTATED:
        return known
    before = names[: names.index("status")] if "status" in names else names
    there = {*NOT_SETTINGS, *(one.column for one in known)}
    return [*known, *(Setting(name) for name in before if name not in there)]


def varying(runs: pd.DataFrame, settings: Sequence[Setting] = UNSTATED) -> list[str]:
    """List the settings that make a cell: those with several values, in the order of display.

    One that follows from others, or from the split, makes cells only where it adds something to them. The split itself
    makes none: it is a repeat, as the seed is.

    >>> varying(pd.DataFrame({"run": list("abc"), "depth": [2, 2, 5], "width": 64, "seed": [0, 1, 0], "status": "ok"}))
    ['depth']
    """
    there = settings_in(runs, settings)
    known = {one.column for one in settings}
    split = [SPLIT] if SPLIT in runs else []
    keys: list[str] = []
    for one in sorted(there, key=lambda one: (one.column not in known, one.follows)):
        if one.column == SPLIT or runs[one.column].nunique(dropna=False) < 2:
            continue
        if not (one.follows or one.column not in known) or adds(runs, [*keys, *split], one.column):
            keys.append(one.column)
    return [one.column for one in there if one.column in keys]


def adds(runs: pd.DataFrame, keys: Sequence[str], column: str) -> bool:
    """Whether a column has several values where all of some others are equal."""
    return not keys or bool(runs.groupby(list(keys), dropna=False)[column].nunique(dropna=False).max() > 1)


def activation_orders(runs: pd.DataFrame) -> dict[str, float]:
    """Read the place of each activation in the story, by label, as the runs have it."""
    order = runs["activation_order"].fillna(0) if "activation_order" in runs else pd.Series(0, index=runs.index)
    return {str(label): float(place) for label, place in zip(runs["activation"], order, strict=True)}


def label_place(label: str) -> tuple[str, list[float], str]:
    """Return by what labels are sorted: the name, then the numbers of its options, then all of it.

    >>> sorted(["spirals(turns=10)", "spirals(turns=3)", "spirals", "iris"], key=label_place)
    ['iris', 'spirals', 'spirals(turns=3)', 'spirals(turns=10)']
    """
    numbers = [float(x) for x in re.findall(r"=(-?\d+(?:\.\d*)?(?:e[-+]?\d+)?)", label)]
    return label.partition("(")[0], numbers, label


def activation_ranks(runs: pd.DataFrame, orders: Mapping[str, float] | None = None) -> dict[str, int]:
    """Rank the activation labels: by the story, then by name, then by the numbers in the label."""
    orders = activation_orders(runs) if orders is None else orders

    def place(label: str) -> tuple[float, str, list[float], str]:
        return orders[label], *label_place(label)

    return {label: i for i, label in enumerate(sorted(map(str, runs["activation"].unique()), key=place))}


def sort_rows(frame: pd.DataFrame, by: Sequence[str], ranks: Mapping[str, int]) -> pd.DataFrame:
    """Sort rows by the columns ``by``: activations by the story, data by their labels, all else by value."""
    if frame.empty or not by:
        return frame.reset_index(drop=True)

    def key(column: pd.Series) -> pd.Series:
        if column.name == "data":
            return column.map({label: i for i, label in enumerate(sorted(map(str, column.unique()), key=label_place))})
        return column.map(ranks) if column.name == "activation" else column

    return frame.sort_values(list(by), key=key, kind="stable").reset_index(drop=True)


def selection_frame(
    runs: pd.DataFrame, keys: Sequence[str], select: Select, over: str, ranks: Mapping[str, int]
) -> pd.DataFrame:
    """Select the value of the swept key that each cell gets, and say why.

    A value with fewer diverged runs goes before one with more; then the better mean over the splits and seeds that did
    not diverge; then the smaller value. Only ``select.by``, a validation metric, is read.

    Returns:
        one row per cell and value: keys, ``mean``, ``low``, ``high``, ``n``, ``method``, ``diverged``, ``selected``.
    """
    by = list(keys)
    others = [key for key in by if key != over]
    frame = summarise(runs[["run"]].assign(measure=select.by, value=runs[select.by]), runs, by)
    frame = frame.drop(columns=["measure", *BESIDE])
    score = frame["mean"].where(frame["n"] > 0, math.nan) * (-1 if select.higher_is_better else 1)
    ranked = frame.assign(score=score.fillna(math.inf)).sort_values(["diverged", "score", over], kind="stable")
    best = ranked.groupby(others, dropna=False).head(1).index if others else ranked.index[:1]
    frame["selected"] = frame.index.isin(best)
    return sort_rows(frame.drop(columns="missing"), by, ranks)
