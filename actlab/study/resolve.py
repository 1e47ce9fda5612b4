"""What a cell's settings stand for: ``auto``, null and defaults, resolved in one place before anything is planned.

Weights and biases are resolved together: an initializer may decide both.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from actlab import activations, data
from actlab.activations.flatness import FoundFlat
from actlab.naming import counted
from actlab.nn.optimizers import OPTIMIZERS
from actlab.study.advice import below, flow
from actlab.study.by_layer import check_lengths, layers_of, parameters_of
from actlab.study.choices import AUTO
from actlab.study.defaults import MOST_RECORDS
from actlab.study.faults import error_at_key, error_together, errors_about
from actlab.study.fields import Choice, display_name
from actlab.study.initialization import Initialization, initialize
from actlab.study.reading import Source, StudyError
from actlab.study.sections import TrainConfig
from actlab.study.sweep import Cell
from actlab.theory.moments import moments


@dataclass(frozen=True)
class Resolved:
    """A cell whose settings are resolved.

    Attributes:
        written: the cell as the study has it.
        cell: with values for ``auto`` and null.
        activation: its record.
        parameters: the activation's parameters; of those by layer their mean (see ``by_layer.Parameters``).
        by_layer: those that hidden layers begin with, each its own.
        data: the rows.
        data_checksum: of their content, or of what generates them.
        initialization: of the hidden layers.
    """

    written: Cell
    cell: Cell
    activation: activations.Activation
    parameters: Mapping[str, float]
    by_layer: Mapping[str, tuple[float, ...]]
    data: data.Data
    data_checksum: str
    initialization: Initialization

    @property
    def defining(self) -> Cell:
        """The cell as it defines its runs: with what theory decided where a rule of it may come to say otherwise."""
        if not self.initialization.decided:
            return self.written
        rule = self.written.model.weight_init
        choice = Choice(name=rule.name, options={**rule.options, **self.initialization.decided})
        return replace(self.written, model=self.written.model.model_copy(update={"weight_init": choice}))

    @property
    def theory_facts(self) -> dict[str, Any]:
        """What theory says of how its networks are started (see ``started.Started``); empty where it says nothing."""
        told = self.initialization.theory_facts
        rule = self.written.model.weight_init
        name = self.initialization.weights.name if rule.name == AUTO else rule.label({})
        return {"weight_init": name, **told} if told else {}

    @property
    def features(self) -> int:
        """Inputs of the network."""
        return self.data.train.x.shape[1]

    @property
    def unknown_death(self) -> str:
        """Why it cannot be known where the activation is flat, and what to declare; empty where it is known."""
        flat, layers = self.activation.flat, layers_of(self.parameters, self.by_layer)
        return next(filter(None, map(flat.why_unknown, layers)), "") if isinstance(flat, FoundFlat) else ""

    @property
    def outputs(self) -> int:
        """Outputs of the network."""
        return len(self.data.classes) or 1


def resolve(cell: Cell, rows: data.Data, data_checksum: str, source: Source) -> Resolved:
    """Resolve a cell's settings, and try out an activation that the tests do not know.

    Args:
        cell: as the study has it.
        rows: its data.
        data_checksum: of their content, or of what generates them.
        source: where the study's values come from, for error messages.

    Raises:
        StudyError: settings do not go together, or the activation or an initializer cannot be used.
    """
    model, train = cell.model, cell.train
    training_rows = len(rows.train.y)
    if train.batch_size > training_rows:
        expected = f"expected at most the {training_rows} training rows of {display_name(cell.data.called)}"
        keys = ("train.batch_size", "data.train_rows", "data.name")
        raise error_together(
            source, keys, f"{expected}, not {train.batch_size}", "train.batch_size", training_rows, train.batch_size
        )
    warmup = train.schedule.number("warmup_steps")
    if warmup > max(train.steps - 1, 0):
        expected = f"warmup_steps: expected fewer than the {counted(train.steps, 'step')}"
        keys = ("train.schedule", "train.schedule.warmup_steps", "train.steps")
        raise error_together(source, keys, f"{expected}, not {warmup:.0f}", "train.steps", 2 * int(warmup), train.steps)
    if train.freeze_layers > model.depth:
        expected = f"expected at most the {counted(model.depth, 'hidden layer')} of model.depth"
        pair, why = ("train.freeze_layers", "model.depth"), f"{expected}, not {train.freeze_layers}"
        if out := frozen_beyond(source):
            fault = source.where(*source.at_fault(*pair))
            raise StudyError(f"{fault}: {pair[0]}: {why}; {below('sweep.exclude', out)}")
        raise error_together(source, pair, why, pair[0], model.depth, train.freeze_layers)
    records = train.steps // cell.measure.every
    if records > MOST_RECORDS:
        least = math.ceil(train.steps / MOST_RECORDS)
        why = f"{train.steps:,} steps make {records:,} records of a run; at most {MOST_RECORDS:,} are kept"
        written = [key for key in ("every", "evaluate_every") if key in cell.measure.model_fields_set]
        about = (*(f"measure.{key}" for key in written), "train.steps")
        every = math.ceil(least / cell.measure.every) * cell.measure.every
        old = getattr(cell.measure, written[0]) if written else train.steps
        raise error_together(source, about, why, about[0], every, old)
    record = activations.CATALOGUE.find(model.activation.name)
    check_lengths(model, source)
    parameters, by_layer = parameters_of(model.activation, record)
    layers = layers_of(parameters, by_layer)
    for own in layers:
        if not (record is activations.CATALOGUE.get(record.name) and own == record.parameters):
            with errors_about(source, "model.activation"):
                check_once(record, tuple(own.items()))
    check_seen(rows, model.dtype, source)
    initialization = initialize(model, record, parameters, rows.train.x, source, layers if by_layer else ())
    resolved_cell = replace(
        cell,
        data=cell.data.model_copy(
            update={
                "target": cell.data.target or "",
                "task": rows.task,
                "train_rows": training_rows,
                "target_loss": rows.target_loss,
            }
        ),
        model=model.model_copy(
            update={
                "weight_init": initialization.weights,
                "bias_init": initialization.biases,
                "dropout": model.dropout.settled,
            }
        ),
        train=train.model_copy(update={"weight_decay": weight_decay(train)}),
        measure=cell.measure.model_copy(update={"probe_rows": min(cell.measure.probe_rows, training_rows)}),
    )
    return Resolved(cell, resolved_cell, record, parameters, by_layer, rows, data_checksum, initialization)


def check_seen(rows: data.Data, dtype: str, source: Source) -> None:
    """Refuse inputs that vary by less than the network's numbers can tell: it would train as if they were constant.

    Raises:
        StudyError: naming one.
    """
    which = lost_once(rows, dtype)
    if not which.any():
        return
    name, column = rows.features[int(np.argmax(which))], rows.train.x[:, int(np.argmax(which))]
    more = f" (and {which.sum() - 1} more)" if which.sum() > 1 else ""
    raise error_at_key(
        source,
        "data.standardize",
        f"column {name!r}{more} of {display_name(rows.name)} goes from {column.min():.8g} to {column.max():.8g}, which "
        f"a network in {dtype} cannot tell apart beside numbers of size 1; set it true, or leave the column out by "
        "data.drop",
    )


@lru_cache(maxsize=8)
def lost_once(rows: data.Data, dtype: str) -> np.ndarray:
    """Call ``data.lost``, once for each data set and precision."""
    return data.lost(rows.train.x, dtype)


def frozen_beyond(source: Source) -> list[dict[str, Any]]:
    """List what to exclude where a file's matrix crosses depths with more frozen layers than some have; else nothing.

    >>> matrix = {"train.freeze_layers": [0, 2], "model.depth": [1, 2]}
    >>> from pathlib import Path
    >>> frozen_beyond(Source(Path("s.yaml"), {}, {}, {"matrix": matrix}))
    [{'train.freeze_layers': 2, 'model.depth': 1}]
    """
    matrix = source.sweep.get("matrix") or {}
    keys = ("train.freeze_layers", "model.depth")
    if not all(key in matrix for key in keys) or any(place[0] == "sweep" for place in source.overridden):
        return []
    pairs = ((frozen, depth) for frozen in matrix[keys[0]] for depth in matrix[keys[1]] if frozen > depth)
    out = [*(source.sweep.get("exclude") or ()), *(dict(zip(keys, pair, strict=True)) for pair in pairs)]
    return out if flow(out) != "..." else []


@lru_cache(maxsize=1024)
def check_once(record: activations.Activation, parameters: tuple[tuple[str, float], ...]) -> None:
    """Call ``activations.check``, once for each activation and parameters."""
    activations.check(record, dict(parameters))


def weight_decay(train: TrainConfig) -> float:
    """Return λ: what the study asks for, else the optimizer's own."""
    return OPTIMIZERS.find(train.optimizer.name).weight_decay if train.weight_decay is None else train.weight_decay


