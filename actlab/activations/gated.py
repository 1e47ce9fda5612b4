"""Self-gated activations z·g(z): GELU, swish, mish, and their approximations."""

import math

from actlab.activations.base import activation
from actlab.activations.stable import sigmoid_and_derivative
from actlab.later import Array, jax, jnp

# Beyond it every gate here is 0 or 1 and its slope 0, in float64 too: arguments are cut there, lest ∞·0 or the squares
# of what is large make a NaN of a limit.
FAR = 1e3


def normal_cdf(z: Array) -> Array:
    """Φ(z) = (1 + erf(z/√2))/2."""
    return 0.5 * (1.0 + jax.scipy.special.erf(z * math.sqrt(0.5)))


def normal_density(z: Array) -> Array:
    """e^(−z²/2)/√(2π)."""
    return jnp.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)


def gelu_without_cancellation(z: Array) -> Array:
    """z/2·erfc(−z/√2): 1 + erf has lost 6 % of it at −5 and all of it below −5.5, where float32 reaches to −13."""
    return 0.5 * jnp.where(z < -FAR, -FAR, z) * jax.lax.erfc(-z * math.sqrt(0.5))


def gelu_derivative(z: Array) -> Array:
    """Φ(z) + z·e^(−z²/2)/√(2π).

    erfc keeps Φ's left tail, which 1 + erf rounds away.
    """
    near = jnp.clip(z, -FAR, FAR)
    return 0.5 * jax.lax.erfc(-z * math.sqrt(0.5)) + near * normal_density(near)


@activation(
    family="gated",
    formula="z·Φ(z), Φ(z) = (1 + erf(z/√2))/2",
    derivative_formula="Φ(z) + z·e^(−z²/2)/√(2π)",
    latex=r"z\,\Phi(z), \quad \Phi(z) = \frac{1}{2}\left(1 + \operatorname{erf}(z/\sqrt{2})\right)",
    derivative_latex=r"\Phi(z) + z\,\frac{e^{-z^2/2}}{\sqrt{2\pi}}",
    derivative=gelu_derivative,
    measured_value=gelu_without_cancellation,
    train_automatically=True,
    range="[−0.16997, ∞)",
    extremum=(-0.75179, -0.16997),
    monotonic=False,
    convex=False,
    odd=False,
    smoothness="C∞",
    saturates="low",
    weight_init="he_normal",
    reference="Hendrycks & Gimpel 2016, arXiv:1606.08415",
    look=("#CB78AA", "X", "solid"),
)
def gelu(z: Array) -> Array:
    """Gaussian error linear unit, exact: z·Φ(z), Φ the standard normal distribution function.

    >>> round(float(gelu(jnp.array(1.0))), 4)
    0.8413
    """
    return jnp.where(z < -FAR, -FAR, z) * normal_cdf(z)


def gelu_tanh_and_derivative(z: Array) -> tuple[Array, Array]:
    """z·σ(2u), u = √(2/π)·(z + 0.044715·z³) the argument of the tanh: (1 + tanh u)/2 = σ(2u) without cancellation."""
    scale = math.sqrt(8.0 / math.pi)
    left = jnp.maximum(z, -FAR)
    z = jnp.minimum(left, FAR)
    gate, slope = sigmoid_and_derivative(scale * z * (1.0 + 0.044715 * z**2))
    return left * gate, gate + z * slope * (scale * (1.0 + 0.134145 * z**2))


@activation(
    family="gated",
    formula="z·(1 + tanh(√(2/π)·(z + 0.044715z³)))/2",
    derivative_formula="(1 + t)/2 + z·(1 − t²)·√(2/π)·(1 + 0.134145z²)/2, t the tanh",
    latex=r"\frac{z}{2}\left(1 + \tanh\left(\sqrt{2/\pi}\,(z + 0.044715\,z^3)\right)\right)",
    derivative_latex=r"\frac{1 + t}{2} + \frac{z}{2}\,(1 - t^2)\,\sqrt{2/\pi}\,(1 + 0.134145\,z^2), "
    r"\quad t \text{ the tanh}",
    value_and_derivative=gelu_tanh_and_derivative,
    range="[−0.17004, ∞)",
    extremum=(-0.75246, -0.17004),
    monotonic=False,
    convex=False,
    odd=False,
    smoothness="C∞",
    saturates="low",
    weight_init="he_normal",
    reference="Hendrycks & Gimpel 2016, arXiv:1606.08415",
    look=("#E5A3C6", "x", "dotted"),
)
def gelu_tanh(z: Array) -> Array:
    """GELU's tanh approximation: z·(1 + tanh(√(2/π)·(z + 0.044715z³)))/2.

    >>> round(float(gelu_tanh(jnp.array(1.0))), 4)
    0.8412
    """
    return gelu_tanh_and_derivative(z)[0]


