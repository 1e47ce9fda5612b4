"""A comparison as text: Markdown and LaTeX for people, CSV and JSON with the numbers; and what is said below it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from actlab.analysis import bimodal, layout
from actlab.analysis.against import COLUMNS, RATIO, TRAINED
from actlab.analysis.cells import varying
from actlab.analysis.compared_runs import Compared, CompareError
from actlab.analysis.escaping import code, plain
from actlab.analysis.estimates import ESTIMATE, LOGS
from actlab.analysis.intervals import COUNTS
from actlab.analysis.notes import floors, intervals_note, listed, made_with, selection_note, span
from actlab.analysis.pipe_tables import pipe_table
from actlab.analysis.tables.times import MEDIAN, in_cell, resolution
from actlab.analysis.variation import SEED, SPLIT, split_varies
from actlab.later import pd
from actlab.naming import counted, nearest
from actlab.study.settings import joined

TIMES = ("final", "init", "max")
FORMATS = ("markdown", "csv", "latex", "json")
TURNED_OFF = "; `--select none` turns it off."
NUMBERS = ("measure", *ESTIMATE, *LOGS, *COUNTS, *COLUMNS, *TRAINED, *bimodal.COLUMNS, "every")
"""Columns of a comparison that are no keys."""
LOST = (
    "Where a run of a pair has no value, the pair is left out, and there is no interval, since the others are no "
    "sample of all: shown is their median (least to greatest), or of shares the mean."
)
APART = (
    "Where some runs of a side trained and others did not, the mean of the differences is that of two kinds: shown is "
    "their median (least to greatest), and no interval."
)


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
    metric, against = str(frame.attrs.get("words", "value")), str(frame.attrs.get("against", ""))
    wide = several_measures(frame) if "measure" in frame else one_measure(frame, metric)
    if against:
        ratios = "scale" in frame and bool((frame["scale"] == RATIO).all())
        metric = f"{metric}: {'ratio to' if ratios else 'difference from'} {against}"
    text = note(frame)
    if style != "latex":
        return f"{pipe_table(wide)}\n\n{text}\n"
    title = f"{metric[:1].upper()}{metric[1:]} by {listed([layout.words(key) for key in keys_of(frame)])}"
    name = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")
    text = text.replace(TURNED_OFF, ".")  # a paper's readers have no command line
    return layout.to_latex(layout.Table(title, text, frame, wide, name), "+".join(frame.attrs.get("studies", ())))


def keys_of(frame: pd.DataFrame) -> list[str]:
    """List the columns of a comparison that say what a row is of."""
    return [str(name) for name in frame if name not in NUMBERS]


def one_measure(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Lay a comparison of one measure out: its keys, the estimate, and how many runs stand behind it."""
    selected, against = frame.attrs.get("selected", []), str(frame.attrs.get("against", ""))
    # At init no run had diverged yet, and of differences both sides' runs are counted in columns.
    shown = frame.assign(diverged=0) if against or frame.attrs.get("at") == "init" else frame
    shown = shown.assign(missing=0) if against else shown
    written = in_cell if of_times(frame) else bimodal.estimate if "trained_median" in frame else layout.estimate
    texts = [written(row) for row in layout.records(shown)]
    heads = {key: layout.words(key) + " (selected)" * (key in selected) for key in keys_of(frame)}
    wide = pd.DataFrame(
        {plain(head): [layout.in_markdown(one, key) for one in frame[key]] for key, head in heads.items()}
    )
    if against:
        ratio = bool((frame["scale"] == RATIO).all())
        metric = f"{metric}, {'ratio to' if ratio else 'difference from'} {against}"
    wide[plain(metric)] = texts
    counts = {} if of_times(frame) else {"n": "n"}
    if against:
        counts |= {"dropped_pairs": "dropped pairs"}
    if against or frame.attrs.get("pooled"):
        counts |= {"runs": "runs"}
    counts |= {"diverged": "diverged"}
    if against:
        counts |= {"diverged_against": f"diverged of {against}"}
    for column, head in counts.items():
        wide[plain(head)] = frame[column].astype(str).to_numpy()
    if against and not_all_trained(frame):
        for column, of, head in zip(
            TRAINED, ("runs", "runs_against"), ("trained", f"trained of {against}"), strict=True
        ):
            wide[plain(head)] = [f"{k} of {n}" for k, n in zip(frame[column], frame[of], strict=True)]
    return wide


