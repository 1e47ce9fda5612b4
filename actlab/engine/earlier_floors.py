"""Floors of what was stored before ``actlab.engine.floors`` was: applied on reading, by what such parts hold.

How large sums were is not known there. What is known is a bound from below: h is rounded itself, by u·|h| (u = 2^−24 in
float32, 2^−53 in float64), so that rounding makes at least u²·(``act_mean``² + ``act_var``) of a layer's variance over
rows. With that as its noise, ``act_var_within`` as the variance within units (and as the square of their mean standard
deviation, which is not known either) the same rules hold. Over the layers that were kept the shares add up. What they
leave defined may still be noise; what they take away was.

A layer is constant by definition where all units are dead and h has no spread beyond its rounding, or h is 0.

The same measures of ``steps``, means over layers, are NaN where a kept layer's is. Runs that lack one of the three
measures cannot be judged and stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from actlab.engine.floors import with_floors
from actlab.later import Later, pd
from actlab.measures import LOG10, MEASURES

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = Later("pyarrow")

NEEDED = ("act_mean", "act_var", "act_var_within")


def with_earlier_floors(
    rows: pa.Table, steps: pd.DataFrame, layers: pd.DataFrame, records: np.ndarray, kept: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the frames ``steps`` and ``layers`` with NaN where rounding decides what an earlier version stored.

    Args:
        rows: of the parts, one row per run.
        steps, layers: their frames, in the same order.
        records, kept: of each run, how many records and kept layers it has.
    """
    floored = [name for name, one in MEASURES.items() if one.floor and name in layers]
    if not floored or any(name not in layers for name in NEEDED):
        return steps, layers
    now = f"steps.{LOG10}act_var_within"  # every run has it that was stored with its floors and can be judged
    earlier = ~rows[now].is_valid().to_numpy() if now in rows.column_names else np.ones(len(rows), bool)
    if not earlier.any():
        return steps, layers

    def of_runs(name: str, default: int | str | bool) -> np.ndarray:
        if name not in rows.column_names:
            return np.full(len(rows), default)
        return np.array([default if value is None else value for value in rows[name].to_pylist()])

    width = of_runs("width", 64)
    rank = np.minimum(width, np.where(of_runs("probe_rows", 0) > 0, of_runs("probe_rows", 0), width))
    residual = of_runs("residual", False).astype(bool)
    u = np.where(of_runs("dtype", "float32") == "float64", 2.0**-53, 2.0**-24)

    # Layers of each (run, record) as a row, of as many places as the most kept layers; what is behind the last stays 0.
    run_of_record = np.repeat(np.arange(len(rows)), records)
    layers_of_record = kept[run_of_record]
    record = np.repeat(np.arange(len(run_of_record)), layers_of_record)
    place = np.arange(len(record)) - np.repeat(np.cumsum(layers_of_record) - layers_of_record, layers_of_record)

    def by_record(column: str) -> np.ndarray:
        table = np.zeros((len(run_of_record), int(kept.max(initial=0))))
        table[record, place] = layers[column].to_numpy(float)
        return table

    mean, whole, within = (by_record(name) for name in NEEDED)
    noise = u[run_of_record][:, None] ** 2 * (mean**2 + whole)
    dead = by_record("dead_fraction") == 1 if "dead_fraction" in layers else np.zeros(mean.shape, bool)
    exact = (dead & (within <= noise)) | ((mean == 0) & (whole == 0))
    exact[np.arange(exact.shape[1]) >= layers_of_record[:, None]] = False
    rounding = {"noise": noise, "within": within, "whole": whole, "typical": within, "exact": exact}
    lost = {name: np.zeros(len(record), bool) for name in floored}
    for largest, passes in {*zip(rank[earlier].tolist(), residual[earlier].tolist(), strict=True)}:
        here = (earlier & (rank == largest) & (residual == passes))[run_of_record]
        of_here = {name: values[here] for name, values in rounding.items()}
        unknown = with_floors(dict.fromkeys(floored, np.zeros(of_here["noise"].shape)), of_here, passes, int(largest))
        for name in floored:
            table = np.zeros(mean.shape, bool)
            table[here] = np.isnan(unknown[name])
            lost[name] = lost[name] | table[record, place]
    steps, layers = steps.copy(), layers.copy()
    for name in floored:
        layers[name] = layers[name].where(~lost[name])
        of_steps = np.bincount(record, lost[name], len(run_of_record)) > 0
        for column in {name, MEASURES[name].mean_column} & {*steps}:
            steps[column] = steps[column].where(~of_steps)
    return steps, layers
