"""How often 95 % intervals cover the mean, by method and population: `python -m benchmarks.coverage docs/measures.md`.

The rule of `actlab.analysis.intervals` was chosen here. Each kind of quantity has populations: normal, skewed, near an
end of its range, two-valued (runs that train and runs that do not), and two groups with a spread. Of every population
many samples of n are drawn, every candidate makes its interval of each, and so does the rule, which may decline. The
method of a kind is the narrowest candidate that covers at least 93 % in each of its populations from the least n on.

The numbers are the same each time; it takes a minute. The tables stand in `docs/measures.md`, the numbers in
`benchmarks/results/coverage.csv`, and `tests/test_coverage.py` holds the rule to them with fewer samples.
"""

import sys
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

from actlab.analysis import documents
from actlab.analysis.intervals import FLAG, UNBOUNDED, Quantity, intervals_of, mean_bounds

SIZES, LEVEL = (3, 4, 5, 10, 20), 0.95
SAMPLES, OF_EXPENSIVE = 40_000, 2_000  # of those that resample or search, the first few
NEEDED = 0.93
RESULTS = Path(__file__).parent / "results" / "coverage.csv"
FRACTION, POSITIVE = Quantity(0.0, 1.0), Quantity(0.0)

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
Bounds = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Population:
    """What values are drawn from.

    Attributes:
        kind: the quantity that it is one of, in words.
        name: what it is like.
        draw: gives samples, a row each.
        mean: its mean.
        quantity: what the rule is told.
        held: whether the rule is held to ``NEEDED`` in it; of the others the table says what is to be feared.
    """

    kind: str
    name: str
    draw: Draw
    mean: float
    quantity: Quantity
    held: bool = True


def two(p: float, often: float, seldom: float, spread: float = 0.0) -> Draw:
    """Draw one value with probability p, else the other, each with a spread."""
    return lambda rng, shape: np.where(rng.random(shape) < p, often, seldom) + spread * rng.normal(size=shape)


def mean_of_two(p: float, often: float, seldom: float) -> float:
    """The mean of what ``two`` draws."""
    return p * often + (1 - p) * seldom


def lognormal(sigma: float) -> Draw:
    """Draw from the log-normal distribution with median 1."""
    return lambda rng, shape: rng.lognormal(0, sigma, shape)


