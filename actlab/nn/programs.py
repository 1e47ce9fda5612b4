"""A run's four programs, compiled: start, train, measure, evaluate. Every leaf that they take or give has a run axis.

It is the first, but for stacked layers in a state, in parameters and in a scratch: there it comes after the layer axis,
so that a layer's row is contiguous in memory. A single run has its axis first everywhere, and drops it inside: batched
matrix products of one are slower than plain ones.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from actlab.nn import recording, training
from actlab.nn.training import Program

# On a processor. LLVM's lower level compiles a training program a fifth faster than its default, and trains as fast;
# XLA's older way of making kernels halves what the others take to compile. It is a fifth slower in training, and no
# slower in records.
OFTEN = (("xla_backend_optimization_level", 1),)
SELDOM = (*OFTEN, ("xla_cpu_use_fusion_emitters", False))


@dataclass(frozen=True)
class Programs:
    """Compiled functions of trees whose leaves have a run axis, of ``runs_per_call`` runs for each device.

    See ``state_axis`` for where.
    A state and a scratch are given away: what comes back lies where they did, and they cannot be used again. So a call
    costs nothing for layers that a run does not have.

    Attributes:
        start: (numbers, depth) -> state.
        train: (state, scratch, numbers, data, begin, end, recorded, depth, activation) -> state, scratch.
        measure: (parameters, parameters one step later, scratch, numbers, data, depth, activation) -> record, scratch.
        evaluate: (parameters, masks, numbers, data, is_first, depth, activation) -> masks, record.
    """

    start: Callable[..., Any]
    train: Callable[..., Any]
    measure: Callable[..., Any]
    evaluate: Callable[..., Any]


def compile_programs(
    program: Program,
    features: int,
    outputs: int,
    devices: Sequence[jax.Device] = (),
    kept: Callable[[str, Any], Callable[..., Any]] = lambda name, jitted: jitted,
) -> Programs:
    """Jit the programs of a run.

    With several devices each runs the very program of one device on its share of the runs, so that how many of a
    process's devices are used changes no bit. (How many there are may, if they are made of one processor by XLA_FLAGS:
    XLA then cuts a product otherwise.)

    Args:
        program: the static half of the runs.
        features, outputs: F inputs and C outputs, given by the data.
        devices: where to run; JAX's default device if there are none.
        kept: of several devices, from a program's name and its jitted function to what each of them calls.

    >>> programs = compile_programs(program, features=64, outputs=10)  # doctest: +SKIP
    """
    runs = program.spec.runs_per_call

    def known(depth: Any) -> Any:
        return program.spec.depth_bound if program.spec.static_depth else depth

    def start(numbers: Any, depth: Any) -> Any:
        one = partial(training.start, program, depth=known(depth), features=features, outputs=outputs)
        return turned(jax.vmap(one)(numbers), runs)

    def train(
        state: Any,
        scratch: Any,
        numbers: Any,
        data: Any,
        begin: Any,
        end: Any,
        recorded: Any,
        depth: Any,
        activation: Any,
    ) -> Any:
        state, scratch = (drop(one, runs) for one in (state, scratch))
        steps = (begin, end, recorded)
        results = training.train(
            program, state, scratch, drop(numbers, runs), data["train"], *steps, known(depth), activation
        )
        return tuple(add(one, runs) for one in results)

    def measure(parameters: Any, after: Any, scratch: Any, numbers: Any, data: Any, depth: Any, activation: Any) -> Any:
        before, after, scratch = (drop(one, runs) for one in (parameters, after, scratch))
        results, scratch = recording.measure(
            program, before, after, scratch, drop(numbers, runs), data, known(depth), activation
        )
        return jax.tree.map(partial(runs_first, runs), results), add(scratch, runs)

    def evaluate(
        parameters: Any, masks: Any, numbers: Any, data: Any, is_first: Any, depth: Any, activation: Any
    ) -> Any:
        masks = jax.tree.map(partial(layers_first, runs), masks)
        masks, results = recording.evaluate(
            program, drop(parameters, runs), masks, drop(numbers, runs), data, is_first, known(depth), activation
        )
        by_layer = jax.tree.map(partial(runs_first, runs), {"masks": masks, "layers": results.pop("layers")})
        return by_layer["masks"], add(results, runs) | {"layers": by_layer["layers"]}

    on_processor = (devices[0].platform if devices else jax.default_backend()) == "cpu"
    often, seldom = (usable_options(options) if on_processor else {} for options in (OFTEN, SELDOM))
    jitted = Programs(
        jax.jit(start, compiler_options=seldom),
        jax.jit(train, compiler_options=often, donate_argnums=(0, 1)),
        jax.jit(measure, compiler_options=seldom, donate_argnums=2),
        jax.jit(evaluate, compiler_options=seldom),
    )
    if len(devices) <= 1:
        return jitted
    on_all, first, own = partial(map_over_devices, devices=devices), first_axis, state_axis(runs)
    jitted = Programs(**{one.name: kept(one.name, getattr(jitted, one.name)) for one in fields(Programs)})
    start_all = on_all(lambda *given: (jitted.start(*given),), arguments=[first, None], results=[own])
    return Programs(
        lambda numbers, depth: start_all(numbers, depth)[0],
        on_all(jitted.train, arguments=[own, own, first, *[None] * 6], results=[own, own]),
        on_all(jitted.measure, arguments=[own, own, own, first, *[None] * 3], results=[first, own]),
        on_all(jitted.evaluate, arguments=[own, first, first, *[None] * 4], results=[first, first]),
    )


@lru_cache(maxsize=4)
def usable_options(options: tuple[tuple[str, int | bool], ...]) -> dict[str, int | bool]:
    """Return those of XLA's options that the installed version knows, found by trying."""
    usable = {}
    for name, value in options:
        with suppress(Exception):
            jax.jit(lambda x: x, compiler_options={name: value}).lower(0.0).compile()
            usable[name] = value
    return usable


