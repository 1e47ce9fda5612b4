"""Every measure against a slow and obvious NumPy implementation in float64, and the numerical traps on its way."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.engine import records
from actlab.nn import probes, training

DEPTH, WIDTH, FEATURES, OUTPUTS = 4, 5, 6, 3
EVALUATE = (1, 0, 1, 1, 0, 1)
WEAK, LOW, HIGH = 0.3, -1.2, 0.9  # thresholds that some units cross and others do not
ALL = (*probes.GRADIENTS, *probes.DEATH, *probes.PROBES)


@dataclass(frozen=True)
class Case:
    """An activation as the program sees it (phi, flat) and again in NumPy (value, slope, constant)."""

    phi: object
    flat: object
    value: object
    slope: object
    constant: object
    task: str
    fixed: dict = field(default_factory=dict)
    learnable: dict = field(default_factory=dict)


def nowhere(z, **_):
    return z != z


CASES = {
    "relu": Case(
        phi=lambda z: jnp.where(z > 0, z, 0.0),
        flat=lambda z: z <= 0,
        value=lambda z: max(z, 0.0),
        slope=lambda z: 1.0 if z > 0 else 0.0,
        constant=lambda z: z <= 0,
        task="classification",
    ),
    "relu6": Case(
        phi=lambda z, top: jnp.where((z > 0) & (z < top), z, jnp.where(z > 0, top, 0.0)),
        flat=lambda z, top: (z <= 0) | (z >= top),
        value=lambda z, top: min(max(z, 0.0), top),
        slope=lambda z, top: 1.0 if 0 < z < top else 0.0,
        constant=lambda z, top: z <= 0 or z >= top,
        task="regression",
        fixed={"top": 2.0},
    ),
    "tanh": Case(
        phi=jnp.tanh,
        flat=nowhere,
        value=np.tanh,
        slope=lambda z: 1 - np.tanh(z) ** 2,
        constant=lambda z: False,
        task="classification",
    ),
    "prelu": Case(
        phi=lambda z, alpha: jnp.where(z > 0, z, alpha * z),
        flat=nowhere,
        value=lambda z, alpha: z if z > 0 else alpha * z,
        slope=lambda z, alpha: 1.0 if z > 0 else alpha,
        constant=lambda z, alpha: False,
        task="regression",
        learnable={"alpha": 0.25},
    ),
}


# The witness: one example, one unit, one layer at a time


def kernels_and_biases(p):
    first, hidden = p["first"], p["hidden"]
    return [(first["kernel"], first["bias"]), *zip(hidden["kernel"], hidden["bias"], strict=True)]


def elementwise(function, case, p, l, z):
    """A scalar function of z, with the layer's own parameters, at every unit."""
    result = np.empty(np.shape(z))
    for at in np.ndindex(*np.shape(z)):
        learned = {name: value[l] if value.ndim == 1 else value[l, at[-1]] for name, value in p["activation"].items()}
        result[at] = function(z[at], **case.fixed, **learned)
    return result


def forward(p, case, x):
    """Pre-activations and activations by hidden layer, and the outputs."""
    h, zs, hs = x, [], []
    for l, (kernel, bias) in enumerate(kernels_and_biases(p)):
        z = h @ kernel + bias
        h = elementwise(case.value, case, p, l, z)
        zs.append(z)
        hs.append(h)
    return zs, hs, h @ p["readout"]["kernel"] + p["readout"]["bias"]


def loss(outputs, y, task):
    """The loss of one example."""
    if task == "classification":
        return np.log(np.sum(np.exp(outputs))) - outputs[y]
    return np.mean((outputs - y) ** 2)


