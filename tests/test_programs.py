"""What a call of a compiled program costs: nothing for layers that a run does not have."""

import re

import jax
import numpy as np
import pytest

from actlab.activations import CATALOGUE
from actlab.engine import compiling, loading
from actlab.nn.programs import state_axis
from tests.core import FEATURES, Runs, a_program, assert_same_bits, programs_of, some_data, some_numbers
from tests.thinned import thinned

BOUND, WIDTH = 48, 8
RELU = loading.function_of(CATALOGUE["relu"])


@pytest.mark.parametrize("runs", thinned([4, 1], 2))
@pytest.mark.parametrize("clip", thinned([True, False], 2))
def test_no_call_copies_or_fills_all_layers(runs, clip):
    """Every loop over layers goes to the depth, so that only a copy, a fill or a turn of whole stacks could."""
    program = a_program(RELU, depth_bound=BOUND, width=WIDTH, runs_per_call=runs, clip=clip, optimizer="adam")
    numbers = [some_numbers(2, clip_norm=1.0) for _ in range(runs)]
    batch = Runs(program, numbers, some_data(), depth=2).batch
    jitted = programs_of(program, FEATURES)
    arguments = compiling.arguments_of(jitted, batch.numbers, batch.data, batch.call, program)
    stack = rf"f32\[(?:{BOUND},(?:{runs},)?|{runs},{BOUND},)[1-9]\d*,[1-9]\d*\]"
    whole = rf"{stack}\S* (?:copy|broadcast|transpose|wrapped_copy\S*)\("
    for name in ("train", "measure", "evaluate"):
        compiled = getattr(jitted, name).lower(*arguments[name]).compile().as_text()
        assert re.findall(whole, compiled) == [], name


@pytest.mark.parametrize("runs", thinned([4, 1], 2))
def test_a_state_and_a_scratch_are_given_away(runs):
    program = a_program(RELU, depth_bound=3, width=WIDTH, runs_per_call=runs)
    batch = Runs(program, [some_numbers(3) for _ in range(runs)], some_data()).batch
    given = batch.begin().state
    state = batch.train(given, 0, 1, recorded=True)
    scratch = batch.scratch["train"]
    batch.train(state, 1, 2)
    kernel, before = (tree["layers"]["kernel"] for tree in (given["training"]["parameters"], scratch["before"]))
    assert kernel.is_deleted()
    assert before.is_deleted()
    assert kernel.shape[state_axis(runs)((jax.tree_util.DictKey("layers"),))] == runs


def test_what_lies_in_a_scratch_beyond_a_run_is_never_read():
    program = a_program(RELU, depth_bound=5, width=WIDTH)
    runs = Runs(program, [some_numbers(2)], some_data(), depth=2)
    usual = runs.record(runs.begin().state, 0, evaluated=True)
    begun = runs.begin()
    runs.batch.scratch = jax.tree.map(lambda leaf: np.full(leaf.shape, np.nan, leaf.dtype), runs.batch.scratch)
    assert_same_bits(usual, runs.record(begun.state, 0, evaluated=True))


def test_all_but_the_start_are_the_same_whatever_weights_are_drawn_from():
    """So that what one initialiser compiled is what the others find, by a key that leaves out what they draw from."""
    lowered, found_by = [], []
    for weights, biases in (("normal", "constant"), ("randomized_asymmetric", "uniform")):
        program = a_program(RELU, depth_bound=3, width=WIDTH, weight_distribution=weights, bias_distribution=biases)
        batch = Runs(program, [some_numbers(3)], some_data()).batch
        jitted = programs_of(program, FEATURES)
        arguments = compiling.arguments_of(jitted, batch.numbers, batch.data, batch.call, program)
        lowered.append({name: getattr(jitted, name).lower(*arguments[name]).as_text() for name in arguments})
        found_by.append({name: compiling.spec_of(name, program.spec) for name in arguments})
    for name in lowered[0]:
        assert (lowered[0][name] == lowered[1][name]) == (name != "start"), name
        assert (found_by[0][name] == found_by[1][name]) == (name != "start"), name
