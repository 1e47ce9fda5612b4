"""Large data sets by name from openml.org: fetched when they are first asked for, from scikit-learn's cache after that.

Each is pinned by its number there, which stands for one version of one name; what arrives is checked against both. It
lies in scikit-learn's own folder (``~/scikit_learn_data``, or where ``SCIKIT_LEARN_DATA`` says), shared with whatever
else fetches it. Runs are known by the arrays, as those of every bundled set are.
"""

import contextlib
import os
import warnings
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

import numpy as np

from actlab.data.datasets import dataset
from actlab.data.table import DataError, Table

CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FASHION_CLASSES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")


@dataset(
    task="classification",
    reference="LeCun, Bottou, Bengio & Haffner 1998, MNIST; openml.org/d/554 (mnist_784, version 1)",
    licence="as openml.org/d/554 states",
    shape=(70000, 784, 10),
    chance=0.11,
    cached=True,
)
def mnist() -> Table:
    """Handwritten digits: all 70,000 of MNIST's images of 28×28 pixels, from openml.org when online.

    >>> mnist().x.shape  # doctest: +SKIP
    (70000, 784)
    """
    return fetched("mnist", 554, "mnist_784", "1", tuple(map(str, range(10))))


@dataset(
    task="classification",
    reference="Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747; openml.org/d/40996 (Fashion-MNIST, version 1)",
    licence="MIT (Zalando SE)",
    shape=(70000, 784, 10),
    chance=0.1,
    cached=True,
)
def fashion_mnist() -> Table:
    """Articles of clothing: 70,000 images of 28×28 pixels, 10 classes, from openml.org when online.

    >>> fashion_mnist().x.shape  # doctest: +SKIP
    (70000, 784)
    """
    return fetched("fashion_mnist", 40996, "Fashion-MNIST", "1", FASHION_CLASSES)


@dataset(
    task="classification",
    reference="Krizhevsky 2009, Learning multiple layers of features; openml.org/d/40927 (CIFAR_10, version 1)",
    licence="as openml.org/d/40927 states",
    shape=(60000, 3072, 10),
    chance=0.1,
    cached=True,
)
def cifar_10() -> Table:
    """Photographs: 60,000 images of 32×32 pixels in three colours, 10 classes, from openml.org when online.

    >>> cifar_10().x.shape  # doctest: +SKIP
    (60000, 3072)
    """
    return fetched("cifar_10", 40927, "CIFAR_10", "1", CIFAR_CLASSES)


@lru_cache(maxsize=1)
def fetched(called: str, number: int, name: str, version: str, classes: tuple[str, ...]) -> Table:
    """Fetch a data set of images whose classes are numbered.

    Args:
        called: as a study names it.
        number: on openml.org, of one version.
        name, version: what it must be there.
        classes: by their number.

    Raises:
        DataError: it is not in the cache and cannot be fetched, or is another one.
    """
    from sklearn import datasets  # takes two seconds; nothing else needs it

    home = Path(os.path.expanduser(os.environ.get("SCIKIT_LEARN_DATA", "~/scikit_learn_data")))
    before = {home, *home.parents, *home.rglob("*")}
    before = {path for path in before if path.exists()}
    try:
        # Its faster parser, pandas, fails on classes that are numbers with pandas 3.1: these take minutes to be read.
        with warnings.catch_warnings():  # of retries, and of what is known to be odd on openml.org
            warnings.simplefilter("ignore")
            bunch = datasets.fetch_openml(data_id=number, as_frame=False, parser="liac-arff", n_retries=1, delay=0.1)
    except OSError as error:  # of which all that goes wrong on the network is one
        remove_empty(home, before)
        said = " ".join(str(error).split())[:120]
        raise DataError(
            f"{called}: is not in {home}, and openml.org cannot be reached ({said}); run once online, or copy the "
            "folder 'openml' there from a machine that has it"
        ) from None
    except ValueError as error:  # a file that is not what its checksum, or its description, says
        said = " ".join(str(error).split())[:160]
        raise DataError(f"{called}: what {home} has of it is damaged ({said}); delete its folder 'openml'") from None
    there = bunch.details.get("name"), str(bunch.details.get("version"))
    if there != (name, version):
        raise DataError(
            f"{called}: data set {number} is {there[0]!r}, version {there[1]}, in {home}; expected {name!r}, version "
            f"{version}; delete its folder 'openml'"
        )
    x, y = np.asarray(bunch.data, np.float64), np.asarray(bunch.target).astype(np.float64)
    if not np.isfinite(x).all() or not np.isin(y, np.arange(len(classes))).all():
        raise DataError(f"{called}: has values that are no numbers, or classes that are not 0 to {len(classes) - 1}")
    return Table(x, y.astype(np.int32), tuple(map(str, bunch.feature_names)), classes, target="class")


def remove_empty(home: Path, before: Collection[Path]) -> None:
    """Remove the folders that were made to hold what could not be fetched: those that are empty and were not there."""
    made = [path for path in (*home.rglob("*"), home, *home.parents) if path not in before and path.is_dir()]
    for path in sorted(made, key=lambda path: -len(path.parts)):
        with contextlib.suppress(OSError):  # something is in it
            path.rmdir()