def example_gradients(p, case, x, y):
    """∂ℓ/∂z_l of one example, by hidden layer, and ∂ℓ/∂W_l."""
    zs, hs, outputs = forward(p, case, x)
    if case.task == "classification":
        error = np.exp(outputs) / np.sum(np.exp(outputs)) - np.eye(len(outputs))[y]
    else:
        error = 2 * (outputs - y) / len(outputs)
    layers = kernels_and_biases(p)
    behind = error @ p["readout"]["kernel"].T
    signal, weight = [None] * len(layers), [None] * len(layers)
    for l in reversed(range(len(layers))):
        signal[l] = behind * elementwise(case.slope, case, p, l, zs[l])
        weight[l] = np.outer(hs[l - 1] if l else x, signal[l])
        behind = signal[l] @ layers[l][0].T
    return signal, weight


def mean_weight_gradients(p, case, x, y):
    each = [example_gradients(p, case, x[i], y[i])[1] for i in range(len(x))]
    return [np.mean([weights[l] for weights in each], axis=0) for l in range(len(each[0]))]


def gradient_columns(p, case, x, y, batch_x, batch_y, learning_rate):
    """Norms on the probe rows, and the relative size of the plain descent step on a minibatch."""
    signals = [example_gradients(p, case, x[i], y[i])[0] for i in range(len(x))]
    weights = mean_weight_gradients(p, case, x, y)
    steps = mean_weight_gradients(p, case, batch_x, batch_y)
    kernels = [kernel for kernel, _ in kernels_and_biases(p)]
    return {
        "signal_grad_norm": [
            np.sqrt(np.mean([np.sum(signal[l] ** 2) for signal in signals])) for l in range(len(kernels))
        ],
        "weight_grad_norm": [np.sqrt(np.sum(w**2)) for w in weights],
        "weight_grad_rms": [np.sqrt(np.mean(w**2)) for w in weights],
        "update_ratio": [
            learning_rate * np.sqrt(np.sum(w**2)) / np.sqrt(np.sum(kernel**2))
            for w, kernel in zip(steps, kernels, strict=True)
        ],
    }


def dead_units(p, case, x):
    """Whether each unit is flat on every row, [L, W]."""
    zs, _, _ = forward(p, case, x)
    return np.array([np.all(elementwise(case.constant, case, p, l, z), axis=0) for l, z in enumerate(zs)])


def death_columns(history):
    """From the masks of all evaluations so far, the last being now."""
    born, now, earlier = history[0], history[-1], history[:-1]
    revived = np.any(earlier, axis=0) & ~now if earlier else np.zeros_like(now)
    masks = {
        "dead_fraction": now,
        "born_dead_fraction": born,
        "died_fraction": now & ~born,
        "revived_fraction": revived,
        "ever_dead_fraction": np.any(history, axis=0),
    }
    return {name: [np.mean(layer) for layer in mask] for name, mask in masks.items()}


def mean_pair_cosine(z):
    pairs = [(i, j) for i in range(len(z)) for j in range(len(z)) if i != j]
    return np.mean([z[i] @ z[j] / np.linalg.norm(z[i]) / np.linalg.norm(z[j]) for i, j in pairs])


def centred(h):
    """Minus the mean over rows, which for equal numbers is their value, whatever rounding makes of it."""
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


