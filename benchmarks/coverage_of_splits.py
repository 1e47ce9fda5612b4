"""How often intervals over splits and seeds cover: `python -m benchmarks.coverage_of_splits docs/measures.md`.

A value is made of a part of its split, a part of its seed, and a part of its own; a seed is the same in every split
(``actlab.analysis.crossed``). In each population one of the three decides, or all do alike; parts are normal, skewed,
or of two groups, on the scale of a quantity with both ends, one or none. The rule was chosen as the others were
(``benchmarks.coverage``): the narrowest candidate that covers at least 93 % everywhere from the least numbers on.

The numbers are the same each time; it takes a minute. The tables stand in `docs/measures.md`, the numbers in
`benchmarks/results/coverage_of_splits.csv`, and `tests/test_crossed.py` holds the rule to them with fewer samples.
"""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from actlab.analysis import documents
from actlab.analysis.crossed import as_plain, repeats
from actlab.analysis.intervals import FLAG, UNBOUNDED, Quantity, intervals_of, mean_bounds
from benchmarks.coverage import FRACTION, LEVEL, NEEDED, POSITIVE, covers, decimal, write

SIZES = ((3, 5), (5, 3), (5, 5), (10, 5), (5, 10), (20, 5), (10, 10))
SAMPLES = 10_000
RESULTS = Path(__file__).parent / "results" / "coverage_of_splits.csv"
SOURCES = {"the split": (1, 0, 0), "the seed": (0, 1, 0), "the run": (0, 0, 1), "all alike": (1, 1, 1)}

Shape = tuple[int, int, int]
Part = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
Draw = Callable[[np.random.Generator, Shape], np.ndarray]
Bounds = tuple[np.ndarray, np.ndarray]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw standard normal parts."""
    return rng.normal(size=shape)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw parts of Γ(4), of mean 0 and variance 1."""
    return (rng.gamma(4, 1, shape) - 4) / 2


