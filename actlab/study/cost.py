"""What a plan will cost, roughly: floating-point work and time."""

from dataclasses import dataclass

from actlab.study.plan import Plan

# What one core of a laptop does in this training loop, measured at depth 20 and batch 128 on a two-core machine: it is
# bound by matrix products when wide, and by the number of layers and steps when narrow.
FLOPS = 25e9
SECONDS_A_LAYER_STEP = 6e-6
COMPILE_SECONDS = 6.0  # of all of a shape's programs, in each worker


@dataclass(frozen=True)
class Cost:
    """Floating-point operations of training, and seconds on all workers together."""

    flops: float
    seconds: float


def expected(plan: Plan, workers: int, wanted: set[str]) -> Cost:
    """The cost of training the wanted runs of a plan."""
    flops = seconds = 0.0
    shapes = set()
    for group in plan.groups:
        runs = [run for run in group.runs if run.id in wanted]
        if not runs:
            continue
        own = sum(run.flops for run in runs)
        layers = len(runs) * group.steps * group.depth
        flops += own
        seconds += own / FLOPS + layers * SECONDS_A_LAYER_STEP
        shapes.add(group.shape)
    return Cost(flops, seconds / workers + len(shapes) * COMPILE_SECONDS)


def clock(seconds: float) -> str:
    """Seconds as a person says them.

    >>> clock(42), clock(600), clock(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
