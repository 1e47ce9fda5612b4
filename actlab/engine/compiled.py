"""Compiled programs kept on disk, so that the next worker, run or study of the same shape need not wait.

A program is found by what it was made from, without tracing it, which takes Python most of a second; one with a
function of the user's by what it was lowered to, once it is traced. JAX would keep such files, too, and load them
without a look at what is in them: in a worker it keeps none, and nothing is loaded that ``cache_folder`` did not check.
"""

import hashlib
import logging
import os
import pickle
import platform
import re
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import serialize_executable
from jax.experimental.compilation_cache import compilation_cache as of_jax
from jaxlib import lapack

import actlab
from actlab.engine import cache_folder
from actlab.engine.cache_folder import Refused, Unusable

log = logging.getLogger("actlab.compiled")


def enable_compilation_cache() -> None:
    """Keep what is compiled from now on, in a folder of actlab's or the user's (``JAX_COMPILATION_CACHE_DIR``).

    ``JAX_ENABLE_COMPILATION_CACHE=0`` switches it off. What cannot be written, or read, is compiled from scratch.
    """
    global folder
    given = take_from_jax()
    try:
        folder = cache_folder.programs_folder(given) if jax.config.values["jax_enable_compilation_cache"] else None
    except Refused as why:
        folder = None
        say_once(cache_folder.sentence(why))


folder: Path | None = None
"""Where programs are kept in this process; nowhere before ``enable_compilation_cache``."""
given_to_jax: str | None = None


def take_from_jax() -> str | None:
    """Return the folder that the user gave to JAX, and have JAX itself keep nothing there: it checks nothing."""
    global given_to_jax
    if given := jax.config.values["jax_compilation_cache_dir"]:
        given_to_jax = str(given)
        jax.config.update("jax_compilation_cache_dir", None)
        of_jax.reset_cache()
    return given_to_jax or cache_folder.given()


@lru_cache(maxsize=8)
def say_once(why: str) -> None:
    """Write a line into the log, once a process."""
    log.info("%s", why)


def on_first_call(name: str, jitted: Any) -> Callable[..., Any]:
    """Make a function of arrays on one device that has its program from the disk, or compiles it, once a device."""
    ready: dict[jax.Device, Any] = {}

    def call(*given: Any) -> Any:
        (device,) = jax.tree.leaves(given)[0].devices()
        if device not in ready:
            lowered = jitted.lower(*given)
            ready[device] = kept((name, device.id), lowered.compile, lowered, device)
        return ready[device](*given)

    return call


def kept(
    made_from: object, compile: Callable[[], Any] | None = None, lowered: Any = None, device: jax.Device | None = None
) -> Any:
    """Read a compiled program from the disk, or else compile it now and keep it for the next time.

    What cannot be used is dropped, compiled from scratch and kept again.

    Args:
        made_from: what determines the program, besides what ``surroundings`` lists: its ``repr`` counts.
        compile: makes it (``jax.stages.Compiled``); without it, only the disk is looked at.
        lowered: the program before it is compiled (``jax.stages.Lowered``), where ``made_from`` does not say all.
        device: where it runs; JAX's default device by default.

    Returns:
        the program; None if it is not there and must not be compiled.
    """
    if folder is None:
        return None if compile is None else compile()
    if lowered is not None:
        made_from = (made_from, lowered.as_text(), str(lowered.in_tree), str(lowered.out_tree))
    path = folder / hashlib.sha256(repr((made_from, surroundings())).encode()).hexdigest()
    program = read(path, device)
    if program is None and compile is not None:
        program = compile()
        write(path, program, traced=lowered is not None)
    return program


def surroundings() -> tuple[Any, ...]:
    """List what else a program depends on: actlab itself, JAX and its settings, processor and device."""
    settings = sorted((name, str(value)) for name, value in jax.config.values.items() if "cache" not in name)
    device = jax.local_devices()[0]
    versions = [version(name) for name in ("jax", "jaxlib", "numpy")]
    versions += [device.client.platform_version, platform.python_version()]
    where = (cache_folder.processor(), device.platform, device.device_kind)
    return own_code(), versions, settings, os.environ.get("XLA_FLAGS"), where


@lru_cache(maxsize=1)
def own_code() -> str:
    """Hash actlab's own files."""
    package = Path(actlab.__file__).parent
    code = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        code.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes())
    return code.hexdigest()


def read(path: Path, device: jax.Device | None = None) -> Any:
    """Read a program that was kept; none if there is none, or what is there cannot be used: then it is dropped."""
    try:
        if (content := cache_folder.read(path)) is None:
            return None
        calls, serialized, in_tree, out_tree = pickle.loads(content)
        if any(call.startswith("lapack_") for call in calls):
            lapack.prepare_lapack_call("gesdd", np.float32)  # else done where a program is lowered: it finds LAPACK
        there = [jax.local_devices()[0] if device is None else device]
        program = serialize_executable.deserialize_and_load(serialized, in_tree, out_tree, execution_devices=there)
    except Exception as error:  # of whatever kind: it can be compiled
        why = str(error) if isinstance(error, Unusable) else f"{type(error).__name__}: {error}"
        log.info("%s cannot be used, and its program is compiled from scratch: %s", path, why.partition("\n")[0])
        with suppress(OSError):
            cache_folder.drop(path)
        return None
    with suppress(OSError):
        os.utime(path)  # used today
    return program


def write(path: Path, program: Any, traced: bool) -> None:
    """Keep a program, and no more of them than there is room for.

    Some call functions outside. Where it was lowered, a process has those at hand; where it was not, only LAPACK's, by
    ``read``; those that call back into Python belong to one process alone.
    """
    try:
        calls = set(re.findall(r'custom_call_target="(.*?)"', program.as_text()))
        if any("callback" in call or not (traced or call.startswith("lapack_")) for call in calls):
            return
        cache_folder.write(path, pickle.dumps((calls, *serialize_executable.serialize(program))))
    except Exception as error:  # some programs cannot be written, and some disks be written to
        log.info("%s is not kept: %s: %s", path, type(error).__name__, str(error).partition("\n")[0])
    cache_folder.make_room(path.parent)
