"""Compiled programs kept on disk, so that the next worker, run or study of the same shape need not wait.

JAX keeps what XLA made of a program, and finds it once the program is traced again, which takes Python most of a
second. ``kept`` finds a program by what it was made from, without tracing it; JAX keeps the others.

One folder for each kind of processor: a program made for one may use instructions that another, reading the same home
directory on a cluster, does not have.
"""

import hashlib
import logging
import math
import os
import pickle
import platform
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import serialize_executable
from jaxlib import lapack
from platformdirs import user_cache_path

import actlab

MOST_BYTES = 2**29  # of either; the least recently used go first
DIGEST_BYTES = 32
STALE_SECONDS = 600.0  # a program is written in a fraction of one
WORTH_SECONDS = 0.2  # what compiles faster than this JAX does not keep

log = logging.getLogger("actlab.compiled")


def enable_compilation_cache() -> None:
    """Keep what is compiled from now on, in a folder of actlab's or the user's (``JAX_COMPILATION_CACHE_DIR``).

    ``JAX_ENABLE_COMPILATION_CACHE=0`` switches it off. What cannot be written, or read, is compiled from scratch.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    jax.config.update("jax_compilation_cache_max_size", MOST_BYTES)
    let_jax_keep(True)
    folder = user_cache_path("actlab") / "programs" / processor()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        make_room(folder / "whole")
    except OSError as error:
        log.info("compiled programs are not kept: %s: %s", folder, error.strerror)
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))


def kept(made_from: object, compile: Callable[[], Any] | None = None) -> Any:
    """Read a compiled program from the disk, or else compile it now and keep it for the next time.

    What cannot be read, or was altered, is compiled from scratch. Whoever can write such a file decides what a process
    that reads it will run, so that files of other users are left alone.

    Args:
        made_from: what determines the program, besides what ``surroundings`` lists: its ``repr`` counts.
        compile: makes it (``jax.stages.Compiled``); without it, only the disk is looked at.

    Returns:
        the program; None if it is not there and must not be compiled.
    """
    path = place(made_from)
    program = None if path is None else read(path)
    if program is None and compile is not None:
        before = read_by_jax()
        program = compile()
        if path is not None and read_by_jax() == before:  # what JAX read from its own files cannot be written again
            write(path, program)
    return program


def let_jax_keep(wanted: bool) -> None:
    """Switch JAX's own files on or off: off while ``kept`` writes whole programs, so that nothing is stored twice."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", WORTH_SECONDS if wanted else math.inf)


@lru_cache(maxsize=1)
def counted() -> threading.local:
    """Count the programs that JAX has read from its own files since this was first asked for, by thread."""
    mine = threading.local()

    def listen(event: str, **_: Any) -> None:
        if event == "/jax/compilation_cache/cache_hits":
            mine.number = getattr(mine, "number", 0) + 1

    jax.monitoring.register_event_listener(listen)
    return mine


def read_by_jax() -> int:
    """Return how many programs JAX has read from its own files, in this thread."""
    return getattr(counted(), "number", 0)


def place(made_from: object) -> Path | None:
    """The file of a program; none where nothing is to be kept."""
    settings = jax.config.values
    folder = settings["jax_compilation_cache_dir"]
    if not folder or "://" in folder or not settings["jax_enable_compilation_cache"]:
        return None
    name = hashlib.sha256(repr((made_from, surroundings())).encode()).hexdigest()
    return Path(folder) / "whole" / name


def surroundings() -> tuple[Any, ...]:
    """List what else a program depends on: actlab itself, JAX and its settings, processor and device."""
    settings = sorted((name, str(value)) for name, value in jax.config.values.items() if "cache" not in name)
    device = jax.local_devices()[0]
    versions = [version(name) for name in ("jax", "jaxlib", "numpy")]
    versions += [device.client.platform_version, platform.python_version()]
    where = (processor(), device.platform, device.device_kind)
    return own_code(), versions, settings, os.environ.get("XLA_FLAGS"), where


@lru_cache(maxsize=1)
def own_code() -> str:
    """Hash actlab's own files."""
    folder = Path(actlab.__file__).parent
    code = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        code.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return code.hexdigest()


def read(path: Path) -> Any:
    """Read a program that was kept; none if there is none that can be used."""
    try:
        with path.open("rb") as file:
            if not is_ours_alone(os.fstat(file.fileno())):
                return None
            content = file.read()
        if digest(path, content[DIGEST_BYTES:]) != content[:DIGEST_BYTES]:
            raise ValueError("it was altered")
        calls, *serialized = pickle.loads(content[DIGEST_BYTES:])
        if calls:
            lapack.prepare_lapack_call("gesdd", np.float32)  # else done where a program is lowered: it finds LAPACK
        program = serialize_executable.deserialize_and_load(*serialized)
    except FileNotFoundError:
        return None
    except Exception as error:  # of whatever kind: it can be compiled
        log.info("%s cannot be used: %s: %s", path, type(error).__name__, error)
        return None
    with suppress(OSError):
        os.utime(path)  # used today
    return program


def is_ours_alone(about: os.stat_result) -> bool:
    """Whether no other user can have written what a file holds, as far as the system has owners."""
    return not hasattr(os, "getuid") or (about.st_uid == os.getuid() and not about.st_mode & 0o022)


def digest(path: Path, content: bytes) -> bytes:
    """Compute a checksum of a file's name and content: under another name it is another program."""
    return hashlib.sha256(path.name.encode() + content).digest()


def write(path: Path, program: Any) -> None:
    """Keep a program, whole or not at all, and no more of them than there is room for."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        calls = set(re.findall(r'custom_call_target="(.*?)"', program.as_text()))
        if not all(call.startswith("lapack_") for call in calls):  # who knows what those need in another process
            return
        content = pickle.dumps((calls, *serialize_executable.serialize(program)))
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.touch(mode=0o600)
        scratch.write_bytes(digest(path, content) + content)
        scratch.replace(path)
    except Exception as error:  # some programs cannot be written, and some disks be written to
        log.info("%s is not kept: %s: %s", path, type(error).__name__, error)
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
    make_room(path.parent)


def make_room(folder: Path) -> None:
    """Remove the programs that were not used for longest, beyond ``MOST_BYTES``."""
    files = []
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):  # another worker has just removed it
                files.append((path, path.stat()))
    for path, about in files:  # a process was killed while it wrote these
        if re.fullmatch(r"[0-9a-f]{64}\.\d+", path.name) and time.time() - about.st_mtime > STALE_SECONDS:
            with suppress(OSError):
                path.unlink(missing_ok=True)
    room = MOST_BYTES
    for path, about in sorted(files, key=lambda file: file[1].st_mtime, reverse=True):
        room -= about.st_size
        if room < 0:
            with suppress(OSError):
                path.unlink(missing_ok=True)


@lru_cache(maxsize=1)
def processor() -> str:
    """Name this kind of processor: a hash of its model and its instructions."""
    facts = {platform.machine(), platform.processor()}
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        facts |= {line for line in lines if line.startswith(("model name", "flags", "Features"))}
    except OSError:  # not Linux
        facts.add(platform.platform())
    return hashlib.sha256("\n".join(sorted(facts)).encode()).hexdigest()[:16]
