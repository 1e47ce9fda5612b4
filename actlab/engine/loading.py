"""What a job needs, loaded once per worker: data, the user's functions, and the static half of its programs."""

import logging
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from actlab import activations, sources
from actlab.activations.flatness import FoundFlat
from actlab.engine import run_data
from actlab.measures import GEOMETRIC
from actlab.nn.blocks import Function
from actlab.nn.optimizers import OPTIMIZERS
from actlab.nn.own_measures import load_measure
from actlab.nn.training import Program
from actlab.registry import Registry
from actlab.study.jobs import FunctionKey, Shape

R = TypeVar("R")
log = logging.getLogger("actlab.job")


@lru_cache(maxsize=4)
def program_of(shape: Shape, sources_folder: Path) -> Program:
    """The static half of a shape's runs."""
    own = tuple((key.name, own_measure(key, sources_folder)) for key in shape.own_measures)
    return Program(
        shape.spec, functions_of(shape, sources_folder), record_of(OPTIMIZERS, shape.optimizer, sources_folder), own
    )


@lru_cache(maxsize=4)
def functions_of(shape: Shape, sources_folder: Path) -> tuple[Function, ...]:
    """The activations of a shape, as its programs take them.

    One that cannot be loaded fails the jobs that have it (see ``RunBatch``) and no others: its branch is never taken
    there.
    """

    def function(key: FunctionKey) -> Function:
        try:
            return function_of(record_of(activations.CATALOGUE, key, sources_folder))
        except Exception as error:
            log.warning("%s cannot be used: %s", key.name, error)
            return function_of(activations.CATALOGUE["linear"])

    return tuple(function(key) for key in shape.activations)


def function_of(record: activations.Activation) -> Function:
    """An activation as programs take it."""
    fixed = tuple(name for name in record.parameters if name not in record.learnable)
    exact = None if record.exact is record.function else record.exact
    flat = None if isinstance(record.flat, FoundFlat) else record.flat
    return Function(record.function, flat, fixed, record.learnable, record.closed_form, exact)


def own_measure(key: FunctionKey, sources_folder: Path) -> Any:
    """A user's measure, from the study's own copy of its file.

    Raises:
        RuntimeError: the copy, or what it imports, is not what the study was planned with.
    """
    path = unaltered(key, sources_folder)
    return load_measure(path, key.name)[1]


@lru_cache(maxsize=4)
def geometric_means(shape: Shape, sources_folder: Path) -> tuple[str, ...]:
    """Those of the user's measures that have geometric means over layers."""
    records = {key.name: load_measure(unaltered(key, sources_folder), key.name)[0] for key in shape.own_measures}
    return tuple(name for name, record in records.items() if record.over_layers == GEOMETRIC)


def unaltered(key: FunctionKey, sources_folder: Path) -> Path:
    """The study's copy of a user's file.

    Raises:
        RuntimeError: the copy, or what it imports, is not what the study was planned with.
    """
    path = sources_folder / str(key.source)
    if sources.trace(path, key.name).digest != key.source_checksum:
        raise RuntimeError(f"{path}: it, or a file that it imports, is not what this study was planned with")
    return path


def record_of(registry: Registry[R], key: FunctionKey, sources_folder: Path) -> R:
    """Find a function's record: a shipped one's, or that in the study's own copy of the user's file."""
    return registry[key.name] if key.source is None else registry.load(unaltered(key, sources_folder), key.name, True)


@lru_cache(maxsize=4)
def arrays(shape: Shape, sources_folder: Path) -> dict[str, tuple[jax.Array, jax.Array]]:
    """Put the splits and the probe rows on every device: {train, validation, test, probe: (x, y)}."""
    # On one device without a sharding: a state that begins without one and ends with one would be compiled for twice.
    mesh = Mesh(jax.local_devices(), ("runs",))
    everywhere = NamedSharding(mesh, PartitionSpec()) if jax.local_device_count() > 1 else None
    return {
        name: (jax.device_put(split.x, everywhere), jax.device_put(split.y, everywhere))
        for name, split in run_data.splits(shape, sources_folder).items()
    }
