"""Of what an interval speaks: which repeats of a cell vary, the split (``data.seed``) or the seed.

A seed sets a run's initial weights and the order of its batches; ``data.seed`` the division of the data set's rows into
training, validation and test split, and the probe rows. Several values of either are repeats, no settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from actlab.analysis.intervals import COUNTS, FEWEST
from actlab.naming import counted

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SPLIT, SEED = "data_seed", "seed"
FEW_LISTED = 10  # numbers that are written out each
BOTH, EITHER = "splits and seeds", "splits or seeds"


def split_varies(runs: pd.DataFrame) -> bool:
    """Whether some runs are on several splits."""
    return SPLIT in runs and runs[SPLIT].nunique() > 1


def repeats_of(runs: pd.DataFrame) -> list[str]:
    """List the columns that tell the repeats of a cell apart: the seed, before it the split where several are.

    ``values.groupby(repeats_of(cells.runs))["value"].mean()`` is a sample that ``stats.mean_interval``,
    ``stats.difference`` and ``claims.judge`` know how to take: by its index.
    """
    return [SPLIT, SEED] if split_varies(runs) else [SEED]


def split_and_seed(values: object) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the split and the seed of each value of a sample that is indexed by both; None of any other sample."""
    index = getattr(values, "index", None)
    if list(getattr(index, "names", ())) != [SPLIT, SEED]:
        return None
    return index.get_level_values(SPLIT).to_numpy(), index.get_level_values(SEED).to_numpy()  # type: ignore[union-attr]


def least_independent(index: pd.Index) -> int:
    """Count how many values of a sample with this index are independent at least: see ``crossed.Repeats``."""
    if list(index.names) != [SPLIT, SEED]:
        return len(index)
    splits, seeds = (index.get_level_values(name).nunique() for name in (SPLIT, SEED))
    return min(splits, seeds) if splits > 1 and seeds > 1 else len(index)


def over_repeats(frame: pd.DataFrame) -> str:
    """Say what the means of a frame of estimates are over.

    >>> import pandas as pd
    >>> over_repeats(pd.DataFrame({"n": [5]})), over_repeats(pd.DataFrame({"n": [25], "splits": [5], "seeds": [5]}))
    ('seeds', 'splits and seeds')
    """
    if "splits" not in frame or not (frame["splits"] > 1).any():
        return "seeds"
    return BOTH if (frame["seeds"] > 1).any() else "splits"


def independent(frame: pd.DataFrame) -> pd.Series:
    """Count how many values of each estimate are independent at least: see ``crossed.Repeats``."""
    if "splits" not in frame:
        return frame["n"]
    several = (frame["splits"] > 1) & (frame["seeds"] > 1)
    return frame["n"].where(~several, frame[list(COUNTS)].min(axis=1)).astype(int)


def designed(frame: pd.DataFrame) -> pd.Series:
    """Count likewise the runs of each cell, whether or not they have a value.

    >>> import pandas as pd
    >>> designed(pd.DataFrame({"runs": [6, 6], "splits": [3, 6], "seeds": [2, 1]})).tolist()
    [2, 6]
    """
    return independent(frame.assign(n=frame["runs"]))