def flags(p: float, settings: int, alike: float) -> Draw:
    """Draw each seed's share of flags over some settings; with probability ``alike`` its runs are copies of one."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        each = rng.random((*shape, settings)) < p
        copied = rng.random(shape) < alike
        return np.where(copied, each[..., 0], each.mean(axis=-1))

    return draw


def paired_flags(p: float, q: float) -> Draw:
    """Draw the differences of two flags of the same seed, independent of each other."""
    return lambda rng, shape: (rng.random(shape) < p) * 1.0 - (rng.random(shape) < q)


POPULATIONS = (
    Population("both ends known", "normal, mean .5", lambda rng, s: rng.normal(0.5, 0.1, s), 0.5, FRACTION),
    Population("both ends known", "normal, mean .95", lambda rng, s: rng.normal(0.95, 0.01, s), 0.95, FRACTION),
    Population("both ends known", "skewed: Beta(2, 18)", lambda rng, s: rng.beta(2, 18, s), 0.1, FRACTION),
    Population("both ends known", "near one: Beta(30, 1)", lambda rng, s: rng.beta(30, 1, s), 30 / 31, FRACTION),
    Population("both ends known", "two values, half each", two(0.5, 0.95, 0.1), mean_of_two(0.5, 0.95, 0.1), FRACTION),
    Population("both ends known", "two values, 4 in 5", two(0.8, 0.95, 0.1), mean_of_two(0.8, 0.95, 0.1), FRACTION),
    Population("both ends known", "0 or 1, 4 in 5 are 1", two(0.8, 1.0, 0.0), 0.8, FRACTION),
    Population(
        "both ends known", "two groups, half each", two(0.5, 0.9, 0.1, 0.01), mean_of_two(0.5, 0.9, 0.1), FRACTION
    ),
    Population(
        "both ends known", "two groups, 4 in 5", two(0.8, 0.9, 0.1, 0.01), mean_of_two(0.8, 0.9, 0.1), FRACTION, False
    ),
    Population("one end known", "normal, far from it", lambda rng, s: rng.normal(10, 1, s), 10.0, POSITIVE),
    Population("one end known", "skewed: exponential", lambda rng, s: rng.exponential(1, s), 1.0, POSITIVE),
    Population("one end known", "skewed: log-normal, σ = .5", lognormal(0.5), float(np.exp(0.125)), POSITIVE),
    Population("one end known", "skewed: log-normal, σ = 1", lognormal(1.0), float(np.exp(0.5)), POSITIVE, False),
    Population("one end known", "two values, half each", two(0.5, 0.1, 2.3), 1.2, POSITIVE),
    Population("one end known", "two values, 4 in 5 low", two(0.8, 0.1, 2.3), mean_of_two(0.8, 0.1, 2.3), POSITIVE),
    Population("one end known", "two values, 4 in 5 high", two(0.8, 2.3, 0.1), mean_of_two(0.8, 2.3, 0.1), POSITIVE),
    Population("one end known", "two groups, half each", two(0.5, 0.1, 2.3, 0.02), 1.2, POSITIVE),
    Population(
        "one end known", "two groups, 4 in 5 low", two(0.8, 0.1, 2.3, 0.02), mean_of_two(0.8, 0.1, 2.3), POSITIVE, False
    ),
    Population("no end known", "normal", lambda rng, s: rng.normal(0, 1, s), 0.0, UNBOUNDED),
    Population("no end known", "skewed: Γ(4)", lambda rng, s: rng.gamma(4, 1, s), 4.0, UNBOUNDED),
    Population("no end known", "skewed: log-normal, σ = .5", lognormal(0.5), float(np.exp(0.125)), UNBOUNDED),
    Population("no end known", "skewed: exponential", lambda rng, s: rng.exponential(1, s), 1.0, UNBOUNDED, False),
    Population("no end known", "two values, half each", two(0.5, 0.0, 1.0), 0.5, UNBOUNDED),
    Population("no end known", "two values, 4 in 5", two(0.8, 0.0, 1.0), 0.2, UNBOUNDED),
    Population("no end known", "two groups, half each", two(0.5, 0.0, 1.0, 0.02), 0.5, UNBOUNDED),
    Population("no end known", "two groups, 4 in 5", two(0.8, 0.0, 1.0, 0.02), 0.2, UNBOUNDED, False),
    Population("share of runs", "1 in 2", two(0.5, 1.0, 0.0), 0.5, FLAG),
    Population("share of runs", "4 in 5", two(0.8, 1.0, 0.0), 0.8, FLAG),
    Population("share of runs", "4 in 5, over 4 settings", flags(0.8, 4, 0.0), 0.8, FLAG),
    Population("share of runs", "4 in 5, over 4 settings, half copies", flags(0.8, 4, 0.5), 0.8, FLAG),
    Population("difference of shares", "4 in 5, 1 in 2", paired_flags(0.8, 0.5), 0.3, FLAG.difference),
    Population("difference of shares", "9 in 10, 1 in 10", paired_flags(0.9, 0.1), 0.8, FLAG.difference),
)


# The candidates: each takes samples, a row each, and the kind of quantity; they bound no sample of equal values.


def student(x: np.ndarray, quantity: Quantity) -> Bounds:
    """Student's t."""
    n, mean = x.shape[1], x.mean(axis=1)
    half = special.stdtrit(n - 1, (1 + LEVEL) / 2) * x.std(axis=1, ddof=1) / np.sqrt(n)
    return mean - half, mean + half


def of_the_rule(quantity: Quantity) -> Callable[[np.ndarray, Quantity], Bounds]:
    """Student's t as the rule has it for a quantity; here also of fewer values."""

    def bounds(x: np.ndarray, _: Quantity) -> Bounds:
        n, mean, std = x.shape[1], x.mean(axis=1), x.std(axis=1, ddof=1)
        z = (x - mean[:, None]) / x.std(axis=1, keepdims=True)
        skew = (z**3).mean(axis=1) * np.sqrt(n * (n - 1)) / (n - 2)
        return mean_bounds(mean, std, skew, np.full(len(x), n), quantity, LEVEL)

    return bounds


RESAMPLES = 999


def resampled(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Resample all rows alike: their means, and the deviations of the resamples' means and variances."""
    n = x.shape[1]
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES).T / n
    mean, std = x.mean(axis=1), x.std(axis=1)
    z = (x - mean[:, None]) / std[:, None]
    shift = z @ counts
    return mean, std, shift, np.maximum(z**2 @ counts - shift**2, 0)


def bca(x: np.ndarray, quantity: Quantity) -> Bounds:
    """The BCa bootstrap (Efron 1987)."""
    mean, std, shift, _ = resampled(x)
    z = (x - mean[:, None]) / std[:, None]
    acceleration = (z**3).mean(axis=1) / (6 * np.sqrt(x.shape[1]))
    below = ((shift < 0).mean(axis=1) + (shift <= 0).mean(axis=1)) / 2
    bias = special.ndtri(np.clip(below, 0.5 / RESAMPLES, 1 - 0.5 / RESAMPLES))
    shift = np.sort(shift, axis=1)
    bounds = []
    for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        z_tail = bias + special.ndtri(tail)
        at = special.ndtr(bias + z_tail / (1 - acceleration * z_tail)) * (RESAMPLES + 1) - 1
        place = np.clip(at.round().astype(int), 0, RESAMPLES - 1)
        bounds.append(mean + std * np.take_along_axis(shift, place[:, None], axis=1)[:, 0])
    return bounds[0], bounds[1]


