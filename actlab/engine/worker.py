"""One job in one worker: compile its programs once, advance its runs batch by batch, hand their rows to the store.

A job is arrays of numbers in and arrays of measurements out. It runs in a process of its own, whose thread limits were
set before JAX was imported (see ``worker_pools``).

Training goes in segments of about a second, and how a run is cut into them changes no bit of it. So little is lost when
a job is killed or asked to stop: every ``SAVE_SECONDS`` it stores the runs that are done, and a checkpoint of the run
batch in hand (see ``checkpoint``).
"""

import gc
import logging
import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from actlab import activations, data, sources
from actlab.engine import checkpoint, compiled, control, environment, store
from actlab.engine.checkpoint import Snapshot
from actlab.engine.handover import Outcome, describe
from actlab.engine.records import SPLIT_METRICS, run_row
from actlab.nn.blocks import Function, Options
from actlab.nn.own_measures import load_measure
from actlab.nn.probes import DEATH
from actlab.nn.programs import Programs, blank_masks, blank_scratches, compile_programs, state_axis, turned
from actlab.nn.training import Program
from actlab.study.jobs import DataKey, FunctionKey, Job, Run, Shape, job_id, record_steps

SEGMENT_SECONDS = 1.0  # how long one call may take: whoever asks a job to stop waits for it
SAVE_SECONDS = 20.0  # how much work may be lost; a job that is shorter writes nothing but its part
LOOK_SECONDS = 0.25  # between two looks at the clock and at whether to stop

KEPT_SHAPES = 2  # whose programs a worker keeps
COMPILERS = 2  # programs that a worker compiles at a time

log = logging.getLogger("actlab.job")

COMPILED: dict[tuple[Program, DataKey], Programs] = {}


def run_job(job: Job, folder: Path, lock_owner: str | None, turn: int = 0) -> Outcome:
    """Train a job's runs and store them: as one part, or as several where it takes longer than ``SAVE_SECONDS``.

    Args:
        job: the runs, and what they have in common.
        folder: the study's folder.
        lock_owner: who gave the job, as the folder's lock says (see ``control.lock_owner``). Where it says something
            else, the job ends: a worker that a killed run has left on a cluster must not write among what the next one
            writes.
        turn: of the first jobs every other one compiles its programs from the last to the first: two workers that begin
            together then find what the other has compiled on the disk.

    Raises:
        MemoryError: it does not fit, on the device or beside it.
        StoreError: the folder cannot be written.
    """
    environment.pin_draws()
    compiled.enable_compilation_cache()
    freeze_gc()
    with jax.enable_x64(job.shape.dtype == "float64"):
        try:
            return train_batches(job, folder, lock_owner, turn)
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" in str(error):
                raise MemoryError(str(error)) from None
            raise


@lru_cache(maxsize=1)
def freeze_gc() -> None:
    """Tell Python's garbage collector, once a process, that what is loaded by now will stay.

    Tracing a program makes so many objects that it would look through all of JAX's as well, which takes a quarter of
    the time.
    """
    gc.collect()
    gc.freeze()


