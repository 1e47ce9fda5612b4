"""The data sets that come with scikit-learn: small, offline, the same on every machine.

Adding one is a function that returns a ``Table``, with its record above it. The stated target loss is what a healthy
shallow network (two layers of 64, Adam) reaches on the validation split within a few hundred steps:
``steps_to_target`` counts the steps to it, and ``generalization_gap`` is also taken where the training loss first gets
there.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from actlab.data.table import Table


@dataclass(frozen=True)
class Dataset:
    """A bundled data set.

    Attributes:
        name: what a study writes.
        load: reads it.
        task: ``classification`` or ``regression``.
        target_loss: the stated target: nats, or mean squared error in units of the training targets' variance.
        reference: where it comes from.
        summary: one line for lists.
    """

    name: str
    load: Callable[[], Table]
    task: str
    target_loss: float
    reference: str
    summary: str


DATASETS: dict[str, Dataset] = {}


@lru_cache(maxsize=32)
def bundled_checksum(dataset: Dataset) -> str:
    """SHA-256 of a data set's arrays: shapes, and values in one byte order."""
    table = dataset.load()
    digest = hashlib.sha256(repr((table.x.shape, table.y.shape, len(table.classes))).encode())
    for array in (table.x, table.y):
        digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _dataset(task: str, target_loss: float, reference: str) -> Callable[[Callable[[], Table]], Callable[[], Table]]:
    def register(load: Callable[[], Table]) -> Callable[[], Table]:
        summary = (load.__doc__ or "").strip().splitlines()[0]
        DATASETS[load.__name__] = Dataset(load.__name__, load, task, target_loss, reference, summary)
        return load

    return register


@_dataset("classification", 0.25, "Alpaydin & Kaynak 1998, UCI Optical Recognition of Handwritten Digits (test part)")
def digits() -> Table:
    """Handwritten digits: 1797 images of 8×8 pixels, 10 classes.

    >>> digits().x.shape
    (1797, 64)
    """
    from sklearn.datasets import load_digits

    return _classification(load_digits())


@_dataset("classification", 0.15, "Street, Wolberg & Mangasarian 1993, UCI Breast Cancer Wisconsin (Diagnostic)")
def breast_cancer() -> Table:
    """Breast cancer: 569 cell samples, 30 shape measurements, malignant or benign.

    >>> breast_cancer().classes
    ('malignant', 'benign')
    """
    from sklearn.datasets import load_breast_cancer

    return _classification(load_breast_cancer())


@_dataset("classification", 0.2, "Aeberhard, Coomans & de Vel 1992, UCI Wine")
def wine() -> Table:
    """Wine: 178 wines of three growers, 13 chemical measurements.

    >>> wine().x.shape
    (178, 13)
    """
    from sklearn.datasets import load_wine

    return _classification(load_wine())


@_dataset("classification", 0.25, "Fisher 1936, The use of multiple measurements in taxonomic problems")
def iris() -> Table:
    """Iris: 150 flowers of three species, 4 lengths.

    >>> iris().classes
    ('setosa', 'versicolor', 'virginica')
    """
    from sklearn.datasets import load_iris

    return _classification(load_iris())


@_dataset("regression", 0.6, "Efron, Hastie, Johnstone & Tibshirani 2004, Least angle regression")
def diabetes() -> Table:
    """Diabetes: 442 patients, 10 measurements, disease progression after a year (regression).

    Noisy: the best models leave half of the variance.

    >>> diabetes().task
    'regression'
    """
    from sklearn.datasets import load_diabetes

    found = load_diabetes(scaled=False)  # scaling is done from training statistics alone
    return Table(found.data.astype(np.float64), found.target.astype(np.float64), tuple(found.feature_names), ())


def _classification(found: Any) -> Table:
    classes = tuple(str(name) for name in found.target_names)
    features = tuple(str(name) for name in found.feature_names)
    return Table(found.data.astype(np.float64), found.target.astype(np.int32), features, classes)
