"""Estimates of step 0 beside what theory predicts of it: the deviation in spreads that one network is expected to have.

A network that is drawn at random scatters about its prediction with a standard deviation, the *spread*, that theory
gives too. Measured minus predicted is told in that unit, so that gradients, moments and shares can be compared: within
±2 a single network of this width cannot be told from the prediction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from actlab.analysis.cells import Cells
from actlab.analysis.escaping import plain
from actlab.analysis.estimates import LOGS
from actlab.analysis.layout import estimate, heading, in_markdown, lay_out, number, pivot, power_of_ten, records, words
from actlab.analysis.notes import listed
from actlab.analysis.predictions import cells_of_runs, in_spreads, outside, settings_of
from actlab.analysis.variation import SEED
from actlab.later import pd
from actlab.measures import GEOMETRIC, LOG10, about
from actlab.naming import counted

PREDICTED, DEVIATION = "predicted", "deviation"
BAND = (PREDICTED, "predicted_low", "predicted_high")
"""The prediction, and one spread to either side of it."""
OUTSIDE = "outside theory"
WITHIN = 2.0  # spreads
MOST_REASONS = 3
MEASURED_TO = 1e-6  # relative: float32, of which sums were taken


def networks(cells: Cells, values: pd.DataFrame) -> pd.DataFrame:
    """Put the values of runs at step 0 beside their predictions, on the scale of these: log10 of what is stored so.

    Args:
        cells: the study's.
        values: ``run``, ``measure``, ``value``, ``layer`` of what has one, and any that split a cell further; rows of
            another time (``at``) are passed over.

    Returns:
        the rows of ``values`` that have a prediction, with ``logged``, ``predicted``, ``spread`` and ``error`` (the
        numerical one, and what the measurement's own digits leave open), and ``deviation``; ``measure`` without log10.
    """
    values = values[values["at"] == "init"] if "at" in values else values
    there = cells.predictions[cells.predictions["measure"] != ""]
    there = there[["cell", "measure", "layer", "value", "numerical_error", "spread"]]
    there = there.rename(columns={"value": PREDICTED, "numerical_error": "error"})
    as_log10 = values["measure"].isin({str(name).removeprefix(LOG10) for name in there["measure"] if LOG10 in name})
    logs = pd.Series(np.log10(values["value"].where(values["value"] > 0)), values.index)
    values = values.assign(
        value=logs.where(as_log10, values["value"]),
        measure=(LOG10 + values["measure"]).where(as_log10, values["measure"]),
        **({} if "layer" in values else {"layer": 0}),
    )
    by_run = cells_of_runs(cells.runs, cells.predictions)[["run", "cell"]]
    out = values.merge(by_run, on="run").merge(there, on=["cell", "measure", "layer"]).drop(columns="cell")
    out = out[np.isfinite(out["value"]) & np.isfinite(out[PREDICTED])].reset_index(drop=True)
    out["logged"] = out["measure"].str.startswith(LOG10)
    out["measure"] = out["measure"].str.removeprefix(LOG10)
    out["error"] = (out["error"].fillna(0) ** 2 + (MEASURED_TO * out["value"]) ** 2) ** 0.5
    out[DEVIATION] = in_spreads(out["value"] - out[PREDICTED], out["spread"], out["error"])
    return out


def with_predictions(frame: pd.DataFrame, values: pd.DataFrame, cells: Cells, keys: Sequence[str]) -> pd.DataFrame:
    """Add to estimates what was predicted of them; a frame of which nothing is predicted stays as it is.

    Args:
        frame: estimates by ``keys`` and what splits a cell further.
        values: what they were made of, one row for each run.
        cells: the study's.
        keys: what makes a cell.
    """
    return frame if cells.predictions.empty else joined(frame, networks(cells, values), cells, keys)


def joined(frame: pd.DataFrame, values: pd.DataFrame, cells: Cells, keys: Sequence[str]) -> pd.DataFrame:
    """``with_predictions`` of values that are ``networks``.

    Runs of one seed begin as one network, or as one on several splits: they are averaged first.

    Returns:
        ``frame`` with ``predicted``, ``predicted_low``, ``predicted_high`` (one spread to either side), ``deviation``
        (the mean of measured minus predicted, in spreads of one network), ``standard_errors`` (the same, in spreads of
        a mean over so many networks), ``outside`` (why nothing is predicted of a cell), where any cell is.
    """
    if values.empty:
        return frame
    within = [str(name) for name in values if name in frame and name not in (*BAND, "run", "value", "layer", *keys)]
    within += ["layer"] if "layer" in frame else []
    by = [*keys, *within]
    all_of = values.merge(cells.runs[list(dict.fromkeys(["run", SEED, *keys]))], on="run")
    all_of = all_of.assign(
        difference=all_of["value"] - all_of[PREDICTED],
        predicted_low=all_of[PREDICTED] - all_of["spread"].where(all_of["spread"] > 0),
        predicted_high=all_of[PREDICTED] + all_of["spread"].where(all_of["spread"] > 0),
        variance=all_of["spread"] ** 2,
    )
    numbers = [*BAND, DEVIATION, "difference", "variance", "error", "logged"]
    seeds = all_of.astype({"logged": float}).groupby([*by, SEED], dropna=False)[numbers].mean()
    grouped = seeds.groupby(level=by, dropna=False)
    out = grouped.mean()
    of_mean = (out["variance"] / grouped.size()) ** 0.5
    out["standard_errors"] = in_spreads(out["difference"], of_mean, out["error"])
    logged, more = out["logged"] > 0, []
    with np.errstate(over="ignore", under="ignore"):
        for name in BAND:
            if LOGS[0] in frame:
                more.append(LOG10 + name)
                out[LOG10 + name] = out[name].where(logged)
            exact = out[name].where(out[name].abs() > out["error"], 0.0)  # what rounding left of 0 is 0
            out[name] = (10.0 ** out[name]).where(logged, exact)
    out = out[[*BAND, DEVIATION, "standard_errors", *more]].reset_index()
    out = frame.merge(out, "left", on=by) if by else frame.join(out, how="cross")
    reasons = why_outside(cells, keys)
    if reasons.empty:
        return out
    lacks = out[PREDICTED].isna() & out["measure"].isin(values["measure"])
    lacks &= (out["at"] == "init") if "at" in out else True
    why = out[list(keys)].merge(reasons, "left", on=list(keys))["outside"].set_axis(out.index)
    return out.assign(outside=why.where(lacks, "").fillna(""))


def why_outside(cells: Cells, keys: Sequence[str]) -> pd.DataFrame:
    """Say of the cells of selected runs why nothing is predicted of them: keys, ``outside``."""
    by_run = cells_of_runs(cells.selected, cells.predictions)
    of_run = by_run.merge(reasons_of(cells), on="cell")
    reasons = of_run.merge(cells.runs[["run", *keys]], on="run")
    return reasons.drop_duplicates(list(keys))[[*keys, "outside"]].reset_index(drop=True)


def reasons_of(cells: Cells) -> pd.DataFrame:
    """List the cells of predictions that are outside theory: ``cell``, ``outside``."""
    why = outside(cells.predictions)[["cell", "assumption"]].rename(columns={"assumption": "outside"})
    why["outside"] = why["outside"].astype(str).str.removeprefix(OUTSIDE).str.lstrip(": ")
    return why[why["outside"] != ""].drop_duplicates("cell")  # runs that begin alike may have a row each


def is_predicted(frame: pd.DataFrame) -> bool:
    """Whether anything of a frame of estimates is predicted."""
    return PREDICTED in frame and bool(frame[PREDICTED].notna().any())


def reaches_not(frame: pd.DataFrame) -> bool:
    """Whether some of a frame of estimates is outside theory."""
    return "outside" in frame and bool((frame["outside"].fillna("") != "").any())


def pivot_beside(
    frame: pd.DataFrame,
    rows: Sequence[str],
    columns: Sequence[str],
    decimals: Mapping[str, int] | int | None = None,
    text: Callable[[Mapping[str, Any], int | None], str] = estimate,
) -> pd.DataFrame:
    """``layout.pivot``, in which columns ``predicted`` and ``deviation`` stand beside what has them."""
    wide = pivot(frame, rows, columns, decimals, text)
    if not is_predicted(frame):
        return wide
    places = decimals if isinstance(decimals, int) else None
    predicted = lay_out(frame.assign(text=[predicted_text(row, places) for row in records(frame)]), rows, columns)
    deviation = lay_out(frame.assign(text=[deviation_text(x) for x in frame[DEVIATION]]), rows, columns)
    numbers = len(frame[list(columns)].drop_duplicates()) if columns else 1
    keys = len(wide.columns) - numbers
    parts = [wide.iloc[:, :keys]]
    for i in range(keys, len(wide.columns)):  # rows and columns are those of the same frame, in the same order
        head = f"{wide.columns[i]}, " if numbers > 1 else ""
        parts.append(wide.iloc[:, [i]])
        if not predicted.iloc[:, i].isin(["", OUTSIDE]).all():
            parts.append(predicted.iloc[:, [i]].set_axis([head + PREDICTED], axis=1))
        if (deviation.iloc[:, i] != "").any():
            parts.append(deviation.iloc[:, [i]].set_axis([head + DEVIATION], axis=1))
    return pd.concat(parts, axis=1)


def predicted_text(row: Mapping[str, Any], decimals: int | None = None) -> str:
    """Write a prediction as a table has it; of a cell that has none that it is outside theory, if it is.

    >>> predicted_text({"predicted": 0.4123}), predicted_text({"predicted": math.nan, "outside": "normalisation"})
    ('0.412', 'outside theory')
    """
    value = float(row[PREDICTED])
    log10 = float(row.get(LOG10 + PREDICTED, math.nan))
    if math.isnan(value):
        return OUTSIDE if row.get("outside") else ""
    if (value == 0 or math.isinf(value)) and math.isfinite(log10):
        return power_of_ten(log10)
    return number(value) if decimals is None else f"{value:z.{decimals}f}".replace("-", "−")


def deviation_text(spreads: float) -> str:
    """Write a deviation with its sign, to a tenth of a spread.

    >>> deviation_text(-0.26), deviation_text(0.02), deviation_text(312.4), deviation_text(math.nan)
    ('−0.3', '0.0', '+312', '')
    """
    if math.isnan(spreads):
        return ""
    if math.isinf(spreads):
        return "+∞" if spreads > 0 else "−∞"
    text = f"{spreads:+.0f}" if abs(spreads) >= 100 else f"{spreads:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def theory_note(cells: Cells, frame: pd.DataFrame, later: bool = True) -> str:
    """Say what the predictions of a table are, in what unit deviations are told, and what is outside theory.

    Args:
        cells: the study's.
        frame: estimates.
        later: whether the table also shows what is measured after step 0.
    """
    if not is_predicted(frame):
        return ""
    there = frame[frame[PREDICTED].notna()]
    n = int(there["n"].median())
    after = "; later steps are outside theory" if later else ""
    chance = f" (by chance a mean of {n} varies by ±{1 / math.sqrt(n):.2g})" if n > 1 else ""
    sentences = [
        f"*predicted*: mean-field theory at step 0{after}; *deviation*: measured − predicted, in the standard "
        f"deviation that one network of this width is expected to have about it{chance}.",
        means_note(frame, cells),
        reasons_note(frame, cells),
    ]
    return " ".join(filter(None, sentences))


def means_note(frame: pd.DataFrame, cells: Cells) -> str:
    """Say which geometric means stand beside predictions of arithmetic ones: of what is predicted as it is."""
    there = dict.fromkeys(frame.loc[frame[PREDICTED].notna(), "measure"].astype(str))
    as_it_is = set(cells.predictions["measure"])
    names = [words(name) for name in there if name in as_it_is and about(name, cells.own).over_seeds == GEOMETRIC]
    if not names:
        return ""
    return (
        f"Theory predicts the expectation of {listed([plain(name) for name in names])}, below which the geometric mean "
        "lies where networks differ much; deviations are means of each network's own."
    )


def reasons_note(frame: pd.DataFrame, cells: Cells) -> str:
    """Say which cells of a frame are outside theory, and why."""
    if "outside" not in frame or not (frame["outside"] != "").any():
        return ""
    keys = [one.column for one in cells.settings if one.column in frame]
    return outside_sentence(frame[[*keys, "outside"]].drop_duplicates(), keys)


def outside_sentence(cells: pd.DataFrame, keys: Sequence[str]) -> str:
    """Say why cells are outside theory, and by what settings those are told from the others.

    >>> some = pd.DataFrame({"depth": [5, 50], "width": 64, "outside": ["", "depth / width above 0.5"]})
    >>> outside_sentence(some, ["depth", "width"])
    'Outside theory: 1 cell (depth 50): depth / width above 0.5.'
    """
    texts, of_reasons = [], cells[cells["outside"] != ""].drop_duplicates(list(keys)).groupby("outside", sort=False)
    for reason, rows in list(of_reasons)[:MOST_REASONS]:
        texts.append(f"{counted(len(rows), 'cell')}{those_with(rows, cells, keys)}: {plain(str(reason))}")
    if len(of_reasons) > MOST_REASONS:
        texts.append(f"and {counted(sum(len(rows) for _, rows in list(of_reasons)[MOST_REASONS:]), 'other cell')}")
    return f"Outside theory: {'; '.join(texts)}." if texts else ""


def those_with(rows: pd.DataFrame, cells: pd.DataFrame, keys: Iterable[str], most: int = 6) -> str:
    """Name the settings by which some cells are told from all, in parentheses; the names of few values only.

    >>> cells = pd.DataFrame({"leak": [float("nan"), "unit", 0.5], "depth": [2, 5, 5]})
    >>> those_with(cells.head(2), cells, ["leak", "depth"])
    ' (leak none, unit)'
    """
    told = []
    for key in keys:
        values = list(dict.fromkeys(rows[key]))
        values = values if any(isinstance(one, str) for one in values) else sorted(values)  # beside "" may be numbers
        if len(values) < cells[key].nunique(dropna=False) and len(values) <= most:
            named = [str(in_markdown(value, key)) for value in values]
            told.append(heading(key, values[0]) if len(values) == 1 and not isinstance(values[0], str) else "")
            told[-1] = told[-1] or f"{plain(words(key))} {', '.join(named)}"
    return f" ({'; '.join(told)})" if told else ""


def of_study(cells: Cells) -> str:
    """Say of how many cells of a study's selected runs something is predicted, and which are outside theory, and why.

    Empty where a study has no predictions.
    """
    if cells.predictions.empty:
        return ""
    all_of, keys = inside_or_not(cells)
    inside = int((all_of["outside"] == "").sum())
    number = counted(len(all_of), "cell")
    start = (
        f"Mean-field theory predicts {number if inside == len(all_of) else f'{inside} of {number}'} at initialisation "
        "(what differs in its training alone counts once)."
    )
    return " ".join(filter(None, [start, outside_sentence(all_of, keys)]))


def inside_or_not(cells: Cells) -> tuple[pd.DataFrame, list[str]]:
    """List the cells of predictions of a study's selected runs, with why they are ``outside``, and their settings."""
    settings = settings_of(cells.predictions)
    by_run = cells_of_runs(cells.selected, cells.predictions)
    all_of = cells.predictions.loc[cells.predictions["cell"].isin(by_run["cell"]), ["cell", *settings]]
    all_of = all_of.drop_duplicates("cell").merge(reasons_of(cells), "left", on="cell").fillna({"outside": ""})
    return all_of, [one.column for one in cells.settings if one.column in settings]
