"""Label noise: some training rows get another class than their own, by ``data.seed`` alone."""

import numpy as np

from actlab.data.table import DataError

GOLDEN = 0.6180339887498949
"""(√5 − 1) / 2: its multiples, taken modulo 1, fill the unit interval evenly from the first one on."""
STREAM = 2
"""Of chance that noise draws from, beside those of the splits and of the probe rows."""


def noisy_labels(y: np.ndarray, classes: int, share: float, seed: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Replace a share of the training labels by other classes, each other one equally likely.

    Row r of N has the place v_r = (r·GOLDEN + u) mod 1, with u drawn from the seed. The round(share·N) rows with the
    lowest places are noisy. So noise is a property of the row: a larger share has the noisy rows of a smaller one and
    more, with the same labels. And every beginning of the rows has nearly the same share as all of them.

    Args:
        y: the classes of all training rows [N] int32, in their stratified order.
        classes: how many there are.
        share: of rows that are replaced, 0 ≤ share < 1.
        seed: decides which rows, and which class they get.
        name: of the data set, for error messages.

    Returns:
        the labels [N], and which rows have another than their own [N].

    Raises:
        DataError: the task is regression: a quantity has no other class.

    Reference: Zhang et al. 2017, Understanding deep learning requires rethinking generalization.

    >>> y, is_noisy = noisy_labels(np.zeros(10, np.int32), 2, 0.4, 0, "example")
    >>> int(is_noisy.sum()), bool(np.all((y == 1) == is_noisy))
    (4, True)
    """
    if not classes:
        raise DataError(
            f"{name}: data.label_noise replaces classes, and this is a regression; leave it out", "label_noise"
        )
    rng = np.random.Generator(np.random.PCG64([seed, STREAM]))
    place = (np.arange(len(y)) * GOLDEN + rng.random()) % 1.0
    other = ((y + rng.integers(1, classes, len(y))) % classes).astype(y.dtype)
    is_noisy = np.zeros(len(y), bool)
    is_noisy[np.argsort(place, kind="stable")[: round(share * len(y))]] = True
    return np.where(is_noisy, other, y), is_noisy
