"""Training against an obvious loop, and its promises: cuts, neighbours and numbers change neither bits nor programs."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.nn import training

FEATURES, OUTPUTS, DEPTH, WIDTH = 4, 3, 3, 6
ROWS, BATCH = 30, 7  # four batches an epoch; two rows of each permutation are left out
SCHEDULE = np.array([[0, 3, 1, 1], [3, 8, 0, 1], [8, 9, 1, 1], [9, 11, 0, 1], [11, 12, 1, 1]], np.int32)
STEPS = 12  # three epochs, with the last record's one step more


def phi(z, *, slope, beta):
    """Smooth and unbounded: finite differences hold, and divergence is possible."""
    return jnp.tanh(beta * z) + slope * z


def nowhere(z, **_):
    return z != z


def a_program(**changes):
    settings = {
        "phi": phi,
        "flat": nowhere,
        "learnable": ("beta",),
        "learnable_per": "layer",
        "depth": DEPTH,
        "width": WIDTH,
        "weight_distribution": "normal",
        "bias_distribution": "normal",
        "optimizer": "adam",
        "optimizer_options": (),
        "decay_activation_parameters": False,
        "batch_size": BATCH,
        "task": "classification",
        "probes": ("update_ratio", "act_mean", "dead_fraction"),
        "dtype": "float32",
        "lane": 1,
        "pieces": 1,
    }
    return training.Program(**settings | changes)


def some_numbers(dtype="float32", depth=DEPTH, gain=1.0, seed=3, slope=0.1, beta=0.7, bias_mean=0.0, **optimizer):
    rates = {"learning_rate": 0.02, "weight_decay": 0.1, "b1": 0.8, "b2": 0.95, "eps": 1e-6}
    numbers = {
        "weight_std": np.full(depth, gain * 0.4),
        "bias_mean": np.full(depth, bias_mean),
        "bias_std": np.full(depth, 0.1),
        "fixed": {"slope": slope},
        "learnable": {"beta": beta},
        "optimizer": rates | optimizer,
        "weak_threshold": 0.05,
        "saturation_low": -2.0,
        "saturation_high": 2.0,
    }
    return {"seed": np.uint32(seed), **jax.tree.map(lambda value: np.asarray(value, dtype), numbers)}


def lane_of(*runs):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *runs)


def some_data(dtype="float32"):
    rng = np.random.default_rng(0)

    def split(rows):
        return rng.normal(size=(rows, FEATURES)).astype(dtype), rng.integers(0, OUTPUTS, rows).astype(np.int32)

    return {"train": split(ROWS), "validation": split(8), "test": split(9), "probe": split(10)}


def padded(rows, length):
    return np.concatenate([rows, np.zeros((max(length - len(rows), 0), 4), np.int32)])


@cache
def programs_of(program):
    return training.compile_programs(program, FEATURES, OUTPUTS)


def train(programs, numbers, data, cuts=(5,), length=0):
    """Advance through SCHEDULE in segments that end at ``cuts``, filled up to ``length`` with rows that do nothing."""
    start, advance = programs
    state, found = start(numbers), []
    for begin, end in zip((0, *cuts), cuts, strict=False):
        rows = padded(SCHEDULE[begin:end], length)
        state, records = advance(state, numbers, data, rows)
        found.append(jax.tree.map(lambda leaf, kept=end - begin: np.asarray(leaf)[:, :kept], records))
    return jax.tree.map(np.asarray, state), jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *found)


def assert_same_bits(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for (path, a), b in zip(jax.tree.leaves_with_path(one), jax.tree.leaves(other), strict=True):
        assert a.dtype == b.dtype, path
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes(), path


def of_run(tree, i):
    return jax.tree.map(lambda leaf: leaf[i], tree)


@pytest.fixture(scope="module")
def single():
    return programs_of(a_program())


@pytest.fixture(scope="module")
def wide():
    return programs_of(a_program(lane=4))


@pytest.fixture(scope="module")
def data():
    return some_data()


# The obvious loop: one layer, one batch, one parameter at a time


def layers_of(parameters):
    """(kernel, bias, beta) of each hidden layer."""
    kernels, biases = ([parameters["first"][name], *parameters["hidden"][name]] for name in ("kernel", "bias"))
    return list(zip(kernels, biases, parameters["activation"]["beta"], strict=True))


def forward(parameters, x, slope):
    """What goes into each hidden layer, its pre-activations, and the outputs."""
    h, inputs, zs = x, [], []
    for kernel, bias, beta in layers_of(parameters):
        inputs.append(h)
        zs.append(h @ kernel + bias)
        h = np.tanh(beta * zs[-1]) + slope * zs[-1]
    return [*inputs, h], zs, h @ parameters["readout"]["kernel"] + parameters["readout"]["bias"]


def mean_loss(parameters, x, y, slope):
    outputs = forward(parameters, x, slope)[2]
    return np.mean([np.log(np.sum(np.exp(row))) - row[label] for row, label in zip(outputs, y, strict=True)])


def gradients(parameters, x, y, slope):
    """Of the mean loss, by backpropagation, in the shape of the parameters."""
    inputs, zs, outputs = forward(parameters, x, slope)
    p = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    delta = (p - np.eye(OUTPUTS)[y]) / len(y)
    readout = {"kernel": inputs[-1].T @ delta, "bias": delta.sum(axis=0)}
    behind = delta @ parameters["readout"]["kernel"].T
    found = []
    for (kernel, _, beta), h, z in reversed(list(zip(layers_of(parameters), inputs, zs, strict=False))):
        bend = 1 - np.tanh(beta * z) ** 2
        of_beta = (behind * bend * z).sum(axis=0)
        delta = behind * (bend * beta + slope)
        found.insert(0, (h.T @ delta, delta.sum(axis=0), of_beta if np.ndim(beta) else of_beta.sum()))
        behind = delta @ kernel.T
    kernels, biases, betas = zip(*found, strict=True)
    hidden = {name: parameters["hidden"][name].copy() for name in ("kernel", "bias")}
    for l in range(1, len(found)):
        hidden["kernel"][l - 1], hidden["bias"][l - 1] = kernels[l], biases[l]
    first = {"kernel": kernels[0], "bias": biases[0]}
    return {"first": first, "hidden": hidden, "readout": readout, "activation": {"beta": np.array(betas)}}


def batches(seed, steps):
    """Epochs shuffled without replacement, whole batches only."""
    _, key = jax.random.split(jax.random.key(seed))
    epoch = 0
    while True:
        order = np.asarray(jax.random.permutation(jax.random.fold_in(key, epoch), ROWS))
        for begin in range(0, ROWS - BATCH + 1, BATCH):
            if steps == 0:
                return
            steps -= 1
            yield order[begin : begin + BATCH]
        epoch += 1


def sgd(g, memory, t, o):
    return g


def momentum(g, memory, t, o):
    memory["m"] = o["momentum"] * memory.get("m", 0) + g
    return memory["m"]


def nesterov(g, memory, t, o):
    memory["m"] = o["momentum"] * memory.get("m", 0) + g
    return g + o["momentum"] * memory["m"]


def adam(g, memory, t, o):
    memory["m"] = o["b1"] * memory.get("m", 0) + (1 - o["b1"]) * g
    memory["v"] = o["b2"] * memory.get("v", 0) + (1 - o["b2"]) * g**2
    m, v = memory["m"] / (1 - o["b1"] ** (t + 1)), memory["v"] / (1 - o["b2"] ** (t + 1))
    return m / (np.sqrt(v) + o["eps"])


def rmsprop(g, memory, t, o):
    memory["v"] = o["decay"] * memory.get("v", 0) + (1 - o["decay"]) * g**2
    return g / (np.sqrt(memory["v"]) + o["eps"])


def loop(parameters, numbers, data, rule, decayed, steps=STEPS):
    """Train in NumPy, and note every minibatch's loss and accuracy, and ‖ΔW_l‖/‖W_l‖."""
    x, y = data["train"]
    o, slope = numbers["optimizer"], numbers["fixed"]["slope"]
    parameters = jax.tree.map(np.array, parameters)
    memory = [{} for _ in jax.tree.leaves(parameters)]
    log = []
    for t, rows in enumerate(batches(numbers["seed"], steps)):
        loss = mean_loss(parameters, x[rows], y[rows], slope)
        right = np.argmax(forward(parameters, x[rows], slope)[2], axis=1) == y[rows]
        steepest = jax.tree.leaves(gradients(parameters, x[rows], y[rows], slope))
        before = [kernel.copy() for kernel, _, _ in layers_of(parameters)]
        for (path, theta), g, m in zip(jax.tree.leaves_with_path(parameters), steepest, memory, strict=True):
            decay = o["weight_decay"] * theta if decayed([entry.key for entry in path]) else 0.0
            theta -= o["learning_rate"] * (rule(g, m, t, o) + decay)
        after = [kernel for kernel, _, _ in layers_of(parameters)]
        moved = [np.linalg.norm(new - old) / np.linalg.norm(old) for old, new in zip(before, after, strict=True)]
        log.append((loss, np.mean(right), moved))
    return parameters, log


