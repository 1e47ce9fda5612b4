"""Training against an obvious loop, and its promises: cuts, neighbours and numbers change neither bits nor programs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.nn.blocks import Function
from actlab.nn.programs import blank_scratches
from tests.core import (
    BATCH,
    OUTPUTS,
    ROWS,
    Runs,
    a_program,
    assert_same_bits,
    go,
    kernels_of,
    network,
    nowhere,
    of_run,
    programs_of,
    some_data,
    some_numbers,
)
from tests.thinned import thinned

DEPTH, WIDTH = 3, 6
SCHEDULE = ((0, 1), (3, 0), (8, 1), (9, 0), (11, 1))  # records, and whether whole splits are evaluated
STEPS = 12  # three epochs, with the last record's one step more


def phi(z, *, slope, beta):
    """Smooth and unbounded: finite differences hold, and divergence is possible."""
    return jnp.tanh(beta * z) + slope * z


BENT = Function(phi, nowhere, ("slope",), ("beta",))
CUT = Function(lambda z, *, top: jnp.clip(z, 0.0, top), lambda z, *, top: (z <= 0) | (z >= top), ("top",))
SLOPE = 0.1


def bent_program(**changes):
    return a_program(BENT, CUT, width=WIDTH, **changes)


def bent_numbers(depth=DEPTH, *, slope=SLOPE, beta=0.7, **changes):
    return some_numbers(depth, fixed={"slope": slope}, learnable={"beta": beta}, **changes)


def train(program, data, *numbers, depth=DEPTH, longest=None):
    return go(Runs(program, numbers, data, depth), SCHEDULE, longest)


SINGLE, WIDE = bent_program(), bent_program(runs_per_call=4)


@pytest.fixture(scope="module")
def data():
    return some_data()


# The obvious loop: one layer, one batch, one parameter at a time


def layers_of(parameters):
    """Return (kernel, bias, beta) of each hidden layer."""
    layers = parameters["layers"]
    return list(zip(kernels_of(parameters), layers["bias"], layers["activation"][:, 0], strict=True))


def forward(parameters, x):
    """Compute what goes into each hidden layer, its pre-activations, and the outputs."""
    h, inputs, zs = x, [], []
    for kernel, bias, beta in layers_of(parameters):
        inputs.append(h)
        zs.append(h @ kernel + bias)
        h = np.tanh(beta * zs[-1]) + SLOPE * zs[-1]
    return [*inputs, h], zs, h @ parameters["readout"]["kernel"] + parameters["readout"]["bias"]


def mean_loss(parameters, x, y):
    outputs = forward(parameters, x)[2]
    return np.mean([np.log(np.sum(np.exp(row))) - row[label] for row, label in zip(outputs, y, strict=True)])


def gradients(parameters, x, y):
    """Differentiate the mean loss, by backpropagation, in the shape of the parameters."""
    inputs, zs, outputs = forward(parameters, x)
    p = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    delta = (p - np.eye(OUTPUTS)[y]) / len(y)
    readout = {"kernel": inputs[-1].T @ delta, "bias": delta.sum(axis=0)}
    behind = delta @ parameters["readout"]["kernel"].T
    gradients = jax.tree.map(np.zeros_like, parameters) | {"readout": readout}
    layers = layers_of(parameters)
    for l in reversed(range(len(layers))):
        kernel, _, beta = layers[l]
        bend = 1 - np.tanh(beta * zs[l]) ** 2
        of_beta = (behind * bend * zs[l]).sum(axis=0)
        delta = behind * (bend * beta + SLOPE)
        gradients["layers"]["activation"][l, 0] = of_beta if np.ndim(beta) else of_beta.sum()
        gradients["layers"]["bias"][l] = delta.sum(axis=0)
        place = gradients["layers"]["kernel"][l] if l else gradients["input"]["kernel"]
        place[:] = inputs[l].T @ delta
        behind = delta @ kernel.T
    return gradients


def batches(seed, steps):
    """Draw epochs shuffled without replacement, whole batches only."""
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


def rate(t, o):
    """Compute the learning rate at step t: it rises along a line, falls along half a cosine, and stays at its end."""
    rising = o["warmup_steps"]
    if t < rising:
        return o["learning_rate"] * (t + 1) / (rising + 1)
    if not o["cosine"]:
        return o["learning_rate"]
    passed = min((t - rising) / (o["schedule_steps"] - rising), 1)
    return o["learning_rate"] * (1 + np.cos(np.pi * passed)) / 2


def above(parameters, frozen, still=()):
    """Return the arrays of all layers but the first so many, and of the readout: views, to be written to.

    ``still`` are left out: names of what no layer learns.
    """
    layers = {name: stack[frozen:] for name, stack in parameters["layers"].items() if name not in still}
    return {**parameters, "layers": layers, "input": {} if frozen else parameters["input"]}


def loop(parameters, numbers, data, rule, decayed, steps=STEPS, frozen=0, still=()):
    """Train in NumPy all but the first so many layers, and but what stays still in all of them.

    Notes every minibatch's loss, accuracy and gradient norm, and ‖ΔW_l‖/‖W_l‖.
    """
    x, y = data["train"]
    o = numbers["optimizer"]
    parameters = jax.tree.map(np.array, parameters)
    memory = [{} for _ in jax.tree.leaves(above(parameters, frozen, still))]
    moving = jax.tree.leaves_with_path(above(parameters, frozen, still))
    log = []
    for t, rows in enumerate(batches(numbers["seed"], steps)):
        loss = mean_loss(parameters, x[rows], y[rows])
        right = np.argmax(forward(parameters, x[rows])[2], axis=1) == y[rows]
        steepest = jax.tree.leaves(above(gradients(parameters, x[rows], y[rows]), frozen, still))
        norm = np.sqrt(sum(np.sum(g**2) for g in steepest))
        before = [kernel.copy() for kernel in kernels_of(parameters)]
        for (path, theta), g, m in zip(moving, steepest, memory, strict=True):
            decay = o["weight_decay"] * theta if path[-1].key in decayed else 0.0
            clipped = g * min(1, numbers["clip_norm"] / norm)
            theta -= rate(t, o) * (rule(clipped, m, t, o) + decay)  # in place: of views
        moved = [
            np.linalg.norm(new - old) / np.linalg.norm(old)
            for old, new in zip(before, kernels_of(parameters), strict=True)
        ]
        log.append((loss, np.mean(right), moved, norm))
    return parameters, log


# name: what of the program, what of the numbers, the rule, and which parameters decay
KERNELS = ("kernel",)
OPTIMIZERS = {
    "sgd": ({"optimizer": "sgd", "depth_bound": 200}, {"learning_rate": 0.3}, sgd, KERNELS),
    "momentum": (
        {"optimizer": "momentum", "optimizer_switches": (("nesterov", False),), "clip": True},
        {"clip_norm": 0.5},
        momentum,
        KERNELS,
    ),
    "nesterov": (
        {"optimizer": "momentum", "optimizer_switches": (("nesterov", True),), "learnable_per": "unit"},
        {"cosine": 1.0, "schedule_steps": 10.0},
        nesterov,
        KERNELS,
    ),
    "adam": ({"optimizer": "adam"}, {"weight_decay": 0.0}, adam, KERNELS),
    "adamw": (
        {"optimizer": "adamw", "decay_activation_parameters": True, "clip": True, "learnable_per": "unit"},
        {"clip_norm": 0.4, "warmup_steps": 4.0, "cosine": 1.0},
        adam,
        ("kernel", "activation"),
    ),
    "rmsprop": ({"optimizer": "rmsprop"}, {"warmup_steps": 5.0}, rmsprop, KERNELS),
}


def optimized(name):
    return bent_program(dtype="float64", **OPTIMIZERS[name][0])


@pytest.mark.parametrize("name", thinned(OPTIMIZERS, 6, first=4))
def test_training_is_the_obvious_loop(name):
    _, own, rule, decayed = OPTIMIZERS[name]
    numbers, data = bent_numbers(**own), some_data("float64")
    with jax.enable_x64(True):
        runs = Runs(optimized(name), [numbers], data)
        initial = network(runs.begin().state["training"]["parameters"], 0, DEPTH)
        state, records = go(runs, SCHEDULE)
        parameters, log = loop(initial, numbers, data, rule, decayed)
    trained = network(state["training"]["parameters"], 0, DEPTH)
    for (path, a), b in zip(jax.tree.leaves_with_path(trained), jax.tree.leaves(parameters), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=str(path))
        assert not np.array_equal(b, initial[path[0].key][path[1].key])
    for i, (step, evaluated) in enumerate(SCHEDULE):
        np.testing.assert_allclose(records["layers"]["update_ratio"][0, i], log[step][2], rtol=1e-8, atol=1e-15)
        if i > 0 and not evaluated:  # mean over the minibatches since the record before
            stretch = log[SCHEDULE[i - 1][0] : step]
            assert records["train_loss"][0, i] == pytest.approx(np.mean([loss for loss, *_ in stretch]), rel=1e-9)
            assert records["train_accuracy"][0, i] == pytest.approx(np.mean([right for _, right, *_ in stretch]))
    assert of_run(state["training"]["diverged_step"], 0) == -1
    if "clip_norm" in own:  # it is reached by some gradients and not by others
        assert {norm > own["clip_norm"] for *_, norm in log} == {True, False}


@pytest.mark.parametrize(("depth", "activation", "learned"), [(2, 0, 1), (3, 1, 0)])
@pytest.mark.parametrize("name", thinned(OPTIMIZERS, 3, first=1))
def test_what_a_run_does_not_have_stays_zero(name, depth, activation, learned):
    """Layers beyond its depth, and learned parameters of other activations: in parameters and in memory."""
    numbers = [bent_numbers, lambda depth, **own: some_numbers(depth, fixed={"top": 0.5}, **own)][activation]
    with jax.enable_x64(True):
        runs = Runs(optimized(name), [numbers(depth, **OPTIMIZERS[name][1])], some_data("float64"), depth, activation)
        state, _ = go(runs, SCHEDULE)
    state = state["training"]
    assert np.isfinite(state["loss_sum"]).all()
    for tree in (state["parameters"], *state["memory"].values()):
        for key, stack in tree["layers"].items():
            own = stack[0, :depth, :learned] if key == "activation" else stack[0, 1 if key == "kernel" else 0 : depth]
            assert np.any(own) or own.size == 0, key
            assert np.count_nonzero(stack) == np.count_nonzero(own), key


def test_float64_is_honoured_throughout():
    for dtype in ("float64", "float32"):
        with jax.enable_x64(dtype == "float64"):
            runs = Runs(bent_program(dtype=dtype), [bent_numbers()], some_data(dtype))
            numbers, data, call, programs = runs.numbers, runs.data, runs.call, runs.programs
            one, masks = np.int32(1), runs.begin().state["masks"]
            state = jax.eval_shape(programs.start, numbers, call[0])
            own = state["parameters"]
            scratch = blank_scratches(runs.program, own, len(data["probe"][1]))
            after, used = jax.eval_shape(programs.train, state, scratch["train"], numbers, data, one, one, one, *call)
            measured, kept = jax.eval_shape(programs.measure, own, own, scratch["measure"], numbers, data, *call)
            evaluated = jax.eval_shape(programs.evaluate, own, masks, numbers, data, one, *call)
        for back, given in ((after, state), (used, scratch["train"]), (kept, scratch["measure"])):
            assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), back) == jax.tree.map(
                lambda leaf: (leaf.shape, leaf.dtype), given
            )
        for tree in (state, measured, evaluated):
            floats = {leaf.dtype for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)}
            assert floats == {np.dtype(dtype)}


@pytest.mark.parametrize("depth", [1, 2, 200])
def test_any_depth(depth):
    numbers, data = bent_numbers(depth, learning_rate=0.01), some_data("float64")
    with jax.enable_x64(True):
        runs = Runs(optimized("sgd"), [numbers], data, depth)
        initial = network(runs.begin().state["training"]["parameters"], 0, depth)
        state, record = runs.record(runs.begin().state, 0, evaluated=True)
        state = runs.train(state, 1, 2)
        parameters, log = loop(initial, numbers, data, sgd, KERNELS, steps=2)
    trained = network(state["training"]["parameters"], 0, depth)
    for a, b in zip(jax.tree.leaves(trained), jax.tree.leaves(parameters), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    assert record["layers"]["act_mean"].shape == (1, 1, depth)
    np.testing.assert_allclose(record["layers"]["update_ratio"][0, 0], log[0][2], rtol=1e-6, atol=1e-14)
    assert np.all(np.isfinite(record["gradients"]["signal_grad_norm"]))


@pytest.mark.parametrize(("per", "name"), [("layer", "momentum"), ("unit", "nesterov")])
def test_learnable_parameters_descend_along_finite_differences(per, name):
    numbers, data = bent_numbers(learning_rate=1.0, momentum=0.0), some_data("float64")
    with jax.enable_x64(True):
        runs = Runs(optimized(name), [numbers], data)
        state = runs.begin().state
        parameters = network(state["training"]["parameters"], 0, DEPTH)
        after = network(runs.train(state, 0, 1)["training"]["parameters"], 0, DEPTH)
        beta = parameters["layers"]["activation"]
        assert beta.shape == ((DEPTH, 1) if per == "layer" else (DEPTH, 1, WIDTH))
        moved = beta - after["layers"]["activation"]
        x, y = (array[next(batches(3, 1))] for array in data["train"])
        for at in np.ndindex(*beta.shape):
            sides = []
            for nudge in (1e-5, -1e-5):
                beta[at] += nudge
                sides.append(mean_loss(parameters, x, y))
                beta[at] -= nudge
            assert moved[at] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-5, abs=1e-9)
    assert np.all(moved != 0)


# Cuts


@pytest.mark.parametrize("longest", thinned([2, 1, 3], 3))
def test_cutting_a_schedule_changes_no_bit(data, longest):
    assert_same_bits(train(SINGLE, data, bent_numbers()), train(SINGLE, data, bent_numbers(), longest=longest))


def test_records_change_no_bit_of_training(data):
    runs = Runs(SINGLE, [bent_numbers()], data)
    straight = runs.train(runs.begin().state, 0, STEPS)["training"]
    recorded = go(runs, SCHEDULE)[0]["training"]
    for name in ("parameters", "memory", "diverged_step"):
        assert_same_bits(straight[name], recorded[name])


def test_no_step_changes_no_bit(data):
    runs = Runs(SINGLE, [bent_numbers()], data)
    state = runs.train(runs.begin().state, 0, 3)
    assert_same_bits(runs.train(state, 3, 3), state)


def test_a_state_that_was_stored_and_read_goes_on_with_the_same_bits(data):
    runs = Runs(SINGLE, [bent_numbers()], data)
    state, _ = runs.record(runs.begin().state, 0, evaluated=True)
    stored = [(leaf.dtype, leaf.shape, np.asarray(leaf).tobytes()) for leaf in jax.tree.leaves(state)]
    read = [np.frombuffer(content, dtype).reshape(shape) for dtype, shape, content in stored]
    read = jax.tree.unflatten(jax.tree.structure(state), read)
    assert_same_bits(runs.train(read, 1, STEPS), runs.train(state, 1, STEPS))
    for one, other in zip(runs.record(read, 1, True), runs.record(state, 1, True), strict=True):
        assert_same_bits(one, other)


# Neighbours


RUNS = (
    bent_numbers(),
    bent_numbers(seed=4, learning_rate=0.1),
    bent_numbers(gain=2.0, weight_decay=0.0),
    bent_numbers(slope=0.5, beta=1.3),
)


def test_runs_of_one_call_equal_each_alone(data):
    together = train(WIDE, data, *RUNS)
    for i, run in enumerate(RUNS):
        alone = train(SINGLE, data, run)
        for a, b in zip(jax.tree.leaves(of_run(together, i)), jax.tree.leaves(of_run(alone, 0)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("order", [(0, 0, 0, 0), (0, 3, 3, 2), (1, 2, 3, 0), (2, 0, 1, 1)])
def test_neighbours_and_the_place_beside_them_change_no_bit(data, order):
    usual = train(WIDE, data, *RUNS)
    other = train(WIDE, data, *(RUNS[i] for i in order))
    for place, i in enumerate(order):
        assert_same_bits(of_run(other, place), of_run(usual, i))


@pytest.mark.parametrize(
    ("changes", "step"),
    [({"learning_rate": 1e30}, 1), ({"gain": np.inf}, 0), ({"bias_mean": np.nan}, 0), ({"learning_rate": np.nan}, 1)],
)
def test_a_diverging_neighbour_disturbs_no_other_and_knows_its_step(data, changes, step):
    usual = train(WIDE, data, *RUNS)
    other = train(WIDE, data, RUNS[0], bent_numbers(**changes), RUNS[2], RUNS[3])
    assert other[0]["training"]["diverged_step"].tolist() == [-1, step, -1, -1]
    for i in (0, 2, 3):
        assert_same_bits(of_run(other, i), of_run(usual, i))
    assert not np.isfinite(other[1]["train_loss"][1, -1])


# Numbers


@pytest.mark.parametrize("program", [SINGLE, WIDE], ids=["one", "four"])
def test_another_number_depth_or_activation_compiles_nothing(data, caplog, program):
    def compiled(run, data=data, depth=DEPTH, activation=0):
        caplog.clear()
        runs = Runs(program, [run] * program.spec.runs_per_call, data, depth, activation)
        with jax.log_compiles(True):
            jax.block_until_ready(go(runs, SCHEDULE))
        return [record.getMessage() for record in caplog.records if "ompil" in record.getMessage()]

    compiled(bent_numbers())
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
        {"cosine": 1.0, "warmup_steps": 2.0},
    ):
        assert compiled(bent_numbers(**changes)) == [], changes
    for depth in (1, 2, 5):
        assert compiled(bent_numbers(depth), depth=depth) == [], depth
        assert compiled(some_numbers(depth, fixed={"top": 0.5}), depth=depth, activation=1) == [], depth
    other = jax.tree.map(lambda leaf: leaf[::-1].copy(), data)
    assert compiled(bent_numbers(), data=other) == []
    # ... and the counting counts:
    wider = np.concatenate([array[0] for array in data.values()])
    with jax.log_compiles(True):
        jax.jit(lambda x: x + 1)(wider)
    assert any("ompil" in record.getMessage() for record in caplog.records)


def test_every_number_matters(data):
    def readout(**changes):
        return train(SINGLE, data, bent_numbers(**changes))[0]["training"]["parameters"]["readout"]["kernel"]

    usual = readout()
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
        {"cosine": 1.0},
        {"warmup_steps": 6.0},
    ):
        assert not np.allclose(readout(**changes), usual, rtol=1e-3), changes
    other = some_numbers(fixed={"top": 0.5})
    changed = go(Runs(SINGLE, [other], data, activation=1), SCHEDULE)[0]["training"]["parameters"]
    assert not np.allclose(changed["readout"]["kernel"], usual, rtol=1e-3)


def test_the_seed_sets_weights_and_batches(data):
    one, same, other = (Runs(SINGLE, [bent_numbers(seed=seed)], data).begin().state for seed in (1, 1, 2))
    assert_same_bits(one, same)
    first, another = (state["training"]["parameters"]["input"]["kernel"] for state in (one, other))
    assert not np.array_equal(first, another)
    first, second = (list(batches(seed, 8)) for seed in (1, 2))
    assert not np.array_equal(first[0], second[0])
    for epoch in (first[:4], first[4:]):
        assert len(set(np.concatenate(epoch))) == 4 * BATCH


@pytest.mark.parametrize("chunks", thinned([2, 3, 7], 3, first=2))
def test_an_evaluation_in_chunks_finds_the_same(data, chunks):
    runs = Runs(SINGLE, [some_numbers(fixed={"top": 0.5}, bias_std=1.0)], data, activation=1)
    state = runs.begin().state
    cut = programs_of(bent_program(eval_chunks=chunks))
    for step in (0, 5):
        own = (
            state["training"]["parameters"],
            state["masks"],
            runs.numbers,
            data,
            np.int32(step == 0),
            *runs.call,
        )
        usual, in_chunks = runs.programs.evaluate(*own), cut.evaluate(*own)
        assert_same_bits(*(jax.tree.map(np.asarray, masks) for masks, _ in (in_chunks, usual)))
        assert 0 < np.mean(usual[0]["ever_dead"][0, :DEPTH]) < 1
        for one, other in zip(jax.tree.leaves(in_chunks[1]), jax.tree.leaves(usual[1]), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        state = runs.train(state | {"masks": usual[0]}, step, step + 5)
