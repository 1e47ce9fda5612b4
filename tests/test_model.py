"""One run's network as a module: equal to the walk under every option, and made of a run's settings or of its seed."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from flax import nnx

import actlab
from actlab.engine import run_batch
from actlab.engine.scheduling import prepare
from actlab.engine.store import Stored
from actlab.engine.train_study import resolved_text, sources_of
from actlab.nn import recording, training, walk
from actlab.nn.losses import example_losses
from actlab.nn.model import DeepMLP
from actlab.nn.programs import turned
from actlab.sources import UntrustedError
from actlab.study.plan import plan
from actlab.study.reading import StudyError, read
from tests.small_networks import (
    BENT,
    DEPTH,
    FEATURES,
    OUTPUTS,
    RATE,
    SLOPE,
    WIDTH,
    a_program,
    rows,
    some_numbers,
    some_weights,
)

STEP = 11
NORMS, DROPOUTS, PER = ("none", "layer", "batch"), ("none", "standard", "alpha"), ("layer", "unit")
# Each two of norm, residual and dropout meet in every way, and each norm both kinds of parameters; with --thorough all.
CASES = [
    pytest.param(norm, residual, dropout, per, marks=[] if some else pytest.mark.thorough)
    for norm, residual, dropout, per in itertools.product(NORMS, (False, True), DROPOUTS, PER)
    for some in [
        NORMS.index(norm) == DROPOUTS.index(dropout)
        and residual == (norm == "layer")
        and PER.index(per) == (norm != "none")
    ]
]


def a_module(program, weights):
    return DeepMLP(weights, DEPTH, BENT, {"slope": SLOPE}, program.spec.block, RATE)


def stacked(gradients):
    """Stack a module's gradients as the engine has them, layers 1..L."""
    hidden = [gradients["hidden"][l] for l in range(DEPTH)]
    layers = {
        "kernel": [jnp.zeros((WIDTH, WIDTH)), *(one["affine"]["kernel"][...] for one in hidden[1:])],
        "bias": [one["affine"]["bias"][...] for one in hidden],
        "activation": [[one["activation"]["parameters"][name][...] for name in BENT.learnable] for one in hidden],
    }
    if "norm" in hidden[0]:
        layers["scale"] = [one["norm"]["scale"][...] for one in hidden]
        layers["shift"] = [one["norm"]["bias"][...] for one in hidden]
    return {
        "input": {"kernel": hidden[0]["affine"]["kernel"][...]},
        "layers": {name: np.array(values) for name, values in layers.items()},
        "readout": {name: gradients["readout"][name][...] for name in ("kernel", "bias")},
    }


@pytest.mark.parametrize(("norm", "residual", "dropout", "per"), CASES)
def test_training_mode_is_the_walks_minibatch(norm, residual, dropout, per):
    with jax.enable_x64(True):
        program, numbers, (x, y) = a_program(norm, residual, dropout, per), some_numbers(), rows(7)
        weights = some_weights(program, numbers)
        up = training.scratch_for(program, weights)["layers"]["up"]
        kept = jax.tree.map(jnp.zeros_like, weights["layers"])
        with jax.disable_jit():  # every operation by itself: nothing to compile
            walked = training.minibatch_gradients(
                program, weights, numbers, (x, y), jnp.int32(STEP), DEPTH, jnp.int32(1), up, walk.put, kept
            )
        loss, gradients = walked.loss, {**walked.ends, "layers": walked.layers}
        module = a_module(program, weights)
        module.train()
        key = training.dropout_key(numbers["seed"], jnp.int32(STEP))

        def mean_loss(module):
            return jnp.mean(example_losses(module(x, key), y, "classification"))

        module_loss, module_gradients = nnx.jit(nnx.value_and_grad(mean_loss))(module)  # sooner compiled as a whole
    assert float(module_loss) == pytest.approx(float(loss), rel=1e-13)
    gradients = jax.tree.map(np.asarray, gradients)
    own = {name: stack[:DEPTH] for name, stack in gradients["layers"].items()}
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13),
        stacked(nnx.to_pure_dict(module_gradients)),
        {**gradients, "layers": own},
    )
    assert all(np.any(leaf != 0) for leaf in jax.tree.leaves(own))


