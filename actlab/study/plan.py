"""From a study to runs and jobs: what shapes a compiled program apart from what is only a number in it.

Runs that share one compiled program form a group, and groups are partitioned into jobs so that every worker has
something to do even when a study has a single shape. Everything below this file takes plain values.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from actlab import activations, data, jax_settings, sources
from actlab.measures import Measure
from actlab.naming import brief
from actlab.nn.blocks import Options
from actlab.nn.optimizers import OPTIMIZERS
from actlab.nn.spec import ProgramSpec
from actlab.study import columns, identity, labels
from actlab.study.cost import measuring_flops, training_flops, weight_bytes
from actlab.study.defaults import follow_rows
from actlab.study.faults import error_at_key
from actlab.study.jobs import FunctionKey, Job, Run, Shape, job_id
from actlab.study.looking import look_at
from actlab.study.measured import check_measures_apart, own_measures
from actlab.study.memory import MOST_EVAL_CHUNKS, MOST_WORKER_BYTES, PLANNED, CallSize, Size, fit, worker_bytes
from actlab.study.reading import Source, Study, StudyError, of_key
from actlab.study.resolve import Resolved, numbers_of, resolve
from actlab.study.sections import DataConfig, ModelConfig, run_keys, value_at
from actlab.study.settings import Prefixes
from actlab.study.stages import Entry, Stages, asked_seeds, stages_of
from actlab.study.started import Started
from actlab.study.sweep import Cell

BLOCK = "block."  # how ``Key.spec`` begins where a key decides a field of ``ProgramSpec.block``


@dataclass(frozen=True)
class Plan:
    """Every run of a study, grouped by compiled shape and schedule.

    Attributes:
        groups: the runs of one shape, activation, depth and schedule each.
        sources: the user's files that it uses, by their path in the study's ``sources/``.
        call_sizes: by width, how much a worker computes at a time.
        worker_bytes: what a worker holds at most, roughly.
        measures: the records of the user's measures.
        records: of the activations, by their labels.
        unknown_death: why unit death cannot be known of some of them, and what to declare, by their labels.
        started: what theory says of how networks are started, by the activations' labels (see ``study.started``).
        prefixes: what stands before labels that would collide; what a run's own columns hold is without.
        data: what was understood of each data set, as plain values, with all the names that it goes by.
        data_names: what tables call each data set of the study: of a path they show the last part.
        data_contents: a hash of what each of them holds; several where it is read in several ways.
        stages: of one that selects on seeds of their own.
        later: in the same groups, what it will ask for once more is selected, at values that stand for those.
    """

    groups: tuple[Job, ...]
    sources: Mapping[str, Path]
    call_sizes: Mapping[int, CallSize]
    worker_bytes: float
    measures: tuple[Measure, ...] = ()
    records: Mapping[str, activations.Activation] = field(default_factory=dict)
    unknown_death: Mapping[str, str] = field(default_factory=dict)
    started: Started = field(default_factory=dict)
    prefixes: Prefixes = field(default_factory=dict)
    data: tuple[dict[str, Any], ...] = ()
    data_names: Mapping[str, str] = field(default_factory=dict)
    data_contents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stages: Stages | None = None
    later: tuple[Job, ...] = ()

    def label(self, run: Run, column: str) -> str:
        """Return one of a run's labels as tables have it."""
        return labels.prefixed(run.labels, column, self.prefixes)

    @property
    def runs(self) -> dict[str, Run]:
        """All runs by their identity, in the order of the study."""
        return {run.id: run for group in self.groups for run in group.runs}


