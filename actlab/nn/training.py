"""Training as two pure programs: ``start`` draws a network, ``train`` takes steps.

What shapes a compiled program stands in a frozen ``Program``; everything else about a run is a number in its
``Numbers`` tree, so that seeds, learning rates, schedules, gains, slopes, weight decay and step counts never recompile,
and depth and activation are numbers of a call. Runs that one call advances together (``runs_per_call``) share those
two; how many there are shapes the program, because it changes rounding.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from actlab.nn import initializers, optimizers, walk
from actlab.nn.blocks import Function, Options
from actlab.nn.losses import example_accuracy, example_losses

Numbers = Mapping[str, Any]
"""One run's numbers: seed; weight_std, bias_mean, bias_std [L], 0 beyond the run's depth; fixed [Q] and learnable [P],
the activation's parameters; optimizer {name: scalar} with those of the schedule; dropout_rate; clip_norm;
weak_threshold, saturation_low, saturation_high."""

State = dict[str, Any]
"""What training carries: parameters; the optimizer's memory; diverged_step, the first with a non-finite minibatch loss
(−1: none); loss_sum and accuracy_sum over the ``steps_since_record``."""


@dataclass(frozen=True)
class Program:
    """The static half of a run: everything that changes the compiled code.

    Attributes:
        functions: the activations that it may train, a branch each.
        learnable_per: ``layer`` or ``unit``: whose own an activation's learnable parameters are.
        depth_bound: the most hidden layers.
        width: units of each.
        weight_distribution, bias_distribution: see ``initializers.draw`` and ``draw_biases``.
        optimizer, optimizer_options: a rule of ``optimizers.OPTIMIZERS`` and its switches.
        decay_activation_parameters: whether weight decay also pulls on learnable activation parameters.
        batch_size: rows of a minibatch.
        task: ``classification`` or ``regression``.
        probes: names of the measures to record.
        dtype: ``float32`` or ``float64``.
        runs_per_call: how many runs one call advances.
        eval_chunks: in how many chunks a split is evaluated, to hold less in memory at a time.
        options: normalisation, residual connections, dropout.
        clip: whether gradients are clipped by their joint norm.
        static_depth: every run is as deep as the bound, which the compiler may know: on an accelerator, where a loop of
            unknown length asks the host at every turn.
    """

    functions: tuple[Function, ...]
    learnable_per: str
    depth_bound: int
    width: int
    weight_distribution: str
    bias_distribution: str
    optimizer: str
    optimizer_options: tuple[tuple[str, bool], ...]
    decay_activation_parameters: bool
    batch_size: int
    task: str
    probes: tuple[str, ...]
    dtype: str
    runs_per_call: int
    eval_chunks: int
    options: Options = field(default_factory=Options)
    clip: bool = False
    static_depth: bool = False

    @property
    def network(self) -> walk.Network:
        """What the walk over the layers needs to know."""
        return walk.Network(self.functions, self.options, self.runs_per_call)

    @property
    def slots(self) -> int:
        """How many learnable parameters an activation of this program has at most."""
        return max(len(function.learnable) for function in self.functions)


def start(program: Program, numbers: Numbers, depth: Array, features: int, outputs: int) -> State:
    """Draw one network; what an optimizer remembers starts at zero.

    Draws are counter-based and layer by layer, so that a deeper bound adds layers and changes none. Rows of the stacks
    beyond the run's depth are zeros.

    Args:
        program: the static half of the run.
        numbers: its numbers.
        depth: how many hidden layers it has.
        features, outputs: F inputs and C outputs, given by the data.

    Returns:
        a state without run axis, stacks [L, ...]; the readout is always LeCun normal with zero bias, so that
        comparisons of hidden initialisers do not change the scale of the output layer as well.
    """
    bound, width, dtype = program.depth_bound, program.width, jnp.dtype(program.dtype)
    weights_key, _ = jax.random.split(jax.random.key(numbers["seed"]))
    weights_key, readout_key, bias_key = jax.random.split(weights_key, 3)
    shapes: list[tuple[int, ...]] = [(features, width), (bound - 1, width, width)]
    first, hidden = initializers.draw(program.weight_distribution, weights_key, shapes, dtype)
    std_L = jnp.asarray(numbers["weight_std"], dtype)
    means, stds = numbers["bias_mean"], numbers["bias_std"]
    (readout,) = initializers.draw("normal", readout_key, [(width, outputs)], dtype)
    used_L = (jnp.arange(bound) < depth).astype(dtype)
    kernel_LxWxW = jnp.concatenate([jnp.zeros((1, width, width), dtype), std_L[1:, None, None] * hidden])
    learnable = jnp.asarray(numbers["learnable"], dtype)
    layers = {
        "kernel": kernel_LxWxW,
        "bias": initializers.draw_biases(program.bias_distribution, bias_key, means, stds, width, dtype),
        "activation": used_L[:, None] * learnable[None],
    }
    if program.learnable_per == "unit":
        layers["activation"] = jnp.repeat(layers["activation"][..., None], width, axis=-1)
    if program.options.norm != "none":
        layers["scale"] = jnp.repeat(used_L[:, None], width, axis=1)
        layers["shift"] = jnp.zeros((bound, width), dtype)
    parameters = {
        "input": {"kernel": std_L[0] * first},
        "layers": layers,
        "readout": {"kernel": readout * initializers.lecun(width, outputs), "bias": jnp.zeros(outputs, dtype)},
    }
    return {
        "parameters": parameters,
        "memory": {
            name: jax.tree.map(jnp.zeros_like, parameters) for name in optimizers.OPTIMIZERS[program.optimizer].memory
        },
        "diverged_step": jnp.int32(-1),
        "loss_sum": jnp.zeros((), dtype),
        "accuracy_sum": jnp.zeros((), dtype),
        "steps_since_record": jnp.int32(0),
    }


def train(
    program: Program,
    state: State,
    numbers: Numbers,
    split: tuple[Array, Array],
    begin: Array,
    end: Array,
    recorded: Array,
    depth: Array | int,
    activation: Array,
) -> State:
    """Steps begin..end of minibatch descent; minibatch losses and accuracies are added to the state's sums.

    Each epoch is a fresh permutation from (seed, epoch) alone, its last incomplete batch dropped: batches depend on
    nothing that a checkpoint would have to carry. Cutting a stretch into several calls changes no bit.

    Args:
        program: the static half of the runs.
        state, numbers: of all runs; stacks [L, (R,) ...], everything else [(R,) ...].
        split: the training rows (x [N, F], y), the same for all runs.
        begin, end: the steps to take.
        recorded: 1 where a record was just made: the sums begin anew.
        depth, activation: of all runs.
    """
    network, rows = program.network, split[0].shape[0]
    steps_per_epoch = rows // program.batch_size
    blank = {name: state[name] for name in ("loss_sum", "accuracy_sum", "steps_since_record")}
    state = state | jax.tree.map(lambda total: jnp.where(recorded == 1, jnp.zeros_like(total), total), blank)

    def permutation(seed: Array, epoch: Array) -> Array:
        _, batch_key = jax.random.split(jax.random.key(seed))
        return jax.random.permutation(jax.random.fold_in(batch_key, epoch), rows)

    def minibatch(order: Array, i: Array) -> tuple[Array, Array]:
        begin = (i % steps_per_epoch) * program.batch_size
        picked = jax.lax.dynamic_slice(order, (begin,), (program.batch_size,))
        x, y = (a.at[picked].get(mode="promise_in_bounds") for a in split)
        return x, y

    def epoch(carry: tuple[Array, State, Any]) -> tuple[Array, State, Any]:
        i, state, scratch = carry
        number = i // steps_per_epoch
        order = network.over_runs(permutation, (1,))(numbers["seed"], number)

        def step(i: Array, carry: tuple[State, Any]) -> tuple[State, Any]:
            batch = network.over_runs(minibatch, (1,))(order, i)
            return take_step(program, *carry, numbers, batch, i, depth, activation)

        stop = jnp.minimum(end, (number + 1) * steps_per_epoch)
        return stop, *jax.lax.fori_loop(i, stop, step, (state, scratch))

    carry = (begin, state, scratch_for(program, state["parameters"]))
    return jax.lax.while_loop(lambda carry: carry[0] < end, epoch, carry)[1]


def scratch_for(program: Program, parameters: Any) -> dict[str, Any]:
    """Where a step keeps what each layer passes on: z and h going up, gradients going down. Filled once a call."""
    layers = parameters["layers"]
    rows = jnp.zeros((*layers["bias"].shape[:-1], program.batch_size, program.width), layers["bias"].dtype)
    return {"up": {"z": rows, "h": rows}, "down": jax.tree.map(jnp.zeros_like, layers)}


def take_step(
    program: Program,
    state: State,
    scratch: dict[str, Any],
    numbers: Numbers,
    batch: tuple[Array, Array],
    i: Array,
    depth: Array | int,
    activation: Array,
) -> tuple[State, dict[str, Any]]:
    """One step of minibatch descent, at step ``i``."""
    over_runs = program.network.over_runs
    loss, accuracy, gradients, scratch = minibatch_gradients(
        program, state["parameters"], scratch, numbers, batch, i, depth, activation
    )
    parameters, memory = update(program, state["parameters"], state["memory"], gradients, numbers, i, depth)

    def first_nonfinite(diverged_step: Array, loss: Array) -> Array:
        return jnp.where((diverged_step < 0) & ~jnp.isfinite(loss), i, diverged_step)

    return {
        "parameters": parameters,
        "memory": memory,
        "diverged_step": over_runs(first_nonfinite)(state["diverged_step"], loss),
        "loss_sum": state["loss_sum"] + loss,
        "accuracy_sum": state["accuracy_sum"] + accuracy,
        "steps_since_record": state["steps_since_record"] + 1,
    }, scratch


def minibatch_gradients(
    program: Program,
    parameters: Any,
    scratch: dict[str, Any],
    numbers: Numbers,
    batch: tuple[Array, Array],
    i: Array,
    depth: Array | int,
    activation: Array,
) -> tuple[Array, Array, Any, dict[str, Any]]:
    """Mean loss and accuracy of a minibatch, the loss's gradient in every parameter, and the scratch to use again."""
    network, (x, y) = program.network, batch
    dropout = None
    if program.options.dropout != "none":
        keys = network.over_runs(dropout_key, (1,))(numbers["seed"], i)
        dropout = (keys, numbers["dropout_rate"])
    shared = (network, parameters, x)
    last_h, up = walk.forward(
        *shared, depth, activation, numbers["fixed"], lambda *_: {}, scratch["up"], dropout=dropout
    )
    loss, accuracy, dh, dreadout = network.over_runs(readout_gradients(program.task))(last_h, parameters["readout"], y)

    def local(l: Array, pulled: dict[str, Any]) -> dict[str, Any]:
        return {"bias": jnp.sum(pulled["z"], axis=-2), **pulled["layer"]}

    def no_kernel(delta: Array) -> dict[str, Array]:
        return {"kernel": jnp.zeros_like(scratch["down"]["kernel"][0])}

    first_delta, down = walk.backward(
        *shared,
        up,
        dh,
        depth,
        activation,
        numbers["fixed"],
        local,
        lambda h, delta: {"kernel": network.over_runs(walk.weight_gradient)(h, delta)},
        no_kernel,
        scratch["down"],
        dropout=dropout,
    )
    dinput = network.over_runs(walk.weight_gradient)(x, first_delta)
    gradients = {"input": {"kernel": dinput}, "layers": down, "readout": dreadout}
    return loss, accuracy, gradients, {"up": up, "down": down}