def train_batches(job: Job, folder: Path, lock_owner: str | None, turn: int = 0) -> Outcome:
    """Train run batch by run batch, looking up between segments: to report progress, to save, to stop if asked to."""
    begun = saved = time.monotonic()
    looked = -math.inf
    parts: dict[str, str] = {}
    rows: list[dict[str, Any]] = []  # of runs that are done and not stored
    done = saves = 0
    pace = Pace()

    def abandoned() -> bool:
        return control.lock_owner(folder) not in (lock_owner, None)

    def keep() -> None:
        nonlocal saved
        if rows and not abandoned():
            name = job_id(job.runs[done - len(rows) : done])
            parts[f"{name}.parquet"] = store.write_part(folder, name, rows)
            rows.clear()
        saved = time.monotonic()

    def outcome(finished: bool) -> Outcome:
        control.remove_heartbeat(folder, job.id)
        return Outcome(finished, parts, devices(), time.monotonic() - begun, pace.seconds)

    if abandoned():
        return Outcome(False, {}, devices(), 0.0, 0.0)
    control.write_heartbeat(folder, job.id, training=False, runs=0, saved=0)
    if control.stop_asked(folder):
        return outcome(finished=False)
    log.info("job %s begins: %s", job.id, describe(job))
    for runs in run_batches(job):
        path = checkpoint.path_of(folder, job_id(runs))
        for number, at in enumerate(segments(job, runs, folder, pace, turn)):
            if time.monotonic() - looked < LOOK_SECONDS:
                continue
            looked = time.monotonic()
            if abandoned():
                return Outcome(False, {}, devices(), time.monotonic() - begun, pace.seconds)
            share = at.step / (job.steps + 1)
            control.write_heartbeat(folder, job.id, training=True, runs=done + len(runs) * share, saved=saves)
            stop = control.stop_asked(folder)
            if stop or time.monotonic() - saved >= SAVE_SECONDS:
                if number and at.recorded:  # at first it stands where its checkpoint does
                    own = portable(job, folder, at.state)
                    checkpoint.save(path, identity(job, runs), replace(at, state=own))
                    saves += 1
                    log.info("job %s: saved runs %s.. at step %s", job.id, runs[0].id, at.step)
                keep()
            if stop:
                return outcome(finished=False)
        rows += batch_rows(job, runs, at)
        done += len(runs)
        if path.exists() or time.monotonic() - saved >= SAVE_SECONDS:
            keep()
            path.unlink(missing_ok=True)
    keep()
    return outcome(finished=True)


def devices() -> str:
    """The kind of this process's devices, and how many there are if more than one."""
    number, kind = jax.local_device_count(), jax.local_devices()[0].device_kind
    return kind if number == 1 else f"{number} × {kind}"


def run_batches(job: Job) -> Iterator[tuple[Run, ...]]:
    """The job's runs, as many at a time as one call advances: a run batch for each device of this process."""
    width = job.shape.runs_per_call * jax.local_device_count()
    for begin in range(0, len(job.runs), width):
        yield job.runs[begin : begin + width]


def identity(job: Job, runs: Sequence[Run]) -> str:
    """What a checkpoint of a run batch must agree with: nothing of what other runs of the study share its programs."""
    ids = [run.id for run in runs]
    own = replace(job.shape, activations=(job.shape.activations[job.activation],), depth_bound=job.depth)
    return checkpoint.identity(ids, own, job.steps, job.every, job.evaluate_every, devices())


def run_batch(job: Job, runs: tuple[Run, ...], folder: Path) -> list[dict[str, Any]]:
    """Train one run batch from its first step to its last, whatever happens; one row a run."""
    return batch_rows(job, runs, deque(segments(job, runs, folder, Pace()), maxlen=1).pop())


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


def segments(job: Job, runs: tuple[Run, ...], folder: Path, pace: Pace, turn: int = 0) -> Iterator[Snapshot]:
    """Advance one run batch from where its checkpoint stands, or from its first step, until it is done.

    Yields:
        where it stands, to begin with and after each segment: at most one record, and the steps to the next.
    """
    batch = RunBatch(job, runs, folder, turn)
    schedule = record_schedule(job.steps, job.every, job.evaluate_every)
    path = checkpoint.path_of(folder, job_id(runs))
    at = batch.begin()
    if path.exists():
        own = portable(job, folder, at.state)
        _, blank = batch.record(batch.begin().state, 0, evaluated=True)
        found = checkpoint.load(path, identity(job, runs), own, blank)
        if found is not None:
            log.info("job %s: runs %s.. go on at step %s", job.id, runs[0].id, found.step)
            at = replace(found, state=usable(found.state, at.state))
    pace.steps = pace.steps or 1
    yield at
    while not complete(at, schedule):
        begun, first = time.perf_counter(), at.step
        state, records, recorded, step = at.state, at.records, at.recorded, at.step
        if step == schedule[recorded, 0]:
            state, one = batch.record(state, step, evaluated=bool(schedule[recorded, 1]))
            records, recorded, step = (*records, one), recorded + 1, step + 1
        if recorded < len(schedule):
            end = min(int(schedule[recorded, 0]), step + pace.steps)
            state, step = batch.train(state, step, end), end
        jax.block_until_ready(state)
        at = Snapshot(recorded, step, state, records)
        pace.learn(step - first, time.perf_counter() - begun)
        yield at


