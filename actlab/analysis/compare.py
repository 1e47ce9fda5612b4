"""One comparison table over one or several studies: any measure, by any settings, at any recorded time."""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from actlab.analysis import layout
from actlab.analysis.cells import activation_ranks, settings_in, sort_rows, varying
from actlab.analysis.confounds import of_runs
from actlab.analysis.escaping import plain
from actlab.analysis.estimates import (
    ESTIMATE,
    LOGS,
    available,
    columns_of,
    geometric_over_layers,
    long,
    records_at,
    summarise,
)
from actlab.analysis.intervals import COUNTS
from actlab.analysis.notes import floors, intervals_note
from actlab.analysis.variation import BOTH, of_what, over_repeats
from actlab.errors import ActlabError
from actlab.later import pd
from actlab.measures import MEASURES, SHARE, Measure, about, from_plain
from actlab.naming import nearest
from actlab.study.settings import UNSTATED, Setting

Study = tuple[str, pd.DataFrame, pd.DataFrame, pd.DataFrame]
"""name, runs, steps, layers."""

DYING = ("born_dead_fraction", "died_fraction", "revived_fraction", "ever_dead_fraction", "weak_fraction")
PRESETS: dict[str, tuple[str, ...]] = {"dying": DYING}
# Not settings, and yet something to group by.
GROUPS = ("activation_name", "activation_family", "status")
TIMES = ("final", "init", "max")
FORMATS = ("markdown", "csv", "latex", "json")


class CompareError(ActlabError, ValueError):
    """The comparison asked for cannot be made; the message names what can."""


