"""A question before a study's folder is set aside, where someone is there to answer it."""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from actlab.cli.progress import progress_display
from actlab.cli.terminal import err, printable


def someone_is_there() -> bool:
    """Whether there is a terminal to ask on, and this command is not in its background, where reading would stop it."""
    try:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
    except (AttributeError, ValueError):  # no such stream, or one that is closed
        return False
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # a terminal without jobs: nothing is in its background
        return True


def ask(question: str) -> bool:
    """Ask on standard error, and read the answer from standard input; anything but yes is no."""
    print(f"{printable(question)} [y/N] ", end="", file=err.file, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


class Shown:
    """Progress that is shown from the start, or from the answer to a question on: a bar would be drawn over that."""

    def __init__(self, until: ExitStack, begin: float, asks: bool) -> None:
        """Begin to show, unless a question may come first.

        Args:
            until: as long as this is open.
            begin: when the command began, of ``awake.seconds()``.
            asks: whether one may.
        """
        self.until, self.begin, self.asks = until, begin, asks
        self.update: Callable[..., Any] | None = None
        if not asks:
            self.update = until.enter_context(progress_display(self.begin))

    def __call__(self, state: Any) -> None:
        """Show how far it has come."""
        if self.update is None:
            self.update = self.until.enter_context(progress_display(self.begin))
        self.update(state)

    @property
    def confirm(self) -> Callable[[str], bool] | None:
        """What asks, if anything does."""
        return ask if self.asks else None