def activation_columns(p, case, x):
    zs, hs, _ = forward(p, case, x)
    columns = {name: [] for name in probes.PROBES}
    for l, (z, h) in enumerate(zip(zs, hs, strict=True)):
        units = range(z.shape[1])
        slope = elementwise(case.slope, case, p, l, z)
        size = [np.mean([abs(value) for value in h[:, j]]) for j in units]
        spread = [np.sqrt(np.mean(centred(h)[:, j] ** 2)) for j in units]
        unit_means = [z[:, j].mean() for j in units]
        layer = {
            "weak_fraction": np.mean([max(abs(slope[:, j])) <= WEAK for j in units]),
            "saturated_low": np.mean([value <= LOW for value in z.ravel()]),
            "saturated_high": np.mean([value >= HIGH for value in z.ravel()]),
            "dormant_fraction": np.mean([size[j] <= 0.025 * np.mean(size) for j in units]),
            "constant_fraction": np.mean([spread[j] <= 0.025 * np.mean(spread) for j in units]),
            "act_mean": np.mean(h),
            "act_var": np.mean((h - np.mean(h)) ** 2),
            "act_var_within": np.mean([spread[j] ** 2 for j in units]),
            "preact_second_moment": np.mean(z**2),
            "preact_mean_share": np.mean((unit_means - np.mean(unit_means)) ** 2) / np.mean(z**2),
            "correlation": mean_pair_cosine(z),
            "zero_fraction": np.mean([value == 0 for value in h.ravel()]),
            "duplicate_fraction": duplicates(h),
            "effective_rank": entropy_rank(h),
            "stable_rank": np.sum(h**2) / np.linalg.norm(h, 2) ** 2 if np.any(h) else 0.0,
        }
        for name, value in layer.items():
            columns[name].append(value)
    return columns


def slope_columns(norms):
    """Of log10 norm against the number of layers behind, and the residual standard deviation."""
    behind = -np.arange(len(norms))
    slope, level = np.polyfit(behind, np.log10(norms), 1)
    residual = np.log10(norms) - (slope * behind + level)
    return slope, np.sqrt(np.sum(residual**2) / (len(norms) - 2))


def split_columns(p, case, split, part):
    x, y = split
    outputs = forward(p, case, x)[2]
    right = [np.argmax(outputs[i]) == y[i] for i in range(len(x))] if case.task == "classification" else [np.nan]
    losses = [loss(outputs[i], y[i], case.task) for i in range(len(x))]
    return {f"{part}_loss": np.mean(losses), f"{part}_accuracy": np.mean(right)}


# The program's measurements of six networks in a row, and the witness's


def a_network(case, rng, per_unit):
    """Weights of a trained network's size, with biases so uneven that units die, saturate and revive."""
    outputs = OUTPUTS if case.task == "classification" else 1
    learned = {name: rng.uniform(0.1, 0.9, (DEPTH, WIDTH) if per_unit else DEPTH) for name in case.learnable}
    return {
        "first": {
            "kernel": rng.normal(size=(FEATURES, WIDTH)) / np.sqrt(FEATURES),
            "bias": rng.choice([-5.0, 0.0, 0.3], WIDTH),
        },
        "hidden": {
            "kernel": rng.normal(size=(DEPTH - 1, WIDTH, WIDTH)),
            "bias": rng.choice([-5.0, 0.0, 0.3], (DEPTH - 1, WIDTH)),
        },
        "readout": {"kernel": rng.normal(size=(WIDTH, outputs)), "bias": rng.normal(size=outputs)},
        "activation": learned,
    }


def some_data(task, rng):
    def split(rows):
        y = rng.integers(0, OUTPUTS, rows) if task == "classification" else rng.normal(size=(rows, 1))
        return rng.normal(size=(rows, FEATURES)), y

    return {"train": split(30), "validation": split(10), "test": split(11), "probe": split(12)}


def a_program(case, **changes):
    settings = {
        "phi": case.phi,
        "flat": case.flat,
        "learnable": tuple(case.learnable),
        "learnable_per": "unit",
        "depth": DEPTH,
        "width": WIDTH,
        "weight_distribution": "normal",
        "bias_distribution": "constant",
        "optimizer": "sgd",
        "optimizer_options": (),
        "decay_activation_parameters": False,
        "batch_size": 7,
        "task": case.task,
        "probes": ALL,
        "dtype": "float64",
        "lane": 1,
        "pieces": 1,
    }
    return training.Program(**settings | changes)


