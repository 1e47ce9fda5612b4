"""The story of the rectifiers: a slope of exactly 1 or exactly 0, and what a slope in the place of that 0 changes."""

import numpy as np

from actlab.activations import CATALOGUE
from actlab.later import jax, jnp
from actlab.theory.story.records import (
    GRID,
    Correction,
    Number,
    Row,
    Step,
    at,
    cost,
    decades,
    largest,
    mean,
    slope,
    slope_at,
    slope_square,
    square,
    value,
    weak_slope,
)

ALPHA = 0.01  # leaky ReLU's
LEFT, RIGHT = GRID[GRID < 0], GRID[GRID > 0]


def zero_or_one() -> tuple[Number, ...]:
    """ReLU's slope on either side, and at the kink."""
    return (
        Number("largest slope for z < 0", largest(slope("relu", LEFT)), 0.0, tolerance=0.0),
        Number("slope − 1 for z > 0, largest", largest(slope("relu", RIGHT) - 1.0), 0.0, tolerance=0.0),
        Number("φ′(0)", slope_at("relu", 0.0), 0.0, tolerance=0.0),
    )


def no_update() -> tuple[Number, ...]:
    """The gradients of a unit whose pre-activation is negative on all of 50 rows."""
    draw = np.random.default_rng(0)
    x_NxF, w, b, delta_N = draw.normal(size=(50, 8)), draw.normal(size=8), -20.0, draw.normal(size=50)
    z_N = x_NxF @ w + b
    back_N = delta_N * slope("relu", z_N)
    return (
        Number("largest z", float(z_N.max()), 0.0, "<"),
        Number("‖∂L/∂w‖", largest(back_N @ x_NxF), 0.0, tolerance=0.0),
        Number("∂L/∂b", float(back_N.sum()), 0.0, tolerance=0.0),
    )


def half_the_variance() -> tuple[Number, ...]:
    """ReLU's moments at two variances, and what He's and LeCun's weights make of them."""
    return (
        Number("E φ(√q Z)²/q at q = 1", square("relu"), 0.5),
        Number("E φ(√q Z)²/q at q = 7", square("relu", 7.0) / 7.0, 0.5),
        Number("E φ′²", slope_square("relu"), 0.5),
        Number("χ at σ_w² = 2", 2.0 * slope_square("relu"), 1.0),
        Number("½ log₁₀ χ at σ_w = 1", decades(slope_square("relu")), -0.1505, tolerance=5e-5),
    )


def positive_mean() -> tuple[Number, ...]:
    """E φ(Z)."""
    return (Number("E φ(Z)", mean("relu"), 0.3989, tolerance=5e-5),)


def counted_operations() -> tuple[Number, ...]:
    """The weighted operations of ReLU and of sigmoid for one element."""
    return (
        Number("operations of relu", cost("relu"), 2.0),
        Number("operations of sigmoid", cost("sigmoid"), 20.0),
    )


