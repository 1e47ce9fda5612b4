"""The story of the sigmoid: a slope of at most ¼, and what that does over many layers."""

import numpy as np

from actlab.theory.mean_field import settled
from actlab.theory.story.records import (
    GRID,
    Correction,
    Number,
    Row,
    Step,
    at,
    decades,
    largest,
    mean,
    phi,
    slope,
    slope_at,
    slope_square,
    square,
    value,
)

LAYERS, WIDTH = 10, 16
CRITICAL, CRITICAL_Q = 10.14926, 45.6243


def slope_of_values() -> tuple[Number, ...]:
    """σ' by the quotient rule, and from the value."""
    s, w = value("sigmoid", GRID), np.exp(-GRID)
    return (
        Number("σ′ − σ(1 − σ), largest", largest(slope("sigmoid", GRID) - s * (1.0 - s)), 0.0, tolerance=1e-14),
        Number("σ′ − e^(−z)/(1 + e^(−z))², largest", largest(slope("sigmoid", GRID) - w / (1.0 + w) ** 2), 0.0),
    )


def at_most_a_quarter() -> tuple[Number, ...]:
    """The square that is taken from ¼, and where none is."""
    s = value("sigmoid", GRID)
    return (
        Number("σ′ − ¼ + (σ − ½)², largest", largest(slope("sigmoid", GRID) - 0.25 + (s - 0.5) ** 2), 0.0),
        Number("σ′(0)", slope_at("sigmoid", 0.0), 0.25, tolerance=0.0),
        Number("largest σ′", float(slope("sigmoid", GRID).max()), 0.25, "≤"),
    )


def tails() -> tuple[Number, ...]:
    """The slope far out, times e^|z|."""
    return (
        Number("e^|z|·σ′(z), largest", float((np.exp(np.abs(GRID)) * slope("sigmoid", GRID)).max()), 1.0, "<"),
        Number("σ′(10)", slope_at("sigmoid", 10.0), 0.0000454, tolerance=5e-8),
        Number("σ′(−10)", slope_at("sigmoid", -10.0), 0.0000454, tolerance=5e-8),
    )


def product_over_layers() -> tuple[Number, ...]:
    """‖δ₁‖ over its bound in a random network, at weights of LeCun's scale and of eight times that."""
    return tuple(
        Number(f"‖δ₁‖ over its bound, weights at {scale:g}/√n", over_bound(scale), 1.0, "≤") for scale in (1.0, 8.0)
    )


def over_bound(scale: float) -> float:
    """Walk back through ``LAYERS`` layers, and divide what arrives by (¼)^(L−1) ‖δ_L‖ Π‖W_l‖₂."""
    draw = np.random.default_rng(0)
    weights = [scale * draw.normal(size=(WIDTH, WIDTH)) / np.sqrt(WIDTH) for _ in range(LAYERS)]
    h, zs = draw.normal(size=WIDTH), []
    for w in weights:
        zs.append(h @ w)
        h = value("sigmoid", zs[-1])
    delta = draw.normal(size=WIDTH)
    bound = float(np.linalg.norm(delta))
    for w, z in zip(weights[:0:-1], zs[-2::-1], strict=True):
        delta = (delta @ w.T) * slope("sigmoid", z)
        bound *= 0.25 * float(np.linalg.norm(w, 2))
    return float(np.linalg.norm(delta)) / bound


def usual_weights() -> tuple[Number, ...]:
    """q and χ at σ_w = 1, and the decades that a norm loses per layer."""
    q = settled(phi("sigmoid"), 1.0).q
    chi = slope_square("sigmoid", q)
    return (
        Number("q", q, 0.2647, tolerance=5e-5),
        Number("χ", chi, 0.0557, tolerance=5e-5),
        Number("½ log₁₀ χ", decades(chi), -0.627, tolerance=5e-4),
    )


def large_weights() -> tuple[Number, ...]:
    """χ at the large weights that preserve the gradient, and that q is the fixed point there."""
    return (
        Number("q − σ_w² E σ²", CRITICAL**2 * square("sigmoid", CRITICAL_Q) - CRITICAL_Q, 0.0, tolerance=1e-3),
        Number("χ at σ_w = 10.149", CRITICAL**2 * slope_square("sigmoid", CRITICAL_Q), 1.0, tolerance=1e-5),
        Number("σ_w", CRITICAL, 10.149, tolerance=5e-4),
        Number("q", CRITICAL_Q, 45.62, tolerance=5e-3),
    )


