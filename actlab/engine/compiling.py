"""The programs of a run batch, compiled: several at a time, or taken from the disk."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from functools import lru_cache
from threading import Lock
from typing import Any

import jax
import numpy as np

from actlab import jax_settings
from actlab.engine import compiled
from actlab.nn.programs import Programs, blank_masks, blank_scratches, compile_programs
from actlab.nn.spec import ProgramSpec
from actlab.nn.training import Program
from actlab.study.jobs import Shape

COMPILERS = 2  # programs that a worker compiles at a time where it is alone; several share the cores
ALL = tuple(field.name for field in fields(Programs))

Tell = Callable[[Sequence[str]], None]
"""Called with the names of the programs that are ready."""


@lru_cache(maxsize=2)
def programs(program: Program, features: int, outputs: int) -> Programs:
    """Make the programs of a shape, not compiled yet."""
    return compile_programs(program, features, outputs, jax.local_devices(), compiled.on_first_call)


def compiled_programs(
    shape: Shape,
    program: Program,
    numbers: Any,
    data: Any,
    call: tuple[Any, Any],
    sizes: tuple[int, int],
    turn: int | None,
    tell: Tell = lambda ready: None,
    wanted: Sequence[str] = ALL,
) -> Programs:
    """Compile programs for a run batch; a worker that is alone several at a time: XLA leaves Python's lock alone.

    Those of the catalogue's activations may lie on the disk whole. What a function of the user's computes also depends
    on what its file says of other packages, so that a program with one is always traced.

    Args:
        shape: of the job.
        program: its static half.
        numbers, data, call: of the run batch: what the programs are called with.
        sizes: inputs and outputs of the network.
        turn: see ``run_job``.
        tell: see ``segments``.
        wanted: names of the programs that are called; of one device the others are None.
    """
    tell([])
    several = jax.local_device_count() > 1
    own = any(key.source for key in (*shape.activations, *shape.own_measures, shape.optimizer))
    traced = own or several or jax.default_backend() != "cpu"  # whole programs of accelerators were never tried
    if several:  # compiled for each device when they are first called
        return programs(program, *sizes)
    dtype, precision = (jax.config.values[f"jax_{name}"] for name in ("enable_x64", "default_matmul_precision"))
    forms = jax.tree.map(lambda leaf: (leaf.shape, str(leaf.dtype)), (numbers, data, call))
    made_from = {
        name: (name, spec_of(name, shape.spec), shape.activations, shape.optimizer, sizes, forms) for name in wanted
    }
    ready: dict[str, Any] = {
        name: None if traced or name not in wanted else compiled.kept(made_from[name]) for name in ALL
    }
    if any(ready[name] is None for name in wanted):
        jitted = programs(program, *sizes)
        arguments = arguments_of(jitted, numbers, data, call, program)
        missing = [name for name in arguments if name in wanted and ready[name] is None]
        if turn and turn % 2:
            missing.reverse()
        telling = Lock()

        def lower(name: str) -> Any:
            return getattr(jitted, name).lower(*arguments[name])

        def made(name: str) -> Any:  # looked for once more: the other worker may have it by now (see ``turn``)
            # Settings are a thread's own.
            with jax_settings.pinned(), jax.enable_x64(dtype), jax.default_matmul_precision(precision):
                if traced:
                    lowered = lower(name)
                    one = compiled.kept(made_from[name], lowered.compile, lowered)
                else:
                    one = compiled.kept(made_from[name], lambda: lower(name).compile())
            with telling:
                ready[name] = one
                tell([name for name in ready if ready[name] is not None])
            return one

        with ThreadPoolExecutor(COMPILERS if turn is None else 1) as pool:
            ready |= dict(zip(missing, pool.map(made, missing), strict=True))
    return Programs(**ready)


def spec_of(name: str, spec: ProgramSpec) -> ProgramSpec:
    """Return what of the settings shapes a program: what weights are drawn from shapes the one alone that draws them.

    So runs of every initialiser share the other three.
    """
    return spec if name == "start" else replace(spec, weight_distribution="", bias_distribution="")


def arguments_of(
    jitted: Programs, numbers: Any, data: Any, call: tuple[Any, Any], program: Program
) -> dict[str, tuple[Any, ...]]:
    """List what each program is called with, as far as it shapes the program."""
    none, depth = np.int32(0), call[0]
    state = jax.eval_shape(jitted.start, numbers, depth)
    masks, parameters = blank_masks(program, program.spec.runs_per_call), state["parameters"]
    scratch = blank_scratches(program, parameters, len(data["probe"][1]))
    return {
        "train": (state, scratch["train"], numbers, data, none, none, none, *call),
        "start": (numbers, depth),
        "evaluate": (parameters, masks, numbers, data, none, *call),
        "measure": (parameters, parameters, scratch["measure"], numbers, data, *call),
    }
