"""What tables and figures say below themselves: measures, intervals, n, what diverged, how a setting was selected."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from actlab.analysis import bimodal, of_trained
from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.confounds import of_cells, of_table
from actlab.analysis.crossed import CROSSED
from actlab.analysis.escaping import plain
from actlab.analysis.intervals import FEWEST, NO_INTERVAL, WILSON, wilson_bounds
from actlab.analysis.layout import words
from actlab.analysis.marking import advice, marks_note
from actlab.analysis.stages import stale
from actlab.analysis.variation import BOTH, EITHER, independent, of_what, over_repeats, split_varies
from actlab.later import pd
from actlab.measures import GEOMETRIC, Measure, about
from actlab.naming import counted
from actlab.study.settings import ENVIRONMENT

PARTLY = (
    "Where some runs of a cell have no value, how many have one stands first, then the median of those (least to "
    "greatest), or their share, without an interval: they are no sample of all."
)
NO_LOGARITHM = (
    "A norm of exactly 0, as a dead layer's, has no logarithm and counts as no value: where some runs have such a norm "
    "the median of the others is shown, and where all have, nothing."
)
PHRASES = {
    "actlab": "with actlab {}",
    "jax": "with JAX {}",
    "jaxlib": "with jaxlib {}",
    "optax": "with Optax {}",
    "numpy": "with NumPy {}",
    "platform": "on {}",
    "flags": "with the flags {}",
    "packages": "with the packages {}",
    "runs_per_call": "with {} runs per call",
    "eval_chunks": "with {} evaluation chunks",
}


def notes(
    cells: Cells,
    frame: pd.DataFrame,
    what: str,
    selected: bool = False,
    marks: bool = False,
    asked: Sequence[str] = (),
    whose: str = "",
) -> str:
    """Say what a table shows, interval and n, what diverged, the selection rule, what the marks mean, what is empty.

    ``asked`` are the measures that the table would show of any study; ``whose`` says of what the intervals are, where
    that is not what is printed.
    """
    keys = cell_keys(cells, None if selected else cells.keys)
    runs = of_cells(cells.selected if selected else cells.runs, frame, [key for key in keys if key in frame])
    partly = of_trained.partly(frame)  # such estimates count those that trained alone: their cells have more runs
    at_init, all_in = "at" in frame and bool((frame["at"] == "init").any()), all_have_values(frame) and not partly.any()
    sizes = frame.loc[~partly, "runs"]
    if partly.any():
        sizes = runs.groupby([key for key in keys if key in frame], dropna=False).size()
    whole = frame[~bimodal.not_means(frame)]
    number = f"{span(sizes)} run{'s' * bool(sizes.max() > 1)} per cell"
    some = (
        over_repeats(frame) != BOTH
        and partly.any()
        and len(whole) > 0
        and all_too_few(whole)
        and (whole["n"] > 1).any()
    )
    few = over_repeats(frame) != BOTH and all_too_few(frame) and all_in and (frame["n"] > 1).any()
    said = some or (few and len(whole) > 0)  # with the intervals
    over = f"{whose} over {over_repeats(frame)}"
    sentences = [
        what,
        intervals_note(whole, over, count_in=number if some else "") if len(whole) else "",
        bimodal.note(frame),
        of_what(runs, cells.selected_keys if selected else cells.keys, frame, cells.test_rows),
        "" if said else f"{number}.",
        diverged(runs, cells.runs, at_init, all_in, cells.selected),
        made_with(runs, cells.keys),
        selection_note(cells) if selected else every_value_note(cells),
        of_table(cells, frame, keys, selected, not all_in, at_init),
        floors(frame, cells.own),
        empty(cells, asked),
        marks_note(frame, own=cells.own) if marks else "",
        advice(frame, cells.selected) if marks else "",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def floors(frame: pd.DataFrame, own: Mapping[str, Measure] | None = None, measure: str = "") -> str:
    """Say of measures with undefined values why rounding leaves them so, where it does.

    Args:
        frame: estimates, with the number ``missing``.
        own: the records of the user's measures.
        measure: whose they are, where the frame has no column that says it.
    """
    missing = frame[frame["missing"] > 0] if "missing" in frame else frame.head(0)
    names = dict.fromkeys(map(str, missing["measure"])) if "measure" in frame else [measure] * bool(len(missing))
    reasons: dict[str, list[str]] = {}
    for name in names:
        if reason := about(name, own).floor:
            reasons.setdefault(plain(reason), []).append(f"*{plain(words(name))}*")
    return " ".join(f"{listed(them)}: undefined where {reason}." for reason, them in reasons.items())


def empty(cells: Cells, asked: Sequence[str]) -> str:
    """Say which of some measures runs lack because they were made before these were measured."""
    of_all = [f"*{plain(words(name))}*" for name in asked if cells.lacking.get(name) == len(cells.runs)]
    of_some = [f"*{plain(words(name))}*" for name in asked if 0 < cells.lacking.get(name, 0) < len(cells.runs)]
    return " ".join(
        f"Without {listed(names)}: {whose} made before that was measured."
        for names, whose in ((of_all, "these runs were"), (of_some, "some of these runs were"))
        if names
    )


def intervals_note(frame: pd.DataFrame, over: str = "", of: str = "runs", count_in: str = "") -> str:
    """Say how a table's intervals are made, and what stands where there is none.

    ``count_in`` says how many runs cells have of which not all count, as those that did not train.

    >>> one = {"mean": 0.5, "n": 5, "method": "logit t"}
    >>> intervals_note(pd.DataFrame([one]))
    '95 % intervals: logit t. 5 runs can miss an outcome that up to 43 % of runs have.'
    >>> intervals_note(pd.DataFrame([one | {"n": 1, "method": "none"}]))
    'Fewer than two values per cell: no intervals.'
    """
    partly = some_lack_values(frame)
    if partly.any():
        rest = frame[~partly & (frame["n"] > 0)]
        return f"{intervals_note(rest, over, of, count_in)} {PARTLY}".strip() if len(rest) else PARTLY
    frame = frame.assign(independent=independent(frame))
    crossed = over_repeats(frame) == BOTH
    least, values, them = (EITHER, EITHER, "them") if crossed else (of, "values", of)
    several = frame[frame["n"] > 1]
    methods = sorted(set(frame["method"]) - {NO_INTERVAL})
    without = several[several["method"] == NO_INTERVAL]
    if not methods and without.empty:
        return "Fewer than two values per cell: no intervals."
    sentences = [f"95 % intervals{over}: {', '.join(methods)}."] if methods else []
    if len(without):
        shown = "shown is the median (least to greatest)."
        if all_too_few(frame):
            cell = least if of != "runs" or crossed else f"{'runs' if all_have_values(frame) else 'values'} per cell"
            few = span(frame.loc[frame["n"] > 0, "independent"])
            told = f"{count_in}, of which {few} count" if count_in else f"{few} {cell}"
            sentences.append(f"{told}: too few for an interval; {shown}")
        elif methods:
            sentences.append(f"Fewer than {FEWEST} {values}, or equal ones, have none: {shown}")
        else:
            few = f"fewer than {FEWEST} {values}"
            sentences.append(f"No mean has an interval, being of {few} or of equal ones: {shown}")
        if "share" in without and without["share"].notna().any():
            sentences.append(
                f"*alike*: {of} of one value, or in the larger of two groups; *share*: Wilson's interval of their "
                f"share of all {of}."
            )
    if {method.removeprefix(CROSSED) for method in methods} - {WILSON} or len(without):
        n = int(several["independent"].min())
        unseen = float(wilson_bounds(np.array(0.0), np.array(n), 0.95)[1])
        sentences.append(f"{n} {least} can miss an outcome that up to {100 * unseen:.0f} % of {them} have.")
    return " ".join(sentences)


def some_lack_values(frame: pd.DataFrame) -> pd.Series:
    """Tell of each row whether some of its runs have a value, and others do not."""
    if not {"runs", "diverged", "missing"} <= set(frame):
        return pd.Series(False, frame.index)
    lost = (frame["diverged"] + frame["missing"] > 0) & (frame["n"] < frame["runs"])
    return (frame["n"] > 0) & lost & frame["low"].isna()


def all_too_few(frame: pd.DataFrame) -> bool:
    """Whether no cell has enough values for the interval of a mean, and none has another."""
    return bool((independent(frame) < FEWEST).all() and (frame["method"] == NO_INTERVAL).all())


def all_have_values(frame: pd.DataFrame) -> bool:
    """Whether every run of every cell has a value."""
    return "runs" in frame and bool((frame["n"] == frame["runs"]).all())


def span(numbers: pd.Series) -> str:
    """Write the range of some whole numbers.

    >>> span(pd.Series([3, 3])), span(pd.Series([2, 3]))
    ('3', '2 to 3')
    """
    fewest, most = int(numbers.min()), int(numbers.max())
    return str(most) if fewest == most else f"{fewest} to {most}"


def diverged(
    runs: pd.DataFrame,
    all_runs: pd.DataFrame,
    at_init: bool = False,
    counted_in: bool = False,
    selected: pd.DataFrame | None = None,
) -> str:
    """Say how many of some runs diverged, and how many of the others.

    Args:
        runs: those that are shown.
        all_runs: all that there are.
        at_init: whether init is shown as well.
        counted_in: whether runs that diverged have a value too, as a share's have.
        selected: those at the selected values, of which fewer may be shown.
    """
    here, elsewhere = int((runs["status"] != "ok").sum()), int((all_runs["status"] != "ok").sum())
    if here and counted_in:
        return f"{here} of {counted(len(runs), 'run')} diverged, and {'are' if here > 1 else 'is'} among them."
    if here and at_init:
        return (
            f"{here} of {counted(len(runs), 'run')} diverged: at the end they enter no mean and are counted in their "
            "cells; at init, before they diverged, they do enter."
        )
    if here:
        return f"{here} of {counted(len(runs), 'run')} diverged: they enter no mean and are counted in their cells."
    none = selected is None or bool((selected["status"] == "ok").all())
    of_these = "No selected run" if none else f"None of these {counted(len(runs), 'run')}"
    return f"{of_these} diverged; {elsewhere} of the others did." if elsewhere else "No run diverged."


def selection_note(cells: Cells) -> str:
    """Say how the swept key was chosen, in a sentence; and of which seeds that was, where they are not those shown."""
    if cells.select is None:
        return "Nothing was selected: every setting is shown."
    rule = f"{'highest' if cells.select.higher_is_better else 'lowest'} mean final {plain(words(cells.select.by))}"
    over = plain(words(cells.over))
    repeats = BOTH if split_varies(cells.runs) else "seeds"
    if cells.tuning is None:
        return (
            f"The {over} of each cell is the one with the {rule} over {repeats}; a value with a diverged run ranks "
            "last; the test split never chooses."
        )
    seeds = counted(len(cells.tuning.seeds), "tuning seed")
    seeds = f"splits and {seeds}" if repeats == BOTH else seeds
    return (
        f"The {over} of each cell is the one with the {rule} over {seeds}; a value with a diverged run ranks last; the "
        f"test split never chooses. {shown_seeds(cells)}{other_by_rule(cells)}"
    )


def shown_seeds(cells: Cells) -> str:
    """Say of a study in two stages which seeds are shown."""
    seeds = cells.selected["seed"].nunique()
    return f"Shown: {counted(seeds, 'fresh seed')}, none of which chose." if seeds else "No fresh seed is trained yet."


def other_by_rule(cells: Cells) -> str:
    """Say in how many cells the tuning runs that there are now would select another value than is stored."""
    other = len(stale(cells))
    if not other:
        return ""
    return (
        f" In {counted(other, 'cell')} the tuning runs that there are now would select another value than the one that "
        "was stored before, which stays."
    )


def selected_in_short(cells: Cells) -> str:
    """Say how the swept key was chosen, for the terminal."""
    if cells.select is None:
        return ""
    chosen = f"{words(cells.over).capitalize()} selected by {words(cells.select.by)}"
    if cells.tuning is None:
        return f"{chosen}."
    return f"{chosen} on {counted(len(cells.tuning.seeds), 'tuning seed')}. {shown_seeds(cells)}"


def every_value_note(cells: Cells) -> str:
    """Say of what shows all values of a key that is selected over which seeds are whose; empty with one stage."""
    if cells.tuning is None:
        return ""
    return (
        f"At the selected {plain(words(cells.over))} of each cell: fresh seeds; at the others: the "
        f"{counted(len(cells.tuning.seeds), 'tuning seed')} that chose."
    )


def definitions(*measures: str) -> str:
    """Say what measures are: ``*dead*: share of units for which ...; *weak*: ...``."""
    return "; ".join(f"*{plain(about(name).words)}*: {plain(about(name).definition)}" for name in measures)


def definition(measure: str) -> str:
    """Say what a measure is in a sentence of a caption: ``Dead: share of units for which ....``."""
    return f"{plain(words(measure)).capitalize()}: {plain(about(measure).definition)}."


def mean_of(frame: pd.DataFrame, bands: bool = True) -> str:
    """Say what is drawn of a frame: means with their intervals, what stands where there is none; only what occurs.

    Args:
        frame: estimates.
        bands: whether intervals and ranges are drawn.

    >>> few = {"measure": "train_loss", "n": 3, "low": np.nan, "median": 0.5}
    >>> mean_of(pd.DataFrame([few]))
    'Medians over seeds with the range (dotted edges) of fewer than 5 runs'
    """
    names = list(dict.fromkeys(map(str, frame["measure"])))
    geometric = [name for name in names if about(name).over_seeds == GEOMETRIC]
    known = frame["low"].notna()
    beside = frame["median"].notna() if "median" in frame else frame["low"].notna() & False
    apart = bimodal.partly(frame)
    partly = some_lack_values(frame) & ~apart
    ranged, few = ~known & beside & ~apart, (independent(frame) < FEWEST) | partly
    repeats = over_repeats(frame)
    runs = EITHER if repeats == BOTH else "runs"
    parts = []
    if known.any():
        means = "geometric means" if len(geometric) == len(names) else "means"
        which = f" ({' and '.join(map(words, geometric))}: geometric)" if means == "means" and geometric else ""
        parts.append(f"{means} over {repeats}{which}{' with 95 % intervals' * bands}")
    if (ranged & few).any():
        band = " with the range (dotted edges)" * bands
        why = [f"of fewer than {FEWEST} {runs}"] * bool((ranged & few & ~partly).any())
        why += ["of those that have a value, where some runs have none"] * bool((ranged & partly).any())
        parts.append(f"medians{f' over {repeats}' * (not parts)}{band} {' and '.join(why)}")
    if apart.any():
        band = " with the range (dotted edges)" * bands
        which = "of all runs, where some trained and others did not"
        parts.append(f"medians{f' over {repeats}' * (not parts)}{band} {which}")
    if (ranged & ~few).any():
        parts.append("the value itself where all runs have the same")
    if (~known & ~beside & (frame["n"] == 1)).any():
        parts.append("single runs as they are")
    text = "; ".join(parts) or "nothing has a value"
    return text[0].upper() + text[1:]


def made_with(runs: pd.DataFrame, keys: Sequence[str]) -> str:
    """Say what the runs of a table were executed with, where that varies; nothing where it does not.

    How many runs a call advances, and in how many chunks it evaluates, depends on width and device: that is said only
    where runs of one cell differ in it.

    >>> runs = pd.DataFrame({"run": ["a", "b"], "jax": ["0.10.2", "0.9"], "platform": "P", "runs_per_call": [1, 4]})
    >>> made_with(runs, [])
    'Runs of this table were made with JAX 0.9 and 0.10.2 and with 1 and 4 runs per call.'
    """

    def values(name: str) -> list[str]:
        if name not in runs:
            return []
        if name == "packages":
            return of_several_versions(runs[name])
        if name in ("runs_per_call", "eval_chunks") and keys:
            varies = runs.groupby(list(keys), dropna=False)[name].transform("nunique") > 1
            return by_size(runs.loc[varies, name])
        return by_size(runs[name])

    different = {name: values(name) for name in ENVIRONMENT}
    if different["jaxlib"] == different["jax"]:
        different["jaxlib"] = []
    parts = [PHRASES[name].format(listed(texts)) for name, texts in different.items() if len(texts) > 1]
    return f"Runs of this table were made {listed(parts)}." if parts else ""


def of_several_versions(packages: pd.Series) -> list[str]:
    """Write the packages that some runs had in one version, and some in another: two functions may import two others.

    >>> of_several_versions(pd.Series(["mylab 1.0, other 2.3", "mylab 2.0", None]))
    ['mylab 1.0', 'mylab 2.0']
    """
    texts = by_size(pd.Series([one for listed in packages.dropna().unique() for one in listed.split(", ")]))
    names = [text.partition(" ")[0] for text in texts]
    return [text for text, name in zip(texts, names, strict=True) if names.count(name) > 1]


def by_size(values: pd.Series) -> list[str]:
    """Write different values, sorted, numbers in them by their size.

    >>> by_size(pd.Series(["0.10.2", "0.9", "0.9", None, ""])), by_size(pd.Series([4.0, 1.0, None]))
    (['0.9', '0.10.2', 'none'], ['1', '4'])
    """
    texts = {f"{value:g}" if isinstance(value, float) else str(value) or "none" for value in values.dropna()}
    return sorted(texts, key=lambda text: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)])


def listed(texts: Sequence[str]) -> str:
    """Join several texts into one.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)