def some_numbers(case, depth=DEPTH):
    return {
        "seed": np.array([3], np.uint32),
        "weight_std": np.full((1, depth), 0.5),
        "bias_mean": np.zeros((1, depth)),
        "bias_std": np.zeros((1, depth)),
        "fixed": {name: np.array([value]) for name, value in case.fixed.items()},
        "learnable": {name: np.array([value]) for name, value in case.learnable.items()},
        "optimizer": {"learning_rate": np.array([0.01]), "weight_decay": np.array([0.0])},
        "weak_threshold": np.array([WEAK]),
        "saturation_low": np.array([LOW]),
        "saturation_high": np.array([HIGH]),
    }


def first_batches(seed, rows, size):
    """The batches of epoch 0."""
    _, key = jax.random.split(jax.random.key(seed))
    order = np.asarray(jax.random.permutation(jax.random.fold_in(key, 0), rows))
    return [order[begin : begin + size] for begin in range(0, rows - size + 1, size)]


def measured_by_program(advance, state, numbers, data, networks, evaluate):
    """Put one network after another into the program's state, and record each."""
    found = []
    for t, network in enumerate(networks):
        state["parameters"] = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], network)
        row = np.array([[t, t + 1, evaluate[t], 1]], np.int32)
        state, record = advance(state, numbers, data, row)
        found.append(jax.tree.map(lambda leaf: np.asarray(leaf)[0], record))
    return jax.tree.map(lambda *rows: np.concatenate(rows), *found)


def as_row(found, steps, **changes):
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
    return records.run_row({"run": "a"}, found, **options | changes)


@pytest.fixture(scope="module", params=CASES)
def both(request):
    """What the program measured (as a run's row) and what the witness says, of the same six networks."""
    case = CASES[request.param]
    rng = np.random.default_rng(sum(map(ord, request.param)))
    data = some_data(case.task, rng)
    networks = [a_network(case, rng, per_unit=True) for _ in EVALUATE]
    if request.param == "relu":
        networks[3]["hidden"]["bias"][1] = -20.0  # a wholly dead layer
    with jax.enable_x64(True):
        outputs = OUTPUTS if case.task == "classification" else 1
        start, advance = training.compile_programs(a_program(case), FEATURES, outputs)
        numbers = some_numbers(case)
        found = measured_by_program(advance, start(numbers), numbers, data, networks, EVALUATE)
    row = as_row(found, len(EVALUATE))
    batches = [*first_batches(3, 30, 7)] * 2  # epoch 1 is another permutation; see `in_first_epoch`
    witness, history = [], []
    for p, evaluate, batch in zip(networks, EVALUATE, batches, strict=False):
        batch_x, batch_y = (array[batch] for array in data["train"])
        layers = gradient_columns(p, case, *data["probe"], batch_x, batch_y, 0.01)
        layers |= activation_columns(p, case, data["probe"][0])
        if evaluate:
            history.append(dead_units(p, case, data["train"][0]))
            layers |= death_columns(history)
        run = {}
        for part in ("train", "validation", "test") if evaluate else ():
            run |= split_columns(p, case, data[part], part)
        if evaluate:
            run["network_dead"] = float(np.any(np.all(history[-1], axis=1)))
        witness.append((layers, run))
    return SimpleNamespace(
        case=case, data=data, networks=networks, row=row, witness=witness, history=history, advance=advance, start=start
    )


IN_FIRST_EPOCH = 30 // 7


