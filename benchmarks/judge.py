"""How often a verdict is wrong, and how often an effect is found: `python -m benchmarks.judge docs/trial.md`.

The judge of the trial is itself tried, over the verdict functions that the trial uses (``experiments/``), on made-up
measurements whose true effect is known. In each repetition every seed of every cell has an outcome drawn on its own;
what differs between two activations, or from zero, is the *truth* that the repetition was made with:

- **nothing**: one function under two names. No claim of a difference may be supported, under any condition.
- **just not**: the truth is δ, where the claim turns from false to true: it may be supported in 5 % of the repetitions.
- **just**: the same repetitions, the claim being true at δ itself: it may be contradicted in 5 %.
- **planted**: an effect of the size that is stated here beside each claim: it is to be found in 80 %.

The interval that a verdict shows is that of the condition least favourable to it; it is to cover the truth in 95 %.

The numbers are the same each time; all of it takes some minutes. The table stands in `docs/trial.md`, the numbers in
`benchmarks/results/judge.csv`, and `tests/test_judge.py` holds the verdicts to it with fewer repetitions.
"""

import itertools
import sys
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from actlab.analysis import documents
from actlab.analysis.cells import Cells
from actlab.analysis.claims import CONTRADICTED, ONLY_IF, SUPPORTED, Verdict, name_of
from actlab.analysis.intervals import wilson_bounds
from experiments import centred, complexity, dying_relu, slopes, tasks, trainable

REPETITIONS, SEEDS = 1_000, 20
NOTHING, AT_DELTA, PLANTED = "nothing", "δ", "planted"
WRONG, MOST_WRONG, FOUND = 0.05, 0.07, 0.8  # of the repetitions; the upper bound of the share that is wrong; at least
RESULTS = Path(__file__).parent / "results" / "judge.csv"
COLUMNS = ["id", "claim", "study", "truth", "value", "repetitions", "supported", "contradicted", "covered"]

Draw = Callable[[np.random.Generator, pd.DataFrame, float], Mapping[str, pd.DataFrame]]


@dataclass(frozen=True)
class Case:
    """A verdict function, and measurements made up for it.

    Attributes:
        claim: the function.
        factors: the settings of its study, each with its values; seeds are added.
        draw: gives the frames of ``Cells`` that it changes, for a truth in the unit of the verdict's estimate.
        planted: the truth that is to be found.
        nothing: that of one function under two names; None of a claim that compares none.
    """

    claim: Callable[[Cells], Verdict]
    factors: Mapping[str, tuple[Any, ...]]
    draw: Draw
    planted: float
    nothing: float | None = 0.0


def runs_of(factors: Mapping[str, tuple[Any, ...]], seeds: int) -> pd.DataFrame:
    """Make the runs of a full grid, of which each has ended well."""
    swept = {**factors, "seed": tuple(range(seeds))}
    runs = pd.DataFrame(list(itertools.product(*swept.values())), columns=list(swept))
    runs = runs.assign(run=np.arange(len(runs)), status="ok", diverged_step=np.nan, trained=True)
    return runs.astype({name: object for name in runs if isinstance(runs[name].iloc[0], str)})  # compared much faster


def cells_of(own: pd.DataFrame, **made: pd.DataFrame) -> Cells:
    """Make cells of such runs, each at its selected rate."""
    nothing = pd.DataFrame(columns=["run", "step"])
    runs, steps, layers = made.get("runs", own), made.get("steps", nothing), made.get("layers", nothing)
    keys = [name for name in runs if name in ("activation", "depth", "optimizer", "weight_init", "width")]
    return Cells(runs, steps, layers, keys, (), None, "", pd.DataFrame(), runs, keys, {}, {})


def bounded(rng: np.random.Generator, mean: np.ndarray | float, spread: float, size: int) -> np.ndarray:
    """Draw shares with a mean and a spread: beta distributed, as accuracies and shares of units are."""
    mean = np.clip(np.broadcast_to(mean, size), 0.0, 1.0)
    inside = (mean > 0) & (mean < 1)
    p = np.where(inside, mean, 0.5)
    strength = np.maximum(p * (1 - p) / spread**2 - 1, 0.5)
    return np.where(inside, rng.beta(p * strength, (1 - p) * strength), mean)


def of(runs: pd.DataFrame, activation: str, value: float, other: float) -> np.ndarray:
    """Give the runs of one activation a mean, and all others another."""
    return np.where(runs["activation"] == activation, value, other)


def first_records(runs: pd.DataFrame, **measures: Any) -> pd.DataFrame:
    """Make the records of step 0."""
    return runs[["run"]].assign(step=0, **measures)


