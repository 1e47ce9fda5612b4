"""Where a run is executed: what of that could change its draws is pinned, what could change its last bits recorded.

Two runs of one identity have the same draws anywhere, and equal numbers but for rounding.
"""

import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import jax

from actlab.engine import store

# The generator, how it cuts a draw, what is added to every seed, and the type of a number that says none.
PINNED = {
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_random_seed_offset": 0,
    "jax_enable_x64": False,
}
PACKAGES = ("actlab", "jax", "jaxlib", "optax", "numpy")


def pin_draws() -> None:
    """Set what decides a draw, whatever the environment or another program in this process says.

    To be called before anything is traced: JAX does not trace again for another generator.
    """
    for name, value in PINNED.items():
        if hasattr(jax.config, name):  # a later JAX may know no other way
            jax.config.update(name, value)


@contextmanager
def pinned_draws() -> Iterator[None]:
    """Do what ``pin_draws`` does for a while: in a process that is the user's."""
    with ExitStack() as stack:
        for name, value in PINNED.items():
            # Of what has a context manager, the user may be inside one, which goes before what the process has set.
            if (context := getattr(jax, name.removeprefix("jax_"), None)) is not None:
                stack.enter_context(context(value))
            elif hasattr(jax.config, name):
                stack.callback(jax.config.update, name, getattr(jax.config, name))
                jax.config.update(name, value)
        yield


def environment_columns(runs_per_call: int, eval_chunks: int) -> dict[str, Any]:
    """Make the columns of ``runs`` that are no part of a run's identity.

    Args:
        runs_per_call: how many runs one call advanced.
        eval_chunks: in how many chunks a split was evaluated.
    """
    return {**surroundings(), "runs_per_call": runs_per_call, "eval_chunks": eval_chunks}


@cache
def surroundings() -> dict[str, str]:
    """Collect versions, the device and the flags of this process."""
    versions = {name: store.versions()[name] for name in PACKAGES}
    return {**versions, "platform": device(), "flags": flags()}


def device() -> str:
    """Name the kind of this process's devices; of a processor its model, which decides the instructions that XLA uses.

    >>> device() != ""
    True
    """
    kind = jax.local_devices()[0].device_kind
    if jax.default_backend() != "cpu":
        return kind
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # not Linux, or a processor that is not named there
        return f"{kind} {platform.machine()}"


def flags() -> str:
    """List XLA's flags, but those that name a path (of a dump, say), and JAX's precision of matrix products."""
    given = [flag for flag in os.environ.get("XLA_FLAGS", "").split() if not set("/\\") & set(flag)]
    precision = getattr(jax.config, "jax_default_matmul_precision", None)
    return " ".join([*given, *([f"jax_default_matmul_precision={precision}"] if precision else [])])