class RunBatch:
    """Runs that one call advances, with their numbers and the programs that do it."""

    scratch: dict[str, Any] | None = None  # what the programs are given beside their arguments proper, and give back

    def __init__(self, job: Job, runs: tuple[Run, ...], folder: Path, turn: int = 0) -> None:
        """Compile, unless this worker has done so for the job's shape before."""
        shape, sources_folder = job.shape, folder / "sources"
        self.call = (np.int32(job.depth), np.int32(job.activation))
        self.function = function_of(activation(shape.activations[job.activation], sources_folder))
        self.data = arrays(shape.data, shape.probe_rows, shape.dtype)
        # A short batch is padded with copies of its first run, never narrowed: its size changes rounding.
        filled = runs + (runs[0],) * (shape.runs_per_call * jax.local_device_count() - len(runs))
        self.program = program_of(shape, sources_folder)
        self.numbers = stack([numbers_for(self.program, self.function, run) for run in filled], np.dtype(shape.dtype))
        key = (self.program, shape.data)
        if key not in COMPILED:
            if len(COMPILED) == KEPT_SHAPES:
                COMPILED.pop(next(iter(COMPILED)))
            COMPILED[key] = compiled_programs(shape, self.program, self.numbers, self.data, self.call, turn)
        self.programs = COMPILED[key]

    def begin(self) -> Snapshot:
        """Where a run batch stands that has done nothing."""
        masks = blank_masks(self.program, len(self.numbers["seed"]))
        return Snapshot(0, 0, {"training": self.programs.start(self.numbers, self.call[0]), "masks": masks}, ())

    def train(self, state: Any, begin: int, end: int, recorded: bool = False) -> Any:
        """The state after steps begin..end, in the place of the one given; if recorded, with its sums begun anew."""
        if self.scratch is None:
            rows = len(self.data["probe"][1])
            self.scratch = blank_scratches(self.program, state["training"]["parameters"], rows)
        steps = map(np.int32, (begin, end, recorded))
        training, self.scratch["train"] = self.programs.train(
            state["training"], self.scratch["train"], self.numbers, self.data, *steps, *self.call
        )
        return state | {"training": training}

    def record(self, state: Any, step: int, evaluated: bool) -> tuple[Any, dict[str, Any]]:
        """The state one step later, and what is recorded before that step, leaves [runs, 1, ...].

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
                steps = np.asarray(training["steps_since_record"]).astype(self.program.dtype)
                means = {f"train_{name}": np.asarray(training[f"{name}_sum"]) / steps for name in ("loss", "accuracy")}
            whole = not_evaluated(self.program, len(self.numbers["seed"])) | means
        after = self.train(state, step, step + 1, recorded=True)
        assert self.scratch is not None
        parameters, later = self.scratch["train"]["before"], after["training"]["parameters"]
        found, self.scratch["measure"] = self.programs.measure(
            parameters, later, self.scratch["measure"], self.numbers, self.data, *self.call
        )
        own = {"layers": {"activation": np.asarray(parameters["layers"]["activation"])}}
        learned = learned_columns(self.function, turned(own, self.program.runs_per_call)["layers"]["activation"])
        layers = found["layers"] | whole.pop("layers") | learned
        by_layer = jax.tree.map(lambda leaf: np.asarray(leaf)[:, :depth], found | {"layers": layers})
        return after, jax.tree.map(lambda leaf: np.asarray(leaf)[:, None], by_layer | whole)


def portable(job: Job, folder: Path, state: Any) -> Any:
    """A run batch's state without what it would not have if no other run of the study shared its programs."""
    slots = len(functions_of(job.shape, folder / "sources")[job.activation].learnable)
    run_axis = state_axis(job.shape.runs_per_call)

    def own(path: tuple[Any, ...], leaf: Any) -> np.ndarray:
        keys = [entry.key for entry in path]
        leaf = np.asarray(leaf)
        if "layers" in keys or "masks" in keys:
            leaf = leaf[: job.depth] if run_axis(path) else leaf[:, : job.depth]
        return leaf[:, :, :slots] if keys[-1] == "activation" else leaf

    return jax.tree_util.tree_map_with_path(own, state)


