"""Data sets that are drawn: as many rows as are asked for, of a known difficulty, by ``data.seed`` and options alone.

What identifies such a set is its options, the seed, and the tokens of its function with those of what it calls **in
this file** (see ``content.generated_checksum``): whoever changes them has every run on that set trained again;
comments, docstrings and the records above the functions may change.

None states a target loss: how hard it is depends on its options, so that it is a quarter of the best constant's.

The rows are to be the same on every machine. What is drawn comes from PCG64's counted stream; sums go term by term, in
one order, and no BLAS is called; inputs are rounded to single precision, which takes the last bits of sines and
exponentials with it; a class boundary is a rank, never a comparison of two nearly equal sums.
"""

import numpy as np

from actlab.data import bundled
from actlab.data.datasets import dataset
from actlab.data.splits import split_rows
from actlab.data.table import Table

GENERATED = "none: generated"
ROWS = (50, 100_000)
NOISE = (0, 10)


def stream(seed: int) -> np.random.Generator:
    """Return the chance that a generated set draws from, apart from that of its splits."""
    return np.random.Generator(np.random.PCG64([seed, 3]))


def single(x: np.ndarray) -> np.ndarray:
    """Round to single precision, so that two libraries' last bits are one number; in float64 all the same."""
    return x.astype(np.float32).astype(np.float64)


def curve(x: np.ndarray, y: np.ndarray, noise: float, rng: np.random.Generator) -> Table:
    """Return a function of one input as a regression, with Gaussian noise of a standard deviation in y's units."""
    return Table(single(x[:, None]), single(y + noise * rng.standard_normal(len(x))), ("x",), (), target="y")


def names(classes: int) -> tuple[str, ...]:
    """Name classes by their numbers."""
    return tuple(str(one) for one in range(classes))


@dataset(
    task="classification",
    reference="generated; after Lang & Witbrock 1988, Learning to tell two spirals apart",
    licence=GENERATED,
    generated=True,
    shape=(1000, 2, 2),
    chance=0.5,
    bounds={"turns": (0, 50), "classes": (2, 100), "rows": ROWS, "noise": NOISE},
)
def spirals(*, turns: float = 1.5, classes: int = 2, rows: int = 1000, noise: float = 0.02, seed: int) -> Table:
    """Spirals: points on arms that wind around each other, a class each; more turns are harder.

    x = r·(cos α, sin α) + noise·ε with r uniform on [0, 1], α = 2π·(turns·r + class / classes), ε standard normal: the
    outer radius is 1, and along it two arms are 1 / (turns·classes) apart. Classes are equal in number, to a row.

    >>> spirals(turns=3, seed=0).x.shape
    (1000, 2)
    """
    rng = stream(seed)
    y = np.arange(rows) % classes
    r = rng.random(rows)
    angle = 2 * np.pi * (turns * r + y / classes)
    x = np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1) + noise * rng.standard_normal((rows, 2))
    return Table(single(x), y.astype(np.int32), ("x0", "x1"), names(classes), target="arm")


