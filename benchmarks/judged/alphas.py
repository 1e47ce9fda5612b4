"""Accuracies of leaky ReLU by its slope α."""

from benchmarks.judged.made import TWO, Case, accuracy, named
from experiments import alphas

ALPHAS = (0, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1, 1.5)
LABELS = {a: "leaky_relu" if a == 0.01 else f"leaky_relu(negative_slope={a})" for a in ALPHAS}
NETWORKS = named(*LABELS.values()) | {"optimizer": TWO}

CASES = (
    Case(alphas.any_matters, NETWORKS, accuracy(LABELS[1.5]), 0.06),
    Case(alphas.in_use_matters, NETWORKS, accuracy(LABELS[0.1]), 0.06),
    Case(alphas.linear_is_worse, NETWORKS, accuracy(LABELS[0.01]), 0.05),
)
