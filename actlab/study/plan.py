"""From a study to runs and jobs: what shapes a compiled program apart from what is only a number in it.

Runs that share one compiled program form a group, and groups are cut into jobs so that every worker has something to
do even when a study has a single shape. Everything below this file takes plain values.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from actlab import activations, data, sources
from actlab.measures import Measure
from actlab.nn.initializers import BIASES, INITIALIZERS
from actlab.nn.optimizers import OPTIMIZERS
from actlab.study import identity
from actlab.study.jobs import DataKey, FunctionKey, Job, Run, Shape, job_id
from actlab.study.memory import MOST_EVAL_CHUNKS, PLANNED, CallSize, Size, fit, worker_bytes
from actlab.study.reading import Study, StudyError, of_key
from actlab.study.schema import (
    SCHEDULES,
    Choice,
    DataConfig,
    TrainConfig,
    activation_options,
    loaded_measure,
    show,
)
from actlab.study.sweep import Cell
from actlab.theory.moments import moments


@dataclass(frozen=True)
class Plan:
    """Every run of a study, grouped by compiled shape and schedule.

    Attributes:
        groups: the runs of one shape, activation, depth and schedule each.
        sources: the user's files that it uses, by their path in the study's ``sources/``.
        chunks: by width, how much of the work is in hand at a time.
        worker_bytes: what a worker holds at most, roughly.
        measures: the records of the user's measures.
        records: of the activations, by their labels.
    """

    groups: tuple[Job, ...]
    sources: Mapping[str, Path]
    call_sizes: Mapping[int, CallSize]
    worker_bytes: float
    measures: tuple[Measure, ...] = ()
    records: Mapping[str, activations.Activation] = field(default_factory=dict)

    @property
    def runs(self) -> dict[str, Run]:
        """All runs by their identity, in the order of the study."""
        return {run.id: run for group in self.groups for run in group.runs}


def plan(
    study: Study, platform: str = "cpu", memory: float | None = None, begun: Mapping[int, CallSize] | None = None
) -> Plan:
    """Resolve every cell and seed of a study into runs, grouped by the program that they share.

    Args:
        study: a validated study.
        platform: ``cpu`` or an accelerator's name; decides how many runs a call advances.
        memory: bytes that a worker may hold; fewer runs per call, and evaluations in chunks, to stay below.
        begun: by width, the chunks that were chosen before: as a study was begun it goes on where that fits, so that
            its checkpoints are of use.

    Raises:
        StudyError: a data set, an activation or a combination of settings cannot be used, or does not fit in memory;
            nothing was compiled for it.
    """
    groups: dict[tuple[Any, ...], list[Run]] = {}
    checksums, copies = identity.user_functions(study.cells)
    known: set[str] = set()
    records: dict[str, activations.Activation] = {}
    called: dict[Any, tuple[str, Cell]] = {}
    loaded = {config: load_data(study, config) for config in dict.fromkeys(cell.data for cell in study.cells)}
    activations_used = len({cell.model.activation.name for cell in study.cells})
    sizes = [size_of(cell, loaded[cell.data][0], activations_used) for cell in study.cells]
    chunks = choose_call_sizes(sizes, platform, memory, begun or {})
    contents = checksums | {config.name: checksum for config, (_, checksum) in loaded.items()}
    identities = identity.cell_identities(study.cells, contents)
    for cell, own_identity in zip(study.cells, identities, strict=True):
        found, data_checksum = loaded[cell.data]
        check_rows(study, cell, found)
        check_warmup(study, cell)
        source, source_checksum = activation_source(cell.model.activation.name, checksums)
        record, parameters = activation(study, cell.model.activation)
        shape = shape_of(cell, record, data_checksum, checksums, chunks[cell.model.width], platform)
        key = FunctionKey(record.name, source, source_checksum)
        numbers = numbers_of(cell, record, parameters, found.train.x.shape[1])
        labels = labels_of(cell, record, found, shape, numbers.pop("weight_init_used"))
        records[labels["activation"]] = record
        flops = training_flops(cell, found.train.x.shape[1], len(found.classes) or 1) * cell.train.steps
        identity.check_told_apart(study, cell, labels, own_identity, called)
        schedule = (cell.train.steps, cell.measure.every, cell.measure.evaluate_every, cell.measure.keep_layers)
        for seed in study.seeds:
            run = identity.run_id(own_identity, seed)
            if run in known:  # two names of one content
                continue
            known.add(run)
            own = {"run": run, **labels, "seed": seed}
            one = Run(run, own, {**numbers, "seed": seed}, flops)
            groups.setdefault((shape, key, cell.model.depth, *schedule), []).append(one)
    shared = shared_shapes(groups)
    jobs = (
        Job(job_id(runs), shared[shape], shared[shape].activations.index(key), depth, tuple(runs), *schedule)
        for (shape, key, depth, *schedule), runs in groups.items()
    )
    most = max(worker_bytes(size, chunks[size.width]) for size in sizes)
    return Plan(tuple(jobs), copies, chunks, most, own_measures(study.cells), records)


def own_measures(cells: Iterable[Cell]) -> tuple[Measure, ...]:
    """The records of the user's measures that some cells ask for."""
    asked = dict.fromkeys(one for cell in cells for one in cell.measure.own())
    return tuple(loaded_measure(path, name, sources.fingerprint(path)) for path, name in asked)


