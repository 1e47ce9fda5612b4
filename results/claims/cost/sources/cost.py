"""Cost: is ReLU cheap, are GELU and swish dearer, does mish cost less than they do? Measured by interleaved races.

Two kinds of code are raced. *Textbook*: the formula as it is written, differentiated automatically. *Catalogue*: what
networks here are trained with, whose derivatives are closed forms that share what is expensive. The work is fixed: an
array of ROWS × WIDTH float32, its activation and the pullback of a cotangent (forward and backward), jitted, on as many
threads as JAX takes. In each round all contestants take turns, and a figure is a ratio to another's time in the same
round, so that a machine that is slow for a while is slow for all. The race is run RACES times, each in its own order; a
verdict needs all of them to agree: the interval is from the lowest to the highest end of any.

Whole training steps are another question (``python -m benchmarks.activations``): there matrix products hide much of it.

What was decided when: all effects are from before the first race. Races were conditions of their own at first, so that
a claim could be "true only if race 1"; now they must agree.
"""

import time
from collections.abc import Callable
from typing import Any

import pandas as pd

from actlab.analysis.claims import AT_LEAST, AT_MOST, Verdict, judge
from actlab.analysis.intervals import Interval
from actlab.analysis.stats import mean_interval

ROWS, WIDTH = 256, 256
RACES, ROUNDS = 3, 21
SECONDS = 0.004  # that a contestant's turn takes, about
DEARER = 1.1  # times another's time: what matters
LITTLE = 1.5  # times ReLU's: "a little dearer"
CODES = TEXTBOOK, CATALOGUE = "textbook", "catalogue"


def textbook() -> dict[str, Callable[..., Any]]:
    """Formulas as textbooks have them."""
    import jax
    import jax.numpy as jnp

    return {
        "sigmoid": lambda z: 1 / (1 + jnp.exp(-z)),
        "relu": lambda z: jnp.where(z > 0, z, 0.0),
        "leaky_relu": lambda z: jnp.where(z > 0, z, 0.01 * z),
        "elu": lambda z: jnp.where(z > 0, z, jnp.expm1(jnp.minimum(z, 0.0))),
        "gelu": lambda z: z * 0.5 * (1 + jax.scipy.special.erf(z / jnp.sqrt(2.0))),
        "swish": lambda z: z / (1 + jnp.exp(-z)),
        "mish": lambda z: z * jnp.tanh(jnp.log1p(jnp.exp(z))),
    }


def measure() -> pd.DataFrame:
    """Race: one row for each contestant and round, with its seconds for one forward and backward."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from actlab.activations import CATALOGUE as RECORDS

    z = jax.random.normal(jax.random.key(0), (ROWS, WIDTH), jnp.float32)
    contestants: dict[tuple[str, str], Callable[..., Any]] = {}
    for name, formula in textbook().items():
        for code, phi in ((TEXTBOOK, formula), (CATALOGUE, RECORDS[name].function)):

            def both(z: jax.Array, phi: Callable[..., Any] = phi) -> tuple[jax.Array, jax.Array]:
                value, pull = jax.vjp(phi, z)
                return value, pull(value)[0]

            contestants[name, code] = jax.jit(both).lower(z).compile()

    def seconds(step: Callable[..., Any], calls: int) -> float:
        begin = time.perf_counter()
        for _ in range(calls):
            answer = step(z)
        jax.block_until_ready(answer)
        return (time.perf_counter() - begin) / calls

    rows = []
    for race in range(1, RACES + 1):
        order = np.random.default_rng(race).permutation(len(contestants))
        names = [list(contestants)[i] for i in order]
        calls = {name: max(1, int(SECONDS / seconds(contestants[name], 20))) for name in names}
        for number in range(ROUNDS):
            for name in names:
                rows.append((*name, race, number, seconds(contestants[name], calls[name])))
    return pd.DataFrame(rows, columns=["activation", "code", "race", "round", "seconds"])


def ratios(numbers: pd.DataFrame, activation: str, to: str) -> Interval:
    """Time of an activation over another's of the same round: the least interval that holds those of all races.

    A claim that holds of all of it holds in every race; where races disagree it holds of a part, and decides nothing.
    """
    found = []
    for _, rows in numbers.groupby("race"):
        wide = rows.pivot(index="round", columns="activation", values="seconds")
        found.append(mean_interval(wide[activation] / wide[to], 1 - 0.05 / len(CODES)))
    mean = sum(one.mean for one in found) / len(found)
    low, high = min(one.low for one in found), max(one.high for one in found)
    return Interval(mean, low, high, min(one.n for one in found), f"{found[0].method}, all of {len(found)} races")


def by_code(numbers: pd.DataFrame, activation: str, to: str) -> dict[str, Interval]:
    """The ratio for each kind of code."""
    return {str(code): ratios(rows, activation, to) for code, rows in numbers.groupby("code")}


def said(activation: str, to: str) -> str:
    """Say what a ratio is."""
    return (
        f"seconds of {activation} over those of {to} in the same round of {ROUNDS}, forward and backward of "
        f"{ROWS} × {WIDTH} float32"
    )


def relu_is_cheap(numbers: pd.DataFrame) -> Verdict:
    """R1: it costs no more than any other of the story: at most as much as the cheapest of them."""
    others = [name for name in textbook() if name != "relu"]
    worst = {}
    for code, rows in numbers.groupby("code"):
        cheapest = str(rows.groupby("activation")["seconds"].median()[others].idxmin())
        worst[f"{code} (vs {cheapest})"] = ratios(rows, "relu", cheapest)
    evidence = said("relu", "the cheapest other one")
    return judge("R1", "relu", "cheap", AT_MOST, DEARER, worst, evidence)


def gelu_costs_more(numbers: pd.DataFrame) -> Verdict:
    """G3: GELU costs more than ReLU, which it is to replace."""
    return judge("G3", "gelu", "costs more", AT_LEAST, DEARER, by_code(numbers, "gelu", "relu"), said("gelu", "relu"))


def swish_is_a_little_dearer(numbers: pd.DataFrame) -> Verdict:
    """W2, second half: a little dearer than ReLU."""
    every = by_code(numbers, "swish", "relu")
    return judge("W2b", "swish", "a little dearer than relu", AT_MOST, LITTLE, every, said("swish", "relu"))


def mish_is_cheaper(numbers: pd.DataFrame) -> Verdict:
    """M4: it answers the cost of GELU, so it costs less."""
    statement = "answers the computational cost of gelu (costs less)"
    return judge("M4a", "mish", statement, AT_MOST, 1 / DEARER, by_code(numbers, "mish", "gelu"), said("mish", "gelu"))


def mish_is_cheaper_than_swish(numbers: pd.DataFrame) -> Verdict:
    """M4, of swish."""
    statement = "answers the computational cost of swish (costs less)"
    every = by_code(numbers, "mish", "swish")
    return judge("M4b", "mish", statement, AT_MOST, 1 / DEARER, every, said("mish", "swish"))


CLAIMS = [relu_is_cheap, gelu_costs_more, swish_is_a_little_dearer, mish_is_cheaper, mish_is_cheaper_than_swish]
