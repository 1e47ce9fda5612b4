"""Running a user's file as a module, with the modules of its own folder within reach of its import statements.

Each file that is run gets a package of its own, under a name that no other module has, whose modules are those of the
file's folder. ``import helper`` in it means ``<that package>.helper``. So two studies may each have a ``helper``, none
of them meets an installed module of that name, an import inside a function finds what one at the top would, and a
changed file is run as it stands now.
"""

import builtins
import importlib
import itertools
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from actlab.naming import message, nearest, shortened
from actlab.near_functions import near_file
from actlab.sources import refusing, undoing, vetting
from actlab.sources.statements import SourceError, require_plain
from actlab.sources.tracing import is_own, located, trace

PREFIX = "actlab_user_file_"
MOST_SAID = 300  # characters of what an error of the user's says
NUMBER = itertools.count()
MAIN: dict[str, tuple[str, Path]] = {}  # of each package the module's name in it, and the file that was asked for
FOLLOWED: dict[str, Mapping[str, Path]] = {}  # of each package the files that its import statements lead to


class TookTooLong(BaseException):
    """A user's code was interrupted: no ``except Exception`` of its own is to hide that."""


def import_file(path: Path) -> ModuleType:
    """Run a Python file as a module of its own.

    Raises:
        SourceError: it is not there, or running it fails; with the file and line that failed.
    """
    if not os.path.exists(path):
        raise SourceError(f"{path}: no such file{near_file(path)}")
    if path.suffix != ".py":
        raise SourceError(f"{path}: not a Python file; expected the source, a .py file")
    require_plain(path)
    path = path.absolute()
    refusing.watch(MAIN)
    package = f"{PREFIX}{next(NUMBER)}"
    name = path.stem.replace(".", "_")
    MAIN[package] = (name, path)
    with suppress(SourceError):  # running the file will say why
        FOLLOWED[package] = trace(path).files
    try:
        with undoing.undone():
            spec = package_spec(package, path)
            sys.modules[package] = module = module_from_spec(spec)
            if spec.loader is not None:
                spec.loader.exec_module(module)
            return module if path.name == "__init__.py" else importlib.import_module(f"{package}.{name}")
    except BaseException as error:  # it may call exit()
        for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] == package]:
            del sys.modules[loaded]
        if isinstance(error, SourceError | KeyboardInterrupt):
            raise
        raise SourceError(f"{place(error, path, package)}: cannot be imported: {problem(error)}") from error


def load_function(path: Path, name: str) -> Any:
    """Load a public function of a user's file, which is run for it.

    Raises:
        SourceError: see ``import_file``; or it has no such function: the message names the nearest that it defines.
    """
    module = import_file(path)
    functions = {key: value for key, value in vars(module).items() if callable(value) and not key.startswith("_")}
    if name not in functions:
        own = [key for key, value in functions.items() if getattr(value, "__module__", "") == module.__name__]
        raise SourceError(f"{path}: no function '{name}'{nearest(name, own)}")
    return functions[name]


def package_spec(package: str, path: Path) -> ModuleSpec:
    """Return the package of a file that is run: its folder, whose ``__init__.py`` is run for relative imports."""
    if path.name == "__init__.py":
        return file_spec(package, path)
    init = FOLLOWED.get(package, {}).get("__init__.py")
    return folder_spec(package, path.parent) if init is None else file_spec(package, init)


def folder_spec(name: str, folder: Path) -> ModuleSpec:
    """Return the spec of a package that is only a folder."""
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    return spec


def file_spec(name: str, path: Path) -> ModuleSpec:
    """Return the spec of a module, or of a package where the file is an ``__init__.py``."""
    inside = [str(path.parent)] if path.name == "__init__.py" else None
    spec = spec_from_file_location(name, path, loader=Loader(name, str(path)), submodule_search_locations=inside)
    assert spec is not None  # it has a loader
    return spec