def usable(state: Any, like: Any) -> Any:
    """The inverse of ``portable``: a state in the shapes of this study's programs, zeros where it has nothing."""

    def filled(own: np.ndarray, whole: Any) -> np.ndarray:
        return np.pad(own, [(0, most - size) for size, most in zip(own.shape, whole.shape, strict=True)])

    return jax.tree.map(filled, state, like)


def not_evaluated(program: Program, runs: int) -> dict[str, Any]:
    """The record of an evaluation that was not made: NaN, as ``nn.recording.evaluate`` would shape it."""
    nothing = np.full(runs, np.nan, program.dtype)
    by_layer = np.full((runs, program.depth_bound), np.nan, program.dtype)
    return dict.fromkeys((*SPLIT_METRICS, "network_dead"), nothing) | {"layers": dict.fromkeys(DEATH, by_layer)}


def learned_columns(function: Function, values: np.ndarray) -> dict[str, np.ndarray]:
    """Learnable activation parameters by layer [R, L]; of units' own their mean, least and largest.

    Args:
        function: the activation.
        values: of all slots [R, L, P], or [R, L, P, W] of units' own.
    """
    columns: dict[str, np.ndarray] = {}
    for slot, name in enumerate(function.learnable):
        value = values[:, :, slot]
        if value.ndim == 3:
            columns |= {name: value.mean(axis=2), f"{name}_min": value.min(axis=2), f"{name}_max": value.max(axis=2)}
        else:
            columns[name] = value
    return columns


def batch_rows(job: Job, runs: tuple[Run, ...], last: Snapshot) -> list[dict[str, Any]]:
    """One row a run, of a run batch that is done."""
    shape = job.shape
    found = loaded(shape.data)
    schedule = record_schedule(job.steps, job.every, job.evaluate_every)
    records, diverged = last.joined(), np.asarray(last.state["training"]["diverged_step"])
    where = environment.environment_columns(shape.runs_per_call, shape.eval_chunks)
    return [
        run_row(
            {**run.labels, **where},
            jax.tree.map(lambda leaf, i=i: leaf[i], records),
            steps=schedule[:, 0],
            last_step=job.steps,
            diverged_step=int(diverged[i]),
            fan_in=found.train.x.shape[1],
            width=shape.width,
            keep_layers=job.keep_layers,
            columns=shape.probes,
            target_loss=found.target_loss,
            constant_loss=found.constant_loss,
        )
        for i, run in enumerate(runs)
    ]


def complete(at: Snapshot, schedule: np.ndarray) -> bool:
    """Whether a run batch is done: at its end, or with a record after the step at which its last run diverged."""
    if at.recorded == len(schedule):
        return True
    diverged = np.asarray(at.state["training"]["diverged_step"])
    return bool(np.all(diverged >= 0)) and at.recorded > 0 and bool(schedule[at.recorded - 1, 0] > diverged.max())


def record_schedule(steps: int, every: int, evaluate_every: int) -> np.ndarray:
    """The records of a whole run: step, and whether whole splits are evaluated, [R, 2] int32.

    >>> record_schedule(50, 20, 40).tolist()
    [[0, 1], [20, 0], [40, 1], [50, 1]]
    """
    at = record_steps(steps, every)
    return np.array([(t, t % evaluate_every == 0 or t == steps) for t in at], np.int32)


def stack(numbers: Sequence[Mapping[str, Any]], dtype: np.dtype) -> Any:
    """Runs' numbers as one tree of arrays with a leading run axis."""

    def leaf(*values: Any) -> np.ndarray:
        array = np.asarray(values)
        return array.astype(np.uint32 if array.dtype.kind in "iu" else dtype)

    return jax.tree.map(leaf, *numbers, is_leaf=lambda node: isinstance(node, tuple))


