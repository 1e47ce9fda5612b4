"""Whether a study's report is up to date: a digest of all that it is made from, kept beside it with one of each file.

    report.stamp    {inputs, others: {study: inputs}, files: {path: SHA-256}}, of the report that was written last

The same inputs give the same bytes (see ``analysis.report``), so that a report whose inputs and files are as they were
need not be drawn again. What is no file of the folder, a clock or the network that a claim might ask, is not seen:
``actlab report`` draws whatever the stamp says. It holds digests of this machine's libraries, and so is not committed.
"""

import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from actlab import commands
from actlab.checksums import file_sha256
from actlab.engine import prediction_files
from actlab.engine.earlier import EARLIER
from actlab.engine.files import StoreError, content_of, write_text
from actlab.engine.manifest import MANIFEST
from actlab.engine.planned import PLANNED
from actlab.sources.vetting import COPIES

STAMP = "report.stamp"
UP_TO_DATE = "the report is up to date"
ROOM = Path(__file__).parents[1]  # of this package
MOST_BYTES = 2**24
READ = ("study.yaml", MANIFEST, PLANNED, EARLIER, prediction_files.FILE)
PACKAGES = ("numpy", "pandas", "scipy", "pyarrow", "matplotlib", "pillow", "altair", "tabulate", "jinja2")
"""What draws and writes: another version may do it otherwise."""


def remove(folder: Path) -> None:
    """Forget what was written: from now on nothing there counts as up to date."""
    with suppress(OSError):  # then nothing else can be written there either
        (folder / STAMP).unlink()


def write(folder: Path, study: str, files: Iterable[Path], others: Iterable[str] = ()) -> None:
    """Note of a report that was written just now what it was made from; what cannot be written costs a drawing later.

    Args:
        folder: the study's.
        study: its name.
        files: those of the report.
        others: the names of the studies beside it that its claims asked for, whether they are there or not.
    """
    there = {str(path.relative_to(folder)): file_sha256(path) for path in files}
    beside = {name: inputs(beside_of(folder, name), name) for name in sorted(set(others))}
    stamp = {"inputs": inputs(folder, study), "others": beside, "files": there}
    with suppress(StoreError):
        write_text(folder / STAMP, json.dumps(stamp, indent=1, sort_keys=True) + "\n")


def is_current(folder: Path, study: str) -> bool:
    """Whether the report in a study's folder is what would be written now, byte for byte."""
    try:
        stamp = json.loads(content_of(folder / STAMP, MOST_BYTES))
        return (
            stamp["inputs"] == inputs(folder, study)
            and all(same == inputs(beside_of(folder, name), name) for name, same in stamp["others"].items())
            and all(is_same(folder / name, sha256) for name, sha256 in stamp["files"].items())
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):  # none, or a damaged one
        return False


def is_same(path: Path, sha256: str) -> bool:
    """Whether a file is as it was written: none that is reached through a link."""
    return path.is_file() and not path.is_symlink() and file_sha256(path) == sha256


def beside_of(folder: Path, name: str) -> Path:
    """Return where another study is looked for that claims ask for."""
    return folder.absolute().parent / name


def inputs(folder: Path, study: str) -> str:
    """Compute the digest of all that a report is made from: files of the folder, this code, and what it stands on."""
    paths = [*(folder / name for name in READ), *sorted((folder / "parts").glob("*.parquet"))]
    paths += sorted(path for path in (folder / COPIES).rglob("*") if "__pycache__" not in path.parts)
    content = {path.relative_to(folder).as_posix(): file_sha256(path) for path in paths if path.is_file()}
    return digest({"content": content, "named": commands.home(folder, study).as_posix(), "by": code()})


@cache
def code() -> str:
    """Compute the digest of this package as it lies on the disk, and of the versions of what draws for it."""
    paths = sorted(path for path in ROOM.rglob("*.*") if path.is_file() and "__pycache__" not in path.parts)
    own = {path.relative_to(ROOM).as_posix(): file_sha256(path) for path in paths}
    versions = {name: version_of(name) for name in ("actlab", *PACKAGES)}
    return digest({"own": own, "versions": versions, "python": platform.python_version()})


def version_of(package: str) -> str:
    """Look up a version; nothing where it is not installed."""
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return ""


def digest(said: Mapping[str, Any]) -> str:
    """Compute the SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def recording(find: Callable[[str], Any], asked: set[str]) -> Callable[[str], Any]:
    """Return ``find`` with a note of each name that it is asked for.

    >>> names = set()
    >>> recording({"depth": 1}.get, names)("width"), names
    (None, {'width'})
    """

    def noting(name: str) -> Any:
        asked.add(name)
        return find(name)

    return noting
