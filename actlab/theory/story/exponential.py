"""The story of ELU and SELU: an exponential on the low side, and constants that make a fixed point."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from actlab.theory.gaussian import gaussian_expectation
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
    moments,
    phi,
    slope,
    slope_at,
    slope_square,
    square,
    value,
    weak_slope,
)

LEFT = GRID[GRID < 0]
JUST = 1e-9  # beside the kink
SELU_ALPHA, SELU_LAMBDA = 1.6732632423543772, 1.0507009873554805


def tail(x: float) -> float:
    """Φ(−x), the Gaussian mass above x."""
    return 0.5 * math.erfc(x / math.sqrt(2.0))


def elu_slope() -> tuple[Number, ...]:
    """The slope for z < 0 beside α e^z, and beside the value plus α, at two α."""
    away = [largest(slope("elu", LEFT, alpha=a) - a * np.exp(LEFT)) for a in (1.0, 0.5)]
    made = [largest(slope("elu", LEFT, alpha=a) - value("elu", LEFT, alpha=a) - a) for a in (1.0, 0.5)]
    return tuple(Number("φ′ for z < 0, largest difference", one, 0.0, tolerance=1e-14) for one in (*away, *made))


def meets_at_the_kink() -> tuple[Number, ...]:
    """The slopes on both sides of 0, at α = 1 and elsewhere, and the second derivative's jump at α = 1."""
    sides = [
        Number(
            f"φ′(0+) − φ′(0−) at α = {a:g}", slope_at("elu", JUST) - slope_at("elu", -JUST, alpha=a), 1.0 - a, "=", 1e-8
        )
        for a in (0.5, 1.0, 2.0)
    ]
    step = 1e-4
    bend = [(slope_at("elu", side + step) - slope_at("elu", side)) / step for side in (-step - JUST, JUST)]
    return (
        *sides,
        *(Number("φ′(0+)", slope_at("elu", JUST, alpha=a), 1.0) for a in (0.5, 1.0, 2.0)),
        Number("φ″(0−) at α = 1", bend[0], 1.0, tolerance=1e-4),
        Number("φ″(0+) at α = 1", bend[1], 0.0, tolerance=1e-6),
    )


def elu_low_side() -> tuple[Number, ...]:
    """The limit of value and slope on the low side."""
    return (
        Number("φ(−30)", at("elu", -30.0), -1.0, tolerance=1e-12),
        Number("least slope for z < 0", float(slope("elu", LEFT).min()), 0.0, ">"),
        Number("φ′(−10)", slope_at("elu", -10.0), 0.0000454, tolerance=5e-8),
    )


def elu_mean() -> tuple[Number, ...]:
    """E φ(Z) of ELU beside its closed form, and of ReLU."""
    closed = math.sqrt(math.e) * tail(1.0) - 0.5 + 1.0 / math.sqrt(2.0 * math.pi)
    return (
        Number("E elu(Z)", mean("elu"), closed),
        Number("E elu(Z)", mean("elu"), 0.1605, tolerance=5e-5),
        Number("E relu(Z)", mean("relu"), 0.3989, tolerance=5e-5),
    )


def elu_weak_point() -> tuple[Number, ...]:
    """Below which z a slope of e^z is weak."""
    return (Number("ln of the weak threshold", math.log(weak_slope("elu")), -3.197, tolerance=5e-4),)


