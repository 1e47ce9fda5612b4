"""A whole study's folder, set aside: renamed beside itself under a name with date and time, so that nothing is deleted.

That is one rename: whatever ends it leaves the folder where it was, or whole under its new name.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from actlab.engine.control import LOCK
from actlab.engine.files import StoreError, limit
from actlab.engine.manifest import MANIFEST, recoverable
from actlab.engine.store import Stored, checkpoints
from actlab.errors import ActlabError
from actlab.naming import counted
from actlab.sources import COPIES


class WithdrawnError(ActlabError, RuntimeError):
    """A request was taken back when it was asked about; nothing was changed.

    Attributes:
        planned: the runs that it asked for.
    """

    def __init__(self, text: str, planned: Iterable[str] = ()) -> None:
        """Take what is said."""
        super().__init__(text)
        self.planned = frozenset(planned)


def is_study(folder: Path) -> bool:
    """Whether a folder is a study's that was begun: there is something to set aside."""
    return (folder / MANIFEST).exists() or recoverable(folder)


def place_aside(folder: Path) -> Path:
    """Choose the name under which a study's folder is set aside: the next that is free, beside what a link leads to.

    >>> place_aside(Path("/nowhere/depth")).name[:8]
    'depth-20'
    """
    real = folder.resolve()
    ending, number = time.strftime("-%Y-%m-%d-%H%M%S"), 1
    most = limit(real.parent if real.parent.is_dir() else None, "PC_NAME_MAX", 255)
    stem = os.fsdecode(os.fsencode(real.name)[: most - len(ending) - 4])
    path = real.with_name(stem + ending)
    while os.path.lexists(path):
        number += 1
        path = real.with_name(f"{stem}{ending}-{number}")
    return path


def needs_copies(folder: Path, wanted: Iterable[Path]) -> bool:
    """Refuse to set a folder aside that something else is needed of than its ``sources/``: before anything is asked.

    Args:
        folder: the study's.
        wanted: files that the study reads.

    Returns:
        whether one of them lies in ``sources/``, as where a folder's own study.yaml is run.

    Raises:
        StoreError: the current folder lies in it, or a file does that the study reads.
    """
    real = folder.resolve()
    if Path.cwd().resolve().is_relative_to(real):
        raise StoreError(
            f"{real}: --fresh sets this folder aside, and the current folder lies in it; change to {real.parent} first"
        )
    inside = [path for path in wanted if path.resolve().is_relative_to(real)]
    for path in inside:
        if not path.resolve().is_relative_to(real / COPIES):
            raise StoreError(
                f"{path}: the study reads it, and it lies in the folder that --fresh sets aside; move it out of there, "
                "and name it where it is then"
            )
    return bool(inside)


def agreed(
    folder: Path, wanted: Iterable[Path], planned: Collection[str], confirm: Callable[[str], bool] | None
) -> tuple[Path, bool]:
    """Settle that a folder is set aside: it can be, and whoever is asked says yes.

    Args:
        folder: the study's.
        wanted: files that the study reads.
        planned: the runs that are to be trained.
        confirm: called with the question, if there is anyone to ask.

    Returns:
        what ``set_aside`` takes: where it goes, and whether its ``sources/`` are still needed where they were.

    Raises:
        StoreError: it cannot be set aside.
        WithdrawnError: the answer was no.
    """
    brings, place = needs_copies(folder, wanted), place_aside(folder)
    asked = question(folder, place, len(planned))
    if asked and confirm is not None and not confirm(asked):
        raise WithdrawnError(f"{folder}: is as it was; nothing was set aside or trained", planned)
    return place, brings


def question(folder: Path, place: Path, planned: int) -> str:
    """Ask whether a folder is to be set aside; empty where there is nothing in it that took time.

    Args:
        folder: the study's.
        place: where it goes.
        planned: how many runs are to be trained.
    """
    runs = how_many(folder)
    if not runs and not checkpoints(folder):
        return ""
    return (
        f"{folder} holds {counted(runs, 'stored run')}. --fresh sets it aside as {from_here(place)} and trains "
        f"{counted(planned, 'run')} from scratch. Go on?"
    )


def how_many(folder: Path) -> int:
    """Count what a folder holds, also where it has lost its manifest."""
    stored = Stored(folder)
    stored.recovers = recoverable(folder)
    return len(stored.runs())


def would(folder: Path) -> str:
    """Say what setting a folder aside would do."""
    held = counted(how_many(folder), "stored run")
    return f"{folder}: --fresh would set it aside with its {held}, as {from_here(place_aside(folder))}"


def set_aside(folder: Path, place: Path, copies: bool) -> str:
    """Rename a study's folder, whose lock is held.

    Args:
        folder: the study's.
        place: what it is called then; the next free name where that is taken by now.
        copies: whether its ``sources/`` are still needed where they were.

    Returns:
        a line that says so.

    Raises:
        StoreError: it cannot be renamed; nothing was changed.
    """
    real = folder.resolve()
    if os.path.lexists(place):
        place = place_aside(folder)
    try:
        real.rename(place)
    except OSError as error:
        why = "is a mounted file system" if error.errno == errno.EBUSY else error.strerror
        raise StoreError(f"{folder}: cannot be set aside ({why}); give this study another --out") from None
    (place / LOCK).unlink(missing_ok=True)  # it was ours
    real.mkdir(exist_ok=True)  # at once where the folder is a link, and leads to nothing now
    if copies:
        shutil.copytree(place / COPIES, real / COPIES)
    return f"{folder}: what it held is set aside as {from_here(place)}, whole; delete that once it is not wanted"


def from_here(path: Path) -> str:
    """Write a path relative to the current folder where it lies below it."""
    here = Path.cwd().resolve()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
