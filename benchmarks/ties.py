"""How often all differences between a column's cells are held at once: `python -m benchmarks.ties docs/measures.md`.

The rule of `actlab.analysis.ties` was chosen here. A column has k cells of n seeds each; the seeds are shared, so that
cells go up and down together. Of every population many columns are drawn, every candidate bounds the differences of all
k(k−1)/2 pairs, and a column counts as held if each of its intervals holds its difference: then so does that of the
cell with the best mean, which the same data chose. The rule is the narrowest candidate that holds at least 93 % of
columns in each population, at each n and k.

The numbers are the same each time; it takes a minute. The tables stand in `docs/measures.md`, the numbers in
`benchmarks/results/ties.csv`, and `tests/test_ties.py` holds the rule to them with fewer columns.
"""

import functools
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special, stats

from actlab.analysis import documents
from actlab.analysis.intervals import UNBOUNDED, Quantity, mean_bounds
from actlab.analysis.ties import family_level, ratio_parts
from benchmarks.coverage import decimal, write

SIZES, CELLS, LEVEL, NEEDED = (5, 10, 20), (2, 3, 6, 12), 0.95, 0.93
COLUMNS = 1_000
RESULTS = Path(__file__).parent / "results" / "ties.csv"
FRACTION, POSITIVE = Quantity(0.0, 1.0), Quantity(0.0)

Draw = Callable[[np.random.Generator, tuple[int, int, int]], np.ndarray]
Bounds = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Population:
    """What columns are drawn from.

    Attributes:
        name: what its cells are like.
        draw: gives columns, of cells, of seeds.
        means: the means of k cells.
        ratio: whether cells are compared by the ratio of their means, as losses are.
        held: whether the rule is held to ``NEEDED`` in it; of the others the table says what is to be feared.
    """

    name: str
    draw: Draw
    means: Callable[[int], np.ndarray]
    ratio: bool = False
    held: bool = True


def spaced(low: float, high: float, cells: int) -> np.ndarray:
    """Space numbers evenly in their logarithm, one a cell, as a column that the seeds' axis is added to."""
    return np.geomspace(low, high, cells)[:, None]


def shared(rng: np.random.Generator, shape: tuple[int, int, int], correlation: float) -> np.ndarray:
    """Draw standard normal numbers that cells of one seed have in common to some degree."""
    columns, _, seeds = shape
    own, common = rng.normal(size=shape), rng.normal(size=(columns, 1, seeds))
    return np.sqrt(1 - correlation) * own + np.sqrt(correlation) * common


def accuracies(low: float, high: float, correlation: float) -> Draw:
    """Draw normal accuracies about .9 whose standard deviations differ between cells."""
    return lambda rng, shape: 0.9 + spaced(low, high, shape[1]) * shared(rng, shape, correlation)