def compare(
    studies: Sequence[Study],
    metric: str | None = None,
    by: Sequence[str] = ("activation", "depth"),
    at: str | int = "final",
    level: float = 0.95,
    preset: str | None = None,
    own: Mapping[str, Measure] | None = None,
    settings: Sequence[Setting] = UNSTATED,
    lacking: Sequence[Mapping[str, int]] = (),
) -> pd.DataFrame:
    """Compare a measure between groups: mean, interval, n and number diverged in each.

    Runs that differ in anything but ``by`` and the seed are pooled; ``attrs["pooled"]`` of the answer names what was,
    ``attrs["without"]`` the studies that do not measure it, ``attrs["empty"]`` those with runs made before it was
    measured, and ``attrs["thinned"]`` those whose geometric means over layers are not known, since an earlier version
    stored arithmetic ones and not all layers.

    Args:
        studies: name and frames of each. With several, ``study`` becomes a column; one name twice is numbered.
        metric: a column of ``runs``, ``steps`` or ``layers``. Layer measures are averaged over all hidden layers,
            unless ``layer`` is in ``by``.
        by: columns of ``runs``, or ``layer``, or ``study``.
        at: ``final``, ``init``, ``max`` (of each run's records), or a step. Runs that diverged have a value only before
            they did: at ``init``, or at an earlier step.
        level: coverage of the intervals.
        preset: ``dying`` for born, died, revived, ever dead and weak, in the column ``measure``.
        own: the records of users' measures (see ``own_measures``).
        settings: what is known of the columns that are settings (see ``study.settings``).
        lacking: for each study, {measure: how many runs were stored before it was measured}.

    Returns:
        ``by``, (``measure``,) ``mean``, ``low``, ``high``, ``n`` (seeds in the mean), ``runs``, ``diverged`` (how many
        of them), ``missing`` (the others without a value), ``method``, and what stands where there is no interval (see
        ``estimates.summarise``). Each measure's record says how it is pooled:
        what spans decades has geometric means; what is true or false of a run has a share and its Wilson interval.

    Raises:
        CompareError: an unknown metric, key, time or preset; the message names the nearest valid ones.
    """
    if preset is not None and preset not in PRESETS:
        raise CompareError(f"unknown preset '{preset}'{nearest(preset, PRESETS)}")
    if preset is None and metric is None:
        raise CompareError(f"name a metric, or a preset ({', '.join(PRESETS)})")
    measures = PRESETS[preset] if preset else (about(str(metric), own).name,)
    at = read_time(at)
    studies = distinct(studies)
    keys = check_keys(studies, ["study", *by] if len(studies) > 1 and "study" not in by else list(by))
    ranks = activation_ranks(pd.concat([runs for _, runs, _, _ in studies], ignore_index=True))
    by_layer = "layer" in keys
    values, all_runs, without, thinned = [], [], [], []
    for name, runs, steps, layers in studies:
        # A run that two studies share has one identity: here it is each study's own.
        runs = runs.assign(study=name, run=name + "/" + runs["run"].astype(str))
        steps, layers = (frame.assign(run=name + "/" + frame["run"].astype(str)) for frame in (steps, layers))
        there = [measure for measure in measures if has(measure, runs, steps, layers, by_layer)]
        if there:
            if not by_layer:
                steps, known = geometric_over_layers(runs, steps, layers, there, own)
                thinned += [] if known else [name]
            values.append(values_at(runs, steps, layers, there, at, by_layer))
            all_runs.append(runs)
        else:
            without.append(name)
    if not values:
        raise CompareError(unknown_metric(measures[0], studies, by_layer))
    pooled_runs = pd.concat(all_runs, ignore_index=True)
    pooled_values = pd.concat(values, ignore_index=True)
    check_time(pooled_values, studies, measures[0], at, by_layer)
    columns = [key for key in keys if key != "layer"]
    within = ["layer"] if by_layer else []
    unknown = [name for name in measures if name not in MEASURES and is_flag(name, pooled_runs)]
    flags = {name: Measure(name, over_seeds=SHARE) for name in unknown}
    pooled_values = pooled_values[["run", "measure", *within, "value"]]
    out = summarise(pooled_values, pooled_runs, columns, level, {**flags, **(own or {})})
    if preset:
        places = {measure: i for i, measure in enumerate(measures)}
        out = out.sort_values("measure", key=lambda column: column.map(places), kind="stable")
    out = sort_rows(out if preset else out.drop(columns="measure"), keys, ranks)
    rest = [name for name in out if name not in keys]
    out = out[[*keys, *rest]]
    mixed = pooled(pooled_runs, columns, settings)
    words = preset or about(measures[0], own).words
    out.attrs = {"metric": preset or measures[0], "words": words, "at": at, "pooled": mixed, "without": without}
    out.attrs["thinned"] = thinned
    lost = pooled_runs["run"].isin(pooled_values.loc[~np.isfinite(pooled_values["value"]), "run"])
    out.attrs["confounds"] = of_runs(pooled_runs.assign(status=pooled_runs["status"].where(lost, "ok")), columns, ranks)
    out.attrs["variation"] = of_what(pooled_runs, columns, out)
    pairs = zip(studies, lacking or [{}] * len(studies), strict=True)
    out.attrs["empty"] = [study[0] for study, names in pairs if set(measures) & names.keys()]
    return out


def own_measures(manifests: Mapping[str, Mapping[str, Any]]) -> dict[str, Measure]:
    """Collect the records of the measures that users brought to some studies, from {study: manifest}.

    Raises:
        CompareError: two studies mean different things by one name.
        MeasureError: a manifest's records are not readable.
    """
    own: dict[str, Measure] = {}
    for study, manifest in manifests.items():
        for name, record in from_plain(manifest.get("measures", {})).items():
            first = own.setdefault(name, record)
            if first.over_seeds != record.over_seeds:
                raise CompareError(f"'{name}' has {record.over_seeds} means in study '{study}', other ones elsewhere")
            if first.range != record.range:
                raise CompareError(f"'{name}' has the range {record.range} in study '{study}', another one elsewhere")
    return own


