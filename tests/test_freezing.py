"""Frozen layers: nothing of theirs moves, the rest trains as an obvious loop does, and what is dead above stays so."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.nn.blocks import Function, Options
from actlab.study.plan import plan
from actlab.study.reading import StudyError, read
from tests.core import Runs, a_program, assert_same_bits, go, network, of_run, some_data, some_numbers
from tests.test_training import DEPTH, OPTIMIZERS, SCHEDULE, above, bent_numbers, bent_program, loop
from tests.thinned import thinned

PROBES = ("update_ratio", "weight_grad_norm", "dead_fraction", "died_fraction", "revived_fraction")
_, OWN, RULE, DECAYED = OPTIMIZERS["adamw"]  # clipped, decayed, with the parameters of φ; a rate that rises and falls


def frozen_of(parameters, k):
    """Return every array of the first k hidden layers."""
    layers = {name: stack[:k] for name, stack in parameters["layers"].items()}
    return {"layers": layers, "input": parameters["input"] if k else {}}


@pytest.fixture(scope="module")
def together():
    """Train one call of four runs that freeze no layer, one, two and all, by one program."""
    with jax.enable_x64(True):
        program = bent_program(dtype="float64", freeze=True, runs_per_call=4, probes=PROBES, **OPTIMIZERS["adamw"][0])
        numbers = [bent_numbers(seed=k, freeze_layers=k, **OWN) for k in range(DEPTH + 1)]
        runs = Runs(program, numbers, some_data("float64"))
        begun = jax.tree.map(np.asarray, runs.begin().state["training"])
        return numbers, begun, *go(runs, SCHEDULE)


@pytest.mark.parametrize("k", thinned(range(DEPTH + 1), 2))
def test_frozen_layers_stay_and_the_others_follow_the_obvious_loop(together, k):
    numbers, begun, state, records = together
    before, after = (network(one["parameters"], k, DEPTH) for one in (begun, state["training"]))
    assert_same_bits(frozen_of(before, k), frozen_of(after, k))
    for memory in state["training"]["memory"].values():
        own = network(memory, k, DEPTH)
        assert not any(np.any(leaf) for leaf in jax.tree.leaves(frozen_of(own, k)))
        assert all(np.any(leaf) for name, leaf in own["layers"].items() if k < DEPTH and len(leaf[k:]))
    with jax.enable_x64(True):
        expected, log = loop(before, numbers[k], some_data("float64"), RULE, DECAYED, frozen=k)
    for (path, a), b in zip(jax.tree.leaves_with_path(after), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=str(path))
    for a, b in zip(jax.tree.leaves(above(before, k)), jax.tree.leaves(above(after, k)), strict=True):
        assert a.size == 0 or not np.array_equal(a, b) or not np.any(a)
    assert {norm > OWN["clip_norm"] for *_, norm in log} == {True, False}  # that of the others alone
    for i, (step, _) in enumerate(SCHEDULE):
        ratios = records["layers"]["update_ratio"][k, i]
        assert not np.any(ratios[:k])
        np.testing.assert_allclose(ratios, log[step][2], rtol=1e-8, atol=1e-15)
        assert np.all(records["gradients"]["weight_grad_norm"][k, i] > 0)  # of frozen layers as well


@pytest.mark.parametrize(("name", "norm"), thinned([("rmsprop", "layer"), ("momentum", "batch")], 2))
def test_scale_and_shift_and_a_float32_memory_of_frozen_layers_stay(name, norm):
    switches = (("nesterov", False),) if name == "momentum" else ()
    program = bent_program(freeze=True, options=Options(norm), optimizer=name, optimizer_switches=switches)
    runs = Runs(program, [bent_numbers(freeze_layers=2)], some_data())
    begun = of_run(runs.begin().state["training"], 0)
    state, _ = go(runs, SCHEDULE)
    after = of_run(state["training"], 0)
    assert set(begun["parameters"]["layers"]) > {"scale", "shift"}
    then = [begun["parameters"], *begun["memory"].values()]
    for old, tree in zip(then, [after["parameters"], *after["memory"].values()], strict=True):
        assert_same_bits(frozen_of(old, 2), frozen_of(tree, 2))
        for name in ("kernel", "activation", "scale", "shift"):  # a batch's mean takes the bias away
            assert not np.array_equal(tree["layers"][name][2:DEPTH], old["layers"][name][2:DEPTH]), name


def test_a_gradient_that_is_not_finite_gets_into_no_frozen_layer():
    program = bent_program(freeze=True, optimizer="adam")
    runs = Runs(program, [bent_numbers(freeze_layers=2, learning_rate=1e30, gain=30.0)], some_data())
    begun = network(runs.begin().state["training"]["parameters"], 0, DEPTH)
    state = runs.train(runs.begin().state, 0, 12)["training"]
    after = network(state["parameters"], 0, DEPTH)
    assert not np.all(np.isfinite(after["layers"]["kernel"][2]))
    assert_same_bits(frozen_of(begun, 2), frozen_of(after, 2))
    for memory in state["memory"].values():
        assert not any(np.any(leaf) for leaf in jax.tree.leaves(frozen_of(network(memory, 0, DEPTH), 2)))


# Why dead units come back

RELU = Function(lambda z: jnp.maximum(z, 0.0), lambda z: z <= 0)
DEEP, UNITS, SEEDS = 4, 32, 8


def test_no_unit_that_is_dead_right_above_frozen_layers_revives_under_plain_sgd():
    """δ of a dead unit is 0, so its weights and bias stay; what comes from below stays, so its z do, all ≤ 0."""
    shape = {"width": UNITS, "depth_bound": DEEP, "runs_per_call": SEEDS, "probes": PROBES}
    program = a_program(RELU, optimizer="sgd", freeze=True, **shape)
    own = {"bias_std": 0.0, "weight_decay": 0.0, "gain": 1.2, "learning_rate": 0.2}
    for k in (0, 1, 2):
        numbers = [some_numbers(DEEP, seed=seed, freeze_layers=k, **own) for seed in range(SEEDS)]
        _, records = go(Runs(program, numbers, some_data(), DEEP), [(step, 1) for step in range(0, 56, 4)])
        revived, dead = (records["layers"][name] * UNITS for name in ("revived_fraction", "dead_fraction"))
        assert np.isfinite(dead).all()
        assert dead[..., k].max(axis=1).sum() > 15
        assert not np.any(revived[..., : k + 1])
        assert revived[..., k + 1].max(axis=1).sum() > 15  # the control: one layer further up
        assert not np.any(records["layers"]["update_ratio"][..., :k])
        assert np.all(dead[..., :k] == dead[:, :1, :k])


def test_more_frozen_layers_than_there_are_throw_no_depth_away(tmp_path):
    (tmp_path / "s.yaml").write_text("study: s\ndata: {name: iris}\nmodel: {depth: 2}\ntrain: {freeze_layers: 1}\n")
    swept = "sweep: {matrix: {train.freeze_layers: [0, 1, 2], model.depth: [1, 2]}}\n"
    for text, overrides, words in (
        ("", ["train.freeze_layers=1000000000"], "expected a number ≤ 1000, not 1000000000"),
        ("", ["train.freeze_layers=3"], "add 'train.freeze_layers=2'"),
        ("", ["model.depth=1,2", "train.freeze_layers=2"], "add 'train.freeze_layers=1'"),
        (swept, [], "write `exclude: [{train.freeze_layers: 2, model.depth: 1}]` below 'sweep:'"),
    ):
        file = tmp_path / "t.yaml"
        file.write_text((tmp_path / "s.yaml").read_text() + text)
        with pytest.raises(StudyError) as refused:
            plan(read(file, overrides))
        assert words in str(refused.value)