def bootstrap_t(x: np.ndarray, quantity: Quantity) -> Bounds:
    """The bootstrap-t (Efron 1979), endless where a resample of equal values is among its quantiles."""
    mean, std, shift, variance = resampled(x)
    flat = variance < 1e-12
    t = np.sort(
        np.where(flat, np.where(shift == 0, 0, np.copysign(np.inf, shift)), 0)
        + np.where(flat, 0, shift / np.sqrt(np.where(flat, 1, variance))),
        axis=1,
    )
    low, high = (t[:, round((1 + side * LEVEL) / 2 * (RESAMPLES + 1)) - 1] for side in (1, -1))
    return mean - low * std, mean - high * std


DRAWS = 2000


def gaffke(x: np.ndarray, quantity: Quantity) -> Bounds:
    """Gaffke's distribution-free bound: quantiles of the mean under uniformly random weights, one on the end."""
    low, high = quantity.low, quantity.high
    if low is None or high is None:
        return np.full(len(x), np.nan), np.full(len(x), np.nan)
    n, ordered = x.shape[1], np.sort(np.clip(x, low, high), axis=1)
    weights = np.random.default_rng(0).dirichlet(np.ones(n + 1), size=DRAWS).T
    inside = ordered @ weights[:n]
    tail = (1 - LEVEL) / 2
    return np.quantile(inside + low * weights[n], tail, axis=1), np.quantile(
        inside + high * weights[n], 1 - tail, axis=1
    )


STAKES = np.linspace(0.05, 0.95, 7)


def betting(x: np.ndarray, quantity: Quantity) -> Bounds:
    """Betting (Waudby-Smith & Ramdas 2024): the means against which constant stakes win less than 2/α on average."""
    low, high = quantity.low, quantity.high
    if low is None or high is None:
        return np.full(len(x), np.nan), np.full(len(x), np.nan)
    scaled = np.clip((x - low) / (high - low), 0, 1)
    needed = 2 / (1 - LEVEL)
    bounds = []
    for values in (scaled, 1 - scaled):  # the least mean that is not ruled out, of both directions
        at = np.zeros(len(x))
        for mean in np.linspace(0.01, 0.99, 99):
            wealth = np.mean([np.prod(1 + stake * (values / mean - 1), axis=1) for stake in STAKES], axis=0)
            at = np.where(wealth >= needed, mean, at)
        bounds.append(at)
    return low + (high - low) * bounds[0], low + (high - low) * (1 - bounds[1])


CANDIDATES: dict[str, Callable[[np.ndarray, Quantity], Bounds]] = {
    "t": student,
    "extended t": of_the_rule(UNBOUNDED),
    "log t": of_the_rule(POSITIVE),
    "logit t": of_the_rule(FRACTION),
    "BCa": bca,
    "bootstrap-t": bootstrap_t,
    "Gaffke": gaffke,
    "betting": betting,
}
EXPENSIVE = {"BCa", "bootstrap-t", "Gaffke", "betting"}
APPLIES = {  # a method on the scale of ends that a quantity does not have is no candidate
    "both ends known": set(CANDIDATES) - {"log t"},
    "one end known": {"t", "extended t", "log t", "BCa", "bootstrap-t"},
    "no end known": {"t", "extended t", "BCa", "bootstrap-t"},
}


def samples_of(one: Population, n: int, samples: int) -> np.ndarray:
    """Draw samples, the same each time, whichever other populations there are."""
    seed = zlib.crc32(f"{one.kind}, {one.name}, {n}".encode())
    return one.draw(np.random.default_rng(seed), (samples, n))


def by_rule(x: np.ndarray, quantity: Quantity) -> Bounds:
    """What the rule prints: NaN where it declines."""
    groups = np.repeat(np.arange(len(x)), x.shape[1])
    out = intervals_of(x.ravel(), groups, len(x), quantity, LEVEL)
    return out["low"], out["high"]


def covers(bounds: Bounds, mean: float) -> np.ndarray:
    """Whether intervals hold the mean; one that is not there does not."""
    rounding = 1e-12
    return (bounds[0] <= mean + rounding) & (bounds[1] >= mean - rounding)


