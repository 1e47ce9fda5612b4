"""Which runs a study's folder is for: written by ``run``, read by whoever must tell its parts from another study's.

``planned.txt`` has the name of a run in each line, below one that says how many they are and what their SHA-256 is.
A folder of an earlier version has none.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from actlab.engine.files import content_of, write_text

PLANNED = "planned.txt"
MOST_BYTES = 2**26  # five million runs
RUN = re.compile(r"[0-9a-f]{12}")
HEAD = "# {} runs are planned; SHA-256 {}"


class PlannedError(ValueError):
    """The list of planned runs is not what was written; says so, to stand after the file's name."""


def write_planned(folder: Path, runs: Iterable[str]) -> None:
    """Write the names of the runs that are planned.

    Raises:
        StoreError: they cannot be written.
    """
    write_text(folder / PLANNED, text_of(runs))


def text_of(runs: Iterable[str]) -> str:
    """Write the names of runs, sorted, below their number and checksum.

    >>> print(text_of(["00000000000b", "00000000000a"]))
    # 2 runs are planned; SHA-256 a92b81fbf9ecd6d1384e15ee145c1874
    00000000000a
    00000000000b
    """
    lines = "".join(f"{run}\n" for run in sorted(set(runs)))
    return f"{HEAD.format(lines.count(chr(10)), hashlib.sha256(lines.encode()).hexdigest()[:32])}\n{lines}"


def read_planned(folder: Path) -> frozenset[str] | None:
    """Read the names of the runs that are planned; None in a folder of an earlier version.

    Raises:
        PlannedError: they are not what was written.
    """
    try:
        text = content_of(folder / PLANNED, MOST_BYTES).decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise PlannedError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    runs = text.splitlines()[1:]
    if not all(RUN.fullmatch(run) for run in runs) or text != text_of(runs):
        raise PlannedError("is not what was written")
    return frozenset(runs)
