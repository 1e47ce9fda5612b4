"""The words of a study's YAML file: every key, its type, its default and its meaning, as frozen pydantic models.

A key is declared here once: what it may hold, what it is to a run (``fields.Key``), and the sentence that the docs have
on it; the order of keys is that in which settings are shown. What stands for what (``auto``, null) is ``resolve.py``'s,
a file with line numbers and overrides ``reading.py``'s, and sweeps are spelled out in ``sweep.py``.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from actlab import activations, data, sources
from actlab.measures import DEFAULT_PROBES, HISTOGRAMS, PROBES, Measure
from actlab.nn.blocks import DROPOUTS, NORMS
from actlab.nn.initializers import ACTIVATION_FACTS, BIASES, INITIALIZERS
from actlab.nn.optimizers import OPTIMIZERS
from actlab.study.fields import (
    LABEL,
    NUMBER,
    STATIC,
    USER_FUNCTION,
    Choice,
    Key,
    OptionDefaults,
    Section,
    checked,
    choices,
    known,
    names_of,
    show,
    split_name,
)
from actlab.study.selection import Metric, Select

MEASURES = (*PROBES, *HISTOGRAMS)
"""What ``measure.probes`` may name."""

PROBE_SETS = {"default": DEFAULT_PROBES, "all": PROBES}
SCHEDULES: dict[str, dict[str, float | bool | str]] = {
    "constant": {"warmup_steps": 0.0},
    "cosine": {"warmup_steps": 0.0},
}
AUTO = "auto"


# Choices


def activation_options(record: activations.Activation) -> dict[str, float | bool | str]:
    """An activation's options and their defaults; with ``per: unit`` learnable parameters are each unit's own."""
    return {**record.parameters, **({"per": "layer"} if record.learnable else {})}


def weight_init_defaults(name: str) -> Mapping[str, float]:
    """The options of an initializer that may be left out."""
    return {} if name == AUTO else INITIALIZERS.find(name).defaults


def unnamed_is_constant(value: Any) -> Any:
    """Options of a schedule without a name are those of the default one."""
    return {"name": "constant", **value} if isinstance(value, dict) and not {"name", "options"} & set(value) else value


ActivationChoice = Annotated[
    Choice,
    BeforeValidator(split_name),
    OptionDefaults(lambda name: activation_options(activations.CATALOGUE.find(name))),
    choices(activations.CATALOGUE),
]
WeightInit = Annotated[
    Choice, BeforeValidator(split_name), OptionDefaults(weight_init_defaults), choices(INITIALIZERS, AUTO)
]
BiasInit = Annotated[
    Choice, BeforeValidator(split_name), OptionDefaults(lambda name: BIASES.find(name).options), choices(BIASES)
]
Optimizer = Annotated[
    Choice, BeforeValidator(split_name), OptionDefaults(lambda name: OPTIMIZERS.find(name).options), choices(OPTIMIZERS)
]
Schedule = Annotated[
    Choice,
    BeforeValidator(split_name),
    BeforeValidator(unnamed_is_constant),
    OptionDefaults(lambda name: SCHEDULES[name]),
    choices(SCHEDULES),
]


PROBES_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"enum": list(PROBE_SETS)},
            {
                "type": "array",
                "items": {"anyOf": [{"enum": [*PROBE_SETS, *MEASURES]}, {"type": "string", "pattern": USER_FUNCTION}]},
            },
        ]
    }
)


def check_probe(name: Any) -> str:
    """The column of a measure: a name, ``default`` or ``all``, or that of ``path/to/file.py:function``, tried out."""
    if isinstance(name, str) and (named := sources.parse(name)):
        return own_measure(*named).name
    return known(name, "probe", [*PROBE_SETS, *MEASURES])


def own_measure(path: Path, function: str) -> Measure:
    """The record of a user's measure."""
    return loaded_measure(path, function, sources.fingerprint(path))


@lru_cache(maxsize=64)
def loaded_measure(path: Path, function: str, fingerprint: str) -> Measure:
    """The record of a user's measure, loaded and tried out once for each content of its file."""
    from actlab.nn.own_measures import check_measure, load_measure  # JAX only where there is such a measure

    record, probe = load_measure(path, function)
    check_measure(probe, f"{path.name}:{function}")
    return record


# Sections


