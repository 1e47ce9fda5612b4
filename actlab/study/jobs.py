"""What is to be trained: runs, the jobs in which they are handed out, and what shapes the program that they share.

Plain values. A worker reads them without importing what planned them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from actlab.data.spec import DataSpec
from actlab.nn.spec import ProgramSpec

PROGRAMS = 4
"""Compiled programs of a shape: see ``nn.programs``."""


@dataclass(frozen=True)
class FunctionKey:
    """What a worker needs to find a function by: its name, and of a user's own its file and checksum."""

    name: str
    source: str | None = None
    source_checksum: str | None = None


@dataclass(frozen=True)
class Shape:
    """What decides the compiled programs, and the data that they run on.

    The activations are those of all runs that have everything else in common, and ``spec.depth_bound`` the deepest of
    them: which of the activations a run has, and how deep it is, are numbers (see ``Job``). On an accelerator, each
    depth has its own programs (``spec.static_depth``).

    Attributes:
        spec: what of the programs is plain values.
        activations, optimizer, own_measures: the functions in them.
        data: which rows.
        data_checksum: of their content, or of what generates them.
        probe_rows: how many training rows the per-layer measures are taken on.
    """

    spec: ProgramSpec
    activations: tuple[FunctionKey, ...]
    optimizer: FunctionKey
    own_measures: tuple[FunctionKey, ...]
    data: DataSpec
    data_checksum: str
    probe_rows: int

    @property
    def programs(self) -> tuple[Any, ...]:
        """What tells its programs from others, as far as a plan knows: of its data what decides their shapes."""
        data = replace(self.data, seed=0, standardize=True, label_noise=0.0, target_loss=None)
        return self.spec, self.activations, self.optimizer, self.own_measures, data, self.data_checksum, self.probe_rows


@dataclass(frozen=True)
class Run:
    """One training: its identity and settings as plain columns, and its numbers for the compiled program.

    ``modules`` are those that the user's files in it import from elsewhere: a worker notes their versions.
    ``weight_bytes`` is what its weights take on the disk, where they are kept.
    """

    id: str
    labels: Mapping[str, Any] = field(repr=False)
    numbers: Mapping[str, Any] = field(repr=False)
    flops: float
    modules: frozenset[str] = field(repr=False, default=frozenset())
    weight_bytes: float = field(repr=False, default=0.0)


@dataclass(frozen=True)
class Job:
    """Runs of one shape, activation, depth and schedule, trained by one worker and stored as one part.

    ``again`` are those that are stored already, and are trained for their weights.
    """

    id: str
    shape: Shape
    activation: int
    depth: int
    runs: tuple[Run, ...]
    steps: int
    every: int
    evaluate_every: int
    keep_layers: str
    keep_weights: str = "none"
    again: frozenset[str] = frozenset()


def job_id(runs: Sequence[Run]) -> str:
    """Return a job's name: a hash of its runs."""
    return hashlib.sha256("".join(run.id for run in runs).encode()).hexdigest()[:16]


def record_steps(steps: int, every: int) -> list[int]:
    """Return the steps that are recorded: 0, every multiple of ``every``, and the last.

    >>> record_steps(50, 20)
    [0, 20, 40, 50]
    """
    return [*range(0, steps, every), steps]
