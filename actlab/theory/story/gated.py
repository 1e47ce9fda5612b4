"""The story of GELU, swish and mish: z times a gate, a minimum below zero, and a signal that He's weights shrink."""

import math
from collections.abc import Callable

import numpy as np

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
    slope,
    slope_at,
    slope_square,
    square,
    value,
)

FINE = np.linspace(-8.0, 8.0, 16001)
SMALL = 1e-10  # a variance at which a smooth function is its tangent


def density(z: np.ndarray) -> np.ndarray:
    """The standard normal density."""
    return np.exp(-(z**2) / 2.0) / math.sqrt(2.0 * math.pi)


def cdf(z: np.ndarray) -> np.ndarray:
    """The standard normal distribution function."""
    return np.array([0.5 * math.erfc(-one / math.sqrt(2.0)) for one in z])


def gate(z: np.ndarray) -> np.ndarray:
    """σ(z)."""
    return value("sigmoid", z)


def minimum(name: str, z: float, low: float, digits: float, **parameters: float) -> tuple[Number, ...]:
    """The slope at a minimum, the value there, and that no value on a grid is below it."""
    return (
        Number(f"φ′({z})", slope_at(name, z, **parameters), 0.0, tolerance=digits),
        Number(f"φ({z})", at(name, z, **parameters), low, tolerance=digits),
        Number("the point itself", z, z),
        Number("least value", float(value(name, GRID, **parameters).min()), low - digits, "≥"),
        Number("slope left of it", slope_at(name, z - 0.1, **parameters), 0.0, "<"),
        Number("slope right of it", slope_at(name, z + 0.1, **parameters), 0.0, ">"),
    )


def gelu_slope() -> tuple[Number, ...]:
    """φ' beside Φ + zp."""
    z = np.linspace(-10.0, 10.0, 401)
    return (Number("φ′ − Φ − zp, largest", largest(slope("gelu", z) - cdf(z) - z * density(z)), 0.0, tolerance=1e-14),)


def gelu_bends() -> tuple[Number, ...]:
    """φ'' by differences beside (2 − z²)p, and the slopes where it is 0."""
    z, step = np.linspace(-6.0, 6.0, 241), 1e-5
    bend = (slope("gelu", z + step) - slope("gelu", z - step)) / (2.0 * step)
    root = math.sqrt(2.0)
    return (
        Number("φ″ − (2 − z²)p, largest", largest(bend - (2.0 - z**2) * density(z)), 0.0, tolerance=1e-8),
        Number("φ′(√2)", slope_at("gelu", root), 1.1289, tolerance=5e-5),
        Number("φ′(−√2)", slope_at("gelu", -root), -0.1289, tolerance=5e-5),
        Number("largest φ′", float(slope("gelu", FINE).max()), slope_at("gelu", root), "≤"),
    )


def gelu_minimum() -> tuple[Number, ...]:
    """Where the slope is 0."""
    return minimum("gelu", -0.75179, -0.16997, 5e-6)


def halves_squares(name: str, gate_of: Callable[[np.ndarray], np.ndarray]) -> tuple[Number, ...]:
    """φ(z)² + φ(−z)² beside z²(1 − 2g(1 − g)), and V(q)/q at He's weights for several q."""
    z = np.linspace(0.04, 20.0, 500)
    g = gate_of(z)
    both = value(name, z) ** 2 + value(name, -z) ** 2
    return (
        Number("g(z) + g(−z) − 1, largest", largest(g + gate_of(-z) - 1.0), 0.0, tolerance=1e-14),
        Number(
            "φ(z)² + φ(−z)² less z²(1 − 2g(1 − g)), largest",
            largest(both / z**2 - 1.0 + 2.0 * g * (1.0 - g)),
            0.0,
            tolerance=1e-12,
        ),
        *(Number(f"V(q)/q at σ_w² = 2, q = {q:g}", 2.0 * square(name, q) / q, 1.0, "<") for q in (1e-3, 1.0, 1e3)),
    )


def gelu_shrinks() -> tuple[Number, ...]:
    """The same of GELU."""
    return halves_squares("gelu", cdf)


def small_signals(name: str, at_zero: float, chi: float, lost: float) -> tuple[Number, ...]:
    """φ'(0), and χ of small signals at He's weights."""
    small = 2.0 * slope_square(name, SMALL)
    return (
        Number("φ′(0)", slope_at(name, 0.0), at_zero, tolerance=1e-12),
        Number("χ as q → 0 at σ_w² = 2", small, chi, tolerance=1e-8),
        Number("½ log₁₀ χ", decades(small), lost, tolerance=5e-5),
    )


def gelu_small() -> tuple[Number, ...]:
    """The same of GELU."""
    return small_signals("gelu", 0.5, 0.5, -0.1505)