class DataConfig(Section):
    """Which rows to learn from."""

    name: Annotated[str, Key(STATIC, column="data", problem=True)] = Field(
        description="a data set's name, a path to .npz, .csv or .parquet, or path/to/file.py:function"
    )
    seed: Annotated[int, Key(NUMBER, column="data_seed", problem=True, unused=(0,))] = Field(
        0, ge=0, lt=2**32, description="of the splits and probe rows, the same for every run"
    )
    standardize: Annotated[bool, Key(NUMBER, problem=True, unused=(True,))] = Field(
        True, description="inputs to mean 0 and variance 1, by the training rows' statistics"
    )
    train_rows: Annotated[int | None, Key(STATIC, problem=True, follows=True)] = Field(
        None, ge=1, description="keep only so many training rows (nested, stratified)"
    )
    target: Annotated[str | None, Key(STATIC, problem=True, unused=("",))] = Field(
        None, description="the column to predict; the last one by default"
    )
    task: Annotated[Literal["auto", "classification", "regression"], Key(STATIC, problem=True, follows=True)] = Field(
        "auto", description="auto: text or integer labels classify, floats regress"
    )
    target_loss: Annotated[float | None, Key(LABEL, column="")] = Field(
        None, gt=0, description="the loss that steps_to_target waits for"
    )

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if sources.parse(name):
            data.DATASETS.find(name)
        return name if data.is_file(name) or sources.parse(name) else known(name, "data set", data.DATASETS)


class DropoutConfig(Section):
    """Which share of each hidden layer's units a training step leaves out, and how."""

    rate: Annotated[float, Key(NUMBER, column="dropout", unused=(0.0,))] = Field(
        0.0, ge=0, lt=1, description="share of units; 0 is no dropout"
    )
    kind: Annotated[
        str, names_of(DROPOUTS[1:]), Key(STATIC, column="dropout_kind", spec="", follows=True, unused=("",))
    ] = Field("standard", description="standard, or alpha: what SELU needs")

    @field_validator("kind")
    @classmethod
    def _kind(cls, kind: str) -> str:
        return known(kind, "kind of dropout", DROPOUTS[1:])

    @model_validator(mode="before")
    @classmethod
    def _none_is_of_no_kind(cls, values: Any) -> Any:
        """At rate 0 every kind is the same: one cell, where a sweep crosses the two."""
        if isinstance(values, int | float):
            raise ValueError(f"expected a mapping such as {{rate: {values}}}, not {values}")
        if isinstance(values, dict) and values.get("rate", 0.0) == 0 and values.get("kind") in DROPOUTS:
            return {key: value for key, value in values.items() if key != "kind"}
        return values

    @property
    def used(self) -> str:
        """A key of ``DROPOUTS``."""
        return self.kind if self.rate > 0 else "none"


class ModelConfig(Section):
    """The network."""

    activation: Annotated[
        ActivationChoice,
        Key(NUMBER, spec="learnable_per", of=lambda choice: str(choice.options.get("per", "layer"))),
    ] = Field(Choice(name="relu"), description="a name, or path/to/file.py:function")
    depth: Annotated[int, Key(NUMBER, problem=True)] = Field(
        10, ge=1, le=1000, description="hidden layers, each followed by the activation"
    )
    width: Annotated[int, Key(STATIC)] = Field(64, ge=1, le=65536, description="units of each hidden layer")
    weight_init: Annotated[
        WeightInit,
        Key(
            STATIC,
            spec="weight_distribution",
            of=lambda choice: INITIALIZERS.find(choice.name).distribution,
            whole=True,
        ),
    ] = Field(Choice(name=AUTO), description="a name, or path/to/file.py:function; auto: what suits the activation")
    weight_gain: Annotated[float, Key(NUMBER)] = Field(
        1.0, gt=0, description="multiplies the hidden layers' standard deviation"
    )
    bias_init: Annotated[
        BiasInit,
        Key(
            STATIC,
            spec="bias_distribution",
            of=lambda choice: BIASES.find(choice.name).distribution,
            whole=True,
        ),
    ] = Field(Choice(name="zeros"), description="a name, or path/to/file.py:function")
    dtype: Annotated[Literal["float32", "float64"], Key(STATIC, unused=("float32",))] = Field(
        "float32", description="of all numbers"
    )
    norm: Annotated[str, names_of(NORMS), Key(STATIC, unused=("none",))] = Field(
        "none", description="normalisation before the activation: none, layer or batch"
    )
    residual: Annotated[bool, Key(STATIC, unused=(False,))] = Field(
        False, description="add the layer's input to its output, from the second hidden layer on"
    )
    dropout: Annotated[DropoutConfig, Key(STATIC, column="", of=lambda dropout: dropout.used)] = Field(
        DropoutConfig(), description="after the activation, in training"
    )

    @field_validator("norm")
    @classmethod
    def _norm(cls, norm: str) -> str:
        return known(norm, "normalisation", NORMS)

    @field_validator("activation")
    @classmethod
    def _activation(cls, choice: Choice) -> Choice:
        filled = checked(choice, "activation", activation_options(activations.CATALOGUE.find(choice.name)))
        if "per" in filled.options:
            known(str(filled.options["per"]), "value of 'per'", ["layer", "unit"])
        return filled

    @field_validator("weight_init")
    @classmethod
    def _weight_init(cls, choice: Choice) -> Choice:
        """Options without a default (``sigma_w``) must be given, others may be."""
        if choice.name == AUTO:
            return checked(choice, "initializer", {})
        if not sources.parse(choice.name):
            known(choice.name, "initializer", [AUTO, *INITIALIZERS])
        record = INITIALIZERS.find(choice.name)
        for name in record.needed:
            if name not in choice.options and name not in ACTIVATION_FACTS:
                example = f"{{name: {choice.name}, {name}: 1.5}}"
                raise ValueError(f"initializer '{choice.name}' needs its {name}: {example}")
        filled = checked(choice, "initializer", dict.fromkeys(record.options, 1.0))
        return Choice(name=choice.name, options={key: filled.options[key] for key in choice.options})

    @field_validator("bias_init")
    @classmethod
    def _bias_init(cls, choice: Choice) -> Choice:
        return checked(choice, "bias initializer", BIASES.find(choice.name).options)


