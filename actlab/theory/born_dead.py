"""Born-dead networks: how likely a ReLU network is constant from the start, since a whole hidden layer is silent.

A network is *born dead* where some hidden layer is 0 for every input: its output is constant, all gradients of the
layers up to there vanish, and no training by gradients brings it back (Lu et al. 2019).

H counts the *hidden* layers, N_1 … N_H their units; the paper's L counts the readout too, so that H = L − 1. Without
biases the scale of the weights does not matter, so that what is said of "symmetric weights" is true of He, LeCun and
Glorot alike.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from actlab.theory.errors import TheoryError

Draw = Callable[[np.random.Generator, int, int, int], tuple[np.ndarray, np.ndarray]]
"""(generator, networks R, fan-in M, fan-out N) -> weights [R, M, N] and biases [R, N] of one layer of each network."""

SMALLEST = 1e-250  # below, the next layer may underflow
BLOCK = 2_000_000  # pre-activations held at a time: 16 MB
RAI_SIGMA = 0.6007  # the paper's σ_w beside a Beta(2, 1) entry: activations do not explode with depth


@dataclass(frozen=True)
class Bounds:
    """A probability that is known to lie between two numbers.

    Attributes:
        lower: the least that it may be.
        upper: the most.
    """

    lower: float
    upper: float


@dataclass(frozen=True)
class Frequency:
    """How many of some random networks were born dead.

    Attributes:
        dead: how many were.
        networks: how many were drawn.

    >>> none = Frequency(0, 98)
    >>> none.value, round(none.error, 4)
    (0.0, 0.0101)
    """

    dead: int
    networks: int

    @property
    def value(self) -> float:
        """Their share, the estimate of the probability."""
        return self.dead / self.networks

    @property
    def error(self) -> float:
        """The share's standard error, √(p(1 − p)/n), p = (dead + 1)/(n + 2): 0 and n of n have an error too."""
        p = (self.dead + 1) / (self.networks + 2)
        return math.sqrt(p * (1 - p) / self.networks)


def on_one_ray(widths: Sequence[int]) -> float:
    """Compute the exact probability that a network without biases is born dead for inputs on one ray from the origin.

        P = 1 − ∏_l (1 − 2^−N_l);  1 − (1 − 2^−N)^H for H hidden layers of N units

    On a ray each layer is a vector times the length of the input. A layer that is alive gives every unit of the next a
    pre-activation of either sign with probability ½, whatever came before, so that it is silent with 2^−N.

    Args:
        widths: units N_1 … N_H of the hidden layers, from the first, which may kill the ray as any other.

    Returns:
        the probability, for weights that are independent and symmetric about 0 with a density.

    Raises:
        TheoryError: no layers, or a width that is not a whole number of at least 1.

    >>> round(on_one_ray([2]), 12), round(on_one_ray([1, 1]), 12)
    (0.25, 0.75)

    Reference: Lu, Shin, Su & Karniadakis 2019, arXiv:1903.06733.
    """
    return some_silent(checked(widths))


def on_a_line(widths: Sequence[int]) -> Bounds:
    """Bound the probability that a network of one input and without biases is born dead.

    Such a network sees two rays, x > 0 and x < 0. Between one layer and the next, with N units and p the probability
    that a unit is silent on both rays while both are alive (¼ ≤ p ≤ ½, as their vectors have no negative entry):

        both alive -> none       p^N
        both alive -> both       at most 1 − 2·2^−N − (N − 1)·p^N
        one alive  -> none       2^−N

    The last term of the second line counts networks of whose N units one alone is alive, on both rays: they are one ray
    from then on, which here is *one alive*. The first layer never kills both, and one of them with 2·2^−N_1.

        lower: the chain's probability at p = ¼.  Equal widths, a = 1 − 2^−N, A = 1 − 2^(1−N) − (N − 1)·4^−N:
               1 − a^(H−1) − (1 − 2^(1−N))(1 − 2^−N)/(1 + (N − 1)·2^−N) · (a^(H−1) − A^(H−1))
        upper: 1 − ∏_{l≥2} (1 − 2^−N_l), as either ray dies with it alone; below the paper's, which counts layer 1.

    Args:
        widths: units N_1 … N_H of the hidden layers, from the first.

    Returns:
        both bounds, for weights that are independent and symmetric about 0 with a density, and inputs of both signs.

    Raises:
        TheoryError: no layers, or a width that is not a whole number of at least 1.

    >>> on_a_line([2] * 9)
    Bounds(lower=0.870..., upper=0.899...)

    Reference: Lu, Shin, Su & Karniadakis 2019, arXiv:1903.06733, whose lower bound this is for equal widths.
    """
    first, *later = checked(widths)
    one = 2.0 * math.ldexp(1.0, -first)
    dead, both = 0.0, 1.0 - one
    for n in later:
        half, quarter = math.ldexp(1.0, -n), math.ldexp(1.0, -2 * n)
        stay = max(0.0, 1.0 - 2.0 * half - (n - 1) * quarter)
        dead, one, both = (
            dead + half * one + quarter * both,
            (1.0 - half) * one + (1.0 - quarter - stay) * both,
            stay * both,
        )
    upper = some_silent(later)
    return Bounds(min(dead, upper), upper)  # they meet where N is 1, but for rounding


