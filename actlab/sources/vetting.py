"""Whether files of the user's that a study's folder brings are those that ``actlab run`` copied there.

The manifest has a checksum of each copy. A match says that nothing was altered since, not who wrote it: whoever makes
a folder makes its checksums too.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from actlab.checksums import file_sha256
from actlab.notation import split_options
from actlab.outputs import is_link_inside
from actlab.sources.statements import SourceError
from actlab.sources.tracing import parse, trace

COPIES = "sources"
"""The folder of the copies in a study's own, and the key of their checksums in its manifest."""
held: ContextVar[Mapping[str, str] | None] = ContextVar("held", default=None)


class UntrustedError(SourceError):
    """A file that a folder brings, and that is not known to be what ``actlab run`` copied there."""


def named_in(study: Any) -> list[str]:
    """List the Python files that a study names anywhere in it, in its order, with options behind or without.

    >>> named_in({"model": {"activation": "sources/a.py:f", "weight_init": "b.py:w:s=1"}, "claims": "sources/c.py"})
    ['sources/a.py', 'b.py', 'sources/c.py']
    """

    def bare(word: str) -> str:
        with suppress(ValueError):  # whoever reads it as a name says why it is none
            return split_options(word)[0]
        return word

    def words(node: Any, key: str = "") -> Iterator[str]:
        if isinstance(node, Mapping):
            for name, inner in node.items():
                yield from words(inner, str(name))
        elif isinstance(node, list | tuple):
            for inner in node:
                yield from words(inner)
        elif isinstance(node, str):
            named = parse(bare(node))
            yield from [str(named[0])] if named else [node] if key == "claims" else []

    return list(dict.fromkeys(words(study)))


def vet(folder: Path, named: Iterable[str], manifest: Mapping[str, Any], way_out: str) -> dict[str, str]:
    """Check files that a study's folder names, and all that their imports lead to, before any of them is run.

    Args:
        folder: the study's.
        named: the files, as its study has them; one that is not there is for whoever wants to run it to miss.
        manifest: the study's.
        way_out: what to do about a file that does not pass, as a clause.

    Returns:
        {absolute path: checksum} of all of them, for ``only``.

    Raises:
        UntrustedError: one lies outside the folder's own ``sources/``, or is not what was copied there.
    """
    checksums = manifest.get(COPIES)
    passed: dict[str, str] = {}
    for name in named:
        path = folder / name
        if Path(name).is_absolute() or ".." in Path(name).parts or Path(name).parts[:1] != (COPIES,):
            raise UntrustedError(f"{path}: lies outside the study's own {COPIES}/, so nothing was run; {way_out}")
        if is_link_inside(folder, path):
            raise UntrustedError(f"{path}: is a link, or lies behind one, so nothing was run; {way_out}")
        if not path.is_file():
            continue
        if not isinstance(checksums, Mapping):
            old = "the study's manifest has no checksums of its sources, as of an older version"
            raise UntrustedError(f"{path}: cannot be checked ({old}), so nothing was run; {way_out}")
        try:
            files = trace(path).files.values()
        except SourceError:  # running it will say why
            files = {"": path}.values()
        for file in files:
            place = file.relative_to(folder / COPIES).as_posix()
            if is_link_inside(folder, file):
                raise UntrustedError(f"{file}: is a link, or lies behind one, so nothing was run; {way_out}")
            if place not in checksums:
                why = f"is not among the files that `actlab run` copied to {COPIES}/"
                raise UntrustedError(f"{file}: {why}, so nothing was run; {way_out}")
            if file_sha256(file) != checksums[place]:
                raise UntrustedError(f"{file}: was altered since `actlab run` wrote it, so nothing was run; {way_out}")
            passed[os.path.abspath(file)] = checksums[place]
    return passed


@contextmanager
def only(files: Mapping[str, str] | None) -> Iterator[None]:
    """Run no file of the user's but these, as they were when they were vetted; any, where it is None."""
    before = held.set(files)
    try:
        yield
    finally:
        held.reset(before)


def check_content(path: str, content: bytes) -> None:
    """Refuse to run what was not vetted; a copy that is held against it (see ``again``) has its name and its content.

    Raises:
        UntrustedError: another file, or one that was altered meanwhile.
    """
    files = held.get()
    if files is None:
        return
    checksum, name = hashlib.sha256(content).hexdigest(), os.path.basename(path)
    copies = {one for place, one in files.items() if os.path.basename(place) == name}
    if checksum not in ({files[os.path.abspath(path)]} if os.path.abspath(path) in files else copies):
        raise UntrustedError(f"{path}: was altered since it was checked, or was not checked, so it was not run")
