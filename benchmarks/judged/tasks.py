"""Steps to the target, accuracies, and learned parameters on ten tasks."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.judged.made import TWO, Case, Draw, bounded, first_records, named, of
from experiments import tasks

TASKS = (
    *("digits", "breast_cancer", "wine", "diabetes", "digit_sums", "mnist1d"),
    *("spirals(turns=2)", "spirals(turns=4)", "sine(frequency=4)", "teacher"),
)
ON_TASKS = {"data": TASKS, "task": ("classification",), "optimizer": TWO}
LEARNED = ON_TASKS | {"data": tuple(one for one in TASKS if one != "spirals(turns=4)")}  # on which some trained
SURE = 0.995  # with 20 pairs of each of 20 tasks and optimizers, what is to be found everywhere is next to certain


def first_to_target(first: str) -> Draw:
    """Draw steps to the target, of which one's is the smaller with the truth as its probability.

    None ties: a tie counts half, and flags without one vary the most.
    """

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


def flow(other: str) -> Draw:
    """Draw slopes at the end, of which mish's is nearer to 0 than the other's by the truth."""

    def draw(rng: np.random.Generator, runs: pd.DataFrame, truth: float) -> Mapping[str, pd.DataFrame]:
        slope = of(runs, other, -0.02 - truth, -0.02) + 0.008 * rng.normal(size=len(runs))
        own = runs.assign(test_accuracy=np.nan, test_r2=np.nan)
        return {"runs": own, "steps": first_records(runs, vanishing_slope=slope)}

    return draw


CASES = (
    Case(tasks.elu_is_faster, named("relu", "elu") | ON_TASKS, first_to_target("elu"), SURE, 0.5),
    Case(tasks.elu_is_faster_than_leaky, named("leaky_relu", "elu") | ON_TASKS, first_to_target("elu"), SURE, 0.5),
    Case(tasks.elu_is_faster_than_prelu, named("prelu", "elu") | ON_TASKS, first_to_target("elu"), SURE, 0.5),
    Case(tasks.elu_is_steadier, named("relu", "elu") | ON_TASKS, spread_ratio, -0.3),
    Case(tasks.mish_is_faster, named("swish", "mish") | ON_TASKS, first_to_target("mish"), SURE, 0.5),
    Case(tasks.mish_is_faster_than_gelu, named("gelu", "mish") | ON_TASKS, first_to_target("mish"), SURE, 0.5),
    Case(tasks.swish_beats_gelu_somewhere, named("swish", "gelu") | ON_TASKS, best_of_tasks, 0.04),
    Case(tasks.prelu_moves, named("prelu") | LEARNED, learned("alpha", 0.25, 0.02), 0.1, None),
    Case(tasks.prelu_learns_from_the_data, named("prelu") | LEARNED, learned("alpha", 0.25, 0.03, True), 0.15),
    Case(tasks.bend_adapts, named("swish") | LEARNED, learned("beta", 1.0, 0.06, True), 0.3),
    Case(tasks.beta_adapts, named("swish") | LEARNED, learned("beta", 1.0, 0.06, True), 0.3),
    Case(tasks.mish_flows_better_than_swish, named("mish", "swish") | ON_TASKS, flow("swish"), 0.03),
    Case(tasks.mish_flows_better_than_gelu, named("mish", "gelu") | ON_TASKS, flow("gelu"), 0.03),
)
