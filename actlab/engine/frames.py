"""From the rows of parts to frames: of runs, of their records, of each record's hidden layers and histograms."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from actlab.later import Later, pd
from actlab.measures import EDGES
from actlab.study.settings import CONTENT, Prefixes, Setting

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = Later("pyarrow")


def in_order(tables: list[pa.Table], settings: Sequence[Setting]) -> pa.Table:
    """Join parts into one table: each run once, in an order that does not depend on how they were cut into jobs.

    Args:
        tables: their rows.
        settings: what rows are sorted by, an activation by its place in the story; then come seed and run.
    """
    rows = pa.concat_tables(tables, promote_options="permissive")
    own = [one.column for one in settings if one.key]
    at = own.index("activation") if "activation" in own else 0
    order = [*own[:at], "activation_order", *own[at:], "seed", "run"]
    keys = rows.select([name for name in order if name in rows.column_names]).to_pandas()
    return rows.take(keys.drop_duplicates("run").sort_values(list(keys), kind="stable").index.to_numpy())


def explode(
    rows: pa.Table, prefixes: Prefixes = MappingProxyType({})
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Split parts, which have one row per run, into the frames ``runs``, ``steps`` and ``layers``.

    Args:
        rows: of the parts.
        prefixes: what stands before labels that would collide, as the manifest has it.
    """
    lists = [name for name in rows.column_names if name.startswith(("steps.", "layers.", "histograms."))]
    runs = told_apart(one_name(rows.drop_columns(lists).to_pandas()), prefixes)
    steps_of_run, layers_of_run = rows["steps.step"].to_pylist(), rows["layers.layer"].to_pylist()
    records = np.array([len(steps) for steps in steps_of_run])
    kept = np.array([len(layers) for layers in layers_of_run])
    names = runs["run"].to_numpy()
    steps = {"run": np.repeat(names, records), "step": np.concatenate(steps_of_run)}
    layers = {
        "run": np.repeat(names, records * kept),
        "step": np.concatenate([np.repeat(steps, k) for steps, k in zip(steps_of_run, kept, strict=True)]),
        "layer": np.concatenate([np.tile(layers, r) for layers, r in zip(layers_of_run, records, strict=True)]),
    }
    for name in lists:
        frame, column = name.split(".", 1)
        if frame != "histograms" and name not in ("steps.step", "layers.layer"):
            lengths = records if frame == "steps" else records * kept
            (steps if frame == "steps" else layers)[column] = flat(rows[name], lengths)
    return runs, pd.DataFrame(steps), pd.DataFrame(layers)


def histograms_of(rows: pa.Table, layers: pd.DataFrame) -> pd.DataFrame:
    """Collect the counts of bins that are not empty: run, step, layer, of, bin, count.

    Args:
        rows: parts, with columns ``histograms.*`` of flat counts [R·K·bins], null for a run without.
        layers: the frame, whose rows of a run are its records and kept layers in the same order.
    """
    places = layers[["run", "step", "layer"]]
    first_of_run = {run: group.index[0] for run, group in places.groupby("run", sort=False)}
    frames = []
    for name in (name for name in rows.column_names if name.startswith("histograms.")):
        of = name.partition(".")[2]
        for run, flat_counts in zip(rows["run"].to_pylist(), rows[name].combine_chunks(), strict=True):
            if not flat_counts.is_valid:
                continue
            counts = np.asarray(flat_counts.values).reshape(-1, len(EDGES[of]) + 1)
            row, bins = np.nonzero(counts)
            where = places.iloc[first_of_run[run] + row].reset_index(drop=True)
            frames.append(where.assign(of=of, bin=bins, count=counts[row, bins]))
    columns = ["run", "step", "layer", "of", "bin", "count"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def one_name(runs: pd.DataFrame) -> pd.DataFrame:
    """Give data of one content one name: a file that was renamed between two calls is one setting."""
    if "data_content" in runs:
        runs["data"] = runs.groupby("data_content")["data"].transform("min").fillna(runs["data"])
    return runs


def told_apart(runs: pd.DataFrame, prefixes: Prefixes) -> pd.DataFrame:
    """Put before labels what tells them apart.

    >>> runs = pd.DataFrame({"activation": ["act", "relu"], "activation_content": ["1f", None]})
    >>> told_apart(runs, {"activation": {"1f": "v1.py:"}})["activation"].tolist()
    ['v1.py:act', 'relu']
    """
    for column, by_content in prefixes.items():
        if column + CONTENT in runs:
            before = runs[column + CONTENT].map(by_content).fillna("")
            for labelled in (column, f"{column}_name"):  # an activation's name stands without its parameters, too
                if labelled in runs:
                    runs[labelled] = before + runs[labelled]
    return runs


def flat(column: pa.ChunkedArray, lengths: np.ndarray) -> np.ndarray:
    """Flatten a list column; NaN for a run of another job that lacks it (no learned alpha, say)."""
    if column.null_count == 0:
        return column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.concatenate(
        [
            np.full(length, np.nan) if values is None else np.asarray(values)
            for values, length in zip(column.to_pylist(), lengths, strict=True)
        ]
    )
