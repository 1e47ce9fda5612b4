"""Runs that one call advances: their programs, their state, and how it is advanced from record to record.

Training goes in segments of about a second, and how a run is cut into them changes no bit of it.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from actlab import awake
from actlab.activations import CATALOGUE
from actlab.engine import checkpoint, compiling, environment
from actlab.engine.checkpoint import Snapshot
from actlab.engine.loading import arrays, function_of, functions_of, program_of, record_of
from actlab.engine.records import SPLIT_METRICS
from actlab.engine.run_data import rows
from actlab.nn import weights
from actlab.nn.blocks import Function
from actlab.nn.probes import DEATH
from actlab.nn.programs import Programs, blank_masks, blank_scratches, state_axis, turned
from actlab.nn.training import Program
from actlab.study.jobs import Job, Run, job_id, record_steps

SEGMENT_SECONDS = 1.0  # how long one call may take: whoever asks a job to stop waits for it
KEPT_SHAPES = 2  # whose programs a worker keeps

log = logging.getLogger("actlab.job")

COMPILED: dict[tuple[Program, tuple[int, ...], str, Sequence[str]], Programs] = {}


@dataclass
class Pace:
    """How many steps take about ``SEGMENT_SECONDS``, learned from the segments so far, and how long those took.

    >>> pace = Pace()
    >>> pace.learn(steps=1, seconds=0.001), pace.learn(steps=8, seconds=4.0)
    (8, 2)
    """

    steps: int = 0
    seconds: float = 0.0

    def learn(self, steps: int, seconds: float) -> int:
        """What a segment took, and so what the next may: at most eight times as many steps."""
        self.seconds += seconds
        possible = steps * SEGMENT_SECONDS / max(seconds, 1e-9)
        self.steps = max(int(min(possible, 8 * max(self.steps, 1))), 1)
        return self.steps


Keep = Callable[["RunBatch", int, Any, Sequence[Any]], None]
"""(run batch, step, state, records so far) -> None: keeps the weights of a record that has just been made."""


def segments(
    job: Job,
    runs: tuple[Run, ...],
    folder: Path,
    pace: Pace,
    turn: int | None = None,
    tell: compiling.Tell = lambda ready: None,
    keep: Keep | None = None,
) -> Iterator[Snapshot]:
    """Advance one run batch from where its checkpoint stands, or from its first step, until it is done.

    ``tell`` is called where its programs must be made or read: with the names of those that are ready by then.
    With ``keep``, the weights of a record are kept before anything else becomes of it.

    Yields:
        where it stands, to begin with and after each segment: at most one record, and the steps to the next.
    """
    batch = RunBatch(job, runs, folder, turn, tell)
    schedule = record_schedule(job.steps, job.every, job.evaluate_every)
    path = checkpoint.path_of(folder, job_id(runs))
    at = batch.begin()
    if path.exists():
        own = portable(job, folder, at.state)
        _, blank = batch.record(batch.begin().state, 0, evaluated=True)
        saved = checkpoint.load(path, identity(job, runs), own, blank)
        if saved is not None:
            log.info("job %s: runs %s.. resume at step %s", job.id, runs[0].id, saved.step)
            at = replace(saved, state=usable(saved.state, at.state))
    pace.steps = pace.steps or 1
    yield at
    while not complete(at, schedule):
        begun, first = awake.seconds(), at.step
        state, records, recorded, step = at.state, at.records, at.recorded, at.step
        if step == schedule[recorded, 0]:
            state, one = batch.record(state, step, evaluated=bool(schedule[recorded, 1]))
            records, recorded, step = (*records, one), recorded + 1, step + 1
            if keep is not None:
                keep(batch, step - 1, state, records)
        if recorded < len(schedule):
            end = min(int(schedule[recorded, 0]), step + pace.steps)
            state, step = batch.train(state, step, end), end
        jax.block_until_ready(state)
        at = Snapshot(recorded, step, state, records)
        pace.learn(step - first, awake.seconds() - begun)
        yield at


class RunBatch:
    """Runs that one call advances, with their numbers and the programs that do it."""

    scratch: dict[str, Any]  # what the programs write over and give back, since ``begin``
    learned: tuple[str, ...] | None = None  # columns of the learned parameters, if not of their own names

    def __init__(
        self,
        job: Job,
        runs: tuple[Run, ...],
        folder: Path,
        turn: int | None = None,
        tell: compiling.Tell = lambda ready: None,
        wanted: Sequence[str] = compiling.ALL,
    ) -> None:
        """Compile the programs that are wanted, unless this worker has done so for the job's shape before."""
        shape, sources_folder = job.shape, folder / "sources"
        self.runs = runs
        self.call = (np.int32(job.depth), np.int32(job.activation))
        self.function = function_of(record_of(CATALOGUE, shape.activations[job.activation], sources_folder))
        self.learned = tuple(one for one in str(runs[0].labels["learned"]).split(",") if one)
        self.data = arrays(shape, sources_folder)
        # A short batch is padded with copies of its first run, never narrowed: its size changes rounding.
        filled = runs + (runs[0],) * (shape.spec.runs_per_call * jax.local_device_count() - len(runs))
        self.program = program_of(shape, sources_folder)
        self.numbers = stack(
            [numbers_for(self.program, self.function, run) for run in filled], np.dtype(shape.spec.dtype)
        )
        dataset = rows(shape, sources_folder)
        sizes = (dataset.train.x.shape[1], len(dataset.classes) or 1)
        key = (self.program, (*sizes, *(len(x) for x, _ in self.data.values())), environment.flags(), wanted)
        if key not in COMPILED:
            if len(COMPILED) == KEPT_SHAPES:
                COMPILED.pop(next(iter(COMPILED)))
            made_for = (shape, self.program, self.numbers, self.data, self.call, sizes, turn)
            COMPILED[key] = compiling.compiled_programs(*made_for, tell, wanted)
        self.programs = COMPILED[key]

    def begin(self) -> Snapshot:
        """Return where a run batch stands that has done nothing."""
        masks = blank_masks(self.program, len(self.numbers["seed"]))
        training = self.programs.start(self.numbers, self.call[0])
        self.scratch = blank_scratches(self.program, training["parameters"], len(self.data["probe"][1]))
        return Snapshot(0, 0, {"training": training, "masks": masks}, ())

    def train(self, state: Any, begin: int, end: int, recorded: bool = False) -> Any:
        """Take steps begin..end; the state comes in the place of the one given, if recorded with its sums reset."""
        steps = map(np.int32, (begin, end, recorded))
        training, self.scratch["train"] = self.programs.train(
            state["training"], self.scratch["train"], self.numbers, self.data, *steps, *self.call
        )
        return state | {"training": training}

    def record(self, state: Any, step: int, evaluated: bool) -> tuple[Any, dict[str, Any]]:
        """Take one step; returns the state, and what is recorded before that step, leaves [runs, 1, ...].

        What belongs to evaluations is NaN at other records; there, training loss and accuracy are minibatch means since
        the record before.
        """
        training, depth = state["training"], int(self.call[0])
        if evaluated:
            masks, whole = self.programs.evaluate(
                training["parameters"], state["masks"], self.numbers, self.data, np.int32(step == 0), *self.call
            )
            state = state | {"masks": masks}
        else:
            with np.errstate(invalid="ignore"):  # nothing since the record before
                steps = np.asarray(training["steps_since_record"]).astype(self.program.spec.dtype)
                means = {f"train_{name}": np.asarray(training[f"{name}_sum"]) / steps for name in ("loss", "accuracy")}
            whole = not_evaluated(self.program, len(self.numbers["seed"])) | means
        after = self.train(state, step, step + 1, recorded=True)
        parameters, later = self.scratch["train"]["before"], after["training"]["parameters"]
        measured, self.scratch["measure"] = self.programs.measure(
            parameters, later, self.scratch["measure"], self.numbers, self.data, *self.call
        )
        own = {"layers": {"activation": np.asarray(parameters["layers"]["activation"])}}
        values = turned(own, self.program.spec.runs_per_call)["layers"]["activation"]
        learned = learned_columns(self.function.learnable if self.learned is None else self.learned, values)
        layers = measured["layers"] | whole.pop("layers") | learned
        by_layer = jax.tree.map(lambda leaf: np.asarray(leaf)[:, :depth], measured | {"layers": layers})
        return after, jax.tree.map(lambda leaf: np.asarray(leaf)[:, None], by_layer | whole)

    def weights(self, runs: Sequence[tuple[int, Run]]) -> dict[str, dict[str, np.ndarray]]:
        """Copy the weights that the last record was made of, by run and name (see ``nn.weights``).

        Args:
            runs: which, and the place of each in the run batch.
        """
        depth, before = int(self.call[0]), self.scratch["train"]["before"]
        host = turned(jax.tree.map(np.asarray, before), self.program.spec.runs_per_call)
        named = {}
        for i, run in runs:
            own = jax.tree.map(lambda leaf, i=i: leaf[i], host)
            statistics = self.statistics(own, run) if self.program.spec.block.norm == "batch" else []
            named[run.id] = weights.named(own, depth, self.function.learnable, statistics)
        return named

    def statistics(self, parameters: Any, run: Run) -> list[tuple[np.ndarray, np.ndarray]]:
        """Compute the statistics of batch normalisation that a record has: of the whole training split, by layer."""
        from actlab.nn.model import DeepMLP

        own = jax.tree.map(lambda leaf: jax.numpy.array(leaf), parameters)  # copies: training writes over the others
        network = DeepMLP(own, int(self.call[0]), self.function, run.numbers["fixed"], self.program.spec.block)
        network.take_statistics(self.data["train"][0])
        return [(np.asarray(one.norm.mean[...]), np.asarray(one.norm.var[...])) for one in network.hidden]


