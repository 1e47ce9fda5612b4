"""From the rows of parts to frames: of runs, of their records, of each record's hidden layers and histograms."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from actlab.engine.earlier_floors import with_earlier_floors
from actlab.later import Later, pd
from actlab.measures import EDGES, LOG10, MEASURES
from actlab.study.selection import FRESH, STAGE, TUNING
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

    Columns that only some parts have, as a learned parameter's, come behind those of all, whichever part is read first.
    """
    tables = sorted(tables, key=lambda one: (one.num_columns, one.column_names))
    rows = with_later_settings(pa.concat_tables(tables, promote_options="permissive"), settings)
    own = [one.column for one in settings if one.key]
    at = own.index("activation") if "activation" in own else 0
    order = [*own[:at], "activation_order", *own[at:], "seed", "run"]
    keys = rows.select([name for name in order if name in rows.column_names]).to_pandas()
    return rows.take(keys.drop_duplicates("run").sort_values(list(keys), kind="stable").index.to_numpy())


def with_later_settings(rows: pa.Table, settings: Sequence[Setting]) -> pa.Table:
    """Fill in what parts lack that were stored before a setting was there: they were trained as it is where unused.

    >>> rows = pa.table({"run": ["a", "b"], "freeze_layers": pa.array([None, 1])})
    >>> with_later_settings(rows, [Setting("freeze_layers", unused=(0,))])["freeze_layers"].to_pylist()
    [0, 1]
    """
    for one in settings:
        if one.column in rows.column_names and one.unused not in ((), (None,)) and rows[one.column].null_count:
            place = rows.column_names.index(one.column)
            rows = rows.set_column(place, one.column, rows[one.column].fill_null(one.unused[0]))
    return rows


# Lists with one entry for each kept layer; the others of ``layers`` have one for each record and kept layer.
OF_LAYER = ("layers.layer", "layers.weights")


def explode(
    rows: pa.Table, prefixes: Prefixes = MappingProxyType({})
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Split parts, which have one row per run, into the frames ``runs``, ``steps`` and ``layers``.

    What parts hold as log10 is in the frames as it is, too (see ``in_both_scales``); what earlier versions stored of
    rounding noise is NaN (see ``actlab.engine.earlier_floors``).

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
        if frame != "histograms" and name not in ("steps.step", *OF_LAYER):
            lengths = records if frame == "steps" else records * kept
            (steps if frame == "steps" else layers)[column] = flat(rows[name], lengths)
    if "layers.weights" in lists:  # where both norm and root mean square of the weight gradient were asked for
        weights = flat(rows["layers.weights"], kept)
        ends = np.cumsum(kept)[:-1]
        of_layer = [np.tile(some, r) for some, r in zip(np.split(weights, ends), records, strict=True)]
        rms = layers[LOG10 + "weight_grad_norm"] - np.log10(np.concatenate(of_layer)) / 2
        own = layers.get(LOG10 + "weight_grad_rms")
        layers[LOG10 + "weight_grad_rms"] = rms if own is None else np.where(np.isnan(own), rms, own)
    by_step, by_layer = in_both_scales(pd.DataFrame(steps)), with_logs(in_both_scales(pd.DataFrame(layers)))
    return runs, *with_earlier_floors(rows, by_step, by_layer, records, kept)


def with_final(runs: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
    """Add to ``runs`` what ``steps`` alone has, at each run's last record; NaN for runs that diverged.

    >>> runs = pd.DataFrame({"run": ["a", "b"], "status": ["ok", "diverged"], "test_loss": [0.1, np.nan]})
    >>> steps = pd.DataFrame({"run": ["a", "a", "b"], "step": [0, 9, 0], "test_loss": [2.0, 0.1, 2.0]})
    >>> with_final(runs, steps.assign(dead_fraction=[0.0, 0.5, 0.2]))["dead_fraction"].tolist()
    [0.5, nan]
    """
    columns = [name for name in steps if name != "step" and (name == "run" or name not in runs)]
    last = steps.loc[steps["step"] == steps.groupby("run")["step"].transform("max"), columns]
    last = last[last["run"].isin(runs.loc[runs["status"] == "ok", "run"])]
    return runs.merge(last, on="run", how="left")


def in_both_scales(frame: pd.DataFrame) -> pd.DataFrame:
    """Add to what a frame holds as log10 the numbers themselves: 0 or ∞ where they lie beyond float64.

    >>> both = in_both_scales(pd.DataFrame({"log10_signal_grad_norm": [-2.0, -400.0, -np.inf]}))
    >>> both["signal_grad_norm"].tolist()
    [0.01, 0.0, 0.0]
    """
    columns = {}
    for column in map(str, frame):
        name = column.removeprefix(LOG10)
        if column == name:
            if LOG10 + name not in frame:
                columns[name] = frame[name]
            continue
        numbers = 10.0 ** frame[column]
        columns |= {name: frame[name].fillna(numbers) if name in frame else numbers, column: frame[column]}
    return pd.DataFrame(columns)


def with_logs(layers: pd.DataFrame) -> pd.DataFrame:
    """Add log10 of norms that parts of earlier versions hold as they are: not of 0 and ∞, where float64 had ended.

    >>> with_logs(pd.DataFrame({"signal_grad_norm": [0.01, 0.0]}))["log10_signal_grad_norm"].tolist()
    [-2.0, nan]
    """
    columns: dict[str, pd.Series] = {}
    for column in map(str, layers):
        if column in MEASURES and MEASURES[column].log10:
            norm = layers[column]
            own = np.log10(norm.where((norm > 0) & np.isfinite(norm)))
            log10 = layers[LOG10 + column].fillna(own) if LOG10 + column in layers else own
            columns |= {column: norm, LOG10 + column: log10}
        elif column not in columns:
            columns[column] = layers[column]
    return pd.DataFrame(columns)


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


def with_stage(runs: pd.DataFrame, tuning_seeds: Collection[int]) -> pd.DataFrame:
    """Add to the runs of a study in two stages which of them each is of.

    >>> list(with_stage(pd.DataFrame({"run": ["a", "b"], "seed": [0, 1000000]}), [1000000])["stage"])
    ['fresh', 'tuning']
    """
    if not tuning_seeds:
        return runs
    stage = runs["seed"].isin(tuning_seeds).map({True: TUNING, False: FRESH})
    out = runs.copy(deep=False)
    out.insert(list(out.columns).index("seed") + 1, STAGE, stage)
    return out