RELU = Row(
    name="relu",
    comparison="Beside sigmoid: the slope is exactly 1 for every z > 0, so that a gradient passes whole, and no "
    "exponential is needed.",
    problem="The slope is exactly 0 for z < 0. A unit whose z is negative on all training rows is constant and gets no "
    "gradient: it is dead.",
    solution="leaky_relu: a small slope in the place of that 0.",
    fact="φ′ = 0 for z < 0, and so no update; χ = σ_w²/2, which is 1 at He's initialisation",
    steps=(
        Step(
            "The function has two straight pieces; at the kink the slope is a convention, here 0:",
            r"\varphi'(z) = 1 \text{ for } z > 0, \qquad \varphi'(z) = 0 \text{ for } z < 0, \qquad \varphi'(0) := 0",
            "φ′(z) = 1 for z > 0,  φ′(z) = 0 for z < 0,  φ′(0) := 0",
            zero_or_one,
        ),
        Step(
            "If z ≤ 0 on every row x of the training set, every term of the unit's gradient has the factor 0, and "
            "plain gradient descent leaves its weights and bias as they are:",
            r"\frac{\partial L}{\partial w} = \frac1N \sum_x \frac{\partial \ell_x}{\partial h}\, \varphi'(z_x)\, x "
            r"= 0, \qquad \frac{\partial L}{\partial b} "
            r"= \frac1N \sum_x \frac{\partial \ell_x}{\partial h}\, \varphi'(z_x) = 0",
            "∂L/∂w = mean over x of (∂ℓ/∂h · φ′(z) · x) = 0,  ∂L/∂b = 0",
            no_update,
        ),
        Step(
            "At initialisation half of a centred Gaussian is positive, whatever its variance q:",
            r"\mathbb{E}\,\varphi(\sqrt{q}\,Z)^2 = \tfrac{q}{2}, \quad \mathbb{E}\,\varphi'^2 = \tfrac12 "
            r"\;\Rightarrow\; \chi = \tfrac12 \sigma_w^2 = 1 \text{ at } \sigma_w^2 = 2 \text{ (He)}",
            "E φ(√q Z)² = q/2,  E φ′² = ½,  so χ = σ_w²/2 = 1 at σ_w² = 2 (He)",
            half_the_variance,
        ),
    ),
    corrections=(
        Correction(
            "ReLU is not differentiable, so gradient descent does not apply.",
            "It is differentiable everywhere but at z = 0, where any number from 0 to 1 is a subgradient. With weights "
            "from a continuous distribution z = 0 has probability 0, save where all inputs of a unit are 0 and so is "
            "its bias. There the convention decides: see `actlab example relu`, whose second unit has z = 0 exactly.",
            zero_or_one,
        ),
        Correction(
            "ReLU does not saturate.",
            "Not for z > 0. For z < 0 its slope is not small but 0.",
            zero_or_one,
        ),
        Correction(
            "With ReLU gradients survive the depth.",
            "At He's initialisation. At LeCun's (σ_w = 1) χ is ½, and a gradient loses 0.1505 decades per layer.",
            half_the_variance,
        ),
        Correction(
            "Dead units never come back.",
            "The unit's own weights get no gradient. But its inputs move with the layers below, and Adam and momentum "
            "still move weights by earlier gradients. In the first layer, whose inputs are the data, plain gradient "
            "descent without weight decay revives none.",
            no_update,
        ),
        Correction(
            "ReLU cures sigmoid's uncentred outputs.",
            "It does not: E φ(Z) = 1/√(2π) = 0.3989, and no value is negative.",
            positive_mean,
        ),
        Correction(
            "ReLU is many times cheaper.",
            "Elementwise: 2 operations for one element where sigmoid takes 20. A layer of width n takes about 2n for "
            "each of its outputs besides, in its matrix product.",
            counted_operations,
        ),
    ),
    claims={
        "R1": "cheap",
        "R2": "does not saturate for positive values; gradients survive",
        "R3": "units die, and dead units do not come back",
    },
)


def needs_alpha_below_one() -> tuple[Number, ...]:
    """max(αz, z) beside the function, for α up to 1, and at α = 2."""
    z = GRID
    apart = max(largest(np.maximum(a * z, z) - value("leaky_relu", z, negative_slope=a)) for a in (0.01, 0.5, 1.0))
    return (
        Number("max(αz, z) − φ(z), largest, α ≤ 1", apart, 0.0, tolerance=0.0),
        Number("max(αz, z) at α = 2, z = −1", max(2.0 * -1.0, -1.0), -1.0),
        Number("φ(−1) at α = 2", at("leaky_relu", -1.0, negative_slope=2.0), -2.0),
        Number(
            "min(αz, z) − φ(z), largest, α = 2",
            largest(np.minimum(2.0 * z, z) - value("leaky_relu", z, negative_slope=2.0)),
            0.0,
        ),
    )


def never_zero() -> tuple[Number, ...]:
    """The least slope, and the product of five of them."""
    least = float(slope("leaky_relu", GRID).min())
    return (
        Number("least slope at α = 0.01", least, ALPHA, tolerance=1e-15),
        Number("slope on the left of five layers, over α⁵", slope_at("leaky_relu", -1.0) ** 5 / ALPHA**5, 1.0),
    )


def he_with_slope() -> tuple[Number, ...]:
    """χ at He's initialisation with its slope, for three slopes."""
    chis = [2.0 / (1.0 + a**2) * slope_square("leaky_relu", negative_slope=a) for a in (0.01, 0.2, 2.0)]
    kept = [square("leaky_relu", 5.0, negative_slope=a) / 5.0 * 2.0 / (1.0 + a**2) for a in (0.01, 0.2)]
    return (
        *(Number("χ at σ_w² = 2/(1 + α²)", chi, 1.0) for chi in chis),
        *(Number("V(q)/q at σ_w² = 2/(1 + α²), q = 5", one, 1.0) for one in kept),
    )


