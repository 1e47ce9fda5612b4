"""Every measure against a slow and obvious NumPy implementation in float64, and the numerical traps on its way."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.activations import CATALOGUE
from actlab.engine import records
from actlab.engine.loading import function_of
from actlab.measures import GEOMETRIC, MEASURES
from actlab.nn import probes
from actlab.nn.blocks import Function, Options
from actlab.nn.programs import blank_scratches
from tests.core import OUTPUTS, Runs, a_program, frames_of, kernels_of, nowhere, programs_of, some_data, some_numbers
from tests.thinned import thinned

DEPTH, BOUND, WIDTH, FEATURES = 4, 6, 5, 6
EVALUATE = (1, 0, 1, 1, 0, 1)
WEAK, LOW, HIGH = 0.3, -1.2, 0.9  # thresholds that some units cross and others do not
ALL = (*probes.GRADIENTS, *probes.DEATH, *probes.PROBES)


@dataclass(frozen=True)
class Case:
    """An activation in NumPy (value, slope, number of the flat piece or 0), its parameters, what else a block has."""

    value: object
    slope: object
    constant: object
    task: str
    fixed: dict = field(default_factory=dict)
    learnable: tuple = ()
    norm: str = "none"
    residual: bool = False


RELU = {
    "value": lambda z: max(z, 0.0),
    "slope": lambda z: 1.0 if z > 0 else 0.0,
    "constant": lambda z: z <= 0,
    "task": "classification",
}
TANH = {
    "value": np.tanh,
    "slope": lambda z: 1 - np.tanh(z) ** 2,
    "constant": lambda z: False,
    "task": "classification",
}
CASES = {
    "relu": Case(**RELU),
    "tanh": Case(**TANH),
    "relu6": Case(
        value=lambda z, top: min(max(z, 0.0), top),
        slope=lambda z, top: 1.0 if 0 < z < top else 0.0,
        constant=lambda z, top: 1 if z <= 0 else 2 if z >= top else 0,
        task="regression",
        fixed={"top": 2.0},
    ),
    "prelu": Case(
        value=lambda z, alpha: z if z > 0 else alpha * z,
        slope=lambda z, alpha: 1.0 if z > 0 else alpha,
        constant=lambda z, alpha: False,
        task="regression",
        learnable=("alpha",),
    ),
    "relu, layer normalisation, residual": Case(**RELU, norm="layer", residual=True),
    "tanh, batch normalisation": Case(**TANH, norm="batch"),
}
FUNCTIONS = {
    "classification": {
        "relu": Function(lambda z: jnp.where(z > 0, z, 0.0), lambda z: z <= 0),
        "tanh": Function(jnp.tanh, nowhere),
    },
    "regression": {
        "relu6": Function(
            lambda z, top: jnp.where((z > 0) & (z < top), z, jnp.where(z > 0, top, 0.0)),
            lambda z, top: (z <= 0) | (z >= top),
            ("top",),
        ),
        "prelu": Function(lambda z, alpha: jnp.where(z > 0, z, alpha * z), nowhere, (), ("alpha",)),
    },
}


# The reference implementation: one example, one unit, one layer at a time


def elementwise(function, case, p, l, u):
    """Evaluate a scalar function of u, with the layer's own parameters, at every unit."""
    result = np.empty(np.shape(u))
    for at in np.ndindex(*np.shape(u)):
        learned = {name: p["layers"]["activation"][l, slot, at[-1]] for slot, name in enumerate(case.learnable)}
        result[at] = function(u[at], **case.fixed, **learned)
    return result


def normalised(case, p, l, z, statistics):
    """Return φ's own argument, and what makes its gradient that of z; ``statistics``: mean and variance, if fixed."""
    if case.norm == "none":
        return z, lambda du: du
    axis = {"layer": 1, "batch": 0}[case.norm]
    mean, variance = statistics or (z.mean(axis, keepdims=True), z.var(axis, keepdims=True))
    scale, shift = p["layers"]["scale"][l], p["layers"]["shift"][l]
    deviation = np.sqrt(variance + 1e-5)
    unit = (z - mean) / deviation

    def pull(du):
        d = du * scale
        if statistics is None:
            d = d - d.mean(axis, keepdims=True) - unit * (d * unit).mean(axis, keepdims=True)
        return d / deviation

    return unit * scale + shift, pull


def forward(p, case, x, statistics=None):
    """Return by hidden layer h below, z, φ's argument u, h and the pullback of u; and the outputs."""
    h, layers = x, []
    for l, (kernel, bias) in enumerate(zip(kernels_of(p), p["layers"]["bias"], strict=True)):
        below, z = h, h @ kernel + bias
        u, pull = normalised(case, p, l, z, statistics and statistics[l])
        h = elementwise(case.value, case, p, l, u) + (below if case.residual and l else 0.0)
        layers.append(SimpleNamespace(below=below, z=z, u=u, h=h, pull=pull))
    return layers, h @ p["readout"]["kernel"] + p["readout"]["bias"]


