"""Why a shipped table or figure has nothing to say of a study: what it needs, by its name."""

from __future__ import annotations

from collections.abc import Iterable

from actlab.analysis.escaping import plain
from actlab.analysis.layout import words

UNITS, DEPTHS, RATES = "dead units measured", "several depths", "several learning rates"
NORMS, THEORY = "gradient norms measured", "predictions of theory beside what was measured"
NEEDS = {
    "gradient_norms": NORMS,
    "weight_gradient_norms": NORMS,
    "gradient_by_layer": f"{NORMS}, and three hidden layers",
    "gradient_by_layer_at_end": f"{NORMS} in trained networks, and three hidden layers",
    "vanishing_slopes": f"{NORMS}, and three hidden layers",
    "moments": "moments of the activations measured",
    "learned_parameters": "an activation that learns parameters",
    "generalization": "trained networks",
    "selection": "a setting that is selected, by report.select",
    "revivals": "revived units measured by layer",
    "predictions": THEORY,
    "predicted_slopes": f"{THEORY}, of several networks",
    "convergence": "trained networks",
    "dead_units": UNITS,
    "death": f"{UNITS} at several evaluations",
    "dead_networks": "a network that was born dead",
    "dead_fraction": f"{UNITS} by layer",
    "dead_over_training": f"{UNITS} at several steps",
    "dead_by_depth": f"{UNITS}, {DEPTHS}, and several initialisers or biases",
    "dying": f"{UNITS}, and {RATES}",
    "weakening": f"weak units measured that are not dead, and {RATES}",
    "revival": "revived units measured by layer at several evaluations",
    "layers_over_training": "several layers at several steps",
    "accuracy_by_depth": DEPTHS,
    "gap_by_rows": "trained networks, and several numbers of training rows (data.train_rows)",
    "trained_by_depth": DEPTHS,
    "trained_by_rate": f"{DEPTHS}, and {RATES}",
    "training_curves": "a loss recorded at several steps",
    "intervals_by_depth": DEPTHS,
    "histograms": "histograms measured (hist_z, hist_h, hist_signal_grad)",
}


def not_applicable(names: Iterable[str]) -> str:
    """Name what has nothing to say of a study, each with what it needs; empty where there is none.

    >>> not_applicable(["dying", "mine"])
    'Not applicable to this study: dying (needs dead units measured, and several learning rates); mine.'
    """
    each = [f"{plain(words(name))}{f' (needs {NEEDS[name]})' if name in NEEDS else ''}" for name in names]
    return f"Not applicable to this study: {'; '.join(each)}." if each else ""
