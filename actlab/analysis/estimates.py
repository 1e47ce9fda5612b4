"""From frames to estimates: one value per run at a given time, and intervals over the seeds of each cell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from actlab.analysis import stats
from actlab.analysis.intervals import BESIDE, COUNTS, NO_INTERVAL, Quantity, quantity_of
from actlab.analysis.variation import repeats_of, untrained
from actlab.later import pd
from actlab.measures import GEOMETRIC, LOG10, Measure, about


def records_at(frame: pd.DataFrame, runs: pd.DataFrame, at: str | int, columns: Iterable[str]) -> pd.DataFrame:
    """Take the records of ``runs`` at one time: one row per run (``steps``) or run and layer (``layers``).

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
        rows = frame.loc[frame["step"] == at, [*index, *columns]]
        diverged = runs.loc[(runs["status"] != "ok") & (runs["diverged_step"] <= at), "run"]
        rows = rows[~rows["run"].isin(diverged)]
        lost = first[~first["run"].isin(rows["run"])]
    else:
        lost = first[first["run"].isin(runs.loc[runs["status"] != "ok", "run"])]
        frame = frame[~frame["run"].isin(lost["run"])]
        if at == "final":
            rows = frame.loc[frame["step"] == frame.groupby("run")["step"].transform("max"), [*index, *columns]]
        elif at == "max":
            rows = frame.groupby(index, sort=False)[columns].max().reset_index()
        else:
            raise ValueError(f"at: expected init, final, max or a step, not {at!r}")
    empty = lost.astype(dict.fromkeys(columns, float))
    empty[columns] = math.nan
    return pd.concat([part for part in (rows, empty) if len(part)] or [rows], ignore_index=True)


