"""What a function of the user's is made of: the parts of its own file that it reaches, and what that file imports.

Of the function's own file counts what bears on it: definitions that it reaches by name, every statement that does more
than define something, and every definition that, as the file is run, calls what may alter something reached (a
decorator that registers, say). So a file may hold many functions, and who edits one of them leaves the others as they
are. A file that looks names up as it runs (``globals``, ``eval``, ``importlib``) counts whole. Of what is imported from
the file's own folder, at the top or inside what is reached, each file counts whole, and so on from there.

A file that is imported in another way than by an import statement, or that is read as data, is not followed.
"""

import ast
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from actlab.checksums import file_sha256
from actlab.sources import statements
from actlab.sources.statements import Import, SourceError, Statement

# Whoever uses these may reach any name.
DYNAMIC = {"globals", "locals", "vars", "eval", "exec", "__import__", "importlib", "inspect", "sys", "builtins", "gc"}
IMPORTERS = {"import_module", "__import__"}


@dataclass(frozen=True)
class Traced:
    """What a function is made of.

    Attributes:
        files: those that it takes, by their path in its file's folder; its own file is the first.
        digest: SHA-256 of its name and of all tokens that bear on it; no path enters but those inside the folder.
        modules: the top-level modules that it imports from elsewhere.
    """

    files: Mapping[str, Path]
    digest: str
    modules: frozenset[str] = frozenset()


def parse(name: str) -> tuple[Path, str] | None:
    """Split ``path/to/file.py:function`` into file and function; None for any other name.

    >>> parse("mine.py:bent"), parse("relu")
    ((PosixPath('mine.py'), 'bent'), None)
    """
    path, _, function = name.rpartition(":")
    return (Path(os.path.expanduser(path)), function) if path.endswith(".py") and function.isidentifier() else None


def trace(path: Path, function: str | None = None) -> Traced:
    """Trace what a function of a file is made of; without a function, the whole file.

    Raises:
        SourceError: one of the files cannot be read, or is not Python.
    """
    folder = path.parent
    own = statements.read(path)
    taken = bearing_on(function, own, lambda one: bool(imported(folder, (), one))) if function else list(own)
    files: dict[str, Path] = {}
    tokens: dict[str, list[str]] = {}
    left = [file for one in taken for target in one.imports for file in imported(folder, (), target)]
    modules = elsewhere(folder, taken)
    while left:
        file = left.pop()
        place = file.relative_to(folder)
        if place.as_posix() not in files:
            files[place.as_posix()] = file
            whole = statements.read(file)
            tokens[place.as_posix()] = [one.tokens for one in whole]
            modules |= elsewhere(folder, whole)
            package = place.parts[:-1]
            left += [other for one in whole for target in one.imports for other in imported(folder, package, target)]
    facts = json.dumps([function, [one.tokens for one in taken], tokens], sort_keys=True)
    digest = hashlib.sha256(facts.encode()).hexdigest()
    return Traced({path.name: path} | dict(sorted(files.items())), digest, modules)


def elsewhere(folder: Path, some: Iterable[Statement]) -> frozenset[str]:
    """Return the top-level modules that statements import from outside a folder, those named in a call too."""
    tops = {target.module.partition(".")[0] for one in some for target in one.imports if not target.level}
    for one in some:
        words = json.loads(one.tokens) if "import" in one.tokens else []
        for call, opens, name in zip(words, words[1:], words[2:], strict=False):
            if call in IMPORTERS and opens == "(" and name[:1] in ("'", '"'):
                tops.add(str(ast.literal_eval(name)).partition(".")[0])
    return frozenset(top for top in tops if top and not is_own(folder, top))


def collect(
    named: Mapping[str, tuple[Path, str | None]], copies: Mapping[str, Path] = MappingProxyType({})
) -> tuple[dict[str, str], dict[str, Path]]:
    """Trace several functions, or whole files, that are to lie in one folder.

    Args:
        named: file and function of each, None for a whole file, by a name for errors.
        copies: files that lie there already, by their path in the folder.

    Returns:
        the digest of each, and all files by their path in the folder.

    Raises:
        SourceError: a file cannot be read, or two that differ would have the same path.
    """
    digests, places = {}, dict(copies)
    for name, (path, function) in named.items():
        try:
            traced = trace(path, function)
            clash = next((at for at, file in traced.files.items() if not same(places.setdefault(at, file), file)), None)
        except SourceError as error:
            raise SourceError(f"{name}: {error}") from None
        if clash is not None:
            raise SourceError(f"{name}: another file of this study is named {clash} too; rename one of them")
        digests[name] = traced.digest
    return digests, places


