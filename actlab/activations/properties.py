"""Properties of an activation, found by looking at the function, and what its record declares held against them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any

import numpy as np

from actlab.activations.base import Activation
from actlab.activations.closed_form import Phi
from actlab.activations.cost import operations
from actlab.activations.flatness import flat_intervals
from actlab.activations.inspect import (
    BLOCK,
    EDGES,
    NOISE,
    REACH,
    bounds,
    evaluate,
    find_kinks,
    negligible,
    steepest,
    turning_points,
    vanishing_sides,
)
from actlab.activations.twins import BEGIN, said, twins
from actlab.later import Array, jax, jnp, pd
from actlab.naming import listed

MOST_SAID = 5
"""So many kinks and flat pieces are named on the terminal."""


@dataclass(frozen=True)
class Properties:
    """What the function shows; the names are those of ``Activation``, and three more.

    Attributes:
        max_slope: sup |φ'|.
        operations: weighted operations of φ for one element (see ``cost``).
        operations_with_derivative: of φ and the product of an incoming gradient with φ'.
    """

    range: str
    extremum: tuple[float, float] | None
    monotonic: bool
    convex: bool
    odd: bool
    smoothness: str
    kinks: tuple[float, ...]
    flat_set: str
    saturates: str
    max_slope: float
    operations: int
    operations_with_derivative: int


def examine(record: Activation, parameters: Mapping[str, float] | None = None) -> Properties:
    """Determine the properties of an activation at its default or other parameters.

    Args:
        record: from ``CATALOGUE`` or ``load``.
        parameters: values that differ from its defaults.

    >>> from actlab.activations import CATALOGUE
    >>> examine(CATALOGUE["elu"]).smoothness, examine(CATALOGUE["elu"], {"alpha": 0.5}).smoothness
    ('C1', 'C0')
    """
    phi = partial(record.function, **{**record.parameters, **(parameters or {})})
    values, slopes = evaluate(phi, EDGES)
    kinks, smoothness = find_kinks(phi)
    turning = turning_points(phi)
    flat = flat_intervals(phi)
    extremum = (turning[0], float(evaluate(phi, np.array(turning))[0, 0])) if len(turning) == 1 else None
    mirrored = evaluate(phi, -EDGES)[0]
    return Properties(
        range=range_text(*bounds(phi, turning, flat)),
        extremum=extremum,
        monotonic=bool((slopes >= -negligible(slopes)).all() and (np.diff(values) >= -negligible(values)[1:]).all()),
        convex=smoothness != "discontinuous" and bool((np.diff(slopes) >= -negligible(slopes)[1:]).all()),
        odd=bool((np.abs(values + mirrored) <= NOISE * (1.0 + np.abs(values))).all()),
        smoothness=smoothness,
        kinks=kinks,
        flat_set=interval_text(flat),
        saturates={(0, 0): "none", (1, 0): "low", (0, 1): "high", (1, 1): "both"}[vanishing_sides(phi)],
        max_slope=steepest(phi),
        operations=operations(phi),
        operations_with_derivative=operations(lambda z, g: value_and_pullback(phi, z, g), arguments=2),
    )


def value_and_pullback(phi: Phi, z: Array, gradient: Array) -> tuple[Array, Array]:
    """Compute φ(z), and the product of an incoming gradient with φ'(z): what training asks of an activation."""
    value, pullback = jax.vjp(phi, z)
    return value, pullback(gradient)[0]


def disagreements(record: Activation) -> list[str]:
    """List where a record declares other than its function shows; empty when all is well.

    >>> from actlab.activations import CATALOGUE
    >>> disagreements(CATALOGUE["gelu"])
    []
    """
    properties = examine(record)
    wrong = []
    for name in ("range", "extremum", "monotonic", "convex", "odd", "smoothness", "kinks", "flat_set", "saturates"):
        declared, actual = getattr(record, name), getattr(properties, name)
        agree = declared == actual
        if name in ("extremum", "kinks") and declared and actual and len(declared) == len(actual):
            agree = bool(np.allclose(declared, actual, rtol=0.0, atol=1e-5))
        if not agree:
            wrong.append(f"{record.name}: {name} is declared {declared!r}, found {actual!r}")
    return wrong