GELU = Row(
    name="gelu",
    comparison="Beside relu: z is multiplied by Φ(z), the share of a standard normal below z, instead of by 0 or 1. "
    "Smooth everywhere; close to relu for large |z|.",
    problem="Its slope tends to 0 on the low side. It costs more than relu: 36 operations for one element against 5, "
    "with the derivative.",
    solution="swish: a gate that is cheaper to compute and has a parameter to learn.",
    fact="a minimum of −0.16997 at z = −0.75179; under He's weights the signal shrinks at every q",
    steps=(
        Step(
            "By the product rule, with p the standard normal density, whose slope is −z·p(z):",
            r"\varphi'(z) = \Phi(z) + z\,p(z), \qquad \varphi''(z) = (2 - z^2)\,p(z)",
            "φ′(z) = Φ(z) + z·p(z),  φ″(z) = (2 − z²)·p(z)",
            lambda: (*gelu_slope(), *gelu_bends()),
        ),
        Step(
            "So the slope is largest at √2, where it is above 1, and least at −√2, where it is below 0: the function "
            "is neither convex nor monotonic.",
            r"\varphi'(\sqrt2) = 1.1289, \qquad \varphi'(-\sqrt2) = -0.1289",
            "φ′(√2) = 1.1289,  φ′(−√2) = −0.1289",
            gelu_bends,
        ),
        Step(
            "Between −√2 and √2 the slope rises, and crosses 0 once: at the minimum.",
            r"\Phi(z) = -z\,p(z) \;\Rightarrow\; z = -0.75179, \quad \varphi(z) = -0.16997",
            "Φ(z) = −z·p(z),  so z = −0.75179,  φ(z) = −0.16997",
            gelu_minimum,
        ),
        Step(
            "Its gate is symmetric, Φ(−z) = 1 − Φ(z), so that z and −z together keep less than z². Under He's "
            "weights (σ_w² = 2, zero biases) the mean square therefore shrinks in every layer, whatever it is:",
            r"\varphi(z)^2 + \varphi(-z)^2 = z^2 \bigl( 1 - 2\,\Phi(z)\,(1 - \Phi(z)) \bigr) < z^2 "
            r"\;\Rightarrow\; 2\,\mathbb{E}\,\varphi(\sqrt{q}\,Z)^2 < q",
            "φ(z)² + φ(−z)² = z²(1 − 2Φ(z)(1 − Φ(z))) < z²,\nso 2·E φ(√q Z)² < q",
            gelu_shrinks,
        ),
        Step(
            "A small signal meets the tangent at 0, and keeps half of its squared norm per layer, as does its "
            "gradient:",
            r"\varphi'(0) = \tfrac12 \;\Rightarrow\; \chi \to 2 \cdot \tfrac14 = \tfrac12 \text{ as } q \to 0, "
            r"\quad \tfrac12 \log_{10} \chi = -0.1505",
            "φ′(0) = ½,  so χ → 2·¼ = ½ as q → 0,  ½ log₁₀ χ = −0.1505",
            gelu_small,
        ),
    ),
    corrections=(
        Correction(
            "Being smooth, it has the better gradient flow.",
            "Smoothness does not set χ. Under He's weights ReLU has χ = 1 at every q, and GELU's gradients lose up to "
            "0.1505 decades per layer in the limit. Other weights are better for it: `actlab describe gelu`.",
            gelu_small,
        ),
        Correction(
            "Its slope is between 0 and 1, as a gate's.",
            "The gate is; the slope reaches 1.1289 at √2 and −0.1289 at −√2.",
            gelu_bends,
        ),
    ),
    claims={
        "G1": "smooth, non-convex, non-monotonic",
        "G2": "captures complex patterns better than ReLU",
        "G3": "costs more",
    },
)


def only_a_scale() -> tuple[Number, ...]:
    """swish_β(z) beside swish₁(βz)/β."""
    apart = [largest(value("swish", GRID, beta=b) - value("swish", b * GRID) / b) for b in (0.5, 2.0, 10.0)]
    return tuple(Number("swish_β(z) − swish₁(βz)/β, largest", one, 0.0, tolerance=1e-12) for one in apart)


def from_line_to_relu() -> tuple[Number, ...]:
    """How far swish is from z/2 at a small β, and from ReLU at a large one."""
    relu = np.maximum(FINE, 0.0)
    far = [b * largest(value("swish", FINE, beta=b) - relu) for b in (1.0, 5.0, 20.0)]
    return (
        Number("swish − z/2 at β = 0, largest", largest(value("swish", FINE, beta=0.0) - FINE / 2.0), 0.0),
        *(Number("β·|swish − relu|, largest", one, 0.27846, tolerance=5e-6) for one in far),
    )


