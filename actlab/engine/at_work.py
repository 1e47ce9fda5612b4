"""Who is at work in a study's folder, as its lock says. Nothing is locked for it, and nothing written."""

from __future__ import annotations

import os
import re
import socket
import time
from pathlib import Path

from actlab import commands
from actlab.engine.control import LOCK, PROGRESS
from actlab.engine.files import content_of
from actlab.processes import is_alive

SILENT = 15.0  # seconds after which a run that says nothing is suspended, or gone
LOST = 120.0  # seconds after which a run on another machine is taken for gone
OWNER = re.compile(r"process (\d+) on (\S+), since (.*)")


def age(path: Path) -> float:
    """Return the seconds since a file was written; endless without one."""
    try:
        return max(time.time() - path.stat().st_mtime, 0.0)
    except OSError:
        return float("inf")


def owner_of(folder: Path) -> tuple[str, bool | None]:
    """Read the lock: what it says of its owner, and whether that is alive; None where there is no lock."""
    lock = folder / LOCK
    try:
        owner = content_of(lock, 2**12).decode("utf-8", "replace")
    except OSError:
        return "", None
    said = OWNER.match(owner)
    if said is None:  # who takes the lock empties it for a moment
        return "", age(lock) < SILENT
    if said[2] == socket.gethostname():
        return owner.strip(), is_alive(said[1])
    return owner.strip(), min(age(folder / PROGRESS), age(lock)) < LOST


def way_to_train(folder: Path, them: str = "them") -> str:
    """Say how the runs come about that a folder lacks: by whoever trains there at the moment, or by which command."""
    owner, is_there = owner_of(folder)
    said = OWNER.match(owner)
    if is_there and not (said and said[2] == socket.gethostname() and int(said[1]) == os.getpid()):
        return f"another process is at work here at the moment{f' ({owner})' if owner else ''}"
    return f"`{commands.resume(folder)}` trains {them}"