@pytest.mark.parametrize(("norm", "residual", "dropout", "per"), CASES)
def test_evaluation_mode_is_the_walks_forward_pass(norm, residual, dropout, per):
    with jax.enable_x64(True):
        program, numbers = a_program(norm, residual, dropout, per), some_numbers()
        weights = some_weights(program, numbers)
        splits = {"train": rows(20)[0], "validation": rows(6, 1)[0], "test": rows(5, 2)[0]}
        with jax.disable_jit():
            outputs, _, _ = recording.forward_splits(program, weights, numbers, splits, DEPTH, jnp.int32(1))
        module = a_module(program, weights)
        module.take_statistics(splits["train"])
        module.eval()
        module_outputs = [module(x) for x in splits.values()]
    np.testing.assert_allclose(np.concatenate(module_outputs), outputs, rtol=1e-10, atol=1e-13)


# Modes


def test_training_mode_needs_keys_and_evaluation_mode_statistics():
    weights = jax.tree.map(
        np.float32, some_weights(a_program("batch", False, "alpha", dtype="float32"), some_numbers(dtype="float32"))
    )
    x = np.float32(rows(7)[0])
    for dropout in ("standard", "alpha"):
        module = a_module(a_program("none", False, dropout, dtype="float32"), weights)
        with pytest.raises(ValueError, match="dropout in training mode needs rngs"):
            module(x)
        one, same, other = (module(x, rngs) for rngs in (nnx.Rngs(0), nnx.Rngs(0), nnx.Rngs(1)))
        np.testing.assert_array_equal(one, same)
        assert not np.allclose(one, other)
    module = a_module(a_program("batch", dtype="float32"), weights)
    module.eval()
    with pytest.raises(ValueError, match=r"no statistics yet: take_statistics\(x\)"):
        module(x)
    module.take_statistics(x)
    in_evaluation = module(x)
    module.train()
    np.testing.assert_allclose(in_evaluation, module(x), rtol=1e-5, atol=1e-6)  # the same rows, the same statistics


# From settings


def weights_of(depth, width, slots=0, per_unit=False, norm="none", features=FEATURES, outputs=OUTPUTS):
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.normal(size=shape).astype(np.float32)
    normed = {} if norm == "none" else {"scale": draw(depth, width), "shift": draw(depth, width)}
    activation = draw(depth, slots, width) if per_unit else draw(depth, slots)
    layers = {"kernel": draw(depth, width, width), "bias": draw(depth, width), "activation": activation, **normed}
    readout = {"kernel": draw(width, outputs), "bias": draw(outputs)}
    return {"input": {"kernel": draw(features, width)}, "layers": layers, "readout": readout}


def test_a_row_of_runs_and_weights_make_the_network():
    row = pd.Series(
        {
            "run": "0123456789ab",
            "activation": "leaky_relu(negative_slope=0.3333333333333333)",
            "activation_order": 3,
            "depth": np.int64(2),
            "width": np.int64(4),
            "norm": "layer",
            "residual": np.True_,
            "dropout": np.float64(0.25),
            "dropout_kind": "alpha",
            "clip_norm": np.nan,
        }
    )
    weights = weights_of(2, 4, norm="layer")
    network = actlab.model(row, weights)
    x = np.float32(rows(6)[0])
    h = x
    for l, kernel in enumerate([weights["input"]["kernel"], weights["layers"]["kernel"][1]]):
        z = h @ kernel + weights["layers"]["bias"][l]
        u = (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + 1e-5)
        u = u * weights["layers"]["scale"][l] + weights["layers"]["shift"][l]
        h = np.where(u > 0, u, u / 3) + (h if l else 0)
    np.testing.assert_allclose(network(x), h @ weights["readout"]["kernel"] + weights["readout"]["bias"], rtol=1e-4)
    assert [layer.residual for layer in network.hidden] == [False, True]
    assert [type(layer.dropout).__name__ for layer in network.hidden] == ["AlphaDropout"] * 2
    assert network.hidden[0].dropout.rate == 0.25
    by_word = {"activation": {"name": "leaky_relu", "negative_slope": 1 / 3}, "norm": "layer", "residual": True}
    same = actlab.model(weights=weights, dropout={"rate": 0.25, "kind": "alpha"}, **by_word)
    np.testing.assert_array_equal(same(x), network(x))
    unlike = actlab.model(row, weights, residual=False)
    assert not np.allclose(unlike(x), network(x))


