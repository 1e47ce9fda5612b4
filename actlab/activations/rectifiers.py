"""ReLU and its piecewise polynomial kin.

At a kink every derivative here is the left one, or the flat side's where there is one: ReLU'(0) = 0, as in PyTorch. The
conditions are written so that a NaN passes through, value and derivative: ``where(z > 0, z, 0)`` would turn it into a
healthy-looking 0.
"""

from actlab.activations.base import activation
from actlab.later import Array, jnp


def positive_part(z: Array) -> Array:
    """max(0, z)."""
    return jnp.where(z <= 0, 0.0, z)


def relu_and_derivative(z: Array) -> tuple[Array, Array]:
    """max(0, z), and 1 where that is positive."""
    h = positive_part(z)
    return h, jnp.where(h > 0, 1.0, h)


@activation(
    family="rectifier",
    formula="max(0, z)",
    derivative_formula="1 if z > 0 else 0",
    latex=r"\max(0, z)",
    cases=r"z \text{ if } z > 0 \text{ else } 0",
    derivative_latex=r"1 \text{ if } z > 0 \text{ else } 0",
    value_and_derivative=relu_and_derivative,
    flat=lambda z: z <= 0,
    flat_set="(−∞, 0]",
    range="[0, ∞)",
    monotonic=True,
    convex=True,
    odd=False,
    smoothness="C0",
    kinks=(0.0,),
    saturates="low",
    weight_init="he_normal",
    reference="Nair & Hinton 2010, ICML; Glorot, Bordes & Bengio 2011, AISTATS",
    look=("#0074CB", "s", "solid"),
)
def relu(z: Array) -> Array:
    """Rectified linear unit: max(0, z); φ'(0) = 0.

    >>> relu(jnp.array([-1.0, 0.0, 2.0]))
    Array([0., 0., 2.], dtype=float32)
    """
    return positive_part(z)


def leaky_and_derivative(z: Array, negative_slope: Array | float) -> tuple[Array, Array]:
    """z if z ≥ 0 else αz; 1 if z > 0 else α."""
    right = z > 0
    return jnp.where(right, z, negative_slope * z), jnp.where(right, 1.0, jnp.where(z <= 0, negative_slope, z))


@activation(
    family="rectifier",
    formula="z if z ≥ 0 else αz, α = 0.01",
    derivative_formula="1 if z > 0 else α",
    latex=r"z \text{ if } z \geq 0 \text{ else } \alpha z, \quad \alpha = 0.01",
    derivative_latex=r"1 \text{ if } z > 0 \text{ else } \alpha",
    ranges={"negative_slope": (0.0, 1.0)},
    value_and_derivative=lambda z, *, negative_slope=0.01: leaky_and_derivative(z, negative_slope),
    parameter_derivatives={"negative_slope": lambda z, *, negative_slope=0.01: jnp.where(z > 0, 0.0, z)},
    flat=lambda z, *, negative_slope=0.01: (z <= 0) & (negative_slope == 0),
    range="(−∞, ∞)",
    monotonic=True,
    convex=True,
    odd=False,
    smoothness="C0",
    kinks=(0.0,),
    saturates="none",
    weight_init="he_normal",
    he_slope="negative_slope",
    reference="Maas, Hannun & Ng 2013, ICML workshop",
    look=("#53B6EC", "^", "dashdot"),
)
def leaky_relu(z: Array, *, negative_slope: float = 0.01) -> Array:
    """Leaky ReLU: z if z ≥ 0 else αz; φ'(0) = α, so that α = 0 is ReLU. The form max(αz, z) holds only for α ≤ 1.

    >>> leaky_relu(jnp.array([-1.0, 2.0]), negative_slope=0.2)
    Array([-0.2,  2. ], dtype=float32)
    """
    return leaky_and_derivative(z, negative_slope)[0]


@activation(
    family="rectifier",
    formula="z if z ≥ 0 else αz, α learned from 0.25",
    derivative_formula="1 if z > 0 else α",
    latex=r"z \text{ if } z \geq 0 \text{ else } \alpha z, \quad \alpha \text{ learned from } 0.25",
    derivative_latex=r"1 \text{ if } z > 0 \text{ else } \alpha",
    ranges={"alpha": (-0.5, 1.5)},
    value_and_derivative=lambda z, *, alpha=0.25: leaky_and_derivative(z, alpha),
    parameter_derivatives={"alpha": lambda z, *, alpha=0.25: jnp.where(z > 0, 0.0, z)},
    flat=lambda z, *, alpha=0.25: (z <= 0) & (alpha == 0),
    learnable=("alpha",),
    range="(−∞, ∞)",
    monotonic=True,
    convex=True,
    odd=False,
    smoothness="C0",
    kinks=(0.0,),
    saturates="none",
    weight_init="he_normal",
    he_slope="alpha",
    reference="He et al. 2015, arXiv:1502.01852",
    look=("#2D1F86", "v", "dotted"),
)
def prelu(z: Array, *, alpha: float = 0.25) -> Array:
    """Parametric ReLU: z if z ≥ 0 else αz, α learned; it may pass 1 (not convex then) or 0. φ'(0) = α.

    >>> prelu(jnp.array([-1.0, 2.0]))
    Array([-0.25,  2.  ], dtype=float32)
    """
    return leaky_and_derivative(z, alpha)[0]