def swish_minimum() -> tuple[Number, ...]:
    """Where the slope is 0, for two β; and that W(1/e) is in both numbers."""
    twice = minimum("swish", -1.27846 / 2.0, -0.27846 / 2.0, 5e-6, beta=2.0)
    w = 0.27846454
    return (
        *minimum("swish", -1.27846, -0.27846, 5e-6),
        *twice[:2],
        Number("W e^W at W = 0.27846", w * math.exp(w), math.exp(-1.0), tolerance=1e-7),
    )


def swish_shrinks() -> tuple[Number, ...]:
    """What GELU's gate does, swish's does too; and φ'(0) for three β."""
    slopes = [slope_at("swish", 0.0, beta=b) for b in (0.3, 1.0, 4.0)]
    return (
        *halves_squares("swish", gate),
        *small_signals("swish", 0.5, 0.5, -0.1505),
        *(Number("φ′(0)", one, 0.5, tolerance=1e-12) for one in slopes),
    )


def swish_from_gelu() -> tuple[Number, ...]:
    """The largest distance of swish from GELU at two β, with where."""
    return (
        Number("swish − gelu at β = 1, largest", largest(value("swish", FINE) - value("gelu", FINE)), 0.193, "=", 5e-5),
        Number(
            "swish − gelu at β = 1.702, largest",
            largest(value("swish", FINE, beta=1.702) - value("gelu", FINE)),
            0.0203,
            tolerance=5e-5,
        ),
        Number("β", 1.702, 1.702),
    )


SWISH = Row(
    name="swish",
    comparison="Beside gelu: the gate is σ(βz), with β learned from 1. β = 1.702 is gelu's own sigmoid approximation; "
    "a fixed β = 1 is silu.",
    problem="Its slope tends to 0 on the low side as well. It costs more than relu, and β is one more parameter to "
    "train.",
    solution="mish: the same shape without a parameter, and a larger slope at 0.",
    fact="a minimum of −0.27846/β at z = −1.27846/β; β is a scale: swish_β(z) = swish₁(βz)/β",
    steps=(
        Step(
            "β enters with z alone, so that it stretches both axes:",
            r"\operatorname{swish}_\beta(z) = z\,\sigma(\beta z) = \frac{1}{\beta} \operatorname{swish}_1(\beta z)",
            "swish_β(z) = z·σ(βz) = swish₁(βz)/β",
            only_a_scale,
        ),
        Step(
            "It leads from a straight line to ReLU, and nowhere is farther from ReLU than this:",
            r"\beta = 0: \; \tfrac{z}{2}; \qquad \max_z \left| \operatorname{swish}_\beta(z) - \max(0, z) \right| "
            r"= \max_z |z|\,\sigma(-\beta |z|) = \frac{0.27846}{\beta}",
            "β = 0: z/2;  largest |swish_β(z) − max(0, z)| = 0.27846/β",
            from_line_to_relu,
        ),
        Step(
            "The slope is 0 at one point. With W Lambert's function, x = W(1/e) solves x·e^x = 1/e:",
            r"\varphi' = \sigma(\beta z) \bigl( 1 + \beta z\,(1 - \sigma(\beta z)) \bigr) = 0 \;\Rightarrow\; "
            r"\beta z = -(1 + W(1/e)) = -1.27846, \quad \beta \varphi = -W(1/e) = -0.27846",
            "φ′ = σ(βz)(1 + βz(1 − σ(βz))) = 0,\nso βz = −(1 + W(1/e)) = −1.27846,  βφ = −W(1/e) = −0.27846",
            swish_minimum,
        ),
        Step(
            "σ(−z) = 1 − σ(z) as well: under He's weights the signal shrinks in every layer, towards the tangent at 0, "
            "whose slope no β changes:",
            r"2\,\mathbb{E}\,\varphi(\sqrt{q}\,Z)^2 < q, \qquad \varphi'(0) = \tfrac12, \qquad \chi \to \tfrac12, "
            r"\quad \tfrac12 \log_{10} \chi = -0.1505",
            "2·E φ(√q Z)² < q,  φ′(0) = ½,  χ → ½,  ½ log₁₀ χ = −0.1505",
            swish_shrinks,
        ),
    ),
    corrections=(
        Correction(
            "β gives the function another shape for each task.",
            "Another scale. What can be read from a learned β is β·√E z², how far the inputs reach; and the weights "
            "before and after the unit can bring about the same.",
            only_a_scale,
        ),
        Correction(
            "Swish is nearly GELU.",
            "At β = 1 they differ by up to 0.193, at β = 1.702 by up to 0.0203.",
            swish_from_gelu,
        ),
    ),
    claims={
        "W1": "trainable β adapts to the task",
        "W2": "close to GELU, and a little more expensive than ReLU",
        "W3": "more effective than GELU on some tasks",
    },
)


