"""Training as two pure programs: ``start`` draws a network, ``train`` takes steps.

What shapes a compiled program stands in a frozen ``Program``; everything else about a run is a number in its
``Numbers`` tree, so that seeds, learning rates, schedules, gains, slopes, weight decay and step counts never recompile,
and depth and activation are numbers of a call. Runs that one call advances together (``runs_per_call``) share those
two; how many there are shapes the program, because it changes rounding.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from actlab.nn import draws, freezing, initializers, optimizers, walk
from actlab.nn.blocks import Function
from actlab.nn.losses import example_accuracy, example_losses
from actlab.nn.spec import ProgramSpec

GENERATOR = "threefry2x32"  # whatever JAX's default is set to, which its cache of traces does not heed

Numbers = Mapping[str, Any]
"""One run's numbers: seed; weight_std, bias_mean, bias_std [L], 0 beyond the run's depth; fixed [Q], the activation's
parameters that are one for all layers, and learnable [L, P] or [P], what the others begin with; optimizer
{name: scalar} with those of the schedule; dropout_rate; clip_norm;
freeze_layers, how many of the first hidden layers training leaves as they are; weak_threshold, saturation_low,
saturation_high."""

State = dict[str, Any]
"""What training carries: parameters; the optimizer's memory; diverged_step, the first with a non-finite minibatch loss
(−1: none); loss_sum and accuracy_sum over the ``steps_since_record``."""

Scratch = dict[str, Any]
"""What calls of a program write besides their results, given and taken back: see ``scratch_for``."""


@dataclass(frozen=True)
class Program:
    """The static half of a run: everything that changes the compiled code.

    Attributes:
        spec: what of it is plain values.
        functions: the activations that it may train, a branch each.
        optimizer: the update rule.
        own_measures: the user's measures among ``spec.probes``: name and function each.
    """

    spec: ProgramSpec
    functions: tuple[Function, ...]
    optimizer: optimizers.Optimizer
    own_measures: tuple[tuple[str, Callable[..., Array]], ...] = ()

    @property
    def network(self) -> walk.Network:
        """What the walk over the layers needs to know."""
        return walk.Network(self.functions, self.spec.block, self.spec.runs_per_call)

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
    bound, width, dtype = program.spec.depth_bound, program.spec.width, jnp.dtype(program.spec.dtype)
    begin_key, _ = jax.random.split(jax.random.key(numbers["seed"], impl=GENERATOR))
    weights_key, readout_key, bias_key = jax.random.split(begin_key, 3)
    shapes: list[tuple[int, ...]] = [(features, width), (bound - 1, width, width)]
    first, hidden = draws.draw(program.spec.weight_distribution, weights_key, shapes, dtype)
    std_L = jnp.asarray(numbers["weight_std"], dtype)
    means, stds = numbers["bias_mean"], numbers["bias_std"]
    (readout,) = draws.draw("normal", readout_key, [(width, outputs)], dtype)
    used_L = (jnp.arange(bound) < depth).astype(dtype)
    first_FxW = std_L[0] * first
    kernel_LxWxW = jnp.concatenate([jnp.zeros((1, width, width), dtype), std_L[1:, None, None] * hidden])
    bias_LxW = draws.draw_biases(program.spec.bias_distribution, bias_key, means, stds, width, dtype)
    if program.spec.weight_distribution in draws.JOINT:
        key = jax.random.fold_in(begin_key, 3)  # none of those three
        first_FxW, kernel_LxWxW, bias_LxW = draws.one_positive(key, first_FxW, kernel_LxWxW, bias_LxW, used_L)
    learnable_LxP = jnp.broadcast_to(jnp.asarray(numbers["learnable"], dtype), (bound, program.slots))
    layers = {
        "kernel": kernel_LxWxW,
        "bias": bias_LxW,
        "activation": used_L[:, None] * learnable_LxP,
    }
    if program.spec.learnable_per == "unit":
        layers["activation"] = jnp.repeat(layers["activation"][..., None], width, axis=-1)
    if program.spec.block.norm != "none":
        layers["scale"] = jnp.repeat(used_L[:, None], width, axis=1)
        layers["shift"] = jnp.zeros((bound, width), dtype)
    parameters = {
        "input": {"kernel": first_FxW},
        "layers": layers,
        "readout": {"kernel": readout * initializers.lecun(width, outputs), "bias": jnp.zeros(outputs, dtype)},
    }
    return {
        "parameters": parameters,
        "memory": {name: jax.tree.map(jnp.zeros_like, parameters) for name in program.optimizer.memory},
        "diverged_step": jnp.int32(-1),
        "loss_sum": jnp.zeros((), dtype),
        "accuracy_sum": jnp.zeros((), dtype),
        "steps_since_record": jnp.int32(0),
    }


def train(
    program: Program,
    state: State,
    scratch: Scratch,
    numbers: Numbers,
    split: tuple[Array, Array],
    begin: Array,
    end: Array,
    recorded: Array,
    depth: Array | int,
    activation: Array,
) -> tuple[State, Scratch]:
    """Take steps begin..end of minibatch descent; minibatch losses and accuracies are added to the state's sums.

    Each epoch is a fresh permutation from (seed, epoch) alone, its last incomplete batch dropped: batches depend on
    nothing that a checkpoint would have to carry. Cutting a stretch into several calls changes no bit.

    Args:
        program: the static half of the runs.
        state, scratch, numbers: of all runs; stacks [L, (R,) ...], everything else [(R,) ...].
        split: the training rows (x [N, F], y), the same for all runs.
        begin, end: the steps to take.
        recorded: 1 where a record is being made: the sums begin again, and the parameters are kept as they were.
        depth, activation: of all runs.

    Returns:
        the state, and the scratch: with ``recorded``, its ``before`` are the parameters before step ``begin``.
    """
    network, rows = program.network, split[0].shape[0]
    before, zero = copied(state["parameters"], scratch["before"], jnp.where(recorded == 1, depth, 0))
    steps_per_epoch = rows // program.spec.batch_size
    blank = {name: state[name] for name in ("loss_sum", "accuracy_sum", "steps_since_record")}
    state = state | jax.tree.map(lambda total: jnp.where(recorded == 1, jnp.zeros_like(total), total), blank)

    def permutation(seed: Array, epoch: Array) -> Array:
        _, batch_key = jax.random.split(jax.random.key(seed, impl=GENERATOR))
        return jax.random.permutation(jax.random.fold_in(batch_key, epoch), rows)

    def minibatch(order: Array, i: Array) -> tuple[Array, Array]:
        begin = (i % steps_per_epoch) * program.spec.batch_size
        picked = jax.lax.dynamic_slice(order, (begin,), (program.spec.batch_size,))
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

    carry = (begin + zero, state, scratch["layers"])
    _, state, used = jax.lax.while_loop(lambda carry: carry[0] < end, epoch, carry)
    return state, {"layers": used, "before": before}


def scratch_for(program: Program, parameters: Any) -> Scratch:
    """Return zeros for what a call of ``train`` writes besides the state, of which only the rows in use are ever read.

    Given and taken back by each call, so that none has to find memory for layers that a run does not have.

    Returns:
        {``layers``: {``up``: z and h of each, ``down``: gradients, where they are clipped}, ``before``: see ``train``}.
    """
    layers = parameters["layers"]
    rows = jnp.zeros((*layers["bias"].shape[:-1], program.spec.batch_size, program.spec.width), layers["bias"].dtype)

    def blank(tree: Any) -> Any:
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), tree)

    steps = {"up": {"z": rows, "h": rows}, "down": blank(layers) if program.spec.clip else {}}
    return {"layers": steps, "before": blank(parameters)}


def copied(parameters: Any, onto: Any, depth: Array | int) -> tuple[Any, Array]:
    """Write parameters, their first ``depth`` layers only, onto others; and return 0 as well.

    Whatever waits for that 0 waits until all is copied. Without it XLA, which cannot know that training comes after,
    copies all layers beforehand, used or not.
    """

    def layer(carry: tuple[Array, Any]) -> tuple[Array, Any]:
        l, onto = carry
        return l + 1, walk.put(onto, walk.at(parameters["layers"], l), l)

    end, layers = jax.lax.while_loop(lambda carry: carry[0] < depth, layer, (jnp.int32(0), onto["layers"]))
    return {**parameters, "layers": layers}, end - depth


def take_step(
    program: Program,
    state: State,
    scratch: Scratch,
    numbers: Numbers,
    batch: tuple[Array, Array],
    i: Array,
    depth: Array | int,
    activation: Array,
) -> tuple[State, Scratch]:
    """Take one step of minibatch descent, at step ``i``: up, down while renewing the memory, then move.

    Gradients of frozen layers are computed, and neither remembered, followed nor clipped together with the others: what
    such a layer becomes is what it was, not that with a step of 0. Activation parameters that are not learned likewise.
    """
    over_runs, own = program.network.over_runs, numbers["optimizer"]
    thawed = freezing.thawed(program.spec.freeze, numbers, over_runs)
    old, memory = ends_and_layers(state["parameters"]), of_each(ends_and_layers, state["memory"])
    layer_memory = {name: layers for name, (_, layers) in memory.items()}
    end_memory = {name: ends for name, (ends, _) in memory.items()}

    def thawed_ends(was: Any, new: Any) -> Any:  # the readout is never frozen
        return {**new, "input": thawed(0, was["input"], new["input"])}

    def remember(gradients: Any, memory: Any, own: Any) -> Any:
        return optimizers.remember(program.optimizer, gradients, memory, own)

    def renew(memory: Any, gradients: Any, l: Array) -> Any:
        return walk.replace_row(lambda row: thawed(l, row, over_runs(remember)(gradients, row, own)), memory, l)

    walked = minibatch_gradients(
        program,
        state["parameters"],
        numbers,
        batch,
        i,
        depth,
        activation,
        scratch["up"],
        walk.put if program.spec.clip else renew,
        scratch["down"] if program.spec.clip else layer_memory,
    )
    gradients, layer_stacks = walked.ends, walked.layers
    scratch = {"up": walked.up, "down": {}}
    if program.spec.clip:
        scratch["down"] = layer_stacks
        factor = clip_factor(program, gradients, layer_stacks, numbers, depth)
        clip = over_runs(lambda tree, factor: jax.tree.map(lambda g: g * factor, tree))
        gradients, unclipped = clip(gradients, factor), layer_stacks
        layer_stacks = jax.lax.fori_loop(
            0, depth, lambda l, memory: renew(memory, clip(walk.at(unclipped, l), factor), l), layer_memory
        )
    renewed = over_runs(remember)(gradients, end_memory, own)
    end_memory = {name: thawed_ends(end_memory[name], renewed[name]) for name in memory}

    def move(parameters: Any, memory: Any, own: Any) -> Any:
        switches, decay = dict(program.spec.optimizer_switches), program.spec.decay_activation_parameters
        moved = optimizers.move(program.optimizer, switches, parameters, memory, i, own, decay)
        return moved if program.spec.learn_activation_parameters else freezing.with_activation_of(parameters, moved)

    def move_layer(l: Array, layers: Any) -> Any:
        def moved(row: Any, memory: Any) -> Any:
            return thawed(l, row, over_runs(move)(row, memory, own))

        return walk.replace_row(moved, layers, l, layer_stacks)

    ends = thawed_ends(old[0], over_runs(move)(old[0], end_memory, own))
    layers = jax.lax.fori_loop(0, depth, move_layer, old[1])

    def first_nonfinite(diverged_step: Array, loss: Array) -> Array:
        return jnp.where((diverged_step < 0) & ~jnp.isfinite(loss), i, diverged_step)

    return {
        "parameters": {**ends, "layers": layers},
        "memory": {name: {**end_memory[name], "layers": layer_stacks[name]} for name in memory},
        "diverged_step": over_runs(first_nonfinite)(state["diverged_step"], walked.loss),
        "loss_sum": state["loss_sum"] + walked.loss,
        "accuracy_sum": state["accuracy_sum"] + walked.accuracy,
        "steps_since_record": state["steps_since_record"] + 1,
    }, scratch


def ends_and_layers(parameters: Any) -> tuple[Any, Any]:
    """Split a tree of parameters into the first layer's kernel with the readout, and the stacks of hidden layers."""
    return {name: part for name, part in parameters.items() if name != "layers"}, parameters["layers"]


