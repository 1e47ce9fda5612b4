"""A clock that stands still while this process does: suspended by Ctrl-Z, by a batch system, or with the whole machine.

Whoever comes back to a run after lunch is told what it has taken, not how long the lunch was.
"""

import threading
import time
from collections.abc import Callable

TICK = 0.5  # seconds between two looks at the time
GAP = 5.0  # seconds between two looks that only a process has which was not running


class Clock:
    """Adds up the time between looks, but for gaps that are too long.

    >>> times = iter([0.0, 1.0, 2.0, 3602.0, 3603.0])
    >>> clock = Clock(lambda: next(times))
    >>> [clock.look() for _ in range(4)]
    [1.0, 2.0, 2.0, 3.0]
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Begin at 0.

        Args:
            now: a clock that goes on meanwhile.
        """
        self.now = now
        self.last = now()
        self.seconds = 0.0
        self.lock = threading.Lock()

    def look(self) -> float:
        """Return the seconds so far in which this process was running."""
        with self.lock:
            now = self.now()
            gap = now - self.last
            self.last = now
            self.seconds += gap if gap <= GAP else 0.0
            return self.seconds


clock: Clock | None = None


def seconds() -> float:
    """Return the seconds that this process was running since it first asked: see ``Clock``.

    >>> begin = seconds()
    >>> 0 <= seconds() - begin < GAP
    True
    """
    global clock
    if clock is None:
        clock = Clock()
        threading.Thread(target=tick, args=(clock,), name="actlab-awake", daemon=True).start()
    return clock.look()


def tick(clock: Clock) -> None:
    """Look at a clock now and then, whatever else is done meanwhile."""
    while True:
        time.sleep(TICK)
        clock.look()