ELU = Row(
    name="elu",
    comparison="Beside relu and its leaky kin: below zero it bends smoothly to −α instead of going on in a straight "
    "line, so that its mean lies nearer to 0 and a very negative z adds no noise.",
    problem="It saturates on the low side, where its slope is α·e^z. It needs an exponential. Its mean and variance "
    "still drift with depth.",
    solution="selu: constants that make mean 0 and variance 1 a fixed point.",
    fact="C¹ only at α = 1: φ′(0−) = α, φ′(0+) = 1",
    steps=(
        Step(
            "Below zero the slope is the value plus α:",
            r"\varphi(z) = \alpha(e^z - 1) \;\Rightarrow\; \varphi'(z) = \alpha e^z = \varphi(z) + \alpha "
            r"\qquad (z < 0)",
            "φ(z) = α(e^z − 1),  so φ′(z) = αe^z = φ(z) + α   (z < 0)",
            elu_slope,
        ),
        Step(
            "So the two slopes at 0 meet at one α only; and there the second derivative still jumps:",
            r"\varphi'(0^-) = \alpha, \quad \varphi'(0^+) = 1: \quad C^1 \iff \alpha = 1; \qquad "
            r"\varphi''(0^-) = 1, \; \varphi''(0^+) = 0",
            "φ′(0−) = α, φ′(0+) = 1: C¹ only if α = 1;  φ″(0−) = 1, φ″(0+) = 0",
            meets_at_the_kink,
        ),
        Step(
            "Far below zero value and slope approach their limits: it saturates there.",
            r"z \to -\infty: \quad \varphi(z) \to -\alpha, \quad \varphi'(z) = \alpha e^z \to 0, \quad "
            r"\varphi'(-10) = 0.0000454 \text{ at } \alpha = 1",
            "z → −∞:  φ(z) → −α,  φ′(z) = αe^z → 0,  φ′(−10) = 0.0000454 at α = 1",
            elu_low_side,
        ),
        Step(
            "The negative values take from the mean. With Φ the standard normal distribution function, at α = 1:",
            r"\mathbb{E}\,\varphi(Z) = \frac{1}{\sqrt{2\pi}} + \sqrt{e}\,\Phi(-1) - \tfrac12 = 0.1605, \qquad "
            r"\text{where ReLU has } \frac{1}{\sqrt{2\pi}} = 0.3989",
            "E φ(Z) = 1/√(2π) + √e·Φ(−1) − ½ = 0.1605,\nwhere ReLU has 1/√(2π) = 0.3989",
            elu_mean,
        ),
    ),
    corrections=(
        Correction(
            "ELU is smooth.",
            "Once differentiable, and only at α = 1; its second derivative jumps there too. celu is C¹ at any α.",
            meets_at_the_kink,
        ),
        Correction(
            "Its gradient is never zero for z < 0.",
            "True, but it falls as e^z: below z = −3.197 it is under .05·√E φ′², which actlab calls weak.",
            elu_weak_point,
        ),
        Correction(
            "Its mean activation is zero.",
            "Nearer to zero than ReLU's: 0.1605, not 0, for a standard normal z.",
            elu_mean,
        ),
    ),
    claims={
        "E1": "negative outputs reduce bias shift",
        "E2": "smooth across the origin, gradient never zero for z < 0",
        "E3": "converges faster and more stably",
    },
)


def selu_constants() -> tuple[Number, ...]:
    """α and λ from the two equations, and the moments that they give."""
    root_e, square_e, half = math.sqrt(math.e), math.e**2, 0.5
    alpha = 1.0 / math.sqrt(2.0 * math.pi) / (half - root_e * tail(1.0))
    low = alpha**2 * (square_e * tail(2.0) - 2.0 * root_e * tail(1.0) + half)
    return (
        Number("α", alpha, SELU_ALPHA, tolerance=1e-12),
        Number("λ", 1.0 / math.sqrt(half + low), SELU_LAMBDA, tolerance=1e-12),
        Number("α", alpha, 1.6733, tolerance=5e-5),
        Number("λ", SELU_LAMBDA, 1.0507, tolerance=5e-5),
        Number("slope of the catalogue's at 1", slope_at("selu", 1.0), SELU_LAMBDA, tolerance=1e-14),
        Number("E φ(Z)", mean("selu"), 0.0, tolerance=1e-11),
        Number("E φ(Z)²", square("selu"), 1.0, tolerance=1e-11),
    )


def attracting() -> tuple[Number, ...]:
    """The map's slopes at (0, 1), by Stein's lemma and by differences."""
    in_mean = gaussian_expectation(lambda z: 0.5 * z * slope("selu", z))
    in_variance = moments("selu").z_value_slope

    def variance(v: float) -> float:
        return square("selu", v) - mean("selu", v) ** 2

    def by_difference(f: Callable[[float], float], step: float = 1e-4) -> float:
        return (f(1.0 + step) - f(1.0 - step)) / (2.0 * step)

    return (
        Number("∂μ′/∂ν", in_mean, 0.0888, tolerance=5e-5),
        Number("∂ν′/∂ν", in_variance, 0.7826, tolerance=5e-5),
        Number("∂ν′/∂ν", in_variance, 1.0, "<"),
        Number("∂μ′/∂ν by differences", by_difference(partial(mean, "selu")), in_mean, tolerance=1e-7),
        Number("∂ν′/∂ν by differences", by_difference(variance), in_variance, tolerance=1e-7),
        Number("variance after 60 layers from 3", repeated(variance, 3.0, 60), 1.0, tolerance=1e-4),
        Number("variance after 60 layers from 0.2", repeated(variance, 0.2, 60), 1.0, tolerance=1e-4),
    )


def repeated(step: Callable[[float], float], x: float, times: int) -> float:
    """Apply a function to its own value so many times."""
    for _ in range(times):
        x = step(x)
    return x