@pytest.mark.parametrize("name", [*probes.GRADIENTS, *probes.PROBES])
def test_measures_of_every_record(both, name):
    found = both.row[f"layers.{name}"].reshape(len(EVALUATE), DEPTH)
    known = IN_FIRST_EPOCH if name == "update_ratio" else len(EVALUATE)
    expected = [layers[name] for layers, _ in both.witness]
    np.testing.assert_allclose(found[:known], expected[:known], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(both.row[f"steps.{name}"], found.mean(axis=1), rtol=1e-12)


@pytest.mark.parametrize("name", probes.DEATH)
def test_unit_death_at_evaluations_and_nothing_between(both, name):
    found = both.row[f"layers.{name}"].reshape(len(EVALUATE), DEPTH)
    for row, (layers, _), evaluate in zip(found, both.witness, EVALUATE, strict=True):
        if evaluate:
            np.testing.assert_allclose(row, layers[name], rtol=1e-12)
        else:
            assert np.all(np.isnan(row))


@pytest.mark.parametrize("both", ["relu"], indirect=True)
def test_the_networks_above_show_every_kind_of_death(both):
    for name in probes.DEATH:
        values = np.array([layers[name] for layers, _ in both.witness if name in layers])
        assert values.max() > 0, name
    assert {run["network_dead"] for _, run in both.witness if run} == {0.0, 1.0}


@pytest.mark.parametrize("part", ["train", "validation", "test"])
@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_losses_and_accuracies_of_whole_splits(both, part, metric):
    found = both.row[f"steps.{part}_{metric}"]
    for value, (_, run), evaluate in zip(found, both.witness, EVALUATE, strict=True):
        if evaluate:
            np.testing.assert_allclose(value, run[f"{part}_{metric}"], rtol=1e-12)
        elif part != "train":
            assert np.isnan(value)


def test_network_dead(both):
    for value, (_, run), evaluate in zip(both.row["steps.network_dead"], both.witness, EVALUATE, strict=True):
        assert value == run["network_dead"] if evaluate else np.isnan(value)


@pytest.mark.parametrize("name", ["vanishing_slope", "weight_slope"])
def test_slopes_towards_the_input(both, name):
    of = {"vanishing_slope": "signal_grad_norm", "weight_slope": "weight_grad_norm"}[name]
    for t, (layers, _) in enumerate(both.witness):
        if min(layers[of]) > 0:
            slope, residual = slope_columns(np.array(layers[of]))
            assert both.row[f"steps.{name}"][t] == pytest.approx(slope, rel=1e-8)
            assert both.row[f"steps.{name}_residual"][t] == pytest.approx(residual, rel=1e-8)
        else:
            assert np.isnan(both.row[f"steps.{name}"][t])
            assert np.isnan(both.row[f"steps.{name}_residual"][t])


def test_learnable_activation_parameters_are_recorded(both):
    for name in both.case.learnable:
        values = np.array([p["activation"][name] for p in both.networks])
        for column, expected in (
            (name, values.mean(axis=2)),
            (f"{name}_min", values.min(axis=2)),
            (f"{name}_max", values.max(axis=2)),
        ):
            np.testing.assert_allclose(both.row[f"layers.{column}"].reshape(expected.shape), expected, rtol=1e-12)


def test_final_numbers_are_the_last_records(both):
    _, run = both.witness[-1]
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
    broken[0]["hidden"]["bias"][1, 2] = -np.inf  # the third hidden layer's z; what follows is finite
    broken[1]["hidden"]["bias"][1, 2] = np.nan
    numbers = some_numbers(both.case)
    with jax.enable_x64(True):
        found = measured_by_program(both.advance, both.start(numbers), numbers, both.data, broken, (1, 1))
    for name in (*probes.PROBES, *probes.DEATH):
        assert np.isnan(found["layers"][name]).tolist() == [[False, False, True, False]] * 2, name
    for name in ("signal_grad_norm", "weight_grad_norm"):
        assert np.isnan(found["gradients"][name][:, 2]).all(), name
    assert np.isnan(found["network_dead"]).all()
    assert np.isfinite(found["train_loss"]).all()
    # ... and though the loss is finite, this run has diverged:
    row = as_row(found, 2)
    assert (row["status"], row["diverged_step"]) == ("diverged", 0.0)


# The witness itself


@pytest.mark.parametrize("name", CASES)
def test_the_witness_gradients_are_central_differences(name):
    case = CASES[name]
    rng = np.random.default_rng(1)
    p = a_network(case, rng, per_unit=True)
    p["first"]["bias"][:] = p["hidden"]["bias"][:] = 0.1
    x, y = some_data(case.task, rng)["probe"]
    signal, weight = example_gradients(p, case, x[0], y[0])
    kernels, biases = (
        [p["first"]["kernel"], *p["hidden"]["kernel"]],
        [p["first"]["bias"], *p["hidden"]["bias"]],
    )  # views: nudging one nudges the network; ∂ℓ/∂z is ∂ℓ/∂b

    def difference(array, at):
        kept, sides = array[at], []
        for nudge in (1e-6, -1e-6):
            array[at] = kept + nudge
            sides.append(loss(forward(p, case, x[0])[2], y[0], case.task))
        array[at] = kept
        return (sides[0] - sides[1]) / 2e-6

    for l in range(DEPTH):
        np.testing.assert_allclose([difference(biases[l], j) for j in range(WIDTH)], signal[l], rtol=1e-5, atol=1e-8)
        at = (0, 1)
        assert difference(kernels[l], at) == pytest.approx(weight[l][at], rel=1e-5, abs=1e-8)


# Numerical traps


def sigmoid_network(depth, width, dtype):
    rng = np.random.default_rng(0)
    std = 1 / np.sqrt(width)
    return jax.tree.map(
        lambda a: a.astype(dtype),
        {
            "first": {"kernel": rng.normal(size=(FEATURES, width)) * 0.4, "bias": np.zeros(width)},
            "hidden": {
                "kernel": rng.normal(size=(depth - 1, width, width)) * std,
                "bias": np.zeros((depth - 1, width)),
            },
            "readout": {"kernel": rng.normal(size=(width, OUTPUTS)) * std, "bias": np.zeros(OUTPUTS)},
            "activation": {},
        },
    )


def exact_norms(p, phi, slope, x, y):
    """Backpropagation on all rows in NumPy's widest float, plain."""
    p = jax.tree.map(lambda a: np.asarray(a, np.longdouble), p)
    h, zs, below = x.astype(np.longdouble), [], []
    layers = kernels_and_biases(p)
    for kernel, bias in layers:
        below.append(h)
        zs.append(h @ kernel + bias)
        h = phi(zs[-1])
    outputs = h @ p["readout"]["kernel"] + p["readout"]["bias"]
    error = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True) - np.eye(OUTPUTS)[y]
    behind, signal, weight = error @ p["readout"]["kernel"].T, [], []
    for z, (kernel, _), h in zip(reversed(zs), reversed(layers), reversed(below), strict=True):
        delta = behind * slope(z)
        signal.insert(0, np.sqrt(np.mean(np.sum(delta**2, axis=1))))
        weight.insert(0, np.sqrt(np.sum((h.T @ delta / len(x)) ** 2)))
        behind = delta @ kernel.T
    return np.array(signal), np.array(weight)