@dataset(
    reference="generated; after Seung, Sompolinsky & Tishby 1992, Statistical mechanics of learning from examples",
    licence=GENERATED,
    generated=True,
    shape=(2000, 8, 2),
    chance=0.5,
    bounds={
        "depth": (0, 100),
        "width": (1, 1024),
        "inputs": (1, 1024),
        "classes": (2, 100),
        "rows": ROWS,
        "noise": NOISE,
    },
)
def teacher(
    *,
    depth: int = 2,
    width: int = 16,
    inputs: int = 8,
    classes: int = 2,
    regression: bool = False,
    rows: int = 2000,
    noise: float = 0.0,
    seed: int,
) -> Table:
    """Teacher: what a random network, drawn by ``data.seed``, says of normal inputs; a deeper one is harder.

    h ← tanh(1.5·Wh / √fan_in) for each of ``depth`` layers of ``width`` units, W and the inputs standard normal; the
    score is v·h in units of its own standard deviation over all rows, plus noise·ε. The classes are equal ranges of the
    score's ranks, so that they are equal in number, to within a row; with ``regression: true`` the score itself is the
    target, and ``classes`` says nothing.

    >>> teacher(classes=4, seed=0).classes, teacher(regression=True, seed=0).task
    (('0', '1', '2', '3'), 'regression')
    """
    rng = stream(seed)
    h = x = single(rng.standard_normal((rows, inputs)))
    for _ in range(depth):
        w = rng.standard_normal((h.shape[1], width))
        h = np.tanh(1.5 * combined(h, w))
    score = combined(h, rng.standard_normal((h.shape[1], 1)))[:, 0]
    score = score / np.sqrt(np.mean((score - np.mean(score)) ** 2)) + noise * rng.standard_normal(rows)
    features = tuple(f"x{i}" for i in range(inputs))
    if regression:
        return Table(x, single(score), features, (), target="score")
    rank = np.empty(rows, np.int64)
    rank[np.argsort(np.round(score, 9), kind="stable")] = np.arange(rows)
    return Table(x, (rank * classes // rows).astype(np.int32), features, names(classes), target="score")


def combined(h: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return hW / √fan_in, summed input by input in their order: a library's product sums as its processor likes."""
    total = np.zeros((len(h), w.shape[1]))
    for i in range(len(w)):
        total += h[:, i : i + 1] * w[i]
    return total / np.sqrt(len(w))


@dataset(
    task="regression",
    reference="generated; after Rahaman et al. 2019, On the spectral bias of neural networks",
    licence=GENERATED,
    generated=True,
    shape=(1000, 1, 0),
    bounds={"frequency": (0.1, 1000), "rows": ROWS, "noise": NOISE},
)
def sine(*, frequency: float = 2.0, rows: int = 1000, noise: float = 0.0, seed: int) -> Table:
    """Sine: y = sin(2π·frequency·x), x uniform on [0, 1]; a higher frequency is harder.

    >>> sine(frequency=4, seed=0).task
    'regression'
    """
    rng = stream(seed)
    x = single(rng.random(rows))
    return curve(x, np.sin(2 * np.pi * frequency * x), noise, rng)


@dataset(
    task="regression",
    reference="generated; after Rahaman et al. 2019, On the spectral bias of neural networks",
    licence=GENERATED,
    generated=True,
    shape=(1000, 1, 0),
    bounds={"frequency": (0.1, 1000), "rows": ROWS, "noise": NOISE},
)
def chirp(*, frequency: float = 4.0, rows: int = 1000, noise: float = 0.0, seed: int) -> Table:
    """Chirp: a sine whose frequency grows from 0 to ``frequency``: y = sin(π·frequency·x²), x uniform on [0, 1].

    >>> chirp(seed=0).x.shape
    (1000, 1)
    """
    rng = stream(seed)
    x = single(rng.random(rows))
    return curve(x, np.sin(np.pi * frequency * x**2), noise, rng)


@dataset(
    task="regression",
    reference="generated; after Lu, Shin, Su & Karniadakis 2020, Dying ReLU and initialization",
    licence=GENERATED,
    generated=True,
    shape=(1000, 1, 0),
    bounds={"rows": ROWS, "noise": NOISE},
)
def absolute(*, rows: int = 1000, noise: float = 0.0, seed: int) -> Table:
    """Absolute value: y = |x|, x uniform on [−1, 1]; two ReLU units are enough, and deep narrow networks still miss it.

    >>> table = absolute(seed=0)
    >>> bool(np.all(table.y == np.abs(table.x[:, 0])))
    True
    """
    rng = stream(seed)
    x = single(2 * rng.random(rows) - 1)
    return curve(x, np.abs(x), noise, rng)


@dataset(
    task="regression",
    reference="generated; after Lu, Shin, Su & Karniadakis 2020, Dying ReLU and initialization",
    licence=GENERATED,
    generated=True,
    shape=(1000, 1, 0),
    bounds={"rows": ROWS, "noise": NOISE},
)
def step(*, rows: int = 1000, noise: float = 0.0, seed: int) -> Table:
    """Step: y = 1 where x > 0, else 0, x uniform on [−1, 1]; continuous networks only come near it.

    >>> sorted(set(step(seed=0).y.tolist()))
    [0.0, 1.0]
    """
    rng = stream(seed)
    x = single(2 * rng.random(rows) - 1)
    return curve(x, (x > 0).astype(np.float64), noise, rng)


@dataset(
    reference="generated from `digits`; after Hoshen & Peleg 2016, Visual learning of arithmetic operation",
    licence="CC BY 4.0",
    generated=True,
    made_of=("digits",),
    shape=(3000, 128, 19),
    chance=0.1,
    bounds={"rows": (1000, 100_000)},
)
def digit_sums(*, rows: int = 3000, regression: bool = False, seed: int) -> Table:
    """Digit sums: two handwritten digits side by side; their sum is the class, of 19, or the target of a regression.

    The images are split first, 60/20/20 by ``seed``, and pairs are drawn within each split, each ordered pair of
    different images at most once: no image is both in training and in validation or test rows.

    >>> digit_sums(seed=0).x.shape
    (3000, 128)
    """
    images = bundled.digits()
    rng = stream(seed)
    held_out = rows // 5
    left, right, part = [], [], []
    for i, own in enumerate(split_rows(images.y, rng)):
        pairs = rng.choice(len(own) * (len(own) - 1), (rows - 2 * held_out, held_out, held_out)[i], replace=False)
        first, second = pairs // (len(own) - 1), pairs % (len(own) - 1)
        left.append(own[first])
        right.append(own[second + (second >= first)])  # never the image itself
        part.append(np.full(len(pairs), i))
    one, other = np.concatenate(left), np.concatenate(right)
    x, total = np.concatenate([images.x[one], images.x[other]], axis=1), images.y[one] + images.y[other]
    features = tuple(f"{side}_{name}" for side in ("left", "right") for name in images.features)
    y, classes = (total.astype(np.float64), ()) if regression else (total.astype(np.int32), names(19))
    return Table(x, y, features, classes, target="sum", part=np.concatenate(part))