def kernels(keys):
    return keys[-1] == "kernel"


def kernels_and_activation(keys):
    return keys[-1] == "kernel" or keys[0] == "activation"


OPTIMIZERS = {
    "sgd": ({"optimizer": "sgd"}, {"learning_rate": 0.3}, sgd, kernels),
    "momentum": (
        {"optimizer": "momentum", "optimizer_options": (("nesterov", False),)},
        {"momentum": 0.8},
        momentum,
        kernels,
    ),
    "nesterov": (
        {"optimizer": "momentum", "optimizer_options": (("nesterov", True),), "learnable_per": "unit"},
        {"momentum": 0.8},
        nesterov,
        kernels,
    ),
    "adam": ({"optimizer": "adam"}, {"weight_decay": 0.0}, adam, kernels),
    "adamw": ({"optimizer": "adamw", "decay_activation_parameters": True}, {}, adam, kernels_and_activation),
    "rmsprop": ({"optimizer": "rmsprop"}, {"decay": 0.7}, rmsprop, kernels),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_advance_is_the_obvious_loop(name):
    changes, rates, rule, decayed = OPTIMIZERS[name]
    numbers, data = some_numbers("float64", **rates), some_data("float64")
    with jax.enable_x64(True):
        programs = programs_of(a_program(dtype="float64", **changes))
        initial = of_run(jax.tree.map(np.asarray, programs[0](lane_of(numbers))["parameters"]), 0)
        state, records = train(programs, lane_of(numbers), data)
        parameters, log = loop(initial, numbers, data, rule, decayed)
    for (path, a), b in zip(
        jax.tree.leaves_with_path(of_run(state["parameters"], 0)), jax.tree.leaves(parameters), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=str(path))
        assert not np.array_equal(b, initial[path[0].key][path[1].key]) or b.size == 0
    for i, (begin, _, evaluate, _) in enumerate(SCHEDULE):
        np.testing.assert_allclose(records["layers"]["update_ratio"][0, i], log[begin][2], rtol=1e-8)
        if i > 0 and not evaluate:  # mean over the minibatches since the record before
            stretch = log[SCHEDULE[i - 1, 0] : begin]
            assert records["train_loss"][0, i] == pytest.approx(np.mean([loss for loss, _, _ in stretch]), rel=1e-9)
            assert records["train_accuracy"][0, i] == pytest.approx(np.mean([right for _, right, _ in stretch]))
    assert of_run(state["diverged_step"], 0) == -1


def test_float64_is_honoured_throughout():
    numbers, data = lane_of(some_numbers("float64")), some_data("float64")
    with jax.enable_x64(True):
        start, advance = programs_of(a_program(dtype="float64"))
        shapes = jax.eval_shape(start, numbers)
        after = jax.eval_shape(advance, shapes, numbers, data, SCHEDULE)
    for tree in (shapes, after):
        floats = {leaf.dtype for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)}
        assert floats == {np.dtype("float64")}
    start, advance = programs_of(a_program())
    shapes = jax.eval_shape(start, lane_of(some_numbers()))
    after = jax.eval_shape(advance, shapes, lane_of(some_numbers()), some_data(), SCHEDULE)
    floats = {leaf.dtype for leaf in jax.tree.leaves(after) if jnp.issubdtype(leaf.dtype, jnp.floating)}
    assert floats == {np.dtype("float32")}


