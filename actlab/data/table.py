"""What every source of data hands on: a table of numbers, text and a target, and the error that says why it cannot."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from actlab import naming
from actlab.errors import ActlabError

TASKS = ("auto", "classification", "regression")


class DataError(ActlabError, ValueError):
    """Data that cannot be used; the message says where, what was expected and, for a name, the nearest valid one.

    Attributes:
        key: of a study's section ``data``, the one at fault: ``name`` where it is the data themselves.
    """

    def __init__(self, message: str, key: str = "name") -> None:
        """Keep the key beside the message."""
        super().__init__(naming.message(message))
        self.key = key


@dataclass(frozen=True, eq=False)
class Table:
    """All rows of a data set, before splitting.

    Attributes:
        x: features [N, F], float64, in their own units; finite, or NaN where a value is missing and is to be replaced
            by its column's mean over the training rows.
        y: class indices [N] int32, or target values [N] float64 in their own units.
        features: F names.
        classes: names of the classes by index; empty for regression.
        texts: by name, further features that are text [N], None where missing: each value in the training rows will be
            an input of its own.
        single: names of the features whose numbers are single-precision ones.
        keep: names of the features that are learned from although they may be constant but for rounding.
        target: what y is called.
        notes: what was settled without being asked, and what is doubtful, a sentence each.
        part: which split each row is for [N]: 0 training, 1 validation, 2 test; None: they are drawn.
    """

    x: np.ndarray
    y: np.ndarray
    features: tuple[str, ...]
    classes: tuple[str, ...]
    texts: Mapping[str, np.ndarray] = field(default_factory=dict)
    single: frozenset[str] = frozenset()
    keep: frozenset[str] = frozenset()
    target: str = ""
    notes: tuple[str, ...] = ()
    part: np.ndarray | None = None

    @property
    def task(self) -> str:
        """``classification`` or ``regression``."""
        return "classification" if self.classes else "regression"

    @property
    def content(self) -> str:
        """The SHA-256 of all that decides a number: values, classes and texts in their order; no column's name.

        A file is known by it: its copy in another kind of file, or with other line ends, is the same data.

        >>> one = Table(np.array([[0.0], [1.0]]), np.array([0, 1], np.int32), ("a",), ("p", "q"))
        >>> other = Table(np.array([[-0.0], [1.0]]), np.array([0, 1], np.int32), ("b",), ("p", "q"))
        >>> one.content == other.content
        True
        """
        single = [name in self.single for name in self.features]
        kept = [name in self.keep for name in self.features]
        about = (self.x.shape, self.classes, single, kept if any(kept) else [])
        digest = hashlib.sha256(repr(about).encode())
        x = np.where(np.isnan(self.x), np.nan, self.x + 0.0)  # one kind of NaN, and of zero
        y = self.y if self.classes else self.y + 0.0
        for array in (x, y):
            digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
        for column in self.texts.values():
            digest.update(repr(column.tolist()).encode())
        return digest.hexdigest()
