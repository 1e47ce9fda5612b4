"""Gaps of PReLU, and of leaky ReLU frozen at the slopes that it reaches."""

from benchmarks.judged.made import Case, named
from benchmarks.judged.small_data import ROWS, larger
from experiments import frozen_slopes
from experiments.frozen_slopes import PRELU

NETWORKS = named(PRELU, "prelu(alpha=0.3/0.3/0.3)") | ROWS

CASES = (Case(frozen_slopes.learning_overfits, NETWORKS, larger(PRELU), 0.04),)
