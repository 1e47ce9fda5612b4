"""Training as two pure programs: ``start`` draws a network, ``advance`` trains and records it.

What shapes a compiled program stands in a frozen ``Program``; everything else about a run is a number in its
``Numbers`` tree, so that seeds, learning rates, gains, slopes, weight decay and step counts never recompile. A *lane*
is the vmapped batch of runs that one call advances; its width shapes the program because it changes rounding.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from actlab.nn import model, probes
from actlab.nn.optimizers import optimizer

Numbers = Mapping[str, Any]
"""One run's numbers: seed, weight_std, bias_mean, bias_std [L]; fixed, learnable and optimizer {name: scalar};
weak_threshold, saturation_low, saturation_high."""

State = dict[str, Any]
"""What training carries: parameters; the optimizer's memory; diverged_step, the first with a non-finite minibatch loss
(−1: none); loss_sum and accuracy_sum over the steps ``summed`` since the last record; death masks born, ever [L, W]."""

Data = Mapping[str, tuple[Array, Array]]
"""{train, validation, test, probe: (x [N, F], y)}."""


@dataclass(frozen=True)
class Program:
    """The static half of a run: everything that changes the compiled code.

    Attributes:
        phi: the activation, ``phi(z, **parameters)``.
        flat: where it is constant by definition, ``flat(z, **parameters)``.
        learnable: names of its learnable parameters.
        learnable_per: ``layer`` or ``unit``.
        depth, width: L hidden layers of W units.
        weight_distribution, bias_distribution: see ``initializers.draw`` and ``draw_biases``.
        optimizer, optimizer_options: a rule of ``optimizers.OPTIMIZERS`` and its static options.
        decay_activation_parameters: whether weight decay also pulls on learnable activation parameters.
        batch_size: rows of a minibatch.
        task: ``classification`` or ``regression``.
        probes: names of the measurements to record.
        dtype: ``float32`` or ``float64``.
        lane: how many runs one call advances.
        pieces: how many pieces a split is evaluated in, to hold less in memory at a time.
    """

    phi: Callable[..., Array]
    flat: Callable[..., Array]
    learnable: tuple[str, ...]
    learnable_per: str
    depth: int
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
    lane: int
    pieces: int

    def rule(self, numbers: Numbers) -> optax.GradientTransformation:
        """The update rule with this run's numbers in it."""
        options = dict(self.optimizer_options)
        return optimizer(self.optimizer, options, numbers["optimizer"], self.decay_activation_parameters)


def start(program: Program, numbers: Numbers, features: int, outputs: int) -> State:
    """Draw one network and its optimizer state.

    Args:
        program: the static half of the run.
        numbers: its numbers.
        features, outputs: F inputs and C outputs, given by the data.
    """
    weights_key, _ = jax.random.split(jax.random.key(numbers["seed"]))
    parameters = model.init(
        weights_key,
        features=features,
        outputs=outputs,
        depth=program.depth,
        width=program.width,
        weight_distribution=program.weight_distribution,
        bias_distribution=program.bias_distribution,
        weight_std=numbers["weight_std"],
        bias_mean=numbers["bias_mean"],
        bias_std=numbers["bias_std"],
        learnable=numbers["learnable"],
        learnable_per=program.learnable_per,
        dtype=jnp.dtype(program.dtype),
    )
    nobody = jnp.zeros((program.depth, program.width), bool)
    return {
        "parameters": parameters,
        "optimizer": program.rule(numbers).init(parameters),
        "diverged_step": jnp.int32(-1),
        "loss_sum": jnp.zeros((), program.dtype),
        "accuracy_sum": jnp.zeros((), program.dtype),
        "summed": jnp.int32(0),
        "born": nobody,
        "ever": nobody,
    }


