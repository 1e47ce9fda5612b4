"""What a user's function may do to the process that calls it, other than fail: end it, or leave it changed."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from actlab.sources.running import first_line, user_frames
from actlab.sources.statements import SourceError


@contextmanager
def contained() -> Iterator[None]:
    """Run a user's function so that it cannot end the process by ``sys.exit()`` and its like, nor move or mute it.

    Interrupting is left to whoever sits at the keyboard: a ``KeyboardInterrupt`` goes on only where a signal came.

    Raises:
        SourceError: the function ended in another way than by returning or by an ordinary error.
    """
    folder, streams = os.getcwd() if is_anywhere() else None, (sys.stdout, sys.stderr)
    interrupted = False
    before: Any = None

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        if callable(before):
            before(number, frame)
        else:
            raise KeyboardInterrupt

    listens = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) not in (
        signal.SIG_IGN,
        None,
    )
    if listens:
        before = signal.signal(signal.SIGINT, note)
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        frames = user_frames(error)
        if not frames or interrupted:
            raise
        said = first_line(error)
        what = f"{type(error).__name__}{f': {said}' if said else ''}"
        raise SourceError(f"{frames[-1][0]}, line {frames[-1][1]}: ends the program ({what})") from error
    finally:
        if listens:
            signal.signal(signal.SIGINT, before)
        sys.stdout, sys.stderr = streams
        if folder is not None:
            with suppress(OSError):
                os.chdir(folder)


def is_anywhere() -> bool:
    """Whether the current folder still exists."""
    try:
        os.getcwd()
    except OSError:
        return False
    return True