@pytest.mark.parametrize("depth", [1, 200])
def test_any_depth(depth):
    numbers, data = some_numbers("float64", depth=depth, learning_rate=0.01), some_data("float64")
    rows = np.array([[0, 2, 1, 1]], np.int32)
    with jax.enable_x64(True):
        program = a_program(dtype="float64", depth=depth, optimizer="sgd")
        start, advance = programs_of(program)
        state = start(lane_of(numbers))
        initial = of_run(jax.tree.map(np.asarray, state["parameters"]), 0)
        state, records = advance(state, lane_of(numbers), data, rows)
        parameters, log = loop(initial, numbers, data, sgd, kernels, steps=2)
    for a, b in zip(jax.tree.leaves(of_run(state["parameters"], 0)), jax.tree.leaves(parameters), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    assert records["layers"]["act_mean"].shape == (1, 1, depth)
    np.testing.assert_allclose(records["layers"]["update_ratio"][0, 0], log[0][2], rtol=1e-6, atol=1e-14)
    assert np.all(np.isfinite(records["gradients"]["signal_grad_norm"]))


@pytest.mark.parametrize(("per", "name"), [("layer", "momentum"), ("unit", "nesterov")])
def test_learnable_parameters_descend_along_finite_differences(per, name):
    numbers, data = some_numbers("float64", learning_rate=1.0, momentum=0.0), some_data("float64")
    with jax.enable_x64(True):
        start, advance = programs_of(a_program(dtype="float64", **OPTIMIZERS[name][0]))
        state = start(lane_of(numbers))
        parameters = of_run(jax.tree.map(np.array, state["parameters"]), 0)
        state, _ = advance(state, lane_of(numbers), data, padded(np.array([[0, 1, 0, 1]], np.int32), 5))
        after = np.asarray(state["parameters"]["activation"]["beta"])[0]
        beta = parameters["activation"]["beta"]
        assert beta.shape == ((DEPTH,) if per == "layer" else (DEPTH, WIDTH))
        moved = beta - after
        x, y = (array[next(batches(3, 1))] for array in data["train"])
        for at in np.ndindex(*beta.shape):
            sides = []
            for nudge in (1e-5, -1e-5):
                beta[at] += nudge
                sides.append(mean_loss(parameters, x, y, 0.1))
                beta[at] -= nudge
            assert moved[at] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-5, abs=1e-9)
    assert np.all(moved != 0)