def numbers_for(program: Program, function: Function, run: Run) -> dict[str, Any]:
    """A run's numbers in the shapes that the program takes: zeros beyond its depth and its activation's parameters."""

    def filled(values: Sequence[float], most: int) -> tuple[float, ...]:
        return (*values, *[0.0] * (most - len(values)))

    numbers = dict(run.numbers)
    for name in ("weight_std", "bias_mean", "bias_std"):
        numbers[name] = filled(numbers[name], program.depth_bound)
    for name, names, most in (
        ("fixed", function.fixed, max(len(one.fixed) for one in program.functions)),
        ("learnable", function.learnable, program.slots),
    ):
        numbers[name] = filled([numbers[name][parameter] for parameter in names], most)
    return numbers


@lru_cache(maxsize=4)
def program_of(shape: Shape, sources_folder: Path) -> Program:
    """The static half of a shape's runs."""
    return Program(
        functions=functions_of(shape, sources_folder),
        learnable_per=shape.learnable_per,
        depth_bound=shape.depth_bound,
        static_depth=shape.static_depth,
        width=shape.width,
        options=Options(shape.norm, shape.residual, shape.dropout),
        weight_distribution=shape.weight_distribution,
        bias_distribution=shape.bias_distribution,
        optimizer=shape.optimizer,
        optimizer_options=shape.optimizer_options,
        decay_activation_parameters=shape.decay_activation_parameters,
        clip=shape.clip,
        own_measures=tuple((key.name, own_measure(key, sources_folder)) for key in shape.own_measures),
        batch_size=shape.batch_size,
        task=loaded(shape.data).task,
        probes=shape.probes,
        dtype=shape.dtype,
        runs_per_call=shape.runs_per_call,
        eval_chunks=shape.eval_chunks,
    )


@lru_cache(maxsize=4)
def functions_of(shape: Shape, sources_folder: Path) -> tuple[Function, ...]:
    """The activations of a shape, as its programs take them.

    One that cannot be loaded fails the jobs that have it (see ``RunBatch``) and no others: its branch is never taken
    there.
    """

    def function(key: FunctionKey) -> Function:
        try:
            return function_of(activation(key, sources_folder))
        except Exception as error:
            log.warning("%s cannot be used: %s", key.name, error)
            return function_of(activations.CATALOGUE["linear"])

    return tuple(function(key) for key in shape.activations)


def function_of(record: activations.Activation) -> Function:
    """An activation as programs take it."""
    fixed = tuple(name for name in record.parameters if name not in record.learnable)
    return Function(record.function, record.flat, fixed, record.learnable, record.closed_form)


@lru_cache(maxsize=2)
def programs(program: Program, key: DataKey) -> Programs:
    """The programs of a shape, not compiled yet."""
    found = loaded(key)
    return compile_programs(program, found.train.x.shape[1], len(found.classes) or 1, jax.local_devices())


def compiled_programs(
    shape: Shape, program: Program, numbers: Any, data: Any, call: tuple[Any, Any], turn: int
) -> Programs:
    """Programs compiled for a run batch, several at a time: XLA, which takes most of it, leaves Python's lock alone.

    Those of the catalogue's activations may lie on the disk whole. What a function of the user's computes also hangs on
    what its file says of other packages, so that a program with one is always traced.

    Args:
        shape: of the job.
        program: its static half.
        numbers, data, call: of the run batch: what the programs are called with.
        turn: see ``run_job``.
    """
    several = jax.local_device_count() > 1
    own = any(key.source for key in (*shape.activations, *shape.own_measures))
    traced = own or several or jax.default_backend() != "cpu"  # whole programs of accelerators were never tried
    compiled.let_jax_keep(traced)
    if several:  # compiled for each device when they are first called
        return programs(program, shape.data)
    precision = bool(jax.config.read("jax_enable_x64"))
    forms = jax.tree.map(lambda leaf: (leaf.shape, str(leaf.dtype)), (numbers, data, call))
    outputs = (program.task, len(loaded(shape.data).classes))
    made_from = (replace(shape, data=None), outputs, forms)  # type: ignore[arg-type]
    names = [field.name for field in fields(Programs)]
    found: dict[str, Any] = {name: None if traced else compiled.kept((name, made_from)) for name in names}
    if None in found.values():
        jitted = programs(program, shape.data)
        arguments = arguments_of(jitted, numbers, data, call, program)
        missing = [name for name in arguments if found[name] is None][:: 1 if turn % 2 == 0 else -1]

        def compile_one(name: str) -> Any:
            with jax.enable_x64(precision):  # which is a thread's own
                return getattr(jitted, name).lower(*arguments[name]).compile()

        def made(name: str) -> Any:  # looked for once more: the other worker may have it by now (see ``turn``)
            return compile_one(name) if traced else compiled.kept((name, made_from), partial(compile_one, name))

        with ThreadPoolExecutor(COMPILERS) as pool:
            found |= dict(zip(missing, pool.map(made, missing), strict=True))
    return Programs(**found)