def slope(activation: str, other: str = "") -> Draw:
    """Draw slopes at initialisation: of one the truth; or one's nearer to 0 than the other's by the truth."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        mean = of(runs, other, -0.02 - truth, -0.02) if other else of(runs, activation, truth, 0.0)
        return {"steps": first_records(runs, vanishing_slope=mean + 0.008 * rng.normal(size=len(runs)))}

    return draw


def mean_activation(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw mean activations of one layer."""
    values = np.clip(truth + 0.02 * rng.normal(size=len(runs)), None, None)
    return {"layers": first_records(runs, layer=np.ones(len(runs), int), act_mean=values)}


def accuracy(better: str) -> Draw:
    """Draw accuracies: one's is higher by the truth."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        mean = of(runs, better, 0.9 + truth, 0.9)
        return {"runs": runs.assign(test_accuracy=bounded(rng, mean, 0.012, len(runs)))}

    return draw


def share_trained(activation: str, base: float | None) -> Draw:
    """Draw which seeds train: of one the truth, or more often by the truth than any other."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        p = of(runs, activation, truth if base is None else base + truth, 0.5 if base is None else base)
        return {"runs": runs.assign(trained=rng.random(len(runs)) < p)}

    return draw


def gain_on_patterns(of_the_hardest: bool) -> Draw:
    """Draw scores of generated data: GELU's gain is the truth at the hardest, or rises by it with each doubling."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        hard = runs["data"].map(complexity.difficulty)
        family = runs["data"].str.partition("(")[0]
        steps = np.log2(hard / hard.groupby(family).transform("max"))
        gain = truth * (1.0 if of_the_hardest else steps) * (runs["activation"] == "gelu")
        score = 0.6 + np.asarray(gain, float) + 0.03 * rng.normal(size=len(runs))
        return {"runs": runs.assign(test_accuracy=(score + 1) / 2, test_r2=score)}

    return draw


def first_to_target(first: str) -> Draw:
    """Draw steps to the target, of which one's is the smaller with the truth as its probability."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        # Of two exponential times the first is the smaller with probability r/(1 + r), r the ratio of their means.
        ratio = truth / (1 - truth)
        mean = of(runs, first, 1.0, ratio)
        times = rng.exponential(mean)
        nothing = dict.fromkeys(("test_accuracy", "test_r2"), np.nan)
        return {"runs": runs.assign(target_reached=True, steps_to_target=times, **nothing)}

    return draw


