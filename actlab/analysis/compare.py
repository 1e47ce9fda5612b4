"""One comparison table over one or several studies: any measure, by any settings, at any recorded time."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from actlab.analysis import against as differing
from actlab.analysis import bimodal
from actlab.analysis.cells import activation_ranks, sort_rows
from actlab.analysis.compared_confounds import confounds_of, few_seeds
from actlab.analysis.compared_runs import GROUPS, STUDY, CompareError, Request, Study, choose, refuse_unseen
from actlab.analysis.comparison import FORMATS, TIMES, format, sentences
from actlab.analysis.estimates import (
    available,
    columns_of,
    geometric_over_layers,
    long,
    records_at,
    summarise,
)
from actlab.analysis.intervals import quantity_of
from actlab.analysis.stages import tuning_of
from actlab.analysis.tables.times import TIME, medians, times_of
from actlab.analysis.variation import of_what, repeats_of
from actlab.later import pd
from actlab.measures import MEASURES, SHARE, Measure, about, from_plain
from actlab.naming import nearest
from actlab.study.selection import select_rule
from actlab.study.settings import of_manifest

__all__ = ["DYING", "FORMATS", "GROUPS", "PRESETS", "TIMES", "CompareError", "Study", "compare", "format"]

DYING = ("born_dead_fraction", "died_fraction", "revived_fraction", "ever_dead_fraction", "weak_fraction")
PRESETS: dict[str, tuple[str, ...]] = {"dying": DYING}


def compare(
    studies: Sequence[Study | tuple[str, pd.DataFrame, pd.DataFrame, pd.DataFrame]],
    metric: str | None = None,
    by: Sequence[str] = ("activation", "depth"),
    at: str | int = "final",
    level: float = 0.95,
    preset: str | None = None,
    own: Mapping[str, Measure] | None = None,
    where: Sequence[str] = (),
    over: Sequence[str] = (),
    select: str = STUDY,
    against: str | None = None,
) -> pd.DataFrame:
    """Compare a measure between groups: mean, interval, n and number diverged in each.

    Runs of a group differ in the seed, in what is named in ``over``, and in the key of which a study's own rule
    selected one value for each cell; in nothing else. ``attrs["pooled"]`` of the answer names what was averaged,
    ``attrs["runs"]`` says in sentences which runs it is of, ``attrs["without"]`` names the studies that do not measure
    it, ``attrs["empty"]`` those with runs made before it was measured, and ``attrs["thinned"]`` those whose geometric
    means over layers are not known, since an earlier version stored arithmetic ones and not all layers.

    Args:
        studies: each with its frames. With several, ``study`` becomes a column; one name twice is numbered.
        metric: a column of ``runs``, ``steps`` or ``layers``. Layer measures are averaged over all hidden layers,
            unless ``layer`` is in ``by``.
        by: columns of ``runs``, or ``layer``, or ``study``.
        at: ``final``, ``init``, ``max`` (of each run's records), or a step. Runs that diverged have a value only before
            they did: at ``init``, or at an earlier step.
        level: coverage of the intervals.
        preset: ``dying`` for born, died, revived, ever dead and weak, in the column ``measure``.
        own: the records of users' measures (see ``own_measures``).
        where: conditions on the runs (see ``actlab.where``).
        over: settings that are averaged on purpose, within each seed.
        select: ``study``: by each study's own rule, unless its key is in ``by``, ``where`` or ``over``; ``none``.
        against: an activation: differences from it instead of means (see ``against.differences``).

    Returns:
        ``by``, (``measure``,) ``mean``, ``low``, ``high``, ``n`` (seeds in the mean), ``runs``, ``diverged`` (how many
        of them), ``missing`` (the others without a value), ``method``, and what stands where there is no interval (see
        ``estimates.summarise``). Each measure's record says how it is pooled:
        what spans decades has geometric means; what is true or false of a run has a share and its Wilson interval.
        A key of which a rule selected one value in each group is a column too, behind ``by``.

    Raises:
        CompareError: an unknown metric, key, time, preset or activation, which is answered with the nearest valid one;
            a setting varies and would be averaged unseen.
        WhereError: a condition cannot be read, or names what no study has.
    """
    if preset is not None and preset not in PRESETS:
        raise CompareError(f"unknown preset '{preset}'{nearest(preset, PRESETS)}")
    if preset is not None and metric is not None:
        raise CompareError(f"a preset is a choice of metrics: give --preset {preset} or --metric {metric}, not both")
    if preset is None and metric is None:
        raise CompareError(f"name a metric, or a preset ({', '.join(PRESETS)})")
    measures = PRESETS[preset] if preset else (about(str(metric), own).name,)
    at = read_time(at)
    if against is not None and "activation" not in by:
        by = ("activation", *by)
    typed = ["--preset", preset] if preset else ["--metric", str(metric)]
    typed += [*(["--at", str(at)] if at != "final" else []), *(["--against", against] if against else [])]
    request = Request(tuple(by), tuple(where), tuple(over), select, tuple(typed))
    given = distinct(studies)
    compared = choose(given, request)
    studies, keys = compared.studies, compared.keys
    ranks = activation_ranks(pd.concat([study.runs for study in studies], ignore_index=True))
    by_layer = "layer" in keys
    values, all_runs, without, thinned = [], [], [], []
    for study in studies:
        name = study.name
        # A run that two studies share has one identity: here it is each study's own.
        runs = study.runs.assign(study=name, run=name + "/" + study.runs["run"].astype(str))
        steps, layers = (
            frame.assign(run=name + "/" + frame["run"].astype(str)) for frame in (study.steps, study.layers)
        )
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
    against = None if against is None else differing.the_one(against, pooled_runs)
    refuse_unseen(compared, request)  # last: what is right besides, and the commands that it names are
    columns = [key for key in keys if key != "layer"]
    within = ["layer"] if by_layer else []
    unknown = [name for name in measures if name not in MEASURES and is_flag(name, pooled_runs)]
    records = {name: Measure(name, over_seeds=SHARE) for name in unknown} | dict(own or {})
    pooled_values = pooled_values[["run", "measure", *within, "value"]]
    apart = not preset and not by_layer and of_training(about(measures[0], records), at, pooled_runs)
    times = against is None and measures == (TIME,)  # that no run got there is a time, too
    shown: list[str] = []
    if against is not None:
        there = [key for key in compared.over if key in pooled_runs]
        out = differing.differences(pooled_values, pooled_runs, columns, against, there, level, records, apart)
    else:
        if times:
            out = medians(times_of(pooled_runs), columns).rename(columns={"censored": "missing"})
        else:
            out = summarise(pooled_values, pooled_runs, columns, level, records)
            out = bimodal.with_trained(out, pooled_values, pooled_runs, columns) if apart else out
        out, shown = with_selected(out, pooled_runs, columns, compared.chosen)
    if preset:
        places = {measure: i for i, measure in enumerate(measures)}
        out = out.sort_values("measure", key=lambda column: column.map(places), kind="stable")
    out = sort_rows(out if preset else out.drop(columns="measure"), keys, ranks)
    rest = [name for name in out if name not in (*keys, *shown)]
    out = out[[*keys, *shown, *rest]]
    words = preset or about(measures[0], own).words
    lost = pooled_runs["run"].isin(pooled_values.loc[~np.isfinite(pooled_values["value"]), "run"])
    out.attrs = {"metric": preset or measures[0], "words": words, "at": at, "without": without, "thinned": thinned}
    left = pooled_runs.assign(status="ok" if times else pooled_runs["status"].where(lost, "ok"))
    out.attrs["confounds"] = confounds_of(compared, left, columns, ranks)
    out.attrs["few"] = "" if times else few_seeds(given, compared, out, columns)
    out.attrs["repeats"] = [name for name in repeats_of(pooled_runs) if name not in columns]
    out.attrs["variation"] = of_what(pooled_runs, columns, out)
    out.attrs["pooled"] = [key for key, number in compared.over.items() if number > 1]
    out.attrs["empty"] = [study.name for study in studies if set(measures) & study.lacking.keys()]
    out.attrs["runs"] = sentences(compared, left, columns, against is not None, times)
    out.attrs |= {"selected": shown, "against": against or "", "better": about(measures[0], own).better}
    return out


def compare_results(
    folders: Sequence[str],
    results: Sequence[Any],
    by: str | Sequence[str],
    where: str | Sequence[str],
    over: str | Sequence[str],
    **asked: Any,
) -> pd.DataFrame:
    """Compare studies as they were read from folders, as these were typed; see ``compare`` for what is asked.

    Names in ``by`` and ``over`` may stand in one text, with commas between; so may conditions. Without metric and
    preset it is ``dead_fraction``.
    """
    keys, averaged = (
        [one.strip() for one in names.split(",") if one.strip()] if isinstance(names, str) else list(names)
        for names in (by, over)
    )
    conditions = [text for text in ([where] if isinstance(where, str) else where) if text]
    studies = [
        Study(
            one.study["study"],
            *(one.runs, one.steps, one.layers),
            settings=of_manifest(one.manifest),
            rule=select_rule(one.study.get("report") or {}),
            lacking=one.lacking,
            tuning=tuning_of(one.study, one.manifest),
            final=one.final() if conditions else None,
            folder=folder,
        )
        for folder, one in zip(folders, results, strict=True)
    ]
    own = own_measures({str(one.path): one.manifest for one in results})
    if not asked.get("metric") and not asked.get("preset"):
        asked["metric"] = "dead_fraction"
    table = compare(studies, by=keys, where=conditions, over=averaged, own=own, **asked)
    table.attrs["studies"] = [str(one.study.get("study", one.path.name)) for one in results]
    table.attrs["notes"] = [f"{one.path}: {line}" for one in results for line in (*one.damage, *one.notes)]
    return table


def with_selected(
    frame: pd.DataFrame, runs: pd.DataFrame, columns: Sequence[str], chosen: Sequence[str]
) -> tuple[pd.DataFrame, list[str]]:
    """Add what a study's rule selected to estimates of whose groups each has one value of it; and which that is."""
    shown = []
    for name in chosen:
        groups = runs.groupby(list(columns), dropna=False)[name] if columns else None
        if groups is not None and groups.nunique(dropna=False).max() == 1:
            frame = frame.merge(groups.first().reset_index(), on=list(columns), how="left")
            shown.append(name)
    return frame, shown


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


def distinct(studies: Sequence[Study | tuple[str, pd.DataFrame, pd.DataFrame, pd.DataFrame]]) -> list[Study]:
    """Give studies names that differ.

    Raises:
        CompareError: there is none.
    """
    if not studies:
        raise CompareError("no study to compare")
    seen: dict[str, int] = {}
    out = []
    for study in (Study(*one) for one in studies):
        name = study.name
        seen[name] = seen.get(name, 0) + 1
        out.append(study if seen[name] == 1 else study._replace(name=f"{name} ({seen[name]})"))
    return out


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


def of_training(record: Measure, at: str | int, runs: pd.DataFrame) -> bool:
    """Whether a measure says how well runs did at the end: then those that trained and the others differ by kind."""
    ended = at in ("final", "max") or ("steps" in runs and at == runs["steps"].max())
    quantity = quantity_of(record)
    judged = (record.better or record.name.startswith("generalization_gap")) and record.name != TIME
    return bool(judged and ended and not quantity.share and not quantity.log10)


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
        for study in studies
        for name in (map(str, study.layers.columns) if by_layer else measurable(study.runs, study.steps))
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
    for study in studies:
        frame = study.layers if by_layer else study.steps
        recorded |= set(frame["step"].tolist())
        for column in columns_of(frame, [measure]):
            there |= set(frame.loc[frame[column].notna(), "step"].tolist())
    if not there:
        return
    close = sorted(sorted(there, key=lambda step: (abs(step - at), step))[:3])
    why = f"'{measure}' is measured at evaluations only" if at in recorded else "there is no such record"
    raise CompareError(f"step {at}: {why}; the nearest are {', '.join(map(str, close))}")