def shared_shapes(groups: Iterable[tuple[Any, ...]]) -> dict[Shape, Shape]:
    """Each shape as it is compiled: with the activations and the largest depth of all groups that share it.

    Args:
        groups: (shape, activation, depth, ...) each.
    """
    shared: dict[Shape, Shape] = {}
    for shape, key, depth, *_ in groups:
        found = shared.get(shape, shape)
        activations = found.activations if key in found.activations else (*found.activations, key)
        shared[shape] = replace(found, activations=activations, depth_bound=max(found.depth_bound, depth))
    return shared


def partition_into_jobs(groups: Sequence[Job], wanted: set[str], workers: int, devices: int = 1) -> list[Job]:
    """The wanted runs as jobs: about three a worker or more, each of whole run batches, most expensive first.

    Args:
        groups: a plan's.
        wanted: the runs to train.
        workers: how many there are.
        devices: how many devices a worker has: each takes a run batch at a time.

        >>> partition_into_jobs([], set(), 2)
    []
    """
    left = [(group, [run for run in group.runs if run.id in wanted]) for group in groups]
    total = sum(run.flops for _, runs in left for run in runs)
    share = max(total / (3 * workers), 1.0)
    jobs = []
    for group, runs in left:
        if not runs:
            continue
        together = group.shape.runs_per_call * devices
        calls = math.ceil(len(runs) / together)
        parts = min(max(round(sum(run.flops for run in runs) / share), 1), calls)
        for part in np.array_split(np.arange(calls), parts):
            own = tuple(runs[part[0] * together : (part[-1] + 1) * together])
            jobs.append(replace(group, id=job_id(own), runs=own))
    return sorted(jobs, key=lambda job: -sum(run.flops for run in job.runs))


def load_data(study: Study, config: DataConfig) -> tuple[data.Data, str]:
    """A cell's data set and the checksum of its content."""
    try:
        return data.load(**data_key(config, "").arguments()), data.checksum(config.name)
    except data.DataError as error:
        overridden = next((key for key in study.source.overridden if key[0] == "data"), None)
        place = study.source.where(*(overridden or of_key(study.source, "data.name")))
        raise StudyError(f"{place}: data: {error}") from None


def data_key(config: DataConfig, checksum: str) -> DataKey:
    """The hashable form of a data section, and of its content."""
    names = [name for name in DataKey.__dataclass_fields__ if name != "checksum"]
    return DataKey(**{name: getattr(config, name) for name in names}, checksum=checksum)


def check_rows(study: Study, cell: Cell, found: data.Data) -> None:
    """Refuse a minibatch larger than the training split, and clamp nothing silently."""
    rows = len(found.train.y)
    if cell.train.batch_size > rows:
        place = study.source.where(*of_key(study.source, "train.batch_size"))
        raise StudyError(
            f"{place}: train.batch_size: expected at most the {rows} training rows of {short(cell.data.name)}, "
            f"not {cell.train.batch_size}"
        )


def check_warmup(study: Study, cell: Cell) -> None:
    """Refuse a warm-up that would not end."""
    warmup, steps = float(cell.train.schedule.options["warmup_steps"]), cell.train.steps
    if warmup >= steps:
        place = study.source.where(*of_key(study.source, "train.schedule"))
        raise StudyError(
            f"{place}: train.schedule: warmup_steps: expected fewer than the {steps} steps, not {warmup:.0f}"
        )