def training_statistics(p, case, data):
    """Compute means and variances of z on the training split, by layer, where a normalisation takes them there."""
    if case.norm != "batch":
        return None
    layers, _ = forward(p, case, data["train"][0])
    return [(layer.z.mean(axis=0), layer.z.var(axis=0)) for layer in layers]


def loss(outputs, y, task):
    """Compute the loss of one example."""
    if task == "classification":
        return np.log(np.sum(np.exp(outputs))) - outputs[y]
    return np.mean((outputs - y) ** 2)


def backward(p, case, x, y, statistics=None):
    """Differentiate the sum of the rows' losses, by hidden layer: ∂/∂z of every row, and ∂/∂W."""
    layers, outputs = forward(p, case, x, statistics)
    error = np.empty_like(outputs)
    for i in range(len(x)):
        if case.task == "classification":
            error[i] = np.exp(outputs[i]) / np.sum(np.exp(outputs[i])) - np.eye(OUTPUTS)[y[i]]
        else:
            error[i] = 2 * (outputs[i] - y[i]) / len(outputs[i])
    dh = error @ p["readout"]["kernel"].T
    signal, weight = [None] * len(layers), [None] * len(layers)
    for l in reversed(range(len(layers))):
        signal[l] = layers[l].pull(dh * elementwise(case.slope, case, p, l, layers[l].u))
        weight[l] = sum(np.outer(one, delta) for one, delta in zip(layers[l].below, signal[l], strict=True))
        dh = signal[l] @ kernels_of(p)[l].T + (dh if case.residual and l else 0.0)
    return signal, weight


def gradient_columns(p, case, x, y, batch_x, batch_y, learning_rate, statistics):
    """Compute norms on the probe rows, and the relative size of the plain descent step on a minibatch."""
    signals, weights = backward(p, case, x, y, statistics)
    _, steps = backward(p, case, batch_x, batch_y)
    means = [w / len(x) for w in weights]
    return {
        "signal_grad_norm": [np.sqrt(np.mean([np.sum(row**2) for row in signal])) for signal in signals],
        "weight_grad_norm": [np.sqrt(np.sum(w**2)) for w in means],
        "weight_grad_rms": [np.sqrt(np.mean(w**2)) for w in means],
        "update_ratio": [
            learning_rate * np.sqrt(np.sum((w / len(batch_x)) ** 2)) / np.sqrt(np.sum(kernel**2))
            for w, kernel in zip(steps, kernels_of(p), strict=True)
        ],
    }


def dead_units(p, case, x):
    """Whether each unit is on one and the same flat piece on every row, and whether on some piece, [L, W] each."""
    layers, _ = forward(p, case, x)
    pieces = [elementwise(case.constant, case, p, l, layer.u) for l, layer in enumerate(layers)]
    on_one = [[set(of_layer[:, j]) in ({1.0}, {2.0}) for j in range(WIDTH)] for of_layer in pieces]
    return np.array(on_one), np.array([np.all(of_layer > 0, axis=0) for of_layer in pieces])


def death_columns(history, flat):
    """Count from the masks of all evaluations so far, the last being now; and of units flat on every row now."""
    dead_at_init, now, earlier = history[0], history[-1], history[:-1]
    revived = np.any(earlier, axis=0) & ~now if earlier else np.zeros_like(now)
    masks = {
        "dead_fraction": now,
        "no_gradient_fraction": flat,
        "born_dead_fraction": dead_at_init,
        "died_fraction": now & ~dead_at_init,
        "revived_fraction": revived,
        "ever_dead_fraction": np.any(history, axis=0),
    }
    return {name: [np.mean(layer) for layer in mask] for name, mask in masks.items()}


def mean_pair_cosine(z):
    pairs = [(i, j) for i in range(len(z)) for j in range(len(z)) if i != j]
    return np.mean([z[i] @ z[j] / np.linalg.norm(z[i]) / np.linalg.norm(z[j]) for i, j in pairs])


def centred(h):
    """Subtract the mean over rows, which for equal numbers is their value, whatever rounding makes of it."""
    return np.where(np.ptp(h, axis=0) == 0, 0.0, h - h.mean(axis=0))


def entropy_rank(h):
    singular = np.linalg.svd(centred(h), compute_uv=False)
    if singular.sum() == 0:
        return 0.0
    share = singular / singular.sum()
    return np.exp(-sum(s * np.log(s) for s in share if s > 0))


def duplicates(h):
    """Share of units that another one goes along with, of those that move at all."""

    def alike(a, b):
        return np.ptp(a) > 0 and np.ptp(b) > 0 and abs(np.corrcoef(a, b)[0, 1]) > 0.99

    units = range(h.shape[1])
    return np.mean([any(alike(h[:, i], h[:, j]) for j in units if j != i) for i in units])


