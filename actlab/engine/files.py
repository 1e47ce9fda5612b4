"""Files of a study's folder: they appear whole or not at all, and reading one ends, whatever lies in its place."""

import errno
import os
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from actlab import interrupts, limits
from actlab.errors import ActlabError
from actlab.naming import LONGEST

OWN = uuid.uuid4().hex[:12]  # in the names of this process's temporary files; ids of processes repeat on a cluster


class StoreError(ActlabError, ValueError):
    """The folder is not a study's, or cannot be read or written."""


class DamageError(StoreError):
    """Something of what was measured is not as it was stored; says what, and the way forward."""


def content_of(path: Path, most: int) -> bytes:
    """Read a whole file: a regular one, or a link to such; never a pipe or a device, at which reading may not end.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read, is no regular file, or larger than ``most`` bytes; ``strerror`` says why.
    """
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise OSError(0, "is no regular file", str(path))
        content = file.read(most + 1) if about.st_size <= most else None
    if content is None or len(content) > most:
        size = f"{most // 2**20} MiB" if most % 2**20 == 0 else f"{most:,} bytes"
        raise OSError(0, f"is larger than {size}", str(path))
    return content


def check_room(folder: Path, places: Iterable[str] = ()) -> None:
    """Refuse a folder in which names of files would be too long: before training, rather than after it.

    Args:
        folder: where results are to be.
        places: names of files to be written below it, beside those that every study has.

    Raises:
        StoreError: a name, or a whole path, is longer than the file system takes.
    """
    parent = next((one for one in folder.absolute().parents if os.path.isdir(one)), None)
    most, whole = limit(parent, "PC_NAME_MAX", 255), limit(parent, "PC_PATH_MAX", 4096) - 1
    for part in folder.parts:
        if (size := len(os.fsencode(part))) > most:
            raise StoreError(f"{part[:40]}...: a folder's name has at most {most} bytes here, and this {size}")
    suffix = f"..{OWN}.tmp"  # files are written under such names first
    for place in (f"figures/{'x' * LONGEST}.png", *places):
        name = os.fsencode(f"{os.path.basename(place)}{suffix}")
        if len(name) > most:
            raise StoreError(f"{place[:40]}...: is too long for the name of a file; at most {most - len(suffix)} bytes")
        if (size := len(os.fsencode(folder.absolute() / f"{place}{suffix}"))) > whole:
            raise StoreError(
                f"{str(folder)[:40]}...: is too long: paths of files in it would have {size} bytes; at most {whole}"
            )


def limit(folder: Path | None, name: str, default: int) -> int:
    """Ask the file system of a folder for one of its limits."""
    try:
        found = os.pathconf(folder or "/", name)
    except (AttributeError, OSError, ValueError):  # no such question here
        return default
    return found if found > 0 else default


@contextmanager
def writing(path: Path, temporary: Path) -> Iterator[None]:
    """Guard the writing of a file by way of another name: that is gone afterwards, whatever happened.

    Raises:
        StoreError: the file cannot be written; says which, and why.
    """
    try:
        with interrupts.will(lambda: temporary.unlink(missing_ok=True)):
            yield
    except OSError as error:
        hint = limits.hint("f") if error.errno == errno.EFBIG else ""
        raise StoreError(f"{path}: cannot be written ({error.strerror or error}{hint})") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole: under a temporary name, then renamed.

    Raises:
        StoreError: it cannot be written.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole, likewise."""
    temporary = path.with_name(f".{path.name}.{OWN}.tmp")
    with writing(path, temporary):
        temporary.write_bytes(content)
        temporary.replace(path)