def same(one: Path, other: Path) -> bool:
    """Whether two files have the same tokens, whatever stands in those that they import.

    Raises:
        SourceError: one of them cannot be read, or is not Python.
    """
    return one == other or statements.read(one) == statements.read(other)


def fingerprint(path: Path) -> str:
    """Hash every byte that running a file may run of its folder: who keeps what came of it must look here."""
    try:
        files = trace(path).files
    except SourceError:  # running it will say why
        files = {path.name: path} if os.path.isfile(path) else {}
    contents = {name: file_sha256(file) for name, file in files.items()}
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()


def bearing_on(function: str, whole: Sequence[Statement], is_own: Callable[[Import], bool]) -> list[Statement]:
    """Select the statements of a file that may bear on a function of it, in their order.

    Args:
        function: its name.
        whole: the file's statements.
        is_own: whether an import is one from the file's own folder.
    """
    uses: dict[str, set[str]] = {}
    mine: set[str] = set()  # names that are not a library's
    own_imports = {one for one in whole if one.is_import and any(map(is_own, one.imports))}
    for one in whole:
        for name in one.binds:
            uses.setdefault(name, set()).update(one.uses)
        mine |= one.binds if not one.is_import or one in own_imports else set()

    def closure(names: Iterable[str]) -> set[str]:
        left, seen = set(names), set[str]()
        while left:
            seen.add(name := left.pop())
            left |= uses.get(name, set()) - seen
        return seen

    taken = {one for one in whole if not one.defines or one in own_imports}
    while True:
        wanted = closure({function}.union(*(one.uses for one in taken)))
        more = {one for one in whole if one.binds & wanted or closure(one.touches) & wanted & mine} - taken
        if not more:
            break
        taken |= more
    if any(one.uses & DYNAMIC or {i.module.partition(".")[0] for i in one.imports} & DYNAMIC for one in taken):
        return list(whole)
    return [one for one in whole if one in taken]


def imported(folder: Path, package: tuple[str, ...], one: Import) -> list[Path]:
    """Return the files of a folder that an import runs.

    Args:
        folder: where a user's file lies: the modules in it are those that it may import by their bare names.
        package: the packages inside the folder that the importing file lies in.
        one: the import.
    """
    parts = tuple(one.module.split(".")) if one.module else ()
    if one.level == 0:
        if not is_own(folder, parts[0]):
            return []
    elif one.level - 1 > len(package):
        return []  # beyond the folder: Python refuses it
    else:
        parts = package[: len(package) - (one.level - 1)] + parts
    modules = [parts[:end] for end in range(0 if one.level - 1 == len(package) else 1, len(parts) + 1)]
    modules += [(*parts, name) for name in one.names if name != "*"]
    files = [file for module in modules if (file := located(folder, module)) is not None]
    if "*" in one.names and located(folder, parts) is not None:
        files += sorted(folder.joinpath(*parts).glob("*.py"))  # its __all__ may name any of them
    return files


def located(folder: Path, module: tuple[str, ...]) -> Path | None:
    """Return the file of a module in a folder: of ``helper`` it is helper/__init__.py or helper.py."""
    place = os.path.join(folder, *module)  # a plan asks often
    for file in (os.path.join(place, "__init__.py"), f"{place}.py")[: 2 if module else 1]:
        if os.path.isfile(file):
            return Path(file)
    return None


def is_own(folder: Path, name: str) -> bool:
    """Whether a file in a folder that imports ``name`` means something in that folder.

    Its folder goes first, but never before Python's own library (whatever of that this process has loaded) or actlab;
    and a folder without ``__init__.py`` is a package only where nothing else has its name.
    """
    if name == "actlab" or name in sys.stdlib_module_names:
        return False
    if located(folder, (name,)) is not None:
        return True
    return os.path.isdir(os.path.join(folder, name)) and not is_elsewhere(name)


@lru_cache(maxsize=256)
def is_elsewhere(name: str) -> bool:
    """Whether Python finds a module of this name by itself."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return True
    return spec is not None and spec.origin is not None