def number(x: float) -> str:
    """Write five significant digits, a typographic minus, ∞.

    >>> number(-0.1699712), number(float("inf"))
    ('−0.16997', '∞')
    """
    if abs(x) == inf:
        return "∞" if x > 0 else "−∞"
    return f"{x if 1e-9 < abs(x) < 5e-6 else round(x, 5) + 0.0:.5g}".replace("-", "−")


def interval_text(intervals: Iterable[tuple[float, float]]) -> str:
    """Write the union of closed intervals in mathematical notation; ∅ for none.

    >>> interval_text([(-float("inf"), -1.0), (1.0, 2.0)])
    '(−∞, −1] ∪ [1, 2]'
    """
    parts = [f"{'(' if a == -inf else '['}{number(a)}, {number(b)}{')' if b == inf else ']'}" for a, b in intervals]
    return " ∪ ".join(parts) or "∅"


def range_text(low: float, high: float, low_attained: bool, high_attained: bool) -> str:
    """Write an interval in mathematical notation.

    >>> range_text(0.0, float("inf"), True, False)
    '[0, ∞)'
    """
    size = max(abs(low), abs(high))
    low, high = (0.0 if abs(end) < 1e-6 * min(size, 1.0) else end for end in (low, high))
    return f"{'[' if low_attained else '('}{number(low)}, {number(high)}{']' if high_attained else ')'}"


def saturation_points(phi: Phi, threshold: float) -> tuple[float, float]:
    """Find the outermost points past which |φ'| stays at or below a threshold, on a side where φ' → 0.

    Args:
        phi: the activation with its parameters filled in.
        threshold: usually ``theory.gaussian.weak_threshold(phi)``.

    Returns:
        (low, high): |φ'(z)| ≤ threshold for all z ≤ low, and for all z ≥ high; −∞ and ∞ where φ' does not vanish.

    >>> saturation_points(lambda z: jnp.where(z > 0, z, 0.0), 0.05)
    (0.0, inf)
    >>> saturation_points(lambda z: jnp.where(z > 0, z, 0.01 * z), 0.05)
    (-inf, inf)
    """
    low, high = vanishing_sides(phi)
    return (
        0.0 - outermost(phi, threshold, side=-1.0) if low else -inf,
        outermost(phi, threshold, side=1.0) if high else inf,
    )


def outermost(phi: Phi, threshold: float, side: float) -> float:
    """Find the least s with |φ'(side·z)| ≤ threshold for all z ≥ s: a grid, refined where it first fails."""
    s = np.concatenate([np.geomspace(1e6, 40.0, 256), np.linspace(REACH, -REACH, BLOCK - 256)])
    for _ in range(6):
        above = np.abs(evaluate(phi, side * s)[1]) > threshold
        if not above.any():
            return -inf
        first = max(int(above.argmax()), 1)
        s = np.linspace(s[first - 1], s[first], BLOCK)
    return float(s[0] + 0.0)


def capped(text: str) -> str:
    """Shorten a union of intervals that is long.

    >>> capped("[0, 1] ∪ [2, 3]"), capped(" ∪ ".join("abcdefg"))
    ('[0, 1] ∪ [2, 3]', 'a ∪ b ∪ c ∪ d ∪ e and 2 more')
    """
    parts = text.split(" ∪ ")
    return " ∪ ".join(parts[:MOST_SAID]) + (f" and {len(parts) - MOST_SAID} more" if parts[MOST_SAID:] else "")


def table(records: Iterable[Activation]) -> pd.DataFrame:
    """Tabulate one row per activation: what is declared, what is found, what it costs; plain columns, RangeIndex."""
    rows = []
    for record in records:
        properties = examine(record)
        z, value = properties.extremum or (np.nan, np.nan)
        rows.append(
            {
                "activation": record.name,
                "order": record.order,
                "family": record.family,
                "formula": record.formula,
                "derivative": record.derivative_formula,
                "latex": record.latex,
                "parameters": ", ".join(f"{name}={default:g}" for name, default in record.parameters.items()),
                "learnable": ", ".join(record.learnable),
                "range": properties.range,
                "extremum_z": round(z, 6),
                "extremum_value": round(value, 6),
                "monotonic": properties.monotonic,
                "convex": properties.convex,
                "odd": properties.odd,
                "smoothness": properties.smoothness,
                "kinks": ", ".join(number(kink) for kink in properties.kinks),
                "flat_set": properties.flat_set,
                "saturates": properties.saturates,
                "max_slope": round(properties.max_slope, 6),
                "operations": properties.operations,
                "operations_with_derivative": properties.operations_with_derivative,
                "weight_init": record.weight_init,
                "reference": record.reference,
            }
        )
    return pd.DataFrame(rows)


