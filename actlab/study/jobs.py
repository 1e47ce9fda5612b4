"""What is to be trained: runs, the jobs in which they are handed out, and what shapes the program that they share.

Plain values. A worker reads them without importing what planned them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class DataKey:
    """What a worker needs to load the data; hashable, so that it loads them once."""

    name: str
    target: str | None
    task: str
    standardize: bool
    seed: int
    train_rows: int | None
    target_loss: float | None
    checksum: str

    def arguments(self) -> dict[str, Any]:
        """The arguments of ``data.load``."""
        return {name: value for name, value in vars(self).items() if name != "checksum"}


@dataclass(frozen=True)
class FunctionKey:
    """What a worker needs to find an activation or measure: its name, and of a user's own its file and checksum."""

    name: str
    source: str | None
    source_checksum: str | None


@dataclass(frozen=True)
class Shape:
    """What shapes the compiled programs, and the data that they run on.

    The activations are those of all runs that have everything else in common, and ``depth_bound`` the deepest of them:
    which of the activations a run has, and how deep it is, are numbers (see ``Job``). On an accelerator, each depth has
    its own programs (``static_depth``).
    """

    data: DataKey
    probe_rows: int
    activations: tuple[FunctionKey, ...]
    learnable_per: str
    depth_bound: int
    static_depth: bool
    width: int
    norm: str
    residual: bool
    dropout: str
    weight_distribution: str
    bias_distribution: str
    optimizer: str
    optimizer_options: tuple[tuple[str, bool], ...]
    decay_activation_parameters: bool
    clip: bool
    batch_size: int
    probes: tuple[str, ...]
    own_measures: tuple[FunctionKey, ...]
    dtype: str
    runs_per_call: int
    eval_chunks: int


@dataclass(frozen=True)
class Run:
    """One training: its identity and settings as plain columns, and its numbers for the compiled program."""

    id: str
    labels: Mapping[str, Any] = field(repr=False)
    numbers: Mapping[str, Any] = field(repr=False)
    flops: float


@dataclass(frozen=True)
class Job:
    """Runs of one shape, activation, depth and schedule, trained by one worker and stored as one part."""

    id: str
    shape: Shape
    activation: int
    depth: int
    runs: tuple[Run, ...]
    steps: int
    every: int
    evaluate_every: int
    keep_layers: str


def job_id(runs: Sequence[Run]) -> str:
    """A job's name: a hash of its runs."""
    return hashlib.sha256("".join(run.id for run in runs).encode()).hexdigest()[:16]


def record_steps(steps: int, every: int) -> list[int]:
    """The steps that are recorded: 0, every multiple of ``every``, and the last.

    >>> record_steps(50, 20)
    [0, 20, 40, 50]
    """
    return [*range(0, steps, every), steps]
