"""Measures that a study asked for, and whose runs were stored before they were measured: empty columns, and named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from actlab.later import Later, pd
from actlab.measures import BIN, MEASURES, PROBE_SETS, named

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = Later("pyarrow")


R2 = ("train_r2", "validation_r2", "test_r2")
"""Recorded of regression, whatever is asked for."""


def asked(study: Mapping[str, Any]) -> tuple[str, ...]:
    """List the shipped measures of layers and runs that a resolved study asks for.

    Slopes are recorded whatever is asked for; words such as ``default`` stand for what they stand for today.

    >>> asked({"measure": {"probes": ["act_mean"]}})
    ('act_mean', 'vanishing_slope', 'vanishing_slope_residual', ...)
    """
    probes = (study.get("measure") or {}).get("probes", "default")
    listed = [probes] if isinstance(probes, str) else list(probes)
    names = {name for probe in listed for name in PROBE_SETS.get(str(probe), (str(probe),))}
    always = named("slopes", per="run")
    return tuple(name for name, one in MEASURES.items() if name in always or (name in names and one.per != BIN))


def lacking(rows: pa.Table, study: Mapping[str, Any]) -> dict[str, int]:
    """Count, of each measure that the study asks for, the runs that were stored without it: {name: runs}, none of 0.

    Args:
        rows: parts, one row per run.
        study: the resolved study.
    """
    counts = {}
    regression = np.array([task == "regression" for task in column_of(rows, "task")], bool)
    for name in (*asked(study), *(R2 if regression.any() else ())):
        one = MEASURES[name]
        columns = [f"steps.{name}", f"steps.{one.mean_column}"]
        stored = np.zeros(len(rows), bool)
        for column in set(columns) & set(rows.column_names):
            stored |= rows[column].is_valid().to_numpy()
        if name in R2:
            stored |= ~regression
        if not stored.all():
            counts[name] = int(len(rows) - stored.sum())
    return counts


def column_of(rows: pa.Table, name: str) -> list[Any]:
    """Return a column of parts; None in each row where earlier versions did not write it."""
    return list(rows[name].to_pylist()) if name in rows.column_names else [None] * len(rows)


def with_empty_columns(
    runs: pd.DataFrame, steps: pd.DataFrame, layers: pd.DataFrame, names: Mapping[str, int]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Add columns of NaN for the measures that no stored run has.

    >>> frame = pd.DataFrame({"run": ["a"]})
    >>> [list(one) for one in with_empty_columns(frame, frame, frame, {"act_var": 1, "weight_slope": 1})]
    [['run', 'weight_slope'], ['run', 'act_var', 'log10_act_var', 'weight_slope'], ['run', 'act_var']]
    """
    of_layers = [MEASURES[name] for name in names if MEASURES[name].per == "layer"]
    of_runs = [name for name in names if MEASURES[name].per == "run"]

    def filled(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
        new = [column for column in dict.fromkeys(columns) if column not in frame]
        return frame.assign(**dict.fromkeys(new, np.nan)) if new else frame

    by_step = [column for one in of_layers for column in (one.name, one.mean_column)]
    by_layer = [column for one in of_layers for column in (one.name, one.column)]
    by_run = [column for name in of_runs for column in dict.fromkeys((name, MEASURES[name].mean_column))]
    return filled(runs, by_run), filled(steps, [*by_step, *by_run]), filled(layers, by_layer)