@jax_settings.pinned()
def plan(
    study: Study,
    platform: str = "cpu",
    memory: float | None = None,
    begun: Mapping[int, CallSize] | None = None,
    called_before: Mapping[str, Sequence[str]] | None = None,
    selections: Mapping[str, Entry] | None = None,
) -> Plan:
    """Resolve every cell and seed of a study into runs, grouped by the program that they share.

    Args:
        study: a validated study.
        platform: ``cpu`` or an accelerator's name; decides how many runs a call advances.
        memory: bytes that a worker may hold; fewer runs per call, and evaluations in chunks, to stay below.
        begun: by width, the call sizes that were chosen before: a study resumes with them where they fit, so that its
            checkpoints stay usable.
        called_before: by what they hold, the names of data that runs are stored of: they keep them under another path.
        selections: what a study in two stages has stored of its selections (see ``stages``).

    Raises:
        StudyError: a data set, an activation or a combination of settings cannot be used, or does not fit in memory;
            nothing was compiled for it.
    """
    groups: tuple[dict[tuple[Any, ...], list[Run]], ...] = ({}, {})  # known, and to be expected
    checksums, copies = identity.user_functions(study.cells, study.source)
    modules = identity.modules_imported(study.cells, checksums)
    known: set[str] = set()
    records: dict[str, activations.Activation] = {}
    unknown_death: dict[str, str] = {}
    started: dict[str, list[dict[str, Any]]] = {}
    named: dict[Any, tuple[str, Cell]] = {}
    loaded = {config: load_data(study, config) for config in dict.fromkeys(cell.data for cell in study.cells)}
    study = replace(study, cells=tuple(follow_rows(cell, len(loaded[cell.data][0].train.y)) for cell in study.cells))
    cells = [resolve(cell, *loaded[cell.data], study.source) for cell in study.cells]
    activations_used = len({cell.model.activation.name for cell in study.cells})
    sizes = [size_of(resolved, activations_used) for resolved in cells]
    check_sizes(sizes, study.source)
    call_sizes = choose_call_sizes(sizes, platform, memory, begun or {})
    data_checksums = {config: checksum for config, (_, checksum) in loaded.items()}
    identities = identities_of([resolved.defining for resolved in cells], checksums, data_checksums)
    contents: dict[str, tuple[str, ...]] = {}
    for config, (_, checksum) in loaded.items():
        name = config.name.name
        contents[name] = (*contents.get(name, ()), columns.short(checksum))
    called = labels.known_by(contents, called_before or {})
    named_by = [one for resolved in cells for one in columns.named_in(resolved, checksums)]
    prefixes = labels.prefixes(
        (column, called[name] if column == "data" else name, content) for column, name, content in named_by
    )
    stages = stages_of(study, identities, selections or {})
    asked = asked_seeds(study, stages)
    columns_of_cells = (study.cells, cells, identities, modules, asked)
    for cell, resolved, own_identity, imported, seeds in zip(*columns_of_cells, strict=True):
        shape = shape_of(resolved, checksums, call_sizes[cell.model.width], platform)
        key = function_key(cell.model.activation.name, checksums)
        numbers, settings = numbers_of(resolved), columns.columns_of(resolved, checksums)
        settings["data"] = columns.data_label(cell.data, called[cell.data.name.name])
        steps = max(cell.train.steps, 1)  # what moves is measured a step later
        ends = resolved.features, resolved.outputs
        rows = sum(len(split.y) for split in (resolved.data.train, resolved.data.validation, resolved.data.test))
        flops = training_flops(cell, *ends) * steps + measuring_flops(cell, *ends, rows)
        identity.check_told_apart(study, cell, settings, own_identity, named)
        label = labels.prefixed(settings, "activation", prefixes)
        records[label] = replace(resolved.activation, parameters=resolved.parameters)
        if why := resolved.unknown_death:
            unknown_death[label] = why
        if (told := resolved.theory_facts) and told not in started.setdefault(label, []):
            started[label].append(told)
        measure = cell.measure
        schedule = (cell.train.steps, measure.every, measure.evaluate_every, measure.keep_layers, measure.keep_weights)
        kept = weight_bytes(resolved)
        for expected, seed in seeds:
            run = identity.run_id(own_identity, seed)
            if run in known:  # two names of one content
                continue
            known.add(run)
            one = Run(run, {"run": run, **settings, "seed": seed}, {**numbers, "seed": seed}, flops, imported, kept)
            groups[expected].setdefault((shape, key, cell.model.depth, *schedule), []).append(one)
    shared = shared_shapes(groups[0])
    jobs, later = (
        tuple(
            Job(job_id(runs), shared[shape], shared[shape].activations.index(key), depth, tuple(runs), *schedule)
            for (shape, key, depth, *schedule), runs in some.items()
        )
        for some in groups
    )
    own = own_measures(study.cells)
    check_measures_apart(study, own, records.values())
    most = max(worker_bytes(size, call_sizes[size.width]) for size in sizes)
    seen = look_at(loaded, called)
    facts = copies, call_sizes, most, own, records, unknown_death, started, prefixes, seen, called, contents
    return Plan(jobs, *facts, stages, later)


