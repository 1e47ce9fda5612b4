"""Which installed packages a user's file imports, and as which versions: their code is in no copy of a study's.

Packages go by their versions, as JAX does: they are no part of a run's identity, but stand in its row.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

from actlab.sources.refusing import library_folders

RECORDED = {"actlab", "jax", "jaxlib", "optax", "numpy"}
"""Modules whose versions every row has in a column of their own."""


def packages(modules: Iterable[str]) -> str:
    """List the packages that some top-level modules are of, with their versions, as the column ``packages`` has them.

    Where a version does not say which code it is (a package installed so that it can be edited, or a file that no
    package owns), a digest of that code stands behind it.

    >>> packages(["json", "jax"])
    ''
    """
    distributions = packages_distributions()
    texts = set[str]()
    for module in set(modules) - RECORDED - sys.stdlib_module_names:
        names = sorted(set(distributions.get(module, ())))
        if names and in_library(module):
            texts |= {f"{name} {version(name)}" for name in names}
            continue
        known = f"{names[0]} {installed(names[0])} editable" if names else f"{module} unknown"
        texts.add(" ".join(filter(None, (known, digest(module)))))
    return ", ".join(sorted(texts))


def installed(name: str) -> str:
    """Return the version of a distribution."""
    try:
        return version(name)
    except PackageNotFoundError:  # it was removed meanwhile
        return "unknown"


def places(module: str) -> list[str]:
    """Return where a top-level module lies: its file, or the folders of a package."""
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    return list(spec.submodule_search_locations or ([spec.origin] if spec.origin else []))


def in_library(module: str) -> bool:
    """Whether a module lies where packages are installed, and so is what its version says."""
    return all(os.path.realpath(place).startswith(library_folders()) for place in places(module))


def digest(module: str) -> str:
    """Hash a module's Python files, with their places in its folder; empty where there are none."""
    contents = [(name, hashlib.sha256(file.read_bytes()).hexdigest()) for name, file in sorted(files(module))]
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:12] if contents else ""


def files(module: str) -> Iterator[tuple[str, Path]]:
    """Yield a module's Python files, by their places in its folder."""
    for place in map(Path, places(module)):
        for file in place.rglob("*.py") if place.is_dir() else [place]:
            if file.is_file():
                yield file.relative_to(place.parent).as_posix(), file
