"""What theory says of an activation at initialisation, known beforehand for the catalogue: nothing is compiled for it.

``moments.csv`` holds the numbers of every activation of the catalogue at its default parameters, and a checksum of the
code that they come from. Where that has changed, as for other parameters and for users' functions, they are computed,
which takes a tenth of a second each. ``make moments`` writes the file again.
"""

import csv
import hashlib
from functools import lru_cache, partial
from pathlib import Path

from actlab import activations
from actlab.activations import Activation

PATH = Path(__file__).with_suffix(".csv")
COLUMNS = ("second_moment", "weak_threshold", "saturation_low", "saturation_high")


@lru_cache(maxsize=1024)
def moments(record: Activation, parameters: tuple[tuple[str, float], ...]) -> dict[str, float]:
    """Return what theory says of φ for a standard normal pre-activation Z: thresholds of the measures, and E φ(Z)².

    Args:
        record: the activation.
        parameters: (name, value) of each of its parameters.

    Returns:
        ``second_moment``: E φ(Z)²; ``weak_threshold``: .05·√E φ'(Z)²; ``saturation_low`` and ``saturation_high``: the
        points beyond which |φ'| stays at or below that, ∓∞ where it does not vanish.

    >>> moments(activations.CATALOGUE.find("relu"), ())["second_moment"]
    0.5...
    """
    if record is activations.CATALOGUE.get(record.name) and dict(parameters) == record.parameters:
        stored = known().get((record.name, checksum()))
        if stored is not None:
            return stored
    return computed(record, parameters)


def computed(record: Activation, parameters: tuple[tuple[str, float], ...]) -> dict[str, float]:
    """Compute ``moments`` by quadrature and search, whatever is stored."""
    from actlab.activations.properties import saturation_points
    from actlab.theory.gaussian import second_moment, weak_threshold

    phi = partial(record.function, **dict(parameters))
    threshold = weak_threshold(phi)
    return dict(zip(COLUMNS, (second_moment(phi), threshold, *saturation_points(phi, threshold)), strict=True))


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
    """Return the first digits of a SHA-256 of the code behind the numbers: the activations', and this room's."""
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
    write()