class Finder(MetaPathFinder):
    """Finds the modules of the packages that ``import_file`` makes, and nothing else."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """Return the spec of a module in the folder of a user's file.

        Raises:
            SourceError: the file imports a module of its folder in a way that was not seen beforehand.
        """
        package, _, inside = fullname.partition(".")
        if package not in MAIN:
            check_other_import(package)
            return None
        if not inside:
            return None
        name, main = MAIN[package]
        if inside == name:
            return file_spec(fullname, main)
        module = tuple(inside.split("."))
        file = located(main.parent, module)
        if file is not None:
            if file not in FOLLOWED.get(package, {inside: file}).values():
                raise refusing.not_followed(inside, user_frame())
            return file_spec(fullname, file)
        folder = main.parent.joinpath(*module)
        if folder.is_dir():
            return folder_spec(fullname, folder)
        # Python would go on to look for a compiled module beside the file, which is neither copied nor read.
        refusing.check_compiled(folder.parent, module[-1], user_frame())
        raise ModuleNotFoundError(f"No module named {inside!r} beside the file", name=inside)


class Loader(SourceFileLoader):
    """Runs a file of the user's as it stands, with import statements that look into its folder first."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the file's code; never a cached one, which is told from another by time and size alone."""
        content = self.get_data(self.path)
        vetting.check_content(self.path, content)
        return self.source_to_code(content, self.path)

    def exec_module(self, module: ModuleType) -> None:
        """Run it. ``__import__`` is what import statements call, those inside its functions too."""
        vars(module)["__builtins__"] = vars(builtins) | {"__import__": own_import}
        super().exec_module(module)


def own_import(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """Import as ``builtins.__import__`` does, but a bare name that the user's folder has is a module of its package."""
    frame = sys._getframe(1)
    package = refusing.package_of(frame)
    top = name.partition(".")[0]
    if not level and package in MAIN:  # a statement says in which module it stands, who calls it by name need not
        refusing.check_import(MAIN[package][1].parent, name, frame, followed=globals is not None)
    if level or package not in MAIN or not is_own(MAIN[package][1].parent, top):
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    importlib.import_module(f"{package}.{name}")
    if not fromlist:
        return sys.modules[f"{package}.{top}"]
    return builtins.__import__(f"{package}.{name}", globals, locals, fromlist, 0)


def check_other_import(name: str) -> None:
    """Refuse that a user's file imports one of its own, otherwise than by an import statement.

    Raises:
        SourceError: see ``refusing.check_import``.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and (refusing.is_frozen(frame.f_code) or refusing.package_of(frame) == "importlib"):
        asked = frame.f_locals.get("name")  # ``import_module("pk.inner")`` looks for ``pk`` first
        name = asked if isinstance(asked, str) and asked.partition(".")[0] == name.partition(".")[0] else name
        frame = frame.f_back
    package = refusing.package_of(frame)
    if package in MAIN:
        refusing.check_import(MAIN[package][1].parent, name, frame, followed=False)


def user_frame() -> FrameType | None:
    """Return the innermost frame of a user's file."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and refusing.package_of(frame) not in MAIN:
        frame = frame.f_back
    return frame


def place(error: BaseException, path: Path, package: str) -> str:
    """Say which of the user's files failed, and the line."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(path.parent):
        return f"{error.filename}, line {error.lineno}"
    frames = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package
    ]
    return f"{frames[-1][0]}, line {frames[-1][1]}" if frames else str(path)


def blames_user(error: BaseException) -> bool:
    """Whether an error was raised while a function of a user's file ran."""
    return bool(user_frames(error))


def failure(error: BaseException) -> str:
    """Say what went wrong: in a user's file with the file and line, and elsewhere by the error's own message."""
    frames = [] if isinstance(error, SourceError) else user_frames(error)
    if frames:
        return f"{frames[-1][0]}, line {frames[-1][1]}: {problem(error)}"
    return message(str(error)) if isinstance(error, Exception) else problem(error)


def problem(error: BaseException) -> str:
    """Name an error, and say what it says, in one line.

    >>> problem(KeyError("x")), problem(SystemExit())
    ("KeyError: 'x'", 'SystemExit: it must not end the process that runs it')
    """
    if isinstance(error, TookTooLong):
        return first_line(error)
    ends = "it must not end the process that runs it"
    told = [first_line(error) if error.args else "", "" if isinstance(error, Exception) else ends]
    return ": ".join(filter(None, [type(error).__name__, "; ".join(filter(None, told))]))


def user_frames(error: BaseException) -> list[tuple[str, int]]:
    """File and line of each call on the way to an error that lies in a user's file."""
    return [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] in MAIN
    ]


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, shortened where it is long; empty without one."""
    try:
        return shortened(str(error).strip().partition("\n")[0], MOST_SAID)
    except Exception:  # its own __str__ fails
        return ""


sys.meta_path.insert(0, Finder())