def of_times(frame: pd.DataFrame) -> bool:
    """Whether a comparison is of times that may never come."""
    return bool((frame["method"] == MEDIAN).any())


def not_all_trained(frame: pd.DataFrame) -> bool:
    """Whether differences are of runs of which some did not train, where that is told."""
    sides = zip(TRAINED, ("runs", "runs_against"), strict=True)
    return TRAINED[1] in frame and any(bool((frame[column] < frame[of]).any()) for column, of in sides)


def several_measures(frame: pd.DataFrame) -> pd.DataFrame:
    """Lay a comparison of several measures out: one beside the other, and n."""
    keys = keys_of(frame)
    # At init no run had diverged yet: none is lost there.
    shown = frame.assign(diverged=0) if frame.attrs.get("at") == "init" else frame
    shown = shown.assign(diverged=0, missing=0) if frame.attrs.get("against") else shown
    wide = layout.pivot(shown, keys, ["measure"], text=alike_alone)
    numbers: dict[tuple[Any, ...], list[str]] = {}
    for row in layout.records(frame):
        numbers.setdefault(tuple(layout.setting(row[key]) for key in keys), []).append(str(row["n"]))
    return wide.assign(n=[row[0] if len(set(row)) == 1 else ", ".join(row) for row in numbers.values()])


def alike_alone(row: Mapping[str, Any], decimals: int | None = None) -> str:
    """Write an estimate; of runs that are all alike the one value alone, for a note says of all such cells what it is.

    >>> same = {"mean": 0.0, "n": 5, "runs": 5, "median": 0.0, "least": 0.0, "greatest": 0.0, "low": float("nan")}
    >>> alike_alone(same | {"share": 1.0, "share_low": 0.57, "share_high": 1.0, "high": float("nan"), "method": "none"})
    '0'
    """
    return layout.estimate({**row, "median": np.nan} if row.get("share") == 1 else row, decimals)


def alike_note(frame: pd.DataFrame) -> str:
    """Say once what a number alone is in a table of several measures."""
    shares = frame[frame["share"] == 1] if "measure" in frame and "share" in frame else frame[:0]
    if shares.empty:
        return ""
    low, n = shares["share_low"].min(), shares["n"]
    runs = counted(int(n.min()), "run") if n.nunique() == 1 else f"{n.min()} to {n.max()} runs"
    return f"A number alone: all {runs} of a cell have it, and the share of such runs is in [{low:.2f}, 1.00]."


def note(frame: pd.DataFrame) -> str:
    """Say below a comparison what its numbers are, and of which runs."""
    attrs = frame.attrs
    at, against = attrs.get("at", "final"), str(attrs.get("against", ""))
    without, thinned, empty = (plain(", ".join(attrs.get(name, []))) for name in ("without", "thinned", "empty"))
    shown = frame.assign(diverged=0) if at == "init" else frame
    several = "measure" in frame and (frame.groupby(keys_of(frame), dropna=False)["n"].nunique() > 1).any()
    parts = [
        f"At {f'step {at}' if isinstance(at, int) else at}.",
        differences_note(frame, against, str(attrs.get("better", ""))) if against else "",
        differences_intervals(frame) if against else estimates_note(shown),
        alike_note(frame) if not against else "",
        variation_note(frame),
        *attrs.get("runs", []),
        str(attrs.get("confounds", "")),
        f"Several numbers under n: {'pairs' if against else 'seeds'} behind each measure, in their order."
        if several
        else "",
        f"Not measured in: {without}." if without else "",
        floors(frame, measure=str(attrs.get("metric", ""))),
        f"Empty where runs were made before it was measured: in {empty}." if empty else "",
        f"Undefined where not all layers were kept, of which a geometric mean is meant: in {thinned}."
        if thinned
        else "",
        str(attrs.get("few", "")),
    ]
    return " ".join(part for part in parts if part)


def variation_note(frame: pd.DataFrame) -> str:
    """Say what varied between the runs of a cell; of differences and times n counts something else than of means."""
    text = str(frame.attrs.get("variation", ""))
    other = bool(frame.attrs.get("against")) or of_times(frame)
    return text.replace("; n counts their pairs.", ".") if other else text


