"""Output files that appear whole or not at all: made in a hidden folder beside, then renamed over. Below all rooms.

A link is never written through, and never followed to delete: one that stands where a file is to be is replaced by
that file, one where a folder is to be is refused. Until all that is new is complete, all that is old stays.
"""

import errno
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from actlab import limits
from actlab.errors import ActlabError
from actlab.processes import is_alive

HIDDEN = ".outputs-"
A_DAY = 86400.0


class OutputError(ActlabError, RuntimeError):
    """Output that cannot be put in its place; what was there before is as it was."""


class Making:
    """Output that is being made: files below ``at``, which are renamed to the same places below ``folder`` at the end.

    Attributes:
        folder: where they go.
        at: the hidden folder in it where they are written first.
        outdated: gives the files below ``folder`` that go once the new ones are there; those that are new stay.
    """

    def __init__(self, folder: Path, at: Path) -> None:
        """Begin with nothing."""
        self.folder, self.at = folder, at
        self.outdated: Callable[[], Iterable[Path]] = tuple

    def final(self, path: Path) -> Path:
        """Return where a file below ``at`` goes."""
        return self.folder / path.relative_to(self.at)


@contextmanager
def making(folder: Path, subfolders: Iterable[str] = ()) -> Iterator[Making]:
    """Let a block make output; it is put in its place when the block ends, and thrown away when it fails.

    Args:
        folder: where it goes; made where there is none.
        subfolders: those of it that will be written into: what stands in their way is told at once.

    Raises:
        OutputError: something stands in the way, or the folder cannot be written.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    at: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in subfolders:
            refuse_in_the_way(folder / name, is_folder=True)
        remove_left(folder)
        at = Path(tempfile.mkdtemp(prefix=f"{HIDDEN}{socket.gethostname()}-{os.getpid()}-", dir=folder))
        made = Making(folder, at)
        yield made
        put(made)
    except OSError as error:
        hint = limits.hint("f") if error.errno == errno.EFBIG else ""
        why = f"{error.strerror or error}{hint}"
        raise OutputError(f"{place_of(error, folder, at)}: cannot be written ({why})") from error
    finally:
        if at is not None:
            shutil.rmtree(at, ignore_errors=True)
        for one in missing:  # where nothing came of it, nothing is left
            with suppress(OSError):
                one.rmdir()


def place_of(error: OSError, folder: Path, at: Path | None) -> Path:
    """Return what an error is about, by its last name."""
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else folder
    return folder / path.relative_to(at) if at is not None and path.is_relative_to(at) else path


def put(made: Making) -> None:
    """Rename all that was made to its place, files of the folder itself last, then remove what is outdated.

    Raises:
        OutputError: something stands in the way of a file; nothing was renamed.
        OSError: a file cannot be renamed or removed.
    """
    new = sorted(
        (path for path in made.at.rglob("*") if path.is_file()), key=lambda path: (path.parent == made.at, path)
    )
    for path in new:
        if path.parent != made.at:  # the folder itself may be a link: it was named
            refuse_in_the_way(made.final(path.parent), is_folder=True)
        refuse_in_the_way(made.final(path), is_folder=False)
    for path in new:
        made.final(path).parent.mkdir(parents=True, exist_ok=True)
        path.replace(made.final(path))
    for path in sorted(set(made.outdated()) - set(map(made.final, new))):
        if not path.is_dir() or path.is_symlink():
            path.unlink(missing_ok=True)


def refuse_in_the_way(path: Path, is_folder: bool) -> None:
    """Refuse what stands where output is to be, and is of another kind.

    Raises:
        OutputError: it is a link or a file where a folder is to be, or a folder where a file is to be.
    """
    if is_folder and path.is_symlink():
        raise OutputError(f"{path}: is a link, and what it leads to is not written; remove the link")
    if is_folder and path.exists() and not path.is_dir():
        raise OutputError(f"{path}: is a file, and a folder is to stand there; move it away")
    if not is_folder and path.is_dir() and not path.is_symlink():
        raise OutputError(f"{path}: is a folder, and a file is to stand there; move it away")


def is_link_inside(folder: Path, path: Path) -> bool:
    """Whether a path below a folder is a link, or lies behind one; links on the way to the folder itself count not."""
    between = [path, *path.parents]
    return any(one.is_symlink() for one in between[: between.index(folder)])


def remove_left(folder: Path) -> None:
    """Remove hidden folders of those that were killed: of this machine's by their process, of others' after a day."""
    for path in folder.glob(f"{HIDDEN}*"):
        host, _, rest = path.name.removeprefix(HIDDEN).rpartition("-")[0].rpartition("-")
        try:
            old = time.time() - path.lstat().st_mtime > A_DAY
        except OSError:  # its owner has just removed it
            continue
        if not path.is_symlink() and (old or (host == socket.gethostname() and not is_alive(rest))):
            shutil.rmtree(path, ignore_errors=True)