def at_both_ends(frame: pd.DataFrame, runs: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Take the records of ``runs`` at step 0 and at the end, as ``long`` gives them with the column ``at``."""
    return pd.concat([long(records_at(frame, runs, at, measures), measures, at=at) for at in ends(runs)])


def ends(runs: pd.DataFrame) -> tuple[str, ...]:
    """Name the records that tables show of runs: at initialisation, and where any is trained also at the end.

    >>> ends(pd.DataFrame({"steps": [0, 500]})), ends(pd.DataFrame({"steps": [0, 0]}))
    (('init', 'final'), ('init',))
    """
    return ("init",) if untrained(runs) else ("init", "final")


def available(frame: pd.DataFrame, measures: Iterable[str]) -> list[str]:
    """List those of the measures that a frame holds, be it as their log10.

    >>> available(pd.DataFrame(columns=["run", "act_mean", "log10_signal_grad_norm"]), ["signal_grad_norm", "act_var"])
    ['signal_grad_norm']
    """
    return [name for name in measures if name in frame or LOG10 + name in frame]


def columns_of(frame: pd.DataFrame, measures: Iterable[str]) -> list[str]:
    """List the columns in which a frame holds the measures."""
    return [column for name in measures for column in (name, LOG10 + name) if column in frame]


def in_one_form(frame: pd.DataFrame, measures: Iterable[str]) -> pd.DataFrame:
    """Put each measure into one column, where parts of two versions hold it as it is and as its log10."""
    for name in measures:
        if name in frame and LOG10 + name in frame:
            own = np.log10(frame[name].where(frame[name] > 0))
            frame = frame.assign(**{LOG10 + name: frame[LOG10 + name].fillna(own)}).drop(columns=name)
    return frame


def geometric_over_layers(
    runs: pd.DataFrame,
    steps: pd.DataFrame,
    layers: pd.DataFrame,
    measures: Iterable[str],
    own: Mapping[str, Measure] | None = None,
) -> tuple[pd.DataFrame, bool]:
    """Take geometric means over layers where ``steps`` holds arithmetic ones of what is to have geometric ones.

    Runs of earlier versions were stored so. Their means are taken from ``layers``, if all layers were kept; else
    they are not known, and NaN.

    Returns:
        ``steps`` with those measures as their log10, and whether all of them are known.
    """
    known = True
    for name in measures:
        if about(name, own).over_layers != GEOMETRIC or name not in steps:
            continue
        column = LOG10 + name
        logs = steps[column] if column in steps else pd.Series(math.nan, steps.index)
        old = logs.isna() & steps[name].notna()
        if old.any():
            of_layers = layers[column] if column in layers else pd.Series(math.nan, layers.index)
            if name in layers:
                of_layers = of_layers.fillna(np.log10(layers[name].where(layers[name] > 0)))
            groups = layers[["run", "step"]].assign(_=of_layers).groupby(["run", "step"])["_"]
            means = (groups.sum() / groups.size()).where(groups.count() == groups.size())
            kept = groups.size().rename("kept").reset_index().merge(runs[["run", "depth"]], on="run")
            whole = pd.MultiIndex.from_frame(kept.loc[kept["kept"] == kept["depth"], ["run", "step"]])
            at = pd.MultiIndex.from_frame(steps[["run", "step"]])
            known_now = pd.Series(means.reindex(whole).reindex(at).to_numpy(), steps.index)
            logs = logs.where(~old, known_now)
            known &= bool(at[old].isin(whole).all())
        steps = steps.drop(columns=name).assign(**{column: logs})
    return steps, known


def natural(frame: pd.DataFrame) -> pd.DataFrame:
    """Add to a frame what it holds as log10 as it is; what lies beyond float64 is 0 or ∞ there.

    >>> natural(pd.DataFrame({"log10_signal_grad_norm": [-2.0, -400.0]}))["signal_grad_norm"].tolist()
    [0.01, 0.0]
    """
    logged = [str(name) for name in frame if str(name).startswith(LOG10)]
    powers = {name.removeprefix(LOG10): 10.0 ** frame[name] for name in logged}
    return frame.assign(
        **{name: frame[name].fillna(power) if name in frame else power for name, power in powers.items()}
    )


def long(frame: pd.DataFrame, measures: Iterable[str], **labels: Any) -> pd.DataFrame:
    """Turn columns into rows: ``measure`` and ``value``, everything else repeated, with constant ``labels`` added.

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
    """Take intervals over the repeats of each cell, pooled as each measure's record says, with every run accounted for.

    The record says what kind of quantity it is, and that the rule (see ``intervals``). Of a geometric mean the interval
    is that of log10, and values ≤ 0 have none; of what is true or false of a run it is Wilson's.

    Runs of one seed are no independent samples (at step 0 those that differ in their learning rate are copies of one
    another): where a cell has several, they are averaged first, and ``n`` counts seeds. So a share over several
    settings is the mean of each seed's share, with Wilson's interval for as many flags as there are seeds.

    Where ``data_seed`` varies and is no key, a cell's repeats are its pairs of a split and a seed, which ``n`` counts
    then, and intervals are over both (see ``crossed``).

    Args:
        values: ``run``, ``measure``, ``value`` and any columns that split a cell further (``at``, ``layer``, ...).
        runs: the runs' settings and ``status``.
        keys: the columns of ``runs`` that make a cell.
        level: coverage.
        own: the records of the user's measures.

    Returns:
        one row per cell, measure and what splits it: keys, these, ``mean``, ``low``, ``high``, ``n`` (seeds with one),
        ``splits`` and ``seeds`` (how many of each, where a cell has several splits), ``runs``, ``diverged`` (how many
        of them; none where ``at`` is init), ``missing`` (runs that did not, and yet have no finite value), ``method``;
        where there is no interval, as where some runs have no value, ``median``, ``least``, ``greatest``, and the
        ``share`` of seeds in the larger of two groups with its bounds; and ``LOGS`` where a geometric mean lies beyond
        float64.
    """
    records = {name: about(str(name), own) for name in values["measure"].unique()}
    kinds = {name: quantity_of(one) for name, one in records.items()}
    parts = []
    for quantity in dict.fromkeys(kinds.values()):
        part = values[values["measure"].isin([name for name in kinds if kinds[name] == quantity])]
        named = part["measure"].map({name: one.name for name, one in records.items()})
        part = on_scale(part.assign(measure=named), part["measure"].ne(named), quantity)
        parts.append(pooled_intervals(part, runs, keys, quantity, level))
    out = parts[0] if parts else pooled_intervals(values, runs, keys, Quantity(), level)
    if len(parts) > 1:
        by = [str(name) for name in parts[0] if name not in (*ESTIMATE, *LOGS, *COUNTS)]
        out = pd.concat(parts, ignore_index=True).sort_values(by, kind="stable").reset_index(drop=True)
    return out.drop(columns=list(COUNTS)) if "splits" in out and (out["splits"] < 2).all() else out


def on_scale(values: pd.DataFrame, logged: pd.Series, quantity: Quantity) -> pd.DataFrame:
    """Put values on the scale on which they are averaged: log10 of what is to have geometric means, without those ≤ 0.

    Args:
        values: with the column ``value``.
        logged: which of them are log10 already.
        quantity: their kind.
    """
    if not quantity.log10:
        return values
    natural = np.log10(values["value"].where(~logged & (values["value"] > 0)))
    return values.assign(value=values["value"].where(logged & (values["value"] > -np.inf), natural))


ESTIMATE = ("mean", "low", "high", "n", "runs", "diverged", "missing", "method", *BESIDE)
POWERS = ("mean", "low", "high", "median", "least", "greatest")
LOGS = tuple(LOG10 + name for name in POWERS)
"""Columns besides, of geometric means of which any lies beyond float64: there ``mean`` itself is 0 or ∞."""


def pooled_intervals(
    values: pd.DataFrame, runs: pd.DataFrame, keys: Sequence[str], quantity: Quantity, level: float
) -> pd.DataFrame:
    """``summarise`` of measures that are of one kind; where by geometric means, ``value`` is log10."""
    keys = list(keys)
    within = [name for name in values.columns if name not in ("run", "value")]
    repeats = [name for name in repeats_of(runs) if name not in keys]
    columns = list(dict.fromkeys(["run", "status", *repeats, *keys]))  # the status may be a key
    frame = values.merge(runs[columns], on="run", how="inner")
    later = frame["at"] == "init" if "at" in within else False  # they had not diverged yet, and have a value
    frame["diverged"] = ((frame["status"] != "ok") & ~np.asarray(later)).astype(int)
    frame["missing"] = (~np.isfinite(frame["value"]) & (frame["diverged"] == 0)).astype(int)
    by = [*keys, *within]
    samples = frame.groupby([*by, *repeats], dropna=False)["value"].mean().reset_index()
    out = stats.grouped_intervals(samples, by, level, quantity)
    more: list[str] = []
    counts = frame.assign(runs=1).groupby(by, dropna=False)[["runs", "diverged", "missing"]].sum()
    for name in counts:
        out[str(name)] = counts[name].to_numpy()  # the same groups in the same order
    out = of_those_with_a_value(out, frame, samples, by, quantity)
    if quantity.log10:
        logs = out[[*POWERS]].to_numpy(float)
        with np.errstate(over="ignore", under="ignore"):
            numbers = 10.0**logs
        if (np.isfinite(logs) & ((numbers == 0) | np.isinf(numbers))).any():
            more = list(LOGS)
            out[more] = logs
        out[[*POWERS]] = numbers
        out["method"] = out["method"].where(out["low"].isna(), out["method"] + " of log10")
    counts_of = [name for name in COUNTS if name in out]
    at = ESTIMATE.index("n") + 1
    return out[[*by, *ESTIMATE[:at], *counts_of, *ESTIMATE[at:], *more]]


def of_those_with_a_value(
    out: pd.DataFrame, frame: pd.DataFrame, samples: pd.DataFrame, by: Sequence[str], quantity: Quantity
) -> pd.DataFrame:
    """Take the interval from groups of which some runs have no value: the others are a selection, not a sample.

    What is left of them is their median and range; of what is true or false, their share alone.

    Args:
        out: one row per group, with the columns of ``intervals_of``.
        frame: one row per run, with the column ``value``.
        samples: one row per seed, likewise.
        by: what makes a group, in the order of ``out``.
        quantity: what kind the values are.
    """
    lost = (~np.isfinite(frame["value"])).groupby([frame[name] for name in by], dropna=False).any().to_numpy()
    some = lost & (out["n"].to_numpy() > 0)
    if not some.any():
        return out
    there = samples["value"].where(np.isfinite(samples["value"]))
    order = there.groupby([samples[name] for name in by], dropna=False).agg(["median", "min", "max"]).to_numpy()
    out = out.copy()
    out.loc[some, ["low", "high", *BESIDE]] = math.nan
    out.loc[some, "method"] = NO_INTERVAL
    if not quantity.share:
        out.loc[some, ["median", "least", "greatest"]] = order[some]
    return out


def parameter_columns(layers: pd.DataFrame, runs: pd.DataFrame) -> list[str]:
    """List the columns of ``layers`` that are learned activation parameters (without their ``_min`` and ``_max``)."""
    learned = (
        {name for names in runs["learned"].unique() for name in str(names).split(",")} if "learned" in runs else ()
    )
    return [str(name) for name in layers if name in learned]