def swish_and_derivative(z: Array, beta: Array | float) -> tuple[Array, Array]:
    """z·σ(βz) and σ(βz) + βz·σ'(βz)."""
    gate, slope = sigmoid_and_derivative(beta * z)
    return jnp.where(gate == 0, 0.0, z) * gate, gate + beta * where_steep(z, slope) * slope


def swish_in_beta(z: Array, beta: Array | float) -> Array:
    """∂/∂β: z²·σ'(βz)."""
    slope = sigmoid_and_derivative(beta * z)[1]
    z = where_steep(z, slope)
    return z * (z * slope)


def where_steep(z: Array, slope: Array) -> Array:
    """z where the slope is not 0, lest ∞·0 make a NaN of a limit."""
    return jnp.where(slope == 0, 0.0, z)


@activation(
    family="gated",
    formula="z·σ(1.702z)",
    derivative_formula="σ(1.702z)·(1 + 1.702z·(1 − σ(1.702z)))",
    latex=r"z\,\sigma(1.702\,z)",
    derivative_latex=r"\sigma(1.702\,z)\,(1 + 1.702\,z\,(1 - \sigma(1.702\,z)))",
    value_and_derivative=lambda z: swish_and_derivative(z, 1.702),
    range="[−0.16361, ∞)",
    extremum=(-0.75116, -0.16361),
    monotonic=False,
    convex=False,
    odd=False,
    smoothness="C∞",
    saturates="low",
    weight_init="he_normal",
    reference="Hendrycks & Gimpel 2016, arXiv:1606.08415",
    look=("#B25C8B", "p", "dotted"),
)
def quick_gelu(z: Array) -> Array:
    """GELU's sigmoid approximation: z·σ(1.702z), which is swish at β = 1.702.

    >>> round(float(quick_gelu(jnp.array(1.0))), 4)
    0.8458
    """
    return swish_and_derivative(z, 1.702)[0]


@activation(
    family="gated",
    formula="z·σ(βz), β learned from 1",
    derivative_formula="σ(βz)·(1 + βz·(1 − σ(βz)))",
    latex=r"z\,\sigma(\beta z), \quad \beta \text{ learned from } 1",
    derivative_latex=r"\sigma(\beta z)\,(1 + \beta z\,(1 - \sigma(\beta z)))",
    ranges={"beta": (0.0, 5.0)},
    value_and_derivative=lambda z, *, beta=1.0: swish_and_derivative(z, beta),
    parameter_derivatives={"beta": lambda z, *, beta=1.0: swish_in_beta(z, beta)},
    learnable=("beta",),
    range="[−0.27846, ∞)",
    extremum=(-1.27846, -0.27846),
    monotonic=False,
    convex=False,
    odd=False,
    smoothness="C∞",
    saturates="low",
    weight_init="he_normal",
    reference="Ramachandran, Zoph & Le 2017, arXiv:1710.05941",
    look=("#721236", "p", "dotted"),
)
def swish(z: Array, *, beta: float = 1.0) -> Array:
    """Swish: z·σ(βz), β learned. β alone is a rescaling: swish_β(z) = swish₁(βz)/β; β = 0 is z/2.

    >>> swish(jnp.array([1.0]), beta=0.0)
    Array([0.5], dtype=float32)
    """
    return swish_and_derivative(z, beta)[0]


