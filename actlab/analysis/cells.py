"""From frames to cells: which settings vary, which learning rate a cell got, and one value a run at a given time.

A *cell* is every setting that varies among the runs, except the seed. Frames are put into one order first, so that
nothing below depends on the order in which jobs finished.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from actlab.analysis import stats
from actlab.later import pd
from actlab.measures import GEOMETRIC, LOG10, SHARE, Measure, about

# Settings in the order in which rows are sorted and named. `activation` is sorted by its place in the story.
KEYS: tuple[str, ...] = (
    "data",
    "data_seed",
    "standardize",
    "train_rows",
    "activation",
    "depth",
    "width",
    "weight_init",
    "weight_gain",
)
KEYS += ("bias_init", "dtype", "norm", "residual", "dropout", "dropout_kind")
KEYS += ("optimizer", "learning_rate", "schedule", "batch_size", "steps", "clip_norm", "weight_decay")
KEYS += ("decay_activation_parameters",)
# What follows from other settings: a key only where the other keys do not determine it.
DERIVED: tuple[str, ...] = (
    "train_rows",
    "weight_decay",
    "dropout_kind",
    "task",
    "learnable_per",
    "weight_init_used",
    "every",
    "evaluate_every",
)
DERIVED += ("probe_rows", "data_content")
# Where a run was executed: no part of its identity, so that runs of one cell may differ in it (see `made_with`).
ENVIRONMENT = ("actlab", "jax", "jaxlib", "optax", "numpy", "platform", "flags", "runs_per_call", "eval_chunks")
NOT_SETTINGS = ("run", "seed", "learned", "activation_order", "activation_family", "activation_name", *ENVIRONMENT)
# Keys that change the problem, not the answer to it: the best cell is sought within one value of each.
PROBLEM = ("data", "data_seed", "standardize", "train_rows", "task", "depth")


@dataclass(frozen=True)
class Select:
    """Choose a value of the swept key ``over`` in each cell by the mean final value of ``by`` over seeds."""

    over: str = "train.learning_rate"
    by: str = "validation_loss"

    def __post_init__(self) -> None:
        """Refuse what would let the test split choose."""
        if not self.by.startswith("validation_"):
            raise ValueError(
                f"selection by '{self.by}': only a validation metric may choose (validation_loss or _accuracy)"
            )

    @property
    def column(self) -> str:
        """The column of ``runs`` that holds the swept key: its last word, but for the data set's own."""
        return {"data.name": "data", "data.seed": "data_seed"}.get(self.over, self.over.rpartition(".")[2])

    @property
    def higher_is_better(self) -> bool:
        """Accuracies are to be high, losses low."""
        return about(self.by).better == "higher"


@dataclass(frozen=True)
class Cells:
    """A study's frames in one order, its cells' keys, and the runs at the selected value of the swept key.

    Attributes:
        runs, steps, layers: the frames, sorted by run, step and layer.
        keys: the columns of ``runs`` that vary, the seed aside: what makes a cell.
        select: how the swept key was chosen; None where nothing was to choose.
        selection: one row a cell and value of the swept key; empty without a selection.
        selected: ``runs`` at the selected values (all runs without a selection).
        selected_keys: ``keys`` without the selected one.
        ranks: the place of each activation label in the story, for sorting.
        own: the records of the user's measures, by their columns.
        tables: those made so far, by name: figures draw some of them again.
    """

    runs: pd.DataFrame = field(repr=False)
    steps: pd.DataFrame = field(repr=False)
    layers: pd.DataFrame = field(repr=False)
    keys: list[str]
    select: Select | None
    selection: pd.DataFrame = field(repr=False)
    selected: pd.DataFrame = field(repr=False)
    selected_keys: list[str]
    ranks: dict[str, int]
    own: Mapping[str, Measure] = field(default_factory=dict, repr=False)
    tables: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


def build_cells(
    runs: pd.DataFrame,
    steps: pd.DataFrame,
    layers: pd.DataFrame,
    select: Select | None = None,
    own: Mapping[str, Measure] | None = None,
) -> Cells:
    """Sort the frames, find the cells, and apply the selection rule.

    Args:
        runs, steps, layers: a study's frames, rows in any order.
        select: the rule; it is dropped where its key does not vary.
        own: the records of the user's measures, as the manifest has them.
    """
    own = own or {}
    runs = runs.sort_values("run", kind="stable").reset_index(drop=True)
    steps = steps.sort_values(["run", "step"], kind="stable").reset_index(drop=True)
    layers = layers.sort_values(["run", "step", "layer"], kind="stable").reset_index(drop=True)
    keys = varying(runs)
    ranks = activation_ranks(runs)
    if select is None or select.column not in keys:
        return Cells(runs, steps, layers, keys, None, pd.DataFrame(), runs, keys, ranks, own)
    selection = selection_frame(runs, keys, select, ranks)
    others = [key for key in keys if key != select.column]
    chosen = selection.loc[selection["selected"], [*others, select.column]]
    selected = runs.merge(chosen, on=[*others, select.column], how="inner") if others else None
    if selected is None:
        selected = runs[runs[select.column].isin(chosen[select.column])]
    selected = selected.sort_values("run", kind="stable").reset_index(drop=True)
    return Cells(runs, steps, layers, keys, select, selection, selected, others, ranks, own)