def advance(
    program: Program, state: State, numbers: Numbers, data: Data, schedule_Rx4: Array
) -> tuple[State, dict[str, Any]]:
    """Go through the rows of a schedule: measure where the row begins, then train to where it ends.

    Args:
        program: the static half of the run.
        state: from ``start`` or an earlier ``advance``.
        numbers: the run's numbers.
        data: {train, validation, test, probe: (x, y)}.
        schedule_Rx4: int32 rows (begin, end, evaluate, active): record at step ``begin``, judging whole splits and unit
            death too where ``evaluate`` is 1, then take steps begin..end. A run's last row takes one step more, for the
            size of the update that would come next. Rows not ``active`` pad a segment and do nothing.

    Returns:
        the state, and records with a leading axis [R]. Cutting a schedule into segments changes no bit.
    """

    def row(state: State, row: Array) -> tuple[dict[str, Any], dict[str, Any]]:
        begin, end, evaluate, active = row
        masks = {"born": state["born"], "ever": state["ever"]}
        masks, record = jax.lax.cond(
            active == 1,
            lambda: measure(program, state, numbers, data, begin, evaluate),
            lambda: (masks, missing(jax.eval_shape(measure, program, state, numbers, data, begin, evaluate)[1])),
        )
        sums = {name: state[name] for name in ("loss_sum", "accuracy_sum", "summed")}
        blank = jax.tree.map(lambda total: jnp.where(active == 1, jnp.zeros_like(total), total), sums)
        state = {**state, **masks, **blank}

        def stretch(state: State, bounds: Array) -> tuple[State, Array]:
            after = take_steps(program, state, numbers, data["train"], *bounds)
            return after, relative_change(state["parameters"], after["parameters"])

        # The first step stands alone because its size is a measure; both stretches are one piece of compiled code.
        middle = jnp.minimum(begin + 1, end)
        state, change_2xL = jax.lax.scan(stretch, state, jnp.array([[begin, middle], [middle, end]]))
        if "update_ratio" in program.probes:
            record["layers"]["update_ratio"] = change_2xL[0]
        return state, record

    return jax.lax.scan(row, state, schedule_Rx4)


def missing(shapes: Any) -> Any:
    """NaN (or zero, for integers) in the given shapes: the record of something not measured."""
    return jax.tree.map(
        lambda a: jnp.full(a.shape, jnp.nan if jnp.issubdtype(a.dtype, jnp.floating) else 0, a.dtype), shapes
    )


def take_steps(
    program: Program, state: State, numbers: Numbers, split: tuple[Array, Array], begin: Array, end: Array
) -> State:
    """Steps begin..end of minibatch descent; minibatch losses and accuracies are added to the state's sums.

    Each epoch is a fresh permutation from (seed, epoch) alone, its last incomplete batch dropped: batches depend on
    nothing that a checkpoint would have to carry.
    """
    x_NxF, y = split
    _, batch_key = jax.random.split(jax.random.key(numbers["seed"]))
    rows, batch = x_NxF.shape[0], program.batch_size
    steps_per_epoch = rows // batch
    unroll = model.training_unroll(program.depth)
    rule = program.rule(numbers)

    def losses(parameters: model.Parameters, x: Array, y: Array) -> tuple[Array, Array]:
        outputs, _ = model.apply(parameters, x, program.phi, numbers["fixed"], unroll=unroll)
        loss, accuracy = (jnp.mean(of(outputs, y, program.task)) for of in (model.example_losses, model.example_hits))
        return loss, accuracy

    def epoch(carry: tuple[Array, State]) -> tuple[Array, State]:
        i, state = carry
        number = i // steps_per_epoch
        order = jax.random.permutation(jax.random.fold_in(batch_key, number), rows)

        def step(i: Array, state: State) -> State:
            picked = jax.lax.dynamic_slice(order, ((i % steps_per_epoch) * batch,), (batch,))
            x_BxF, y_B = (a.at[picked].get(mode="promise_in_bounds") for a in (x_NxF, y))
            parameters = state["parameters"]
            (loss, accuracy), gradients = jax.value_and_grad(losses, has_aux=True)(parameters, x_BxF, y_B)
            update, memory = rule.update(gradients, state["optimizer"], parameters)
            first_nonfinite = (state["diverged_step"] < 0) & ~jnp.isfinite(loss)
            return {
                **state,
                "parameters": optax.apply_updates(parameters, update),
                "optimizer": memory,
                "diverged_step": jnp.where(first_nonfinite, i, state["diverged_step"]),
                "loss_sum": state["loss_sum"] + loss,
                "accuracy_sum": state["accuracy_sum"] + accuracy,
                "summed": state["summed"] + 1,
            }

        stop = jnp.minimum(end, (number + 1) * steps_per_epoch)
        return stop, jax.lax.fori_loop(i, stop, step, state)

    return jax.lax.while_loop(lambda carry: carry[0] < end, epoch, (begin, state))[1]


def relative_change(before: model.Parameters, after: model.Parameters) -> Array:
    """‖ΔW_l‖_F / ‖W_l‖_F by hidden layer [L]: the update ratio, of what rounding lets through.

    In float32 a weight moves by nothing or by at least 6e-8 of itself, and a vanished gradient moves it by nothing.
    """

    def norms(first_FxW: Array, hidden_LxWxW: Array) -> Array:
        return jnp.concatenate([jnp.linalg.norm(first_FxW)[None], jnp.linalg.norm(hidden_LxWxW, axis=(1, 2))])

    (old_first, old), (new_first, new) = ((p["first"]["kernel"], p["hidden"]["kernel"]) for p in (before, after))
    return norms(new_first - old_first, new - old) / norms(old_first, old)