def counts(rows: int, correlation: float) -> Draw:
    """Draw shares of so many test rows, of networks that are right in nine of ten."""

    def draw(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
        right = 0.9 + 0.01 * shared(rng, shape, correlation)
        return rng.binomial(rows, np.clip(right, 0, 1)) / rows

    return draw


def errors(low: float, high: float, form: float, correlation: float) -> Draw:
    """Draw accuracies whose distance from 1 is skewed: of Γ(form), of different size between cells."""

    def draw(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
        quantile = special.gammaincinv(form, special.ndtr(shared(rng, shape, correlation))) / form
        return 1 - spaced(low, high, shape[1]) * quantile

    return draw


def losses(low: float, high: float, correlation: float) -> Draw:
    """Draw log-normal losses with mean 1 whose spread, of the logarithm, differs between cells."""

    def draw(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
        sigma = spaced(low, high, shape[1])
        return np.exp(sigma * shared(rng, shape, correlation) - sigma**2 / 2)

    return draw


def all_at(mean: float) -> Callable[[int], np.ndarray]:
    """Say that all cells have one mean."""
    return lambda cells: np.full(cells, mean)


def below_one(low: float, high: float) -> Callable[[int], np.ndarray]:
    """Say how far below 1 the means of cells are."""
    return lambda cells: 1 - spaced(low, high, cells)[:, 0]


POPULATIONS = (
    Population("normal, alike", accuracies(0.01, 0.01, 0.0), all_at(0.9)),
    Population("normal, alike, correlated .5", accuracies(0.01, 0.01, 0.5), all_at(0.9)),
    Population("normal, alike, correlated .9", accuracies(0.01, 0.01, 0.9), all_at(0.9)),
    Population("normal, spreads 1 : 20", accuracies(0.002, 0.04, 0.5), all_at(0.9)),
    Population("shares of 360 test rows", counts(360, 0.5), all_at(0.9)),
    Population("skewed: 1 − Γ(4)", errors(0.05, 0.05, 4.0, 0.5), below_one(0.05, 0.05)),
    Population("skewed: 1 − Γ(4), spreads 1 : 20", errors(0.01, 0.2, 4.0, 0.5), below_one(0.01, 0.2)),
    Population(
        "skewed: 1 − exponential, spreads 1 : 20", errors(0.01, 0.2, 1.0, 0.5), below_one(0.01, 0.2), False, False
    ),
    Population("losses: log-normal, σ = .2", losses(0.2, 0.2, 0.5), all_at(1.0), True),
    Population("losses: log-normal, σ .05 to .5", losses(0.05, 0.5, 0.5), all_at(1.0), True),
    Population("losses: log-normal, σ = 1", losses(1.0, 1.0, 0.5), all_at(1.0), True, False),
)


def pairs_of(cells: int) -> tuple[np.ndarray, np.ndarray]:
    """List all pairs of cells: the one and the other of each."""
    return np.triu_indices(cells, 1)


@dataclass(frozen=True)
class Pairs:
    """All pairs of some columns: how far apart their means are, and what each seed has in that.

    Attributes:
        centre: differences of means, or logarithms of their ratios.
        parts: the seeds' differences, of which that is the mean, or what each adds to the logarithm.
        std, skew: standard deviation and adjusted skewness of the parts.
        cells: how many cells a column has.
    """

    centre: np.ndarray
    parts: np.ndarray
    std: np.ndarray
    skew: np.ndarray
    cells: int


def all_pairs(x: np.ndarray, ratio: bool) -> Pairs:
    """Take the differences of all pairs of cells."""
    a, b = pairs_of(x.shape[1])
    if ratio:
        centre, d = ratio_parts(x[:, a], x[:, b])
    else:
        d = x[:, a] - x[:, b]
        centre = d.mean(axis=-1)
    n, std = d.shape[-1], d.std(axis=-1, ddof=1)
    z = (d - d.mean(axis=-1, keepdims=True)) / np.where(std > 0, d.std(axis=-1), 1)[..., None]
    skew = np.einsum("...i,...i,...i->...", z, z, z) / n * np.sqrt(n * (n - 1)) / (n - 2)
    return Pairs(centre, d, std, skew, x.shape[1])


# The candidates: each gives the bounds of all pairs.


def within(quantity: Quantity, skewed: bool = True) -> Callable[[Pairs], Bounds]:
    """Bonferroni: each pair's own interval of a mean, at a level that shares 5 % among the pairs."""

    def bounds(pairs: Pairs) -> Bounds:
        n = np.array(pairs.parts.shape[-1])  # one number: a quantile for each pair would take minutes
        skew = pairs.skew if skewed else 0 * pairs.skew
        return mean_bounds(pairs.centre, pairs.std, skew, n, quantity, family_level(LEVEL, pairs.cells))

    return bounds


def own_spread(pairs: Pairs) -> Bounds:
    """The studentized range, of each pair's own standard deviation (Games & Howell's, of pairs)."""
    n = pairs.parts.shape[-1]
    reach = range_quantile(pairs.cells, n - 1) * pairs.std / np.sqrt(2 * n)
    return pairs.centre - reach, pairs.centre + reach


def tukey(pairs: Pairs) -> Bounds:
    """Tukey's: the studentized range, of one standard deviation for all pairs: a two-way layout's, seeds and cells."""
    n = pairs.parts.shape[-1]
    pooled = np.sqrt((pairs.std**2).mean(axis=1, keepdims=True))
    reach = range_quantile(pairs.cells, (n - 1) * (pairs.cells - 1)) * pooled / np.sqrt(2 * n)
    return pairs.centre - reach, pairs.centre + reach


@functools.cache
def range_quantile(cells: int, degrees: int) -> float:
    """The studentized range's quantile at ``LEVEL``."""
    return float(stats.studentized_range.ppf(LEVEL, cells, degrees))


CANDIDATES: dict[str, Callable[[Pairs], Bounds]] = {
    "Tukey": tukey,
    "range, own spreads": own_spread,
    "Bonferroni, t": within(UNBOUNDED, skewed=False),
    "Bonferroni, logit t": within(FRACTION.difference),
    "Bonferroni, extended t": within(UNBOUNDED),
}
RULE = dict.fromkeys(("accuracies", "losses"), "Bonferroni, extended t")
"""What tables do: Student's t of the pairs, extended on the side of the longer tail, at the level of the family."""


def columns_of(one: Population, n: int, cells: int, columns: int) -> np.ndarray:
    """Draw columns, the same each time, whichever other populations there are."""
    seed = zlib.crc32(f"{one.name}, {n}, {cells}".encode())
    return one.draw(np.random.default_rng(seed), (columns, cells, n))


def kind_of(one: Population) -> str:
    """What a population's cells hold."""
    return "losses" if one.ratio else "accuracies"


def true_differences(one: Population, cells: int) -> np.ndarray:
    """The differences that intervals are to hold, or the logarithms of the ratios."""
    means, (a, b) = one.means(cells), pairs_of(cells)
    return np.log(means[a] / means[b]) if one.ratio else means[a] - means[b]


def simulate(
    populations: Iterable[Population] = POPULATIONS,
    sizes: Iterable[int] = SIZES,
    cells: Iterable[int] = CELLS,
    columns: int = COLUMNS,
    candidates: Iterable[str] = tuple(CANDIDATES),
) -> pd.DataFrame:
    """Count how often candidates hold all differences of a column.

    Returns:
        a row per population, n and number of cells: of each candidate the share of columns of which it holds every
        difference, and the median width of its intervals.
    """
    rows = []
    for one in populations:
        for n in sizes:
            for k in cells:
                x, true = columns_of(one, n, k, columns), true_differences(one, k)
                row: dict[str, object] = {"kind": kind_of(one), "population": one.name, "held": one.held}
                row |= {"n": n, "cells": k}
                pairs = all_pairs(x, one.ratio)
                for name in candidates:
                    if one.ratio and "logit" in name:  # a ratio's logarithm has no ends
                        continue
                    low, high = CANDIDATES[name](pairs)
                    rounding = 1e-12
                    row[name] = ((low <= true + rounding) & (high >= true - rounding)).all(axis=1).mean()
                    row[f"width of {name}"] = float(np.median(high - low))
                rows.append(row)
    return pd.DataFrame(rows)


def rule_table(frame: pd.DataFrame) -> str:
    """How often the rule holds all differences of a column, by the number of cells at each n."""
    lines = []
    for population, rows in frame.groupby("population", sort=False):
        held = bool(rows["held"].iloc[0])
        rule = RULE[str(rows["kind"].iloc[0])]
        cells = [" ".join(map(decimal, of_n[rule])) for _, of_n in rows.groupby("n")]
        lines.append([str(population) if held else f"*{population}*", *cells])
    ks = ", ".join(map(str, dict.fromkeys(frame["cells"])))
    heads = [f"columns of {ks} cells", *(f"n = {n}" for n in dict.fromkeys(frame["n"]))]
    return documents.markdown_table(heads, lines)


def candidates_table(frame: pd.DataFrame) -> str:
    """The least coverage of each candidate over the populations that are no exceptions, and its width at most cells."""
    lines = []
    for kind, of_kind in frame[frame["held"]].groupby("kind", sort=False):
        alike = of_kind[of_kind["population"] == of_kind["population"].iloc[0]]
        for name in CANDIDATES:
            if of_kind[name].isna().all():
                continue
            texts = []
            for n, rows in of_kind.groupby("n"):
                least = float(rows[name].min())
                at = alike[(alike["n"] == n) & (alike["cells"] == alike["cells"].max())]
                width = float(at[f"width of {name}"].iloc[0])
                texts.append(f"{'**' * (least >= NEEDED)}{decimal(least)}{'**' * (least >= NEEDED)}, {width:.3g}")
            lines.append([str(kind), name, *texts])
    heads = ["columns of", "method", *(f"n = {n}" for n in dict.fromkeys(frame["n"]))]
    return documents.markdown_table(heads, lines)


def tables_of(frame: pd.DataFrame) -> dict[str, Callable[[], str]]:
    """The tables of `docs/measures.md`, by the names of their places."""
    return {"ties": lambda: rule_table(frame), "ties_candidates": lambda: candidates_table(frame)}


def main() -> None:
    """Simulate, and write the numbers and the tables."""
    write(simulate(), RESULTS, tables_of)


if __name__ == "__main__":
    main()