def format(frame: pd.DataFrame, style: str = "markdown") -> str:
    """Write a comparison as text: ``markdown`` and ``latex`` for people, ``csv`` and ``json`` with the numbers.

    Raises:
        CompareError: an unknown format.
    """
    if style not in FORMATS:
        raise CompareError(f"unknown format '{style}'{nearest(style, FORMATS)}")
    if style == "csv":
        return layout.to_csv(frame)
    if style == "json":
        rows = [
            {
                name: None if isinstance(value, float) and not np.isfinite(value) else value
                for name, value in row.items()
            }
            for row in layout.records(frame)
        ]
        return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    metric, at = str(frame.attrs.get("words", "value")), frame.attrs.get("at", "final")
    rest = ("measure", *ESTIMATE, *LOGS, *COUNTS)
    keys = [str(name) for name in frame if name not in rest]
    shown = frame.assign(diverged=0) if at == "init" else frame  # no run had diverged yet: none is lost there
    if "measure" in frame:
        wide = layout.pivot(shown, keys, ["measure"])
    else:
        texts = [layout.estimate(row) for row in layout.records(shown)]
        wide = pd.DataFrame(
            {plain(layout.words(key)): [layout.in_markdown(value, key) for value in frame[key]] for key in keys}
        )
        wide[plain(metric)] = texts
        wide["n"], wide["diverged"] = frame["n"].astype(str).to_numpy(), frame["diverged"].astype(str).to_numpy()
    pooled, without, thinned = (frame.attrs.get(name, []) for name in ("pooled", "without", "thinned"))
    empty = plain(", ".join(frame.attrs.get("empty", [])))
    both = over_repeats(frame) == BOTH
    pair, counts_what = ("split and seed", "their pairs") if both else ("seed", "seeds")
    sentences = [
        f"At {f'step {at}' if isinstance(at, int) else at}.",
        intervals_note(shown),
        str(frame.attrs.get("variation", "")),
        f"Averaged within each {pair} over {plain(', '.join(map(layout.words, pooled)))}; n counts {counts_what}."
        if pooled
        else "",
        f"Not measured in: {plain(', '.join(without))}." if without else "",
        str(frame.attrs.get("confounds", "")),
        floors(frame, measure=str(frame.attrs.get("metric", ""))),
        f"Empty where runs were made before it was measured: in {empty}." if empty else "",
        f"Undefined where not all layers were kept, of which a geometric mean is meant: in {plain(', '.join(thinned))}."
        if thinned
        else "",
    ]
    note = " ".join(sentence for sentence in sentences if sentence)
    table = layout.Table(metric.capitalize(), note, frame, wide, "compare")
    return layout.to_latex(table) if style == "latex" else f"{layout.pipe_table(wide)}\n\n{note}\n"


def read_time(at: str | int) -> str | int:
    """Read a time: ``final``, ``init``, ``max``, or a step given as a number or as its digits.

    Raises:
        CompareError: it is none of these.
    """
    if not isinstance(at, str):
        return operator.index(at)  # numpy's too, as some versions of pandas hand out
    if at in TIMES:
        return at
    if at.isdigit():
        return int(at)
    raise CompareError(f"at '{at}': expected a recorded step, or one of {', '.join(TIMES)}")


def distinct(studies: Sequence[Study]) -> list[Study]:
    """Give studies names that differ.

    Raises:
        CompareError: there is none.
    """
    if not studies:
        raise CompareError("no study to compare")
    seen: dict[str, int] = {}
    out = []
    for name, runs, steps, layers in studies:
        seen[name] = seen.get(name, 0) + 1
        out.append((name if seen[name] == 1 else f"{name} ({seen[name]})", runs, steps, layers))
    return out


def check_keys(studies: Sequence[Study], by: Sequence[str]) -> list[str]:
    """Check that every study has the keys.

    Raises:
        CompareError: one has not.
    """
    for name, runs, _, _ in studies:
        valid = {
            "study",
            "layer",
            "seed",
            *(one.column for one in settings_in(runs)),
            *(key for key in GROUPS if key in runs),
        }
        for key in by:
            if key not in valid:
                where = f" in study '{name}'" if len(studies) > 1 else ""
                raise CompareError(f"unknown key '{key}'{where}{nearest(key, valid)}")
    return list(dict.fromkeys(by))


def has(measure: str, runs: pd.DataFrame, steps: pd.DataFrame, layers: pd.DataFrame, by_layer: bool) -> bool:
    """Whether a study can answer for a measure."""
    if by_layer:
        return bool(available(layers, [measure])) and measure not in ("run", "step", "layer")
    return measure in measurable(runs, steps)