# Cuts


@pytest.mark.parametrize(("cuts", "length"), [((1, 2, 3, 4, 5), 1), ((2, 4, 5), 2), ((2, 5), 5)])
def test_cutting_a_schedule_changes_no_bit(single, data, cuts, length):
    numbers = lane_of(some_numbers())
    assert_same_bits(train(single, numbers, data), train(single, numbers, data, cuts, length))


def test_a_state_that_was_stored_and_read_goes_on_with_the_same_bits(single, data):
    numbers = lane_of(some_numbers())
    start, advance = single
    state, _ = advance(start(numbers), numbers, data, SCHEDULE[:1])
    stored = [(leaf.dtype, leaf.shape, np.asarray(leaf).tobytes()) for leaf in jax.tree.leaves(state)]
    read = [np.frombuffer(content, dtype).reshape(shape) for dtype, shape, content in stored]
    state = jax.tree.unflatten(jax.tree.structure(state), read)
    for row in SCHEDULE[1:]:
        state, _ = advance(state, numbers, data, row[None])
    assert_same_bits(jax.tree.map(np.asarray, state), train(single, numbers, data)[0])


def test_rows_that_only_pad_do_nothing(single, data):
    numbers = lane_of(some_numbers())
    start, advance = single
    state, _ = advance(start(numbers), numbers, data, SCHEDULE[:1])
    before = jax.tree.map(np.array, state)
    state, records = advance(state, numbers, data, np.zeros((1, 4), np.int32))
    assert_same_bits(jax.tree.map(np.asarray, state), before)
    assert np.isnan(records["train_loss"]).all()


def test_what_is_measured_does_not_depend_on_when_the_next_record_is(single, data):
    numbers = lane_of(some_numbers())
    start, advance = single
    _, short = advance(start(numbers), numbers, data, np.array([[0, 1, 1, 1]], np.int32))
    _, long = advance(start(numbers), numbers, data, np.array([[0, 9, 1, 1]], np.int32))
    assert_same_bits(short, long)


# Neighbours


RUNS = (
    some_numbers(),
    some_numbers(seed=4, learning_rate=0.1),
    some_numbers(gain=2.0, weight_decay=0.0),
    some_numbers(slope=0.5, beta=1.3),
)