def program_norms(p, phi, x, y):
    mantissas, exponent, _ = jax.jit(
        lambda p: probes.gradient_norms(p, jnp.asarray(x, jnp.float32), y, phi, {}, "classification")
    )(p)
    found = {"gradients": mantissas, "exponent": exponent, "layers": {}}
    one = jax.tree.map(lambda leaf: np.asarray(leaf)[None], found)
    norms = records.layer_measures(one, FEATURES, p["first"]["kernel"].shape[1], slice(0, 1))
    return norms["signal_grad_norm"][0], norms["weight_grad_norm"][0]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_a_sigmoid_network_of_depth_100_does_not_underflow_in_float32():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(20, FEATURES)).astype(np.float32), rng.integers(0, OUTPUTS, 20)
    p = sigmoid_network(100, 16, np.float32)
    signal, weight = program_norms(p, jax.nn.sigmoid, x, y)
    exact_signal, exact_weight = exact_norms(p, sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z)), x, y)
    assert exact_signal[0] < 1e-50  # float32 ends at 1e-45
    np.testing.assert_allclose(signal, exact_signal.astype(np.float64), rtol=1e-4)
    np.testing.assert_allclose(weight, exact_weight.astype(np.float64), rtol=1e-4)
    (slope,), (residual,) = probes.depth_slope(np.log10(signal[None]))
    expected = slope_columns(exact_signal.astype(np.float64))
    assert (slope, residual) == pytest.approx(expected, rel=1e-4)
    assert slope == pytest.approx(np.log10(1 / 4), abs=0.1)  # σ'(0) = 1/4, σ_w = 1