class TrainConfig(Section):
    """How it learns."""

    optimizer: Annotated[Optimizer, Key(STATIC, spec="optimizer_switches", of=lambda choice: choice.switches)] = Field(
        Choice(name="adam", options=OPTIMIZERS["adam"].options),
        description="a rule's name, or path/to/file.py:function",
    )
    learning_rate: Annotated[float, Key(NUMBER)] = Field(1e-3, ge=0, description="at its peak")
    schedule: Annotated[Schedule, Key(NUMBER, unused=("constant",))] = Field(
        Choice(name="constant", options=SCHEDULES["constant"]),
        description="constant or cosine (a half period down to 0), each after a linear warm-up of warmup_steps",
    )
    batch_size: Annotated[int, Key(STATIC)] = Field(
        64, ge=1, description="rows of a minibatch; epochs are shuffled without replacement"
    )
    steps: Annotated[int, Key(NUMBER)] = Field(500, ge=1, le=2**30, description="updates")
    clip_norm: Annotated[float | None, Key(STATIC, spec="clip", of=lambda norm: norm is not None, unused=(None,))] = (
        Field(None, gt=0, description="the most that the norm of all gradients together may be")
    )
    weight_decay: Annotated[float | None, Key(NUMBER, follows=True)] = Field(
        None, ge=0, description="decoupled; null: the rule's own (adamw 0.01, else 0)"
    )
    decay_activation_parameters: Annotated[bool, Key(STATIC, unused=(False,))] = Field(
        False, description="whether it also pulls on PReLU's alpha and its like"
    )

    @field_validator("schedule")
    @classmethod
    def _schedule(cls, choice: Choice) -> Choice:
        filled = checked(choice, "schedule", SCHEDULES[known(choice.name, "schedule", SCHEDULES)])
        steps = float(filled.options["warmup_steps"])
        if steps < 0 or not steps.is_integer():
            raise ValueError(f"warmup_steps: expected a whole number ≥ 0, not {show(steps)}")
        return filled

    @field_validator("optimizer")
    @classmethod
    def _optimizer(cls, choice: Choice) -> Choice:
        return checked(choice, "optimizer", OPTIMIZERS.find(choice.name).options)


