"""Where a command's output goes: what cannot be written is dropped, and ends no work.

``actlab list | head -1`` closes the pipe, a disk fills up, a terminal goes away, a program is started without any of
its three descriptors: training goes on, the report is written, and the exit code speaks of the work alone. Where that
is to print, and nothing else, output that was lost on a full disk is exit code 1.
"""

import errno
import io
import os
import select
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

QUIET = (errno.EPIPE, errno.EIO, errno.EBADF)  # a reader that has left knows why: `| head -1`, a closed terminal
unsaid: list[str] = []  # what was dropped, and is not in a study's log yet
lost: list[str] = []  # what was dropped of standard output, unless its reader knows
WRITERS = ("run", "report", "merge", "new", "show", "gallery", "trial", "assess")  # commands whose product is files
MAY_WRITE = ("describe", "example", "schema")  # those, with --out


class Sink(io.FileIO):
    """A descriptor that takes all it is given, and drops it once the system has refused some."""

    refused = False

    def write(self, content: Any) -> int:
        """Write some bytes; return how many were written or dropped."""
        while not self.refused:
            try:
                written = super().write(content)
            except OSError as error:
                self.drop(error)
            else:
                if written is not None:
                    return written
                select.select([], [self.fileno()], [])  # another program has made it non-blocking, and it is full
        return memoryview(content).nbytes

    def drop(self, error: OSError) -> None:
        """Drop all from now on, and say so where that can be read."""
        self.refused = True
        name = {1: "standard output", 2: "standard error"}.get(self.fileno(), "output")
        text = f"{name} cannot be written ({error.strerror}): the rest of it is dropped"
        unsaid.append(text)
        if error.errno not in QUIET and self.fileno() == 1:
            lost.append(text)
        if error.errno not in QUIET and self.fileno() != 2:
            with suppress(OSError):
                os.write(2, f"actlab: {text}\n".encode())


def only_prints(words: Sequence[str]) -> bool:
    """Whether the product of a command is what it prints alone.

    >>> only_prints(["plan", "s.yaml"]), only_prints(["run", "s.yaml"]), only_prints(["schema", "--out", "s.json"])
    (True, False, False)
    """
    command = next((word for word in words if not word.startswith("-")), "")
    if command in MAY_WRITE:
        return not any(word.partition("=")[0] == "--out" for word in words)
    return command not in WRITERS or bool({"--dry-run", "--help", "-h"} & set(words))


def stand() -> None:
    """Have the standard streams be such; those that are closed lead nowhere, lest the next file opened be taken so."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free: this one
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as long as the process
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        before = getattr(sys, name)
        if before is None or isinstance(before, io.TextIOWrapper):
            setattr(sys, name, stream(descriptor, before))


def stream(descriptor: int, before: io.TextIOWrapper | None) -> io.TextIOWrapper:
    """Make a text stream that drops what cannot be written, and is otherwise as Python made it."""
    if before is not None:
        before.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(Sink(descriptor, "w", closefd=False)),
        encoding=before.encoding if before else "utf-8",
        errors=before.errors if before else "backslashreplace",
        line_buffering=before.line_buffering if before else False,
        write_through=before.write_through if before else False,
    )