def estimates_note(frame: pd.DataFrame) -> str:
    """Say how the intervals of a comparison are made, and what stands where there is none."""
    if of_times(frame):
        return (
            "How many runs reached the target, and the step by which half of all of them had (Kaplan–Meier median; "
            "least to greatest), where half did. *never*: not within its steps; a diverged run never did. "
            f"{resolution(frame)}"
        ).strip()
    whole = frame[~bimodal.partly(frame)]
    if "measure" in frame and "share" in frame:  # such cells have a note of their own
        whole = whole.assign(share=whole["share"].where(whole["share"] != 1))
    parts = [intervals_note(whole) if len(whole) else "", bimodal.note(frame)]
    return " ".join(part for part in parts if part)


def differences_intervals(frame: pd.DataFrame) -> str:
    """Say how the intervals of differences are made, and what stands where there is none."""
    there = frame["n"] > 0
    lost = there & (frame["lost_pairs"] > 0)
    apart = there & apart_of(frame)
    rest = frame[~lost & ~apart].assign(diverged=0, missing=0)
    said = (len(rest) and (rest["n"] > 0).any()) or not (lost | apart).any()
    parts = [
        intervals_note(rest, of="pairs") if said else "",
        APART if apart.any() else "",
        LOST if lost.any() else "",
    ]
    return " ".join(part for part in parts if part)


def apart_of(frame: pd.DataFrame) -> pd.Series:
    """Say of which differences some runs of a side trained and others came to an end untrained, where that is told."""
    found = pd.Series(False, index=frame.index)
    if TRAINED[1] in frame:
        for column, whose in zip(TRAINED, ("", "_against"), strict=True):
            found |= (frame[column] > 0) & (frame[column] < frame[f"runs{whose}"] - frame[f"diverged{whose}"])
    return found


def pair_of(frame: pd.DataFrame) -> str:
    """Say what two runs have in common that make a pair: the seed, the split, or both."""
    names = {SPLIT: "split", SEED: "seed"}
    return " and ".join(names[name] for name in frame.attrs.get("repeats", [SEED]))


def dropped_note(frame: pd.DataFrame) -> str:
    """Say how many pairs of runs are left out: a range where measures or layers differ in it."""
    among = [name for name in ("measure", "layer") if name in frame]
    cell = [name for name in keys_of(frame) if name != "layer"]
    parts = []
    for column, why in {"lost_pairs": "since a run has no value", "": "since there is no run of the one side"}.items():
        numbers = (
            frame[column] if column else frame["dropped_pairs"] - frame["lost_pairs"].clip(upper=frame["dropped_pairs"])
        )
        by_cell = numbers.groupby([frame[name] for name in cell], dropna=False)
        ends = pd.Series([by_cell.min().sum(), by_cell.max().sum()])
        if ends.max():
            parts.append(f"{span(ends)}{f', by {listed(among)}' if ends.nunique() > 1 else ''}, {why}")
    return f"Pairs of runs left out: {'; '.join(parts)}." if parts else "No pair was left out."


def differences_note(frame: pd.DataFrame, against: str, better: str) -> str:
    """Say of differences what was subtracted from what, which sign means what, and what a pair is."""
    base = code(against)
    ratio = bool((frame["scale"] == RATIO).all())
    what = (
        f"Each number is an activation's geometric mean divided by that of {base} in the same cell: above 1 it is "
        f"larger than that of {base}"
        if ratio
        else f"Each number is an activation's value minus that of {base} in the same cell: above 0 it is larger than "
        f"that of {base}"
    )
    side = f", which is {'better' if better == 'higher' else 'worse'}" if better and "measure" not in frame else ""
    known = int(frame["low"].notna().sum())
    parts = [
        f"{what}{side}.",
        f"n counts pairs of one {pair_of(frame)}." if not frame.attrs.get("pooled") else "",
        dropped_note(frame),
        f"Empty cells: there is no pair, or no run of {base}." if (frame["n"] == 0).any() else "",
        f"Each interval stands by itself: not corrected for {counted(known, 'difference')}." if known > 1 else "",
    ]
    return " ".join(part for part in parts if part)


