"""Rectifiers with an exponential or otherwise smooth bend: the ELU family, softplus and squareplus."""

from actlab.activations.base import activation
from actlab.activations.stable import expm1_and_exp, quotient
from actlab.later import Array, jnp

# Klambauer et al. 2017, equation 14: the fixed point (mean 0, variance 1) of standard normal pre-activations.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def negative_part(z: Array) -> Array:
    """min(z, 0), by a select: its derivative at 0 is the left one, not a half."""
    return jnp.where(z > 0, 0.0, z)


def elu_and_derivative(z: Array, alpha: Array | float) -> tuple[Array, Array]:
    """z if z ≥ 0 else α(e^z − 1); 1 if z > 0 else αe^z.

    Both branches of a select are computed, and differentiated: e^z takes z ≤ 0 alone, lest it overflow where it is
    not selected.
    """
    right = z > 0
    expm1, exp = expm1_and_exp(jnp.where(right, 0.0, z))
    return jnp.where(right, z, alpha * expm1), jnp.where(right, 1.0, alpha * exp)


@activation(
    family="exponential",
    formula="z if z ≥ 0 else α(e^z − 1), α = 1",
    derivative_formula="1 if z > 0 else αe^z",
    latex=r"z \text{ if } z \geq 0 \text{ else } \alpha\,(e^z - 1), \quad \alpha = 1",
    derivative_latex=r"1 \text{ if } z > 0 \text{ else } \alpha\,e^z",
    ranges={"alpha": (0.0, 3.0)},
    value_and_derivative=lambda z, *, alpha=1.0: elu_and_derivative(z, alpha),
    parameter_derivatives={"alpha": lambda z, *, alpha=1.0: expm1_and_exp(negative_part(z))[0]},
    flat=lambda z, *, alpha=1.0: (z <= 0) & (alpha == 0),
    range="(−1, ∞)",
    monotonic=True,
    convex=True,
    odd=False,
    smoothness="C1",
    kinks=(0.0,),
    saturates="low",
    reference="Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289",
    look=("#32B996", "D", "solid"),
)
def elu(z: Array, *, alpha: float = 1.0) -> Array:
    """Exponential linear unit: z if z ≥ 0 else α(e^z − 1). C¹ at 0 only for α = 1; φ'(0) = α.

    >>> elu(jnp.array([-100.0, 2.0]))
    Array([-1.,  2.], dtype=float32)
    """
    return elu_and_derivative(z, alpha)[0]


def selu_and_derivative(z: Array) -> tuple[Array, Array]:
    """λ·elu(z; α) and its derivative."""
    elu_z, slope = elu_and_derivative(z, SELU_ALPHA)
    return SELU_SCALE * elu_z, SELU_SCALE * slope


@activation(
    family="exponential",
    formula="λz if z ≥ 0 else λα(e^z − 1), α = 1.6733, λ = 1.0507",
    derivative_formula="λ if z > 0 else λαe^z",
    latex=r"\lambda z \text{ if } z \geq 0 \text{ else } \lambda\alpha\,(e^z - 1), "
    r"\quad \alpha \approx 1.6733,\ \lambda \approx 1.0507",
    derivative_latex=r"\lambda \text{ if } z > 0 \text{ else } \lambda\alpha\,e^z",
    value_and_derivative=selu_and_derivative,
    range="(−1.7581, ∞)",
    monotonic=True,
    convex=False,
    odd=False,
    smoothness="C0",
    kinks=(0.0,),
    saturates="low",
    weight_init="lecun_normal",
    reference="Klambauer et al. 2017, arXiv:1706.02515",
    look=("#759E5E", "P", "dashdot"),
)
def selu(z: Array) -> Array:
    """Scaled ELU: λ·elu(z; α), with mean 0 and variance 1 as the fixed point of a layer. φ'(0) = λα.

    >>> round(float(selu(jnp.array(1.0))), 4)
    1.0507
    """
    return selu_and_derivative(z)[0]


def celu_and_derivative(z: Array, alpha: Array | float) -> tuple[Array, Array]:
    """z if z ≥ 0 else α(e^(z/α) − 1); 1 if z > 0 else e^(z/α)."""
    right = z > 0
    expm1, exp = expm1_and_exp(jnp.where(right, 0.0, z) / alpha)
    return jnp.where(right, z, alpha * expm1), jnp.where(right, 1.0, exp)


def celu_in_alpha(z: Array, alpha: Array | float) -> Array:
    """∂/∂α: e^x − 1 − x·e^x, x = min(z, 0)/α."""
    x = jnp.maximum(negative_part(z) / alpha, -1e3)  # beyond it e^x is 0, and ∞·0 no limit
    expm1, exp = expm1_and_exp(x)
    return expm1 - x * exp