def activation_columns(p, case, x, statistics):
    columns = {name: [] for name in probes.PROBES}
    for l, layer in enumerate(forward(p, case, x, statistics)[0]):
        z, u, h = layer.z, layer.u, layer.h
        units = range(z.shape[1])
        slope = elementwise(case.slope, case, p, l, u)
        size = [np.mean([abs(value) for value in h[:, j]]) for j in units]
        deviation = [np.sqrt(np.mean(centred(h)[:, j] ** 2)) for j in units]
        unit_means = [z[:, j].mean() for j in units]
        values = {
            "weak_fraction": np.mean([max(abs(slope[:, j])) <= WEAK for j in units]),
            "saturated_low": np.mean([value <= LOW for value in u.ravel()]),
            "saturated_high": np.mean([value >= HIGH for value in u.ravel()]),
            "dormant_fraction": np.mean([size[j] <= 0.025 * np.mean(size) for j in units]),
            "constant_fraction": np.mean([deviation[j] <= 0.025 * np.mean(deviation) for j in units]),
            "act_mean": np.mean(h),
            "act_var": np.mean((h - np.mean(h)) ** 2),
            "act_var_within": np.mean([deviation[j] ** 2 for j in units]),
            "preact_second_moment": np.mean(z**2),
            "preact_mean_share": np.mean((unit_means - np.mean(unit_means)) ** 2) / np.mean(z**2),
            "correlation": mean_pair_cosine(z),
            "zero_fraction": np.mean([value == 0 for value in h.ravel()]),
            "duplicate_fraction": duplicates(h),
            "effective_rank": entropy_rank(h),
            "stable_rank": np.sum(h**2) / np.linalg.norm(h, 2) ** 2 if np.any(h) else 0.0,
        }
        for name, value in values.items():
            columns[name].append(value)
    return columns


def slope_columns(norms):
    """Fit log10 norm against the number of layers behind: slope, and the residual standard deviation."""
    behind = -np.arange(len(norms))
    slope, level = np.polyfit(behind, np.log10(norms), 1)
    residual = np.log10(norms) - (slope * behind + level)
    return slope, np.sqrt(np.sum(residual**2) / (len(norms) - 2))


def split_columns(p, case, split, part, statistics):
    x, y = split
    outputs = forward(p, case, x, statistics)[1]
    right = [np.argmax(outputs[i]) == y[i] for i in range(len(x))] if case.task == "classification" else [np.nan]
    losses = [loss(outputs[i], y[i], case.task) for i in range(len(x))]
    return {f"{part}_loss": np.mean(losses), f"{part}_accuracy": np.mean(right)}


# The program's measurements of six networks in a row, and the reference implementation's


def a_network(case, rng):
    """Draw weights of a trained network's size, with biases so uneven that units die, saturate and revive."""
    outputs = OUTPUTS if case.task == "classification" else 1
    input_kernel = rng.normal(size=(FEATURES, WIDTH)) / np.sqrt(FEATURES)
    layers = {
        "kernel": np.concatenate([np.zeros((1, WIDTH, WIDTH)), rng.normal(size=(DEPTH - 1, WIDTH, WIDTH))]),
        "bias": rng.choice([-5.0, 0.0, 0.3], (DEPTH, WIDTH)),
        "activation": rng.uniform(0.1, 0.9, (DEPTH, len(case.learnable), WIDTH)),
    }
    if case.norm != "none":
        layers |= {"scale": rng.uniform(0.5, 2.0, (DEPTH, WIDTH)), "shift": rng.choice([-3.0, 0.3], (DEPTH, WIDTH))}
    readout = {"kernel": rng.normal(size=(WIDTH, outputs)), "bias": rng.normal(size=outputs)}
    return {"input": {"kernel": input_kernel}, "layers": layers, "readout": readout}


def runs_of(name, case, data):
    """Make the program's side of a case: among other activations, in stacks that are longer than it is deep."""
    functions = FUNCTIONS[case.task]
    program = a_program(
        *functions.values(),
        learnable_per="unit",
        depth_bound=BOUND,
        width=WIDTH,
        optimizer="sgd",
        task=case.task,
        probes=ALL,
        dtype="float64",
        options=Options(case.norm, case.residual),
    )
    numbers = some_numbers(
        DEPTH,
        fixed=case.fixed,
        learnable=dict.fromkeys(case.learnable, 0.25),
        learning_rate=0.01,
        weight_decay=0.0,
        weak_threshold=WEAK,
        saturation_low=LOW,
        saturation_high=HIGH,
    )
    return Runs(program, [numbers], data, DEPTH, list(functions).index(name.split(",")[0]))


def first_batches(seed, rows, size):
    """Draw the batches of epoch 0."""
    _, key = jax.random.split(jax.random.key(seed))
    order = np.asarray(jax.random.permutation(jax.random.fold_in(key, 0), rows))
    return [order[begin : begin + size] for begin in range(0, rows - size + 1, size)]


def measured_by_program(runs, networks, evaluate):
    """Put one network after another into the program's state, and record each."""

    def padded(leaf, like):
        return np.pad(leaf[None], [(0, most - size) for most, size in zip(like.shape, leaf[None].shape, strict=True)])

    recorded, state = [], runs.begin().state
    for t, network in enumerate(networks):
        parameters = jax.tree.map(padded, network, state["training"]["parameters"])
        state = state | {"training": state["training"] | {"parameters": parameters}}
        state, record = runs.record(state, t, bool(evaluate[t]))
        recorded.append(jax.tree.map(lambda leaf: np.asarray(leaf)[0], record))
    return jax.tree.map(lambda *rows: np.concatenate(rows), *recorded)


