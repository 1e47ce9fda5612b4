"""A comparison as text: Markdown and LaTeX for people, CSV and JSON with the numbers; and what is said below it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from actlab.analysis import layout
from actlab.analysis.against import COLUMNS, RATIO
from actlab.analysis.cells import varying
from actlab.analysis.compared_runs import Compared, CompareError
from actlab.analysis.escaping import code, plain
from actlab.analysis.estimates import ESTIMATE, LOGS
from actlab.analysis.intervals import COUNTS
from actlab.analysis.notes import floors, intervals_note, listed, made_with, selection_note
from actlab.analysis.variation import SPLIT, split_varies
from actlab.later import pd
from actlab.naming import counted, nearest
from actlab.study.settings import joined

TIMES = ("final", "init", "max")
FORMATS = ("markdown", "csv", "latex", "json")
NUMBERS = ("measure", *ESTIMATE, *LOGS, *COUNTS, *COLUMNS)
"""Columns of a comparison that are no keys."""


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
    table = layout.Table(metric.capitalize(), text, frame, wide, "compare")
    return layout.to_latex(table) if style == "latex" else f"{layout.pipe_table(wide)}\n\n{text}\n"


def keys_of(frame: pd.DataFrame) -> list[str]:
    """List the columns of a comparison that say what a row is of."""
    return [str(name) for name in frame if name not in NUMBERS]


def one_measure(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Lay a comparison of one measure out: its keys, the estimate, and how many runs stand behind it."""
    selected, against = frame.attrs.get("selected", []), str(frame.attrs.get("against", ""))
    # At init no run had diverged yet, and of differences both sides' runs are counted in columns.
    shown = frame.assign(diverged=0) if against or frame.attrs.get("at") == "init" else frame
    texts = [layout.estimate(row) for row in layout.records(shown)]
    heads = {key: layout.words(key) + " (selected)" * (key in selected) for key in keys_of(frame)}
    wide = pd.DataFrame(
        {plain(head): [layout.in_markdown(one, key) for one in frame[key]] for key, head in heads.items()}
    )
    if against:
        ratio = bool((frame["scale"] == RATIO).all())
        metric = f"{metric}, {'ratio to' if ratio else 'difference from'} {against}"
    wide[plain(metric)] = texts
    counts = {"n": "n"}
    if against:
        counts |= {"dropped_pairs": "dropped pairs"}
    if against or frame.attrs.get("pooled"):
        counts |= {"runs": "runs"}
    counts |= {"diverged": "diverged"}
    if against:
        counts |= {"diverged_against": f"diverged of {against}"}
    for column, head in counts.items():
        wide[plain(head)] = frame[column].astype(str).to_numpy()
    return wide


def several_measures(frame: pd.DataFrame) -> pd.DataFrame:
    """Lay a comparison of several measures out: one beside the other, and n."""
    keys = keys_of(frame)
    # At init no run had diverged yet: none is lost there.
    shown = frame.assign(diverged=0) if frame.attrs.get("at") == "init" else frame
    wide = layout.pivot(shown, keys, ["measure"])
    numbers: dict[tuple[Any, ...], list[str]] = {}
    for row in layout.records(frame):
        numbers.setdefault(tuple(layout.setting(row[key]) for key in keys), []).append(str(row["n"]))
    return wide.assign(n=[row[0] if len(set(row)) == 1 else ", ".join(row) for row in numbers.values()])


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
        intervals_note(frame, of="pairs") if against else intervals_note(shown),
        str(attrs.get("variation", "")),
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
    ]
    return " ".join(part for part in parts if part)


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
    dropped = int(frame["dropped_pairs"].sum())
    pairs = " of runs" * bool(frame.attrs.get("pooled"))
    parts = [
        f"{what}{side}.",
        "n counts pairs of one seed." if not frame.attrs.get("pooled") else "",
        f"Pairs{pairs} dropped, since one side has no value: {dropped}." if dropped else "No pair was dropped.",
        f"Empty cells: there is no pair, or no run of {base}." if (frame["n"] == 0).any() else "",
        f"Each interval stands by itself: not corrected for {counted(len(frame), 'difference')}.",
    ]
    return " ".join(part for part in parts if part)


def sentences(compared: Compared, runs: pd.DataFrame, keys: Sequence[str], differences: bool) -> list[str]:
    """Say of which runs a comparison is: what was asked for, selected, averaged, and how studies differ besides.

    Args:
        compared: the runs as they were chosen.
        runs: those that have the measure, with their study.
        keys: the columns that make a group.
        differences: whether they are of pairs of one repeat.
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
        out.append(f"{rule} This is the own rule{whose} (report.select); `--select none` turns it off.")
    if compared.turned_off:
        whose = f" of {plain(listed(compared.turned_off))}" if several else ""
        out.append(f"The own rule{whose} (report.select) is turned off: nothing was selected by it.")
    if compared.over:
        averaged = [f"{plain(layout.words(key))} ({counted(n, 'value')})" for key, n in compared.over.items()]
        both = split_varies(runs) and SPLIT not in keys
        repeat = "split and seed" if both else "seed"
        of = f"pairs of one {repeat}" if differences else "their pairs" if both else "seeds"
        out.append(f"Averaged within each {repeat} over {', '.join(averaged)}; n counts {of}.")
        if uneven(runs, keys, [key for key in compared.over if key in runs]):
            out.append("Not every group has runs of the same values of these: such means are over different settings.")
        if (runs["status"] != "ok").any():
            out.append("A seed's mean leaves out its runs that diverged.")
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
            texts = [f"{layout.in_markdown(values[0], key)} in {name}" for name, values in by_study.items()]
            parts.append(f"{plain(layout.words(key))} ({', '.join(texts)})")
    return f"The studies differ also in {'; '.join(parts)}." if parts else ""