def simulated(
    widths: Sequence[int], x: ArrayLike, draw: Draw | None = None, *, networks: int = 10_000, seed: int = 0
) -> Frequency:
    """Draw random ReLU networks and count how many are born dead on the given inputs: for all that has no formula.

    Args:
        widths: units of the hidden layers, from the first.
        x: the inputs [M, F]; without biases one of each ray is enough.
        draw: how a layer is drawn; ``symmetric`` if left out.
        networks: how many.
        seed: of the draws: the same gives the same count.

    Returns:
        the count, with the share's binomial standard error.

    Raises:
        TheoryError: no layers or inputs, an input that is not finite, numbers that are no counts, or activations beyond
            what a float64 holds, as in a very deep network.

    >>> frequency = simulated([2] * 9, [[1.0], [-1.0]])
    >>> frequency.value, round(frequency.error, 4)
    (0.8782, 0.0033)

    Reference: Lu, Shin, Su & Karniadakis 2019, arXiv:1903.06733.
    """
    layers = checked(widths)
    x_MxF = np.asarray(x, np.float64)
    if x_MxF.ndim != 2 or not x_MxF.size:
        raise TheoryError(f"inputs: expected rows of numbers, as [[1.0], [-1.0]], not an array of shape {x_MxF.shape}")
    if not np.all(np.isfinite(x_MxF)):
        raise TheoryError("inputs: expected finite numbers")
    if not isinstance(networks, Integral) or networks < 1:
        raise TheoryError(f"networks: expected a whole number of at least 1, not {networks!r}")
    rng = np.random.default_rng(seed)
    at_once = max(1, BLOCK // (len(x_MxF) * max(layers)))
    dead = 0
    for begin in range(0, int(networks), at_once):
        count = min(at_once, int(networks) - begin)
        h_RxMxN = np.broadcast_to(x_MxF, (count, *x_MxF.shape))
        for l, n in enumerate(layers, 1):
            w_RxNxN, b_RxN = (draw or symmetric)(rng, len(h_RxMxN), h_RxMxN.shape[-1], n)
            h_RxMxN = np.maximum(h_RxMxN @ w_RxNxN + b_RxN[:, None, :], 0.0)
            alive_R = h_RxMxN.any(axis=(1, 2))
            dead += int(np.sum(~alive_R))
            h_RxMxN = h_RxMxN[alive_R]
            most_R = h_RxMxN.max(axis=(1, 2), initial=0.0)
            if not np.all((most_R > SMALLEST) & (most_R < 1 / SMALLEST)):  # what underflows would count as dead
                raise TheoryError(f"hidden layer {l}: some network's activations are beyond what a float64 holds")
    return Frequency(dead, int(networks))


def symmetric(rng: np.random.Generator, networks: int, fan_in: int, fan_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw He's normal weights and no biases.

    Args:
        rng: where the numbers come from.
        networks, fan_in, fan_out: R, M and N.

    Returns:
        weights [R, M, N], biases [R, N].

    >>> [one.shape for one in symmetric(np.random.default_rng(0), 5, 3, 2)]
    [(5, 3, 2), (5, 2)]

    Reference: He et al. 2015, arXiv:1502.01852.
    """
    weights = rng.standard_normal((networks, fan_in, fan_out)) * math.sqrt(2.0 / fan_in)
    return weights, np.zeros((networks, fan_out))


def randomized_asymmetric(
    rng: np.random.Generator, networks: int, fan_in: int, fan_out: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw weights and biases by randomised asymmetric initialisation: one number of each unit is Beta(2, 1), positive.

        v_j = (w_1j … w_Mj, b_j),  v_ij ~ N(0, σ_w²/M),  but v_kj ~ Beta(2, 1) at one k, uniform on 1 … M + 1

    Args:
        rng: where the numbers come from.
        networks, fan_in, fan_out: R, M and N.

    Returns:
        weights [R, M, N], biases [R, N].

    >>> [one.shape for one in randomized_asymmetric(np.random.default_rng(0), 5, 3, 2)]
    [(5, 3, 2), (5, 2)]

    Reference: Lu, Shin, Su & Karniadakis 2019, arXiv:1903.06733, with its σ_w = 0.6007.
    """
    v_RxMxN = rng.standard_normal((networks, fan_in + 1, fan_out)) * (RAI_SIGMA / math.sqrt(fan_in))
    k_Rx1xN = rng.integers(0, fan_in + 1, (networks, 1, fan_out))
    np.put_along_axis(v_RxMxN, k_Rx1xN, rng.beta(2.0, 1.0, k_Rx1xN.shape), axis=1)
    return v_RxMxN[:, :-1], v_RxMxN[:, -1]


def some_silent(widths: Sequence[int]) -> float:
    """Compute 1 − ∏ (1 − 2^−N_l), the probability that some layer is silent on a ray: accurate for any widths.

    >>> some_silent([1, 2]), some_silent([1000])
    (0.625, 9.33...e-302)
    """
    return abs(math.expm1(sum(math.log1p(-math.ldexp(1.0, -n)) for n in widths)))


def checked(widths: Sequence[int]) -> list[int]:
    """Take the widths of the hidden layers as whole numbers.

    Args:
        widths: what a caller gave: a sequence or an array.

    Returns:
        The same as a list of ``int``.

    Raises:
        TheoryError: there is none, or one is not a whole number of at least 1.

    >>> checked(np.array([2, 3]))
    [2, 3]
    """
    listed = list(widths) if isinstance(widths, Sequence | np.ndarray) and not isinstance(widths, str) else []
    if not listed:
        raise TheoryError(f"widths: expected the units of at least one hidden layer, as [2, 2, 2], not {widths!r}")
    for width in listed:
        if isinstance(width, bool) or not isinstance(width, Integral) or width < 1:
            raise TheoryError(f"widths: expected whole numbers of at least 1, not {width!r}")
    return [int(width) for width in listed]
