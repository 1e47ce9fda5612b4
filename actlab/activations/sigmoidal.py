"""Bounded, sigmoid-shaped activations: smooth steps and their piecewise linear stand-ins."""

from actlab.activations.base import activation
from actlab.activations.stable import sech_squared, sigmoid_and_derivative
from actlab.later import Array, jax, jnp


@activation(
    family="sigmoidal",
    formula="1/(1 + e^−z)",
    derivative_formula="σ(z)·(1 − σ(z))",
    latex=r"\frac{1}{1+e^{-z}}",
    derivative_latex=r"\sigma(z)\,(1 - \sigma(z))",
    value_and_derivative=sigmoid_and_derivative,
    range="(0, 1)",
    monotonic=True,
    convex=False,
    odd=False,
    smoothness="C∞",
    saturates="both",
    weight_init="glorot_normal",
    reference="Rumelhart, Hinton & Williams 1986, Nature 323",
    look=("#D75E00", "o", "solid"),
)
def sigmoid(z: Array) -> Array:
    """Logistic sigmoid: σ(z) = 1/(1 + e^−z); σ' = σ·(1 − σ) is at most ¼.

    >>> sigmoid(jnp.array([0.0]))
    Array([0.5], dtype=float32)
    """
    return sigmoid_and_derivative(z)[0]


@activation(
    family="sigmoidal",
    formula="1/(1 + e^−z) − ½",
    derivative_formula="σ(z)·(1 − σ(z))",
    latex=r"\frac{1}{1+e^{-z}} - \frac{1}{2}",
    derivative_latex=r"\sigma(z)\,(1 - \sigma(z))",
    derivative=lambda z: sigmoid_and_derivative(z)[1],
    train_automatically=True,
    range="(−0.5, 0.5)",
    monotonic=True,
    convex=False,
    odd=True,
    smoothness="C∞",
    saturates="both",
    weight_init="glorot_normal",
    reference="the control of this project for what sigmoid's mean does",
    look=("#A63D00", ">", "solid"),
)
def centred_sigmoid(z: Array) -> Array:
    """Sigmoid moved to zero mean: σ(z) − ½. The derivative is sigmoid's, so what differs is the mean alone.

    >>> centred_sigmoid(jnp.array([0.0]))
    Array([0.], dtype=float32)
    """
    return 0.5 * jnp.tanh(0.5 * z)  # σ(z) − ½ itself loses what is small: it is 0 at 1e−8


@activation(
    family="sigmoidal",
    formula="tanh z",
    derivative_formula="1/cosh² z",
    latex=r"\tanh z",
    derivative_latex=r"\frac{1}{\cosh^2 z}",
    derivative=sech_squared,
    train_automatically=True,
    range="(−1, 1)",
    monotonic=True,
    convex=False,
    odd=True,
    smoothness="C∞",
    saturates="both",
    weight_init="glorot_normal",
    reference="LeCun et al. 1998, Efficient BackProp",
    look=("#E6A109", "<", "solid"),
)
def tanh(z: Array) -> Array:
    """Hyperbolic tangent: tanh z = 2σ(2z) − 1.

    >>> tanh(jnp.array([0.0]))
    Array([0.], dtype=float32)
    """
    return jnp.tanh(z)


@activation(
    family="sigmoidal",
    formula="1.7159·tanh(⅔z)",
    derivative_formula="1.7159·⅔/cosh²(⅔z)",
    latex=r"1.7159\,\tanh\left(\frac{2}{3}z\right)",
    derivative_latex=r"1.7159 \cdot \frac{2}{3} \cdot \frac{1}{\cosh^2\left(\frac{2}{3}z\right)}",
    derivative=lambda z: 1.7159 * 2.0 / 3.0 * sech_squared(2.0 / 3.0 * z),
    train_automatically=True,
    range="(−1.7159, 1.7159)",
    monotonic=True,
    convex=False,
    odd=True,
    smoothness="C∞",
    saturates="both",
    weight_init="glorot_normal",
    reference="LeCun et al. 1998, Efficient BackProp",
    look=("#B78870", "H", "solid"),
)
def scaled_tanh(z: Array) -> Array:
    """LeCun's tanh: 1.7159·tanh(⅔z), scaled so that φ(±1) = ±1.

    >>> round(float(scaled_tanh(jnp.array(1.0))), 4)
    1.0
    """
    return 1.7159 * jnp.tanh(2.0 / 3.0 * z)


@activation(
    family="sigmoidal",
    formula="erf z",
    derivative_formula="2·e^(−z²)/√π",
    latex=r"\operatorname{erf} z",
    derivative_latex=r"\frac{2}{\sqrt{\pi}}\,e^{-z^2}",
    derivative=lambda z: 2.0 / jnp.pi**0.5 * jnp.exp(-(z**2)),
    range="(−1, 1)",
    monotonic=True,
    convex=False,
    odd=True,
    smoothness="C∞",
    saturates="both",
    weight_init="glorot_normal",
    reference="Williams 1997, Computing with infinite networks",
    look=("#D98880", "x", "dotted"),
)
def erf(z: Array) -> Array:
    """Error function: erf z = 2/√π·∫₀ᶻ e^(−t²) dt; the sigmoid for which wide-network theory has closed forms.

    >>> erf(jnp.array([0.0]))
    Array([0.], dtype=float32)
    """
    return jax.scipy.special.erf(z)