def identities_of(
    cells: Sequence[Cell], checksums: Mapping[str, str], data_checksums: Mapping[DataConfig, str]
) -> list[str]:
    """Write what defines each cell: of one file, read in two ways, the content is another."""
    by_data: dict[DataConfig, list[int]] = {}
    for i, cell in enumerate(cells):
        by_data.setdefault(cell.data, []).append(i)
    identities = [""] * len(cells)
    for config, own in by_data.items():
        texts = identity.cell_identities(
            [cells[i] for i in own], {**checksums, config.name.name: data_checksums[config]}
        )
        for i, text in zip(own, texts, strict=True):
            identities[i] = text
    return identities


def shared_shapes(groups: Iterable[tuple[Any, ...]]) -> dict[Shape, Shape]:
    """Return each shape as it is compiled: with the activations and the largest depth of all groups that share it.

    Args:
        groups: (shape, activation, depth, ...) each.
    """
    shared: dict[Shape, Shape] = {}
    for shape, key, depth, *_ in groups:
        so_far = shared.get(shape, shape)
        activations = so_far.activations if key in so_far.activations else (*so_far.activations, key)
        spec = replace(so_far.spec, depth_bound=max(so_far.spec.depth_bound, depth))
        shared[shape] = replace(so_far, activations=activations, spec=spec)
    return shared


def partition_into_jobs(groups: Sequence[Job], wanted: set[str] | None, workers: int, devices: int = 1) -> list[Job]:
    """Partition the wanted runs into jobs: three per worker or more, each of whole run batches, most expensive first.

    Args:
        groups: a plan's.
        wanted: the runs to train; None: all.
        workers: how many there are.
        devices: how many devices a worker has: each takes a run batch at a time.

    >>> partition_into_jobs([], set(), 2)
    []
    """
    left = [(group, [run for run in group.runs if wanted is None or run.id in wanted]) for group in groups]
    total = sum(run.flops for _, runs in left for run in runs)
    share = max(total / (3 * workers), 1.0)
    jobs = []
    for group, runs in left:
        if not runs:
            continue
        together = group.shape.spec.runs_per_call * devices
        calls = math.ceil(len(runs) / together)
        parts = min(max(round(sum(run.flops for run in runs) / share), 1), calls)
        for part in np.array_split(np.arange(calls), parts):
            own = tuple(runs[part[0] * together : (part[-1] + 1) * together])
            jobs.append(replace(group, id=job_id(own), runs=own))
    return sorted(jobs, key=lambda job: -sum(run.flops for run in job.runs))


def load_data(study: Study, config: DataConfig) -> tuple[data.Data, str]:
    """Load a cell's data set and the checksum of its content.

    Raises:
        StudyError: it cannot be read, or not as it is asked for.
    """
    try:
        rows = data.load(data_spec(config))
        return rows, rows.content or data.checksum(config.called)
    except OSError as error:  # no file can have such a name, or it cannot be looked at
        raise error_at_key(study.source, "data.name", f"{brief(config.called)}: {error.strerror}") from None
    except data.DataError as error:
        place = of_key(study.source, f"data.{error.key}")
        if place not in study.source.lines and place not in study.source.overridden:  # left at its default
            place = of_key(study.source, "data.name")
        key = f"data.{error.key}"
        key = "data" if error.key == "name" or key in str(error) else key
        raise StudyError(f"{study.source.where(*place)}: {key}: {error}") from None


def data_spec(config: DataConfig) -> data.DataSpec:
    """Return a data section as plain values."""
    return data.DataSpec(name=config.called, **config.model_dump(exclude={"copy", "name"}))


def function_key(name: str, checksums: Mapping[str, str]) -> FunctionKey:
    """Return what a worker needs to find a function, shipped or a user's, whose copy lies in ``sources/``."""
    named = sources.parse(name)
    return FunctionKey(named[1], named[0].name, checksums[name]) if named else FunctionKey(name)


