"""From counts in bins to shares: what is pooled of which runs, where bins lie on an axis, what lies at its ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actlab.later import pd
from actlab.measures.bins import bounds

DELTA = "hist_delta"
"""The histogram whose bins are of log10: its first bin is what is exactly 0."""
GAP = 0.25  # decades: half of what stands on an axis for all that is nearer to 0 than its innermost bins
CUT = 0.01  # of a layer: where as much lies beyond an end of the axis, a picture marks it there
NEAREST = 0.03  # of a layer's values at most may be nearer to 0 than the axis shows, but for those of the middle bin
LEAST = 0.02  # of a layer, for each decade: where every layer has less, may be beyond the axis
SAID = 0.05  # share near 0 from which on a picture says it
FINEST = -4  # log10 of the innermost edge
OF_BIN = ("bin", "from", "to", "count", "mean", "n")
"""The columns of shares that are of a bin."""


def both_ends(histograms: pd.DataFrame, steps: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Take the counts of some runs at step 0, and of those that did not diverge at their last record: column ``at``.

    Args:
        histograms: ``run``, ``step``, ``layer``, ``of``, ``bin``, ``count``; or nothing at all.
        steps: ``run`` and ``step`` of every record.
        runs: ``run`` and ``status``.
    """
    if histograms.empty:
        return histograms
    there = histograms[histograms["run"].isin(runs["run"])]
    last = there["run"].map(steps.groupby("run")["step"].max())
    ended = there["run"].isin(runs.loc[runs["status"] == "ok", "run"]) & (there["step"] == last)
    return pd.concat([there[there["step"] == 0].assign(at="init"), there[ended].assign(at="final")], ignore_index=True)