def as_row(recorded, steps, **changes):
    options = {
        "steps": np.arange(steps),
        "last_step": steps - 1,
        "diverged_step": -1,
        "fan_in": FEATURES,
        "width": WIDTH,
        "keep_layers": "all",
        "columns": ALL,
        "target_loss": 0.1,
        "constant_loss": 1.0,
    }
    return records.run_row({"run": "a"}, recorded, **options | changes)


# Tanh is there with an option, and of learned parameters there is tests/test_gradients.py.
@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.thorough if name in ("tanh", "prelu") else []) for name in CASES],
)
def both(request):
    """What the program measured (as a run's row) and what the reference implementation did, of the same networks."""
    case = CASES[request.param]
    rng = np.random.default_rng(sum(map(ord, request.param)))
    networks = [a_network(case, rng) for _ in EVALUATE]
    if request.param == "relu":
        networks[3]["layers"]["bias"][2] = -20.0  # a wholly dead layer
    if request.param == "relu6":
        networks[2]["input"]["kernel"] *= 1e6  # rows on either side of the ramp, and none on it
    with jax.enable_x64(True):
        data = some_data("float64", case.task, FEATURES, probe=12)
        runs = runs_of(request.param, case, data)
        recorded = measured_by_program(runs, networks, EVALUATE)
    row = as_row(recorded, len(EVALUATE))
    batches = [*first_batches(3, 30, 7)] * 2  # epoch 1 is another permutation; see `IN_FIRST_EPOCH`
    reference, history = [], []
    for p, evaluate, batch in zip(networks, EVALUATE, batches, strict=False):
        batch_x, batch_y = (array[batch] for array in data["train"])
        statistics = training_statistics(p, case, data)
        layers = gradient_columns(p, case, *data["probe"], batch_x, batch_y, 0.01, statistics)
        layers |= activation_columns(p, case, data["probe"][0], statistics)
        if evaluate:
            dead, flat = dead_units(p, case, data["train"][0])
            history.append(dead)
            layers |= death_columns(history, flat)
        run = {}
        for part in ("train", "validation", "test") if evaluate else ():
            run |= split_columns(p, case, data[part], part, statistics)
        if evaluate:
            run["network_dead"] = float(np.any(np.all(history[-1], axis=1)))
        reference.append((layers, run))
    return SimpleNamespace(case=case, data=data, networks=networks, row=row, reference=reference, runs=runs)


IN_FIRST_EPOCH = 30 // 7


@pytest.mark.parametrize("name", thinned([*probes.GRADIENTS, *probes.PROBES], 2))
def test_measures_of_every_record(both, name):
    _, steps, layers = frames_of(both.row)
    stored = layers[name].to_numpy().reshape(len(EVALUATE), DEPTH)
    known = IN_FIRST_EPOCH if name == "update_ratio" else len(EVALUATE)
    expected = [layers[name] for layers, _ in both.reference]
    np.testing.assert_allclose(stored[:known], expected[:known], rtol=1e-9, atol=1e-12)
    means = stored.mean(axis=1)
    if MEASURES[name].over_layers == GEOMETRIC:
        means = np.where((stored == 0).any(axis=1), 0.0, np.exp(np.log(np.where(stored == 0, 1, stored)).mean(axis=1)))
    np.testing.assert_allclose(steps[name], means, rtol=1e-12)


@pytest.mark.parametrize("name", probes.DEATH)
def test_unit_death_at_evaluations_and_nothing_between(both, name):
    stored = both.row[f"layers.{name}"].reshape(len(EVALUATE), DEPTH)
    for row, (layers, _), evaluate in zip(stored, both.reference, EVALUATE, strict=True):
        if evaluate:
            np.testing.assert_allclose(row, layers[name], rtol=1e-12)
        else:
            assert np.all(np.isnan(row))


@pytest.mark.parametrize("both", ["relu6"], indirect=True)
def test_a_network_above_has_units_without_gradient_that_are_not_constant(both):
    layers, run = both.reference[2]
    assert layers["no_gradient_fraction"][0] == 1
    assert layers["dead_fraction"][0] < 1
    assert run["network_dead"] == 0


@pytest.mark.parametrize("both", ["relu", "tanh, batch normalisation"], indirect=True)
def test_of_one_piece_or_none_dead_and_without_gradient_are_equal(both):
    np.testing.assert_array_equal(both.row["layers.no_gradient_fraction"], both.row["layers.dead_fraction"])


@pytest.mark.parametrize("both", ["relu"], indirect=True)
def test_the_networks_above_show_every_kind_of_death(both):
    for name in probes.DEATH:
        values = np.array([layers[name] for layers, _ in both.reference if name in layers])
        assert values.max() > 0, name
    assert {run["network_dead"] for _, run in both.reference if run} == {0.0, 1.0}