def identity(job: Job, runs: Sequence[Run]) -> str:
    """Hash what a checkpoint of a run batch must agree with: nothing of other runs that share its programs."""
    ids = [run.id for run in runs]
    packages = environment.packages(frozenset[str]().union(*(run.modules for run in runs)))
    own = replace(
        job.shape,
        activations=(job.shape.activations[job.activation],),
        spec=replace(job.shape.spec, depth_bound=job.depth),
    )
    more = [packages, "" if job.keep_weights == "none" else job.keep_weights]
    return checkpoint.identity(ids, own, job.steps, job.every, job.evaluate_every, devices(), *filter(None, more))


def devices() -> str:
    """Name the kind of this process's devices, and how many there are if more than one."""
    number, kind = jax.local_device_count(), jax.local_devices()[0].device_kind
    return kind if number == 1 else f"{number} × {kind}"


def portable(job: Job, folder: Path, state: Any) -> Any:
    """Strip a run batch's state of what it would not have if no other run of the study shared its programs."""
    slots = len(functions_of(job.shape, folder / "sources")[job.activation].learnable)
    run_axis = state_axis(job.shape.spec.runs_per_call)

    def own(path: tuple[Any, ...], leaf: Any) -> np.ndarray:
        keys = [entry.key for entry in path]
        leaf = np.asarray(leaf)
        if "layers" in keys or "masks" in keys:
            leaf = leaf[: job.depth] if run_axis(path) else leaf[:, : job.depth]
        return leaf[:, :, :slots] if keys[-1] == "activation" else leaf

    return jax.tree_util.tree_map_with_path(own, state)