@partial(jax.jit, static_argnums=0)  # nested jit: its trace is reused where only the shape of the record is wanted
def measure(
    program: Program, state: State, numbers: Numbers, data: Data, step: Array, evaluate: Array
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Everything that one record holds, and the masks of born-dead and ever-dead units.

    Returns:
        {born, ever} and {``layers``: {probe: [L]}, ``gradients``: {norm: mantissa [L]}, ``exponent`` [L], losses and
        accuracies, ``network_dead``}. What belongs to evaluations is NaN at other records; there, training loss and
        accuracy are minibatch means since the record before.
    """
    masks, record = jax.lax.cond(
        evaluate == 1,
        lambda: evaluation(program, state, numbers, data, step),
        lambda: (
            {"born": state["born"], "ever": state["ever"]},
            missing(jax.eval_shape(evaluation, program, state, numbers, data, step)[1]),
        ),
    )
    steps = state["summed"].astype(state["loss_sum"].dtype)
    for name in ("loss", "accuracy"):
        mean = state[f"{name}_sum"] / steps
        record[f"train_{name}"] = jnp.where(evaluate == 1, record[f"train_{name}"], mean)

    parameters, fixed = state["parameters"], numbers["fixed"]
    x_MxF, y = data["probe"]
    mantissas, exponent, values_LxMxW = probes.gradient_norms(parameters, x_MxF, y, program.phi, fixed, program.task)
    finite_L = jax.vmap(probes.all_finite)(values_LxMxW[0])
    record["gradients"] = {name: jnp.where(finite_L, value, jnp.nan) for name, value in mantissas.items()}
    record["exponent"] = exponent
    thresholds = {name: numbers[name] for name in ("weak_threshold", "saturation_low", "saturation_high")}
    asked = tuple(name for name in probes.PROBES if name in program.probes)
    record["layers"] |= probes.measure_layers(asked, *values_LxMxW, thresholds)
    for name, value in parameters["activation"].items():
        if value.ndim == 2:
            record["layers"][f"{name}_min"] = jnp.min(value, axis=1)
            record["layers"][f"{name}_max"] = jnp.max(value, axis=1)
        record["layers"][name] = jnp.mean(value, axis=1) if value.ndim == 2 else value
    return masks, record


@partial(jax.jit, static_argnums=0)
def evaluation(
    program: Program, state: State, numbers: Numbers, data: Data, step: Array
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Losses and accuracies on whole splits, and unit death on the whole training split."""
    splits = {name: data[name] for name in ("train", "validation", "test")}
    outputs_NxC, (dead, finite) = evaluate(program, state, numbers, {name: x for name, (x, _) in splits.items()})
    dtype = outputs_NxC.dtype
    layers, network_dead, born, ever = probes.death_record(dead, finite, state["born"], state["ever"], step == 0, dtype)
    record: dict[str, Any] = {"layers": layers, "network_dead": network_dead}
    y_N = jnp.concatenate([y for _, y in splits.values()])
    ends = np.cumsum([y.shape[0] for _, y in splits.values()])[:-1]
    for measured, of in (("loss", model.example_losses), ("accuracy", model.example_hits)):
        by_split = jnp.split(of(outputs_NxC, y_N, program.task), ends)
        record |= {f"{name}_{measured}": jnp.mean(one) for name, one in zip(splits, by_split, strict=True)}
    return {"born": born, "ever": ever}, record


def evaluate(
    program: Program, state: State, numbers: Numbers, splits: Mapping[str, Array]
) -> tuple[Array, tuple[Array, Array]]:
    """Outputs of all splits [N, C], and which units are dead on the training split (see ``probes.death_observer``).

    All splits go in one forward pass, or each in ``pieces``, so that only a part of its rows is in hand at a time.
    """

    def forward(x_NxF: Array, observe: model.Observer) -> tuple[Array, Any]:
        return model.apply(state["parameters"], x_NxF, program.phi, numbers["fixed"], observe)

    def death(rows: int) -> model.Observer:
        return probes.death_observer(program.flat, numbers["fixed"], rows)

    if program.pieces == 1:
        return forward(jnp.concatenate(list(splits.values())), death(splits["train"].shape[0]))
    found = {
        name: in_pieces(partial(forward, observe=death(x.shape[0])), x, program.pieces) for name, x in splits.items()
    }
    return jnp.concatenate([outputs for outputs, _ in found.values()]), found["train"][1]


def in_pieces(forward: Callable[[Array], tuple[Array, Any]], x_NxF: Array, pieces: int) -> tuple[Array, Any]:
    """A forward pass over some rows after the others: outputs [N, C], and where all pieces observed what is true.

    The last piece begins early enough to be as long as the others: the rows that it shares change nothing.

    >>> in_pieces(lambda x: (2 * x, jnp.all(x > 0)), jnp.array([[1.0], [2.0], [3.0]]), 2)
    (Array([[2.],
           [4.],
           [6.]], dtype=float32), Array(True, dtype=bool))
    """
    rows = x_NxF.shape[0]
    length = -(-rows // pieces)

    def piece(carry: tuple[Array, Any], i: Array) -> tuple[tuple[Array, Any], None]:
        outputs, seen = carry
        begin = jnp.minimum(i * length, rows - length)
        of_piece, seen_in_piece = forward(jax.lax.dynamic_slice_in_dim(x_NxF, begin, length))
        outputs = jax.lax.dynamic_update_slice_in_dim(outputs, of_piece, begin, 0)
        return (outputs, jax.tree.map(jnp.logical_and, seen, seen_in_piece)), None

    like, seen = jax.eval_shape(forward, jax.ShapeDtypeStruct((length, *x_NxF.shape[1:]), x_NxF.dtype))
    nothing = jnp.zeros((rows, *like.shape[1:]), like.dtype)
    everything = jax.tree.map(lambda a: jnp.ones(a.shape, a.dtype), seen)
    return jax.lax.scan(piece, (nothing, everything), jnp.arange(pieces))[0]


def compile_programs(
    program: Program, features: int, outputs: int, devices: Sequence[jax.Device] = ()
) -> tuple[Callable[[Numbers], State], Callable[..., tuple[State, dict[str, Any]]]]:
    """``start`` and ``advance``, jitted: every leaf of numbers and state has a leading run axis.

    The run axis is as long as a lane, or as a lane for each of several devices: then each device runs the program of
    one lane on its share, so that how many of a process's devices are used changes no bit. (How many there are may, if
    they are made of one processor by XLA_FLAGS: XLA then cuts a product otherwise.) A lane of one drops the axis inside
    instead of vmapping over it: batched matmuls of one are slower than plain ones.

    Args:
        program: the static half of the runs.
        features, outputs: F inputs and C outputs, given by the data.
        devices: where to run; JAX's default device if there are none.

    >>> start_lane, advance_lane = compile_programs(program, features=64, outputs=10)  # doctest: +SKIP
    """

    def begin(numbers: Numbers) -> State:
        return start(program, numbers, features, outputs)

    def proceed(state: State, numbers: Numbers, data: Data, schedule: Array) -> tuple[State, dict[str, Any]]:
        return advance(program, state, numbers, data, schedule)

    start_lane: Any = jax.vmap(begin)
    advance_lane: Any = jax.vmap(proceed, in_axes=(0, 0, None, None))
    if program.lane == 1:
        start_lane = lambda numbers: grow(begin(shrink(numbers)))
        advance_lane = lambda state, numbers, data, rows: grow(proceed(shrink(state), shrink(numbers), data, rows))
    start_lane, advance_lane = jax.jit(start_lane), jax.jit(advance_lane, donate_argnums=0)
    if len(devices) > 1:
        return spread(start_lane, devices, [True]), spread(advance_lane, devices, [True, True, False, False])
    return start_lane, advance_lane


def spread(function: Callable[..., Any], devices: Sequence[jax.Device], by_run: Sequence[bool]) -> Callable[..., Any]:
    """A jitted function on several devices at once, each with its share of the run axis.

    Not by ``shard_map``: XLA fuses a partitioned program otherwise than that of one device, and rounds otherwise.

    Args:
        function: jitted; every result has a leading run axis.
        devices: where to run; the number of runs must be a multiple of theirs.
        by_run: for each argument, whether it has a leading run axis; those without go to every device.
    """
    mesh = Mesh(devices, ("runs",))
    shared, whole = NamedSharding(mesh, PartitionSpec("runs")), NamedSharding(mesh, PartitionSpec())

    def on(device: jax.Device, array: Array) -> Array:
        return next(shard.data for shard in array.addressable_shards if shard.device == device)

    def joined(*pieces: Array) -> Array:
        shape = (len(devices) * pieces[0].shape[0], *pieces[0].shape[1:])
        return jax.make_array_from_single_device_arrays(shape, shared, list(pieces))

    def call(*arguments: Any) -> Any:
        there = [jax.device_put(one, shared if by else whole) for one, by in zip(arguments, by_run, strict=True)]
        shares = [jax.tree.map(partial(on, device), there) for device in devices]
        # Calls return before they are done, so that the devices work at the same time.
        return jax.tree.map(joined, *[function(*share) for share in shares])

    return call


def shrink(tree: Any) -> Any:
    """Drop the run axis of a lane of one."""
    return jax.tree.map(lambda leaf: leaf[0], tree)


def grow(tree: Any) -> Any:
    """Restore the run axis of a lane of one."""
    return jax.tree.map(lambda leaf: leaf[None], tree)