def settings(runs: pd.DataFrame) -> list[str]:
    """The columns of ``runs`` that are settings: known keys, and unknown ones that stand before ``status``."""
    names = list(runs.columns)
    before = names[: names.index("status")] if "status" in names else names
    own = [name for name in KEYS if name not in DERIVED]
    unknown = [name for name in before if name not in (*KEYS, *DERIVED, *NOT_SETTINGS)]
    return [name for name in (*own, *DERIVED) if name in names] + unknown


def varying(runs: pd.DataFrame) -> list[str]:
    """The settings that make a cell: those with several values, derived ones only where they add something.

    >>> varying(pd.DataFrame({"run": list("abc"), "depth": [2, 2, 5], "width": 64, "seed": [0, 1, 0], "status": "ok"}))
    ['depth']
    """
    keys: list[str] = []
    for name in settings(runs):
        if runs[name].nunique(dropna=False) < 2:
            continue
        own = name in KEYS and name not in DERIVED
        if own or not keys or runs.groupby(keys, dropna=False)[name].nunique(dropna=False).max() > 1:
            keys.append(name)
    return [*(key for key in KEYS if key in keys), *(key for key in keys if key not in KEYS)]


def made_with(runs: pd.DataFrame, keys: Sequence[str]) -> str:
    """A sentence on what the runs of a table were executed with, where that varies; empty where it does not.

    How many runs a call advances, and in how many chunks it evaluates, hangs on width and device: it is told only where
    runs of one cell differ in it.

    >>> runs = pd.DataFrame({"run": ["a", "b"], "jax": ["0.10.2", "0.9"], "platform": "P", "runs_per_call": [1, 4]})
    >>> made_with(runs, [])
    'Runs of this table were made with JAX 0.9 and 0.10.2 and with 1 and 4 runs per call.'
    """

    def values(name: str) -> list[str]:
        if name not in runs:
            return []
        if name in ("runs_per_call", "eval_chunks") and keys:
            varies = runs.groupby(list(keys), dropna=False)[name].transform("nunique") > 1
            return by_size(runs.loc[varies, name])
        return by_size(runs[name])

    found = {name: values(name) for name in ENVIRONMENT}
    if found["jaxlib"] == found["jax"]:
        found["jaxlib"] = []
    said = {"actlab": "with actlab {}", "jax": "with JAX {}", "jaxlib": "with jaxlib {}", "optax": "with Optax {}"}
    said |= {"numpy": "with NumPy {}", "platform": "on {}", "flags": "with the flags {}"}
    said |= {"runs_per_call": "with {} runs per call", "eval_chunks": "with {} evaluation chunks"}
    parts = [said[name].format(listed(values)) for name, values in found.items() if len(values) > 1]
    return f"Runs of this table were made {listed(parts)}." if parts else ""


def by_size(values: pd.Series) -> list[str]:
    """Different values as texts, numbers in them by their size.

    >>> by_size(pd.Series(["0.10.2", "0.9", "0.9", None, ""])), by_size(pd.Series([4.0, 1.0, None]))
    (['0.9', '0.10.2', 'none'], ['1', '4'])
    """
    texts = {f"{value:g}" if isinstance(value, float) else str(value) or "none" for value in values.dropna()}
    return sorted(texts, key=lambda text: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)])