def centred() -> tuple[Number, ...]:
    """The mean of σ, and what the centred control does with the gradient at σ_w = 1."""
    same = largest(slope("centred_sigmoid", GRID) - slope("sigmoid", GRID))
    chi = slope_square("centred_sigmoid", 1e-12)
    return (
        Number("E σ(Z)", mean("sigmoid"), 0.5),
        Number("difference of the slopes, largest", same, 0.0, tolerance=0.0),
        Number("V(q)/q of the control at σ_w = 1, q = 1", square("centred_sigmoid"), 1.0, "<"),
        Number("σ(0) − ½", at("centred_sigmoid", 0.0), 0.0, tolerance=0.0),
        Number("χ of the control as q → 0", chi, 1.0 / 16.0),
        Number("½ log₁₀ χ of the control", decades(chi), -0.602, tolerance=5e-4),
    )


SIGMOID = Row(
    name="sigmoid",
    comparison="The first of the chain: a smooth step from 0 to 1, where the perceptron's step has no slope to learn "
    "by. A value can be read as a probability. It is tanh, halved and shifted: σ(z) = ½ + ½·tanh(z/2).",
    problem="It saturates on both sides; its slope is at most ¼, and a gradient takes one such factor per layer; its "
    "values are all positive.",
    solution="relu: a slope of 1 for every z > 0.",
    fact="σ′ = σ(1 − σ) ≤ ¼: at σ_w = 1 a gradient loses 0.627 decades per layer",
    steps=(
        Step(
            "By the quotient rule the slope is made of the value:",
            r"\sigma'(z) = \frac{e^{-z}}{(1 + e^{-z})^2} = \sigma(z)\,\bigl(1 - \sigma(z)\bigr)",
            "σ′(z) = e^(−z)/(1 + e^(−z))² = σ(z)(1 − σ(z))",
            slope_of_values,
        ),
        Step(
            "A product of two numbers that sum to 1 is largest where they are equal:",
            r"\sigma' = \tfrac14 - \left(\sigma - \tfrac12\right)^2 \leq \tfrac14, "
            r"\quad \text{with equality only at } z = 0",
            "σ′ = ¼ − (σ − ½)² ≤ ¼, with equality only at z = 0",
            at_most_a_quarter,
        ),
        Step(
            "Far out it falls exponentially: the unit saturates.",
            r"\sigma'(z) < e^{-|z|}, \qquad \sigma'(\pm 10) = 0.0000454",
            "σ′(z) < e^(−|z|),  σ′(±10) = 0.0000454",
            tails,
        ),
        Step(
            "On its way back a gradient δ_l = ∂ℓ/∂z_l meets the weights and one slope per layer; hence a product "
            "over the layers:",
            r"\delta_l = \bigl(\delta_{l+1} W_{l+1}^{\mathsf T}\bigr) \odot \sigma'(z_l) \;\Rightarrow\; "
            r"\lVert \delta_1 \rVert \leq \left(\tfrac14\right)^{L-1} "
            r"\lVert \delta_L \rVert \prod_{l=2}^{L} \lVert W_l \rVert_2",
            "δ_l = (δ_l+1 · W_l+1ᵀ) ⊙ σ′(z_l),\nso ‖δ₁‖ ≤ (¼)^(L−1) · ‖δ_L‖ · ‖W₂‖ · … · ‖W_L‖",
            product_over_layers,
        ),
        Step(
            "On average over weights of variance σ_w²/n the squared norm is multiplied by χ = σ_w² E σ′(√q Z)² per "
            "layer, with q the mean square of z. At σ_w = 1, which Glorot's initialisation is between layers of one "
            "width, and with zero biases:",
            r"q = \mathbb{E}\,\sigma(\sqrt{q}\,Z)^2 = 0.2647, \quad "
            r"\chi = \mathbb{E}\,\sigma'(\sqrt{q}\,Z)^2 = 0.0557, \quad "
            r"\tfrac12 \log_{10} \chi = -0.627 \text{ decades per layer}",
            "q = E σ(√q Z)² = 0.2647,  χ = E σ′(√q Z)² = 0.0557,\n½ log₁₀ χ = −0.627 decades per layer",
            usual_weights,
        ),
    ),
    corrections=(
        Correction(
            "Gradients vanish because σ′ is at most ¼.",
            "That bounds one factor; the weights are the other. At σ_w = 10.149 (zero biases, q = 45.62) χ is 1, and "
            "the mean squared norm is preserved at any depth. Gradients vanish at the usual initialisations.",
            large_weights,
        ),
        Correction(
            "What slows it are outputs that are not centred on zero.",
            "E σ(Z) = ½ is true. But σ(z) − ½ is centred and has the same slope: at σ_w = 1 its gradients lose 0.602 "
            "decades per layer, hardly fewer. How much centring helps is left to experiment S1.",
            centred,
        ),
    ),
    claims={
        "S1": "outputs are not zero-centred, and that hurts",
        "S2": "saturates for large values",
        "S3": "gradients vanish with depth, and learning slows",
    },
)
