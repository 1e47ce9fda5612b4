"""Compiled programs kept on disk by JAX, so that the next worker, run or study of the same shape need not wait.

One folder for each kind of processor: a program made for one may use instructions that another, reading the same home
directory on a cluster, does not have.
"""

import hashlib
import logging
import os
import platform
from pathlib import Path

import jax
from platformdirs import user_cache_path

MOST_BYTES = 2**30  # the least recently used go first
WORTH_SECONDS = 0.2  # what compiles faster than this is not kept

log = logging.getLogger("actlab.compiled")


def keep() -> None:
    """Have JAX keep what it compiles from now on, unless the user told it where to (``JAX_COMPILATION_CACHE_DIR``).

    ``JAX_ENABLE_COMPILATION_CACHE=0`` switches it off. What cannot be written, or read, is compiled anew.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    jax.config.update("jax_compilation_cache_max_size", MOST_BYTES)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", WORTH_SECONDS)
    folder = user_cache_path("actlab") / "compiled" / processor()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        log.info("compiled programs are not kept: %s: %s", folder, error.strerror)
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))


def processor() -> str:
    """A name for this kind of processor: a hash of its model and its instructions."""
    told = {platform.machine(), platform.processor()}
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        told |= {line for line in lines if line.startswith(("model name", "flags", "Features"))}
    except OSError:  # not Linux
        told.add(platform.platform())
    return hashlib.sha256("\n".join(sorted(told)).encode()).hexdigest()[:16]