def sentences(
    compared: Compared, runs: pd.DataFrame, keys: Sequence[str], differences: bool, times: bool = False
) -> list[str]:
    """Say of which runs a comparison is: what was asked for, selected, averaged, and how studies differ besides.

    Args:
        compared: the runs as they were chosen.
        runs: those that have the measure, with their study; ``ok`` where they have a value, whatever came of them.
        keys: the columns that make a group.
        differences: whether they are of pairs of one repeat.
        times: whether runs are counted one by one, and none is averaged.
    """
    several = len(compared.studies) + len(compared.empty) > 1
    out = []
    if compared.conditions:
        texts = listed([code(str(one)) for one in compared.conditions])
        out.append(f"Only runs with {texts}: {compared.fit} of {compared.of}.")
    if compared.outcomes:
        texts = listed([code(str(one)) for one in compared.outcomes])
        lost = f", and leaves out {counted(compared.diverged, 'run')} that diverged" if compared.diverged else ""
        out.append(f"{texts} chooses runs by what came of them{lost}: no fair comparison.")
    if compared.empty:
        out.append(f"No run is left of: {plain(', '.join(compared.empty))}.")
    by_rule: dict[str, list[str]] = {}
    for name, cells in compared.selected.items():
        by_rule.setdefault(selection_note(cells), []).append(name)
    for rule, names in by_rule.items():
        whose = f" of {plain(listed(names))}" if several else ""
        out.append(f"{rule} This is the rule of the study{whose}{TURNED_OFF}")
    if compared.turned_off:
        whose = f" of {plain(listed(compared.turned_off))}" if several else ""
        out.append(f"The rule of the study{whose} is turned off: nothing was selected by it.")
    if compared.first_stage:
        whose = f" of {plain(listed(compared.first_stage))}" if several else ""
        out.append(
            f"Of two stages the first alone{whose}: its tuning seeds have every value, fresh seeds the selected."
        )
    if compared.over:
        averaged = [f"{plain(layout.words(key))} ({counted(n, 'value')})" for key, n in compared.over.items()]
        both = split_varies(runs) and SPLIT not in keys
        repeat = "split and seed" if both else "seed"
        of = f"pairs of one {repeat}" if differences else "their pairs" if both else "seeds"
        within = f"Averaged within each {repeat} over {', '.join(averaged)}; n counts {of}."
        out.append(f"All runs are counted alike over {', '.join(averaged)}." if times else within)
        if uneven(runs, keys, [key for key in compared.over if key in runs]):
            out.append("Not every group has runs of the same values of these: such means are over different settings.")
        if (runs["status"] != "ok").any():
            pairs = "pairs of which a run" if differences else "runs that"
            out.append(f"A seed's mean leaves out its {pairs} diverged.")
    out += [text for text in (besides(compared, runs, keys), made_with(runs, keys)) if text]
    return out


def uneven(runs: pd.DataFrame, keys: Sequence[str], over: Sequence[str]) -> bool:
    """Whether some group averages over other values than another."""
    if not keys or not over:
        return False
    there = runs[[*keys, *over]].drop_duplicates()
    groups = there.groupby(list(keys), dropna=False)
    alike = {frozenset(map(tuple, group[list(over)].astype(str).to_numpy().tolist())) for _, group in groups}
    return len(alike) > 1


def besides(compared: Compared, runs: pd.DataFrame, keys: Sequence[str]) -> str:
    """Say in which settings several studies differ that no column shows."""
    if len(compared.studies) < 2:
        return ""
    known = joined([study.settings for study in compared.studies])
    hidden = [key for key in varying(runs, known) if key not in (*keys, *compared.over, *compared.chosen)]
    parts = []
    for key in hidden:
        by_study = {plain(str(name)): part[key].unique() for name, part in runs.groupby("study", sort=False)}
        if all(len(values) == 1 for values in by_study.values()):
            shown = [layout.in_markdown(values[0], key) for values in by_study.values()]
            if len(set(shown)) == 1:  # stored as None here, and not at all there
                continue
            texts = [f"{text} in {name}" for text, name in zip(shown, by_study, strict=True)]
            parts.append(f"{plain(layout.words(key))} ({', '.join(texts)})")
    return f"The studies differ also in {'; '.join(parts)}." if parts else ""