@pytest.mark.parametrize("per_unit", [False, True])
def test_learned_parameters_are_those_of_the_weights_and_more_slots_and_layers_do_not_matter(per_unit):
    weights = weights_of(3, 4, 2, per_unit)
    x = np.float32(rows(6)[0])
    network = actlab.model(weights=weights, depth=2, activation="prelu(per=unit)" if per_unit else "prelu")
    h = x
    for l, kernel in enumerate([weights["input"]["kernel"], weights["layers"]["kernel"][1]]):
        z = h @ kernel + weights["layers"]["bias"][l]
        h = np.where(z > 0, z, weights["layers"]["activation"][l, 0] * z)
    np.testing.assert_allclose(
        network(x), h @ weights["readout"]["kernel"] + weights["readout"]["bias"], rtol=1e-4, atol=1e-5
    )


def without(tree, part, name):
    return tree | {part: {key: value for key, value in tree[part].items() if key != name}}


FINE = weights_of(3, 4)
WRONG = {
    "wide": ({"width": 5}, FINE, r"weights: input.kernel has shape \(3, 4\), expected \[F, W\] with F = 3, W = 5"),
    "deep": ({"depth": 4}, FINE, r"weights: layers.kernel has shape \(3, 4, 4\), expected \[L, W, W\] with L ≥ 4"),
    "of several runs": ({}, jax.tree.map(lambda leaf: leaf[None], FINE), r"weights: .* expected \["),
    "without a scale": ({"norm": "batch"}, FINE, r"weights: lack layers.scale; with norm: batch they are input.kernel"),
    "with a scale": ({}, weights_of(3, 4, norm="layer"), r"weights: have layers.scale; with norm: none"),
    "without a part": ({}, without(FINE, "readout", "bias"), "weights: lack readout.bias"),
    "no slot": ({"activation": "prelu"}, FINE, r"weights: layers.activation has shape .*P ≥ 1"),
    "no tree": ({}, [1, 2], "weights: lack input.kernel"),
    "unknown activation": ({"activation": "rellu"}, FINE, "activation: .*rellu.*did you mean 'relu'"),
    "unknown parameter": ({"activation": "elu(alhpa=2)"}, FINE, "activation: .*alhpa.*did you mean 'alpha'"),
    "unknown norm": ({"norm": "bacth"}, FINE, "norm: unknown normalisation 'bacth'; did you mean 'batch'"),
    "unknown kind": ({"dropout": 0.1, "dropout_kind": "alfa"}, FINE, "dropout.kind: .*did you mean 'alpha'"),
    "rate above 1": ({"dropout": 1.5}, FINE, "dropout.rate: expected a number < 1, not 1.5"),
    "unknown setting": ({"residaul": True}, FINE, "model: no setting 'residaul'; did you mean 'residual'"),
    "a file": ({"activation": "mine.py:relu"}, FINE, "activation: mine.py:relu is a function of the user's"),
    "no weights": ({}, None, "model: without a study, settings and weights"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_makes_no_network_is_refused(name):
    settings, weights, message = WRONG[name]
    with pytest.raises(StudyError, match=message):
        actlab.model(weights=weights, **settings)


def test_a_users_function_is_not_taken_for_the_catalogues_of_its_name():
    with pytest.raises(StudyError, match="activation: relu is a function of the user's"):
        actlab.model({"activation": "relu", "activation_order": 0}, FINE)


# From a study


STUDY = """
study: s
data: {name: iris}
model:
  {depth: 3, width: 8, weight_init: orthogonal, bias_init: {name: normal, std: 0.3}, dtype: float64, residual: true,
   dropout: {rate: 0.2, kind: alpha}}
train: {steps: 8, batch_size: 16}
measure: {probes: [act_mean]}
sweep:
  matrix:
    model.activation: [relu, {name: prelu, alpha: 0.3, per: unit}, act.py:bent]
    model.norm: [none, batch]
  seeds: [5, 6]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study's folder before any run of it is trained."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "act.py").write_text("def bent(z, *, slope=0.1):\n    return z / (1 + z * z) + slope * z\n")
    (folder / "s.yaml").write_text(STUDY)
    study = actlab.study_of(folder / "s.yaml")
    planned = plan(study)
    prepare(
        Stored(folder / "r"),
        resolved_text(study, folder / "r", planned=planned),
        planned,
        sources_of(study, planned),
        trains=True,
    )
    (folder / "act.py").unlink()
    return folder / "r"


def test_a_stored_run_begins_with_the_very_network_that_a_worker_begins_with(folder):
    groups = plan(read(folder / "study.yaml")).groups
    assert sum(len(group.runs) for group in groups) == 3 * 2 * 2
    for group in groups[-1:]:  # of the user's activation, normalised
        with jax.enable_x64(True):
            batch = run_batch.RunBatch(group, group.runs, folder, wanted=("start",))
            begun = turned(batch.begin().state["training"]["parameters"], group.shape.spec.runs_per_call)
        for i, run in enumerate(group.runs):
            network = actlab.model(run.id[:10], study=folder)
            own = jax.tree.map(lambda leaf, i=i: np.asarray(leaf)[i], begun)
            kernels = [own["input"]["kernel"], *own["layers"]["kernel"][1 : group.depth]]
            for l, layer in enumerate(network.hidden):
                np.testing.assert_array_equal(layer.affine.kernel[...], kernels[l])
                np.testing.assert_array_equal(layer.affine.bias[...], own["layers"]["bias"][l])
                assert layer.affine.kernel[...].dtype == np.float64
            np.testing.assert_array_equal(network.readout.kernel[...], own["readout"]["kernel"])
            with jax.enable_x64(True):
                x = batch.data["test"][0]
                same = actlab.model(run.labels, own, study=folder)
                if group.shape.spec.block.norm == "batch":
                    same.take_statistics(batch.data["train"][0])
                np.testing.assert_array_equal(same(x), network(x))
                if group.shape.spec.block.norm == "batch":  # those of the training rows, at once
                    np.testing.assert_allclose(
                        network.hidden[0].norm.mean[...],
                        (np.asarray(batch.data["train"][0]) @ kernels[0] + own["layers"]["bias"][0]).mean(0),
                        atol=1e-12,
                    )


def test_a_network_of_a_study_has_its_activation_and_parameters(folder):
    runs = {run.labels["activation"]: run for group in plan(read(folder / "study.yaml")).groups for run in group.runs}
    z = np.linspace(-2, 2, 8)[None]
    expected = {
        "relu": np.maximum(z, 0),
        "prelu(alpha=0.3, per=unit)": np.where(z > 0, z, 0.3 * z),
        "bent": z / (1 + z * z) + 0.1 * z,
    }
    assert set(runs) == set(expected)
    with jax.enable_x64(True):
        for label, run in runs.items():
            activation = actlab.model(run.labels, study=folder).hidden[1].activation
            np.testing.assert_allclose(activation(jnp.asarray(z)), expected[label], rtol=1e-14)
            learned = nnx.state(activation, nnx.Param)
            assert [leaf.shape for leaf in jax.tree.leaves(learned)] == ([(8,)] if "prelu" in label else [])


def test_drawing_leaves_the_users_settings_of_jax_alone(folder):
    run = plan(read(folder / "study.yaml")).groups[0].runs[0].id
    usual = actlab.model(run, study=folder)
    with jax.enable_x64(True), jax.threefry_partitionable(False):
        other = actlab.model(run, study=folder)
        assert not jax.config.jax_threefry_partitionable
        assert jax.config.jax_enable_x64
        np.testing.assert_array_equal(other.hidden[0].affine.kernel[...], usual.hidden[0].affine.kernel[...])
    assert jax.config.jax_threefry_partitionable


def test_runs_that_a_study_has_not_are_refused(folder, tmp_path):
    run = plan(read(folder / "study.yaml")).groups[0].runs[0].id
    for name, message in ((f"{run}0", f"plans no run '{run}0'; did you mean '{run}'"), ("", "12 runs begin with ''")):
        with pytest.raises(StudyError, match=message):
            actlab.model(name, study=folder)
    with pytest.raises(StudyError, match="not a study's folder"):
        actlab.model(run, study=tmp_path)
    with pytest.raises(StudyError, match="a run of a study has its settings"):
        actlab.model(run, study=folder, norm="none")
    (tmp_path / "mine.py").write_text("raise SystemExit('ran')\n")
    text = (folder / "study.yaml").read_text()
    (tmp_path / "study.yaml").write_text(text.replace("sources/act.py:bent", "mine.py:bent"))
    with pytest.raises(UntrustedError, match=r"mine\.py: lies outside the study's own sources/, so nothing was run"):
        actlab.model(run, study=tmp_path)
