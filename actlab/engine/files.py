"""Files of a study's folder that appear whole or not at all."""

import errno
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from actlab import interrupts, limits

OWN = uuid.uuid4().hex[:12]  # in the names of this process's temporary files; ids of processes repeat on a cluster


class StoreError(ValueError):
    """The folder is not a study's, or cannot be read or written."""


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
    temporary = path.with_name(f".{path.name}.{OWN}.tmp")
    with writing(path, temporary):
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
