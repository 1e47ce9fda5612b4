"""What a cell's settings stand for: ``auto``, null and defaults, resolved in one place before anything is planned.

Weights and biases are resolved together: an initializer may decide both.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from actlab import activations, data, sources
from actlab.activations.flatness import FoundFlat
from actlab.naming import brief, counted, show
from actlab.nn.draws import JOINT
from actlab.nn.initializers import ACTIVATION_FACTS, BIASES, INITIALIZERS
from actlab.nn.optimizers import OPTIMIZERS
from actlab.study.advice import also, below, flow
from actlab.study.choices import AUTO
from actlab.study.defaults import MOST_RECORDS
from actlab.study.fields import Choice, display_name
from actlab.study.reading import Source, StudyError, of_key
from actlab.study.sections import ModelConfig, TrainConfig
from actlab.study.sweep import Cell
from actlab.theory.moments import moments


@dataclass(frozen=True)
class Initialization:
    """How the weights and biases of the hidden layers are drawn.

    Attributes:
        weights: the initializer, ``auto`` no more, with its options.
        biases: likewise.
        weight_std, bias_mean, bias_std: of each hidden layer, from the first.
    """

    weights: Choice
    biases: Choice
    weight_std: tuple[float, ...]
    bias_mean: tuple[float, ...]
    bias_std: tuple[float, ...]


@dataclass(frozen=True)
class Resolved:
    """A cell whose settings are resolved.

    Attributes:
        written: the cell as the study has it.
        cell: with values for ``auto`` and null.
        activation: its record.
        parameters: the activation's parameters.
        data: the rows.
        data_checksum: of their content, or of what generates them.
        initialization: of the hidden layers.
    """

    written: Cell
    cell: Cell
    activation: activations.Activation
    parameters: Mapping[str, float]
    data: data.Data
    data_checksum: str
    initialization: Initialization

    @property
    def features(self) -> int:
        """Inputs of the network."""
        return self.data.train.x.shape[1]

    @property
    def unknown_death(self) -> str:
        """Why it cannot be known where the activation is flat, and what to declare; empty where it is known."""
        flat = self.activation.flat
        return flat.why_unknown(self.parameters) if isinstance(flat, FoundFlat) else ""

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
    warmup = float(train.schedule.options["warmup_steps"])
    if warmup >= train.steps:
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
    parameters = {name: float(model.activation.options[name]) for name in record.parameters}
    if not (record is activations.CATALOGUE.get(record.name) and parameters == record.parameters):
        with errors_about(source, "model.activation"):
            check_once(record, tuple(parameters.items()))
    check_seen(rows, model.dtype, source)
    initialization = initialize(model, record, parameters, rows.train.x.shape[1], source)
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
    return Resolved(cell, resolved_cell, record, parameters, rows, data_checksum, initialization)


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


def error_at_key(source: Source, key: str, why: str) -> StudyError:
    """Make the error about a key, with the place of its value."""
    return StudyError(f"{source.where(*of_key(source, key))}: {key}: {why}")


def error_together(source: Source, keys: tuple[str, ...], why: str, changed: str, value: int, old: int) -> StudyError:
    """Make the error about keys that do not go together: at the place of what was written last.

    Args:
        source: where the study's values come from.
        keys: the first is what the message is about.
        why: what is wrong.
        changed: the key that may be changed so that they do.
        value: to what.
        old: what it is.
    """
    fault = source.at_fault(*keys)
    return StudyError(f"{source.where(*fault)}: {keys[0]}: {why}; {also(source, fault, changed, value, old)}")


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


@contextmanager
def errors_about(source: Source, key: str) -> Iterator[None]:
    """Name the place of a key's value in whatever goes wrong with it.

    Raises:
        StudyError: in place of whatever goes wrong with it.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, ValueError) and not sources.blames_user(error):
            raise
        raise error_at_key(source, key, sources.failure(error)) from None


@lru_cache(maxsize=1024)
def check_once(record: activations.Activation, parameters: tuple[tuple[str, float], ...]) -> None:
    """Call ``activations.check``, once for each activation and parameters."""
    activations.check(record, dict(parameters))


def weight_decay(train: TrainConfig) -> float:
    """Return λ: what the study asks for, else the optimizer's own."""
    return OPTIMIZERS.find(train.optimizer.name).weight_decay if train.weight_decay is None else train.weight_decay


