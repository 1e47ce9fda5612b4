"""Bias shift of ReLU, leaky ReLU and ELU at equal rates."""

from benchmarks.judged.bias_shift import NETWORKS, shifted
from benchmarks.judged.made import Case
from experiments import equal_shift

AT_RATES = NETWORKS | {"learning_rate": (1e-3, 1e-2)}

CASES = (
    Case(equal_shift.less_than_relu_at_equal_rates, AT_RATES, shifted, 0.2),
    Case(equal_shift.less_than_leaky_at_equal_rates, AT_RATES, shifted, 0.2),
)
