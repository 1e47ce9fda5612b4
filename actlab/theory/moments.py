"""What theory says of an activation at initialisation, known beforehand for the catalogue: nothing is compiled for it.

``moments.csv`` holds the numbers of every activation of the catalogue at its default parameters, and a checksum of the
code that they come from. Where that has changed, as for other parameters and for users' functions, they are computed,
which takes a tenth of a second each. ``make moments`` writes the file again.
"""

import csv
import hashlib
import math
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from actlab import activations
from actlab.activations import Activation
from actlab.activations.closed_form import Phi
from actlab.theory.errors import TheoryError

PATH = Path(__file__).with_suffix(".csv")
COLUMNS = (
    "second_moment",
    "variance_slope",
    "variance_slope_error",
    "weak_threshold",
    "saturation_low",
    "saturation_high",
)

MOST_OFF = 1e-3
"""Share of E φ(Z)² that two quadratures may differ by: what has jumps everywhere is known no better."""


@lru_cache(maxsize=1024)
def moments(record: Activation, parameters: tuple[tuple[str, float], ...]) -> dict[str, float]:
    """Return what theory says of φ for a standard normal pre-activation Z: thresholds of the measures, and E φ(Z)².

    Args:
        record: the activation.
        parameters: (name, value) of each of its parameters.

    Returns:
        ``second_moment``: E φ(Z)²; ``variance_slope``: V'(1) of weights that preserve E z² = 1 (see
        ``preserving_slope``), NaN where there is none; ``variance_slope_error``: by how much it may be off, ∞ where
        E φ(Z)² is not finite; ``weak_threshold``: .05·√E φ'(Z)²; ``saturation_low`` and ``saturation_high``:
        the points beyond which |φ'| stays at or below that, ∓∞ where it does not vanish.

    >>> moments(activations.CATALOGUE.find("relu"), ())["second_moment"]
    0.5...
    """
    if record is activations.CATALOGUE.get(record.name) and dict(parameters) == record.parameters:
        stored = known().get((record.name, checksum()))
        if stored is not None:
            return stored
    return computed(record, parameters)


def computed(record: Activation, parameters: tuple[tuple[str, float], ...]) -> dict[str, float]:
    """Compute ``moments`` by quadrature and search, whatever is stored.

    >>> computed(activations.CATALOGUE.find("linear"), ())["variance_slope"]
    1.0...
    """
    from actlab.activations.properties import saturation_points
    from actlab.theory.gaussian import second_moment, weak_threshold

    phi = partial(record.function, **dict(parameters))
    threshold = weak_threshold(phi)
    try:
        of_variance = preserving_slope(phi)
    except TheoryError:
        of_variance = math.nan, math.inf
    numbers = (second_moment(phi), *of_variance, threshold, *saturation_points(phi, threshold))
    return dict(zip(COLUMNS, numbers, strict=True))


def preserving_slope(phi: Phi) -> tuple[float, float]:
    """Compute V'(1) at the weights that preserve E z² = 1: by how much a small departure from it grows in a layer.

        V(q) = E φ(√q Z)² / E φ(Z)²,  V'(1) = E[Z φ(Z) φ'(Z)] / E φ(Z)² = E[(Z² − 1) φ(Z)²] / 2 E φ(Z)²

    by parts, so that jumps of φ count and its derivative need not be finite. This is also the check that those weights
    exist: ``gaussian_expectation``, which scales them, knows nothing of its own error.

    Args:
        phi: the activation with its parameters filled in, differentiable by JAX.

    Returns:
        V'(1), and by how much it may be off; NaN both where E φ(Z)² is 0, and no weights preserve a variance.

    Raises:
        TheoryError: E φ(Z)² is not finite, or two ways to compute it do not agree.

    >>> round(preserving_slope(lambda z: z * (z > 0))[0], 12)
    1.0

    Reference: Poole et al. 2016, arXiv:1606.05340 (the slope of the length map, without a second derivative).
    """
    from actlab.activations.inspect import evaluate
    from actlab.theory.gaussian import expectations, second_moment

    def squares(z_N: np.ndarray) -> np.ndarray:
        square_N = evaluate(phi, z_N)[0] ** 2
        return np.stack([square_N, (z_N**2 - 1.0) * square_N])

    square, tilted = expectations(squares)
    taken = second_moment(phi)
    if not abs(taken - square.value) <= MOST_OFF * square.value:
        raise TheoryError(
            f"E φ(Z)² of a standard normal Z is not known: two quadratures give {taken:.4g} and {square.value:.4g}"
        )
    if square.value == 0.0:
        return math.nan, math.nan
    slope = tilted.value / square.value / 2.0
    return slope, (tilted.error / 2.0 + abs(slope) * square.error) / square.value


@lru_cache(maxsize=1)
def known() -> dict[tuple[str, str], dict[str, float]]:
    """Load what is stored: {(activation, checksum of its code): its numbers}."""
    if not PATH.exists():
        return {}
    with PATH.open(encoding="utf-8", newline="") as file:
        return {
            (row["activation"], row["code"]): {name: float(row[name]) for name in COLUMNS}
            for row in csv.DictReader(file)
        }


@lru_cache(maxsize=1)
def checksum() -> str:
    """Return the first digits of a SHA-256 of the code behind the numbers: the activations', and this room's.

    >>> len(checksum())
    16
    """
    code = hashlib.sha256()
    for room in (Path(activations.__file__).parent, PATH.parent):
        for path in sorted(room.glob("*.py")):
            code.update(path.read_bytes())
    return code.hexdigest()[:16]


def write() -> None:
    """Compute the numbers of the whole catalogue and store them."""
    with PATH.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("activation", "code", *COLUMNS), lineterminator="\n")
        writer.writeheader()
        for name, record in activations.CATALOGUE.items():
            numbers = computed(record, tuple(record.parameters.items()))
            writer.writerow({"activation": name, "code": checksum()} | numbers)


if __name__ == "__main__":
    from actlab.theory import points

    write()
    points.write()
