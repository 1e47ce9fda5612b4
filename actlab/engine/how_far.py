"""How far a study has come, in words and as one line: for a terminal, and for a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actlab import awake
from actlab.naming import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from actlab.engine.control import Progress

WRITING = "writing tables and figures"
SAVING = "saving (Ctrl-C: at once)"
BAR = 10, 40  # columns that a bar has at least, or there is none, and at most
GAP = "  "


def duration(seconds: float) -> str:
    """Write seconds as a clock does.

    >>> duration(5.4), duration(65), duration(36065)
    ('0:05', '1:05', '10:01:05')
    """
    minutes, rest = divmod(int(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def per_time(rate: float) -> str:
    """Write runs a second in the unit that tells most.

    >>> per_time(6.123), per_time(0.5), per_time(0.001)
    ('6.1 runs/s', '30.0 runs/min', '3.6 runs/h')
    """
    for seconds, unit in ((1, "s"), (60, "min")):
        if rate * seconds >= 1:
            return f"{rate * seconds:.1f} runs/{unit}"
    return f"{rate * 3600:.1f} runs/h"


def doing(state: Progress) -> str:
    """Put in words what a study is at.

    >>> from actlab.engine.control import Progress
    >>> doing(Progress(0.0, 0, 4, 0, 2, {}, compiled=1, programs=4)), doing(Progress(1.0, 4, 4, 2, 2, {}))
    ('compiling 1 of 4 programs', 'reporting')
    >>> doing(Progress(0.0, 0, 4, 0, 2, {}, compiled=4, programs=4, compiling=1))  # what another worker has
    'compiling'
    """
    if state.phase == "compiling" and state.compiled < state.programs:
        return f"compiling {state.compiled} of {counted(state.programs, 'program')}"
    return {"writing": WRITING, "saving": SAVING}.get(state.phase, state.phase)


def pieces(state: Progress | None, elapsed: float, since: float = 0.0) -> list[tuple[int, str]]:
    """List what is to be said of a state, in order, each with its rank: what there is no room for is the last in rank.

    Args:
        state: None while a study is planned.
        elapsed: seconds since the command began.
        since: seconds since the state was told.
    """
    clock = (3, duration(elapsed))
    if state is None:
        return [(0, "planning"), clock]
    if state.phase == "writing":
        return [(0, WRITING), (1, f"{state.written}/{state.to_write}"), clock]
    if state.phase == "predicting":
        return [(0, state.phase), (1, f"{state.predicted}/{counted(state.to_predict, 'cell')}"), clock]
    said = [(0, doing(state))]
    done, runs, _ = state.of_all
    if state.phase != "compiling" or done:
        said += [(1, f"{done}/{counted(runs, 'run')}")]
        said += [(6, f"{state.jobs_done}/{counted(state.jobs, 'job')}")]
    if state.failures:
        said += [(1, f"{len(state.failures)} failed")]
    if state.phase == "training":
        said += [(7, f"{state.compiling} compiling")] if state.compiling else []
        said += [(5, per_time(state.rate))] if state.rate else []
    said += [clock]
    if state.phase == "training" and state.left is not None:
        said += [(2, f"{duration(max(state.left - since, 0.0))} left")]
    return said


def share_of(state: Progress | None) -> float | None:
    """What share of what it is at is done; None where that is not known."""
    if state is None or state.phase == "reporting":
        return None
    if state.phase == "predicting":
        return state.predicted / state.to_predict
    if state.phase == "compiling":
        return state.compiled / state.programs if state.compiled < state.programs else None
    return state.written / state.to_write if state.to_write else state.of_all[2]


def line(
    state: Progress | None, elapsed: float, width: int, since: float = 0.0, bar: tuple[str, str] = ("━", "─")
) -> Text:
    """Lay out one line that no terminal cuts: what matters least gives way.

    Args:
        state, elapsed, since: see ``pieces``.
        width: columns there are.
        bar: of what a bar's done and coming parts are made.

    >>> print(line(None, 3.0, 40))
    planning  0:03
    """
    from rich.text import Text

    said = pieces(state, elapsed, since)
    share = share_of(state)
    kept: set[int] = set()
    room = width + len(GAP)
    for place in sorted(range(len(said)), key=lambda place: said[place][0]):
        if said[place][0] > 4 and share is not None and room - len(GAP) < BAR[0] + len(said[place][1]) + len(GAP):
            continue  # a bar says more
        if (size := len(said[place][1]) + len(GAP)) <= room or not kept:
            kept.add(place)
            room -= size
    text = Text(no_wrap=True, overflow="ellipsis")
    for place in sorted(kept):
        text.append(GAP if place else "")
        text.append(said[place][1], style="bold" if place == 0 else "")
        if place == 0 and share is not None and room - len(GAP) >= BAR[0]:
            columns = min(room - len(GAP), BAR[1])
            done = round(columns * min(max(share, 0.0), 1.0))
            text.append(GAP)
            text.append(bar[0] * done, style="bar.complete")
            text.append(bar[1] * (columns - done), style="bar.back")
    return text


class LiveProgress:
    """The line of a terminal: it notes what it is given, and is drawn by itself."""

    def __init__(self, begin: float, console: Console) -> None:
        """Nothing is known yet."""
        self.console = console
        self.begin = self.noted = begin
        self.state: Progress | None = None

    def __call__(self, state: Progress) -> None:
        """Take note of how far it has come."""
        self.state, self.noted = state, awake.seconds()

    def draw(self) -> Text:
        """Lay out the line for the terminal as wide as it is now."""
        now = awake.seconds()
        bar = ("━", "─") if self.console.encoding.startswith("utf") else ("#", "-")
        return line(self.state, now - self.begin, self.console.width, now - self.noted, bar)
