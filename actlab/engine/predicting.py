"""What a study's folder lacks of theory's predictions, computed by the workers once its runs are trained."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actlab.engine import prediction_cells, prediction_files, store
from actlab.engine.manifest import PREDICTIONS, write_manifest
from actlab.engine.prediction_cells import FAILED, Cell
from actlab.engine.worker_pools import Processes, cores
from actlab.study.memory import PLANNED
from actlab.study.plan import Plan

if TYPE_CHECKING:
    import pyarrow as pa

VERSIONS = ("actlab", "jax", "numpy")
"""Of the packages that make a prediction what it is, the manifest has the versions."""
PATIENCE = 1.0  # seconds after which it is said how far it is, and between two looks


def bring_up_to_date(
    planned: Plan,
    stored: store.Stored,
    processes: Processes,
    tell: Callable[..., None],
    prune: bool = False,
    memory: float | None = None,
) -> list[str]:
    """Have the folder hold the predictions of every cell of a plan: compute those that it lacks, and train nothing.

    Those of other cells stay as long as runs of theirs are stored.

    Args:
        planned: the plan.
        stored: what the folder holds.
        processes: where a worker is opened, if there is anything to compute.
        tell: called with how far it is, as fields of ``Progress``, if that takes a while.
        prune: whether what the plan does not ask for is removed.
        memory: bytes that there are for all processes together; None where that is not known.

    Returns:
        a line on what was wrong with those that were there, if anything was.

    Raises:
        StoreError: they cannot be written.
    """
    folder, manifest = stored.folder, stored.manifest()
    table, problem = prediction_files.read(folder, manifest)
    there = prediction_files.by_cell(table)
    cells = prediction_cells.cells_of(planned)
    missing = {name: cell for name, (cell, _) in cells.items() if name not in there or failed(there[name])}
    others = set() if prune else stored.runs() - planned.runs.keys()
    kept = prediction_files.only(there, others)
    listed = manifest.get(PREDICTIONS, {})
    new: dict[str, pa.Table] = {}

    def keep() -> None:
        """Have the folder hold what is known so far."""
        known = there | new
        rows = {name: of_cell(name, runs, known) for name, (_, runs) in cells.items() if name in known}
        wanted = prediction_files.joined([rows, kept])
        if problem or not listed or not same(wanted, there):
            write_manifest(folder, {key: value for key, value in manifest.items() if key != PREDICTIONS})
            versions = listed.get("versions", {}) if not new else {name: store.versions()[name] for name in VERSIONS}
            about = {"sha256": prediction_files.write(folder, wanted), "versions": versions}
            write_manifest(folder, {**manifest, PREDICTIONS: about})

    try:
        if missing:
            computed(missing, folder, processes, tell, new, most_processes(prediction_cells.bytes_of(planned), memory))
    except KeyboardInterrupt:
        if new:
            keep()
        raise
    keep()
    return [f"{folder}: {problem}; they were computed again, without training"] if problem else []


def of_cell(name: str, runs: Collection[str], there: Mapping[str, pa.Table]) -> pa.Table:
    """The rows of a cell, as those of its runs."""
    return prediction_files.of_runs(there[name], runs)


def same(one: Mapping[str, pa.Table], other: Mapping[str, pa.Table]) -> bool:
    """Whether two folders' predictions are the same: of one cell they only differ in whose they are, or in failure."""
    return one.keys() == other.keys() and all(
        first(one[name]) == first(other[name]) and len(one[name]) == len(other[name]) for name in one
    )


def first(rows: pa.Table) -> tuple[Any, ...]:
    """What the first row of a cell says: its runs, and why nothing is predicted."""
    return prediction_files.runs_of(rows), prediction_files.why_not(rows)


def failed(rows: pa.Table) -> bool:
    """Whether a cell is to be tried again."""
    return prediction_files.why_not(rows).startswith(FAILED)


def computed(
    cells: Mapping[str, Cell],
    folder: Path,
    processes: Processes,
    tell: Callable[..., None],
    done: dict[str, pa.Table],
    most: int,
) -> None:
    """Put the rows of some cells into ``done``, by so many workers; of a chain by one, one after the other."""
    chains = deque(chains_of(cells))
    number = min(len(chains), most)
    processes.keep(number)
    begun = time.monotonic()
    at_work: dict[Future[Any], tuple[Executor, deque[str]]] = {}

    def go_on(worker: Executor, chain: deque[str]) -> None:
        if not chain and not chains:
            return
        names = chain or chains.popleft()
        job = partial(prediction_cells.predicted, cells[names[0]], names[0], folder.absolute() / "sources")
        try:
            future = worker.submit(job)
        except BrokenExecutor as error:  # it died since it finished its last one
            future = Future()
            future.set_exception(error)
        at_work[future] = worker, names

    for _ in range(number):
        go_on(processes.open(), deque())
    while at_work:
        for future in wait(at_work, PATIENCE, FIRST_COMPLETED).done:
            worker, names = at_work.pop(future)
            name = names.popleft()
            try:
                done[name] = future.result()
            except BrokenExecutor as error:
                done[name] = prediction_files.rows_of(name, f"{FAILED}its process died ({error})", ())
                worker = processes.open()
            go_on(worker, names)
        if time.monotonic() - begun > PATIENCE:
            tell(predicted=len(done), to_predict=len(cells))


def most_processes(each: float, memory: float | None) -> int:
    """Find how many processes may predict at a time: one for each core, or as many as fit in memory, but one at least.

    Args:
        each: bytes that one holds at most.
        memory: bytes that there are for all; None where that is not known.

    >>> most_processes(1e9, 1.5e9), most_processes(1e9, 1e6), most_processes(1.0, None) == cores()
    (1, 1, True)
    """
    if memory is None or not each:
        return cores()
    return max(1, min(cores(), int(PLANNED * memory // each)))


def chains_of(cells: Mapping[str, Cell]) -> list[deque[str]]:
    """Name the cells that share data and activation, and so a compiled function and most of their layers, together."""

    def shared(name: str) -> str:
        cell = cells[name]
        return repr((cell.shape.data_checksum, cell.shape.data, cell.activation, cell.parameters))

    def begins_as(name: str) -> tuple[Any, ...]:
        """What their layers are, and the deepest first: it has those of the others."""
        cell = cells[name]
        above = "".join(f"{std**2 * cell.shape.spec.width:.9g}" for std in cell.weight_std[1:2])
        return cell.weight_std[0], cell.bias_mean[0], cell.bias_std[0], above, -len(cell.weight_std)

    in_order = sorted(cells, key=lambda name: (shared(name), begins_as(name)))
    return [deque(names) for _, names in groupby(in_order, key=shared)]