@pytest.mark.parametrize("part", ["train", "validation", "test"])
@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_losses_and_accuracies_of_whole_splits(both, part, metric):
    stored = both.row[f"steps.{part}_{metric}"]
    for value, (_, run), evaluate in zip(stored, both.reference, EVALUATE, strict=True):
        if evaluate:
            np.testing.assert_allclose(value, run[f"{part}_{metric}"], rtol=1e-12)
        elif part != "train":
            assert np.isnan(value)


def test_network_dead(both):
    for value, (_, run), evaluate in zip(both.row["steps.network_dead"], both.reference, EVALUATE, strict=True):
        assert value == run["network_dead"] if evaluate else np.isnan(value)


@pytest.mark.parametrize("name", ["vanishing_slope", "weight_slope"])
def test_slopes_towards_the_input(both, name):
    of = {"vanishing_slope": "signal_grad_norm", "weight_slope": "weight_grad_norm"}[name]
    for t, (layers, _) in enumerate(both.reference):
        if min(layers[of]) > 0:
            slope, residual = slope_columns(np.array(layers[of]))
            assert both.row[f"steps.{name}"][t] == pytest.approx(slope, rel=1e-8)
            assert both.row[f"steps.{name}_residual"][t] == pytest.approx(residual, rel=1e-8)
        else:
            assert np.isnan(both.row[f"steps.{name}"][t])
            assert np.isnan(both.row[f"steps.{name}_residual"][t])


def test_learnable_activation_parameters_are_recorded(both):
    for slot, name in enumerate(both.case.learnable):
        values = np.array([p["layers"]["activation"][:, slot] for p in both.networks])
        for column, expected in (
            (name, values.mean(axis=2)),
            (f"{name}_min", values.min(axis=2)),
            (f"{name}_max", values.max(axis=2)),
        ):
            np.testing.assert_allclose(both.row[f"layers.{column}"].reshape(expected.shape), expected, rtol=1e-12)


def test_final_numbers_are_the_last_records(both):
    _, run = both.reference[-1]
    final = both.row
    assert final["status"] == "ok"
    assert np.isnan(final["diverged_step"])
    assert final["generalization_gap_loss"] == pytest.approx(run["test_loss"] - run["train_loss"])
    error_gap = (1 - run["test_accuracy"]) - (1 - run["train_accuracy"])
    assert final["generalization_gap_error"] == pytest.approx(error_gap, nan_ok=True)
    assert final["trained"] == (run["train_loss"] <= 0.5)
    for part in ("train", "validation", "test"):
        assert final[f"{part}_loss"] == pytest.approx(run[f"{part}_loss"])


@pytest.mark.parametrize("both", ["relu"], indirect=True)  # which hides −∞ and NaN: its value there is 0
def test_a_measure_of_something_not_finite_is_nan_and_never_alive(both):
    broken = [jax.tree.map(np.array, both.networks[t]) for t in (0, 1)]
    broken[0]["layers"]["bias"][2, 2] = -np.inf  # the third hidden layer's z; what follows is finite
    broken[1]["layers"]["bias"][2, 2] = np.nan
    with jax.enable_x64(True):
        record = measured_by_program(both.runs, broken, (1, 1))
    for name in (*probes.PROBES, *probes.DEATH):
        assert np.isnan(record["layers"][name]).tolist() == [[False, False, True, False]] * 2, name
    for name in ("signal_grad_norm", "weight_grad_norm"):
        assert np.isnan(record["gradients"][name][:, 2]).all(), name
    assert np.isnan(record["network_dead"]).all()
    assert np.isfinite(record["train_loss"]).all()
    # ... and though the loss is finite, this run has diverged:
    row = as_row(record, 2)
    assert (row["status"], row["diverged_step"]) == ("diverged", 0.0)


# The reference implementation itself


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("fixed", [True, False], ids=["fixed", "own"])
def test_the_reference_gradients_are_central_differences(name, fixed):
    """With statistics that are fixed or, as in training, the rows' own."""
    case = CASES[name]
    rng = np.random.default_rng(1)
    p = a_network(case, rng)
    p["layers"]["bias"][:] = 0.1
    data = some_data("float64", case.task, FEATURES)
    statistics = training_statistics(p, case, data) if fixed else None
    x, y = (array[:4] for array in data["probe"])
    signal, weight = backward(p, case, x, y, statistics)

    def total():
        outputs = forward(p, case, x, statistics)[1]
        return sum(loss(outputs[i], y[i], case.task) for i in range(len(x)))

    def difference(array, at):
        kept, sides = array[at], []
        for nudge in (1e-6, -1e-6):
            array[at] = kept + nudge
            sides.append(total())
        array[at] = kept
        return (sides[0] - sides[1]) / 2e-6

    # ∂/∂b is ∂/∂z summed over rows; kernels are views, so that nudging one nudges the network
    for l, kernel in enumerate(kernels_of(p)):
        of_bias = [difference(p["layers"]["bias"][l], j) for j in range(WIDTH)]
        np.testing.assert_allclose(of_bias, signal[l].sum(axis=0), rtol=1e-5, atol=1e-7)
        at = (0, 1)
        assert difference(kernel, at) == pytest.approx(weight[l][at], rel=1e-5, abs=1e-7)