@activation(
    family="sigmoidal",
    formula="arctan z",
    derivative_formula="1/(1 + z²)",
    latex=r"\arctan z",
    derivative_latex=r"\frac{1}{1 + z^2}",
    derivative=lambda z: 1.0 / (1.0 + z**2),
    range="(−1.5708, 1.5708)",
    monotonic=True,
    convex=False,
    odd=True,
    smoothness="C∞",
    saturates="both",
    weight_init="glorot_normal",
    reference="Dubey, Singh & Chaudhuri 2022, arXiv:2109.14545 (survey)",
    look=("#8C6A00", "+", "dotted"),
)
def arctan(z: Array) -> Array:
    """Inverse tangent: arctan z, a sigmoid whose slope decays like 1/z² instead of exponentially.

    >>> arctan(jnp.array([0.0]))
    Array([0.], dtype=float32)
    """
    return jnp.arctan(z)


def softsign_and_derivative(z: Array) -> tuple[Array, Array]:
    """z/(1 + |z|) and 1/(1 + |z|)²."""
    scale = 1.0 + jnp.abs(z)
    return jnp.where(scale > 1e30, jnp.sign(z), z / scale), 1.0 / scale**2


@activation(
    family="sigmoidal",
    formula="z/(1 + |z|)",
    derivative_formula="1/(1 + |z|)²",
    latex=r"\frac{z}{1+|z|}",
    derivative_latex=r"\frac{1}{(1 + |z|)^2}",
    value_and_derivative=softsign_and_derivative,
    range="(−1, 1)",
    monotonic=True,
    convex=False,
    odd=True,
    smoothness="C1",
    kinks=(0.0,),
    saturates="both",
    weight_init="glorot_normal",
    reference="Glorot & Bengio 2010, AISTATS",
    look=("#F5C242", "8", "dotted"),
)
def softsign(z: Array) -> Array:
    """Softsign: z/(1 + |z|); φ'' jumps from 2 to −2 at 0.

    >>> softsign(jnp.array([-3.0, 1.0]))
    Array([-0.75,  0.5 ], dtype=float32)
    """
    return softsign_and_derivative(z)[0]


def slope_within(z: Array, bound: float, slope: float) -> Array:
    """A slope where |z| < bound, 0 where |z| ≥ bound, and NaN where z is."""
    size = jnp.abs(z)
    return jnp.where(size >= bound, 0.0, jnp.where(size < bound, slope, z))


@activation(
    family="sigmoidal",
    formula="min(max(z, −1), 1)",
    derivative_formula="1 if |z| < 1 else 0",
    latex=r"\min(\max(z, -1), 1)",
    cases=r"-1 \text{ if } z < -1 \text{ else } 1 \text{ if } z > 1 \text{ else } z",
    derivative_latex=r"1 \text{ if } |z| < 1 \text{ else } 0",
    derivative=lambda z: slope_within(z, 1.0, 1.0),
    flat=lambda z: jnp.abs(z) >= 1.0,
    flat_set="(−∞, −1] ∪ [1, ∞)",
    range="[−1, 1]",
    monotonic=True,
    convex=False,
    odd=True,
    smoothness="C0",
    kinks=(-1.0, 1.0),
    saturates="both",
    weight_init="glorot_normal",
    reference="Collobert 2004, Large scale machine learning, thesis",
    look=("#7A8100", "*", "dashdot"),
)
def hard_tanh(z: Array) -> Array:
    """Hard tanh: z clipped to [−1, 1]; φ'(±1) = 0.

    >>> hard_tanh(jnp.array([-2.0, 0.5, 2.0]))
    Array([-1. ,  0.5,  1. ], dtype=float32)
    """
    # Selects, not clip: a NaN passes through, and the slope at the kinks is the flat side's.
    return jnp.where(z <= -1.0, -1.0, jnp.where(z >= 1.0, 1.0, z))


@activation(
    family="sigmoidal",
    formula="min(max(z/6 + ½, 0), 1)",
    derivative_formula="⅙ if |z| < 3 else 0",
    latex=r"\min\left(\max\left(\frac{z}{6} + \frac{1}{2}, 0\right), 1\right)",
    cases=r"0 \text{ if } z < -3 \text{ else } 1 \text{ if } z > 3 \text{ else } \frac{z}{6} + \frac{1}{2}",
    derivative_latex=r"\frac{1}{6} \text{ if } |z| < 3 \text{ else } 0",
    derivative=lambda z: slope_within(z, 3.0, 1.0 / 6.0),
    flat=lambda z: jnp.abs(z) >= 3.0,
    flat_set="(−∞, −3] ∪ [3, ∞)",
    range="[0, 1]",
    monotonic=True,
    convex=False,
    odd=False,
    smoothness="C0",
    kinks=(-3.0, 3.0),
    saturates="both",
    weight_init="glorot_normal",
    reference="Howard et al. 2019, arXiv:1905.02244 (other papers use a slope of 0.2)",
    look=("#C5A048", "d", "dotted"),
)
def hard_sigmoid(z: Array) -> Array:
    """Hard sigmoid: z/6 + ½ clipped to [0, 1]; φ'(±3) = 0.

    >>> hard_sigmoid(jnp.array([-4.0, 0.0, 4.0]))
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    return jnp.where(z <= -3.0, 0.0, jnp.where(z >= 3.0, 1.0, z / 6.0 + 0.5))