def simulate(
    populations: Iterable[Population] = POPULATIONS,
    sizes: Iterable[int] = SIZES,
    samples: int = SAMPLES,
    candidates: bool = True,
) -> pd.DataFrame:
    """Count how often intervals cover.

    Returns:
        a row per population and n: ``printed`` (share of samples in which the rule makes an interval), ``rule``
        (coverage where it does), ``wrong`` (share of samples with an interval that misses), ``width`` (its median), and
        of each candidate coverage and median width, over samples that are not of equal values (of those that resample
        or search over ``OF_EXPENSIVE`` of them).
    """
    rows = []
    for one in populations:
        for n in sizes:
            x = samples_of(one, n, samples)
            low, high = by_rule(x, one.quantity)
            there = np.isfinite(low)
            right = covers((low, high), one.mean)
            row: dict[str, object] = {"kind": one.kind, "population": one.name, "held": one.held, "n": n}
            row |= {"printed": there.mean(), "rule": right[there].mean() if there.any() else np.nan}
            row |= {"wrong": (there & ~right).mean()}
            row["width"] = float(np.median((high - low)[there])) if there.any() else np.nan
            if candidates and one.kind in APPLIES:
                unequal = x[np.ptp(x, axis=1) > 0]
                for name, method in CANDIDATES.items():
                    if name in APPLIES[one.kind]:
                        with np.errstate(all="ignore"):
                            bounds = method(unequal[:OF_EXPENSIVE] if name in EXPENSIVE else unequal, one.quantity)
                        row[name] = covers(bounds, one.mean).mean()
                        row[f"width of {name}"] = float(np.median(bounds[1] - bounds[0]))
            rows.append(row)
    return pd.DataFrame(rows)


def decimal(value: float) -> str:
    """Write a share with three decimals, as `.948`; a dash where there is none."""
    return "–" if np.isnan(value) else f"{value:.3f}".removeprefix("0")


def rule_table(frame: pd.DataFrame) -> str:
    """The coverage of the rule where it makes an interval, and how often it makes one."""
    lines = []
    for (kind, population), rows in frame.groupby(["kind", "population"], sort=False):
        held = bool(rows["held"].iloc[0])
        cells = []
        for rule, printed in zip(rows["rule"].tolist(), rows["printed"].tolist(), strict=True):
            often = f" of {printed:.0%}" if printed < 0.995 else ""
            cells.append(f"{decimal(rule)}{often}" if printed else "none")
        lines.append([str(kind), str(population) if held else f"*{population}*", *cells])
    heads = ["mean of", "population", *(f"n = {n}" for n in dict.fromkeys(frame["n"]))]
    return documents.markdown_table(heads, lines)


def candidates_table(frame: pd.DataFrame) -> str:
    """The least coverage of each candidate over a kind's populations that are no exceptions, and its width."""
    lines = []
    for kind in APPLIES:
        of_kind = frame[(frame["kind"] == kind) & frame["held"]]
        for name in CANDIDATES:
            if name not in APPLIES[kind]:
                continue
            normal = of_kind[of_kind["population"] == of_kind["population"].iloc[0]]
            cells = []
            for n, rows in of_kind.groupby("n"):
                least = rows[name].min()
                text = f"**{decimal(least)}**" if least >= NEEDED else decimal(least)
                width = float(normal.loc[normal["n"] == n, f"width of {name}"].iloc[0])
                cells.append(f"{text}, {width:.3g}" if np.isfinite(width) else f"{text}, ∞")
            lines.append([kind, name, *cells])
    heads = ["mean of", "method", *(f"n = {n}" for n in dict.fromkeys(frame["n"]))]
    return documents.markdown_table(heads, lines)


def tables_of(frame: pd.DataFrame) -> dict[str, Callable[[], str]]:
    """The tables of `docs/measures.md`, by the names of their places."""
    return {"coverage": lambda: rule_table(frame), "candidates": lambda: candidates_table(frame)}


def write(
    frame: pd.DataFrame, results: Path, tables_of: Callable[[pd.DataFrame], dict[str, Callable[[], str]]]
) -> None:
    """Write the numbers of a simulation as CSV, print their tables, and put these into the pages that are named."""
    text = frame.to_csv(index=False, float_format="%.4g", lineterminator="\n")
    results.write_text(text, encoding="utf-8", newline="\n")
    tables = tables_of(pd.read_csv(results))
    print(*(table() for table in tables.values()), sep="\n\n")
    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(documents.rewrite(page.read_text(encoding="utf-8"), tables), encoding="utf-8", newline="\n")


def main() -> None:
    """Simulate, and write the numbers and the tables."""
    write(simulate(), RESULTS, tables_of)


if __name__ == "__main__":
    main()