def of_each(function: Callable[[Any], Any], trees: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a function to each of some trees."""
    return {name: function(tree) for name, tree in trees.items()}


class Walked(NamedTuple):
    """What a minibatch gave: mean loss and accuracy, gradients of first kernel and readout, and what was stored."""

    loss: Array
    accuracy: Array
    ends: Any
    layers: Any
    up: Any


def minibatch_gradients(
    program: Program,
    parameters: Any,
    numbers: Numbers,
    batch: tuple[Array, Array],
    i: Array,
    depth: Array | int,
    activation: Array,
    up: Any,
    store: Callable[[Any, Any, Array], Any],
    stacks: Any,
) -> Walked:
    """Walk a minibatch up and down.

    Args:
        program, parameters, numbers, batch, i, depth, activation: as of ``take_step``.
        up: where z and h of each layer are stored.
        store: (stacks, gradients of a layer's parameters, l) -> stacks: what is done with them.
        stacks: to begin with; returned as ``layers``.
    """
    network, (x, y) = program.network, batch
    dropout = None
    if program.spec.block.dropout != "none":
        dropout = (network.over_runs(dropout_key, (1,))(numbers["seed"], i), numbers["dropout_rate"])
    call = (depth, activation, numbers["fixed"])
    last_h, up = walk.forward(network, parameters, x, *call, lambda *_: {}, up, dropout=dropout)
    loss, accuracy, dh, dreadout = network.over_runs(readout_gradients(program.spec.task))(
        last_h, parameters["readout"], y
    )

    def local(l: Array, pulled: dict[str, Any]) -> dict[str, Any]:
        gradients = {"bias": jnp.sum(pulled["z"], axis=-2), **pulled["layer"]}
        return gradients if program.spec.learn_activation_parameters else freezing.without_activation(gradients)

    def weigh(h_below: Array, delta: Array) -> dict[str, Array]:
        return {"kernel": network.over_runs(walk.weight_gradient)(h_below, delta)}

    def weigh_first(delta: Array) -> dict[str, Array]:  # the first layer's kernel is not one of the stack's
        return {"kernel": jnp.zeros_like(parameters["layers"]["kernel"][0])}

    first_delta, stacks = walk.backward(
        network, parameters, x, up, dh, *call, local, weigh, weigh_first, store, stacks, dropout=dropout
    )
    dinput = network.over_runs(walk.weight_gradient)(x, first_delta)
    return Walked(loss, accuracy, {"input": {"kernel": dinput}, "readout": dreadout}, stacks, up)


def dropout_key(seed: Array, i: Array) -> Array:
    """Derive the key of step i's masks, apart from those of weights and minibatches; layers fold in their number."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed, impl=GENERATOR), 2**32 - 1), i)


def readout_gradients(task: str) -> Any:
    """Return (h, readout, y) -> mean loss, mean accuracy, and the loss's gradients in h and readout."""

    def of_run(h_BxW: Array, readout: Any, y: Array) -> tuple[Array, Array, Array, Any]:
        def loss(h_BxW: Array, readout: Any) -> tuple[Array, Array]:
            outputs = walk.affine(h_BxW, readout["kernel"], readout["bias"])
            return jnp.mean(example_losses(outputs, y, task)), outputs

        (value, outputs), (dh, dreadout) = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(h_BxW, readout)
        return value, jnp.mean(example_accuracy(outputs, y, task)), dh, dreadout

    return of_run


def clip_factor(program: Program, ends: Any, layers: Any, numbers: Numbers, depth: Array | int) -> Array:
    """Compute the factor by which a run's gradients are multiplied, so that their joint norm is at most ``clip_norm``.

    Those of frozen layers do not count. Summed layer by layer: in what order does not depend on the bound.
    """
    over_runs = program.network.over_runs
    squares = over_runs(lambda tree: jnp.sum(jnp.stack([jnp.sum(g**2) for g in jax.tree.leaves(tree)])))

    thawed = freezing.thawed(program.spec.freeze, numbers, over_runs)

    def counted(l: Array | int, tree: Any) -> Any:
        return thawed(l, jax.tree.map(jnp.zeros_like, tree), tree)

    of_ends = squares({**ends, "input": counted(0, ends["input"])})
    total = jax.lax.fori_loop(0, depth, lambda l, total: total + squares(counted(l, walk.at(layers, l))), of_ends)
    return over_runs(optimizers.clip_factor)(total, numbers["clip_norm"])
