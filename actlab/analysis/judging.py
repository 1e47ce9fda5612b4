"""Claims that no single mean decides: a law, which holds of every value, and what is said of all pairs of several."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from actlab.analysis.cells import Cells
from actlab.analysis.claims import (
    AT_LEAST,
    CONTRADICTED,
    DOUBT,
    EXACTLY,
    INCONCLUSIVE,
    SUPPORTED,
    Verdict,
    at_least,
    conditions_text,
    overall,
)
from actlab.analysis.escaping import bare
from actlab.analysis.findings.decided import LEAST
from actlab.analysis.intervals import COMPUTED, UNBOUNDED, Interval, percent, quantity_of
from actlab.analysis.layout import words
from actlab.analysis.notes import listed
from actlab.analysis.outscored import of_selection
from actlab.analysis.stages import AGAIN, stale
from actlab.analysis.stats import paired_differences
from actlab.later import pd
from actlab.measures import Measure, about
from actlab.naming import show

MOST_ENDS = 3  # named of the cells that cap a verdict
EARLIER = "values selected before today's tuning runs, which would select others"


def computed(value: float) -> Interval:
    """Make a number that was computed, not measured on a sample, what ``judge`` takes: an interval of no width.

    >>> from actlab.analysis.claims import AT_LEAST, judge
    >>> judge("M1", "mish", "bounded below", AT_LEAST, -1.0, computed(-0.30884), "its least value").verdict
    'supported'
    """
    return Interval(value, value, value, 1, COMPUTED)


def judge_law(
    id: str,
    activation: str,
    statement: str,
    value: float,
    samples: ArrayLike,
    evidence: str,
    unit: str = "value",
    exceptions: Sequence[str] = (),
) -> Verdict:
    """Judge a claim that is said of every value: one exception contradicts it, and no interval is needed.

    Args:
        id, activation, statement, evidence: see ``Verdict``.
        value: what each of them is said to be, exactly.
        samples: all that were measured, one a run: not their means over seeds. What is not finite is left out.
        unit: what one of them is of, for the sentence that counts exceptions.
        exceptions: of what these are, by name, for the same sentence.

    Returns:
        the verdict, with the least and the greatest value in place of an interval; *inconclusive* without a value.

    >>> judge_law("R", "relu", "none comes back", 0.0, [0.0, 0.0], "revived").verdict
    'supported'
    >>> one = judge_law("R", "relu", "none comes back", 0.0, [0.0, 0.25], "revived", "run")
    >>> one.verdict, one.condition
    ('contradicted', '(not so in 1 of 2 runs)')
    >>> judge_law("R", "", "none comes back", 0.0, [0.0, 0.25], "revived", "run", ["relu"]).condition
    '(not so in 1 of 2 runs: relu)'
    """
    x = np.sort(np.asarray(samples, np.float64).ravel())
    x = x[np.isfinite(x)]
    if not len(x):
        nothing = (math.nan, math.nan, math.nan, 0, "none")
        return Verdict(id, activation, statement, EXACTLY, value, *nothing, INCONCLUSIVE, "", evidence)
    wrong = int((x != value).sum())
    numbers = (float(x.mean()), float(x[0]), float(x[-1]), len(x), "mean, least and greatest of all")
    which = f": {listed(exceptions)}" if exceptions else ""
    condition = f"(not so in {wrong} of {len(x)} {unit}s{which})" if wrong else ""
    verdict = CONTRADICTED if wrong else SUPPORTED
    return Verdict(id, activation, statement, EXACTLY, value, *numbers, verdict, condition, evidence)


def largest_difference(values: pd.DataFrame, of: str | Measure = "", level: float = 0.95) -> Interval:
    """Bound the largest difference between any two columns: all pairs at once, so that none is chosen afterwards.

    Each of the m pairs has an interval of level 1 − (1 − level)/m, by pairs of one row (Bonferroni); all m hold at once
    with the level asked for. So the largest difference is at least the largest lower bound of a |difference|, and at
    most the largest upper one.

    Args:
        values: one row per seed, one column per candidate.
        of: the measure that the values are of, by its name (a user's own: its record); without one they are unbounded.
        level: of all pairs together.

    Returns:
        the largest observed difference of means and these bounds; ``n`` is that of the pair with the fewest.

    >>> trained = pd.DataFrame({"a": [1.0] * 20, "b": [0.0] * 20, "c": [1.0] * 20})
    >>> largest_difference(trained, "trained")
    Interval(mean=1.0, low=0.6..., high=1.0, n=20, method='Newcombe, 98.3 %, all 3 pairs', ...)

    Reference: Bonferroni's inequality, as for simultaneous intervals of Dunn 1961, J. Am. Stat. Assoc. 56.
    """
    quantity = quantity_of(about(of) if isinstance(of, str) else of) if of else UNBOUNDED
    pairs = list(combinations(values, 2))
    if not pairs:
        return Interval(math.nan, math.nan, math.nan, 0, "none")
    each = 1 - (1 - level) / len(pairs)
    found = paired_differences(values, pairs, each, quantity)
    measured = [one for one in found if one.n]
    known = [one for one in measured if one.known]
    if not known:
        largest = max((abs(one.mean) for one in measured), default=math.nan)
        # Where all differences of each pair are equal, so is what more seeds like these add.
        same = math.nan if any(one.least < one.greatest for one in measured) else largest
        n = min((one.n for one in measured), default=0)
        return Interval(largest, math.nan, math.nan, n, "none", least=same, greatest=same)
    mean = max(abs(one.mean) for one in measured)
    low = max(0.0, *(max(one.low, -one.high) for one in known))
    end = quantity.difference.high
    beyond = math.inf if end is None else end  # a pair without an interval may differ by anything
    high = max(max(-one.low, one.high) for one in known) if len(known) == len(found) else beyond
    method = f"{known[0].method}, {percent(each)}, all {len(pairs)} pairs"
    # Of the pairs that differ most, the one with the widest interval bounds the largest difference.
    widest = max(known, key=lambda one: (abs(one.mean), one.high - one.low))
    return Interval(mean, low, high, min(one.n for one in known), method, differ=widest.differ)


def judge_any_pair(
    id: str, statement: str, effect: float, values: pd.DataFrame, evidence: str, of: str | Measure = ""
) -> Verdict:
    """Judge "some two of these differ by at least δ", without choosing the two afterwards (``largest_difference``).

    >>> values = pd.DataFrame({"a": [1.0] * 20, "b": [0.0] * 20, "c": [1.0] * 20})
    >>> judge_any_pair("D", "it matters which", 0.2, values, "share trained", "trained").verdict
    'supported'
    """
    one = largest_difference(values, of)
    numbers = (one.mean, one.low, one.high, one.n, one.method)
    unit = (about(of) if isinstance(of, str) else of).unit
    return Verdict(id, "", statement, AT_LEAST, effect, *numbers, at_least(effect, one), "", evidence, unit)


def at_grid_end(cells: Cells, rows: pd.DataFrame) -> pd.DataFrame:
    """Find the cells that train, and whose selected value is an end of their grid: a better one may lie beyond it.

    Args:
        cells: of a study that selects.
        rows: the selected runs that are looked at.

    Returns:
        one row per such cell, with its keys and the selected value.
    """
    by = cells.selected_keys
    if cells.select is None or rows.empty or not by:
        return pd.DataFrame(columns=[*by, cells.over])
    grid = cells.selection.groupby(by, dropna=False)[cells.over].agg(["min", "max", "nunique"]).reset_index()
    trains = cells.runs.groupby(by, dropna=False)["trained"].any().rename("trains").reset_index()
    chosen = rows[[*by, cells.over]].drop_duplicates().merge(grid, on=by).merge(trains, on=by)
    ends = (chosen[cells.over] == chosen["min"]) | (chosen[cells.over] == chosen["max"])
    return chosen.loc[ends & (chosen["nunique"] > 1) & chosen["trains"], [*by, cells.over]].reset_index(drop=True)


def capped(
    verdict: Verdict,
    cells: Cells,
    rows: pd.DataFrame,
    under: Mapping[str, pd.DataFrame] | None = None,
    between: Sequence[str] = ("activation",),
) -> Verdict:
    """Cap a verdict at inconclusive where a selection that it rests on breaks the rule of a fair comparison.

    Each network is to have the value that the rule prefers among enough of them. That is not so where it is an end of
    its grid (a better one may lie beyond), and where it was selected before the grid was widened, and today's rule
    selects another (``stages.stale``).

    A selected value that another one clearly outscores on the test split (``outscored``) breaks no rule: validation
    loss chose, as was written beforehand, and a cap would let the test split choose. It is a doubt, and told in the
    evidence of every verdict that rests on the cell.

    Args:
        verdict: from ``judge``.
        cells: the study's.
        rows: the selected runs that it compares.
        under: of these the runs that each of its conditions compares: then the conditions are capped, one by one, and
            the verdict follows from what they are.
        between: what the networks that are compared differ in, beside what is selected. The evidence says in how many
            settings they have different selected values, too, which may be why they differ.
    """
    verdict = with_values(verdict, own_values(cells, rows, between))
    broken = broken_rules(cells, rows)
    if under and verdict.under:
        verdict = of_capped(verdict, {name for name, some in under.items() if broken_rules(cells, some)})
    doubts = list(filter(None, [bare(of_selection(cells, rows)) if cells.select is not None else ""]))
    if verdict.verdict == INCONCLUSIVE:  # there is nothing to cap: it is told all the same
        doubts = [*broken, *doubts]
    elif broken:
        condition = f"(would be '{verdict.verdict}', but for {'; and '.join(broken)}) {verdict.condition}".strip()
        verdict = replace(verdict, verdict=INCONCLUSIVE, condition=condition)
    return replace(verdict, evidence=f"{verdict.evidence}{DOUBT}{'; '.join(doubts)}") if doubts else verdict


def own_values(cells: Cells, rows: pd.DataFrame, between: Sequence[str]) -> str:
    """Say in how many settings the networks compared have different selected values; empty where none is selected."""
    if cells.select is None:
        return ""
    others = [key for key in cells.selected_keys if key not in between]
    here = rows[[*others, *between, cells.over]].drop_duplicates()
    parts = [values for _, values in here.groupby(others, dropna=False)[cells.over]] if others else [here[cells.over]]
    values = [one.astype(float) for one in parts if len(one) > 1]
    if not values:
        return ""
    apart = [one.max() / one.min() for one in values if one.nunique() > 1]
    often = "the same wherever they are compared"
    if apart:
        often = f"not the same in {len(apart)} of {len(values)} settings, up to {max(apart):.3g} times apart"
    return f"each at its selected {words(cells.over)} ({often})"


def with_values(verdict: Verdict, said: str) -> Verdict:
    """Add to what a verdict's number is at which values networks were compared."""
    evidence, least, rest = verdict.evidence.partition(LEAST)
    return replace(verdict, evidence=f"{evidence}; {said}{least}{rest}") if said else verdict


def broken_rules(cells: Cells, rows: pd.DataFrame) -> list[str]:
    """Say which cells of some selected runs break the rule of a fair comparison, and how; nothing where none does."""
    found = {
        "selected values at an end of their grid": at_grid_end(cells, rows),
        f"{EARLIER} ({AGAIN} in the study's folder selects again)": stale_in(cells, rows),
    }
    return [f"{why}: {some_cells(those)}" for why, those in found.items() if len(those)]


def of_capped(verdict: Verdict, names: Collection[str]) -> Verdict:
    """Hold some conditions of a verdict at inconclusive, and decide it from all of them again.

    >>> from actlab.analysis.claims import judge
    >>> low, high = [-0.3, -0.31, -0.3, -0.32, -0.31], [0.2, 0.21, 0.2, 0.21, 0.2]
    >>> one = judge("S3", "sigmoid", "vanishes", "at most", -0.03, {"A": low, "B": high}, "slope")
    >>> one.verdict, of_capped(one, ["A"]).verdict, of_capped(one, ["B"]).verdict
    ('true only if', 'contradicted', 'inconclusive')
    """
    from actlab.analysis.conditions import interval_of

    rows = tuple(
        replace(row, verdict=INCONCLUSIVE, more=f"would be '{row.verdict}', but for its selection")
        if row.condition in names and row.verdict != INCONCLUSIVE
        else row
        for row in verdict.under
    )
    words = {row.condition: row.verdict for row in rows}
    word = overall(words.values())
    intervals = {row.condition: interval_of(row) for row in rows}
    text = conditions_text(words, intervals, word, {row.condition: row.more for row in rows})
    return with_open_number(replace(verdict, verdict=word, condition=text, under=rows))


def with_open_number(verdict: Verdict) -> Verdict:
    """Give an inconclusive verdict the number of the condition, of those that leave it open, that fits it least.

    Where none of these has a number, as where no condition is open, it keeps the one that it has.
    """
    from actlab.analysis.conditions import interval_of, least_favourable

    among = [row for row in verdict.under if row.n and row.verdict == verdict.verdict == INCONCLUSIVE]
    if not among:
        return verdict
    row = least_favourable(verdict.form, among)
    one = interval_of(row)
    level = f", {percent(1 - 0.05 / len(verdict.under))}" * (one.known and one.method != COMPUTED)
    evidence = f"{verdict.evidence.partition(LEAST)[0]}{LEAST}{row.condition}"
    numbers = replace(verdict, estimate=one.mean, low=one.low, high=one.high, n=one.n, method=f"{one.method}{level}")
    return replace(numbers, evidence=evidence)


def stale_in(cells: Cells, rows: pd.DataFrame) -> pd.DataFrame:
    """Take those of the cells of some selected runs whose value today's rule would not select; see ``stale``."""
    found, by = stale(cells), cells.selected_keys
    return found.merge(rows[by].drop_duplicates(), on=by)[[*by, cells.over]] if len(found) and by else found


def some_cells(cells: pd.DataFrame) -> str:
    """Name cells by all of their keys, the first few of many."""
    named = [", ".join(f"{key} {show(value)}" for key, value in row.items()) for row in cells.to_dict("records")]
    more = f"; and {len(named) - MOST_ENDS} more" if len(named) > MOST_ENDS else ""
    return f"{'; '.join(named[:MOST_ENDS])}{more}"
