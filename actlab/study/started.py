"""What theory says of how networks are started, in words: critical points, and V'(1) of weights that preserve E z² = 1.

Plain values only: a plan has them, and a study's manifest.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Started = Mapping[str, Sequence[Mapping[str, Any]]]
"""By the activation's label, a record for each initializer: ``weight_init`` (its label), and ``sigma_w``, ``sigma_b``,
``q``, ``slope`` (V'(q)), ``stability`` and, where there is one, ``attracts_to`` of a critical point,
or ``slope`` (V'(1)) alone."""

ABOVE_1 = 1.0 + 1e-9
"""A slope of 1, as all positively homogeneous functions have it, is computed to some 1e-12."""


def lines(started: Started) -> list[str]:
    """Say at which critical points networks start, and V'(1) where weights preserve E z² = 1.

    >>> point = {"sigma_w": 1.46741, "sigma_b": 0.388542, "q": 1.0, "slope": 0.391, "stability": "stable"}
    >>> print(*lines({"tanh": [{"weight_init": "critical"} | point]}))
    critical: tanh at σ_w = 1.467, σ_b = 0.3885, E z² = 1 (stable, V' = 0.391).
    >>> print(*lines({"star_relu": [{"weight_init": "critical", "attracts_to": 0.45534} | point]}))
    critical: star_relu at ..., E z² = 1 (stable, V' = 0.391, attracts rows up to E z² = 0.455).
    >>> print(*lines({"elu": [{"weight_init": "variance_preserving", "slope": 0.891}]}))
    variance_preserving: V'(1) = 0.891 for elu.
    """
    points: dict[str, list[str]] = {}
    slopes: dict[str, list[str]] = {}
    for activation, records in started.items():
        for one in records:
            if "q" in one:
                at = f"σ_w = {one['sigma_w']:.4g}, σ_b = {one['sigma_b']:.4g}, E z² = {one['q']:.4g}"
                most = f", attracts rows up to E z² = {one['attracts_to']:.3g}" if "attracts_to" in one else ""
                told = f"{activation} at {at} ({one['stability']}, V' = {one['slope']:.3g}{most})"
                points.setdefault(one["weight_init"], []).append(told)
            else:
                slopes.setdefault(one["weight_init"], []).append(f"{one['slope']:.3g} for {activation}")
    return [
        *(f"{name}: {'; '.join(told)}." for name, told in points.items()),
        *(f"{name}: V'(1) = {', '.join(told)}." for name, told in slopes.items()),
    ]


def warnings(started: Started) -> list[str]:
    """Warn of weights that preserve E z² = 1 only where nothing departs from it: V'(1) > 1.

    >>> warnings({"relu": [{"weight_init": "variance_preserving", "slope": 1.0000000000000002}]})
    []
    >>> warnings({"gelu": [{"weight_init": "auto", "slope": 1.144}]})[0].partition(": a small")[0]
    "auto: V'(1) exceeds 1 for gelu (1.144)"
    """
    unstable: dict[str, list[str]] = {}
    for activation, records in started.items():
        for one in records:
            if "q" not in one and one["slope"] > ABOVE_1:
                unstable.setdefault(one["weight_init"], []).append(f"{activation} ({one['slope']:.4g})")
    return [
        f"{name}: V'(1) exceeds 1 for {', '.join(those)}: a small departure from E z² = 1 grows by that factor in each "
        "layer, and second moments run away from it with depth; critical starts a network where they return"
        for name, those in unstable.items()
    ]


def of_manifest(manifest: Mapping[str, Any]) -> list[str]:
    """Say all of it of a study whose manifest this is; nothing of one that an earlier version wrote.

    >>> of_manifest({"activations": {"relu": {"order": 1}}})
    []
    """
    activations = manifest.get("activations") or {}
    started = {label: one["started"] for label, one in activations.items() if "started" in one}
    return [*lines(started), *(f"{line}." for line in warnings(started))]