def relu6_and_derivative(z: Array) -> tuple[Array, Array]:
    """min(max(0, z), 6), and 1 where that is neither."""
    high = z >= 6.0
    h = jnp.where(z <= 0, 0.0, jnp.where(high, 6.0, z))
    return h, jnp.where(high, 0.0, jnp.where(h > 0, 1.0, h))


@activation(
    family="rectifier",
    formula="min(max(0, z), 6)",
    derivative_formula="1 if 0 < z < 6 else 0",
    latex=r"\min(\max(0, z), 6)",
    cases=r"0 \text{ if } z < 0 \text{ else } 6 \text{ if } z > 6 \text{ else } z",
    derivative_latex=r"1 \text{ if } 0 < z < 6 \text{ else } 0",
    value_and_derivative=relu6_and_derivative,
    flat=lambda z: (z <= 0) | (z >= 6.0),
    flat_set="(−∞, 0] ∪ [6, ∞)",
    range="[0, 6]",
    monotonic=True,
    convex=False,
    odd=False,
    smoothness="C0",
    kinks=(0.0, 6.0),
    saturates="both",
    weight_init="he_normal",
    reference="Krizhevsky 2010, Convolutional deep belief networks on CIFAR-10",
    look=("#003A78", "d", "dashdot"),
)
def relu6(z: Array) -> Array:
    """ReLU capped at 6: min(max(0, z), 6); φ'(0) = φ'(6) = 0.

    >>> relu6(jnp.array([-1.0, 2.0, 9.0]))
    Array([0., 2., 6.], dtype=float32)
    """
    return relu6_and_derivative(z)[0]


@activation(
    family="rectifier",
    formula="max(0, z)²",
    derivative_formula="2·max(0, z)",
    latex=r"\max(0, z)^2",
    cases=r"z^2 \text{ if } z > 0 \text{ else } 0",
    derivative_latex=r"2\,\max(0, z)",
    derivative=lambda z: 2.0 * positive_part(z),
    flat=lambda z: z <= 0,
    flat_set="(−∞, 0]",
    range="[0, ∞)",
    monotonic=True,
    convex=True,
    odd=False,
    smoothness="C1",
    kinks=(0.0,),
    saturates="low",
    reference="So et al. 2021, arXiv:2109.08668 (Primer)",
    look=("#1F4E8C", "s", "solid"),
)
def relu_squared(z: Array) -> Array:
    """Squared ReLU: max(0, z)². Its slope grows with z: no initialisation keeps a deep network's signal stable.

    >>> relu_squared(jnp.array([-1.0, 3.0]))
    Array([0., 9.], dtype=float32)
    """
    return positive_part(z) ** 2


@activation(
    family="rectifier",
    formula="s·max(0, z)² + b, s = 0.8944, b = −0.4472, both learned",
    derivative_formula="2s·max(0, z)",
    latex=r"s\,\max(0, z)^2 + b, \quad s = 0.8944,\ b = -0.4472, \text{ both learned}",
    cases=r"s z^2 + b \text{ if } z > 0 \text{ else } b",
    derivative_latex=r"2 s\,\max(0, z)",
    ranges={"scale": (0.0, 2.0), "bias": (-1.5, 0.5)},
    derivative=lambda z, *, scale=0.8944, bias=-0.4472: 2.0 * scale * positive_part(z),
    parameter_derivatives={
        "scale": lambda z, *, scale=0.8944, bias=-0.4472: positive_part(z) ** 2,
        "bias": lambda z, *, scale=0.8944, bias=-0.4472: jnp.ones_like(z),
    },
    flat=lambda z, *, scale=0.8944, bias=-0.4472: (z <= 0) | (scale == 0),
    learnable=("scale", "bias"),
    flat_set="(−∞, 0]",
    range="[−0.4472, ∞)",
    monotonic=True,
    convex=True,
    odd=False,
    smoothness="C1",
    kinks=(0.0,),
    saturates="low",
    reference="Yu et al. 2022, arXiv:2210.13452 (MetaFormer baselines)",
    look=("#3F8FC4", "*", "dotted"),
)
def star_relu(z: Array, *, scale: float = 0.8944, bias: float = -0.4472) -> Array:
    """StarReLU: s·max(0, z)² + b; the starting values give mean 0 and variance 1 on standard normal z.

    >>> star_relu(jnp.array([-1.0, 1.0]))
    Array([-0.4472,  0.4472], dtype=float32)
    """
    return scale * positive_part(z) ** 2 + bias