def shares(counts: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Pool the counts of runs, and say which share of a layer's values lies in each bin.

    Args:
        counts: as ``both_ends`` gives them, with the columns ``keys``.
        keys: what makes a cell.

    Returns:
        keys, ``measure``, ``at``, ``layer``, ``bin``, ``from`` and ``to`` (its bounds), ``count``, ``mean`` (the share)
        and ``n`` (how many runs are pooled); bins that are empty have no row.

    >>> one = {"step": 0, "layer": 1, "of": "hist_h", "at": "init"}
    >>> counts = pd.DataFrame([one | {"run": run, "bin": 65, "count": n} for run, n in {"a": 1, "b": 2}.items()])
    >>> shares(counts, [])[["count", "mean", "n"]].to_numpy().tolist()
    [[3.0, 1.0, 2.0]]
    """
    counts = counts.rename(columns={"of": "measure"})
    by = [*keys, "measure", "at", "layer"]
    counts["n"] = counts.groupby(by, dropna=False)["run"].transform("nunique")
    pooled = counts.groupby([*by, "bin"], dropna=False).agg(count=("count", "sum"), n=("n", "max")).reset_index()
    ends = [bounds(str(name))[i] for name, i in zip(pooled["measure"], pooled["bin"], strict=True)]
    pooled["from"], pooled["to"] = np.array(ends, float).reshape(-1, 2).T
    pooled["mean"] = pooled["count"] / pooled.groupby(by, dropna=False)["count"].transform("sum")
    return pooled[[*by, *OF_BIN]]


def keys_of(frame: pd.DataFrame) -> list[str]:
    """List the columns of shares that say which layer they are of: all but those of a bin."""
    return [str(name) for name in frame if name not in OF_BIN]


@dataclass(frozen=True)
class Axis:
    """Where the bins of a histogram lie on an axis of decades, to both sides of 0 where the values have both signs.

    Attributes:
        inner: log10 of what is nearest to 0 of what the axis shows; NaN where the axis is of log10 itself.
        left, right: both ends of each bin [B]; NaN of those that are nearer to 0, or are exactly 0; equal of what lies
            beyond the outermost edge.
        low, high: the ends of the axis.
    """

    inner: float
    left: np.ndarray
    right: np.ndarray
    low: float
    high: float

    def place(self, value: float) -> float:
        """Return where a value lies."""
        if math.isnan(self.inner):
            return math.log10(value)
        return math.copysign(math.log10(abs(value)) - self.inner + GAP, value)


def axis_of(frame: pd.DataFrame) -> Axis:
    """Choose the one axis of a picture.

    It shows all stretches where some layer has 2 % of its values for each decade, and of those near 0 as many as it
    takes to leave out no more than 3 % of any layer.

    Args:
        frame: shares of one measure.
    """
    measure = str(frame["measure"].iloc[0])
    low, high = np.array(bounds(measure)).T
    near = math.nan if measure == DELTA else innermost(frame, low, high)
    left, right = (low.copy(), high.copy()) if measure == DELTA else in_decades(low, high, near)
    if measure == DELTA:
        left[0] = right[0] = math.nan  # δ = 0
        left[1], right[-1] = right[1], left[-1]
    wide = np.nan_to_num(right - left, nan=1.0)
    wide[wide == 0] = 1.0
    seen = np.unique(frame.loc[frame["mean"] >= LEAST * wide[frame["bin"]], "bin"])
    ends = np.concatenate([left[seen], right[seen]])
    ends = ends[np.isfinite(ends)] if np.isfinite(ends).any() else np.array([-1.0, 1.0])
    first, last = float(ends.min()), float(ends.max())
    if measure != DELTA:  # 0 is always on it
        first, last = min(first, -GAP), max(last, GAP)
    return Axis(near, left, right, first, last)


def beyond(frame: pd.DataFrame, axis: Axis) -> pd.DataFrame:
    """Say of each layer which share lies beyond either end of an axis: ``keys_of(frame)``, ``below``, ``above``.

    >>> one = {"measure": "hist_h", "at": "init", "layer": 1}
    >>> rows = [one | {"bin": 65, "mean": 0.9}, one | {"bin": 100, "mean": 0.095}, one | {"bin": 130, "mean": 0.005}]
    >>> beyond(pd.DataFrame(rows), axis_of(pd.DataFrame(rows)))[["below", "above"]].to_numpy().tolist()
    [[0.0, 0.005]]
    """
    left, right = axis.left[frame["bin"]], axis.right[frame["bin"]]
    cut = {"below": right <= axis.low + 1e-6, "above": left >= axis.high - 1e-6}
    shares = frame.assign(**{side: frame["mean"].where(there, 0.0) for side, there in cut.items()})
    return shares.groupby(keys_of(frame), dropna=False, sort=False)[[*cut]].sum().reset_index()


def innermost(frame: pd.DataFrame, low: np.ndarray, high: np.ndarray) -> float:
    """Choose log10 of what is nearest to 0 on an axis: of several powers of ten the largest that hides little."""
    inner = np.log10(np.where(low > 0, low, -high).clip(10.0**FINEST))  # of each bin, the end that is nearer to 0
    by = keys_of(frame)
    sides = frame[frame["bin"] != len(high) // 2]
    for near in range(-1, FINEST, -1):
        hidden = sides["mean"].where(inner[sides["bin"]] < near - 1e-6, 0.0)
        if sides.empty or hidden.groupby([sides[name] for name in by], dropna=False).sum().max() <= NEAREST:
            return float(near)
    return float(FINEST)


def in_decades(low: np.ndarray, high: np.ndarray, near: float) -> tuple[np.ndarray, np.ndarray]:
    """Place bins of values: 0 in the middle, decades to both sides of it.

    >>> left, right = in_decades(np.array([-np.inf, -10, -1, 1, 10.0]), np.array([-10, -1, 1, 10, np.inf]), 0.0)
    >>> left.tolist()
    [-1.25, -1.25, nan, 0.25, 1.25]
    >>> right.tolist()
    [-1.25, -0.25, nan, 1.25, 1.25]
    """
    with np.errstate(divide="ignore"):
        away = [np.log10(np.abs(end)) - near + GAP for end in (low, high)]
    shown = (np.minimum(*away) >= GAP - 1e-6) & (np.sign(low) == np.sign(high))
    left, right = (np.sign(end) * distance for end, distance in zip((low, high), away, strict=True))
    left, right = np.where(np.isinf(low), right, left), np.where(np.isinf(high), left, right)
    return np.where(shown, left, math.nan), np.where(shown, right, math.nan)
