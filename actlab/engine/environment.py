"""Where a run is executed: what of that could change its last bits is recorded in its row.

What could change its draws is pinned (see ``jax_settings``): two runs of one identity have the same draws anywhere, and
equal numbers but for rounding.
"""

import os
import platform
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

import jax

from actlab import jax_settings, sources
from actlab.compiler_flags import as_text
from actlab.engine import store

PACKAGES = ("actlab", "jax", "jaxlib", "optax", "numpy")
# What the libraries below JAX read: kinds of numbers, instructions and algorithms that they may use.
VARIABLES = (
    "NVIDIA_TF32_OVERRIDE",
    "CUBLAS_WORKSPACE_CONFIG",
    "LIBTPU_INIT_ARGS",
    "ONEDNN_MAX_CPU_ISA",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "DNNL_DEFAULT_FPMATH_MODE",
    "OPENBLAS_CORETYPE",
    "MKL_CBWR",
    "NPY_DISABLE_CPU_FEATURES",
    "GLIBC_TUNABLES",
)


def environment_columns(runs_per_call: int, eval_chunks: int, modules: Collection[str] = ()) -> dict[str, Any]:
    """Make the columns of ``runs`` that are no part of a run's identity.

    Args:
        runs_per_call: how many runs one call advanced.
        eval_chunks: in how many chunks a split was evaluated.
        modules: what the user's files import; without any that is of a package there is no column ``packages``.
    """
    more = {"packages": listed} if (listed := packages(frozenset(modules))) else {}
    return {**surroundings(), **more, "runs_per_call": runs_per_call, "eval_chunks": eval_chunks}


def surroundings() -> dict[str, str]:
    """Collect versions, the device and the flags of this process."""
    return {**versions(), "platform": device(), "flags": flags()}


@cache
def versions() -> dict[str, str]:
    """Return the versions of what computes."""
    known = store.versions()
    return {name: known[name] for name in PACKAGES}


@cache
def packages(modules: frozenset[str]) -> str:
    """Return the versions of what the user's files import: once, for what this process has loaded stays as it is."""
    return sources.packages(modules) if modules else ""


@cache
def device() -> str:
    """Name the kind of this process's devices; of a processor its model, which decides the instructions that XLA uses.

    >>> device() != ""
    True
    """
    return jax.local_devices()[0].device_kind if jax.default_backend() != "cpu" else processor()


@cache
def processor() -> str:
    """Name the processor's model, also where JAX computes on an accelerator.

    >>> processor() != ""
    True
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # not Linux, or a processor that is not named there
        return f"cpu {platform.machine()}"


def flags() -> str:
    """List what may change the last bits: XLA's flags without paths, JAX's settings, and variables that libraries read.

    A flag that names a file, other than one that is written, is listed by that file's name.
    """
    given = [without_path(flag) for flag in as_text(os.environ.get("XLA_FLAGS", "")).split()]
    variables = [f"{name}={os.environ[name]}" for name in VARIABLES if os.environ.get(name)]
    return " ".join([*filter(None, given), *jax_settings.recorded(), *variables])


def without_path(flag: str) -> str:
    """Return a flag of XLA's as it is recorded; nothing of one that says where something is written.

    >>> without_path("--xla_a=1"), without_path("--xla_dump_to=/home/me/dump"), without_path("--xla_load_from=/a/b.txt")
    ('--xla_a=1', '', '--xla_load_from=b.txt')
    """
    name, equals, value = flag.partition("=")
    last = value.rstrip("/").replace("\\", "/").rpartition("/")[2]
    return "" if "dump" in name else f"{name}{equals}{last}"
