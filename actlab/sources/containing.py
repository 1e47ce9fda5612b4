"""What a user's function may do to the process that calls it, other than fail: end it, hold it up, or leave it changed.

Where a trial in a process of its own cannot be afforded (tables, figures and claims are made of all that was measured)
the clock of the main thread stands in for it: it interrupts what Python runs, though not a library that does not come
back to Python.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType
from typing import Any, NoReturn

from actlab.sources.running import TookTooLong, problem, user_frames
from actlab.sources.statements import SourceError
from actlab.sources.trial import VARIABLE, seconds

AGAIN = 1.0  # seconds after which what has caught an interruption meets the next one


@contextmanager
def contained(users: bool = True) -> Iterator[None]:
    """Run a user's function so that it cannot end the process, take longer than a trial may, nor move or mute it.

    Interrupting is left to whoever sits at the keyboard: a ``KeyboardInterrupt`` goes on only where a signal came.

    Args:
        users: whether it is a user's; another has all the time it needs.

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
        with limited() if users else nullcontext():
            yield
    except Exception:
        raise
    except BaseException as error:
        frames = user_frames(error)
        if not frames or interrupted:
            raise
        raise SourceError(f"{frames[-1][0]}, line {frames[-1][1]}: {problem(error)}") from error
    finally:
        if listens:
            signal.signal(signal.SIGINT, before)
        sys.stdout, sys.stderr = streams
        if folder is not None:
            with suppress(OSError):
                os.chdir(folder)


@contextmanager
def limited() -> Iterator[None]:
    """Interrupt what takes longer than a trial may, and have ``os._exit`` raise, as ``exit`` does.

    Raises:
        TookTooLong: it did.
        SystemExit: it wanted to end the process.
    """
    limit, thread, ends = seconds(), threading.get_ident(), os._exit

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise TookTooLong(f"does not end within {limit:g} seconds; {VARIABLE}={10 * limit:g} gives it longer")

    def exit_instead(status: int) -> NoReturn:
        if threading.get_ident() == thread:
            raise SystemExit(status)
        ends(status)

    free = threading.current_thread() is threading.main_thread() and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    before: Any = signal.signal(signal.SIGALRM, interrupt) if free else None
    os._exit = exit_instead
    try:
        if free:
            signal.setitimer(signal.ITIMER_REAL, limit, AGAIN)
        yield
    finally:
        os._exit = ends
        if free:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def is_anywhere() -> bool:
    """Whether the current folder still exists."""
    try:
        os.getcwd()
    except OSError:
        return False
    return True