def dropout_key(seed: Array, i: Array) -> Array:
    """The key of step i's masks, apart from those of weights and minibatches; each layer folds in its own number."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 2**32 - 1), i)


def readout_gradients(task: str) -> Any:
    """(h, readout, y) -> mean loss, mean accuracy, and the loss's gradients in h and readout."""

    def of_run(h_BxW: Array, readout: Any, y: Array) -> tuple[Array, Array, Array, Any]:
        def loss(h_BxW: Array, readout: Any) -> tuple[Array, Array]:
            outputs = walk.affine(h_BxW, readout["kernel"], readout["bias"])
            return jnp.mean(example_losses(outputs, y, task)), outputs

        (value, outputs), (dh, dreadout) = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(h_BxW, readout)
        return value, jnp.mean(example_accuracy(outputs, y, task)), dh, dreadout

    return of_run


def update(
    program: Program, parameters: Any, memory: Any, gradients: Any, numbers: Numbers, i: Array, depth: Array | int
) -> tuple[Any, Any]:
    """Parameters and memory after step i: first layer and readout at once, the hidden layers row by row, in place."""
    over_runs, layer_wise = program.network.over_runs, ("layers",)
    switches = dict(program.optimizer_options)
    own = numbers["optimizer"]

    def remember(gradients: Any, memory: Any, own: Any, scale: Any) -> Any:
        return optimizers.remember(program.optimizer, scaled(gradients, scale), memory, own)

    def move(parameters: Any, gradients: Any, memory: Any, own: Any, scale: Any) -> Any:
        return optimizers.move(
            program.optimizer,
            switches,
            parameters,
            scaled(gradients, scale),
            memory,
            i,
            own,
            program.decay_activation_parameters,
        )

    def ends(tree: Any) -> Any:
        return {name: part for name, part in tree.items() if name not in layer_wise}

    scale = clipping(program, gradients, numbers, depth) if program.clip else None
    old_ends = {name: ends(kept) for name, kept in memory.items()}
    new_ends = over_runs(remember)(ends(gradients), old_ends, own, scale)
    moved_ends = over_runs(move)(ends(parameters), ends(gradients), new_ends, own, scale)

    stacks, slopes = parameters["layers"], gradients["layers"]
    kept = {name: tree["layers"] for name, tree in memory.items()}
    if kept:
        kept = jax.lax.fori_loop(
            0,
            depth,
            lambda l, kept: walk.put(kept, over_runs(remember)(walk.at(slopes, l), walk.at(kept, l), own, scale), l),
            kept,
        )
    stacks = jax.lax.fori_loop(
        0,
        depth,
        lambda l, stacks: walk.put(
            stacks, over_runs(move)(walk.at(stacks, l), walk.at(slopes, l), walk.at(kept, l), own, scale), l
        ),
        stacks,
    )
    return {**moved_ends, "layers": stacks}, {name: {**new_ends[name], "layers": kept[name]} for name in memory}


def scaled(gradients: Any, factor: Array | None) -> Any:
    """Gradients times a factor, if there is one."""
    return gradients if factor is None else jax.tree.map(lambda g: g * factor, gradients)


def clipping(program: Program, gradients: Any, numbers: Numbers, depth: Array | int) -> Array:
    """The factor by which a run's gradients are multiplied, so that their joint norm is at most ``clip_norm``.

    Summed layer by layer: in what order does not depend on the bound.
    """

    def squares(tree: Any) -> Array:
        return jnp.sum(jnp.stack([jnp.sum(g**2) for g in jax.tree.leaves(tree)]))

    over_runs = program.network.over_runs
    ends = over_runs(squares)({name: part for name, part in gradients.items() if name != "layers"})
    total = jax.lax.fori_loop(
        0, depth, lambda l, total: total + over_runs(squares)(walk.at(gradients["layers"], l)), ends
    )
    return over_runs(optimizers.clip_factor)(total, numbers["clip_norm"])
