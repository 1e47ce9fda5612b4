"""What ``describe`` prints of theory: what usual, variance-preserving and critical weights do to signals, gradients."""

import math
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from actlab.activations import Activation
from actlab.activations.properties import number
from actlab.nn.initializers import INITIALIZERS
from actlab.theory import TheoryError
from actlab.theory.correlation import DepthScales, depth_scales
from actlab.theory.criticality import critical_point
from actlab.theory.gaussian import variance_preserving_gain
from actlab.theory.mean_field import FixedPoint, fixed_points, variance_slope
from actlab.theory.self_normalizing import jacobian, layer_map

At = tuple[float, float, float]
WIDTH, MOST = 80, 9999
TOLERANCE = 1e-9  # by which quadrature may miss V' = 1
NORMALISED = 1e-6  # by which constants with few digits may miss (0, 1)
COLUMNS = ("σ_w", "q*", "V'(q*)", "χ₁", "c*", "ξ_q", "ξ_c", "decades")
USUAL = ("lecun_normal", "he_normal")
DEFINITIONS = """\
Theory: networks of infinite width at initialisation, z_l = h_{l−1}·W_l + b_l,
W ~ N(0, σ_w²/n), n inputs, b ~ N(0, σ_b²). At equal widths LeCun is Glorot.
  q         mean square of z; V(q) is that of the next layer's
  q*        where q comes to rest, from 1; it is stable where |V'(q*)| < 1
  χ₁        by what a layer multiplies the squared norm of the gradient
  decades   ½ log₁₀ χ₁, what that is to the norm; negative: gradients vanish
  c*        the correlation that the z of any two inputs come to
  ξ_q, ξ_c  layers over which the distance from q*, c* shrinks by a factor e"""


def theory_block(record: Activation) -> str:
    """Say what theory knows of an activation, for the terminal.

    Args:
        record: of the catalogue, or a user's own; at its default parameters.

    >>> from actlab.activations import CATALOGUE
    >>> print(theory_block(CATALOGUE["relu"]))
      variance      kept at q = 1 by σ_w = 1/√(E φ²) = 1.4142; V'(1) = 1
      critical      σ_w = 1.4142, σ_b = 0: every q is kept
      weights                 σ_w     q* V'(q*)     χ₁     c*    ξ_q    ξ_c  decades
      lecun_normal              1      0    0.5    0.5      –  1.443      –   −0.151
      he_normal             1.414      1      1      1      1      ∞      ∞        0
      lecun_normal: no c*, ξ_c: second moments shrink to 0, and nothing is left to
        be correlated
        he_normal: here the same as variance_preserving and critical
    """
    phi = partial(record.exact, **record.parameters)
    try:
        gain = variance_preserving_gain(phi)
        pull = variance_slope(phi, 1.0, gain)
    except TheoryError as error:
        return wrapped("  theory        ", f"none: {error}")
    away = ", above 1: other q are driven away from it" if pull > 1.0 + TOLERANCE else ""
    kept = f"kept at q = 1 by σ_w = 1/√(E φ²) = {number(gain)}; V'(1) = {number(pull)}{away}"
    lines = [
        wrapped("  variance      ", kept),
        wrapped("  critical      ", critical_text(phi)),
        *([wrapped("  normalises    ", text)] if (text := normalising_text(phi)) else []),
        row_of("weights", COLUMNS),
    ]
    noted: dict[str, list[str]] = {}
    for name, others, at in weights(record, phi, gain):
        scales = depth_scales(phi, *at)
        lines.append(row_of(name, cells(at[0], scales)))
        for note in notes(phi, at, scales, others):
            noted.setdefault(note, []).append(name)
    return "\n".join([*lines, *(wrapped("    ", f"{', '.join(names)}: {note}") for note, names in noted.items())])


def row_of(name: str, cells: Sequence[str]) -> str:
    """Write a row of the table."""
    return f"  {name:<20}{''.join(f'{cell:>7}' for cell in cells[:-1])}{cells[-1]:>9}"


def critical_text(phi: Any) -> str:
    """Say which critical point the initializer of that name would take, or why there is none."""
    try:
        point = critical_point(phi)
    except TheoryError as error:
        return str(error)
    at = f"σ_w = {number(point.sigma_w)}, σ_b = {number(point.sigma_b)}"
    if point.stability == "homogeneous":
        return f"{at}: every q is kept"
    most = "" if math.isinf(point.attracts_to) else f", attracts rows up to q = {number(point.attracts_to)}"
    return f"{at} at q = {number(point.q)}: {point.stability}, V'(q) = {number(point.slope)}{most}"