def usable(state: Any, like: Any) -> Any:
    """Invert ``portable``: a state in the shapes of this study's programs, zeros where it has nothing."""

    def filled(own: np.ndarray, whole: Any) -> np.ndarray:
        return np.pad(own, [(0, most - size) for size, most in zip(own.shape, whole.shape, strict=True)])

    return jax.tree.map(filled, state, like)


def not_evaluated(program: Program, runs: int) -> dict[str, Any]:
    """Make the record of an evaluation that was not made: NaN, as ``nn.recording.evaluate`` would shape it."""
    nothing = np.full(runs, np.nan, program.spec.dtype)
    by_layer = np.full((runs, program.spec.depth_bound), np.nan, program.spec.dtype)
    return dict.fromkeys((*SPLIT_METRICS, "network_dead"), nothing) | {"layers": dict.fromkeys(DEATH, by_layer)}


def learned_columns(names: Sequence[str], values: np.ndarray) -> dict[str, np.ndarray]:
    """Make columns of learnable activation parameters, by layer [R, L]; of units' own their mean, least and largest.

    Args:
        names: of the columns, in the order of the slots.
        values: of all slots [R, L, P], or [R, L, P, W] of units' own.
    """
    columns: dict[str, np.ndarray] = {}
    for slot, name in enumerate(names):
        value = values[:, :, slot]
        if value.ndim == 3:
            columns |= {name: value.mean(axis=2), f"{name}_min": value.min(axis=2), f"{name}_max": value.max(axis=2)}
        else:
            columns[name] = value
    return columns


