"""How far ``actlab.run`` is, where someone looks on: a bar in a notebook, a line in a terminal, else nothing.

The bar is the browser's own, shown by IPython, which is there in every notebook: no extension has to be.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from actlab import awake
from actlab.engine.how_far import LiveProgress, pieces, share_of
from actlab.naming import counted

if TYPE_CHECKING:
    from actlab.engine.control import Progress

OFTEN = 0.2  # seconds between two looks of the bar
KEPT = "What is finished is kept: the same call resumes from there."


class Interrupted(KeyboardInterrupt):
    """A run that was interrupted in a notebook: it ends the cell, and those behind it, by one line."""

    def _render_traceback_(self) -> list[str]:
        """Say it, without a traceback: what IPython asks an error for."""
        return [f"Interrupted. {self}"]


class Shown:
    """What a notebook shows at one moment: words, and a bar where a share of the work is known."""

    def __init__(self, words: str, share: float | None = None) -> None:
        """Take them."""
        self.words, self.share = words, share

    def __repr__(self) -> str:
        """Show the words where there is no HTML."""
        return self.words

    def _repr_html_(self) -> str:
        """Show the bar as the browser has it, and the words beside it."""
        bar = f'<progress max="1" value="{self.share:.3f}"></progress> ' if self.share is not None else ""
        return f'<div role="status">{bar}{escape(self.words)}</div>'


class Bar:
    """The bar of one run: it is shown as soon as there is anything to say, and ends as a line without a clock."""

    def __init__(self, begin: float) -> None:
        """Nothing is known yet."""
        self.begin, self.due = begin, 0.0
        self.phase = ""
        self.state: Progress | None = None
        self.place: Any = None  # IPython's handle

    def __call__(self, state: Progress) -> None:
        """Show how far it has come, if it is time to, or it is at something else."""
        now = awake.seconds()
        turns, self.phase, self.state = state.phase != self.phase, state.phase, state
        if turns or now >= self.due:
            self.due = now + OFTEN
            said = " · ".join(text for _, text in pieces(state, now - self.begin))
            self.show(Shown(said, share_of(state)))

    def show(self, what: Shown) -> None:
        """Show something in the place of what was shown before."""
        if self.place is None:
            from IPython.display import display

            self.place = display(what, display_id=True)
        else:
            self.place.update(what)

    def end(self, how: str = "") -> None:
        """Say what it came to: nothing that would be another the next time."""
        state = self.state
        runs = f"{counted(state.runs_done, 'run')} trained" if state and state.runs else "Nothing was left to train"
        failed = f", {counted(len(state.failures), 'job')} failed" if state and state.failures else ""
        self.show(Shown(f"{runs}{failed}{how}"))


def is_there() -> bool:
    """Whether this process is a notebook's kernel."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


@contextmanager
def followed(progress: Callable[[Progress], None] | bool | None) -> Iterator[Callable[[Progress], object]]:
    """Show how far a run is for a ``with`` block; gives what is to be called with that.

    Args:
        progress: what the caller wants to have called instead; True, or None: whatever suits the place; False: nothing.

    Raises:
        Interrupted: in a notebook, for the ``KeyboardInterrupt`` that it is.
    """
    if callable(progress):
        yield progress
    elif progress is False:
        yield nothing
    elif is_there():
        bar = Bar(awake.seconds())
        try:
            yield bar
        except KeyboardInterrupt:
            if bar.place is not None:
                bar.end(", then interrupted")
            raise Interrupted(KEPT) from None
        except BaseException:
            if bar.place is not None:
                bar.end(", then stopped")
            raise
        bar.end(", tables and figures written")
    elif sys.stderr is not None and sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True)
        live = LiveProgress(awake.seconds(), console)
        with Live(get_renderable=live.draw, console=console, refresh_per_second=4):
            yield live
    else:
        yield nothing


def nothing(state: Progress) -> None:
    """Show nothing."""