def summed(part: Part, weights: tuple[int, int, int], rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Add the parts of split, seed and run, of equal variances where they have a weight, to variance 1."""
    n, splits, seeds = shape
    shapes = ((n, splits, 1), (n, 1, seeds), shape)
    parts = [weight * part(rng, one) for weight, one in zip(weights, shapes, strict=True)]
    return np.broadcast_to(sum(parts) / np.sqrt(sum(weights)), shape)


def one_of(part: Part, weights: tuple[int, int, int], rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw a part of the split, the seed or the run for each value; which, by chance where several have a weight."""
    n, splits, seeds = shape
    parts = [np.broadcast_to(part(rng, one), shape) for one in ((n, splits, 1), (n, 1, seeds), shape)]
    return np.choose(rng.choice(3, size=shape, p=np.array(weights) / sum(weights)), parts)


def two(p: float, often: float, seldom: float, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw one value with probability p, else the other."""
    return np.where(rng.random(shape) < p, often, seldom)


@dataclass(frozen=True)
class Population:
    """What samples of splits by seeds are drawn from; see ``coverage.Population``."""

    kind: str
    name: str
    source: str
    draw: Draw
    mean: float
    quantity: Quantity


def then(change: Callable[[np.ndarray], np.ndarray], draw: Draw) -> Draw:
    """Change what is drawn."""
    return lambda rng, shape: change(draw(rng, shape))


def blurred(draw: Draw) -> Draw:
    """Give what is drawn a spread."""
    return lambda rng, shape: draw(rng, shape) + 0.01 * normal(rng, shape)


def minus(draw: Draw, other: Draw) -> Draw:
    """Take from what is drawn something else."""
    return lambda rng, shape: draw(rng, shape) - other(rng, shape)


def near_one(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw from Beta(30, 1)."""
    return rng.beta(30, 1, shape)


def populations() -> list[Population]:
    """List the populations of every kind, in each of which another source decides."""
    out = []
    for source, weights in SOURCES.items():
        bell, long_tail = (partial(summed, part, weights) for part in (normal, skewed))
        groups = partial(one_of, partial(two, 0.5, 0.9, 0.1), weights)
        close = partial(one_of, near_one, weights)
        flags, others = (partial(one_of, partial(two, p, 1.0, 0.0), weights) for p in (0.8, 0.5))
        fraction, positive = then(lambda x: 0.5 + 0.1 * x, bell), then(lambda x: 10 + x, bell)
        lognormal = then(lambda x: np.exp(x / 2), bell)
        both, one, none, share = "both ends known", "one end known", "no end known", "share of runs"
        out += [
            Population(both, "normal", source, fraction, 0.5, FRACTION),
            Population(both, "near one: Beta(30, 1)", source, close, 30 / 31, FRACTION),
            Population(both, "two groups", source, blurred(groups), 0.5, FRACTION),
            Population(one, "normal", source, positive, 10.0, POSITIVE),
            Population(one, "log-normal, σ = .5", source, lognormal, float(np.exp(0.125)), POSITIVE),
            Population(none, "normal", source, bell, 0.0, UNBOUNDED),
            Population(none, "skewed: Γ(4)", source, long_tail, 0.0, UNBOUNDED),
            Population(none, "two groups", source, groups, 0.5, UNBOUNDED),
            Population(share, "4 in 5", source, flags, 0.8, FLAG),
            Population(share, "1 in 2", source, others, 0.5, FLAG),
            Population("difference of shares", "4 in 5, 1 in 2", source, minus(flags, others), 0.3, FLAG.difference),
        ]
    return out


# The candidates: each takes samples of splits by seeds; all on the scale that a quantity's ends ask for.


def of_means(axis: int | None, x: np.ndarray, quantity: Quantity) -> Bounds:
    """Take the values, or their means over an axis, for independent ones."""
    n = len(x)
    means = x.reshape(n, -1) if axis is None else x.mean(axis=axis)
    centre, std = means.mean(axis=1), means.std(axis=1, ddof=1)
    size = means.shape[1]
    third = ((means - centre[:, None]) ** 3).mean(axis=1) / np.where(std > 0, means.std(axis=1), 1) ** 3
    skew = third * np.sqrt(size * (size - 1)) / max(size - 2, 1)
    return mean_bounds(centre, std, skew, np.full(n, size), quantity, LEVEL)


def labelled(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give each value of samples the number of its sample, of its split and of its seed."""
    sample, split, seed = np.indices(x.shape)
    return sample.ravel(), split.ravel(), seed.ravel()


def crossed(x: np.ndarray, quantity: Quantity) -> Bounds:
    """Add the variances of both means, as the rule does; here also of fewer splits or seeds."""
    sample, split, seed = labelled(x)
    centre, std = x.mean(axis=(1, 2)), x.reshape(len(x), -1).std(axis=1, ddof=1)
    plain = as_plain(repeats(sample, split, seed), (x - centre[:, None, None]).ravel(), std)
    return mean_bounds(centre, *plain, quantity, LEVEL)


CANDIDATES: dict[str, Callable[[np.ndarray, Quantity], Bounds]] = {
    "all values": partial(of_means, None),
    "means of splits": partial(of_means, 2),
    "means of seeds": partial(of_means, 1),
    "crossed": crossed,
}


def samples_of(one: Population, size: tuple[int, int], samples: int) -> np.ndarray:
    """Draw samples, the same each time, whichever other populations there are."""
    seed = zlib.crc32(f"{one.kind}, {one.name}, {one.source}, {size}".encode())
    return one.draw(np.random.default_rng(seed), (samples, *size))


def simulate(
    chosen: Iterable[Population] | None = None,
    sizes: Iterable[tuple[int, int]] = SIZES,
    samples: int = SAMPLES,
    candidates: bool = True,
) -> pd.DataFrame:
    """Count how often intervals cover.

    Returns:
        a row per population and size: ``printed`` (share of samples in which the rule makes an interval), ``rule``
        (coverage where it does), ``width`` (its median), and of each candidate coverage and median width.
    """
    rows = []
    for one in populations() if chosen is None else chosen:
        for size in sizes:
            x = samples_of(one, size, samples)
            sample, split, seed = labelled(x)
            found = intervals_of(x.ravel(), sample, len(x), one.quantity, LEVEL, split, seed)
            low, high = found["low"], found["high"]
            there = np.isfinite(low)
            right = covers((low, high), one.mean)
            row: dict[str, object] = {"kind": one.kind, "population": one.name, "source": one.source}
            row |= {"splits": size[0], "seeds": size[1], "printed": there.mean()}
            row["rule"] = right[there].mean() if there.any() else np.nan
            row["width"] = float(np.median((high - low)[there])) if there.any() else np.nan
            if candidates and not one.quantity.share:
                for name, method in CANDIDATES.items():
                    with np.errstate(all="ignore"):
                        bounds = method(x, one.quantity)
                    row[name] = covers(bounds, one.mean).mean()
                    row[f"width of {name}"] = float(np.median(bounds[1] - bounds[0]))
            rows.append(row)
    return pd.DataFrame(rows)


def heads_of(frame: pd.DataFrame) -> list[str]:
    """Write the sizes as headings."""
    sizes = frame[["splits", "seeds"]].drop_duplicates().itertuples(index=False)
    return [f"{splits} × {seeds}" for splits, seeds in sizes]


def rule_table(frame: pd.DataFrame) -> str:
    """The least coverage of the rule over a kind's populations, by what decides in them."""
    lines = []
    for kind in dict.fromkeys(frame["kind"]):
        for source, rows in frame[frame["kind"] == kind].groupby("source", sort=False):
            by_size = rows.groupby(["splits", "seeds"], sort=False)["rule"].min()
            lines.append([str(kind), str(source), *("none" if np.isnan(one) else decimal(one) for one in by_size)])
    return documents.markdown_table(["mean of", "decided by", *heads_of(frame)], lines)


def candidates_table(frame: pd.DataFrame) -> str:
    """The least coverage of each candidate over all populations, and its width where all three sources are normal."""
    lines = []
    for name in CANDIDATES:
        cells = []
        for _, rows in frame.groupby(["splits", "seeds"], sort=False):
            least = rows[name].min()
            plain = rows[(rows["kind"] == "no end known") & (rows["population"] == "normal")]
            width = float(plain.loc[plain["source"] == "all alike", f"width of {name}"].iloc[0])
            cells.append(f"{f'**{decimal(least)}**' if least >= NEEDED else decimal(least)}, {width:.3g}")
        lines.append([name, *cells])
    return documents.markdown_table(["variance of", *heads_of(frame)], lines)


def tables_of(frame: pd.DataFrame) -> dict[str, Callable[[], str]]:
    """The tables of `docs/measures.md`, by the names of their places."""
    return {"splits": lambda: rule_table(frame), "splits_candidates": lambda: candidates_table(frame)}


def main() -> None:
    """Simulate, and write the numbers and the tables."""
    write(simulate(), RESULTS, tables_of)


if __name__ == "__main__":
    main()
