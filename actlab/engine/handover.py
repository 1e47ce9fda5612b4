"""What passes between a study and its workers: a job on the way out, what became of it on the way back.

Nothing that trains is imported before a worker calls ``run_job``: whoever plans, hands out jobs and follows them does
not wait for it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from actlab.naming import counted

if TYPE_CHECKING:
    from pathlib import Path

    from actlab.study.jobs import Job


@dataclass(frozen=True)
class Outcome:
    """What became of a job that did not fail.

    Attributes:
        finished: all its runs are stored; else it was asked to stop, and has saved what there was.
        parts: the parts that it wrote: {name: checksum}.
        device: what it ran on.
        seconds: how long it took.
        training_seconds: how much of that it trained and recorded.
    """

    finished: bool
    parts: Mapping[str, str]
    device: str
    seconds: float
    training_seconds: float


def run_job(job: Job, folder: Path, lock_owner: str | None, turn: int | None = None) -> Outcome:
    """Train a job's runs and store them, in the process that calls this (see ``worker.run_job``)."""
    from actlab.engine.worker_pools import write_log

    write_log(folder / "parts")
    from actlab.engine import worker

    return worker.run_job(job, folder, lock_owner, turn)


def warm_up() -> None:
    """Import all that a job needs, so that it is there when the first job comes.

    What it needs at its end follows in a thread: compiling, which comes first, leaves Python time for it.
    """
    from actlab.engine import worker  # noqa: F401

    threading.Thread(target=import_module, args=["pyarrow.pandas_compat"], daemon=True).start()


def describe(job: Job) -> str:
    """Put a job in a few words: its activation, size and number of runs."""
    shape = job.shape
    name = shape.activations[job.activation].name
    runs, steps = counted(len(job.runs), "run"), counted(job.steps, "step")
    return f"{name}, depth {job.depth}, width {shape.spec.width}, {runs} of {steps}"