def measurable(runs: pd.DataFrame, steps: pd.DataFrame) -> list[str]:
    """List what can be compared: the numbers after ``status`` in ``runs``, and every measure of ``steps``."""
    names = [str(name) for name in runs]
    after = [name for name in names[names.index("status") + 1 :] if name != "diverged_step"]
    final = [name for name in after if pd.api.types.is_numeric_dtype(runs[name])]
    names = [about(str(name)).name for name in steps]
    return [*final, *dict.fromkeys(name for name in names if name not in ("run", "step", *final))]


def is_flag(measure: str, runs: pd.DataFrame) -> bool:
    """Whether a final number is true or false of a run (``trained``)."""
    return measure in runs and bool(pd.api.types.is_bool_dtype(runs[measure]))


def values_at(
    runs: pd.DataFrame,
    steps: pd.DataFrame,
    layers: pd.DataFrame,
    measures: Sequence[str],
    at: str | int,
    by_layer: bool,
) -> pd.DataFrame:
    """Take one value per run (and layer) and measure, from the frame that holds it at that time.

    Raises:
        CompareError: a measure is known at the end only, and that is not when it is asked for.
    """
    frame = layers if by_layer else steps
    recorded = available(frame, measures)
    parts = [long(records_at(frame, runs, at, recorded), recorded)] if recorded else []
    only_final = [measure for measure in measures if measure not in recorded]
    if only_final and at != "final":
        raise CompareError(f"'{only_final[0]}' is known at the end only; leave at: final")
    if only_final:
        last = runs[["run", *only_final]].copy()
        # A run that diverged may have met a target before: it has not reached it, and has no such number.
        lost = runs["status"] != "ok"
        last.loc[lost, [name for name in only_final if not is_flag(name, runs)]] = np.nan
        last.loc[lost, [name for name in only_final if is_flag(name, runs) and about(name).better == "higher"]] = False
        parts.append(long(last, only_final))
    return pd.concat(parts, ignore_index=True)


def unknown_metric(measure: str, studies: Sequence[Study], by_layer: bool) -> str:
    """Write the message for a metric that no study has."""
    valid = {
        str(name)
        for _, runs, steps, layers in studies
        for name in (map(str, layers.columns) if by_layer else measurable(runs, steps))
    } - {"run", "step", "layer"}
    where = " by layer" if by_layer else ""
    return f"unknown metric '{measure}'{where}{nearest(measure, valid)}"


def check_time(values: pd.DataFrame, studies: Sequence[Study], measure: str, at: str | int, by_layer: bool) -> None:
    """Check that some run has recorded this step, and with this measure; the error names the nearest that are.

    Raises:
        CompareError: none has.
    """
    if not isinstance(at, int) or np.isfinite(values["value"]).any():
        return
    there: set[int] = set()
    recorded: set[int] = set()
    for _, _, steps, layers in studies:
        frame = layers if by_layer else steps
        recorded |= set(frame["step"].tolist())
        for column in columns_of(frame, [measure]):
            there |= set(frame.loc[frame[column].notna(), "step"].tolist())
    if not there:
        return
    close = sorted(sorted(there, key=lambda step: (abs(step - at), step))[:3])
    why = f"'{measure}' is measured at evaluations only" if at in recorded else "there is no such record"
    raise CompareError(f"step {at}: {why}; the nearest are {', '.join(map(str, close))}")


def pooled(runs: pd.DataFrame, keys: Sequence[str], settings: Sequence[Setting]) -> list[str]:
    """List the settings that vary within a group: what a mean over it mixes."""
    extra = ["study"] if "study" not in keys and runs["study"].nunique() > 1 else []
    inside = [key for key in varying(runs.drop(columns="study"), settings) if key not in keys]
    if not keys:
        return [*extra, *inside]
    groups = runs.groupby(list(keys), dropna=False)
    return [*extra, *(key for key in inside if groups[key].nunique(dropna=False).max() > 1)]
