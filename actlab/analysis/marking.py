"""What a table's marks mean, in words: which cells were compared, what is no difference, how many seeds would decide.

And where nothing is marked, why, and what adds the seeds that it takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from actlab import commands
from actlab.analysis.escaping import code, plain
from actlab.analysis.intervals import FEWEST
from actlab.analysis.layout import DAGGER, UNDECIDED, words
from actlab.analysis.ties import margin_of
from actlab.analysis.variation import BOTH, EITHER, SEED, SPLIT, designed, over_repeats, split_varies
from actlab.later import pd
from actlab.measures import Measure, about

BEST = "the best mean of a column (and data set) among the cells of which all runs trained; equal ones alike."
AS_GOOD = f"{DAGGER}: as good: the interval of its difference from the best lies within {{delta}}."
OPEN = f"{UNDECIDED}: undecided: that interval contains 0, and reaches beyond {{delta}}"
REST = "No mark: worse, or not compared."
TOGETHER = "Intervals of differences: {by}; 95 % for all pairs of a column's compared cells together."
NOT_COMPARED = (
    "Nothing is marked as best: no column has two cells of at least {enough} of which all runs trained and have a "
    "value."
)
ENOUGH = {"seeds": f"{FEWEST} seeds", "splits": f"{FEWEST} splits", BOTH: f"{FEWEST} splits and {FEWEST} seeds"}
PAIRS = {"seeds": "seed", "splits": "split", BOTH: "split and seed"}


def marks_note(frame: pd.DataFrame, bold: str = "**Bold**", own: Mapping[str, Measure] | None = None) -> str:
    """Say what the marks mean, and how many seeds would decide; where nothing is marked, why.

    Args:
        frame: estimates with what ``ties.mark`` says of them.
        bold: how the best is marked.
        own: the records of the user's measures.
    """
    if not frame["best"].any():
        over = over_repeats(frame)
        if designed(frame).max() >= FEWEST:
            return NOT_COMPARED.format(enough=ENOUGH[over])
        of = EITHER if over == BOTH else "runs"
        few = "One run" if frame["runs"].max() == 1 else f"Fewer than {FEWEST} {of}"
        return f"{few} per cell: nothing is marked as best."
    names = list(dict.fromkeys(map(str, frame.loc[frame["best"], "measure"])))
    margins = {name: margin.words for name in names if (margin := margin_of(about(name, own)))}
    alike = len(set(margins.values())) == 1
    each = (f"{text} ({plain(words(name))})" for name, text in margins.items())
    delta = next(iter(margins.values())) if alike else " or ".join(each)
    dropped = int(frame["dropped_pairs"].sum())
    sentences = [
        f"{bold}: {BEST}",
        AS_GOOD.format(delta=delta) if frame["as_good"].any() else "",
        f"{OPEN.format(delta=delta)}{seeds_wanted(frame)}." if frame["undecided"].any() else "",
        REST if not (frame["best"] | frame["as_good"] | frame["undecided"]).all() else "",
        TOGETHER.format(by=how_compared(frame)),
        f"Pairs dropped, since one side has no value: {dropped}." if dropped else "",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def how_compared(frame: pd.DataFrame) -> str:
    """Say whether cells were compared by pairs: those that share no seed are independent means.

    >>> how_compared(pd.DataFrame({"pairs": [math.nan, 8, 8]})), how_compared(pd.DataFrame({"pairs": [math.nan, 0]}))
    ('by pairs of one seed', 'of independent means, since cells share no seed')
    """
    what, pairs = PAIRS[over_repeats(frame)], frame["pairs"].dropna()
    if (pairs > 0).all():
        return f"by pairs of one {what}"
    none = f"of independent means, since cells share no {what}"
    return f"by pairs of one {what}, where cells share some" if (pairs > 0).any() else none


def seeds_wanted(frame: pd.DataFrame) -> str:
    """Say how many seeds would decide what is undecided; nothing where nothing is.

    >>> seeds_wanted(pd.DataFrame({"undecided": [True, True, False], "seeds_to_decide": [18.0, 1234.0, math.nan]}))
    '; about 1,300 seeds would decide all (18 the first): t·s/√n ≤ δ/2'
    """
    undecided = frame[frame["undecided"].astype(bool)]
    wanted = undecided["seeds_to_decide"]
    known = wanted.dropna()
    compared = undecided["behind"].notna() if "behind" in undecided else wanted.notna() | True
    lone = ", or there is none since all pairs differ alike" if (compared & wanted.isna()).any() else ""
    lone += ", or there is none since no ratio is to a best of exactly 0" if not compared.all() else ""
    if known.empty:
        return lone
    most, least = rounded(known.max()), rounded(known.min())
    first = f" ({least} the first)" if least != most else ""
    which = "all" if len(known) > 1 else "it"
    over = over_repeats(frame)
    of = "splits, and at most as many seeds," if over == BOTH else over
    return f"{lone}; about {most} {of} would decide {which}{first}: t·s/√n ≤ δ/2"


def rounded(n: float) -> str:
    """Write a number of seeds, rounded up to two digits.

    >>> rounded(18.0), rounded(1234.0)
    ('18', '1,300')
    """
    unit = 10 ** max(math.floor(math.log10(n)) - 1, 0)
    return f"{math.ceil(n / unit) * unit:,}"


def filled_up(values: Iterable[int]) -> list[int]:
    """Add numbers to those that there are, up to as many as an interval takes.

    >>> filled_up([0]), filled_up([7, 3])
    ([0, 1, 2, 3, 4], [3, 7, 0, 1, 2])
    """
    there = sorted(map(int, set(values)))
    return [*there, *[one for one in range(2 * FEWEST) if one not in there][: max(FEWEST - len(there), 0)]]


def more_repeats(runs: pd.DataFrame) -> dict[str, str]:
    """Write the overrides that add repeats of a cell: seeds, or splits where those vary, and seeds where both do.

    >>> more_repeats(pd.DataFrame({"seed": [7, 3]})), more_repeats(pd.DataFrame({"seed": 0, "data_seed": [0, 1]}))
    ({'seeds': 'sweep.seeds=[3,7,0,1,2]'}, {'splits': 'data.seed=0,1,2,3,4'})
    """
    seeds = filled_up(runs[SEED])
    counted_on = seeds == list(range(len(seeds)))
    more = {"seeds": f"sweep.seeds={len(seeds) if counted_on else '[' + ','.join(map(str, seeds)) + ']'}"}
    if not split_varies(runs):
        return more
    splits = {"splits": f"data.seed={','.join(map(str, filled_up(runs[SPLIT])))}"}
    splits = splits if runs[SPLIT].nunique() < FEWEST else {}
    return splits | (more if 1 < runs[SEED].nunique() < FEWEST else {})


def advice(frame: pd.DataFrame, runs: pd.DataFrame, folder: Path | None = None) -> str:
    """Say which command adds repeats, where there are too few for an interval or a mark; else nothing.

    Args:
        frame: estimates.
        runs: those of which it is.
        folder: the study's, for a terminal; None in what lies in that folder.
    """
    if frame.empty or int(designed(frame).max()) >= FEWEST:
        return ""
    more = more_repeats(runs)
    if not more:
        return ""
    begin, overrides = f"For intervals and marks, more {' and '.join(more)}:", more.values()
    if folder is not None:
        return f"{begin} {commands.resume(folder, *overrides)}"
    return f"{begin} {code(commands.typed('run', 'study.yaml', *overrides, '--out', '.'))} in this study's folder."