def weak_all_the_same() -> tuple[Number, ...]:
    """α beside the slope below which a unit counts as weak."""
    return (
        Number("weak threshold of leaky_relu", weak_slope("leaky_relu"), 0.0354, tolerance=5e-5),
        Number("α", slope_at("leaky_relu", -1.0), 0.0354, "<"),
    )


def lecun_loses() -> tuple[Number, ...]:
    """What a gradient loses per layer at σ_w = 1."""
    return (Number("½ log₁₀ χ at σ_w = 1", decades(slope_square("leaky_relu")), -0.1505, tolerance=5e-5),)


LEAKY_RELU = Row(
    name="leaky_relu",
    comparison="Beside relu: αz instead of 0 for z < 0, with α = 0.01 as a rule. No piece is flat, so that no unit is "
    "constant over rows that differ.",
    problem="α is one more number to choose. At 0.01 a unit on its low side passes a hundredth of the gradient.",
    solution="prelu: α is learned.",
    fact="max(αz, z) needs α ≤ 1; φ′ ≥ α > 0, yet a path through k units on their low side passes only α^k",
    steps=(
        Step(
            "z − αz = (1 − α)z has the sign of z only for α < 1. So the usual short form has a condition:",
            r"\varphi(z) = \max(\alpha z, z) \iff \alpha \leq 1; \qquad \text{for } \alpha > 1 \text{ it is } "
            r"\min(\alpha z, z)",
            "φ(z) = max(αz, z) only if α ≤ 1;  for α > 1 it is min(αz, z)",
            needs_alpha_below_one,
        ),
        Step(
            "For 0 < α ≤ 1 the slope is at least α and never 0. Along a path through k units on their low side the "
            "slopes multiply:",
            r"\varphi'(z) \in \{\alpha, 1\}, \qquad \prod_{i=1}^{k} \varphi'(z_i) = \alpha^k "
            r"\text{ for } z_1, \dots, z_k < 0",
            "φ′(z) is α or 1;  φ′(z₁)·…·φ′(z_k) = α^k for z₁, …, z_k < 0",
            never_zero,
        ),
        Step(
            "At initialisation both halves of a centred Gaussian count, the left one with α²:",
            r"\mathbb{E}\,\varphi(\sqrt{q}\,Z)^2 = \tfrac{q}{2}(1 + \alpha^2), \quad "
            r"\chi = \tfrac12 \sigma_w^2 (1 + \alpha^2) = 1 \text{ at } \sigma_w^2 = \frac{2}{1 + \alpha^2}",
            "E φ(√q Z)² = q(1 + α²)/2,\nχ = σ_w²(1 + α²)/2 = 1 at σ_w² = 2/(1 + α²)",
            he_with_slope,
        ),
    ),
    corrections=(
        Correction(
            "A small negative slope prevents dying.",
            "By definition: it has no flat piece. A unit that is on its low side for all rows is linear and has the "
            "slope 0.01, below the 0.0354 (.05·√E φ′²) up to which actlab calls a unit weak.",
            weak_all_the_same,
        ),
        Correction(
            "Its gradients never fully vanish.",
            "No single slope is 0; their products are another matter. At LeCun's initialisation a gradient loses "
            "0.1505 decades per layer, as relu's does.",
            lecun_loses,
        ),
    ),
    claims={
        "L1": "a small negative slope prevents dying",
        "L2": "the choice of α is crucial",
        "L3": "its gradients never fully vanish",
    },
)


def slope_in_alpha() -> tuple[Number, ...]:
    """∂φ/∂α beside min(0, z), and the gradient of a loss by automatic differentiation beside the sum."""
    with jax.enable_x64(True):
        declared = np.asarray(CATALOGUE["prelu"].parameter_derivatives["alpha"](jnp.asarray(GRID), alpha=0.25))
        draw = np.random.default_rng(0)
        z_NxW, delta_NxW = draw.normal(size=(2, 20, 5))
        loss = lambda alpha: jnp.sum(delta_NxW * CATALOGUE["prelu"].function(jnp.asarray(z_NxW), alpha=alpha))
        automatic = float(jax.grad(loss)(0.25))
    return (
        Number("∂φ/∂α − min(0, z), largest", largest(declared - np.minimum(0.0, GRID)), 0.0, tolerance=0.0),
        Number("∂L/∂α, automatic less the sum", automatic - float((delta_NxW * np.minimum(0.0, z_NxW)).sum()), 0.0),
    )