def of_what(runs: pd.DataFrame, keys: Sequence[str], estimates: pd.DataFrame, test_rows: Sequence[int] = ()) -> str:
    """Say what varied between the runs of a cell, and what did not: of that alone an interval speaks.

    Args:
        runs: those that the estimates are of.
        keys: what makes a cell of them.
        estimates: nothing is said where none is of several values.
        test_rows: how many rows the test splits of the study have; empty where that is not known.

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"data_seed": 0, "seed": [0, 1, 2, 3, 4]})
    >>> of_what(runs, [], pd.DataFrame({"n": [5]}), [359])
    'Intervals speak of initialisation and batch order (5 seeds), on one split with 359 test rows.'
    """
    if runs.empty or not (estimates["n"] > 1).any():
        return ""
    splits, seeds = (numbers_of(runs, keys, name) for name in (SPLIT, SEED))
    drawn = "initialisation"
    if not untrained(runs):
        drawn += ", batch order and dropout" if any_dropout(runs) else " and batch order"
    rows = f" with {span(test_rows)} test rows" if test_rows else ""
    said = estimates["low"].notna().any() if "low" in estimates else True
    begin, of = ("Intervals speak", "of") if said else ("Runs differ", "in")
    if splits[1] == 1:
        where = "one split each" if split_varies(runs) else "one split"
        return f"{begin} {of} {drawn} ({plural(seeds, 'seed')}), on {where}{rows}."
    split = f"{of} the split with its probe rows ({plural(splits, 'split')}{rows}{' each' * bool(rows)})"
    if seeds[1] == 1:
        return f"{begin} {split}, at one seed: one initialisation and order of batches."
    same = ", the same in each split" if seeds_are_the_same(runs, keys) else ""
    text = f"{begin} {split} and {of} {drawn} ({plural(seeds, 'seed')}{same}); n counts their pairs."
    lacking = estimates["low"].isna() if "low" in estimates else True  # a share has one all the same
    few = ((independent(estimates) < FEWEST) & lacking).any()
    return text + (f" An interval needs {FEWEST} splits and {FEWEST} seeds, or one of either." if few else "")


def untrained(runs: pd.DataFrame) -> bool:
    """Say whether networks are measured as they were drawn, and none is trained."""
    return "steps" in runs and len(runs) > 0 and bool((runs["steps"] == 0).all())


def numbers_of(runs: pd.DataFrame, keys: Sequence[str], name: str) -> tuple[int, int]:
    """Count the different values of a column in each cell: the least and the greatest number."""
    if name not in runs:
        return 1, 1
    if not keys:
        number = int(runs[name].nunique())
        return number, number
    numbers = runs.groupby(list(keys), dropna=False)[name].nunique()
    return int(numbers.min()), int(numbers.max())


def seeds_are_the_same(runs: pd.DataFrame, keys: Sequence[str]) -> bool:
    """Whether in each cell every split has all of its seeds."""
    pairs = runs[[*dict.fromkeys((*keys, SPLIT, SEED))]].drop_duplicates()
    for _, cell in pairs.groupby(list(keys), dropna=False) if keys else [((), pairs)]:
        if len(cell) != cell[SPLIT].nunique() * cell[SEED].nunique():
            return False
    return True


def any_dropout(runs: pd.DataFrame) -> bool:
    """Whether a run drops units out, which its seed decides as well."""
    return "dropout" in runs and bool((runs["dropout"].fillna(0) > 0).any())


def plural(numbers: tuple[int, int], noun: str) -> str:
    """Write a range of counts.

    >>> plural((5, 5), "seed"), plural((1, 3), "seed"), plural((1, 1), "seed")
    ('5 seeds', '1 to 3 seeds', '1 seed')
    """
    return counted(numbers[1], noun) if numbers[0] == numbers[1] else f"{numbers[0]} to {numbers[1]} {noun}s"


def span(numbers: Sequence[int]) -> str:
    """Write the range of some counts.

    >>> span([359]), span([36, 359])
    ('359', '36 to 359')
    """
    least, most = min(numbers), max(numbers)
    return f"{most:,}" if least == most else f"{least:,} to {most:,}"


def in_ranges(numbers: Iterable[int]) -> str:
    """List whole numbers in order, many that follow on each other by the first and the last.

    >>> in_ranges([2, 0, 1]), in_ranges(range(100)), in_ranges([*range(12), 20, 21, *range(30, 33)])
    ('0, 1, 2', '0–99', '0–11, 20, 21, 30–32')
    """
    ordered = sorted(map(int, set(numbers)))
    if len(ordered) <= FEW_LISTED:
        return ", ".join(map(str, ordered))
    parts: list[list[int]] = []
    for one in ordered:
        if parts and one == parts[-1][-1] + 1:
            parts[-1].append(one)
        else:
            parts.append([one])
    return ", ".join(f"{part[0]}–{part[-1]}" if len(part) > 2 else ", ".join(map(str, part)) for part in parts)