# Numerical traps


def relu(z):
    return z * (z > 0)


FLAT_LEFT = lambda z: z <= 0
# name: φ as a program sees it
TRAPS = {
    "sigmoid": Function(jax.nn.sigmoid, nowhere),
    "elu": Function(lambda z: jnp.where(z > 0, z, jnp.expm1(jnp.minimum(z, 0.0))), nowhere),
    "relu": Function(relu, FLAT_LEFT),
    "tanh, a user's": Function(jnp.tanh, nowhere, closed_form=False),
    "tanh": function_of(CATALOGUE["tanh"]),
    "gaussian": function_of(CATALOGUE["gaussian"]),
    "relu, a user's": Function(relu, FLAT_LEFT, closed_form=False),
    "relu, a user's that does not say where it is flat": Function(relu, nowhere, closed_form=False),
}
DEEP = 200


def a_trap(depth, width, std=1.0, rng=None):
    rng = rng or np.random.default_rng(0)
    weights = rng.normal(size=(depth - 1, width, width)) * std / np.sqrt(width)
    return jax.tree.map(
        lambda a: a.astype(np.float32),
        {
            "input": {"kernel": rng.normal(size=(FEATURES, width)) * 0.4},
            "layers": {
                "kernel": np.concatenate([np.zeros((1, width, width)), weights]),
                "bias": np.zeros((depth, width)),
                "activation": np.zeros((depth, 0)),
            },
            "readout": {"kernel": rng.normal(size=(width, OUTPUTS)) / np.sqrt(width), "bias": np.zeros(OUTPUTS)},
        },
    )


def exact_rows(p, phi, slope, x, y):
    """Backpropagate in NumPy's widest float, plainly: ‖δ‖ of each row [L, M], and the norm of each weight gradient."""
    p = jax.tree.map(lambda a: np.asarray(a, np.longdouble), p)
    h, zs, below = x.astype(np.longdouble), [], []
    layers = list(zip(kernels_of(p), p["layers"]["bias"], strict=True))
    for kernel, bias in layers:
        below.append(h)
        zs.append(h @ kernel + bias)
        h = phi(zs[-1])
    outputs = h @ p["readout"]["kernel"] + p["readout"]["bias"]
    error = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True) - np.eye(OUTPUTS)[y]
    behind, signal, weight = error @ p["readout"]["kernel"].T, [], []
    for z, (kernel, _), h in zip(reversed(zs), reversed(layers), reversed(below), strict=True):
        delta = behind * slope(z)
        signal.insert(0, np.sqrt(np.sum(delta**2, axis=1)))
        weight.insert(0, np.sqrt(np.sum((h.T @ delta / len(x)) ** 2)))
        behind = delta @ kernel.T
    return np.array(signal), np.array(weight)


def exact_norms(p, phi, slope, x, y):
    """Return the norms of signal and weight gradient [L]."""
    rows, weight = exact_rows(p, phi, slope, x, y)
    return np.sqrt(np.mean(rows**2, axis=1)), weight


def program_norms(p, name, data):
    """Compute norms as they are recorded [L], and their decimal logarithms."""
    own = program_record(p, name, data)
    names = ("signal_grad_norm", "weight_grad_norm")
    norms = [np.ldexp(np.float64(own["gradients"][name][0]), own["exponent"][0]) for name in names]
    return norms, [records.log10_norms(own, name)[0] for name in names]


def program_record(p, name, data):
    """Take the record of a network, leaves [1, L, ...]."""
    depth, width = p["layers"]["bias"].shape
    program = a_program(*TRAPS.values(), depth_bound=DEEP, width=width, probes=("signal_grad_norm",))
    runs = Runs(program, [some_numbers(depth)], data, depth, list(TRAPS).index(name))
    rest = [(0, 0), (0, DEEP - depth)]
    stacks = {key: np.pad(leaf[None], rest + [(0, 0)] * (leaf.ndim - 1)) for key, leaf in p["layers"].items()}
    padded = jax.tree.map(lambda leaf: leaf[None], p | {"layers": {}}) | {"layers": stacks}
    scratch = blank_scratches(program, padded, len(data["probe"][1]))["measure"]
    measured, _ = runs.programs.measure(padded, padded, scratch, runs.numbers, data, *runs.call)
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:, :depth], measured)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.fixture(scope="module")
def rows():
    return some_data(features=FEATURES, probe=20)


@pytest.mark.parametrize(("depth", "smallest"), [(100, 1e-50), (DEEP, 1e-110)])
def test_a_deep_sigmoid_network_does_not_underflow_in_float32(rows, depth, smallest):
    p = a_trap(depth, 16)
    (signal, weight), logs = program_norms(p, "sigmoid", rows)
    exact = exact_norms(p, sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z)), *rows["probe"])
    assert exact[0][0] < smallest  # float32 ends at 1e-45
    np.testing.assert_allclose(signal, exact[0].astype(np.float64), rtol=1e-4)
    np.testing.assert_allclose(weight, exact[1].astype(np.float64), rtol=1e-4)
    for stored, norms in zip(logs, exact, strict=True):
        np.testing.assert_allclose(stored, np.log10(norms).astype(np.float64), rtol=0, atol=5e-5)
    (slope,), (residual,) = records.depth_slope(logs[0][None])
    expected = slope_columns(exact[0].astype(np.float64))
    assert (slope, residual) == pytest.approx(expected, rel=1e-4)
    assert slope == pytest.approx(np.log10(1 / 4), abs=0.1)  # σ'(0) = 1/4, σ_w = 1


