"""Complexity: does GELU capture complex patterns better than ReLU, and the better the more complex they are?

A single task says nothing of complexity: so one is made harder and harder, in two families of generated data (spirals
of 1 to 5 turns; sines of frequency 1 to 8), and the question is the slope of GELU's gain along it. Each network has a
learning rate of its own, which three other seeds selected, and both optimizers are asked.

Predictions. GELU's smoothness may help where a function bends often; the gain should grow with the number of bends.

What was decided when: effects are from before the first results. These had rates selected at the ends of a grid from
1e-3 to 1e-1, which is why it reaches from 3e-4 to 1 now. That the gain on spirals is a hump, which a straight line does
not describe, was seen in results: G2c, of ranks, is from after that, and its effect from before its own numbers. G2a is
as it was, and says how far its line is from the means.
"""

import re
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, Verdict, judge
from actlab.analysis.judging import capped
from actlab.analysis.notes import listed
from actlab.analysis.under import Condition

GAIN = 0.02  # of the score, for each doubling of the difficulty
BETTER = 0.02  # of the score
IN_ORDER = 0.5  # of Kendall's τ: three pairs in order for each that is not


def difficulty(name: str) -> float:
    """How many turns, or what frequency, the label of a data set says; its default where it says none."""
    said = re.search(r"(?:turns|frequency)=([0-9.]+)", name)
    return float(said[1]) if said else {"spirals": 1.5, "sine": 2.0}[name.partition("(")[0]]


def gains(cells: Cells, optimizer: str, family: str) -> pd.DataFrame:
    """The score of GELU minus that of ReLU: one row per seed, one column per difficulty.

    The score is 0 for the best constant predictor and 1 for no error: of spirals 2·accuracy − 1, of sines R².
    """
    rows = cells.selected[cells.selected["optimizer"] == optimizer]
    rows = rows[rows["data"].str.startswith(family)]
    score = 2 * rows["test_accuracy"] - 1 if family == "spirals" else rows["test_r2"]
    rows = rows.assign(score=score.astype(float), difficulty=rows["data"].map(difficulty))
    wide = rows.pivot_table("score", ["seed", "difficulty"], "activation")
    return (wide["gelu"] - wide["relu"]).unstack("difficulty")


def by_condition(cells: Cells) -> dict[str, pd.DataFrame]:
    """The gains under each optimizer, in each family of data."""
    return {
        Condition(f"{family}, {optimizer}", data=family, optimizer=optimizer): gains(cells, optimizer, family)
        for family in ("spirals", "sine")
        for optimizer in sorted(cells.selected["optimizer"].unique())
    }


def failing(cells: Cells) -> str:
    """Name where neither of the two trains in most of the pairs: there failures are compared with failures."""
    either = cells.selected.pivot_table("trained", ["data", "optimizer", "seed"], aggfunc="max").astype(bool)
    share = either["trained"].groupby(["data", "optimizer"]).agg(["sum", "size"])
    counts = zip(share.index, share.to_numpy(), strict=True)
    where = [f"{k} of {n} at {', '.join(at)}" for at, (k, n) in counts if k < n / 2]
    return f"; one of the two trains in {listed(where)} pairs, where failures are compared with failures" * bool(where)


def gelu_gains_with_difficulty(cells: Cells) -> Verdict:
    """G2: the slope of its gain over the logarithm of the difficulty."""
    slopes = {}
    for name, frame in by_condition(cells).items():
        x = np.log2(frame.columns.to_numpy(float))
        centred = x - x.mean()
        slopes[name] = (frame * centred).sum(axis=1, skipna=False) / (centred**2).sum()
    statement = "captures complex patterns better than relu (gains as they get more complex)"
    evidence = (
        "score of gelu minus relu, its least-squares slope for each doubling of turns or frequency, by seed; the line "
        f"misses the mean gains by up to {furthest(by_condition(cells)):.3f}{failing(cells)}"
    )
    return capped(judge("G2a", "gelu", statement, AT_LEAST, GAIN, slopes, evidence), cells, cells.selected)


def furthest(frames: Mapping[str, pd.DataFrame]) -> float:
    """The largest distance of a mean gain from the line through those of its condition."""
    misses = []
    for frame in frames.values():
        x, y = np.log2(frame.columns.to_numpy(float)), frame.mean().to_numpy(float)
        misses.append(np.abs(y - np.polyval(np.polyfit(x, y, 1), x)).max())
    return float(max(misses))


def in_order(frame: pd.DataFrame) -> pd.Series:
    """Kendall's τ of each seed's gains: pairs of difficulties in which the harder one gains more, minus the others.

    >>> in_order(pd.DataFrame({1: [0.0, 0.3], 2: [0.1, 0.2], 4: [0.2, 0.4]})).round(3).tolist()
    [1.0, 0.333]
    """
    pairs = list(combinations(sorted(frame.columns), 2))
    signs = pd.DataFrame({pair: np.sign(frame[pair[1]] - frame[pair[0]]) for pair in pairs})
    return signs.mean(axis=1, skipna=False)


def gains_in_order(cells: Cells) -> Verdict:
    """G2c, of the order alone: whatever the shape, the harder the pattern, the larger the gain."""
    ranks = {name: in_order(frame) for name, frame in by_condition(cells).items()}
    statement = "the more complex the pattern, the larger the gain on relu (by rank, whatever the shape)"
    evidence = "Kendall's τ of the score of gelu minus relu with the number of turns or the frequency, by seed"
    evidence += failing(cells)
    return capped(judge("G2c", "gelu", statement, AT_LEAST, IN_ORDER, ranks, evidence), cells, cells.selected)


def gelu_is_better(cells: Cells) -> Verdict:
    """G2b, the weaker statement: better at the hardest, whatever it is at the others."""
    hardest = {name: frame[frame.columns.max()] for name, frame in by_condition(cells).items()}
    statement = "better than relu on the most complex pattern"
    evidence = f"score of gelu minus relu at 5 turns or frequency 8, paired by seed{failing(cells)}"
    return capped(judge("G2b", "gelu", statement, AT_LEAST, BETTER, hardest, evidence), cells, cells.selected)


CLAIMS = [gelu_gains_with_difficulty, gelu_is_better, gains_in_order]