def numbers_of(resolved: Resolved) -> dict[str, Any]:
    """Return what of a cell is only a number in the program (see ``nn.training.Numbers``); the seed comes later."""
    model, train = resolved.cell.model, resolved.cell.train
    record, parameters, begun = resolved.activation, resolved.parameters, resolved.initialization
    thresholds = moments(record, tuple(parameters.items()))
    pieces = [
        record.flat.pieces(own) if isinstance(record.flat, FoundFlat) else ()
        for own in layers_of(parameters, resolved.by_layer)
    ]
    return {
        "weight_std": begun.weight_std,
        "bias_mean": begun.bias_mean,
        "bias_std": begun.bias_std,
        "fixed": {name: value for name, value in parameters.items() if name not in record.learnable},
        "learnable": {name: resolved.by_layer.get(name, parameters[name]) for name in record.learnable},
        "flat_pieces": pieces[0] if len(set(pieces)) == 1 else None,
        "optimizer": {
            **train.optimizer.numbers,
            "learning_rate": train.learning_rate,
            "weight_decay": train.weight_decay,
            "warmup_steps": train.schedule.options["warmup_steps"],
            "cosine": float(train.schedule.name == "cosine"),
            "schedule_steps": float(train.steps),
        },
        "dropout_rate": model.dropout.rate,
        "clip_norm": train.clip_norm or math.inf,
        "freeze_layers": train.freeze_layers,
        **{name: thresholds[name] for name in ("weak_threshold", "saturation_low", "saturation_high")},
    }
