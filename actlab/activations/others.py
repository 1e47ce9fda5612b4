"""Activations that are neither steps nor rectifiers: periodic functions, shrinkage, bumps, the linear control."""

from actlab.activations.base import activation
from actlab.activations.stable import quotient
from actlab.later import Array, jnp


@activation(
    family="periodic",
    formula="sin(ωz), ω = 1",
    derivative_formula="ω·cos(ωz)",
    latex=r"\sin(\omega z), \quad \omega = 1",
    derivative_latex=r"\omega\,\cos(\omega z)",
    ranges={"omega": (0.1, 3.0)},
    derivative=lambda z, *, omega=1.0: omega * jnp.cos(omega * z),
    parameter_derivatives={"omega": lambda z, *, omega=1.0: z * jnp.cos(omega * z)},
    flat=lambda z, *, omega=1.0: jnp.broadcast_to(jnp.asarray(omega) == 0, jnp.shape(z)),
    range="[−1, 1]",
    monotonic=False,
    convex=False,
    odd=True,
    smoothness="C∞",
    saturates="none",
    reference="Sitzmann et al. 2020, arXiv:2006.09661 (SIREN)",
    look=("#424224", "*", "solid"),
)
def sine(z: Array, *, omega: float = 1.0) -> Array:
    """Sine: sin(ωz); SIREN takes ω = 30 in its first layer.

    >>> sine(jnp.array([0.0]))
    Array([0.], dtype=float32)
    """
    return jnp.sin(omega * z)


def snake_and_derivative(z: Array, alpha: Array | float) -> tuple[Array, Array]:
    """z + sin²(αz)/α, and 1 + sin(2αz) as (sin αz + cos αz)²: never negative, and accurate near its zeros."""
    sine, cosine = jnp.sin(alpha * z), jnp.cos(alpha * z)
    return jnp.where(jnp.isinf(z), z, z + sine**2 / alpha), (sine + cosine) ** 2


def snake_in_alpha(z: Array, alpha: Array | float) -> Array:
    """∂/∂α: (z·sin(2αz) − sin²(αz)/α)/α."""
    sine, cosine = jnp.sin(alpha * z), jnp.cos(alpha * z)
    return sine * (2.0 * z * cosine - sine / alpha) / alpha


@activation(
    family="periodic",
    formula="z + sin²(αz)/α, α learned from 1",
    derivative_formula="1 + sin(2αz)",
    latex=r"z + \frac{1}{\alpha}\sin^2(\alpha z), \quad \alpha \text{ learned from } 1",
    derivative_latex=r"1 + \sin(2 \alpha z)",
    ranges={"alpha": (0.1, 3.0)},
    value_and_derivative=lambda z, *, alpha=1.0: snake_and_derivative(z, alpha),
    parameter_derivatives={"alpha": lambda z, *, alpha=1.0: snake_in_alpha(z, alpha)},
    learnable=("alpha",),
    range="(−∞, ∞)",
    monotonic=True,
    convex=False,
    odd=False,
    smoothness="C∞",
    saturates="none",
    reference="Ziyin, Hartwig & Ueda 2020, arXiv:2006.08195",
    look=("#555C2E", "H", "dotted"),
)
def snake(z: Array, *, alpha: float = 1.0) -> Array:
    """Snake: z + sin²(αz)/α, α learned and not 0: periodic, yet never falling.

    >>> snake(jnp.array([0.0]))
    Array([0.], dtype=float32)
    """
    return snake_and_derivative(z, alpha)[0]


def tanhshrink_and_derivative(z: Array) -> tuple[Array, Array]:
    """z − tanh z, near 0, where it cancels, by the [7/8] Padé approximant of tanh; and tanh² z."""
    tanh = jnp.tanh(z)
    y = jnp.minimum(z**2, 1.0)
    cubic = z * y * (675675.0 + y * (45045.0 + y * (594.0 + y)))
    scale = 2027025.0 + y * (945945.0 + y * (51975.0 + y * (630.0 + y)))
    return quotient(y < 0.25, cubic, scale, z - tanh), tanh**2


@activation(
    family="shrinkage",
    formula="z − tanh z",
    derivative_formula="tanh² z",
    latex=r"z - \tanh z",
    derivative_latex=r"\tanh^2 z",
    value_and_derivative=tanhshrink_and_derivative,
    range="(−∞, ∞)",
    monotonic=True,
    convex=False,
    odd=True,
    smoothness="C∞",
    saturates="none",
    reference="PyTorch, torch.nn.Tanhshrink",
    look=("#5F7285", "P", "solid"),
)
def tanhshrink(z: Array) -> Array:
    """Tanh shrinkage: z − tanh z, weak around 0 where the others are strong.

    >>> tanhshrink(jnp.array([0.0]))
    Array([0.], dtype=float32)
    """
    return tanhshrink_and_derivative(z)[0]