def medians_of(record):
    return np.log10(2) * (record["log2_median"][0].astype(np.float64) + record["exponent"][0])


@pytest.mark.parametrize("probe", [20, 21])
def test_the_median_rows_signal_where_some_rows_gain_it_and_most_lose_it(probe):
    """Layer by layer an ELU passes on twice what is positive, and .41 of the signal at the point where z = 2φ(z)."""
    data, p = some_data(features=FEATURES, probe=probe), a_trap(100, 16)
    data["probe"][0][:, 0] = np.where(np.arange(probe) < 6, 1.0, -1.0) + 0.1 * data["probe"][0][:, 1]
    p["input"]["kernel"] = np.where(np.arange(FEATURES)[:, None] == 0, 1.0, 0.0).astype(np.float32).repeat(16, 1)
    p["layers"]["kernel"][1:] = 2.0 * np.eye(16)
    p["readout"]["kernel"] *= np.float32(1e-30)
    record = program_record(p, "elu", data)
    phi = lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0)))
    rows, _ = exact_rows(p, phi, lambda z: np.exp(np.minimum(z, 0)), *data["probe"])
    logs = np.log10(rows)
    assert np.ptp(logs[0]) > 60  # float32 ends 45 decades below 1
    expected = np.median(logs, axis=1).astype(np.float64)
    np.testing.assert_allclose(medians_of(record), expected, rtol=0, atol=2e-4)
    rms = (np.log10(np.mean(rows**2, axis=1)) / 2).astype(np.float64)
    np.testing.assert_allclose(records.log10_norms(record, "signal_grad_norm")[0], rms, rtol=0, atol=1e-4)
    median_slope, slope = (records.depth_slope(of[None])[0][0] for of in (medians_of(record), rms))
    assert (slope, median_slope) == pytest.approx((np.log10(2), np.log10(0.406)), abs=0.02)


def test_the_median_row_has_no_signal_where_half_of_the_rows_have_none(rows):
    p = a_trap(4, 16)
    p["input"]["kernel"][1:] = 0.0  # a row passes where its first input is positive
    p["input"]["kernel"][0] = 1.0
    x = rows["probe"][0].copy()
    for alive, known in ((9, False), (10, False), (11, True)):  # of 20
        x[:, 0] = np.where(np.arange(20) < alive, 1.0, -1.0)
        record = program_record(p, "relu", rows | {"probe": (x, rows["probe"][1])})
        assert np.isneginf(medians_of(record)[0]) == (not known), alive
        assert np.isfinite(records.log10_norms(record, "signal_grad_norm")).all()
    slope, _ = records.depth_slope(np.array([[-np.inf, -1.0, 0.0]]))
    assert np.isnan(slope).all()


@pytest.mark.parametrize("gain", [0.05, 20.0])
def test_weight_gradients_survive_activations_whose_squares_do_not(rows, gain):
    p = a_trap(24, 16, gain)
    p["readout"]["kernel"] *= np.float32(1 / gain**23) if gain > 1 else np.float32(1)
    (_, weight), _ = program_norms(p, "relu", rows)
    _, exact = exact_norms(p, relu, lambda z: 1.0 * (z > 0), *rows["probe"])
    np.testing.assert_allclose(weight, exact.astype(np.float64), rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "bias", "norm"),
    [
        ("tanh, a user's", 20.0, np.nan),  # 1 − tanh²(20) is 0 in float32, and 10^−17 in truth
        ("tanh", 60.0, np.nan),  # 10^−52, which float32 has not
        ("tanh", -60.0, np.nan),
        ("gaussian", 11.0, np.nan),
        ("relu", -20.0, 0.0),
        ("relu, a user's", -20.0, 0.0),
        ("relu, a user's that does not say where it is flat", -20.0, np.nan),
    ],
)
def test_a_norm_is_zero_where_the_truth_is_and_not_known_where_a_derivative_underflowed(rows, name, bias, norm):
    p = a_trap(6, 16)
    p["layers"]["bias"][3], p["layers"]["bias"][4:] = bias, 0.5
    signal, weight = program_norms(p, name, rows)[0]
    assert np.all(signal[4:] > 0)
    assert weight[5] > 0
    for norms in (signal, weight):
        np.testing.assert_array_equal(norms[:4], [norm] * 4)  # nothing is known of what comes below either


