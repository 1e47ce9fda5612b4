"""Shape: is mish bounded, is ELU smooth, is GELU convex, how near is swish to it? Computed from the functions.

Predictions. All of these follow from the formulas (``actlab describe --story`` derives them); here they are computed
from the functions that networks are trained with, on a stated grid in float64, so that a formula and its code are tried
together.

What was decided when: all effects are from before the numbers were computed. M1a and G1c were of the jump at 0 alone,
where the pieced functions have their kink; with their numbers known (about 1e-6) they are of every z of the grid.
"""

import numpy as np
import pandas as pd

from actlab.analysis.claims import AT_LEAST, AT_MOST, WITHIN, Verdict, judge
from actlab.analysis.judging import computed

GRID = np.round(np.arange(-20_000, 20_001) * 1e-3, 3)  # z from -20 to 20: beyond, all of them are their asymptotes
FAR = 1e4  # where what is not bounded has long left any bound
NEAR = 1e-6  # of a kink: the distance from 0 at which one-sided slopes are taken
USEFUL = 0.05  # a slope: of the weak units' threshold
DIP = 0.01  # a function that falls by less is monotonic for any purpose, a derivative that jumps by less does not
CLOSE = 0.05  # the largest distance of two functions that are called close
ALPHAS = (0.5, 1.0, 2.0)
BETAS = (1.0, 1.702)  # SiLU, and the factor that brings z·σ(βz) nearest to z·Φ(z) (Hendrycks & Gimpel 2016)


def measure() -> pd.DataFrame:
    """Compute every number that the claims are on: one row each, of an activation, its parameter, and a quantity."""
    import jax
    import jax.numpy as jnp

    from actlab.activations import CATALOGUE

    rows: list[dict[str, object]] = []

    def note(activation: str, parameter: float, **quantities: float) -> None:
        rows.extend(
            {"activation": activation, "parameter": parameter, "quantity": name, "value": value}
            for name, value in quantities.items()
        )

    def shape(name: str, parameter: float = float("nan"), **parameters: float) -> np.ndarray:
        record = CATALOGUE[name]
        phi = lambda z: np.asarray(record.exact(jnp.asarray(z), **parameters))
        slope = lambda z: np.asarray(jax.vmap(jax.grad(lambda one: record.exact(one, **parameters)))(jnp.asarray(z)))
        values, slopes, sides = phi(GRID), slope(GRID), slope(np.array([-NEAR, NEAR]))
        note(
            name,
            parameter,
            least=values.min(),
            farthest=float(np.abs(phi(np.array([-FAR, FAR]))).max()),
            dip=float((np.maximum.accumulate(values) - values).max()),
            bend_down=float(np.diff(slopes).min() / 1e-3),
            jump=float(abs(sides[1] - sides[0])),
            largest_step=float(np.abs(np.diff(slopes)).max()),
            least_slope_below_0=float(slopes[GRID < 0].min()),
        )
        return values

    with jax.enable_x64(True):
        shape("mish")
        gelu = shape("gelu")
        for alpha in ALPHAS:
            shape("elu", alpha, alpha=alpha)
        for beta in BETAS:
            swish = shape("swish", beta, beta=beta)
            note("swish", beta, distance_from_gelu=float(np.abs(swish - gelu).max()))
    return pd.DataFrame(rows)


def value(numbers: pd.DataFrame, activation: str, quantity: str, parameter: float | None = None) -> float:
    """Look up a number."""
    chosen = (numbers["activation"] == activation) & (numbers["quantity"] == quantity)
    if parameter is not None:
        chosen &= numbers["parameter"] == parameter
    (found,) = numbers.loc[chosen, "value"]
    return float(found)


ON_GRID = "on z from −20 to 20 in steps of 0.001, float64"


def is_smooth(numbers: pd.DataFrame, id: str, activation: str) -> Verdict:
    """Judge that φ′ jumps nowhere: a kink's jump is as large however near its two sides are, a bend's step shrinks."""
    step = computed(value(numbers, activation, "largest_step"))
    statement = "smooth (its derivative jumps nowhere)"
    return judge(id, activation, statement, AT_MOST, DIP, step, f"largest step of φ′ to the next z, {ON_GRID}")


