"""JAX's settings, while actlab computes: what could change draws, types or derivatives is pinned; the rest is recorded.

A setting comes from a variable of the environment, from another program in this process, or from a user's file that is
run. Two runs of one identity have the same draws under any of them, and equal numbers but for rounding; what may change
rounding is in a column of ``runs`` (see ``engine.environment``). No JAX here, unless it is there already.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread
from typing import Any

CACHE, OWN_CACHE = "JAX_COMPILATION_CACHE_DIR", "ACTLAB_COMPILATION_CACHE_DIR"
PINNED: dict[str, Any] = {
    # The generator, how it cuts a draw, what is added to every seed, and what kind a key is of.
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_random_seed_offset": 0,
    "jax_enable_custom_prng": False,
    "jax_legacy_prng_key": "allow",
    "jax_high_dynamic_range_gumbel": False,
    # The type of a number that says none, of one that says float64, and of two that meet; shapes that meet.
    "jax_enable_x64": False,
    "jax_explicit_x64_dtypes": "warn",
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
    # A run that diverges is a finding, and a user's function is traced as it is: nothing more is checked, or forbidden.
    "jax_debug_nans": False,
    "jax_debug_infs": False,
    "jax_debug_key_reuse": False,
    "jax_disable_jit": False,
    "jax_enable_checks": False,
    "jax_check_tracer_leaks": False,
    "jax_check_static_indices": False,
    "jax_error_checking_behavior_nan": "ignore",
    "jax_error_checking_behavior_divide": "ignore",
    "jax_error_checking_behavior_oob": "ignore",
    "jax_transfer_guard": "allow",
    "jax_array_garbage_collection_guard": "allow",
    "jax_thread_guard": False,
    "jax_no_tracing": False,
    "jax_no_execution": False,
}
# What may change the last bits, and its default.
ROUNDING: dict[str, Any] = {
    "jax_default_matmul_precision": None,
    "jax_allow_f16_reductions": True,
    "jax_disable_most_optimizations": False,
    "jax_exec_time_optimization_effort": 0.0,
    "jax_memory_fitting_effort": 0.0,
    "jax_optimization_level": "UNKNOWN",
    "jax_num_cpu_devices": -1,
    "eager_constant_folding": False,
}
# Where programs and messages go, what is looked at besides, and how machines find each other: no number depends on it.
HARMLESS = re.compile(
    "cache|log_|logging|dump|traceback|tracer|checkpoint|locations|debug_(info|leaked)|distributed|timeout|transfer"
    "|transport|frames|warn_|pprint|verbose|explain|export|serialization|jax2tf|visible_devices|mock_|proxy|collectives"
    "|preemption|recoverability|share_binary|platform|_backend|backend_target|source_|check_vma|mesh|client_create"
    "|sort_devices|remove_custom|async_dispatch|default_device|_checks|vmap_shmap|runtime_errors|refs_to_pins"
)


@contextmanager
def pinned() -> Iterator[None]:
    """Compute with the pinned settings for a while; what the process has set, or is set meanwhile, is as it was then.

    Where JAX is not there yet, and no variable of the environment says otherwise, they are its defaults.
    """
    said = any(name.upper() in os.environ for name in PINNED)
    if "jax" not in sys.modules and not said:
        yield
        if "jax" in sys.modules:  # imported meanwhile
            restore(PINNED | ROUNDING)
        return
    import jax

    before = {name: value for name, value in of_process().items() if name in PINNED or name in ROUNDING}
    try:
        with ExitStack() as stack:
            for name, value in PINNED.items():
                # A context goes before what the process has set, and the user may be inside one.
                if (context := getattr(jax, name.removeprefix("jax_"), None)) is not None:
                    stack.enter_context(context(value))
                elif name in before:
                    jax.config.update(name, value)
            yield
    finally:
        restore(before)


@contextmanager
def exact_products() -> Iterator[None]:
    """Multiply matrices in the precision of their numbers on an accelerator, too, unless the user has set another.

    By default a GPU rounds the factors of a float32 product to 11 bits (TF32), a TPU to 8 (bfloat16): on one H200 that
    moved gradient norms by 0.6 % in 100 layers, and a run's numbers with its neighbours in a call. On a processor
    nothing changes.
    """
    import jax

    if jax.default_backend() == "cpu" or jax.config.values["jax_default_matmul_precision"] is not None:
        yield
        return
    with jax.default_matmul_precision("highest"):
        yield


def of_process() -> dict[str, Any]:
    """Return what this process has set, whatever context its thread is in."""
    import jax

    found: dict[str, Any] = {}
    thread = Thread(target=lambda: found.update(jax.config.values))
    thread.start()
    thread.join()
    return found


def restore(before: dict[str, Any]) -> None:
    """Set what has changed for the whole process back to what it was."""
    import jax

    now = of_process()
    for name, value in before.items():
        if name in now and spelt(now[name]) != spelt(value):
            jax.config.update(name, value)


def spelt(value: Any) -> str:
    """Write a setting as the environment has it: some are members of an enumeration.

    >>> spelt(True), spelt("allow"), spelt(None)
    ('true', 'allow', 'none')
    """
    return str(getattr(value, "name", value)).lower()


def recorded() -> list[str]:
    """List the settings that may change rounding, and are not at their default, as ``name=value``.

    Of a setting that a later JAX has, and that is not known to be harmless, what the environment says is listed.
    """
    if "jax" not in sys.modules:
        return []
    import jax

    values = jax.config.values
    known = [name for name, default in ROUNDING.items() if name in values and spelt(values[name]) != spelt(default)]
    others = [
        name
        for name in values
        if name.upper() in os.environ and name not in {*PINNED, *ROUNDING} and not HARMLESS.search(name)
    ]
    return [f"{name}={values[name]}" for name in [*known, *others]]


def take_cache() -> None:
    """Have JAX keep no programs of a command, for it loads what it finds unseen; actlab's workers keep theirs."""
    if given := os.environ.pop(CACHE, None):
        os.environ[OWN_CACHE] = given


def clear_environment() -> None:
    """Take what is pinned out of the environment, before JAX starts in a process that is actlab's own."""
    for name in PINNED:
        os.environ.pop(name.upper(), None)