def spread_ratio(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw accuracies, of which ELU's standard deviation is 10^truth times that of ReLU."""
    values = 0.8 + 0.01 * of(runs, "elu", 10.0**truth, 1.0) * rng.normal(size=len(runs))
    return {"runs": runs.assign(test_accuracy=values, test_r2=np.nan)}


def best_of_tasks(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw accuracies of many tasks: swish's is higher by the truth on one of them."""
    there = (runs["activation"] == "swish") & (runs["data"] == runs["data"].iloc[0])
    values = bounded(rng, 0.85 + truth * there.to_numpy(float), 0.012, len(runs))
    return {"runs": runs.assign(test_accuracy=values, test_r2=np.nan)}


def learned(name: str, start: float, spread: float, of_one_task: bool = False) -> Draw:
    """Draw learned parameters at the end: all leave their start by the truth, or end elsewhere by it on one task."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        there = (runs["data"] == runs["data"].iloc[0]).to_numpy(float) if of_one_task else 1.0
        values = start + truth * there + spread * rng.normal(size=len(runs))
        one = np.ones(len(runs))
        layers = first_records(runs, layer=one.astype(int), preact_second_moment=one, **{name: values})
        return {"runs": runs.assign(test_accuracy=np.nan, test_r2=np.nan), "layers": layers}

    return draw


def died(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw the share of units alive at the start that are dead at the end."""
    return {"steps": first_records(runs, died_fraction=bounded(rng, truth, 0.004, len(runs)), born_dead_fraction=0.0)}


def revived(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw the share of units ever dead that are alive at the end."""
    ever = bounded(rng, 0.3, 0.05, len(runs))
    back = ever * bounded(rng, truth, 0.02, len(runs))
    return {"steps": first_records(runs, ever_dead_fraction=ever, revived_fraction=back, network_dead=0.0)}


def weak(comparing: bool) -> Draw:
    """Draw shares of weak units: of leaky ReLU the truth, or more by it than ReLU's."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        mean = of(runs, "leaky_relu", 0.4 + truth if comparing else truth, 0.4)
        return {"steps": first_records(runs, weak_fraction=bounded(rng, mean, 0.015, len(runs)))}

    return draw


def last_accuracy(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
    """Draw accuracies at the end, of which leaky ReLU's is higher by the truth."""
    values = bounded(rng, of(runs, "leaky_relu", 0.7 + truth, 0.7), 0.02, len(runs))
    return {"steps": first_records(runs, test_accuracy=values)}


TWO = ("adam", "momentum")
WEIGHTS = {"weight_init": ("he_normal", "lecun_normal", "glorot_normal", "critical"), "width": (64, 256)}
DEEP = {"weight_init": ("auto", "critical(...)"), "optimizer": TWO}
TASKS = ("digits", "breast_cancer", "wine", "diabetes", "digit_sums", "mnist1d", "spirals", "moons", "sine", "teacher")
ON_TASKS = {"data": TASKS, "task": ("classification",), "optimizer": TWO}
PATTERNS = (*(f"spirals(turns={n})" for n in range(1, 6)), *(f"sine(frequency={n})" for n in (1, 2, 4, 8)))
BOTH = {"activation": ("relu", "gelu"), "data": PATTERNS, "optimizer": TWO}
START = {"weight_init": ("he_normal",), "bias_init": ("zeros", "constant(value=-0.5)")}
DYING = {"activation": ("relu", "leaky_relu"), "depth": (2, 5, 10), **START}
AT_HIGH = {**DYING, "optimizer": ("adam",), "learning_rate": (0.1,)}
STORY = ("sigmoid", "centred_sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "swish", "mish")


def named(*activations: str) -> dict[str, tuple[str, ...]]:
    """A study of some activations."""
    return {"activation": activations}


CASES = (
    Case(slopes.sigmoid_vanishes, named("sigmoid") | WEIGHTS, slope("sigmoid"), -0.05, None),
    Case(slopes.relu_survives, named("relu") | WEIGHTS, slope("relu"), 0.0, None),
    Case(slopes.leaky_never_vanishes, named("leaky_relu") | WEIGHTS, slope("leaky_relu"), -0.01, None),
    Case(slopes.mish_flows_better_than_swish, named("mish", "swish") | WEIGHTS, slope("mish", "swish"), 0.03),
    Case(slopes.mish_flows_better_than_gelu, named("mish", "gelu") | WEIGHTS, slope("mish", "gelu"), 0.03),
    Case(centred.outputs_are_off_centre, named("sigmoid"), mean_activation, 0.3, None),
    Case(
        centred.off_centre_hurts,
        named("sigmoid", "centred_sigmoid") | {"depth": (1, 2, 3, 5), "optimizer": TWO},
        accuracy("centred_sigmoid"),
        0.05,
    ),
    Case(
        trainable.sigmoid_does_not_train,
        named("sigmoid") | {"depth": (20,)} | DEEP,
        share_trained("sigmoid", None),
        0.0,
        None,
    ),
    Case(
        trainable.centring_trains_deeper,
        named("sigmoid", "centred_sigmoid") | {"depth": (20,)} | DEEP,
        share_trained("centred_sigmoid", 0.1),
        0.85,
    ),
    Case(trainable.activation_decides_depth, named(*STORY) | {"depth": (40,)} | DEEP, share_trained("relu", 0.05), 0.9),
    Case(
        trainable.relu_trains_deeper,
        named("sigmoid", "relu") | {"depth": (20,)} | DEEP,
        share_trained("relu", 0.1),
        0.85,
    ),
    Case(complexity.gelu_gains_with_difficulty, BOTH, gain_on_patterns(False), 0.05),
    Case(complexity.gelu_is_better, BOTH, gain_on_patterns(True), 0.07),
    Case(tasks.elu_is_faster, named("relu", "leaky_relu", "prelu", "elu") | ON_TASKS, first_to_target("elu"), 0.8, 0.5),
    Case(tasks.elu_is_steadier, named("relu", "elu") | ON_TASKS, spread_ratio, -0.3),
    Case(tasks.mish_is_faster, named("gelu", "swish", "mish") | ON_TASKS, first_to_target("mish"), 0.8, 0.5),
    Case(tasks.swish_beats_gelu_somewhere, named("swish", "gelu") | ON_TASKS, best_of_tasks, 0.04),
    Case(tasks.prelu_moves, named("prelu") | ON_TASKS, learned("alpha", 0.25, 0.02), 0.1, None),
    Case(tasks.prelu_learns_from_the_data, named("prelu") | ON_TASKS, learned("alpha", 0.25, 0.03, True), 0.15),
    Case(tasks.swish_adapts, named("swish") | ON_TASKS, learned("beta", 1.0, 0.06, True), 0.3),
    Case(
        dying_relu.relu_units_die,
        DYING | {"optimizer": ("adam", "sgd"), "learning_rate": (0.1, 0.3)},
        died,
        0.03,
        None,
    ),
    Case(
        dying_relu.dead_stay_dead,
        DYING | {"optimizer": ("adam", "sgd"), "learning_rate": (0.1, 0.3)},
        revived,
        0.02,
        None,
    ),
    Case(dying_relu.leaky_weakens, AT_HIGH, weak(False), 0.02, None),
    Case(dying_relu.leaky_reduces, AT_HIGH, weak(True), -0.04),
    Case(dying_relu.leaky_performs, AT_HIGH, last_accuracy, 0.05),
)
LAWS = {name_of(dying_relu.leaky_never_dies)}
"""Claims that one exception contradicts: these have no interval, and no effect to plant."""
UNTRIED = (
    *("normalising", "breaches", "alphas", "saturation", "bias_shift", "small_data", "frozen_slopes", "regularised"),
    "same",
)
"""Studies of the trial whose verdict functions are not tried here yet."""


def tried(case: Case, truth: str, repetitions: int = REPETITIONS, seeds: int = SEEDS) -> dict[str, Any]:
    """Ask a verdict function of many made-up studies.

    Args:
        case: the function and its measurements.
        truth: ``NOTHING``, ``AT_DELTA`` or ``PLANTED``.
        repetitions: how many studies.
        seeds: of each.

    Returns:
        a row of ``COLUMNS``: in how many of them the claim was supported (under some condition, at least),
        contradicted, and its interval covered the truth.
    """
    name = name_of(case.claim)
    rng = np.random.default_rng(zlib.crc32(f"{name} {truth}".encode()))
    runs = runs_of(case.factors, seeds)
    delta = case.claim(cells_of(runs, **case.draw(rng, runs, case.planted))).effect
    value = {NOTHING: case.nothing, AT_DELTA: delta, PLANTED: case.planted}[truth]
    assert value is not None
    counts = {"supported": 0, "contradicted": 0, "covered": 0}
    for _ in range(repetitions):
        one = case.claim(cells_of(runs, **case.draw(rng, runs, value)))
        counts["supported"] += one.verdict in (SUPPORTED, ONLY_IF)
        counts["contradicted"] += one.verdict == CONTRADICTED
        counts["covered"] += not (one.low > value or one.high < value)
    study = case.claim.__module__.rpartition(".")[2]
    return {
        "id": one.id,
        "claim": name,
        "study": study,
        "truth": truth,
        "value": value,
        "repetitions": repetitions,
    } | counts


HEADINGS = (
    *("claim", "study", "δ", "nothing there: supported", "just not: supported", "just: contradicted"),
    *("planted", "found", "intervals cover"),
)


def tables_of(frame: pd.DataFrame) -> dict[str, Callable[[], str]]:
    """Write the shares of each claim, with their intervals over the repetitions, for ``documents.rewrite``."""
    rows = []
    for claim in map(str, frame["claim"].unique()):
        some = frame[frame["claim"] == claim]
        id, study = some["id"].iloc[0], some["study"].iloc[0]
        by = some.set_index("truth")
        of_nothing = share(by, NOTHING, "supported") if NOTHING in by.index else "–"
        delta, planted = (f"{float(by['value'][truth]):.3g}".replace("-", "−") for truth in (AT_DELTA, PLANTED))
        wrong = (share(by, AT_DELTA, "supported"), share(by, AT_DELTA, "contradicted"))
        covered = f"{some['covered'].sum() / some['repetitions'].sum():.3f}"
        shares = (delta, of_nothing, *wrong, planted, share(by, PLANTED, "supported"), covered)
        rows.append((f"{id} `{claim}`", str(study), *shares))
    return {"judge": lambda: documents.markdown_table(HEADINGS, rows)}


def share(by: pd.DataFrame, truth: str, what: str) -> str:
    """Write the share of repetitions, with Wilson's interval."""
    n = np.array([by.loc[truth, "repetitions"]])
    p = by.loc[truth, what] / n
    (low,), (high,) = wilson_bounds(p, n, 0.95)
    return f"{p[0]:.3f} [{low:.3f}, {high:.3f}]"


def main(page: Path) -> None:
    """Try every verdict function, store the counts, and write their table into a page."""
    every = [(case, truth) for case in CASES for truth in truths(case)]
    with ProcessPoolExecutor(2) as pool:
        rows = list(pool.map(row_of, range(len(every))))
    pd.DataFrame(rows, columns=COLUMNS).to_csv(RESULTS, index=False, lineterminator="\n")
    text = page.read_text(encoding="utf-8")
    page.write_text(documents.rewrite(text, tables_of(pd.read_csv(RESULTS))), encoding="utf-8", newline="\n")


def truths(case: Case) -> list[str]:
    """List the truths that a claim is tried with."""
    return [AT_DELTA, PLANTED] if case.nothing is None else [NOTHING, AT_DELTA, PLANTED]


def row_of(number: int) -> dict[str, Any]:
    """Try one case with one truth, by its number among all."""
    case, truth = [(case, truth) for case in CASES for truth in truths(case)][number]
    return tried(case, truth, REPETITIONS if truth != PLANTED else REPETITIONS // 4)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