def mish_is_smooth(numbers: pd.DataFrame) -> Verdict:
    """M1, smooth."""
    return is_smooth(numbers, "M1a", "mish")


def mish_is_not_monotonic(numbers: pd.DataFrame) -> Verdict:
    """M1, non-monotonic: it falls somewhere, by an amount that matters."""
    dip = computed(value(numbers, "mish", "dip"))
    return judge(
        "M1b", "mish", "non-monotonic", AT_LEAST, DIP, dip, f"how far φ falls from an earlier value, {ON_GRID}"
    )


def mish_is_bounded(numbers: pd.DataFrame) -> Verdict:
    """M1, bounded: as it is said, on both sides."""
    farthest = computed(value(numbers, "mish", "farthest"))
    return judge("M1c", "mish", "bounded", AT_MOST, 100.0, farthest, f"largest |φ(z)| at z = ∓{FAR:g}")


def mish_is_bounded_below(numbers: pd.DataFrame) -> Verdict:
    """M1d, the weaker statement: bounded below."""
    least = computed(value(numbers, "mish", "least"))
    return judge("M1d", "mish", "bounded below", AT_LEAST, -1.0, least, f"least value of φ, {ON_GRID}")


def gelu_is_not_convex(numbers: pd.DataFrame) -> Verdict:
    """G1, non-convex: its slope falls somewhere."""
    bend = computed(value(numbers, "gelu", "bend_down"))
    return judge("G1a", "gelu", "non-convex", AT_MOST, -DIP, bend, f"least change of φ′ per z, {ON_GRID}")


def gelu_is_not_monotonic(numbers: pd.DataFrame) -> Verdict:
    """G1, non-monotonic."""
    dip = computed(value(numbers, "gelu", "dip"))
    return judge(
        "G1b", "gelu", "non-monotonic", AT_LEAST, DIP, dip, f"how far φ falls from an earlier value, {ON_GRID}"
    )


def gelu_is_smooth(numbers: pd.DataFrame) -> Verdict:
    """G1, smooth."""
    return is_smooth(numbers, "G1c", "gelu")


def elu_is_smooth(numbers: pd.DataFrame) -> Verdict:
    """E2, first half: smooth across the origin, at every α that it may be given."""
    jumps = {f"α = {alpha:g}": computed(value(numbers, "elu", "jump", alpha)) for alpha in ALPHAS}
    return judge("E2a", "elu", "smooth across the origin", WITHIN, DIP, jumps, f"jump of φ′ between z = ∓{NEAR:g}")


def elu_has_a_slope(numbers: pd.DataFrame) -> Verdict:
    """E2, second half, as it is said: the slope is never zero for z < 0."""
    least = computed(value(numbers, "elu", "least_slope_below_0", 1.0))
    statement = "gradient never zero for z < 0 (computed to z = −20)"
    return judge("E2b", "elu", statement, AT_LEAST, 1e-300, least, f"least φ′ on z < 0, {ON_GRID}, α = 1")


def elu_has_a_useful_slope(numbers: pd.DataFrame) -> Verdict:
    """E2c, what it is said for: a slope that a weight can learn by."""
    least = computed(value(numbers, "elu", "least_slope_below_0", 1.0))
    statement = "a useful gradient for every z < 0 (computed to z = −20)"
    return judge("E2c", "elu", statement, AT_LEAST, USEFUL, least, f"least φ′ on z < 0, {ON_GRID}, α = 1")


def swish_is_close_to_gelu(numbers: pd.DataFrame) -> Verdict:
    """W2, first half: close to GELU, at the β that it begins with and at the nearest one."""
    distances = {f"β = {beta:g}": computed(value(numbers, "swish", "distance_from_gelu", beta)) for beta in BETAS}
    return judge("W2a", "swish", "close to GELU", AT_MOST, CLOSE, distances, f"largest |swish − gelu|, {ON_GRID}")


CLAIMS = [
    elu_is_smooth,
    elu_has_a_slope,
    elu_has_a_useful_slope,
    gelu_is_not_convex,
    gelu_is_not_monotonic,
    gelu_is_smooth,
    swish_is_close_to_gelu,
    mish_is_smooth,
    mish_is_not_monotonic,
    mish_is_bounded,
    mish_is_bounded_below,
]