@activation(
    family="exponential",
    formula="z if z ≥ 0 else α(e^(z/α) − 1), α = 1",
    derivative_formula="1 if z > 0 else e^(z/α)",
    latex=r"z \text{ if } z \geq 0 \text{ else } \alpha\,(e^{z/\alpha} - 1), \quad \alpha = 1",
    derivative_latex=r"1 \text{ if } z > 0 \text{ else } e^{z/\alpha}",
    ranges={"alpha": (0.1, 3.0)},
    value_and_derivative=lambda z, *, alpha=1.0: celu_and_derivative(z, alpha),
    parameter_derivatives={"alpha": lambda z, *, alpha=1.0: celu_in_alpha(z, alpha)},
    flat=lambda z, *, alpha=1.0: (z <= 0) & (alpha == 0),
    range="(−1, ∞)",
    monotonic=True,
    convex=True,
    odd=False,
    smoothness="C1",
    kinks=(0.0,),
    saturates="low",
    reference="Barron 2017, arXiv:1704.07483",
    look=("#048455", ">", "dotted"),
)
def celu(z: Array, *, alpha: float = 1.0) -> Array:
    """Continuously differentiable ELU: z if z ≥ 0 else α(e^(z/α) − 1), C¹ for every α > 0.

    >>> celu(jnp.array([-100.0, 2.0]), alpha=0.5)
    Array([-0.5,  2. ], dtype=float32)
    """
    return celu_and_derivative(z, alpha)[0]


def softplus_and_derivative(z: Array) -> tuple[Array, Array]:
    """max(z, 0) + ln(1 + e^−|z|), and σ(z), from one exponential."""
    left = z < 0
    e = jnp.exp(-jnp.abs(z))
    return jnp.where(left, 0.0, z) + jnp.log1p(e), jnp.where(left, e, 1.0) / (1.0 + e)


@activation(
    family="exponential",
    formula="ln(1 + e^z)",
    derivative_formula="σ(z)",
    latex=r"\ln(1 + e^z)",
    derivative_latex=r"\sigma(z)",
    value_and_derivative=softplus_and_derivative,
    range="(0, ∞)",
    monotonic=True,
    convex=True,
    odd=False,
    smoothness="C∞",
    saturates="low",
    reference="Dugas et al. 2001, NeurIPS 13",
    look=("#44AA99", "8", "dashdot"),
)
def softplus(z: Array) -> Array:
    """Softplus: ln(1 + e^z), whose derivative is the sigmoid.

    >>> softplus(jnp.array([0.0]))
    Array([0.6931472], dtype=float32)
    """
    return softplus_and_derivative(z)[0]


FAR = 1e18  # not far enough for z² to leave float32


def distant(z: Array, b: Array | float) -> Array:
    """√(z² + b), far out |z|."""
    size = jnp.abs(z)
    return jnp.where(size > FAR, size, jnp.sqrt(z**2 + b))


def squareplus_and_derivative(z: Array, b: Array | float) -> tuple[Array, Array]:
    """(z + √(z² + b))/2, which on the left, where it cancels, is b/(√(z² + b) − z)/2; and itself over √(z² + b)."""
    root = distant(z, b)
    total, far = root + jnp.abs(z), z > FAR
    value = jnp.where(far, z, 0.5 * quotient(z < 0, b, total, total))
    return value, jnp.where(far, 1.0, value / root)


@activation(
    family="exponential",
    formula="(z + √(z² + b))/2, b = 4",
    derivative_formula="(1 + z/√(z² + b))/2",
    latex=r"\frac{1}{2}\left(z + \sqrt{z^2 + b}\right), \quad b = 4",
    derivative_latex=r"\frac{1}{2}\left(1 + \frac{z}{\sqrt{z^2 + b}}\right)",
    ranges={"b": (0.1, 10.0)},
    value_and_derivative=lambda z, *, b=4.0: squareplus_and_derivative(z, b),
    parameter_derivatives={"b": lambda z, *, b=4.0: 0.25 / distant(z, b)},
    flat=lambda z, *, b=4.0: (z <= 0) & (b == 0),
    range="(0, ∞)",
    monotonic=True,
    convex=True,
    odd=False,
    smoothness="C∞",
    saturates="low",
    reference="Barron 2021, arXiv:2112.11687",
    look=("#499AB7", ">", "dashdot"),
)
def squareplus(z: Array, *, b: float = 4.0) -> Array:
    """Squareplus: (z + √(z² + b))/2, softplus without an exponential; its left tail decays like b/(4|z|). b > 0.

    >>> squareplus(jnp.array([0.0]))
    Array([1.], dtype=float32)
    """
    return squareplus_and_derivative(z, b)[0]
