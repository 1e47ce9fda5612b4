"""A user's code that is called in this process may not take for ever, and may not end the process.

Where a trial cannot be afforded (tables, figures and claims are made of all that was measured) the clock of the main
thread stands in for it: it interrupts what Python runs, though not a library that does not come back to Python.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from actlab.sources.trial import VARIABLE, seconds

AGAIN = 1.0  # seconds after which what has caught an interruption meets the next one


class TookTooLong(BaseException):
    """A user's code was interrupted: no ``except Exception`` of its own is to hide that."""


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
