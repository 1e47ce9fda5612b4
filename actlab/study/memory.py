"""What a worker holds in memory, and how to make it hold less: fewer runs per call, evaluations in more chunks."""

from dataclasses import dataclass
from typing import NamedTuple

# Python and JAX; and the compiler at work, which holds more with each activation, and OPTIONS times that where blocks
# have more than an activation: measured on worker processes (see benchmarks/memory.py).
BASE, PER_ACTIVATION, OPTIONS = 4.8e8, 9e6, 1.5
PLANNED = 0.9  # of the memory that may be used: predictions are right to within a tenth
MOST_EVAL_CHUNKS = 256
UNITS, OUTPUT_DRAWS = 256, 48  # that theory samples
MOST_WORKER_BYTES = 1e12
"""What a single run may take, whatever machine it is for."""


class CallSize(NamedTuple):
    """How much a worker computes at a time: runs that one call advances, and chunks in which it evaluates."""

    runs_per_call: int
    eval_chunks: int


@dataclass(frozen=True)
class Size:
    """The numbers that decide how large a run's arrays are: L layers of W units, rows, F inputs, C outputs.

    ``normed_rows`` are the training rows, where batch normalisation has their statistics taken; else 0. ``activations``
    is how many the study has, ``plain`` whether its blocks are an activation and nothing else, ``remembered``
    how many arrays of a weight's shape the optimizer keeps, ``kept`` whether weights are written to the disk.
    """

    depth: int
    width: int
    batch_size: int
    probe_rows: int
    rows: int
    features: int
    outputs: int
    itemsize: int
    normed_rows: int = 0
    activations: int = 1
    plain: bool = True
    remembered: int = 2
    kept: bool = False


def worker_bytes(size: Size, call: CallSize) -> float:
    """Predict the bytes that one worker process holds at most while it trains a run batch.

    A run has three copies of its weights (themselves, those before a record's step, one at work), what its optimizer
    remembers (Adam two), three more copies where they are written to the disk, z and h by layer of a minibatch and of
    the probe rows, and five layers of the rows of one chunk of an evaluation. The data are held three times.
    ``size.depth`` is the bound on depth: of a study's deepest.

    Statistics of batch normalisation are those of all training rows at once: an evaluation goes in one chunk, and where
    that is more, a record's five layers of training and probe rows count in its place.

    >>> size = Size(20, 64, 128, 256, 1797, 64, 10, 4)
    >>> [round(worker_bytes(size, CallSize(runs, 1)) / 2**20) for runs in (1, 64)]
    [476, 986]
    """
    runs_per_call, eval_chunks = call
    weights = size.depth * size.width**2 + (size.features + size.outputs) * size.width
    layers = size.depth * size.width
    per_row = 5 * size.width + size.features + size.outputs
    chunk = -(-size.rows // (1 if size.normed_rows else eval_chunks)) * per_row
    normed = (size.normed_rows + size.probe_rows) * per_row if size.normed_rows else 0
    copies = 3 + size.remembered + (3 if size.kept else 0)
    run = copies * weights + 2 * layers * (size.batch_size + size.probe_rows) + max(chunk, normed)
    numbers = runs_per_call * run + 3 * size.rows * size.features
    compiler = PER_ACTIVATION * size.activations * (1 if size.plain else OPTIONS)
    return BASE + compiler + size.itemsize * numbers


def prediction_bytes(depth: int, rows: int, data: int = 0) -> float:
    """Predict the bytes that a process holds at most while it computes theory's predictions of a network.

    A layer of L has 7.5 matrices of M × M rows (kernels, what decides them, signals) and three of 256 sampled units by
    row. Then come 48 draws of the outputs, M × M twice, and later the noise of 6L pooled numbers in L layers, 2.4
    times, of as many units. What was measured, with 4 to 100 layers and 32 to 512 rows, is at most a twentieth more.

    Args:
        depth: L, hidden layers.
        rows: M, probe rows that theory follows.
        data: numbers in the data, rows times inputs: held in float32 and in float64.

    >>> [round(prediction_bytes(depth, 512) / 2**20) for depth in (4, 50, 100)]
    [722, 1550, 2539]
    """
    of_layers = depth * (7.5 * rows**2 + 3 * rows * UNITS)
    later = max(2 * OUTPUT_DRAWS * rows**2, 2.4 * 6 * depth**2 * UNITS)
    return BASE + 8 * (of_layers + later) + 12 * data


def fit(size: Size, runs_per_call: int, most_bytes: float) -> CallSize | None:
    """Find the most runs per call, at most those given, and the fewest chunks that keep a worker well within a limit.

    Returns:
        None where even one run per call, evaluated in many chunks, is too much.

    >>> size = Size(20, 64, 128, 256, 1797, 64, 10, 4)
    >>> fit(size, 64, 2e9), fit(size, 64, 9e8), fit(size, 64, 5e8)
    (CallSize(runs_per_call=64, eval_chunks=1), CallSize(runs_per_call=32, eval_chunks=1), None)
    """
    while runs_per_call >= 1:
        eval_chunks = 1
        while eval_chunks <= min(MOST_EVAL_CHUNKS, size.rows):
            call = CallSize(runs_per_call, eval_chunks)
            if worker_bytes(size, call) <= PLANNED * most_bytes:
                return call
            eval_chunks *= 2
        runs_per_call //= 2
    return None