def mish_gate() -> tuple[Number, ...]:
    """The gate by one exponential beside the definition."""
    z = GRID[GRID != 0.0]
    w = (1.0 + np.exp(z)) ** 2
    defined = z * np.tanh(np.logaddexp(0.0, z))
    return (
        Number("φ − z·tanh(ln(1 + e^z)), largest", largest(value("mish", z) - defined), 0.0, tolerance=1e-12),
        Number("φ/z − ((1 + e^z)² − 1)/((1 + e^z)² + 1)", largest(value("mish", z) / z - (w - 1.0) / (w + 1.0)), 0.0),
    )


def bounded_below_only() -> tuple[Number, ...]:
    """The minimum, the limit on the left, and growth on the right."""
    return (
        *minimum("mish", -1.19243, -0.30884, 5e-6),
        Number("φ(−30)", at("mish", -30.0), 0.0, tolerance=1e-10),
        Number("φ(10⁶)", at("mish", 1e6), 1e6, tolerance=1e-3),
    )


def mish_slopes() -> tuple[Number, ...]:
    """φ'(0) of mish, its χ for small signals, and that the signal shrinks under He's weights as well."""
    return (
        *small_signals("mish", 0.6, 0.72, -0.0713),
        Number("½ log₁₀ χ of gelu", decades(2.0 * slope_square("gelu", SMALL)), -0.1505, tolerance=5e-5),
        *(Number(f"V(q)/q at σ_w² = 2, q = {q:g}", 2.0 * square("mish", q) / q, 1.0, "<") for q in (1e-3, 1.0, 1e3)),
    )


def mish_cost() -> tuple[Number, ...]:
    """Weighted operations with the derivative."""
    counts = {"mish": 36, "swish": 31, "gelu": 36, "relu": 5}
    return tuple(Number(f"operations of {name}", cost(name, training=True), n) for name, n in counts.items())


MISH = Row(
    name="mish",
    comparison="Beside swish: the gate is tanh(ln(1 + e^z)), without a parameter. At 0 the slope is 3/5 where gelu and "
    "swish have ½.",
    problem="Its slope tends to 0 on the low side, as theirs do; it is no cheaper.",
    solution="Nothing: the chain ends here.",
    fact="bounded below only: a minimum of −0.30884 at z = −1.19243; φ′(0) = 3/5",
    steps=(
        Step(
            "tanh of a logarithm is a quotient, for which one exponential is enough:",
            r"\tanh\bigl(\ln(1 + e^z)\bigr) = \frac{(1 + e^z)^2 - 1}{(1 + e^z)^2 + 1}",
            "tanh(ln(1 + e^z)) = ((1 + e^z)² − 1)/((1 + e^z)² + 1)",
            mish_gate,
        ),
        Step(
            "It turns once, at its minimum; on the left it tends to 0, on the right it grows as z:",
            r"\varphi(-1.19243) = -0.30884 \leq \varphi(z), \qquad \lim_{z \to -\infty} \varphi(z) = 0, \qquad "
            r"\lim_{z \to \infty} \varphi(z) = \infty",
            "φ(−1.19243) = −0.30884 ≤ φ(z);  φ → 0 for z → −∞,  φ → ∞ for z → ∞",
            bounded_below_only,
        ),
        Step(
            "At 0 the slope is the gate. Under He's weights a small signal therefore keeps more of its squared norm "
            "per layer than with gelu or swish, whose ½ log₁₀ χ is −0.1505 there:",
            r"\varphi'(0) = \tanh(\ln 2) = \tfrac35 \;\Rightarrow\; \chi \to 2 \cdot \tfrac{9}{25} = 0.72, \quad "
            r"\tfrac12 \log_{10} \chi = -0.0713",
            "φ′(0) = tanh(ln 2) = 3/5,  so χ → 2·9/25 = 0.72,  ½ log₁₀ χ = −0.0713",
            mish_slopes,
        ),
    ),
    corrections=(
        Correction(
            "Mish is bounded.",
            "Below only, by −0.30884. Above it grows without a bound, as relu does.",
            bounded_below_only,
        ),
        Correction(
            "Mish has the better gradient flow.",
            "At He's initialisation than gelu and swish, by the constant above: a property of φ′(0), not of training. "
            "It shrinks as well: −0.0713 decades per layer for small signals, where relu has 0.",
            mish_slopes,
        ),
        Correction(
            "Mish answers the cost of swish and gelu.",
            "Counted with the derivative it takes 36 operations for one element, swish 31, gelu 36 and relu 5.",
            mish_cost,
        ),
        Correction(
            "Mish is self-regularising.",
            "No step of a derivation leads there; it is a claim about generalisation, which only an experiment (M3) "
            "can decide.",
        ),
    ),
    claims={
        "M1": "smooth, non-monotonic, bounded",
        "M2": "better gradient flow and faster convergence than swish and GELU",
        "M3": "self-regularising",
        "M4": "answers the computational cost of swish and GELU",
    },
)
