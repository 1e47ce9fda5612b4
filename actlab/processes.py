"""Processes that depend on each other: whether one is there, and ending with the one that started this."""

import gc
import os
import time


def is_alive(process: str) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True


def end_with(parent: int) -> None:
    """End this process at once when the one that started it is gone: what it still does would be lost."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def collect_rarely() -> None:
    """Have this process look for rubbish less often than Python does.

    What imports make is none, and was looked through hundreds of times: a tenth of what JAX and pandas take to import.
    """
    gc.set_threshold(50_000)
