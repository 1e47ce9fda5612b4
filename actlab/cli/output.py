"""What the command line prints while it works, and of a plan."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from actlab.cli.terminal import err, one_line, out, say
from actlab.naming import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actlab.engine.control import Progress
    from actlab.study.jobs import Run
    from actlab.study.plan import Plan

WRITING = "writing tables and figures"


def show_plan(name: str, planned: "Plan") -> None:
    """Print a plan: what all its cells share, then a line for each activation."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    by_activation: dict[str, list[Run]] = {}
    for one in planned.runs.values():
        by_activation.setdefault(planned.label(one, "activation"), []).append(one)
    listed = {activation: settings(runs) for activation, runs in by_activation.items()}
    common = {key: value for key, value in next(iter(listed.values())).items() if all_equal(key, listed)}
    say(f"study {name}: " + ", ".join(f"{key} {value}" for key, value in common.items()))
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("activation", no_wrap=True)
    varying = [key for key in next(iter(listed.values())) if key not in common]
    for title in (*varying, "runs", "GFLOP"):
        table.add_column(title, justify="right")
    for activation, runs in by_activation.items():
        work = sum(one.flops for one in runs) / 1e9
        table.add_row(
            one_line(activation), *(listed[activation][key] for key in varying), str(len(runs)), f"{work:,.0f}"
        )
    out.print(table)


def show_data(seen: "Sequence[Mapping[str, Any]]", most: int = 4) -> None:
    """Print what was understood of each data set, and of what it was unsure."""
    from actlab.data.look import heading, lines

    for about in seen[:most]:
        say(f"data {one_line(heading(about))}")
        for what, text in lines(about).items():
            say(f"  {what:<9} {one_line(text)}")
        for text in about["unsure"]:
            say(f"  unsure    {one_line(text)}")
    if len(seen) > most:
        say(f"and {len(seen) - most} more; `actlab plan --json` lists them")
    say()


def tell(planned: "Plan", also: str = "") -> None:
    """Print what a plan was unsure of, and what else there is to say, before it is carried out."""
    if also:
        err.print(f"actlab: {also}")
    from actlab.data.look import heading

    for about in planned.data:
        head = heading(about)
        for text in about["unsure"] or ([""] if about["names"][1:] else []):
            err.print(one_line(f"{head}: {text}".removesuffix(": ")))


def note(line: str) -> None:
    """Print a line on what is stored, beside what was asked for."""
    err.print(line)


def plan_as_json(planned: "Plan", totals: "Mapping[str, Any]") -> str:
    """Write a plan as JSON: its runs with their settings, its data, and what it costs (see ``analysis.answers``)."""
    from actlab.analysis.answers import PlanAnswer

    told_apart = ({column: planned.label(one, column) for column in planned.prefixes} for one in planned.runs.values())
    runs = [{**one.labels, **own} for one, own in zip(planned.runs.values(), told_apart, strict=True)]
    about = {"data": list(planned.data), "unknown_death": dict(planned.unknown_death)}
    return PlanAnswer(planned=len(runs), **totals, **about, runs=runs).text()


def settings(runs: "list[Run]") -> dict[str, str]:
    """Put in words what some runs vary over, by setting."""
    columns = {"depth": "depth", "width": "width", "optimizer": "optimizer", "rate": "learning_rate", "seeds": "seed"}
    values = {title: sorted({one.labels[column] for one in runs}) for title, column in columns.items()}
    return {title: ", ".join(show(value) for value in different) for title, different in values.items()}


def all_equal(key: str, listed: dict[str, dict[str, str]]) -> bool:
    """Whether a setting is the same for every activation."""
    return len({values[key] for values in listed.values()}) == 1


@contextmanager
def progress_display() -> Iterator[Any]:
    """Show a live bar on a terminal, plain lines elsewhere; gives a function to call with the progress so far."""
    if not out.is_terminal:
        yield PlainProgress()
        return
    from rich import progress as bars

    columns = (
        bars.TextColumn("{task.description}", style="bold", markup=False),
        bars.BarColumn(),
        bars.TextColumn("{task.fields[jobs]}  {task.fields[rate]}", markup=False),
        bars.TimeElapsedColumn(),
        bars.TextColumn("left"),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=out) as bar:
        task = bar.add_task("planning", total=None, jobs="", rate="")
        begin = time.monotonic()

        def update(state: "Progress") -> None:
            if state.to_write:
                doing, total, done = WRITING, state.to_write, state.written
                bar.update(task, description=doing, total=total, completed=done, jobs=f"{done}/{total}", rate="")
                return
            rate = state.runs_done / max(time.monotonic() - begin, 1e-9)
            failed = f", {len(state.failures)} failed" if state.failures else ""
            done = state.jobs_done == state.jobs
            doing = "saving (Ctrl-C: at once)" if state.stopping else "reporting" if done else "training"
            bar.update(
                task,
                description=doing,
                total=1.0,
                completed=state.share,
                jobs=f"{state.runs_done}/{state.runs} runs  {state.jobs_done}/{state.jobs} jobs{failed}",
                rate=f"{rate:.1f} runs/s",
            )

        yield update


class PlainProgress:
    """Progress as plain lines: at most one in five seconds, the last, and one before the report is written."""

    def __init__(self) -> None:
        """Start the clock."""
        self.begin = self.last = time.monotonic()
        self.writing = False

    def __call__(self, state: "Progress") -> None:
        """Print how far it has come, if it is time to."""
        from actlab.study.cost import clock

        if state.to_write:
            if not self.writing:
                say(f"{WRITING} ({state.to_write})")
            self.writing = True
            return
        now = time.monotonic()
        if now - self.last < 5 and state.jobs_done < state.jobs:
            return
        self.last = now
        rate = state.runs_done / max(now - self.begin, 1e-9)
        left = f", about {clock((now - self.begin) * (1 / state.share - 1))} left" if state.share else ""
        failed = f", {len(state.failures)} failed" if state.failures else ""
        say(
            f"{state.runs_done}/{state.runs} runs, {state.jobs_done}/{state.jobs} jobs{failed}, {rate:.1f} runs/s{left}"
        )
