"""A run's four programs, compiled: start, train, measure, evaluate. Every leaf that they take or give has a run axis.

Outside, the run axis is the first of every leaf; inside, that of stacked layers is, so that a layer's row is one piece
of memory. A single run drops its axis: batched matrix products of one are slower than plain ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from actlab.nn import recording, training
from actlab.nn.training import Program

BY_RUN, SHARED = True, False


@dataclass(frozen=True)
class Programs:
    """Compiled functions of trees whose leaves have a leading run axis, of ``runs_per_call`` runs for each device.

    Attributes:
        start: (numbers, depth) -> state.
        train: (state, numbers, data, begin, end, recorded, depth, activation) -> state.
        measure: (parameters, parameters one step later, numbers, data, depth, activation) -> record.
        evaluate: (parameters, masks, numbers, data, is_first, depth, activation) -> masks, record.
    """

    start: Callable[..., Any]
    train: Callable[..., Any]
    measure: Callable[..., Any]
    evaluate: Callable[..., Any]


def compile_programs(program: Program, features: int, outputs: int, devices: Sequence[jax.Device] = ()) -> Programs:
    """The programs of a run, jitted.

    With several devices each runs the very program of one device on its share of the runs, so that how many of a
    process's devices are used changes no bit. (How many there are may, if they are made of one processor by XLA_FLAGS:
    XLA then cuts a product otherwise.)

    Args:
        program: the static half of the runs.
        features, outputs: F inputs and C outputs, given by the data.
        devices: where to run; JAX's default device if there are none.

    >>> programs = compile_programs(program, features=64, outputs=10)  # doctest: +SKIP
    """
    runs = program.runs_per_call

    def known(depth: Any) -> Any:
        return program.depth_bound if program.static_depth else depth

    def start(numbers: Any, depth: Any) -> Any:
        return training.start(program, numbers, known(depth), features, outputs)

    def train(
        state: Any, numbers: Any, data: Any, begin: Any, end: Any, recorded: Any, depth: Any, activation: Any
    ) -> Any:
        after = training.train(
            program,
            inside(state, runs),
            drop(numbers, runs),
            data["train"],
            begin,
            end,
            recorded,
            known(depth),
            activation,
        )
        return outside(after, runs)

    def measure(parameters: Any, after: Any, numbers: Any, data: Any, depth: Any, activation: Any) -> Any:
        before, after = (inside(one, runs) for one in (parameters, after))
        found = recording.measure(program, before, after, drop(numbers, runs), data, known(depth), activation)
        return jax.tree.map(partial(runs_first, runs), found)

    def evaluate(
        parameters: Any, masks: Any, numbers: Any, data: Any, is_first: Any, depth: Any, activation: Any
    ) -> Any:
        masks = jax.tree.map(partial(layers_first, runs), masks)
        masks, found = recording.evaluate(
            program, inside(parameters, runs), masks, drop(numbers, runs), data, is_first, known(depth), activation
        )
        by_layer = jax.tree.map(partial(runs_first, runs), {"masks": masks, "layers": found.pop("layers")})
        return by_layer["masks"], add(found, runs) | {"layers": by_layer["layers"]}

    start_all = jax.vmap(start, in_axes=(0, None))
    jitted = Programs(jax.jit(start_all), jax.jit(train), jax.jit(measure), jax.jit(evaluate))
    if len(devices) <= 1:
        return jitted
    return Programs(
        map_over_devices(jitted.start, devices, [BY_RUN, SHARED]),
        map_over_devices(jitted.train, devices, [BY_RUN, BY_RUN, *[SHARED] * 6]),
        map_over_devices(jitted.measure, devices, [BY_RUN, BY_RUN, BY_RUN, *[SHARED] * 3]),
        map_over_devices(jitted.evaluate, devices, [BY_RUN, BY_RUN, BY_RUN, *[SHARED] * 4]),
    )


def is_stack(path: tuple[Any, ...]) -> bool:
    """Whether a leaf of a state or of parameters has a layer axis."""
    return any(getattr(entry, "key", None) == "layers" for entry in path)


def inside(tree: Any, runs: int) -> Any:
    """A state or parameters as the walk takes them: layers first in stacks; without run axis for a single run."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: layers_first(runs, leaf) if is_stack(path) else drop(leaf, runs), tree
    )


def outside(tree: Any, runs: int) -> Any:
    """The inverse of ``inside``."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: runs_first(runs, leaf) if is_stack(path) else add(leaf, runs), tree
    )


def layers_first(runs: int, leaf: Any) -> Any:
    """[R, L, ...] as [L, R, ...], or [L, ...] for a single run."""
    return leaf[0] if runs == 1 else jnp.swapaxes(leaf, 0, 1)


def runs_first(runs: int, leaf: Any) -> Any:
    """[L, R, ...] as [R, L, ...]; [L, ...] gets a run axis of one."""
    return leaf[None] if runs == 1 else jnp.swapaxes(leaf, 0, 1)


def drop(tree: Any, runs: int) -> Any:
    """Drop the run axis of a single run."""
    return jax.tree.map(lambda leaf: leaf[0], tree) if runs == 1 else tree


def add(tree: Any, runs: int) -> Any:
    """Restore the run axis of a single run."""
    return jax.tree.map(lambda leaf: leaf[None], tree) if runs == 1 else tree


def blank_masks(program: Program, runs: int) -> dict[str, np.ndarray]:
    """The masks of units before the first evaluation."""
    nothing = np.zeros((runs, program.depth_bound, program.width), bool)
    return {"dead_at_init": nothing, "ever_dead": nothing}


def map_over_devices(
    function: Callable[..., Any], devices: Sequence[jax.Device], by_run: Sequence[bool]
) -> Callable[..., Any]:
    """A jitted function on several devices at once, each with its share of the run axis.

    Not by ``shard_map``: XLA fuses a partitioned program otherwise than that of one device, and rounds otherwise.

    Args:
        function: jitted; every result has a leading run axis.
        devices: where to run; the number of runs must be a multiple of theirs.
        by_run: for each argument, whether it has a leading run axis; those without go to every device.
    """
    mesh = Mesh(devices, ("runs",))
    shared, whole = NamedSharding(mesh, PartitionSpec("runs")), NamedSharding(mesh, PartitionSpec())

    def on(device: jax.Device, array: Any) -> Any:
        return next(shard.data for shard in array.addressable_shards if shard.device == device)

    def joined(*parts: Any) -> Any:
        shape = (len(devices) * parts[0].shape[0], *parts[0].shape[1:])
        return jax.make_array_from_single_device_arrays(shape, shared, list(parts))

    def call(*arguments: Any) -> Any:
        there = [jax.device_put(one, shared if by else whole) for one, by in zip(arguments, by_run, strict=True)]
        shares = [jax.tree.map(partial(on, device), there) for device in devices]
        # Calls return before they are done, so that the devices work at the same time.
        return jax.tree.map(joined, *[function(*share) for share in shares])

    return call
