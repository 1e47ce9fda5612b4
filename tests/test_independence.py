"""A run's bits depend on nothing but itself: neither on its neighbours nor on what else the study has.

``python -m pytest tests/test_independence.py --thorough`` tries batch normalisation with all else, each option of
a network by itself, and wide layers.
"""

import jax
import numpy as np

from actlab.activations import CATALOGUE
from actlab.measures import MEASURES
from actlab.nn import probes
from actlab.nn.blocks import Function, Options
from tests.core import Runs, a_program, assert_same_bits, go, of_run, some_data, some_numbers

DEPTH, BOUND = 3, 200
SCHEDULE = ((0, 1), (3, 0), (8, 1), (9, 0), (11, 1))
CHEAP = (*probes.GRADIENTS, *probes.DEATH, *(name for name in probes.PROBES if not MEASURES[name].expensive))


def function(name):
    record = CATALOGUE[name]
    fixed = tuple(key for key in record.parameters if key not in record.learnable)
    return Function(record.function, record.flat, fixed, record.learnable)


# Of every kind: with fixed parameters, with one and with two that are learned, flat and nowhere flat.
OTHERS = ("tanh", "star_relu", "prelu", "relu6", "elu")
SMOOTH = {"cosine": 1.0, "warmup_steps": 3.0}
# name: activation, options of the block, what else of the program, numbers
TOGETHER = {
    "plain": ("leaky_relu", Options(), {}, {}),
    "all, layer": (
        "prelu",
        Options("layer", True, "standard"),
        {"clip": True, "learnable_per": "unit"},
        {"clip_norm": 0.1, "dropout_rate": 0.3, **SMOOTH},
    ),
    "all, batch": (
        "star_relu",
        Options("batch", True, "alpha"),
        {"clip": True, "decay_activation_parameters": True},
        {"clip_norm": 0.1, "dropout_rate": 0.3, **SMOOTH},
    ),
}
APART = {
    "schedule": ("elu", Options(), {}, SMOOTH),
    "layer": ("relu", Options("layer"), {}, {}),
    "batch": ("tanh", Options("batch"), {}, {}),
    "residual": ("gelu", Options(residual=True), {}, {}),
    "dropout": ("softplus", Options(dropout="standard"), {}, {"dropout_rate": 0.3}),
    "alpha dropout": ("selu", Options(dropout="alpha"), {}, {"dropout_rate": 0.1}),
    "clip": ("sigmoid", Options(), {"clip": True}, {"clip_norm": 0.1}),
    "clip, per layer": ("prelu", Options(), {"clip": True}, {"clip_norm": 0.1}),
    "clip, per unit": ("swish", Options(), {"clip": True, "learnable_per": "unit"}, {"clip_norm": 0.1}),
    "per layer": ("snake", Options(), {}, {}),
    "per unit": ("star_relu", Options(), {"learnable_per": "unit"}, {}),
    "momentum": ("relu6", Options(), {"optimizer": "momentum"}, {}),
    "sgd": ("mish", Options(), {"optimizer": "sgd"}, {}),
}
CASES = TOGETHER | APART
FEW = [("all, layer", 4, 6)]
MANY = [(name, runs, width) for name in CASES for runs, width in ((1, 6), (4, 6), (1, 64), (4, 33))]


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", MANY if metafunc.config.getoption("thorough") else FEW, ids=str, scope="module")


def own_part(tree, depth, learned):
    """Return what a state would have in any study: its own layers, and of its layers the parameters that they learn."""

    def own(path, leaf):
        keys = [entry.key for entry in path]
        leaf = leaf[:depth] if {"layers", "masks"} & set(keys) else leaf
        return leaf[:, :learned] if keys[-1] == "activation" else leaf

    return jax.tree_util.tree_map_with_path(own, tree)


def test_alone_and_among_other_activations_and_much_deeper_networks(case):
    """Wherever its activation stands among them, and whatever place the run has in the call."""
    name, together, width = case
    activation, options, changes, numbers = CASES[name]
    record = CATALOGUE[activation]
    fixed = {key: value for key, value in record.parameters.items() if key not in record.learnable}
    learnable = {key: record.parameters[key] for key in record.learnable}

    def run(**other):
        return some_numbers(DEPTH, fixed=fixed, learnable=learnable, **numbers | other)

    def trained(functions, bound, runs, index):
        program = a_program(
            *functions,
            depth_bound=bound,
            width=width,
            probes=CHEAP,
            options=options,
            runs_per_call=together,
            **changes,
        )
        return go(Runs(program, runs, some_data(), DEPTH, index), SCHEDULE)

    one, others = function(activation), [function(other) for other in OTHERS]
    state, records = trained([one], DEPTH, [run()] * together, 0)
    assert np.isfinite(state["training"]["loss_sum"]).all()
    alone = own_part(of_run(state, 0), DEPTH, len(record.learnable)), of_run(records, 0)
    neighbours = [run(seed=4), run(seed=5, learning_rate=0.5), run(gain=3.0)][: together - 1]
    among = [*others[:3], one, *others[3:], one]
    for index, place in ((3, together - 1), (6, together // 2)):
        state, records = trained(among, BOUND, [*neighbours[:place], run(), *neighbours[place:]], index)
        assert_same_bits((own_part(of_run(state, place), DEPTH, len(record.learnable)), of_run(records, place)), alone)