class MeasureConfig(Section):
    """What to record, and when."""

    every: Annotated[int, Key(NUMBER, follows=True, reported=False)] = Field(
        25, ge=1, description="steps between two records"
    )
    evaluate_every: Annotated[int, Key(NUMBER, follows=True, reported=False)] = Field(
        100, ge=1, description="steps between two evaluations; a multiple of every"
    )
    probe_rows: Annotated[int, Key(STATIC, spec="", follows=True, reported=False)] = Field(
        256, ge=2, description="training rows on which the per-layer measures are taken"
    )
    probes: Annotated[Any, PROBES_SCHEMA, Key(STATIC, column="", spec="")] = Field(
        "default", description="default, all, or a list of those words, names and path/to/file.py:function"
    )
    keep_layers: Annotated[Literal["all", "log", "ends"], Key(LABEL, column="")] = Field(
        "all", description="which layers' rows are stored"
    )

    @field_validator("probes")
    @classmethod
    def _probes(cls, probes: Any) -> Any:
        if isinstance(probes, str):
            return known(probes, "choice of probes", PROBE_SETS)
        if not isinstance(probes, list | tuple) or not probes:
            raise ValueError(f"expected default, all, or a list of probes, not {probes!r}")
        names = [check_probe(probe) for probe in probes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"names the probe '{name}' twice")
        return tuple(probes)

    @model_validator(mode="after")
    def _aligned(self) -> "MeasureConfig":
        if self.evaluate_every % self.every:
            near = max(round(self.evaluate_every / self.every), 1) * self.every
            raise ValueError(
                f"evaluate_every must be a multiple of every ({self.every}): {near} is, {self.evaluate_every} is not"
            )
        return self

    def names(self) -> tuple[str, ...]:
        """The measures asked for, in the order of their columns; the user's own after the others."""
        listed = (self.probes,) if isinstance(self.probes, str) else self.probes
        asked = {name for probe in listed for name in PROBE_SETS.get(probe, (probe,))}
        return (*(name for name in MEASURES if name in asked), *(function for _, function in self.own()))

    def own(self) -> tuple[tuple[Path, str], ...]:
        """File and function of each measure of the user's own."""
        listed = () if isinstance(self.probes, str) else self.probes
        return tuple(named for probe in listed if (named := sources.parse(probe)))


class SweepConfig(Section):
    """Which values to cross, and how many seeds to give each cell."""

    matrix: dict[str, list[Any]] = Field({}, description="key: list of values, as in model.depth: [2, 10]")
    exclude: list[dict[str, Any]] = Field([], description="cells to leave out, by some of their values")
    include: list[dict[str, Any]] = Field([], description="cells to add or extend, as in a CI matrix")
    seeds: Annotated[Any, WithJsonSchema({"type": ["integer", "array"], "items": {"type": "integer"}})] = Field(
        1, description="a number of seeds (0, 1, ...), or a list of them"
    )

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, seeds: Any) -> Any:
        listed = seeds if isinstance(seeds, list) else [seeds]
        whole = all(isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**32 for seed in listed)
        if not whole or not listed or len(set(listed)) < len(listed) or seeds == 0:
            raise ValueError(
                f"expected a number of seeds (at least 1), or a list of different whole ones, not {seeds!r}"
            )
        return seeds

    def seed_list(self) -> list[int]:
        """The seeds themselves."""
        return list(self.seeds) if isinstance(self.seeds, list) else list(range(self.seeds))


class SelectConfig(Section):
    """How each cell gets its learning rate: by the lowest mean final value of a validation metric."""

    over: str = Field(Select.over, description="the swept key to choose from")
    by: Metric = Select.by

    @field_validator("over")
    @classmethod
    def _known(cls, over: str) -> str:
        known(".".join(over.split(".")[:2]), "key to select over", SWEPT)
        return over


class ReportConfig(Section):
    """What to write."""

    select: SelectConfig | None = SelectConfig()
    tables: list[str] | None = Field(None, description="names of tables; the default ones when absent")
    figures: list[str] | None = Field(None, description="names of figures; the default ones when absent")


class StudyConfig(Section):
    """A whole study file."""

    study: str = Field(pattern=r"^[a-z0-9_-]+$", description="its name, and its folder's")
    question: str = Field("", description="what the study is to answer")
    data: DataConfig
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    measure: MeasureConfig = MeasureConfig()
    sweep: SweepConfig = SweepConfig()
    report: ReportConfig = ReportConfig()
    claims: str | None = Field(None, description="a file in experiments/ that turns frames into verdicts")


SECTIONS: dict[str, type[Section]] = {
    "data": DataConfig,
    "model": ModelConfig,
    "train": TrainConfig,
    "measure": MeasureConfig,
}
SWEPT = tuple(f"{section}.{key}" for section in ("data", "model", "train") for key in SECTIONS[section].model_fields)


def run_keys() -> Iterator[tuple[str, str, Key]]:
    """Every key of a run's four sections, as (section, ``key`` or ``key.key``, what it is), in the order of display."""

    def within(model: type[Section], way: str = "") -> Iterator[tuple[str, Key]]:
        for name, field in model.model_fields.items():
            key = next((one for one in field.metadata if isinstance(one, Key)), None)
            if key is None:
                raise TypeError(f"'{way}{name}': needs a Key in its annotation")
            yield f"{way}{name}", key
            if (
                isinstance(field.annotation, type)
                and issubclass(field.annotation, Section)
                and field.annotation is not Choice
            ):
                yield from within(field.annotation, f"{way}{name}.")

    for section, model in SECTIONS.items():
        for name, key in within(model):
            yield section, name, key