def softshrink_and_derivative(z: Array, threshold: Array | float) -> tuple[Array, Array]:
    """sign(z)·max(|z| − θ, 0); 1 if |z| > θ else 0, and NaN where z is."""
    size = jnp.abs(z)
    flat = size <= threshold
    value = jnp.where(flat, 0.0, z - threshold * jnp.sign(z))
    return value, jnp.where(flat, 0.0, jnp.where(size > threshold, 1.0, size))


@activation(
    family="shrinkage",
    formula="sign(z)·max(|z| − θ, 0), θ = 0.5",
    derivative_formula="1 if |z| > θ else 0",
    latex=r"\operatorname{sign}(z)\,\max(|z| - \theta, 0), \quad \theta = 0.5",
    cases=r"z - \theta \text{ if } z > \theta \text{ else } z + \theta \text{ if } z < -\theta \text{ else } 0",
    derivative_latex=r"1 \text{ if } |z| > \theta \text{ else } 0",
    ranges={"threshold": (0.0, 3.0)},
    value_and_derivative=lambda z, *, threshold=0.5: softshrink_and_derivative(z, threshold),
    parameter_derivatives={
        "threshold": lambda z, *, threshold=0.5: jnp.where(jnp.abs(z) <= threshold, 0.0, -jnp.sign(z))
    },
    flat=lambda z, *, threshold=0.5: (jnp.abs(z) <= threshold) & (threshold > 0),
    flat_set="[−0.5, 0.5]",
    range="(−∞, ∞)",
    monotonic=True,
    convex=False,
    odd=True,
    smoothness="C0",
    kinks=(-0.5, 0.5),
    saturates="none",
    reference="Donoho 1995, IEEE Trans. Inf. Theory 41(3)",
    look=("#454A54", "x", "dashdot"),
)
def softshrink(z: Array, *, threshold: float = 0.5) -> Array:
    """Soft thresholding: sign(z)·max(|z| − θ, 0); φ'(±θ) = 0. Its flat set lies in the middle.

    >>> softshrink(jnp.array([-2.0, 0.3]))
    Array([-1.5,  0. ], dtype=float32)
    """
    return softshrink_and_derivative(z, threshold)[0]


def gaussian_and_derivative(z: Array) -> tuple[Array, Array]:
    """e^(−z²) and −2z·e^(−z²)."""
    bump = jnp.exp(-(z**2))
    return bump, -2.0 * (jnp.where(bump == 0, 0.0, z) * bump)  # ∞·0 is no limit


@activation(
    family="other",
    formula="e^(−z²)",
    derivative_formula="−2z·e^(−z²)",
    latex=r"e^{-z^2}",
    derivative_latex=r"-2 z\,e^{-z^2}",
    value_and_derivative=gaussian_and_derivative,
    range="(0, 1]",
    extremum=(0.0, 1.0),
    monotonic=False,
    convex=False,
    odd=False,
    smoothness="C∞",
    saturates="both",
    reference="Broomhead & Lowe 1988, Complex Systems 2",
    look=("#BFB34A", "*", "dashdot"),
)
def gaussian(z: Array) -> Array:
    """Gaussian bump: e^(−z²).

    >>> gaussian(jnp.array([0.0]))
    Array([1.], dtype=float32)
    """
    return gaussian_and_derivative(z)[0]


@activation(
    family="other",
    formula="|z|",
    derivative_formula="1 if z > 0 else −1",
    latex="|z|",
    cases=r"z \text{ if } z > 0 \text{ else } -z",
    derivative_latex=r"1 \text{ if } z > 0 \text{ else } -1",
    derivative=lambda z: jnp.where(z > 0, 1.0, jnp.where(z <= 0, -1.0, z)),
    range="[0, ∞)",
    extremum=(0.0, 0.0),
    monotonic=False,
    convex=True,
    odd=False,
    smoothness="C0",
    kinks=(0.0,),
    saturates="none",
    reference="Jarrett et al. 2009, ICCV (rectification by absolute value)",
    look=("#4D4D1A", "x", "dashdot"),
)
def absolute(z: Array) -> Array:
    """Absolute value: |z|, slope ±1 everywhere; φ'(0) = −1, the left one.

    >>> absolute(jnp.array([-2.0]))
    Array([2.], dtype=float32)
    """
    return jnp.where(z > 0, z, -z)


@activation(
    family="control",
    formula="z",
    derivative_formula="1",
    latex="z",
    derivative_latex="1",
    derivative=lambda z: jnp.ones_like(z),
    range="(−∞, ∞)",
    monotonic=True,
    convex=True,
    odd=True,
    smoothness="C∞",
    saturates="none",
    weight_init="lecun_normal",
    reference="Saxe, McClelland & Ganguli 2014, arXiv:1312.6120 (deep linear networks)",
    look=("#53555A", "|", "dotted"),
)
def linear(z: Array) -> Array:
    """The identity: the control in which depth acts without any nonlinearity.

    >>> linear(jnp.array([-2.0]))
    Array([-2.], dtype=float32)
    """
    return z