def listed(texts: Sequence[str]) -> str:
    """Several texts as one.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)


def activation_ranks(runs: pd.DataFrame) -> dict[str, int]:
    """The place of each activation label: by the story, then by name, then by the numbers in the label."""
    order = runs["activation_order"] if "activation_order" in runs else pd.Series(0, index=runs.index)
    places = {str(label): float(place) for label, place in zip(runs["activation"], order, strict=True)}

    def place(label: str) -> tuple[float, str, list[float], str]:
        numbers = [float(x) for x in re.findall(r"=(-?\d+(?:\.\d*)?(?:e[-+]?\d+)?)", label)]
        return places[label], label.partition("(")[0], numbers, label

    return {label: i for i, label in enumerate(sorted(places, key=place))}


def sort_rows(frame: pd.DataFrame, by: Sequence[str], ranks: Mapping[str, int]) -> pd.DataFrame:
    """Rows sorted by the columns ``by``: activations by their place in the story, everything else by value."""
    if frame.empty or not by:
        return frame.reset_index(drop=True)

    def key(column: pd.Series) -> pd.Series:
        return column.map(ranks) if column.name == "activation" else column

    return frame.sort_values(list(by), key=key, kind="stable").reset_index(drop=True)


def selection_frame(runs: pd.DataFrame, keys: Sequence[str], select: Select, ranks: Mapping[str, int]) -> pd.DataFrame:
    """Which value of the swept key each cell got, and why.

    A value with fewer diverged runs goes before one with more; then the better mean over the seeds that did not
    diverge; then the smaller value. Only ``select.by``, a validation metric, is read.

    Returns:
        one row a cell and value: the keys, ``mean``, ``low``, ``high``, ``n``, ``method``, ``diverged``, ``selected``.
    """
    by = list(keys)
    others = [key for key in by if key != select.column]
    found = summarise(runs[["run"]].assign(measure=select.by, value=runs[select.by]), runs, by).drop(columns="measure")
    score = found["mean"].where(found["n"] > 0, math.nan) * (-1 if select.higher_is_better else 1)
    ranked = found.assign(score=score.fillna(math.inf)).sort_values(["diverged", "score", select.column], kind="stable")
    best = ranked.groupby(others, dropna=False).head(1).index if others else ranked.index[:1]
    found["selected"] = found.index.isin(best)
    return sort_rows(found.drop(columns="missing"), by, ranks)


def records_at(frame: pd.DataFrame, runs: pd.DataFrame, at: str | int, columns: Iterable[str]) -> pd.DataFrame:
    """The records of ``runs`` at one time: one row a run (``steps``) or a run and layer (``layers``).

    Args:
        frame: ``steps`` or ``layers``.
        runs: which runs.
        at: ``init`` (step 0), ``final`` (the last record), ``max`` (each column's largest value over the records), or a
            step. A run that had diverged by then, and at ``final`` and ``max`` any that diverged at all, has NaN.
        columns: the measures.

    Returns:
        ``run``, (``layer``,) and the measures that there are; those that the frame holds as log10 under that name.
    """
    columns = list(columns)
    index = ["run", "layer"] if "layer" in frame else ["run"]
    frame = in_one_form(frame[frame["run"].isin(runs["run"])], columns)
    columns = columns_of(frame, columns)
    first = frame.loc[frame["step"] == 0, [*index, *columns]]
    if at == "init":
        return first.reset_index(drop=True)
    if isinstance(at, int):
        found = frame.loc[frame["step"] == at, [*index, *columns]]
        diverged = runs.loc[(runs["status"] != "ok") & (runs["diverged_step"] <= at), "run"]
        found = found[~found["run"].isin(diverged)]
        lost = first[~first["run"].isin(found["run"])]
    else:
        lost = first[first["run"].isin(runs.loc[runs["status"] != "ok", "run"])]
        frame = frame[~frame["run"].isin(lost["run"])]
        if at == "final":
            found = frame.loc[frame["step"] == frame.groupby("run")["step"].transform("max"), [*index, *columns]]
        elif at == "max":
            found = frame.groupby(index, sort=False)[columns].max().reset_index()
        else:
            raise ValueError(f"at: expected init, final, max or a step, not {at!r}")
    empty = lost.astype(dict.fromkeys(columns, float))
    empty[columns] = math.nan
    return pd.concat([part for part in (found, empty) if len(part)] or [found], ignore_index=True)


def held(frame: pd.DataFrame, measures: Iterable[str]) -> list[str]:
    """Those of the measures that a frame holds, be it as their log10.

    >>> held(pd.DataFrame(columns=["run", "act_mean", "log10_signal_grad_norm"]), ["signal_grad_norm", "act_var"])
    ['signal_grad_norm']
    """
    return [name for name in measures if name in frame or LOG10 + name in frame]


def columns_of(frame: pd.DataFrame, measures: Iterable[str]) -> list[str]:
    """The columns in which a frame holds the measures."""
    return [column for name in measures for column in (name, LOG10 + name) if column in frame]


def in_one_form(frame: pd.DataFrame, measures: Iterable[str]) -> pd.DataFrame:
    """The frame with each measure in one column, where parts of two versions hold it as it is and as its log10."""
    for name in measures:
        if name in frame and LOG10 + name in frame:
            own = np.log10(frame[name].where(frame[name] > 0))
            frame = frame.assign(**{LOG10 + name: frame[LOG10 + name].fillna(own)}).drop(columns=name)
    return frame


def natural(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with what it holds as log10 also as it is; what lies beyond float64 is 0 or ∞ there.

    >>> natural(pd.DataFrame({"log10_signal_grad_norm": [-2.0, -400.0]}))["signal_grad_norm"].tolist()
    [0.01, 0.0]
    """
    logged = [str(name) for name in frame if str(name).startswith(LOG10)]
    powers = {name.removeprefix(LOG10): 10.0 ** frame[name] for name in logged}
    return frame.assign(
        **{name: frame[name].fillna(power) if name in frame else power for name, power in powers.items()}
    )


def long(frame: pd.DataFrame, measures: Iterable[str], **labels: Any) -> pd.DataFrame:
    """Columns to rows: ``measure`` and ``value``, everything else repeated, with constant ``labels`` added.

    What the frame holds as log10 stays so, and ``measure`` says so: ``summarise`` knows.
    """
    measures = columns_of(frame, measures)
    index = [name for name in frame.columns if name not in measures]
    out = frame.melt(id_vars=index, value_vars=measures, var_name="measure", value_name="value")
    return out.assign(value=out["value"].astype(float), **labels)


def summarise(
    values: pd.DataFrame,
    runs: pd.DataFrame,
    keys: Sequence[str],
    level: float = 0.95,
    own: Mapping[str, Measure] | None = None,
) -> pd.DataFrame:
    """Intervals over the seeds of each cell, pooled as each measure's record says, with every run accounted for.

    Of a geometric mean the interval is that of log10, and values ≤ 0 have none; of a share it is Wilson's.

    Runs of one seed are no independent samples (at step 0 those that differ in their learning rate are copies of one
    another): where a cell has several, they are averaged first, and ``n`` counts seeds.

    Args:
        values: ``run``, ``measure``, ``value`` and any columns that split a cell further (``at``, ``layer``, ...).
        runs: the runs' settings and ``status``.
        keys: the columns of ``runs`` that make a cell.
        level: coverage.
        own: the records of the user's measures.

    Returns:
        one row a cell, measure and split: keys, splits, ``mean``, ``low``, ``high``, ``n`` (seeds with a value),
        ``runs``, ``diverged`` (how many of them), ``missing`` (runs that did not, and yet have no finite value),
        ``method``.
    """
    records = {name: about(str(name), own) for name in values["measure"].unique()}
    poolings = values["measure"].map({name: one.over_seeds for name, one in records.items()})
    parts = []
    for pooling, part in values.groupby(poolings, sort=False):
        named = part["measure"].map({name: one.name for name, one in records.items()})
        if pooling == GEOMETRIC:
            logged = part["measure"].ne(named)
            natural = np.log10(part["value"].where(~logged & (part["value"] > 0)))
            part = part.assign(value=part["value"].where(logged & (part["value"] > -np.inf), natural))
        parts.append(pooled_intervals(part.assign(measure=named), runs, keys, str(pooling), level))
    if len(parts) < 2:
        return parts[0] if parts else pooled_intervals(values, runs, keys, "", level)
    by = [str(name) for name in parts[0] if name not in ESTIMATE]
    return pd.concat(parts, ignore_index=True).sort_values(by, kind="stable").reset_index(drop=True)


ESTIMATE = ("mean", "low", "high", "n", "runs", "diverged", "missing", "method")


def pooled_intervals(
    values: pd.DataFrame, runs: pd.DataFrame, keys: Sequence[str], pooling: str, level: float
) -> pd.DataFrame:
    """``summarise`` of measures that are pooled alike; where by geometric means, ``value`` is log10."""
    keys = list(keys)
    within = [name for name in values.columns if name not in ("run", "value")]
    seed = [] if "seed" in keys else ["seed"]
    frame = values.merge(runs[["run", "status", *seed, *keys]], on="run", how="inner")
    frame["diverged"] = (frame["status"] != "ok").astype(int)
    frame["missing"] = (~np.isfinite(frame["value"]) & (frame["diverged"] == 0)).astype(int)
    by = [*keys, *within]
    by_seed = [*by, *([] if "seed" in by else ["seed"])]
    grouped = frame.groupby(by_seed, dropna=False)["value"]
    once = bool((grouped.size() <= 1).all())
    samples = grouped.mean().reset_index()[[*by, "value"]]
    out = stats.grouped_intervals(samples, by, level, share=pooling == SHARE and once)
    counts = frame.assign(runs=1).groupby(by, dropna=False)[["runs", "diverged", "missing"]].sum()
    for name in counts:
        out[str(name)] = counts[name].to_numpy()  # the same groups in the same order
    if pooling == GEOMETRIC:
        out[["mean", "low", "high"]] = 10.0 ** out[["mean", "low", "high"]]
        out["method"] = out["method"].where(out["n"] < 2, out["method"] + " of log10")
    return out[[*by, *ESTIMATE]]


def parameter_columns(layers: pd.DataFrame, runs: pd.DataFrame) -> list[str]:
    """The columns of ``layers`` that are learned activation parameters (without their ``_min`` and ``_max``)."""
    learned = (
        {name for names in runs["learned"].unique() for name in str(names).split(",")} if "learned" in runs else ()
    )
    return [str(name) for name in layers if name in learned]
