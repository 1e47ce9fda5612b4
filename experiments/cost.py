"""Cost: is ReLU cheap, are GELU and swish dearer, does mish cost less than they do? Measured by interleaved races.

Two kinds of code are raced. *Textbook*: the formula as it is written, differentiated automatically. *Catalogue*: what
networks here are trained with, whose derivatives are closed forms that share what is expensive. They race on the
processor, on as many threads as JAX takes, and where the machine has an accelerator on that, too. The work of each is
fixed (``WORK``): an array of float32, its activation and the pullback of a cotangent (forward and backward), jitted. In
each round all contestants take turns, and a figure is a ratio to another's time in the same round, so that a machine
that is slow for a while is slow for all. The race is run RACES times, each in its own order; a verdict needs all of
them to agree: the interval is from the lowest to the highest end of any.

Whole training steps are another question (``python -m benchmarks.activations``): there matrix products hide much of it.

What was decided when: all effects are from before the first race. Races were conditions of their own at first, so that
a claim could be "true only if race 1"; now they must agree. The accelerator came last, with its work and the same
effects set before it was raced.
"""

import time
from collections.abc import Callable
from typing import Any

import pandas as pd

from actlab.analysis.claims import AT_LEAST, AT_MOST, Verdict, judge
from actlab.analysis.intervals import Interval
from actlab.analysis.stats import mean_interval

PLATFORMS = PROCESSOR, ACCELERATOR = "processor", "accelerator"
WORK = {PROCESSOR: (256, 256), ACCELERATOR: (16_384, 4_096)}
"""Rows and units of the array: of a run batch here; of an accelerator so large that starting a kernel costs nothing."""
RACES, ROUNDS = 3, 21
SECONDS = 0.004  # that a contestant's turn takes, about
DEARER = 1.1  # times another's time: what matters
LITTLE = 1.5  # times ReLU's: "a little dearer"
ANSWERS = "answers the computational cost of {} (costs less)"
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
    """Race on all that there is: a row a platform, contestant and round, with its seconds forward and backward."""
    import jax

    from actlab.engine.environment import processor

    devices = {PROCESSOR: (jax.local_devices(backend="cpu")[0], processor())}
    if jax.default_backend() != "cpu":
        device = jax.local_devices()[0]
        devices[ACCELERATOR] = (device, device.device_kind)
    return pd.concat(
        [
            race_on(device, WORK[name]).assign(platform=name, machine=machine)
            for name, (device, machine) in devices.items()
        ]
    )


def race_on(device: Any, shape: tuple[int, int]) -> pd.DataFrame:
    """Race all contestants on one device, with an array of a shape."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from actlab.activations import CATALOGUE as RECORDS

    z = jax.device_put(jax.random.normal(jax.random.key(0), shape, jnp.float32), device)
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


def ratios(numbers: pd.DataFrame, activation: str, to: str, level: float = 0.95) -> Interval:
    """Time of an activation over another's of the same round: the least interval that holds those of all races.

    A claim that holds of all of it holds in every race; where races disagree it holds of a part, and decides nothing.
    """
    found = []
    for _, rows in numbers.groupby("race"):
        wide = rows.pivot(index="round", columns="activation", values="seconds")
        found.append(mean_interval(wide[activation] / wide[to], level))
    mean = sum(one.mean for one in found) / len(found)
    low, high = min(one.low for one in found), max(one.high for one in found)
    return Interval(mean, low, high, min(one.n for one in found), f"{found[0].method}, all of {len(found)} races")


def conditions(numbers: pd.DataFrame) -> tuple[dict[str, pd.DataFrame], float]:
    """Part the rows by platform and kind of code, and say the level at which intervals of all of them hold at once."""
    parts = {f"{platform}, {code}": rows for (platform, code), rows in numbers.groupby(["platform", "code"])}
    return parts, 1 - 0.05 / len(parts)


def compared(numbers: pd.DataFrame, activation: str, to: str) -> dict[str, Interval]:
    """The ratio under each condition."""
    parts, level = conditions(numbers)
    return {name: ratios(rows, activation, to, level) for name, rows in parts.items()}


def said(numbers: pd.DataFrame, activation: str, to: str) -> str:
    """Say what a ratio is, and on which machines the race was run."""
    machines = numbers.groupby("platform")["machine"].first()
    work = "; ".join(
        f"{WORK[one][0]:,} × {WORK[one][1]:,} float32 on {name}"
        for one, name in zip(machines.index.astype(str), machines, strict=True)
    )
    return f"seconds of {activation} over those of {to} in the same round of {ROUNDS}, forward and backward of {work}"


def relu_is_cheap(numbers: pd.DataFrame) -> Verdict:
    """R1: it costs no more than any other of the story: at most as much as the cheapest of them."""
    others = [name for name in textbook() if name != "relu"]
    parts, level = conditions(numbers)
    worst = {}
    for name, rows in parts.items():
        cheapest = str(rows.groupby("activation")["seconds"].median()[others].idxmin())
        worst[f"{name} (vs {cheapest})"] = ratios(rows, "relu", cheapest, level)
    return judge("R1", "relu", "cheap", AT_MOST, DEARER, worst, said(numbers, "relu", "the cheapest other one"))


def gelu_costs_more(numbers: pd.DataFrame) -> Verdict:
    """G3: GELU costs more than ReLU, which it is to replace."""
    return raced(numbers, "G3", "gelu", "relu", "costs more", AT_LEAST, DEARER)


def swish_is_a_little_dearer(numbers: pd.DataFrame) -> Verdict:
    """W2, second half: a little dearer than ReLU."""
    return raced(numbers, "W2b", "swish", "relu", "a little dearer than relu", AT_MOST, LITTLE)


def mish_is_cheaper(numbers: pd.DataFrame) -> Verdict:
    """M4: it answers the cost of GELU, so it costs less."""
    return raced(numbers, "M4a", "mish", "gelu", ANSWERS.format("gelu"), AT_MOST, 1 / DEARER)


def mish_is_cheaper_than_swish(numbers: pd.DataFrame) -> Verdict:
    """M4, of swish."""
    return raced(numbers, "M4b", "mish", "swish", ANSWERS.format("swish"), AT_MOST, 1 / DEARER)


def raced(
    numbers: pd.DataFrame, id: str, activation: str, to: str, statement: str, form: str, effect: float
) -> Verdict:
    """Judge a claim by one activation's time over another's."""
    samples = compared(numbers, activation, to)
    return judge(id, activation, statement, form, effect, samples, said(numbers, activation, to))


CLAIMS = [relu_is_cheap, gelu_costs_more, swish_is_a_little_dearer, mish_is_cheaper, mish_is_cheaper_than_swish]