def arguments_of(
    jitted: Programs, numbers: Any, data: Any, call: tuple[Any, Any], program: Program
) -> dict[str, tuple[Any, ...]]:
    """What each program is called with, as far as it shapes the program."""
    none, depth = np.int32(0), call[0]
    state = jax.eval_shape(jitted.start, numbers, depth)
    masks, parameters = blank_masks(program, program.runs_per_call), state["parameters"]
    scratch = blank_scratches(program, parameters, len(data["probe"][1]))
    return {
        "train": (state, scratch["train"], numbers, data, none, none, none, *call),
        "start": (numbers, depth),
        "evaluate": (parameters, masks, numbers, data, none, *call),
        "measure": (parameters, parameters, scratch["measure"], numbers, data, *call),
    }


def own_measure(key: FunctionKey, sources_folder: Path) -> Any:
    """A user's measure, from the study's own copy of its file.

    Raises:
        RuntimeError: the copy, or what it imports, is not what the study was planned with.
    """
    path = unaltered(key, sources_folder)
    return load_measure(path, key.name)[1]


def unaltered(key: FunctionKey, sources_folder: Path) -> Path:
    """The study's copy of a user's file.

    Raises:
        RuntimeError: the copy, or what it imports, is not what the study was planned with.
    """
    path = sources_folder / str(key.source)
    if sources.trace(path, key.name).digest != key.source_checksum:
        raise RuntimeError(f"{path}: it, or a file that it imports, is not what this study was planned with")
    return path


def activation(key: FunctionKey, sources_folder: Path) -> activations.Activation:
    """An activation: from the catalogue, or from the study's own copy of the user's file."""
    if key.source is None:
        return activations.CATALOGUE[key.name]
    return activations.CATALOGUE.load(unaltered(key, sources_folder), key.name)


@lru_cache(maxsize=4)
def loaded(key: DataKey) -> data.Data:
    """A data set, read once a worker.

    Raises:
        RuntimeError: its content is not what the study was planned with.
    """
    found = data.load(**key.arguments())
    if data.checksum(key.name) != key.checksum:
        raise RuntimeError(f"{key.name}: is not the data that this study was planned with")
    return found


@lru_cache(maxsize=4)
def arrays(key: DataKey, probe_rows: int, dtype: str) -> dict[str, tuple[jax.Array, jax.Array]]:
    """The splits and the probe rows, on every device: {train, validation, test, probe: (x, y)}.

    The probe rows are the first ``probe_rows`` of a permutation of the training rows, by ``data.seed`` alone.
    """
    found = loaded(key)
    splits = {"train": found.train, "validation": found.validation, "test": found.test}
    picked = np.random.default_rng([key.seed, 1]).permutation(len(found.train.y))[:probe_rows]
    host = {name: (split.x, split.y) for name, split in splits.items()}
    host["probe"] = (found.train.x[picked], found.train.y[picked])
    target = np.int32 if found.task == "classification" else dtype
    # On one device without a sharding: a state that begins without one and ends with one would be compiled for twice.
    mesh = Mesh(jax.local_devices(), ("runs",))
    everywhere = NamedSharding(mesh, PartitionSpec()) if jax.local_device_count() > 1 else None
    return {
        name: (jax.device_put(x.astype(dtype), everywhere), jax.device_put(y.astype(target), everywhere))
        for name, (x, y) in host.items()
    }