def complete(at: Snapshot, schedule: np.ndarray) -> bool:
    """Whether a run batch is done: at its end, or with a record after the step at which its last run diverged."""
    if at.recorded == len(schedule):
        return True
    diverged = np.asarray(at.state["training"]["diverged_step"])
    return bool(np.all(diverged >= 0)) and at.recorded > 0 and bool(schedule[at.recorded - 1, 0] > diverged.max())


def record_schedule(steps: int, every: int, evaluate_every: int) -> np.ndarray:
    """List the records of a whole run: step, and whether whole splits are evaluated, [R, 2] int32.

    >>> record_schedule(50, 20, 40).tolist()
    [[0, 1], [20, 0], [40, 1], [50, 1]]
    """
    at = record_steps(steps, every)
    return np.array([(t, t % evaluate_every == 0 or t == steps) for t in at], np.int32)


def stack(numbers: Sequence[Mapping[str, Any]], dtype: np.dtype) -> Any:
    """Stack runs' numbers into one tree of arrays with a leading run axis."""

    def leaf(*values: Any) -> np.ndarray:
        array = np.asarray(values)
        return array.astype(np.uint32 if array.dtype.kind in "iu" else dtype)

    return jax.tree.map(leaf, *numbers, is_leaf=lambda node: isinstance(node, tuple))


def numbers_for(program: Program, function: Function, run: Run) -> dict[str, Any]:
    """Shape a run's numbers as the program takes them: zeros beyond its depth and its activation's parameters."""

    def filled(values: Sequence[float], most: int) -> tuple[float, ...]:
        return (*values, *[0.0] * (most - len(values)))

    numbers = dict(run.numbers)
    for name in ("weight_std", "bias_mean", "bias_std"):
        numbers[name] = filled(numbers[name], program.spec.depth_bound)
    fixed = function.slots_of(numbers["fixed"], numbers.pop("flat_pieces", None) or ())
    numbers["fixed"] = filled(fixed, max(one.slots for one in program.functions))
    depth, bound = len(run.numbers["weight_std"]), program.spec.depth_bound
    by_layer = [of_layers(numbers["learnable"][parameter], depth) for parameter in function.learnable]
    layers = [filled([one[l] for one in by_layer], program.slots) for l in range(depth)]
    numbers["learnable"] = (*layers, *[filled((), program.slots)] * (bound - depth))
    return numbers


def of_layers(value: float | Sequence[float], depth: int) -> Sequence[float]:
    """Give each hidden layer its start of an activation parameter: its own, or the one that all have.

    >>> of_layers(0.25, 3), of_layers((0.3, 0.2), 2)
    ((0.25, 0.25, 0.25), (0.3, 0.2))
    """
    return (value,) * depth if isinstance(value, float | int) else value
