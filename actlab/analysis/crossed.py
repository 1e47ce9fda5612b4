"""The mean over splits and seeds at once: both vary, every seed is used in every split, and neither is averaged away.

y_ds = μ + A_d + B_s + C_ds: A of the split (``data.seed``), B of the seed, C of their meeting. A seed sets the same
initial weights in every split, so values of one seed are not independent, nor are those of one split: at step 0 a seed
decides nearly all, and splits are near copies. So the variance of the mean is estimated from the sums of each split's
deviations, and of each seed's: (D/(D−1) Σ_d(Σ_s e_ds)² + S/(S−1) Σ_s(Σ_d e_ds)²)/n². In a complete design this is the
variance of the D splits' means over D plus that of the S seeds' means over S; σ_C²/n is in both, and is not taken off:
too wide by that, never too narrow. Its degrees of freedom are Satterthwaite's.

References: Satterthwaite 1946, Biometrics Bulletin 2(6); Owen 2007, Ann. Appl. Stat. 1(2) (crossed samples); Cameron,
Gelbach & Miller 2011, J. Bus. Econ. Stat. 29(2) (sums of clusters that cross).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CROSSED = "crossed "
"""How the methods are named that this is done before."""


@dataclass(frozen=True)
class Repeats:
    """What the values of each group are repeats of.

    Attributes:
        split, seed: the cluster of each value, numbered over all groups.
        of_split, of_seed: the group of each cluster.
        splits, seeds: how many each group has.
        n: how many values.
    """

    split: np.ndarray
    seed: np.ndarray
    of_split: np.ndarray
    of_seed: np.ndarray
    splits: np.ndarray
    seeds: np.ndarray
    n: np.ndarray

    @property
    def both(self) -> np.ndarray:
        """Whether a group has several splits and several seeds."""
        return (self.splits > 1) & (self.seeds > 1)

    @property
    def independent(self) -> np.ndarray:
        """How many values are independent at least: of the splits and the seeds the fewer, where both are several.

        The variance of a share p is at most p(1 − p) over this, whatever part of it is the splits' and the seeds'.
        """
        return np.where(self.both, np.minimum(self.splits, self.seeds), self.n)


def repeats(group: np.ndarray, split: np.ndarray, seed: np.ndarray) -> Repeats:
    """Number the splits and the seeds of each group.

    Args:
        group: of each value, 0 to the number of groups − 1, each with a value.
        split, seed: labels of each value, whole numbers.

    >>> found = repeats(np.array([0, 0, 0, 0, 1]), np.array([7, 7, 8, 8, 7]), np.array([0, 1, 0, 1, 0]))
    >>> found.splits.tolist(), found.seeds.tolist(), found.independent.tolist()
    ([2, 1], [2, 1], [2, 1])
    """
    size = int(group.max(initial=-1)) + 1
    of_split, of_seed = (clusters(group, labels, size) for labels in (split, seed))
    splits, seeds, n = (np.bincount(one, minlength=size) for one in (of_split[1], of_seed[1], group))
    return Repeats(of_split[0], of_seed[0], of_split[1], of_seed[1], splits, seeds, n)


def clusters(group: np.ndarray, labels: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Number the pairs of a group and a label that there are: that of each value, and the group of each pair."""
    code = labels - labels.min() if len(labels) else labels
    if code.max(initial=0) > 1000:  # seeds may be any numbers
        code = np.unique(labels, return_inverse=True)[1]
    width = int(code.max(initial=0)) + 1
    pair = group * width + code
    there = np.bincount(pair, minlength=size * width) > 0
    return (np.cumsum(there) - 1)[pair], np.flatnonzero(there) // width


def as_plain(repeated: Repeats, deviation: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the standard deviation, skewness and size of a plain sample whose mean is known as well as a crossed one's.

    Its standard error is that of the crossed mean, its size Satterthwaite's degrees of freedom plus 1, and the third
    cumulant of its mean the sum of what the splits and the seeds make of it.

    Args:
        repeated: the repeats of each group; what is returned of a group without both is of no use.
        deviation: of each value from the mean of its group.
        std: of each group, with n − 1: the error is never less than that of n independent values.
    """
    size = len(repeated.n)
    n = repeated.n.astype(float)
    variances, cumulants = [], []
    for cluster, of, count in (
        (repeated.split, repeated.of_split, repeated.splits),
        (repeated.seed, repeated.of_seed, repeated.seeds),
    ):
        sums = np.bincount(cluster, weights=deviation, minlength=len(of))
        second, third = (np.bincount(of, weights=sums**power, minlength=size) / n**power for power in (2, 3))
        k = np.maximum(count, 2)
        variances.append(second * k / (k - 1))
        cumulants.append(third * k * k / np.maximum((k - 1) * (k - 2), 1))
    total = variances[0] + variances[1]
    spread = variances[0] ** 2 / np.maximum(repeated.splits - 1, 1) + variances[1] ** 2 / np.maximum(
        repeated.seeds - 1, 1
    )
    fewest = np.maximum(repeated.independent - 1, 1)
    df = np.where(spread > 0, total**2 / np.where(spread > 0, spread, 1), fewest)
    error = np.sqrt(np.maximum(total, std**2 / n))
    plain = df + 1
    known = error > 0
    skew = np.where(known, (cumulants[0] + cumulants[1]) * np.sqrt(plain) / np.where(known, error, 1) ** 3, 0.0)
    return error * np.sqrt(plain), skew, plain
