"""Rectifiers with an exponential or otherwise smooth bend: the ELU family, softplus and squareplus."""

from actlab.activations.base import activation
from actlab.later import Array, jax, jnp

# Klambauer et al. 2017, equation 14: the fixed point (mean 0, variance 1) of standard normal pre-activations.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def exponential_branch(z: Array) -> Array:
    """e^z − 1 for z ≤ 0; for z > 0, where a select discards it, 0.

    Both branches of a select are differentiated: without the inner one, e^z overflows for large z, and 0·∞ is NaN.
    ``expm1`` keeps tiny z exact, which e^z − 1 rounds to 0.
    """
    return jnp.expm1(jnp.where(z > 0, 0.0, z))


@activation(
    family="exponential",
    formula="z if z ≥ 0 else α(e^z − 1), α = 1",
    derivative_formula="1 if z > 0 else αe^z",
    latex=r"z \text{ if } z \geq 0 \text{ else } \alpha\,(e^z - 1), \quad \alpha = 1",
    derivative=lambda z, *, alpha=1.0: jnp.where(z > 0, 1.0, alpha * jnp.exp(jnp.minimum(z, 0.0))),
    flat=lambda z, *, alpha=1.0: (z <= 0) & (alpha == 0),
    range="(−1, ∞)",
    monotonic=True,
    convex=True,
    odd=False,
    smoothness="C1",
    kinks=(0.0,),
    saturates="low",
    reference="Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289",
)
def elu(z: Array, *, alpha: float = 1.0) -> Array:
    """Exponential linear unit: z if z ≥ 0 else α(e^z − 1). C¹ at 0 only for α = 1; φ'(0) = α.

    >>> elu(jnp.array([-100.0, 2.0]))
    Array([-1.,  2.], dtype=float32)
    """
    return jnp.where(z > 0, z, alpha * exponential_branch(z))


@activation(
    family="exponential",
    formula="λz if z ≥ 0 else λα(e^z − 1), α = 1.6733, λ = 1.0507",
    derivative_formula="λ if z > 0 else λαe^z",
    latex=r"\lambda z \text{ if } z \geq 0 \text{ else } \lambda\alpha\,(e^z - 1), "
    r"\quad \alpha \approx 1.6733,\ \lambda \approx 1.0507",
    derivative=lambda z: SELU_SCALE * jnp.where(z > 0, 1.0, SELU_ALPHA * jnp.exp(jnp.minimum(z, 0.0))),
    range="(−1.7581, ∞)",
    monotonic=True,
    convex=False,
    odd=False,
    smoothness="C0",
    kinks=(0.0,),
    saturates="low",
    weight_init="lecun_normal",
    reference="Klambauer et al. 2017, arXiv:1706.02515",
)
def selu(z: Array) -> Array:
    """Scaled ELU: λ·elu(z; α), with mean 0 and variance 1 as the fixed point of a layer. φ'(0) = λα.

    >>> round(float(selu(jnp.array(1.0))), 4)
    1.0507
    """
    return SELU_SCALE * jnp.where(z > 0, z, SELU_ALPHA * exponential_branch(z))


@activation(
    family="exponential",
    formula="z if z ≥ 0 else α(e^(z/α) − 1), α = 1",
    derivative_formula="1 if z > 0 else e^(z/α)",
    latex=r"z \text{ if } z \geq 0 \text{ else } \alpha\,(e^{z/\alpha} - 1), \quad \alpha = 1",
    derivative=lambda z, *, alpha=1.0: jnp.where(z > 0, 1.0, jnp.exp(jnp.minimum(z, 0.0) / alpha)),
    range="(−1, ∞)",
    monotonic=True,
    convex=True,
    odd=False,
    smoothness="C1",
    kinks=(0.0,),
    saturates="low",
    reference="Barron 2017, arXiv:1704.07483",
)
def celu(z: Array, *, alpha: float = 1.0) -> Array:
    """Continuously differentiable ELU: z if z ≥ 0 else α(e^(z/α) − 1), C¹ for every α > 0.

    >>> celu(jnp.array([-100.0, 2.0]), alpha=0.5)
    Array([-0.5,  2. ], dtype=float32)
    """
    return jnp.where(z > 0, z, alpha * exponential_branch(z / alpha))


@activation(
    family="exponential",
    formula="ln(1 + e^z)",
    derivative_formula="σ(z)",
    latex=r"\ln(1 + e^z)",
    derivative=lambda z: jax.nn.sigmoid(z),
    range="(0, ∞)",
    monotonic=True,
    convex=True,
    odd=False,
    smoothness="C∞",
    saturates="low",
    reference="Dugas et al. 2001, NeurIPS 13",
)
def softplus(z: Array) -> Array:
    """Softplus: ln(1 + e^z), whose derivative is the sigmoid.

    >>> softplus(jnp.array([0.0]))
    Array([0.6931472], dtype=float32)
    """
    return jax.nn.softplus(z)


@activation(
    family="exponential",
    formula="(z + √(z² + b))/2, b = 4",
    derivative_formula="(1 + z/√(z² + b))/2",
    latex=r"\frac{1}{2}\left(z + \sqrt{z^2 + b}\right), \quad b = 4",
    derivative=lambda z, *, b=4.0: 0.5 * (1.0 + z / jnp.sqrt(z**2 + b)),
    range="(0, ∞)",
    monotonic=True,
    convex=True,
    odd=False,
    smoothness="C∞",
    saturates="low",
    reference="Barron 2021, arXiv:2112.11687",
)
def squareplus(z: Array, *, b: float = 4.0) -> Array:
    """Squareplus: (z + √(z² + b))/2, softplus without an exponential; its left tail decays like b/(4|z|). b > 0.

    >>> squareplus(jnp.array([0.0]))
    Array([1.], dtype=float32)
    """
    return 0.5 * (z + jnp.sqrt(z**2 + b))