def gradients_grow() -> tuple[Number, ...]:
    """χ at the fixed point, the decades, and the factor over 100 layers."""
    chi = slope_square("selu")
    return (
        Number("χ", chi, 1.0716, tolerance=5e-5),
        Number("½ log₁₀ χ", decades(chi), 0.0150, tolerance=5e-5),
        Number("χ^50", chi**50, 31.7, tolerance=0.05),
    )


def other_gains() -> tuple[Number, ...]:
    """What He's weights do, whose map has no fixed point, and where a gain of ¾ settles."""
    q = settled(phi("selu"), 0.75).q
    deviation = math.sqrt(square("selu", q) - mean("selu", q) ** 2)
    growth = [2.0 * square("selu", q) / q for q in (0.01, 1.0, 100.0, 1e6)]
    return (
        *(Number("V(q)/q at σ_w² = 2", one, 1.0, ">") for one in growth),
        Number("σ of h at a gain of 3/4", deviation, 0.20, tolerance=5e-3),
    )


SELU = Row(
    name="selu",
    comparison="Beside elu: the same shape, times λ and with another α, chosen so that pre-activations of mean 0 and "
    "variance 1 give activations of mean 0 and variance 1.",
    problem="It holds for weights of variance 1/n, standardised inputs and plain layers: other initialisations, "
    "ordinary dropout and skip connections break it.",
    solution="Keep its conditions (LeCun's weights, alpha dropout); elsewhere gelu.",
    fact="(0, 1) is an attracting fixed point of mean and variance, but χ = 1.0716 > 1: gradients grow",
    steps=(
        Step(
            "Two equations for two constants, with Φ the standard normal distribution function:",
            r"\begin{aligned} \mathbb{E}\,\varphi(Z) = 0 &\;\Rightarrow\; \alpha = "
            r"\frac{1/\sqrt{2\pi}}{\frac12 - \sqrt{e}\,\Phi(-1)} = 1.6733 \\ "
            r"\mathbb{E}\,\varphi(Z)^2 = 1 &\;\Rightarrow\; \lambda^{-2} = \tfrac12 + \alpha^2 \left( e^2\,\Phi(-2) "
            r"- 2\sqrt{e}\,\Phi(-1) + \tfrac12 \right), \; \lambda = 1.0507 \end{aligned}",
            "E φ(Z) = 0,  so α = (1/√(2π)) / (½ − √e·Φ(−1)) = 1.6733;\n"
            "E φ(Z)² = 1, so 1/λ² = ½ + α²(e²·Φ(−2) − 2√e·Φ(−1) + ½), λ = 1.0507",
            selu_constants,
        ),
        Step(
            "So (μ, ν) = (0, 1) is a fixed point of the map from a layer's mean and variance to the next one's, for "
            "weights that sum to 0 and whose squares sum to 1. Its slopes there, E[Zφ′]/2 and E[Zφφ′], are below 1: "
            "the point attracts.",
            r"\frac{\partial(\mu', \nu')}{\partial(\mu, \nu)}\bigg|_{(0,1)} = \begin{pmatrix} 0 & 0.0888 \\ "
            r"0 & 0.7826 \end{pmatrix}, \qquad \text{eigenvalues } 0 \text{ and } 0.7826 < 1",
            "∂(μ′, ν′)/∂(μ, ν) at (0, 1) = (0, 0.0888; 0, 0.7826),\neigenvalues 0 and 0.7826 < 1",
            attracting,
        ),
        Step(
            "The gradient is another matter: at that point its squared norm grows by χ per layer, by 31.7 over 50 "
            "layers.",
            r"\chi = \mathbb{E}\,\varphi'(Z)^2 = 1.0716, \quad \tfrac12 \log_{10} \chi = 0.0150 "
            r"\text{ decades per layer}, \quad \chi^{50} = 31.7",
            "χ = E φ′(Z)² = 1.0716, ½ log₁₀ χ = 0.0150 decades per layer, χ^50 = 31.7",
            gradients_grow,
        ),
    ),
    corrections=(
        Correction(
            "Self-normalising means that gradients neither vanish nor explode.",
            "The forward pass normalises itself. The gradient grows, by 0.0150 decades per layer: a little, and more "
            "than none.",
            gradients_grow,
        ),
        Correction(
            "Any initialisation will do, since the fixed point attracts.",
            "It attracts at LeCun's weights (σ_w = 1). At He's (σ_w² = 2) the second moment grows in every layer, "
            "without a limit; at a gain of 3/4 the standard deviation settles at 0.20, not at 1.",
            other_gains,
        ),
    ),
    claims={
        "U1": "self-normalises in a plain MLP with LeCun's weights and standardised inputs",
        "U2": "the conditions are needed",
        "U3": "where SELU's conditions fail, GELU does better",
    },
)
