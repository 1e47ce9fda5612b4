"""Critical points of activations by their records, known beforehand for the catalogue: nothing is compiled for them.

``points.csv`` holds those of every activation at its default parameters that has one: the one that is taken where a
study names no q, and the one at q = 1; and a checksum of the code that they come from, as ``moments.csv`` does.
``make moments`` writes both files again.
"""

import csv
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

from actlab import activations
from actlab.activations import Activation
from actlab.theory.criticality import CriticalPoint, critical_point
from actlab.theory.errors import TheoryError
from actlab.theory.moments import checksum

PATH = Path(__file__).with_suffix(".csv")
NUMBERS = ("sigma_w", "sigma_b", "q", "slope", "attracts_to")
ASKED = {"": None, "1": 1.0}
"""The q that stored points were asked for: none, and 1."""


@lru_cache(maxsize=1024)
def critical(record: Activation, parameters: tuple[tuple[str, float], ...], q: float | None = None) -> CriticalPoint:
    """Return the critical point of an activation at which E z² = q; without a q, the one that suits it.

        χ₁ = 1,   V(q) = q:   σ_w² = 1/E φ'(√q·Z)²,   σ_b² = q − σ_w²·E φ(√q·Z)²

    Args:
        record: the activation.
        parameters: (name, value) of each of its parameters.
        q: E z² of every layer, positive; None for ``default_q``.

    Returns:
        The point: stored for the catalogue's default parameters, else computed (``critical_point``).

    Raises:
        TheoryError: there is no such point, or it is unstable.

    >>> round(critical(activations.CATALOGUE.find("tanh"), ()).sigma_w, 4)
    1.4674

    Reference: Schoenholz et al. 2017, arXiv:1611.01232, §3.
    """
    if record is activations.CATALOGUE.get(record.name) and dict(parameters) == record.parameters:
        asked = next((text for text, value in ASKED.items() if value == q), None)
        stored = known().get((record.name, checksum(), asked))
        if stored is not None:
            return stored
    return critical_point(partial(record.exact, **dict(parameters)), q)


@lru_cache(maxsize=1)
def known() -> dict[tuple[str, str, str | None], CriticalPoint]:
    """Load what is stored: {(activation, checksum of its code, the q that was asked for): its point}."""
    if not PATH.exists():
        return {}
    with PATH.open(encoding="utf-8", newline="") as file:
        return {
            (row["activation"], row["code"], row["asked"]): CriticalPoint(
                **{name: float(row[name]) for name in NUMBERS}, stability=row["stability"]
            )
            for row in csv.DictReader(file)
        }


def computed() -> Iterator[tuple[str, str, CriticalPoint]]:
    """Compute the points of the whole catalogue: (activation, the q that was asked for, its point)."""
    for name, record in activations.CATALOGUE.items():
        for asked, q in ASKED.items():
            try:
                yield name, asked, critical_point(partial(record.exact, **record.parameters), q)
            except TheoryError:
                continue


def write() -> None:
    """Compute the points of the whole catalogue and store them."""
    rows = [
        {"activation": name, "code": checksum(), "asked": asked, "stability": point.stability}
        | {number: getattr(point, number) for number in NUMBERS}
        for name, asked, point in computed()
    ]
    with PATH.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("activation", "code", "asked", *NUMBERS, "stability"), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