def is_stack(path: tuple[Any, ...]) -> bool:
    """Whether a leaf of a state, of parameters or of a scratch has a layer axis."""
    return any(getattr(entry, "key", None) == "layers" for entry in path)


# Where the leaves of a tree have their run axis; None where they have none.
Axis = Callable[[tuple[Any, ...]], int] | None


def first_axis(path: tuple[Any, ...]) -> int:
    """Return the run axis of numbers, masks and records."""
    return 0


def state_axis(runs: int) -> Callable[[tuple[Any, ...]], int]:
    """Return the run axis of a leaf of a state, of parameters or of a scratch."""
    return lambda path: 1 if runs > 1 and is_stack(path) else 0


def turned(tree: Any, runs: int) -> Any:
    """From a state, parameters or scratch with the run axis first in every leaf to one as it is here, and back."""
    if runs == 1:
        return tree
    return jax.tree_util.tree_map_with_path(lambda path, leaf: leaf.swapaxes(0, 1) if is_stack(path) else leaf, tree)


def layers_first(runs: int, leaf: Any) -> Any:
    """Turn [R, L, ...] into [L, R, ...], or [L, ...] for a single run."""
    return leaf[0] if runs == 1 else jnp.swapaxes(leaf, 0, 1)


def runs_first(runs: int, leaf: Any) -> Any:
    """Turn [L, R, ...] into [R, L, ...]; [L, ...] gets a run axis of one."""
    return leaf[None] if runs == 1 else jnp.swapaxes(leaf, 0, 1)


def drop(tree: Any, runs: int) -> Any:
    """Drop the run axis of a single run."""
    return jax.tree.map(lambda leaf: leaf[0], tree) if runs == 1 else tree


def add(tree: Any, runs: int) -> Any:
    """Restore the run axis of a single run."""
    return jax.tree.map(lambda leaf: leaf[None], tree) if runs == 1 else tree


def blank_masks(program: Program, runs: int) -> dict[str, np.ndarray]:
    """Return the masks of units before the first evaluation."""
    nothing = np.zeros((runs, program.spec.depth_bound, program.spec.width), bool)
    return {"dead_at_init": nothing, "ever_dead": nothing}


def blank_scratches(program: Program, parameters: Any, probe_rows: int) -> dict[str, Any]:
    """Return what ``train`` and ``measure`` get the first time, by their names; of parameters only shapes matter."""

    def blank(parameters: Any) -> dict[str, Any]:
        return {
            "train": training.scratch_for(program, parameters),
            "measure": recording.scratch_for(program, parameters, probe_rows),
        }

    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), jax.eval_shape(blank, parameters))


def map_over_devices(
    function: Callable[..., Any], devices: Sequence[jax.Device], arguments: Sequence[Axis], results: Sequence[Axis]
) -> Callable[..., Any]:
    """Map a jitted function over several devices at once, each with its share of the run axis.

    Not by ``shard_map``: XLA fuses a partitioned program otherwise than that of one device, and rounds otherwise.

    Args:
        function: jitted; returns a tuple.
        devices: where to run; the number of runs must be a multiple of theirs.
        arguments, results: for each, where its leaves have their run axis; what has none goes to every device.
    """
    mesh = Mesh(devices, ("runs",))

    def sharding(axis: Axis, path: tuple[Any, ...]) -> NamedSharding:
        return NamedSharding(mesh, PartitionSpec(*([None] * axis(path) + ["runs"] if axis else [])))

    def placed(argument: Any, axis: Axis) -> Any:
        return jax.device_put(
            argument, jax.tree_util.tree_map_with_path(lambda path, _: sharding(axis, path), argument)
        )

    def on(device: jax.Device, array: Any) -> Any:
        return next(shard.data for shard in array.addressable_shards if shard.device == device)

    def joined(axis: Axis, path: tuple[Any, ...], *parts: Any) -> Any:
        assert axis is not None
        shape = list(parts[0].shape)
        shape[axis(path)] *= len(devices)
        return jax.make_array_from_single_device_arrays(tuple(shape), sharding(axis, path), list(parts))

    def call(*given: Any) -> Any:
        there = [placed(*one) for one in zip(given, arguments, strict=True)]
        shares = [jax.tree.map(partial(on, device), there) for device in devices]
        # Calls return before they are done, so that the devices work at the same time.
        by_result = zip(results, *[function(*share) for share in shares], strict=True)
        return tuple(jax.tree_util.tree_map_with_path(partial(joined, axis), *parts) for axis, *parts in by_result)

    return call
