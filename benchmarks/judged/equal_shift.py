"""Bias shift of ReLU, leaky ReLU and ELU at equal rates, and their mean activations."""

from benchmarks.judged.bias_shift import share, shifted
from benchmarks.judged.made import Case, named
from experiments import equal_shift

RATES = {"adam": (3e-4, 1e-3, 3e-3, 1e-2), "momentum": (1e-3, 3e-3, 1e-2, 3e-2)}
PLACES = tuple({"optimizer": name, "learning_rate": rate} for name, rates in RATES.items() for rate in rates)
AT_RATES = named("relu", "leaky_relu", "elu") | {"place": PLACES}

CASES = (
    Case(equal_shift.less_than_relu_at_equal_rates, AT_RATES, shifted, 0.2),
    Case(equal_shift.less_at_all_than_relu, AT_RATES, shifted, 0.1),
    Case(equal_shift.less_than_leaky_at_equal_rates, AT_RATES, shifted, 0.2),
    Case(equal_shift.less_at_all_than_leaky, AT_RATES, shifted, 0.1),
    Case(equal_shift.means_are_nearer_at_equal_rates, AT_RATES, shifted, 0.2),
    Case(equal_shift.means_are_nearer_at_all, AT_RATES, shifted, 0.1),
    Case(equal_shift.relu_shifts_at_each_rate, AT_RATES | named("relu"), share, 0.2, None),
)
