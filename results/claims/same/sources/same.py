"""Same: GELU beside itself under another name. Is no difference called one where there is none?

The judge's error rates are those of ``benchmarks/judge.py``, over many made-up studies. Here the whole way is tried on
trained networks, from two-stage selection to the verdict: one function under two names, with independent draws (even
seeds of one beside odd seeds of the other: in pairs of one seed they are the same networks).

Predictions. No mean differs by 0.01, at rates where all of them train.

What was decided when: the effect is from before the first results. There were 40 seeds; that they are too few was seen
in made-up studies (``benchmarks/judge.py``), before results of this one were looked at: with the spread that
``results/depth`` has at 10 layers (0.011), 20 independent pairs tie within ±0.01 in hardly any study of one function
under two names. The 50 pairs of 100 seeds do in 9 of 10. The prediction was of 20 seeds.
"""

from collections.abc import Iterator

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import WITHIN, Verdict, judge
from actlab.analysis.judging import capped
from actlab.analysis.under import Condition

SAME = 0.01  # of test accuracy
FIGURE = "intervals_by_depth"


def conditions(cells: Cells) -> Iterator[tuple[Condition, pd.DataFrame]]:
    """Give test accuracy by seed, one column for each name, at each depth and under each optimizer."""
    rows = cells.selected.assign(name=cells.selected["activation"].map(lambda one: "copy" if "again" in one else "own"))
    for (optimizer, depth), some in rows.groupby(["optimizer", "depth"]):
        yield (
            Condition(f"{optimizer}, depth {depth}", optimizer=optimizer, depth=depth),
            some.pivot_table("test_accuracy", "seed", "name"),
        )


def independent(wide: pd.DataFrame) -> pd.Series:
    """Even seeds of the one minus odd seeds of the other: no draw is shared."""
    even, odd = wide[wide.index % 2 == 0]["own"], wide[wide.index % 2 == 1]["copy"]
    n = min(len(even), len(odd))
    return pd.Series(even.to_numpy()[:n] - odd.to_numpy()[:n])


def ties_independently(cells: Cells) -> Verdict:
    """A1: with independent draws, each at the rate that was selected for its name."""
    gains = {name: independent(wide) for name, wide in conditions(cells)}
    evidence = "test accuracy of gelu (even seeds) minus that of its copy (odd seeds), each at its selected rate"
    verdict = judge(
        "A1",
        "gelu",
        "ties with its copy, with independent draws",
        WITHIN,
        SAME,
        gains,
        evidence,
        "test_accuracy",
        difference=True,
        figure=FIGURE,
    )
    return capped(verdict, cells, cells.selected)


CLAIMS = [ties_independently]
