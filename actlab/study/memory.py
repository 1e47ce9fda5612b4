"""What a worker holds in memory, and how to make it hold less: narrower lanes, evaluations in more pieces."""

from dataclasses import dataclass
from typing import NamedTuple

# Python and JAX; and the compiler at work, which holds more with each activation, and OPTIONS times that where blocks
# have more than an activation: measured on worker processes (see benchmarks/memory.py).
BASE, AN_ACTIVATION, OPTIONS = 4.8e8, 9e6, 1.5
PLANNED = 0.9  # of the memory that may be used: predictions are right to within a tenth
MOST_PIECES = 256


class Chunks(NamedTuple):
    """How much a worker has in hand at a time: runs that one call advances, and pieces in which it evaluates."""

    lane: int
    pieces: int


@dataclass(frozen=True)
class Size:
    """The numbers that decide how large a run's arrays are: L layers of W units, rows, F inputs, C outputs.

    ``normed_rows`` are the training rows, where batch normalisation has their statistics taken; else 0. ``activations``
    is how many the study has, ``plain`` whether its blocks are an activation and nothing else.
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


def worker_bytes(size: Size, chunks: Chunks) -> float:
    """Bytes that one worker process holds at most while it trains a lane.

    A run has five copies of its weights (themselves, Adam's two, those before a record's step, one at work), z and h
    by layer of a minibatch and of the probe rows, and five layers of the rows of one piece of an evaluation. The data
    are held three times. ``size.depth`` is the bound on depth: of a study's deepest.

    Statistics of batch normalisation are those of all training rows at once: an evaluation goes in one piece, and where
    that is more, a record's five layers of training and probe rows count in its place.

    >>> size = Size(20, 64, 128, 256, 1797, 64, 10, 4)
    >>> [round(worker_bytes(size, Chunks(lane, 1)) / 2**20) for lane in (1, 64)]
    [476, 986]
    """
    lane, pieces = chunks
    weights = size.depth * size.width**2 + (size.features + size.outputs) * size.width
    layers = size.depth * size.width
    a_row = 5 * size.width + size.features + size.outputs
    piece = -(-size.rows // (1 if size.normed_rows else pieces)) * a_row
    normed = (size.normed_rows + size.probe_rows) * a_row if size.normed_rows else 0
    run = 5 * weights + 2 * layers * (size.batch_size + size.probe_rows) + max(piece, normed)
    numbers = lane * run + 3 * size.rows * size.features
    compiler = AN_ACTIVATION * size.activations * (1 if size.plain else OPTIONS)
    return BASE + compiler + size.itemsize * numbers


def fit(size: Size, lane: int, most_bytes: float) -> Chunks | None:
    """The widest lane, at most ``lane``, and the fewest pieces with which a worker stays well within ``most_bytes``.

    Returns:
        None where even a lane of one run in many pieces is too much.

    >>> size = Size(20, 64, 128, 256, 1797, 64, 10, 4)
    >>> fit(size, 64, 2e9), fit(size, 64, 9e8), fit(size, 64, 5e8)
    (Chunks(lane=64, pieces=1), Chunks(lane=32, pieces=1), None)
    """
    while lane >= 1:
        pieces = 1
        while pieces <= min(MOST_PIECES, size.rows):
            chunks = Chunks(lane, pieces)
            if worker_bytes(size, chunks) <= PLANNED * most_bytes:
                return chunks
            pieces *= 2
        lane //= 2
    return None
