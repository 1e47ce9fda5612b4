"""Differences from one activation, by pairs of one seed, with their intervals: of what spans decades, ratios."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from actlab.analysis import stats
from actlab.analysis.compared_runs import CompareError
from actlab.analysis.estimates import LOGS, POWERS, on_scale
from actlab.analysis.intervals import BESIDE, COUNTS, NO_INTERVAL, NOTHING, Interval, Quantity, quantity_of
from actlab.analysis.variation import SEED, SPLIT, repeats_of
from actlab.later import pd
from actlab.measures import Measure, about
from actlab.naming import nearest
from actlab.where.matching import in_one_word, same_choice

DIFFERENCE, RATIO = "difference", "ratio"
COLUMNS = (
    "against",
    "scale",
    "mean",
    "low",
    "high",
    "n",
    "dropped_pairs",
    "lost_pairs",
    "runs",
    "diverged",
    "missing",
    "runs_against",
    "diverged_against",
    "missing_against",
    "method",
    *BESIDE,
)
TRAINED = ("n_trained", "n_trained_against")
"""How many runs of either side trained, where that is told."""


def the_one(label: str, runs: pd.DataFrame) -> str:
    """Return the label of the activation that is meant, written as tables have it or in one word.

    Raises:
        CompareError: no run has it, or all have.

    >>> the_one("elu:alpha=0.5", pd.DataFrame({"activation": ["elu", "elu(alpha=0.5)"]}))
    'elu(alpha=0.5)'
    """
    there = list(dict.fromkeys(map(str, runs["activation"])))
    found = label if label in there else next((one for one in there if same_choice(label, one)), None)
    if found is None:
        names = sorted(map(in_one_word, there))
        longer = [one for one in names if one.startswith(f"{label}:")]  # the same name, with options
        raise CompareError(f"--against: no run has the activation '{label}'{nearest(label, longer or names)}")
    if len(there) == 1:
        raise CompareError(f"--against {label}: there is no other activation among the runs compared")
    return found


def differences(
    values: pd.DataFrame,
    runs: pd.DataFrame,
    keys: Sequence[str],
    against: str,
    over: Sequence[str] = (),
    level: float = 0.95,
    own: Mapping[str, Measure] | None = None,
    trained: bool = False,
) -> pd.DataFrame:
    """Bound the difference of each activation from one, in each cell of the other keys, by pairs of one seed.

    A pair is two runs of one seed, and of one value of each setting in ``over``; where one of them has no value, both
    are left out and counted. What is left is averaged within each seed on either side, before seeds are paired: so that
    both means of a pair are over the same settings. What has geometric means is compared by log10, and is a ratio then.

    There is no interval where pairs were lost, for the others are no sample of all; nor where some runs of a side
    trained and others did not, with ``trained``: the mean of such differences lies where none is.

    Args:
        values: ``run``, ``measure``, ``value``, and ``layer`` where each has its own.
        runs: the runs' settings, ``seed`` and ``status``.
        keys: the columns of ``runs`` that make a cell, ``activation`` among them.
        against: the label of the activation that is subtracted.
        over: the settings that a cell averages over.
        level: coverage.
        own: the records of the user's measures.
        trained: whether the measure says how well a run did, so that runs that trained and others differ by kind.

    Returns:
        one row per cell of ``keys`` but that activation's, and measure (and layer), with ``COLUMNS``: ``mean`` is the
        activation's minus the other's (``scale`` difference), or their quotient (ratio); ``n`` counts pairs of seeds,
        ``splits`` and ``seeds`` how many of each where splits vary; ``dropped_pairs`` counts pairs of runs that are
        left out, ``lost_pairs`` those of them of which a run has no value, or of which other seeds have one; ``runs``,
        ``diverged`` and ``missing`` are the activation's, and with ``_against`` those of the other, so ``TRAINED``
        with ``trained``; without an interval, order statistics of the differences stand instead.

    Raises:
        CompareError: no other activation stands in a cell with it.
    """
    within = [str(name) for name in values if name not in ("run", "measure", "value")]
    repeats = [name for name in repeats_of(runs) if name not in keys]
    columns = list(dict.fromkeys([*repeats, "status", "activation", *["trained"] * trained, *keys, *over]))
    frame = values.merge(runs[["run", *columns]], on="run", how="inner")
    rows: list[dict[str, Any]] = []
    for name, part in frame.groupby("measure", sort=False):
        record = about(str(name), own)
        quantity = quantity_of(record)
        part = on_scale(part, pd.Series(str(name) != record.name, part.index), quantity)
        others = [str(key) for key in (*keys, *within) if key != "activation"]
        for cell, group in part.groupby(others, dropna=False) if others else [((), part)]:
            labelled: dict[str, Any] = dict(zip(others, cell, strict=True))
            by_label = {str(label): some for label, some in group.groupby("activation")}
            base = by_label.pop(against, group.head(0))
            for label, some in by_label.items():
                ended = [side[side["status"] == "ok"] for side in (some, base)]
                apart = trained and any(0 < number_trained(side) < len(side) for side in ended)
                interval, counts = paired(some, base, repeats, over, level, quantity, apart)
                about_them: dict[str, Any] = {"activation": label, "measure": record.name, "against": against}
                about_them |= {"scale": RATIO if quantity.log10 else DIFFERENCE, **counts}
                if trained:
                    about_them |= dict(zip(TRAINED, map(number_trained, (some, base)), strict=True))
                rows.append({**labelled, **about_them, **asdict(interval), **lost(some), **lost(base, "_against")})
    if not rows:
        raise CompareError(f"--against {against}: no other activation stands in a cell with it")
    more = [name for name in (*COUNTS, *TRAINED) if name in rows[0]]
    return as_ratios(pd.DataFrame(rows)[[*keys, "measure", *within, *COLUMNS, *more]])


def paired(
    a: pd.DataFrame,
    b: pd.DataFrame,
    repeats: Sequence[str],
    over: Sequence[str],
    level: float,
    quantity: Quantity,
    apart: bool = False,
) -> tuple[Interval, dict[str, int]]:
    """Bound mean(a) − mean(b) by pairs, and count them: see ``differences``.

    ``apart``: whether the differences are of two kinds, and their mean is neither's.
    """
    one, other = (frame.groupby([*repeats, *over], dropna=False)["value"].mean() for frame in (a, b))
    every, common = one.index.union(other.index), one.index.intersection(other.index)
    one, other = one[np.isfinite(one)], other[np.isfinite(other)]
    both = one.index.intersection(other.index)
    x, y = (side.reindex(both).groupby(level=list(repeats)).mean() for side in (one, other))
    kinds = len(both.to_frame(index=False)[list(over)].drop_duplicates()) if over else 1
    holes = len(x) * kinds - len(both)  # some seeds have pairs at settings at which others have none
    counts = {"dropped_pairs": len(every) - len(both), "lost_pairs": max(len(common) - len(both), holes)}
    if {SPLIT, SEED} <= {*repeats}:
        counts |= {name: int(x.index.unique(one).size) for name, one in zip(COUNTS, (SPLIT, SEED), strict=True)}
    if both.empty:
        return NOTHING, counts
    interval = stats.difference(x, y, level, quantity).interval
    return without_interval(interval, x - y, quantity) if apart or counts["lost_pairs"] else interval, counts


def without_interval(interval: Interval, differences: pd.Series, quantity: Quantity) -> Interval:
    """Put median and range of some differences in the place of their interval; of shares, or equal ones, nothing."""
    nothing = Interval(interval.mean, math.nan, math.nan, interval.n, NO_INTERVAL)
    least, greatest = float(differences.min()), float(differences.max())
    if least >= greatest or quantity.share:
        return nothing
    return replace(nothing, median=float(differences.median()), least=least, greatest=greatest)


def number_trained(frame: pd.DataFrame) -> int:
    """Count the runs that trained."""
    return int((frame["trained"].astype(bool) & (frame["status"] == "ok")).sum())


def lost(frame: pd.DataFrame, whose: str = "") -> dict[str, int]:
    """Count the runs of one side of a cell: all, the diverged ones, and those that have no value for another reason."""
    diverged = frame["status"] != "ok"
    missing = ~np.isfinite(frame["value"]) & ~diverged
    counts = {"runs": len(frame), "diverged": int(diverged.sum()), "missing": int(missing.sum())}
    return {name + whose: number for name, number in counts.items()}


def as_ratios(frame: pd.DataFrame) -> pd.DataFrame:
    """Raise ten to the differences of logarithms; the logarithms stay beside them where some lie beyond float64."""
    ratios = (frame["scale"] == RATIO).to_numpy()
    if not ratios.any():
        return frame
    logs = frame.loc[ratios, list(POWERS)].to_numpy(float)
    with np.errstate(over="ignore", under="ignore"):
        numbers = 10.0**logs
    if (np.isfinite(logs) & ((numbers == 0) | np.isinf(numbers))).any():
        frame[list(LOGS)] = math.nan
        frame.loc[ratios, list(LOGS)] = logs
    frame.loc[ratios, list(POWERS)] = numbers
    frame.loc[ratios & frame["low"].notna().to_numpy(), "method"] += " of log10"
    return frame
