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
from actlab.analysis.variation import BOTH, over_repeats
from actlab.later import pd
from actlab.measures import Measure, about

BEST = "the best mean of a column (and data set) among the cells of which all runs trained; equal ones alike."
AS_GOOD = f"{DAGGER}: as good: the interval of its difference from the best lies within {{delta}}."
OPEN = f"{UNDECIDED}: undecided: that interval contains 0, and reaches beyond {{delta}}"
REST = "No mark: worse, or not compared."
TOGETHER = "Intervals of differences: by pairs of one {pair}; 95 % for all pairs of a column's compared cells together."
NOT_COMPARED = (
    f"Nothing is marked as best: no column has two cells of at least {FEWEST} seeds of which all runs trained and have "
    "a value."
)


def marks_note(frame: pd.DataFrame, bold: str = "**Bold**", own: Mapping[str, Measure] | None = None) -> str:
    """Say what the marks mean, and how many seeds would decide; where nothing is marked, why.

    Args:
        frame: estimates with what ``ties.mark`` says of them.
        bold: how the best is marked.
        own: the records of the user's measures.
    """
    if not frame["best"].any():
        runs = int(frame["runs"].max())
        if runs >= FEWEST:
            return NOT_COMPARED
        return f"{'One run' if runs == 1 else f'Fewer than {FEWEST} runs'} per cell: nothing is marked as best."
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
        TOGETHER.format(pair="split and seed" if over_repeats(frame) == BOTH else "seed"),
        f"Pairs dropped, since one side has no value: {dropped}." if dropped else "",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def seeds_wanted(frame: pd.DataFrame) -> str:
    """Say how many seeds would decide what is undecided; nothing where nothing is.

    >>> seeds_wanted(pd.DataFrame({"undecided": [True, True, False], "seeds_to_decide": [18.0, 1234.0, math.nan]}))
    '; about 1,300 seeds would decide all (18 the first): t·s/√n ≤ δ/2'
    """
    wanted = frame.loc[frame["undecided"].astype(bool), "seeds_to_decide"]
    known = wanted.dropna()
    lone = ", or there is none since all pairs differ alike" if len(known) < len(wanted) else ""
    if known.empty:
        return lone
    most, least = rounded(known.max()), rounded(known.min())
    first = f" ({least} the first)" if least != most else ""
    which = "all" if len(known) > 1 else "it"
    return f"{lone}; about {most} seeds would decide {which}{first}: t·s/√n ≤ δ/2"


def rounded(n: float) -> str:
    """Write a number of seeds, rounded up to two digits.

    >>> rounded(18.0), rounded(1234.0)
    ('18', '1,300')
    """
    unit = 10 ** max(math.floor(math.log10(n)) - 1, 0)
    return f"{math.ceil(n / unit) * unit:,}"


def more_seeds(seeds: Iterable[int]) -> str:
    """Write the override that adds seeds to those that there are, up to as many as an interval takes.

    >>> more_seeds([0]), more_seeds([7, 3])
    ('sweep.seeds=5', 'sweep.seeds=[3,7,0,1,2]')
    """
    there = sorted(set(seeds))
    if there == list(range(len(there))):
        return f"sweep.seeds={FEWEST}"
    new = [seed for seed in range(2 * FEWEST) if seed not in there][: FEWEST - len(there)]
    return f"sweep.seeds=[{','.join(map(str, [*there, *new]))}]"


def advice(frame: pd.DataFrame, seeds: Iterable[int], folder: Path | None = None) -> str:
    """Say which command adds seeds, where there are too few for an interval or a mark; nothing where there are enough.

    Args:
        frame: estimates.
        seeds: those of the runs.
        folder: the study's, for a terminal; None in what lies in that folder.
    """
    if frame.empty or int(frame["runs"].max()) >= FEWEST:
        return ""
    if folder is not None:
        return f"For intervals and marks, more seeds: {commands.resume(folder, more_seeds(seeds))}"
    command = code(commands.typed("run", "study.yaml", more_seeds(seeds), "--out", "."))
    return f"For intervals and marks, more seeds: {command} in this study's folder."
