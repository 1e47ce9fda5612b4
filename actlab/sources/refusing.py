"""What a user's file may not reach as it runs: code and data that a study would neither copy nor hold a run to.

Modules of the file's own folder are followed (see ``tracing``), and installed packages go by their versions. Whatever
else is imported, or read while a function is made, would change numbers under one name: it is refused where it happens,
with the file and the line.
"""

import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from actlab.sources.statements import SourceError

# Those through whom a file is read for whoever calls them.
READERS = {"numpy", "pandas", "scipy", "pyarrow"}
IMPORTING = "_find_and_load"
may_read: ContextVar[bool] = ContextVar("may_read", default=False)
watching = False


@lru_cache(maxsize=1)
def library_folders() -> tuple[str, ...]:
    """Return the folders of Python's own library and of installed packages."""
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths |= {*site.getsitepackages(), site.getusersitepackages(), str(Path(os.__file__).parent)}
    return tuple(f"{os.path.realpath(path)}{os.sep}" for path in paths if path)


@lru_cache(maxsize=256)
def is_library(name: str) -> bool:
    """Whether a top-level module is Python's own, or an installed package's; true of one that is nowhere."""
    if name == "actlab" or name in sys.stdlib_module_names:
        return True
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return True  # importing it will say why
    if spec is None or spec.origin in ("built-in", "frozen"):
        return True
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or [])
    if all(os.path.realpath(place).startswith(library_folders()) for place in places):
        return True
    return name in packages_distributions()  # installed elsewhere, or so that it can be edited


def check_import(folder: Path, name: str, frame: FrameType | None, followed: bool) -> None:
    """Refuse an import by a user's file of what is neither followed nor installed.

    Args:
        folder: where the user's file lies.
        name: the module, dotted.
        frame: of the import.
        followed: whether the file's own modules are found by this kind of import.

    Raises:
        SourceError: with the file, the line and the way out.
    """
    whole, name = name, name.partition(".")[0]
    beside = [folder / f"{name}.py", folder / name / "__init__.py"]
    if any(file.is_file() for file in beside) and name != "actlab":
        if name in sys.stdlib_module_names:
            raise at(frame, f"'{name}' is a file beside it and a module of Python's own library; rename the file")
        if not followed:
            raise not_followed(whole, frame)
        return
    check_compiled(folder, name, frame)
    if not is_library(name):
        raise at(frame, f"'{name}' lies in another folder, and is not copied; put it beside the file, or install it")


def check_compiled(folder: Path, name: str, frame: FrameType | None) -> None:
    """Refuse a module that is there as machine code or bytecode alone.

    Raises:
        SourceError: with the file, the line and the way out.
    """
    compiled = [folder / f"{name}{suffix}" for suffix in (*EXTENSION_SUFFIXES, *BYTECODE_SUFFIXES)]
    if any(file.is_file() for file in compiled):
        raise at(
            frame, f"'{name}' is a compiled module, which is not copied; keep its .py beside the file, or install it"
        )


def not_followed(name: str, frame: FrameType | None) -> SourceError:
    """Make the error about a module of the user's that no import statement leads to."""
    return at(frame, f"'{name}' lies beside it, and this kind of import is not followed; write `import {name}`")


def at(frame: FrameType | None, problem: str) -> SourceError:
    """Make the error about what happens at a place in a user's file."""
    where = f"{frame.f_code.co_filename}, line {frame.f_lineno}: " if frame else ""
    return SourceError(f"{where}{problem}")


@contextmanager
def reading(allowed: bool = True) -> Iterator[None]:
    """Let users' files read others for a while: rows of a data set are checked by themselves, a report changes none."""
    before = may_read.set(allowed)
    try:
        yield
    finally:
        may_read.reset(before)


def watch(packages: Any) -> None:
    """Have every file that is opened looked at from now on.

    Args:
        packages: of each package that users' files are run in, its folder.
    """
    global watching
    if watching:
        return
    watching = True  # a hook cannot be taken away again

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and not may_read.get():
            check_open(packages, *arguments)

    sys.addaudithook(hook)


def check_open(packages: Any, path: Any, mode: str | None, flags: int) -> None:
    """Refuse that a user's file reads another one, itself or through a library.

    Raises:
        SourceError: with the file, the line and the way out.
    """
    if not isinstance(path, str | os.PathLike) or (mode and mode[0] in "wax"):
        return
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and is_between(frame):
        if frame.f_code.co_name == IMPORTING:
            return  # see ``check_import``
        frame = frame.f_back
    package = package_of(frame)
    if frame is None or package not in packages:
        return
    file = os.path.realpath(path)
    if os.path.isfile(file) and not file.startswith(library_folders()) and Path(file) != Path(frame.f_code.co_filename):
        problem = f"reads '{os.path.basename(file)}', which is not copied and is no part of a run's identity"
        raise at(frame, f"{problem}; write what it holds into a .py file, and import that")


def is_between(frame: FrameType) -> bool:
    """Whether a frame may lie between a file that is opened and who wants it."""
    name = package_of(frame)
    return name in READERS or name in sys.stdlib_module_names or is_frozen(frame.f_code)


def is_frozen(code: CodeType) -> bool:
    """Whether code is of Python's import system."""
    return code.co_filename.startswith("<frozen ")


def package_of(frame: FrameType | None) -> str:
    """Name the top-level module of a frame."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] if frame is not None else ""