def shape_of(resolved: Resolved, checksums: Mapping[str, str], call: CallSize, platform: str) -> Shape:
    """Return what of a cell shapes the compiled programs, still without the activations that share them."""
    cell, written = resolved.cell, resolved.written
    spec = ProgramSpec(
        **static_values(cell),
        probes=cell.measure.names(),
        task=resolved.data.task,
        depth_bound=1 if platform == "cpu" else cell.model.depth,
        static_depth=platform != "cpu",
        runs_per_call=call.runs_per_call,
        eval_chunks=1 if cell.model.norm == "batch" else call.eval_chunks,  # statistics are of all rows at once
    )
    return Shape(
        spec=spec,
        activations=(),
        optimizer=function_key(cell.train.optimizer.name, checksums),
        own_measures=tuple(function_key(f"{path}:{name}", checksums) for path, name in cell.measure.own()),
        data=data_spec(written.data),
        data_checksum=resolved.data_checksum,
        probe_rows=written.measure.probe_rows,
    )


def static_values(cell: Cell) -> dict[str, Any]:
    """What the keys of a cell say of its programs, by field of ``ProgramSpec``; of its data ``DataSpec`` has it."""
    by_field = {
        key.spec or way: key.of(value_at(getattr(cell, section), way))
        for section, way, key in run_keys()
        if section != "data" and key.shapes_program and not str(key.spec).startswith(BLOCK)
    }
    return {**by_field, "block": block_of(cell.model)}


def block_of(model: ModelConfig) -> Options:
    """What the keys of a model say of its blocks.

    >>> block_of(ModelConfig(norm="layer")).norm
    'layer'
    """
    keys = ((way, key) for section, way, key in run_keys() if section == "model" and str(key.spec).startswith(BLOCK))
    return Options(**{str(key.spec).removeprefix(BLOCK): key.of(value_at(model, way)) for way, key in keys})


def size_of(resolved: Resolved, activations: int) -> Size:
    """Return what decides how much memory a cell's runs take, in a study of so many activations."""
    cell, rows = resolved.cell, resolved.data
    return Size(
        depth=cell.model.depth,
        width=cell.model.width,
        batch_size=cell.train.batch_size,
        probe_rows=cell.measure.probe_rows,
        rows=sum(len(split.y) for split in (rows.train, rows.validation, rows.test)),
        features=resolved.features,
        outputs=resolved.outputs,
        itemsize=8 if cell.model.dtype == "float64" else 4,
        normed_rows=len(rows.train.y) if cell.model.norm == "batch" else 0,
        activations=activations,
        plain=block_of(cell.model) == Options(),
        remembered=len(OPTIMIZERS.find(cell.train.optimizer.name).memory),
        kept=cell.measure.keep_weights != "none",
    )


def check_sizes(sizes: Iterable[Size], source: Source) -> None:
    """Raise StudyError where there is a network that no machine holds.

    Raises:
        StudyError: naming the key that makes it so.
    """
    for size in sizes:
        least = worker_bytes(size, CallSize(1, MOST_EVAL_CHUNKS))
        if least > MOST_WORKER_BYTES:
            raise error_at_key(
                source,
                "model.width",
                f"depth {size.depth} and width {size.width} need about {least / 1e12:,.1f} TB of memory for one run; "
                f"at most {MOST_WORKER_BYTES / 1e12:g} TB are planned",
            )


def choose_call_sizes(
    sizes: Sequence[Size], platform: str, memory: float | None, begun: Mapping[int, CallSize]
) -> dict[int, CallSize]:
    """Choose how much of the work is in hand at a time, for each width: so that the largest of its networks fits.

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
                    f"memory: depth {size.depth} and width {size.width} need about {need / 1e9:.1f} GB per worker, "
                    f"even one run at a time; {memory / 1e9:.1f} GB were given"
                )
            call = fitting
        runs_per_call, eval_chunks = chosen.get(size.width, call)
        chosen[size.width] = CallSize(min(call.runs_per_call, runs_per_call), max(call.eval_chunks, eval_chunks))
    return chosen


def default_runs_per_call(width: int, platform: str) -> int:
    """Return how many runs one call advances: small networks and accelerators are better used by several at once.

    >>> default_runs_per_call(64, "cpu"), default_runs_per_call(16, "cpu")
    (1, 4)
    """
    if platform != "cpu":
        return 64
    return 1 if width >= 64 else 4