def initialize(
    model: ModelConfig, record: activations.Activation, parameters: Mapping[str, float], features: int, source: Source
) -> Initialization:
    """Resolve how weights and biases are drawn: what ``auto`` stands for, and each layer's standard deviations.

    ``he_*`` asked for by name is He's for ReLU; ``auto`` gives it the activation's own negative slope.

    Raises:
        StudyError: a standard deviation is not a positive number, or an initializer of the user's fails.
    """
    weights = resolved_weights(model.weight_init, record, parameters)
    std = partial(INITIALIZERS.find(weights.name).std, **weights.options)
    with errors_about(source, "model.bias_init"):
        biases = biases_beside(weights, model.bias_init)
    moments = partial(BIASES.find(biases.name).moments, **biases.options)
    fans = [(features, model.width)] + [(model.width, model.width)] * (model.depth - 1)
    with errors_about(source, "model.weight_init"):
        try_at(weights.name, tuple(weights.options.items()), tuple(dict.fromkeys(fans)))
        follows = weights.name in INITIALIZERS and "second_moment" not in model.weight_init.options
        if follows and weights.options.get("second_moment") == 0:
            name = display_name(model.activation.name)
            raise ValueError(f"{weights.name} needs E φ(Z)² > 0, and of {name} it is 0; name another initializer")
        weight_std = tuple(model.weight_gain * one_number(display_name(weights.name), std(*fan)) for fan in fans)
        if not all(0 < value < math.inf for value in weight_std):
            raise ValueError(f"{weights.name} gives standard deviations {weight_std[:3]}; expected positive numbers")
    with errors_about(source, "model.bias_init"):
        fans_in = tuple((fan_in,) for fan_in, _ in dict.fromkeys(fans))
        try_at(biases.name, tuple(biases.options.items()), fans_in)
        pairs = [mean_and_std(display_name(biases.name), moments(fan_in)) for fan_in, _ in fans]
        bias_mean, bias_std = zip(*pairs, strict=True)
        if not all(math.isfinite(value) for value in (*bias_mean, *bias_std)):
            raise ValueError(f"{biases.name} gives a mean or standard deviation that is not a finite number")
    if biases.name in JOINT:
        bias_std = tuple(float(std(*fan)) for fan in fans)
    return Initialization(weights, biases, weight_std, bias_mean, bias_std)


def biases_beside(weights: Choice, biases: Choice) -> Choice:
    """Return how biases are drawn: as the study says, or with the weights by an initializer that draws both.

    Raises:
        ValueError: the two do not go together.

    >>> biases_beside(Choice(name="randomized_asymmetric"), Choice(name="zeros")).name
    'randomized_asymmetric'
    """
    drawn = INITIALIZERS.find(weights.name).distribution
    if drawn in JOINT:
        if biases.name not in ("zeros", drawn):
            name = display_name(weights.name)
            raise ValueError(
                f"{display_name(biases.name)}: {name} draws weights and biases together; leave this key out"
            )
        return Choice(name=drawn)
    if biases.name in JOINT:
        raise ValueError(f"{biases.name} draws biases together with weights; write it as model.weight_init")
    return biases


@lru_cache(maxsize=1024)
def try_at(name: str, options: tuple[tuple[str, Any], ...], fans: tuple[tuple[int, ...], ...]) -> None:
    """Try an initializer of the user's at its options and fans."""
    if named := sources.parse(name):
        sources.tried("actlab.nn.initializers:call", *named, dict(options), fans)


def resolved_weights(choice: Choice, record: activations.Activation, parameters: Mapping[str, float]) -> Choice:
    """Return the initializer that ``auto`` stands for, and the options that follow from the activation filled in."""
    automatic = choice.name == AUTO
    initializer = INITIALIZERS.find(record.weight_init if automatic else choice.name)
    options = dict(choice.options)
    for name in ACTIVATION_FACTS:
        wanted = name in initializer.needed or (automatic and name in initializer.defaults)
        fact = activation_fact(name, record, parameters) if wanted and name not in options else None
        if fact is not None:
            options[name] = fact
    return Choice(name=record.weight_init if automatic else choice.name, options=options)


def activation_fact(name: str, record: activations.Activation, parameters: Mapping[str, float]) -> float | None:
    """Return one of ``ACTIVATION_FACTS``; None where an activation says nothing of it."""
    if name == "negative_slope":
        return parameters[record.he_slope] if record.he_slope else None
    return moments(record, tuple(parameters.items()))[name]


def one_number(name: str, given: Any) -> float:
    """Take what a weight initializer gives as a number.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(given, bool) or not isinstance(given, int | float | np.number):
        raise ValueError(f"{name}: gives {brief(given)}; expected a standard deviation")
    return float(given)


def mean_and_std(name: str, given: Any) -> tuple[float, float]:
    """What a bias initializer gives, as two numbers.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ValueError(f"{name}: gives {brief(given)}; expected a mean and a standard deviation")
    return one_number(name, given[0]), one_number(name, given[1])


def numbers_of(resolved: Resolved) -> dict[str, Any]:
    """Return what of a cell is only a number in the program (see ``nn.training.Numbers``); the seed comes later."""
    model, train = resolved.cell.model, resolved.cell.train
    record, parameters, begun = resolved.activation, resolved.parameters, resolved.initialization
    thresholds = moments(record, tuple(parameters.items()))
    return {
        "weight_std": begun.weight_std,
        "bias_mean": begun.bias_mean,
        "bias_std": begun.bias_std,
        "fixed": {name: value for name, value in parameters.items() if name not in record.learnable},
        "learnable": {name: parameters[name] for name in record.learnable},
        "flat_pieces": record.flat.pieces(parameters) if isinstance(record.flat, FoundFlat) else (),
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


def initializer_label(weights: Choice) -> str:
    """Write a resolved initializer as tables have it: with what it took from the activation, if that is a slope.

    >>> initializer_label(Choice(name="he_normal", options={"negative_slope": 0.01}))
    'he_normal(negative_slope=0.01)'
    """
    options = {key: show(value) for key, value in weights.options.items() if key != "second_moment"}
    listed = ", ".join(f"{key}={value}" for key, value in options.items() if value != "0")
    name = display_name(weights.name)
    return f"{name}({listed})" if listed else name