@pytest.mark.parametrize("gain", [0.05, 20.0])
def test_weight_gradients_survive_activations_whose_squares_do_not(gain):
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(20, FEATURES)).astype(np.float32), rng.integers(0, OUTPUTS, 20)
    p = sigmoid_network(24, 16, np.float32)
    p["hidden"]["kernel"] *= np.float32(gain)
    p["readout"]["kernel"] *= np.float32(1 / gain**23) if gain > 1 else np.float32(1)

    def relu(z):
        return z * (z > 0)

    _, weight = program_norms(p, relu, x, y)
    _, exact = exact_norms(p, relu, lambda z: 1.0 * (z > 0), x, y)
    np.testing.assert_allclose(weight, exact.astype(np.float64), rtol=1e-4)


SCALE_FREE = ("dormant_fraction", "constant_fraction", "correlation", "effective_rank", "stable_rank")


@pytest.mark.parametrize("scale", [1e-30, 1e-22, 1e22, 1e30])
def test_shares_and_ranks_do_not_depend_on_scale_even_where_float32_cannot_square_it(scale):
    z = np.random.default_rng(0).normal(size=(1, 12, WIDTH)).astype(np.float32)
    z[0, :, 0] *= 0.01  # dormant, and constant
    names = (*SCALE_FREE, "preact_mean_share")
    plain, scaled = (
        probes.measure_layers(names, *(jnp.asarray(values),) * 3, {}) for values in (z, z * np.float32(scale))
    )
    for name in names:
        np.testing.assert_allclose(scaled[name], plain[name], rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("value", [0.0, 0.1, -0.7])
def test_a_layer_equal_in_all_rows_is_constant_and_without_rank(value):
    z = jnp.full((1, 7, WIDTH), value)  # the mean of seven times 0.1 is not 0.1 in float32
    names = ("dormant_fraction", "constant_fraction", "effective_rank", "act_var_within")
    measured = probes.measure_layers((*names, "stable_rank"), z, z, z, {})
    found = {name: float(value[0]) for name, value in measured.items()}
    assert [found[name] for name in names] == [float(value == 0), 1.0, 0.0, 0.0]
    assert found["stable_rank"] == pytest.approx(float(value != 0))


@pytest.mark.parametrize("depth", [1, 2])
def test_no_slope_below_depth_3(depth):
    slope, residual = probes.depth_slope(np.zeros((2, depth)))
    assert np.isnan(slope).all()
    assert np.isnan(residual).all()


@pytest.mark.parametrize("bad", [-np.inf, np.nan, np.inf])
def test_no_slope_through_a_norm_that_has_no_logarithm(bad):
    slope, residual = probes.depth_slope(np.array([[0.0, 1.0, 2.0, 3.0], [0.0, bad, 2.0, 3.0]]))
    assert slope[0] == pytest.approx(-1)
    assert residual[0] == pytest.approx(0, abs=1e-12)
    assert np.isnan([slope[1], residual[1]]).all()


def test_death_is_judged_on_every_training_row_and_on_no_other():
    z = jnp.array([[-1.0, -1.0, 0.0], [-2.0, 3.0, 0.0], [5.0, -1.0, 1.0]])
    dead, finite = probes.death_observer(lambda z: z <= 0, {}, rows=2)(z, {})
    assert dead.tolist() == [True, False, True]
    assert bool(finite)
    dead, finite = probes.death_observer(lambda z: z <= 0, {}, rows=2)(z.at[2, 0].set(jnp.nan), {})
    assert bool(finite)