@activation(
    family="gated",
    formula="z·σ(z)",
    derivative_formula="σ(z)·(1 + z·(1 − σ(z)))",
    latex=r"z\,\sigma(z)",
    derivative_latex=r"\sigma(z)\,(1 + z\,(1 - \sigma(z)))",
    value_and_derivative=lambda z: swish_and_derivative(z, 1.0),
    range="[−0.27846, ∞)",
    extremum=(-1.27846, -0.27846),
    monotonic=False,
    convex=False,
    odd=False,
    smoothness="C∞",
    saturates="low",
    weight_init="he_normal",
    reference="Elfwing, Uchibe & Doya 2018, arXiv:1702.03118",
    look=("#AA5577", "+", "dashdot"),
)
def silu(z: Array) -> Array:
    """Sigmoid linear unit: z·σ(z), swish with β fixed at 1.

    >>> silu(jnp.array([0.0]))
    Array([0.], dtype=float32)
    """
    return swish_and_derivative(z, 1.0)[0]


@activation(
    family="gated",
    formula="z·min(max(z/6 + ½, 0), 1)",
    derivative_formula="0 if z ≤ −3, 1 if z ≥ 3, else z/3 + ½",
    latex=r"z\,\min\left(\max\left(\frac{z}{6} + \frac{1}{2}, 0\right), 1\right)",
    cases=r"0 \text{ if } z \leq -3 \text{ else } z \text{ if } z \geq 3 \text{ else } \frac{z\,(z + 3)}{6}",
    derivative_latex=r"0 \text{ if } z \leq -3 \text{ else } 1 \text{ if } z \geq 3 "
    r"\text{ else } \frac{z}{3} + \frac{1}{2}",
    derivative=lambda z: jnp.where(z <= -3.0, 0.0, jnp.where(z >= 3.0, 1.0, z / 3.0 + 0.5)),
    flat=lambda z: z <= -3.0,
    flat_set="(−∞, −3]",
    range="[−0.375, ∞)",
    extremum=(-1.5, -0.375),
    monotonic=False,
    convex=False,
    odd=False,
    smoothness="C0",
    kinks=(-3.0, 3.0),
    saturates="low",
    weight_init="he_normal",
    reference="Howard et al. 2019, arXiv:1905.02244 (MobileNetV3)",
    look=("#661100", "d", "dotted"),
)
def hard_swish(z: Array) -> Array:
    """Hard swish: z times the hard sigmoid; φ'(−3) = 0, φ'(3) = 1.

    >>> hard_swish(jnp.array([-4.0, -1.5, 4.0]))
    Array([ 0.   , -0.375,  4.   ], dtype=float32)
    """
    return jnp.where(z <= -3.0, 0.0, jnp.where(z >= 3.0, z, z * (z / 6.0 + 0.5)))


def mish_and_derivative(z: Array) -> tuple[Array, Array]:
    """Both from one exponential: with n = e^z(e^z + 2), tanh(ln(1 + e^z)) = n/(n + 2)."""
    left = jnp.maximum(z, -FAR)
    z = jnp.minimum(left, 40.0)  # at 20 the gate is 1 in float64 already; e^2z must not overflow in float32
    w = jnp.exp(z)
    n = w * (w + 2.0)
    gate = n / (n + 2.0)
    return left * gate, gate + z * (w / (n + 2.0)) * (4.0 * (w + 1.0) / (n + 2.0))


@activation(
    family="gated",
    formula="z·tanh(ln(1 + e^z))",
    derivative_formula="t + z·σ(z)·(1 − t²), t = tanh(ln(1 + e^z))",
    latex=r"z\,\tanh(\ln(1 + e^z))",
    derivative_latex=r"t + z\,\sigma(z)\,(1 - t^2), \quad t = \tanh(\ln(1 + e^z))",
    value_and_derivative=mish_and_derivative,
    range="[−0.30884, ∞)",
    extremum=(-1.19243, -0.30884),
    monotonic=False,
    convex=False,
    odd=False,
    smoothness="C∞",
    saturates="low",
    weight_init="he_normal",
    reference="Misra 2020, arXiv:1908.08681",
    look=("#A44290", "h", "dashdot"),
)
def mish(z: Array) -> Array:
    """Mish: z·tanh(ln(1 + e^z)), by one exponential where the textbook form takes three transcendental functions.

    >>> round(float(mish(jnp.array(1.0))), 4)
    0.8651
    """
    return mish_and_derivative(z)[0]
