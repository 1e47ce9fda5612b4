"""What the system allows a process (``ulimit``), and what actlab needs: said in one sentence, before anything is begun.

The needs were measured: of open files in the process that hands out jobs, of threads in it and in a worker, of address
space in a process that computes with JAX. Where fewer workers fit, there are fewer; where none fits, nothing is begun.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from actlab.errors import ActlabError
from actlab.naming import counted

try:
    import resource
except ImportError:  # not a system with such limits
    resource = None  # type: ignore[assignment]

ADDRESSES = 2 * 2**30  # bytes of address space that a process with JAX needs; 1.6 were seen
NAMES = {
    "v": ("RLIMIT_AS", "bytes of address space", 1024),
    "d": ("RLIMIT_DATA", "bytes of data", 1024),
    "n": ("RLIMIT_NOFILE", "open files", 1),
    "u": ("RLIMIT_NPROC", "processes and threads", 1),
    "f": ("RLIMIT_FSIZE", "bytes of a file", 1024),
    "s": ("RLIMIT_STACK", "bytes of stack", 1024),
    "t": ("RLIMIT_CPU", "seconds of processor time", 1),
}
BY_ERROR = {errno.EMFILE: "n", errno.EAGAIN: "u", errno.EFBIG: "f"}


class LimitError(ActlabError, RuntimeError):
    """A limit of the system leaves no room for what was asked; nothing was begun."""


class Need(NamedTuple):
    """What workers need of something: so much at any rate, and so much for each."""

    letter: str
    base: int
    each: int
    used: Callable[[], int]


def threads_of_user() -> int:
    """Count the threads of all processes of this user: what ``ulimit -u`` limits."""
    number = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError, ValueError):
            lines = dict(
                line.split(":", 1) for line in status.read_text(encoding="utf-8", errors="replace").splitlines()
            )
            number += int(lines["Threads"]) if int(lines["Uid"].split()[0]) == os.getuid() else 0
    return number


NEEDS = (Need("n", 30, 7, lambda: 0), Need("u", 10, 18, threads_of_user))


def limit(letter: str) -> int | None:
    """Return a limit of this process, as ``ulimit`` with this letter would in its smallest unit; None where none is."""
    number = getattr(resource, NAMES[letter][0], None)
    if number is None or (letter == "u" and os.geteuid() == 0):  # which root does not heed
        return None
    soft = resource.getrlimit(number)[0]
    return None if soft in (resource.RLIM_INFINITY, -1) else soft


def in_words(letter: str, amount: int) -> str:
    """Name a limit by the command that sets it.

    >>> in_words("n", 64), in_words("v", 2**21)
    ('ulimit -n 64', 'ulimit -v 2048')
    """
    return f"ulimit -{letter} {amount // NAMES[letter][2]}"


def raise_to(letter: str, amount: int) -> None:
    """Raise a limit of this process, as far as it may be raised."""
    number = getattr(resource, NAMES[letter][0])
    soft, hard = resource.getrlimit(number)
    wanted = amount if hard in (resource.RLIM_INFINITY, -1) else min(amount, hard)
    if soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(number, (wanted, hard))


def fit(workers: int) -> tuple[int, str]:
    """Find how many workers there is room for, and say why where they are fewer than so many.

    Raises:
        LimitError: there is no room for one.
    """
    number, why = workers, ""
    for letter, base, each, used in NEEDS:
        if limit(letter) is None:
            continue
        at_work = used()
        wanted = at_work + base + each * workers
        if letter == "n":
            raise_to(letter, wanted)
        allowed = limit(letter) or 0
        room = (allowed - at_work - base) // each
        if room < number:
            number = room
            limited = f"{in_words(letter, allowed)} (of {NAMES[letter][1]})"
            of = f"{max(room, 0)} of {counted(workers, 'worker')}"
            why = f"{limited} leaves room for {of}; all need {in_words(letter, wanted)}"
        if room < 1:
            least = at_work + base + each
            raise LimitError(f"{why}, one needs {in_words(letter, least)}: raise it, or have it raised, and try again")
    return number, why


def require_addresses() -> None:
    """Refuse to begin what computes with JAX where its address space is too small: C++ would end the process.

    Raises:
        LimitError: it is.
    """
    allowed = limit("v")
    if allowed is not None and allowed < ADDRESSES:
        raise LimitError(
            f"{in_words('v', allowed)} (of address space) is too little: each process that computes needs "
            f"{in_words('v', ADDRESSES)} or more; raise it, or have it raised, and try again"
        )


def free_memory() -> float | None:
    """Return the bytes of memory that are free on this machine, or left to this process's group; None if unknown."""
    found = []
    with suppress(OSError, ValueError, IndexError):
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        found.append(1024.0 * int(text.split("MemAvailable:")[1].split()[0]))
    with suppress(OSError, ValueError):  # what is not limited says "max"
        most, used = (Path(f"/sys/fs/cgroup/memory.{name}").read_text(encoding="ascii") for name in ("max", "current"))
        found.append(float(int(most) - int(used)))
    return max(min(found), 0.0) if found else None


def hint(letters: str = "") -> str:
    """Name the limits that this process has been given, to add to a message about something that failed; or nothing."""
    found = [(letter, limit(letter)) for letter in letters or "vdftu"]
    named = ", ".join(in_words(letter, amount) for letter, amount in found if amount is not None)
    return f"; the limit here: {named}" if named else ""


def explained(error: BaseException) -> str:
    """Say in a sentence what limit an error is about; nothing where it is about none."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return f"memory is short{hint('vd')}; raise the limit, or ask for less at once"
    if isinstance(error, OSError) and error.errno in BY_ERROR:
        letter = BY_ERROR[error.errno]
        return f"{error.filename or NAMES[letter][1]}: {error.strerror}{hint(letter)}; raise it, or use fewer --workers"
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return f"no further thread can be started{hint('u')}; raise the limit, or use fewer --workers"
    return ""
