"""How far a run is: one line that changes in place on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from actlab import awake
from actlab.cli.terminal import PlainConsole, err
from actlab.engine.how_far import LiveProgress, doing, duration, per_time
from actlab.naming import counted

if TYPE_CHECKING:
    from actlab.engine.control import Progress

LINES = 5.0, 600.0, 20  # seconds between two plain lines: at least, at most, and the share of what has passed
FIRST = 2.0  # seconds after which the first plain line comes


class PlainProgress:
    """Progress as plain lines: one in five seconds at most, ever fewer in a long run, and the last one always."""

    def __init__(
        self,
        begin: float | None = None,
        now: Callable[[], float] = awake.seconds,
        print_line: Callable[[str], None] = lambda text: err.print(text),
    ) -> None:
        """Start the clock; lines stand on standard error, unless they are what a command is for."""
        self.now, self.print_line = now, print_line
        self.begin = now() if begin is None else begin
        self.due = self.begin + FIRST
        self.phase = self.last = ""
        self.state: Progress | None = None

    def __call__(self, state: "Progress") -> None:
        """Print how far it has come, if it is time to, or it is at something else."""
        begins = state.phase != self.phase and state.phase in ("saving", "reporting", "predicting", "writing")
        ends = state.phase == "writing" and state.written == state.to_write
        self.phase, self.state = state.phase, state
        if begins or ends or self.now() >= self.due:
            self.print()

    def print(self) -> None:
        """Print how far it has come."""
        state, now = self.state, self.now()
        if state is None:
            return
        least, most, part = LINES
        self.due = now + min(max((now - self.begin) / part, least), most)
        text = self.words(state, now - self.begin)
        if text != self.last:
            self.print_line(text)
        self.last = text

    def words(self, state: "Progress", elapsed: float) -> str:
        """Put a state in words."""
        from actlab.study.cost import clock

        if state.phase == "writing":
            far = f" ({state.written}/{state.to_write})" if state.written else ""
            return f"writing tables and {counted(state.to_write, 'figure')}{far}"
        if state.phase == "predicting":
            return f"predicting, {state.predicted}/{counted(state.to_predict, 'cell')}"
        said = [doing(state)] if state.phase in ("compiling", "saving") else []
        done, runs, _ = state.of_all
        if state.phase != "compiling" or done:
            said += [
                f"{done}/{counted(runs, 'run')}",
                f"{state.jobs_done}/{counted(state.jobs, 'job')}",
            ]
        said += [f"{len(state.failures)} failed"] if state.failures else []
        said += [duration(elapsed)]
        if state.phase in ("training", "reporting"):
            said += [per_time(state.rate)] if state.rate else []
        if state.phase == "training" and state.compiling:
            said += [f"{state.compiling} compiling"]
        if state.phase == "training":
            said += [f"about {clock(state.left)} left"] if state.left is not None else []
        return ", ".join(said)

    def close(self) -> None:
        """Print the last that was told, if it was not."""
        if self.state is not None and self.phase in ("compiling", "training", "saving"):
            self.print()


@contextmanager
def progress_display(begin: float) -> Iterator[Any]:
    """Show a live line on a terminal, plain lines elsewhere; gives a function to call with the progress so far.

    Args:
        begin: when the command began, in ``awake.seconds``.
    """
    if not err.is_terminal:
        plain = PlainProgress(begin)
        try:
            yield plain
        finally:
            plain.close()
        return
    from rich.live import Live

    live = LiveProgress(begin, err)
    with Live(get_renderable=live.draw, console=err, refresh_per_second=4):
        PlainConsole.live = True
        try:
            yield live
        finally:
            PlainConsole.live = False