def test_what_does_not_matter_is_not_lost(rows):
    """A derivative that underflows at some units, or where there is no signal to lose, takes nothing away."""
    p = a_trap(6, 16)
    p["layers"]["bias"][3, ::2] = 20.0
    (signal, weight), _ = program_norms(p, "tanh, a user's", rows)
    expected = exact_norms(p, np.tanh, lambda z: np.cosh(z) ** -2, *rows["probe"])
    np.testing.assert_allclose(signal, expected[0].astype(np.float64), rtol=1e-4)
    np.testing.assert_allclose(weight, expected[1].astype(np.float64), rtol=1e-4)
    p["readout"]["kernel"][:] = 0.0
    p["layers"]["bias"][3] = 20.0
    for norms in program_norms(p, "tanh, a user's", rows)[0]:
        np.testing.assert_array_equal(norms, [0.0] * 6)


SCALE_FREE = ("dormant_fraction", "constant_fraction", "correlation", "effective_rank", "stable_rank")


@pytest.mark.parametrize("scale", [1e-30, 1e-22, 1e22, 1e30])
def test_shares_and_ranks_do_not_depend_on_scale_even_where_float32_cannot_square_it(scale):
    z = np.random.default_rng(0).normal(size=(12, WIDTH)).astype(np.float32)
    z[:, 0] *= 0.01  # dormant, and constant
    names = (*SCALE_FREE, "preact_mean_share")
    plain, scaled = (
        probes.measure_layer(names, *(jnp.asarray(values),) * 4, {}) for values in (z, z * np.float32(scale))
    )
    for name in names:
        np.testing.assert_allclose(scaled[name], plain[name], rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 3e16, 1e17])
@pytest.mark.parametrize("name", ["act_mean", "act_var", "act_var_within", "preact_second_moment"])
def test_moments_are_known_wherever_float32_has_them(name, scale):
    """Summed over 65,536 values the squares of 1e17 leave float32, and their mean does not."""
    values = np.random.default_rng(0).normal(0.7, 1.0, (256, 256)).astype(np.float32) * np.float32(scale)
    exact = values.astype(np.float64)
    truth = {
        "act_mean": exact.mean(),
        "act_var": exact.var(),
        "act_var_within": exact.var(axis=0).mean(),
        "preact_second_moment": (exact**2).mean(),
    }
    found = probes.measure_layer((name,), *(jnp.asarray(values),) * 4, {})[name]
    np.testing.assert_allclose(found, truth[name], rtol=1e-4)
    hundredfold = probes.PROBES[name](jnp.full((256, 256), jnp.float32(1e37)) * jnp.asarray(values / scale))
    assert name == "act_mean" or not np.isfinite(hundredfold)  # what leaves float32 itself is not hidden


@pytest.mark.parametrize("value", [0.0, 0.1, -0.7])
def test_a_layer_equal_in_all_rows_is_constant_and_without_rank(value):
    z = jnp.full((7, WIDTH), value)  # the mean of seven times 0.1 is not 0.1 in float32
    names = ("dormant_fraction", "constant_fraction", "effective_rank", "act_var_within")
    measured = probes.measure_layer((*names, "stable_rank"), z, z, z, z, {})
    by_name = {name: float(value) for name, value in measured.items()}
    assert [by_name[name] for name in names] == [float(value == 0), 1.0, 0.0, 0.0]
    assert by_name["stable_rank"] == pytest.approx(float(value != 0))


@pytest.mark.parametrize("chunks", [1, 4])
def test_death_is_judged_on_every_training_row_and_on_no_other(chunks):
    """A layer's kernel is the identity: its units are dead where all their inputs are negative."""
    program = a_program(TRAPS["relu"], depth_bound=2, width=FEATURES, eval_chunks=chunks)
    data = some_data(features=FEATURES)
    data["train"][0][:] = -1.0
    data["train"][0][:, 2] = 1.0
    p = a_trap(2, FEATURES)
    p["input"]["kernel"] = np.eye(FEATURES, dtype=np.float32)
    parameters = jax.tree.map(lambda leaf: leaf[None], p)
    masks = dict.fromkeys(("dead_at_init", "ever_dead"), np.zeros((1, 2, FEATURES), bool))
    numbers = Runs(program, [some_numbers(1)], data, 1).numbers

    def judged():
        call = (np.int32(1), np.int32(1), np.int32(0))  # the first evaluation; depth; activation
        new_masks, record = programs_of(program, FEATURES).evaluate(parameters, masks, numbers, data, *call)
        return np.flatnonzero(new_masks["dead_at_init"][0, 0]).tolist(), float(record["network_dead"][0])

    assert judged() == ([0, 1, 3, 4, 5], 0.0)
    for row in (0, 13, 29):
        data["train"][0][row, 4] = 0.5
        assert judged() == ([0, 1, 3, 5], 0.0), row
        data["train"][0][row, 4] = np.nan
        assert np.isnan(judged()[1]), row
        data["train"][0][row, 4] = -1.0
    data["train"][0][:] = -1.0
    assert judged() == ([0, 1, 2, 3, 4, 5], 1.0)
    for split in ("validation", "test", "probe"):
        for value in (1.0, np.nan):
            data[split][0][:] = value
            assert judged() == ([0, 1, 2, 3, 4, 5], 1.0), split