def test_a_lane_equals_its_runs_alone(single, wide, data):
    together = train(wide, lane_of(*RUNS), data)
    for i, run in enumerate(RUNS):
        alone = train(single, lane_of(run), data)
        for a, b in zip(jax.tree.leaves(of_run(together, i)), jax.tree.leaves(of_run(alone, 0)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("order", [(0, 0, 0, 0), (0, 3, 3, 2), (1, 2, 3, 0), (2, 0, 1, 1)])
def test_neighbours_and_the_place_beside_them_change_no_bit(wide, data, order):
    usual = train(wide, lane_of(*RUNS), data)
    other = train(wide, lane_of(*(RUNS[i] for i in order)), data)
    for place, i in enumerate(order):
        assert_same_bits(of_run(other, place), of_run(usual, i))


@pytest.mark.parametrize(
    ("changes", "step"),
    [({"learning_rate": 1e30}, 1), ({"gain": np.inf}, 0), ({"bias_mean": np.nan}, 0), ({"learning_rate": np.nan}, 1)],
)
def test_a_diverging_neighbour_disturbs_nobody_and_knows_its_step(wide, data, changes, step):
    usual = train(wide, lane_of(*RUNS), data)
    other = train(wide, lane_of(RUNS[0], some_numbers(**changes), RUNS[2], RUNS[3]), data)
    assert other[0]["diverged_step"].tolist() == [-1, step, -1, -1]
    for i in (0, 2, 3):
        assert_same_bits(of_run(other, i), of_run(usual, i))
    assert not np.isfinite(other[1]["train_loss"][1, -1])


# Numbers


@pytest.mark.parametrize("lane", [1, 4])
def test_another_number_compiles_nothing(request, data, caplog, lane):
    programs = request.getfixturevalue("single" if lane == 1 else "wide")

    def compiled(run, data=data, schedule=SCHEDULE):
        caplog.clear()
        start, advance = programs
        with jax.log_compiles(True):
            numbers = lane_of(*[run] * lane)
            jax.block_until_ready(advance(start(numbers), numbers, data, schedule))
        return [record.getMessage() for record in caplog.records if "ompil" in record.getMessage()]

    compiled(some_numbers())
    for changes in (
        {},
        {"seed": 11},
        {"learning_rate": 0.5},
        {"weight_decay": 0.0},
        {"gain": 3.0},
        {"slope": -0.2},
        {"beta": 0.0},
        {"bias_mean": 1.0},
        {"b1": 0.0},
    ):
        assert compiled(some_numbers(**changes)) == [], changes
    fewer = padded(np.concatenate([SCHEDULE[:2], np.array([[8, 9, 1, 1]], np.int32)]), 5)
    assert compiled(some_numbers(), schedule=fewer) == []
    other = jax.tree.map(lambda leaf: leaf[::-1].copy(), data)
    assert compiled(some_numbers(), data=other) == []
    # ... and the counting counts:
    wider = np.concatenate([array[0] for array in data.values()])
    with jax.log_compiles(True):
        jax.jit(lambda x: x + 1)(wider)
    assert any("ompil" in record.getMessage() for record in caplog.records)


def test_every_number_matters(single, data):
    usual = train(single, lane_of(some_numbers()), data)[0]["parameters"]
    for changes in (
        {"seed": 11},
        {"learning_rate": 0.5},
        {"weight_decay": 0.0},
        {"gain": 3.0},
        {"slope": -0.2},
        {"beta": 0.0},
        {"bias_mean": 1.0},
        {"b1": 0.0},
        {"b2": 0.5},
        {"eps": 1.0},
    ):
        found = train(single, lane_of(some_numbers(**changes)), data)[0]["parameters"]
        assert not np.allclose(found["readout"]["kernel"], usual["readout"]["kernel"], rtol=1e-3), changes


def test_the_seed_sets_weights_and_batches(single, data):
    start, _ = single
    one, same, other = (start(lane_of(some_numbers(seed=seed))) for seed in (1, 1, 2))
    assert_same_bits(one, same)
    assert not np.array_equal(one["parameters"]["first"]["kernel"], other["parameters"]["first"]["kernel"])
    first, second = (list(batches(seed, 8)) for seed in (1, 2))
    assert not np.array_equal(first[0], second[0])
    for epoch in (first[:4], first[4:]):
        assert len(set(np.concatenate(epoch))) == 4 * BATCH


@pytest.mark.parametrize("pieces", [2, 3, 7])
def test_an_evaluation_in_pieces_finds_the_same(single, data, pieces):
    usual = train(single, lane_of(some_numbers()), data)
    cut = train(programs_of(a_program(pieces=pieces)), lane_of(some_numbers()), data)
    for name in ("born", "ever"):
        np.testing.assert_array_equal(cut[0][name], usual[0][name])
    for one, other in zip(jax.tree.leaves(cut[1]), jax.tree.leaves(usual[1]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