def theory_row(record: Activation) -> dict[str, float | str]:
    """Tabulate the weights that theory would take for an activation.

    Returns:
        ``activation``; ``variance_preserving_gain``: σ_w that keeps q = 1 without biases, and ``variance_slope``, V'(1)
        there; ``sigma_w``, ``sigma_b``, ``q``, ``slope``: the critical point, and V'(q); ``stability`` of it, or why
        there is none.

    >>> from actlab.activations import CATALOGUE
    >>> theory_row(CATALOGUE["tanh"])["stability"], theory_row(CATALOGUE["softplus"])["stability"][:17]
    ('stable', 'no critical point')
    """
    phi = partial(record.exact, **record.parameters)
    numbers = dict.fromkeys(
        ("variance_preserving_gain", "variance_slope", "sigma_w", "sigma_b", "q", "slope"), math.nan
    )
    try:
        numbers["variance_preserving_gain"] = gain = variance_preserving_gain(phi)
        numbers["variance_slope"] = variance_slope(phi, 1.0, gain)
        point = asdict(critical_point(phi))
    except TheoryError as error:
        stability = str(error)
    else:
        stability = point.pop("stability")
        del point["attracts_to"]
        numbers |= point
    rounded = {name: round(value, 8) + 0.0 for name, value in numbers.items()}
    return {"activation": record.name, **rounded, "stability": stability}


def normalising_text(phi: Any) -> str:
    """Say whether mean 0 and variance 1 of activations are a fixed point, as SELU's are; nothing of other functions."""
    if not np.allclose(layer_map(phi, 0.0, 1.0), (0.0, 1.0), rtol=0.0, atol=NORMALISED):
        return ""
    largest = float(np.abs(np.linalg.eigvals(jacobian(phi, 0.0, 1.0))).max())
    what = "attracting" if largest < 1.0 - TOLERANCE else "not attracting"
    return f"mean 0, variance 1 of h is a fixed point at σ_w = 1: {what}, largest eigenvalue {number(largest)}"


def weights(record: Activation, phi: Any, gain: float) -> list[tuple[str, list[str], At]]:
    """Collect the initialisations to tell of: names, each with others that are the same, and (σ_w, σ_b, first q)."""
    there: list[tuple[str, At]] = []
    for name in USUAL:
        one = INITIALIZERS[name]
        slope = record.parameters[record.he_slope] if record.he_slope and "negative_slope" in one.options else None
        there.append((name, (one.std(1, 1) if slope is None else one.std(1, 1, negative_slope=slope), 0.0, 1.0)))
    there.append(("variance_preserving", (gain, 0.0, 1.0)))
    with suppress(TheoryError):
        point = critical_point(phi)
        there.append(("critical", (point.sigma_w, point.sigma_b, point.q)))
    grouped: list[tuple[str, list[str], At]] = []
    for name, at in there:
        same = [others for _, others, other in grouped if np.allclose(at, other, rtol=0.0, atol=TOLERANCE)]
        if same:
            same[0].append(name)
        else:
            grouped.append((name, [], at))
    return grouped


def cells(sigma_w: float, scales: DepthScales) -> list[str]:
    """Write a row's numbers; a dash where there is none, ∞ where nothing shrinks or grows exponentially."""
    decades = 0.5 * math.log10(scales.chi) if scales.chi else None
    numbers = [
        math.inf if scales.reasons.get(name, "").startswith("critical") else getattr(scales, name)
        for name in ("q", "slope", "chi", "c", "xi_q", "xi_c")
    ]
    return [short(value) for value in (sigma_w, *numbers, decades)]


def short(value: float | None) -> str:
    """Write a number in at most six characters.

    >>> short(1.41421356), short(None), short(-0.00000001), short(1234.5), short(-0.150515), short(2e8)
    ('1.414', '–', '0', '1234', '−0.151', '> 9999')
    """
    if value is None:
        return "–"
    if abs(value) > MOST:
        return "∞" if math.isinf(value) else f"> {MOST}"
    text = f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text.replace("-", "−")


def notes(phi: Any, at: At, scales: DepthScales, others: Sequence[str]) -> Iterator[str]:
    """Yield what a row's numbers do not say: what is the same, further fixed points, and why there is no number."""
    if others:
        yield f"here the same as {' and '.join(others)}"
    try:
        points = fixed_points(phi, *at[:2])
    except TheoryError as error:  # a row has what is known all the same
        yield f"fixed points of V: {error}"
        points = ()
    if any(one.q > 0.0 and one.stability != "neutral" for one in points) and len(points) > 1:
        yield f"fixed points of V: {', '.join(map(fixed, points))}"
    names = {"q": "q*", "c": "c*", "xi_q": "ξ_q", "xi_c": "ξ_c"}
    by_reason: dict[str, list[str]] = {}
    for name, why in scales.reasons.items():
        if name in names and not why.startswith("critical"):
            by_reason.setdefault(why, []).append(names[name])
    for why, of in by_reason.items():
        yield f"no {', '.join(of)}: {why}"


def fixed(point: FixedPoint) -> str:
    """Write a fixed point with its stability."""
    return f"{number(point.q)} ({point.stability})"


def wrapped(head: str, text: str) -> str:
    """Wrap a text behind a head, under which its further lines leave a space."""
    return textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False)