def activation_source(name: str, checksums: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The copy of a user's activation file, as a path in ``sources/``, and the function's checksum."""
    named = sources.parse(name)
    return (named[0].name, checksums[name]) if named else (None, None)


def activation(study: Study, choice: Choice) -> tuple[activations.Activation, dict[str, float]]:
    """An activation's record and parameters, tried out on a few numbers unless it is one that the tests know."""
    record = activations.CATALOGUE.find(choice.name)
    parameters = {name: float(choice.options[name]) for name in record.parameters}
    if record is activations.CATALOGUE.get(record.name) and parameters == record.parameters:
        return record, parameters
    try:
        check_once(record, tuple(parameters.items()))
    except activations.ActivationError as error:
        place = study.source.where(*of_key(study.source, "model.activation"))
        raise StudyError(f"{place}: model.activation: {error}") from None
    return record, parameters


@lru_cache(maxsize=1024)
def check_once(record: activations.Activation, parameters: tuple[tuple[str, float], ...]) -> None:
    """``activations.check``, once for each activation and parameters."""
    activations.check(record, dict(parameters))


def resolve_weight_init(choice: Choice, record: activations.Activation, parameters: Mapping[str, float]) -> Choice:
    """The initializer that ``auto`` stands for, and the options that depend on the activation filled in.

    ``he_*`` asked for by name is He's for ReLU; ``auto`` gives it the activation's own negative slope.
    """
    options = dict(choice.options)
    name = choice.name
    if name == "auto":
        name = record.weight_init
        if "negative_slope" in INITIALIZERS[name].options and record.he_slope:
            options["negative_slope"] = parameters[record.he_slope]
    if "second_moment" in INITIALIZERS[name].options and "second_moment" not in options:
        options["second_moment"] = moments(record, tuple(parameters.items()))["second_moment"]
    return Choice(name=name, options=options)


def shape_of(
    cell: Cell,
    record: activations.Activation,
    data_checksum: str,
    checksums: Mapping[str, str],
    call: CallSize,
    platform: str,
) -> Shape:
    """What of a cell shapes the compiled programs, still without the activations that share them."""
    model, train = cell.model, cell.train
    weight_init = record.weight_init if model.weight_init.name == "auto" else model.weight_init.name
    options = train.optimizer.options
    return Shape(
        data=data_key(cell.data, data_checksum),
        probe_rows=cell.measure.probe_rows,
        activations=(),
        learnable_per=str(model.activation.options.get("per", "layer")),
        depth_bound=1 if platform == "cpu" else model.depth,
        static_depth=platform != "cpu",
        width=model.width,
        norm=model.norm,
        residual=model.residual,
        dropout=model.dropout.kind if model.dropout.rate > 0 else "none",
        weight_distribution=INITIALIZERS[weight_init].distribution,
        bias_distribution=BIASES[model.bias_init.name].distribution,
        optimizer=train.optimizer.name,
        optimizer_options=tuple((key, value) for key, value in sorted(options.items()) if isinstance(value, bool)),
        decay_activation_parameters=train.decay_activation_parameters,
        clip=train.clip_norm is not None,
        batch_size=train.batch_size,
        probes=cell.measure.names(),
        own_measures=tuple(
            FunctionKey(name, path.name, checksums[f"{path}:{name}"]) for path, name in cell.measure.own()
        ),
        dtype=model.dtype,
        runs_per_call=call.runs_per_call,
        eval_chunks=1 if model.norm == "batch" else call.eval_chunks,  # statistics are of all training rows at once
    )


def size_of(cell: Cell, found: data.Data, activations: int) -> Size:
    """What decides how much memory a cell's runs take, in a study of so many activations."""
    return Size(
        depth=cell.model.depth,
        width=cell.model.width,
        batch_size=cell.train.batch_size,
        probe_rows=min(cell.measure.probe_rows, len(found.train.y)),
        rows=sum(len(split.y) for split in (found.train, found.validation, found.test)),
        features=found.train.x.shape[1],
        outputs=len(found.classes) or 1,
        itemsize=8 if cell.model.dtype == "float64" else 4,
        normed_rows=len(found.train.y) if cell.model.norm == "batch" else 0,
        activations=activations,
        plain=cell.model.norm == "none" and not cell.model.residual and not cell.model.dropout.rate,
    )


def choose_call_sizes(
    sizes: Sequence[Size], platform: str, memory: float | None, begun: Mapping[int, CallSize]
) -> dict[int, CallSize]:
    """How much of the work is in hand at a time, for each width: so that the largest of its networks fits.

    Raises:
        StudyError: not even a single run would.
    """
    chosen: dict[int, CallSize] = {}
    for size in sizes:
        call = begun.get(size.width) or CallSize(default_runs_per_call(size.width, platform), 1)
        if memory is not None and worker_bytes(size, call) > PLANNED * memory:
            fitting = fit(size, call.runs_per_call, memory)
            if fitting is None:
                need = worker_bytes(size, CallSize(1, MOST_EVAL_CHUNKS))
                raise StudyError(
                    f"memory: depth {size.depth} and width {size.width} need about {need / 1e9:.1f} GB a worker, even "
                    f"one run at a time; {memory / 1e9:.1f} GB were given"
                )
            call = fitting
        runs_per_call, eval_chunks = chosen.get(size.width, call)
        chosen[size.width] = CallSize(min(call.runs_per_call, runs_per_call), max(call.eval_chunks, eval_chunks))
    return chosen


def default_runs_per_call(width: int, platform: str) -> int:
    """How many runs one call advances: small networks and accelerators are better used by several at once.

    >>> default_runs_per_call(64, "cpu"), default_runs_per_call(16, "cpu")
    (1, 4)
    """
    if platform != "cpu":
        return 64
    return 1 if width >= 64 else 4


def numbers_of(
    cell: Cell, record: activations.Activation, parameters: Mapping[str, float], features: int
) -> dict[str, Any]:
    """What of a cell is only a number in the program (see ``nn.training.Numbers``); the seed comes later."""
    model, train = cell.model, cell.train
    used = resolve_weight_init(model.weight_init, record, parameters)
    std = partial(INITIALIZERS[used.name].std, **used.options)
    bias = partial(BIASES[model.bias_init.name].moments, **model.bias_init.options)
    fans = [(features, model.width)] + [(model.width, model.width)] * (model.depth - 1)
    settings = {key: value for key, value in train.optimizer.options.items() if not isinstance(value, bool)}
    found = moments(record, tuple(parameters.items()))
    return {
        "weight_init_used": used,
        "weight_std": tuple(model.weight_gain * std(*fan) for fan in fans),
        "bias_mean": tuple(bias(fan_in)[0] for fan_in, _ in fans),
        "bias_std": tuple(bias(fan_in)[1] for fan_in, _ in fans),
        "fixed": {name: value for name, value in parameters.items() if name not in record.learnable},
        "learnable": {name: parameters[name] for name in record.learnable},
        "optimizer": {
            **settings,
            "learning_rate": train.learning_rate,
            "weight_decay": weight_decay(train),
            "warmup_steps": train.schedule.options["warmup_steps"],
            "cosine": float(train.schedule.name == "cosine"),
            "schedule_steps": float(train.steps),
        },
        "dropout_rate": model.dropout.rate,
        "clip_norm": train.clip_norm or math.inf,
        "weak_threshold": found["weak_threshold"],
        "saturation_low": found["saturation_low"],
        "saturation_high": found["saturation_high"],
    }


def labels_of(
    cell: Cell, record: activations.Activation, found: data.Data, shape: Shape, weight_init_used: Choice
) -> dict[str, Any]:
    """A cell's settings as plain columns of the frame ``runs``; ``data_content`` tells two files of one name apart."""
    model, train, measure = cell.model, cell.train, cell.measure
    options = activation_options(record)
    choice = Choice(name=record.name, options=model.activation.options)
    used = {key: show(value) for key, value in weight_init_used.options.items() if key != "second_moment"}
    shown = ", ".join(f"{key}={value}" for key, value in used.items() if value != "0")
    return {
        "data": short(cell.data.name),
        "data_content": shape.data.checksum[:12],
        "task": found.task,
        "target": cell.data.target or "",
        "standardize": cell.data.standardize,
        "data_seed": cell.data.seed,
        "train_rows": len(found.train.y),
        "activation": choice.label(options),
        "activation_name": record.name,
        "activation_family": record.family,
        "activation_order": record.order,
        "learnable_per": shape.learnable_per if record.learnable else "",
        "learned": ",".join(record.learnable),
        "depth": model.depth,
        "width": model.width,
        "dtype": model.dtype,
        "weight_init": model.weight_init.label({}),
        "weight_init_used": f"{weight_init_used.name}({shown})" if shown else weight_init_used.name,
        "weight_gain": model.weight_gain,
        "bias_init": model.bias_init.label({}),
        "norm": model.norm,
        "residual": model.residual,
        "dropout": model.dropout.rate,
        "dropout_kind": model.dropout.kind if model.dropout.rate else "",
        "optimizer": train.optimizer.label(OPTIMIZERS[train.optimizer.name].options),
        "learning_rate": train.learning_rate,
        "batch_size": train.batch_size,
        "steps": train.steps,
        "schedule": train.schedule.label(SCHEDULES[train.schedule.name]),
        "clip_norm": train.clip_norm,
        "weight_decay": weight_decay(train),
        "decay_activation_parameters": train.decay_activation_parameters,
        "every": measure.every,
        "evaluate_every": measure.evaluate_every,
        "probe_rows": min(measure.probe_rows, len(found.train.y)),
    }


def weight_decay(train: TrainConfig) -> float:
    """λ: what the study asks for, else the optimizer's own."""
    return OPTIMIZERS[train.optimizer.name].weight_decay if train.weight_decay is None else train.weight_decay


def short(name: str) -> str:
    """A data set's name, or its file's."""
    return Path(name).name


def training_flops(cell: Cell, features: int, outputs: int) -> float:
    """Matmul floating-point operations of one training step: forward, weight gradient, and input gradient (not of x).

    2·B·(3·(L − 1)·W² + 3·W·C + 2·F·W) for batch B, depth L, width W, F inputs and C outputs.
    """
    depth, width = cell.model.depth, cell.model.width
    hidden = 3 * (depth - 1) * width**2
    ends = 3 * width * outputs + 2 * features * width
    return 2.0 * cell.train.batch_size * (hidden + ends)
