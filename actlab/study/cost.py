"""What a plan will cost, roughly: floating-point work and time."""

from collections.abc import Sequence
from dataclasses import dataclass

from actlab.nn import weights
from actlab.study.jobs import PROGRAMS, Job, record_steps
from actlab.study.resolve import Resolved
from actlab.study.sweep import Cell

# What one core of a laptop does in this training loop, measured at depth 20 and batch 128 on a two-core machine: it is
# bound by matrix products when wide, and by the number of layers and steps when narrow.
FLOPS = 25e9
SECONDS_PER_LAYER_STEP = 6e-6
COMPILE_SECONDS = 4.0  # of one program, on one core: 3 to 5 measured


@dataclass(frozen=True)
class Cost:
    """Floating-point operations of training; seconds on all workers together, of training, and of compiling at most.

    What the cache on the disk holds takes no time to compile.
    """

    flops: float
    seconds: float
    compile_seconds: float


def expected(groups: Sequence[Job], workers: int, wanted: set[str]) -> Cost:
    """Estimate the cost of training the wanted runs of a plan's groups."""
    flops = seconds = 0.0
    shapes = set()
    for group in groups:
        runs = [run for run in group.runs if run.id in wanted]
        if not runs:
            continue
        flops += sum(run.flops for run in runs)
        seconds += sum(training_seconds(run.flops, group.steps, group.depth) for run in runs)
        shapes.add(group.shape.programs)
    programs = PROGRAMS * len(shapes)
    return Cost(flops, seconds / workers, programs * COMPILE_SECONDS / max(min(workers, programs), 1))


def training_seconds(flops: float, steps: int, depth: int) -> float:
    """Estimate what one run takes on a laptop's core; how it compares with another run's is right within a factor.

    >>> training_seconds(25e9, 1000, 10)
    1.06
    """
    return flops / FLOPS + steps * depth * SECONDS_PER_LAYER_STEP


def training_flops(cell: Cell, features: int, outputs: int) -> float:
    """Count one training step's matmul operations: forward, weight gradient, and input gradient (not of x).

    2·B·(3·(L − 1)·W² + 3·W·C + 2·F·W) for batch B, depth L, width W, F inputs and C outputs.
    """
    depth, width = cell.model.depth, cell.model.width
    hidden = 3 * (depth - 1) * width**2
    ends = 3 * width * outputs + 2 * features * width
    return 2.0 * cell.train.batch_size * (hidden + ends)


def measuring_flops(cell: Cell, features: int, outputs: int, rows: int) -> float:
    """Count the matmul operations of all of a run's records and evaluations, which may be most of what it takes.

    A record is one step's on the probe rows; an evaluation is forward alone, 2·N·((L − 1)·W² + W·C + F·W), on the N
    rows of all splits.
    """
    depth, width = cell.model.depth, cell.model.width
    forward = 2.0 * rows * ((depth - 1) * width**2 + width * outputs + features * width)
    record = training_flops(cell, features, outputs) * cell.measure.probe_rows / cell.train.batch_size
    records, evaluations = (
        len(record_steps(cell.train.steps, every)) for every in (cell.measure.every, cell.measure.evaluate_every)
    )
    return records * record + evaluations * forward


def clock(seconds: float) -> str:
    """Write seconds as a person says them.

    >>> clock(42), clock(600), clock(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def weight_bytes(resolved: Resolved) -> float:
    """Predict what the weights of one of a cell's runs take on the disk: nothing where none are kept."""
    cell = resolved.cell
    if cell.measure.keep_weights == "none":
        return 0.0
    arrays = weights.shapes(
        cell.model.depth,
        cell.model.width,
        resolved.features,
        resolved.outputs,
        resolved.activation.learnable,
        cell.model.activation.options.get("per") == "unit",
        cell.model.norm,
    )
    records = len(record_steps(cell.train.steps, cell.measure.every)) if cell.measure.keep_weights == "records" else 1
    return float(records * weights.file_bytes(arrays, 8 if cell.model.dtype == "float64" else 4))
