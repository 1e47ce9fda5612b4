"""The data sets that come with scikit-learn: small, offline, the same on every machine.

Adding one is a function that returns a ``Table``, with its record above it (see ``datasets``). The stated target loss
is what a healthy shallow network (two layers of 64, Adam) reaches on the validation split within a few hundred steps:
``steps_to_target`` counts the steps to it, and ``generalization_gap`` is also taken where the training loss first gets
there.

The files are read where scikit-learn keeps them, without importing it: that would take two seconds of every worker and
of every plan.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from actlab.data.datasets import dataset
from actlab.data.table import DataError, Table


@dataset(
    task="classification",
    target_loss=0.25,
    reference="Alpaydin & Kaynak 1998, UCI Optical Recognition of Handwritten Digits (test part)",
    licence="CC BY 4.0",
    shape=(1797, 64, 10),
    chance=0.1,
)
def digits() -> Table:
    """Handwritten digits: 1797 images of 8×8 pixels, 10 classes.

    >>> digits().x.shape
    (1797, 64)
    """
    rows = np.loadtxt(stored("digits.csv.gz"), delimiter=",")
    features = tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8))
    return labelled(rows, features, tuple(map(str, range(10))))


@dataset(
    task="classification",
    target_loss=0.15,
    reference="Street, Wolberg & Mangasarian 1993, UCI Breast Cancer Wisconsin (Diagnostic)",
    licence="CC BY 4.0",
    shape=(569, 30, 2),
    chance=0.63,
)
def breast_cancer() -> Table:
    """Breast cancer: 569 cell samples, 30 shape measurements, malignant or benign.

    >>> breast_cancer().classes
    ('malignant', 'benign')
    """
    measures = ["radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points"]
    measures += ["symmetry", "fractal dimension"]
    over_cells = ("mean {}", "{} error", "worst {}")
    return classification("breast_cancer.csv", tuple(how.format(name) for how in over_cells for name in measures))


@dataset(
    task="classification",
    target_loss=0.2,
    reference="Aeberhard, Coomans & de Vel 1992, UCI Wine",
    licence="CC BY 4.0",
    shape=(178, 13, 3),
    chance=0.4,
)
def wine() -> Table:
    """Wine: 178 wines of three growers, 13 chemical measurements.

    >>> wine().x.shape
    (178, 13)
    """
    features = "alcohol malic_acid ash alcalinity_of_ash magnesium total_phenols flavanoids nonflavanoid_phenols "
    features += "proanthocyanins color_intensity hue od280/od315_of_diluted_wines proline"
    return classification("wine_data.csv", tuple(features.split()))


@dataset(
    task="classification",
    target_loss=0.25,
    reference="Fisher 1936, The use of multiple measurements in taxonomic problems",
    licence="CC BY 4.0",
    shape=(150, 4, 3),
    chance=0.33,
)
def iris() -> Table:
    """Iris: 150 flowers of three species, 4 lengths.

    >>> iris().classes
    ('setosa', 'versicolor', 'virginica')
    """
    return classification(
        "iris.csv", tuple(f"{part} {side} (cm)" for part in ("sepal", "petal") for side in ("length", "width"))
    )


@dataset(
    task="regression",
    target_loss=0.6,
    reference="Efron, Hastie, Johnstone & Tibshirani 2004, Least angle regression",
    licence="BSD-3-Clause, as scikit-learn carries it",
    shape=(442, 10, 0),
)
def diabetes() -> Table:
    """Diabetes: 442 patients, 10 measurements, disease progression after a year (regression).

    Noisy: the best models leave half of the variance.

    >>> diabetes().task
    'regression'
    """
    x, y = (np.loadtxt(stored(f"diabetes_{part}.csv.gz")) for part in ("data_raw", "target"))
    return Table(x, y, ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"), ())


def classification(name: str, features: tuple[str, ...]) -> Table:
    """Read one of scikit-learn's CSV files: a line "rows,columns,class,...", then the features and the class's index.

    Raises:
        DataError: the installed scikit-learn has no such file.
    """
    path = stored(name)
    with path.open(encoding="utf-8") as file:
        _, _, *classes = file.readline().strip().split(",")
        rows = np.loadtxt(file, delimiter=",")
    return labelled(rows, features, tuple(classes))


def labelled(rows: np.ndarray, features: tuple[str, ...], classes: tuple[str, ...]) -> Table:
    """Return rows [N, F + 1] whose last column is the class's index, as a table."""
    return Table(np.ascontiguousarray(rows[:, :-1]), rows[:, -1].astype(np.int32), features, classes)


def stored(name: str) -> Path:
    """Return the path of a data file in the installed scikit-learn.

    Raises:
        DataError: there is none of that name.

    >>> stored("iris.csv").name
    'iris.csv'
    """
    package = find_spec("sklearn")
    for folder in (package and package.submodule_search_locations) or ():
        path = Path(folder) / "datasets" / "data" / name
        if path.is_file():
            return path
    raise DataError(f"{name}: the installed scikit-learn has no such data file; see what versions actlab asks for")