def no_bound_on_alpha() -> tuple[Number, ...]:
    """The shape on either side of α = 1 and of α = 0."""

    def bend(alpha: float) -> float:
        return at("prelu", -1.0, alpha=alpha) + at("prelu", 1.0, alpha=alpha) - 2.0 * at("prelu", 0.0, alpha=alpha)

    return (
        Number("φ(−1) + φ(1) − 2φ(0) at α = ½", bend(0.5), 0.5),
        Number("φ(−1) + φ(1) − 2φ(0) at α = 1", bend(1.0), 0.0),
        Number("φ(−1) + φ(1) − 2φ(0) at α = 3/2", bend(1.5), -0.5),
        Number("largest slope for z < 0 at α = 0", largest(slope("prelu", LEFT, alpha=0.0)), 0.0, tolerance=0.0),
        Number("φ(−1) at α = −½", at("prelu", -1.0, alpha=-0.5), 0.5),
    )


def chi_moves() -> tuple[Number, ...]:
    """χ at the start and at α = 1, under He's initialisation for the start."""
    variance = 2.0 / (1.0 + 0.25**2)
    return (
        Number("χ at the start", variance * slope_square("prelu"), 1.0),
        Number("χ at α = 1", variance * slope_square("prelu", alpha=1.0), 1.882, tolerance=5e-4),
        Number("σ_w²", variance, 1.882, tolerance=5e-4),
    )


PRELU = Row(
    name="prelu",
    comparison="Beside leaky_relu: the same function, with α a parameter that is learned from 0.25 with the weights, "
    "one for each layer or unit.",
    problem="It is said to overfit on small data. Nothing keeps α between 0 and 1.",
    solution="Regularisation, or a simpler activation; elu, which has no slope to learn.",
    fact="∂L/∂α sums over all that lies on the low side; α may pass 1 (not convex) or 0 (not monotonic)",
    steps=(
        Step(
            "In α the function is linear for z < 0 and constant for z > 0:",
            r"\frac{\partial \varphi}{\partial \alpha} = \min(0, z), \qquad \frac{\partial L}{\partial \alpha} "
            r"= \sum_x \sum_j \frac{\partial L}{\partial h_{xj}} \min(0, z_{xj})",
            "∂φ/∂α = min(0, z),\n∂L/∂α = sum over rows x and units j of ∂L/∂h_xj · min(0, z_xj)",
            slope_in_alpha,
        ),
        Step(
            "The step on α has no bounds. How the function bends depends on where α gets to:",
            r"\varphi(-1) + \varphi(1) - 2\varphi(0) = 1 - \alpha: \quad \text{convex for } \alpha \leq 1, "
            r"\text{ linear at } 1, \text{ ReLU at } 0, \text{ not monotonic for } \alpha < 0",
            "φ(−1) + φ(1) − 2φ(0) = 1 − α: convex for α ≤ 1, linear at 1,\nReLU at 0, not monotonic for α < 0",
            no_bound_on_alpha,
        ),
        Step(
            "As α moves, so does what a layer does to the gradient. With He's weights for α = ¼:",
            r"\sigma_w^2 = \frac{2}{1 + \frac{1}{16}} = 1.882, \quad \chi = \tfrac12 \sigma_w^2 (1 + \alpha^2): "
            r"\; 1 \text{ at } \alpha = \tfrac14, \; 1.882 \text{ at } \alpha = 1",
            "σ_w² = 2/(1 + 1/16) = 1.882,  χ = σ_w²(1 + α²)/2:\n1 at α = ¼, 1.882 at α = 1",
            chi_moves,
        ),
    ),
    corrections=(
        Correction(
            "It overfits because it has more parameters.",
            "It has one α for each layer, or for each unit, where a layer of width 64 has 4,160 weights and biases. "
            "Whether so few make a difference is a question for an experiment (P2), not for a count.",
        ),
        Correction(
            "It learns the best slope.",
            "It descends the training loss in α; what is best for rows that it has not seen, that loss does not say.",
        ),
        Correction(
            "Weight decay mends it.",
            "Decay on α pulls it towards 0, which is relu. actlab spares α unless asked.",
            no_bound_on_alpha,
        ),
    ),
    claims={
        "P1": "learns α from the data",
        "P2": "overfits on small data",
        "P3": "regularisation or a simpler activation mends that",
    },
)