def curves(records: Iterable[Activation], reach: float = 8.0, points: int = 321) -> pd.DataFrame:
    """Tabulate φ and φ' on [−reach, reach], one row per activation and point: activation, z, value, derivative.

    >>> from actlab.activations import CATALOGUE
    >>> curves([CATALOGUE["relu"]], reach=1.0, points=3)["value"].tolist()
    [0.0, 0.0, 1.0]
    """
    frames = []
    z = np.linspace(-reach, reach, points).round(12)  # kinks at round numbers are hit exactly
    with jax.enable_x64(True):
        for record in records:
            columns: dict[str, Any] = {"activation": record.name, "z": z}
            columns["value"] = np.asarray(record.function(jnp.asarray(z)))
            columns["derivative"] = np.asarray(record.derivative(jnp.asarray(z)))
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def describe(record: Activation, moments: Mapping[str, float] | None = None) -> str:
    """Describe an activation for the terminal: what is declared, with the properties as the function shows them.

    Args:
        record: from ``CATALOGUE`` or ``load``.
        moments: further numbers to print by name, such as E φ(Z)².

    >>> from actlab.activations import CATALOGUE
    >>> print(describe(CATALOGUE["relu"]))
    relu (rectifier)
      φ(z)          max(0, z)
      φ'(z)         1 if z > 0 else 0
      range         [0, ∞)
      shape         monotonic, convex
      smoothness    C0; kinks at 0 (φ' = 0)
      flat on       (−∞, 0]
      saturates     low
      largest |φ'|  1
      operations    2; 5 with derivative
      weight init   he_normal
      reference     Nair & Hinton 2010, ICML; Glorot, Bordes & Bengio 2011, AISTATS
    """
    properties = examine(record)
    with jax.enable_x64(True):
        at_kinks = [float(record.derivative(jnp.asarray(z))) for z in properties.kinks]
    kinks = listed(
        (f"{number(z)} (φ' = {number(slope)})" for z, slope in zip(properties.kinks, at_kinks, strict=True)), MOST_SAID
    )
    what = {"discontinuous": "jumps", "C0": "kinks"}.get(properties.smoothness, "φ'' jumps")
    shape = [name for name in ("monotonic", "convex", "odd") if getattr(properties, name)]
    lines = {
        "φ(z)": record.formula or "not stated",
        "φ'(z)": record.derivative_formula or ("as declared" if record.closed_form else "by automatic differentiation"),
        "parameters": ", ".join(
            f"{name} = {number(default)}{' (learnable)' if name in record.learnable else ''}"
            for name, default in record.parameters.items()
        ),
        "range": properties.range,
        "turns at": "z = {}, φ = {}".format(*map(number, properties.extremum)) if properties.extremum else "",
        "shape": ", ".join(shape) or "not monotonic, not convex",
        "smoothness": f"{properties.smoothness}; {what} at {kinks}" if kinks else properties.smoothness,
        "flat on": "nowhere" if properties.flat_set == "∅" else capped(properties.flat_set),
        "saturates": properties.saturates,
        "largest |φ'|": number(properties.max_slope),
        "operations": f"{properties.operations}; {properties.operations_with_derivative} with derivative",
        **{name: number(value) for name, value in (moments or {}).items()},
        "weight init": record.weight_init,
        "same as": said(twins(record)).removeprefix(BEGIN) if record.order == 0 else "",
        "reference": record.reference,
    }
    width = max(map(len, lines)) + 2
    return "\n".join(
        [f"{record.name} ({record.family})", *(f"  {name:<{width - 1}} {text}" for name, text in lines.items() if text)]
    )
