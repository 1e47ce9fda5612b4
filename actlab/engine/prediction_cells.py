"""The cells of a plan that theory predicts: what a network is as it is drawn, whatever it is trained by.

A worker computes them, for they take a function of the user's, which is run as training runs it: from the study's own
copy of its file, if that is what the study was planned with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from actlab.study.identity import canonical
from actlab.study.jobs import FunctionKey, Shape
from actlab.study.memory import prediction_bytes
from actlab.study.plan import Plan
from actlab.study.settings import OF_PREDICTION
from actlab.theory.bounds import MOST_DEPTH_PER_WIDTH, MOST_ROWS, too_deep

if TYPE_CHECKING:
    import pyarrow as pa

    from actlab.theory.finite_depth import Setting

EDITION = 5
"""Raised where theory predicts something else than it did: what was stored is computed again then."""
OUTSIDE = "outside theory: "
FAILED = "could not be computed: "
"""How a reason begins why nothing is predicted; what failed is tried again by the next run."""
INDEPENDENT = ("normal", "truncated_normal", "uniform", "orthogonal", "normalized_columns")
"""How weights may be drawn: theory takes them for independent Gaussians, which in the limit of width all of these are
like: a unit's z is Gaussian given its inputs, and two units' are uncorrelated. (Columns of one norm are uniform on a
sphere, of which few coordinates are Gaussian.)"""

Numbers = tuple[tuple[str, float | tuple[float, ...]], ...]
Pieces = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Cell:
    """What a prediction depends on.

    Attributes:
        shape: of its programs: width, data, probe rows, normalisation; of the rest nothing matters.
        activation: its function.
        parameters: of that, as it begins.
        flat_pieces: where it is constant, if its record does not say; None where that cannot be known.
        weight_std, bias_mean, bias_std: of each hidden layer.
    """

    shape: Shape = field(repr=False)
    activation: FunctionKey
    parameters: Numbers
    flat_pieces: Pieces | None
    weight_std: tuple[float, ...] = field(repr=False)
    bias_mean: tuple[float, ...] = field(repr=False)
    bias_std: tuple[float, ...] = field(repr=False)

    @property
    def facts(self) -> dict[str, Any]:
        """What it depends on, as plain values: of data and functions their content, not where they lie."""
        spec, data = self.shape.spec, self.shape.data
        infinite = {float("inf"): "∞", float("-inf"): "−∞"}
        flat = None if self.flat_pieces is None else [[infinite.get(z, z) for z in one] for one in self.flat_pieces]
        return {
            "edition": EDITION,
            "data": [self.shape.data_checksum, data.seed, data.standardize, data.train_rows, data.label_noise],
            "task": spec.task,
            "probe_rows": self.shape.probe_rows,
            "activation": self.activation.source_checksum or self.activation.name,
            "parameters": self.parameters,
            "flat_pieces": flat,
            "width": spec.width,
            "drawn": [spec.weight_distribution, spec.bias_distribution, self.weight_std, self.bias_mean, self.bias_std],
            "block": [spec.block.norm, spec.block.residual],
        }

    @property
    def name(self) -> str:
        """A short hash of that."""
        return hashlib.sha256(canonical(self.facts).encode()).hexdigest()[:12]


def cells_of(plan: Plan) -> dict[str, tuple[Cell, list[str]]]:
    """Find the cells of a plan: by name the cell, and its runs."""
    found: dict[Any, tuple[Cell, list[str]]] = {}
    for group in plan.groups:
        for run in group.runs:
            numbers = run.numbers
            parameters = tuple(sorted({**numbers["fixed"], **numbers["learnable"]}.items()))
            drawn = (numbers["weight_std"], numbers["bias_mean"], numbers["bias_std"])
            key = (group.shape, group.activation, parameters, numbers["flat_pieces"], *drawn)
            if key not in found:
                function = group.shape.activations[group.activation]
                found[key] = Cell(group.shape, function, parameters, numbers["flat_pieces"], *drawn), []
            found[key][1].append(run.id)
    named: dict[str, tuple[Cell, list[str]]] = {}
    for cell, runs in found.values():
        named.setdefault(cell.name, (cell, []))[1].extend(runs)
    return named


def predicted(cell: Cell, name: str, sources_folder: Path) -> pa.Table:
    """Compute the rows of a cell: its predictions, or the one row that says why there are none.

    Theory that fails ends nothing: what it says of a cell is no part of what was measured.
    """
    from actlab import jax_settings
    from actlab.engine import prediction_files
    from actlab.naming import message
    from actlab.theory import TheoryError, finite_depth

    rows: list[tuple[Any, ...]] = []
    why = outside(cell)
    if not why:
        try:
            with jax_settings.pinned(), on_processor():
                setting = setting_of(cell, sources_folder)
                why = finite_depth.outside(setting)
                rows = [] if why else [row(one) for one in finite_depth.predict(setting)]
        except TheoryError as error:
            why = message(str(error))
        except Exception as error:
            return prediction_files.rows_of(name, f"{FAILED}{type(error).__name__}: {message(str(error))}", ())
    return prediction_files.rows_of(name, f"{OUTSIDE}{why}" if why else "", rows)


def row(one: Any) -> tuple[Any, ...]:
    """Put a prediction into the columns of the file."""
    return tuple(getattr(one, name) for name in OF_PREDICTION)


def outside(cell: Cell) -> str:
    """Say which part of a network theory does not have; empty where none is."""
    spec = cell.shape.spec
    if spec.block.norm != "none":
        return "normalisation"
    if spec.block.residual:
        return "residual connections"
    if any(isinstance(value, tuple) for _, value in cell.parameters):
        return "activation parameters by layer"
    return "" if spec.weight_distribution in INDEPENDENT else "weights that are not drawn independently of each other"


def outside_by_settings(plan: Plan) -> dict[str, int]:
    """Count the cells of a plan that are outside theory whatever their activation and data: {why: how many}."""
    found: dict[str, int] = {}
    for cell, _ in cells_of(plan).values():
        if why := outside_in_brief(cell):
            found[why] = found.get(why, 0) + 1
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def outside_in_brief(cell: Cell) -> str:
    """Say why a cell is outside theory, as far as its settings tell, in words that others like it share."""
    if why := outside(cell):
        return why
    if too_deep(len(cell.weight_std), cell.shape.spec.width):
        return f"depth/width above {MOST_DEPTH_PER_WIDTH:g}"
    return "one probe row, and no pair of rows" if cell.shape.probe_rows < 2 else ""


def bytes_of(plan: Plan) -> float:
    """Predict the bytes that a process holds at most while it computes the predictions of a plan; 0 without any."""
    data = max((sum(one["rows"].values()) * one["inputs"] for one in plan.data), default=0)
    inside = [cell for cell, _ in cells_of(plan).values() if not outside_in_brief(cell)]
    needs = (prediction_bytes(len(one.weight_std), min(one.shape.probe_rows, MOST_ROWS), data) for one in inside)
    return max(needs, default=0.0)


def setting_of(cell: Cell, sources_folder: Path) -> Setting:
    """Make of a cell what theory takes: functions and arrays."""
    from actlab.theory.finite_depth import Setting

    phi, flat = functions_of(cell.activation, cell.parameters, cell.flat_pieces, sources_folder)
    task, outputs, x_MxF, y_M, x_train_NxF = arrays_of(cell.shape, sources_folder)
    drawn, spec = (cell.weight_std, cell.bias_mean, cell.bias_std), cell.shape.spec
    of_rows = (x_MxF, y_M, x_train_NxF)
    return Setting(
        phi, flat, *drawn, spec.width, task, outputs, *of_rows, spec.weight_distribution, spec.bias_distribution
    )


@lru_cache(maxsize=64)
def functions_of(
    key: FunctionKey, parameters: Numbers, intervals: Pieces | None, sources_folder: Path
) -> tuple[Callable[..., Any], Callable[..., Any] | None]:
    """An activation of z alone, and where it is flat: the same ones for all cells, so that they are compiled once."""
    from actlab import activations
    from actlab.activations.flatness import FoundFlat, within
    from actlab.engine.loading import record_of

    record = record_of(activations.CATALOGUE, key, sources_folder)
    phi = partial(record.exact, **dict(parameters))
    if intervals is None:
        return phi, None
    return phi, partial(within, intervals=intervals) if isinstance(record.flat, FoundFlat) else partial(
        record.flat, **dict(parameters)
    )


@lru_cache(maxsize=4)
def arrays_of(shape: Shape, sources_folder: Path) -> tuple[str, int, np.ndarray, np.ndarray, np.ndarray]:
    """The task, its number of outputs, and the rows as training has them: probe rows, their targets, training rows."""
    from actlab.engine import run_data

    splits = run_data.splits(shape, sources_folder)
    probe, train = splits["probe"], splits["train"]
    outputs = len(run_data.rows(shape, sources_folder).classes) or 1
    return shape.spec.task, outputs, probe.x.astype(float), np.asarray(probe.y), train.x.astype(float)


def on_processor() -> Any:
    """Compute on the processor, also in a worker that trains on an accelerator: theory is in float64."""
    import jax

    try:
        return jax.default_device(jax.devices("cpu")[0])
    except RuntimeError:  # this JAX has none
        return jax.default_device(None)
