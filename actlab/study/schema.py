"""The words of a study's YAML file: every key, its type, its default and its meaning, as frozen pydantic models.

The file is read, with line numbers and overrides, in ``reading.py``; sweeps are spelled out in ``sweep.py``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from actlab import activations, data, sources
from actlab.measures import DEFAULT_PROBES, HISTOGRAMS, PROBES, Measure
from actlab.naming import nearest
from actlab.nn.blocks import DROPOUTS, NORMS
from actlab.nn.initializers import BIASES, INITIALIZERS
from actlab.nn.optimizers import OPTIMIZERS
from actlab.study.selection import Metric, Select

MEASURES = (*PROBES, *HISTOGRAMS)
"""What ``measure.probes`` may name."""

USER_FILE = r"^.+\.py:[A-Za-z_][A-Za-z0-9_]*$"
PROBE_SETS = {"default": DEFAULT_PROBES, "all": PROBES}


def _probes_schema(names: Iterable[str], sets: Iterable[str]) -> WithJsonSchema:
    listed = {"anyOf": [{"enum": [*sets, *names]}, {"type": "string", "pattern": USER_FILE}]}
    return WithJsonSchema({"anyOf": [{"enum": list(sets)}, {"type": "array", "items": listed}]})


class Section(BaseModel):
    """A mapping in the YAML: unknown keys, wrong types, infinities and NaN are refused; values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class OptionDefaults:
    """Part of the type of a key that holds a ``Choice``: what each option is where a study says nothing of it.

    Attributes:
        of: from the choice's name to its options that have a default.
    """

    of: Callable[[str], Mapping[str, Any]]


class Choice(Section):
    """A name with options: ``he_normal``, or ``{name: gaussian, sigma_w: 1.5}``."""

    name: str
    options: dict[str, float | bool | str] = {}

    def label(self, defaults: Mapping[str, Any]) -> str:
        """The name, with the options that differ from ``defaults``: ``leaky_relu(negative_slope=0.2)``."""
        told = [f"{key}={show(value)}" for key, value in sorted(self.options.items()) if defaults.get(key) != value]
        return f"{self.name}({', '.join(told)})" if told else self.name

    def plain(self) -> Any:
        """The choice as it stands in a YAML file."""
        return {"name": self.name, **self.options} if self.options else self.name


def show(value: Any) -> str:
    """A number as a person would write it, all of its digits.

    >>> show(0.2), show(2.0), show(1 / 3), show(True), show("unit")
    ('0.2', '2', '0.3333333333333333', 'true', 'unit')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)


def split_name(value: Any) -> Any:
    """``name`` or ``{name: ..., option: ...}`` as ``{name, options}``; anything else goes on to be refused."""
    if isinstance(value, Choice):
        return value
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and set(value) == {"name", "options"} and isinstance(value["options"], dict):
        return value
    if not isinstance(value, dict):
        raise ValueError(f"expected a name, or a mapping with a name and its options, not {value!r}")
    if "name" not in value:
        raise ValueError("expected a mapping with the key 'name'")
    return {"name": value["name"], "options": {key: option for key, option in value.items() if key != "name"}}


def checked(choice: Choice, kind: str, defaults: Mapping[str, float | bool | str]) -> Choice:
    """The choice with its options filled from ``defaults``; an unknown option, or one of another type, is refused."""
    for key, value in choice.options.items():
        if key not in defaults:
            hint = nearest(key, defaults) if defaults else " (it takes none)"
            raise ValueError(f"{kind} '{choice.name}' has no option '{key}'{hint}")
        wanted = type(defaults[key])
        if isinstance(value, bool) != (wanted is bool) or isinstance(value, str) != (wanted is str):
            name = {bool: "true or false", str: "a word"}.get(wanted, "a number")
            raise ValueError(f"option '{key}' of {kind} '{choice.name}' must be {name}, not {value!r}")
    filled = {**defaults, **choice.options}
    numbers = {key: float(value) if not isinstance(value, bool | str) else value for key, value in filled.items()}
    return Choice(name=choice.name, options=numbers)


def known(name: str, kind: str, valid: Iterable[str]) -> str:
    """``name`` itself where it is valid; else an error with the nearest valid one."""
    if name not in (names := list(valid)):
        raise ValueError(f"unknown {kind} '{name}'{nearest(name, names)}")
    return name


def check_activation(choice: Choice) -> Choice:
    """A catalogue name or ``path/to/file.py:function``; with ``per: unit`` learnable parameters are each unit's own."""
    record = activations.CATALOGUE.find(choice.name)
    return checked(choice, "activation", activation_options(record))


def activation_options(record: activations.Activation) -> dict[str, float | bool | str]:
    """An activation's options and their defaults."""
    return {**record.parameters, **({"per": "layer"} if record.learnable else {})}


def check_probe(name: Any) -> str:
    """The column of a measure: a name, ``default`` or ``all``, or that of ``path/to/file.py:function``, tried out."""
    path, colon, function = name.rpartition(":") if isinstance(name, str) else ("", "", "")
    if not colon:
        return known(name, "probe", [*PROBE_SETS, *MEASURES])
    file = Path(path)
    return loaded_measure(file, function, sources.fingerprint(file)).name


@lru_cache(maxsize=64)
def loaded_measure(path: Path, function: str, fingerprint: str) -> Measure:
    """The record of a user's measure, loaded and tried out once for each content of its file."""
    from actlab.nn.own_measures import check_measure, load_measure  # JAX only where there is such a measure

    record, probe = load_measure(path, function)
    check_measure(probe, f"{path.name}:{function}")
    return record


def check_weight_init(choice: Choice) -> Choice:
    """An initializer; options without a default (``sigma_w``) must be given, ``negative_slope`` and the like may be."""
    if choice.name == "auto":
        return checked(choice, "initializer", {})
    options = INITIALIZERS[known(choice.name, "initializer", ["auto", *INITIALIZERS])].options
    if "sigma_w" in options and "sigma_w" not in choice.options:
        raise ValueError(f"initializer '{choice.name}' needs its sigma_w: {{name: {choice.name}, sigma_w: 1.5}}")
    filled = checked(choice, "initializer", dict.fromkeys(options, 1.0))
    return Choice(name=choice.name, options={key: filled.options[key] for key in choice.options})


def check_bias_init(choice: Choice) -> Choice:
    """A bias initialisation with its options."""
    return checked(choice, "bias initialisation", BIASES[known(choice.name, "bias initialisation", BIASES)].options)


def check_optimizer(choice: Choice) -> Choice:
    """An optimizer with its settings."""
    return checked(choice, "optimizer", OPTIMIZERS[known(choice.name, "optimizer", OPTIMIZERS)].options)


def _choice_schema(names: Iterable[str], others: str = "") -> WithJsonSchema:
    by_name: list[dict[str, Any]] = [{"enum": list(names)}]
    if others:
        by_name.append({"type": "string", "pattern": others})
    mapping = {"type": "object", "required": ["name"], "properties": {"name": {"anyOf": by_name}}}
    return WithJsonSchema({"anyOf": [*by_name, mapping]})


def weight_init_defaults(name: str) -> Mapping[str, float]:
    """The options of an initializer that may be left out."""
    return {} if name == "auto" else INITIALIZERS[name].std.__kwdefaults__ or {}


ActivationChoice = Annotated[
    Choice,
    BeforeValidator(split_name),
    OptionDefaults(lambda name: activation_options(activations.CATALOGUE.find(name))),
    _choice_schema(activations.CATALOGUE, USER_FILE),
]
WeightInit = Annotated[
    Choice,
    BeforeValidator(split_name),
    OptionDefaults(weight_init_defaults),
    _choice_schema(["auto", *INITIALIZERS]),
]
BiasInit = Annotated[
    Choice, BeforeValidator(split_name), OptionDefaults(lambda name: BIASES[name].options), _choice_schema(BIASES)
]
Optimizer = Annotated[
    Choice,
    BeforeValidator(split_name),
    OptionDefaults(lambda name: OPTIMIZERS[name].options),
    _choice_schema(OPTIMIZERS),
]


SCHEDULES: dict[str, dict[str, float | bool | str]] = {
    "constant": {"warmup_steps": 0.0},
    "cosine": {"warmup_steps": 0.0},
}


def named_constant(value: Any) -> Any:
    """Options of a schedule without a name are those of the default one."""
    return {"name": "constant", **value} if isinstance(value, dict) and not {"name", "options"} & set(value) else value


Schedule = Annotated[
    Choice,
    BeforeValidator(split_name),
    BeforeValidator(named_constant),
    OptionDefaults(lambda name: SCHEDULES[name]),
    _choice_schema(SCHEDULES),
]


class DataConfig(Section):
    """Which rows to learn from."""

    name: str = Field(description="digits, breast_cancer, wine, iris, diabetes, or a path to .npz, .csv or .parquet")
    target: str | None = Field(None, description="the column to predict; the last one by default")
    task: Literal["auto", "classification", "regression"] = Field(
        "auto", description="auto: text or integer labels classify, floats regress"
    )
    standardize: bool = Field(True, description="inputs to mean 0 and variance 1, by the training rows' statistics")
    seed: int = Field(0, ge=0, lt=2**32, description="of the splits and probe rows, the same for every run")
    train_rows: int | None = Field(None, ge=1, description="keep only so many training rows (nested, stratified)")
    target_loss: float | None = Field(None, gt=0, description="the loss that steps_to_target waits for")

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        is_path = "/" in name or "." in name
        return name if is_path else known(name, "data set", data.DATASETS)


class DropoutConfig(Section):
    """Which share of each hidden layer's units a training step leaves out, and how."""

    rate: float = Field(0.0, ge=0, lt=1, description="share of units; 0 is no dropout")
    kind: Annotated[str, WithJsonSchema({"enum": list(DROPOUTS[1:])})] = Field(
        "standard", description="standard, or alpha: what SELU needs"
    )

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


class ModelConfig(Section):
    """The network."""

    activation: ActivationChoice = Field(Choice(name="relu"), description="a name, or path/to/file.py:function")
    depth: int = Field(10, ge=1, le=1000, description="hidden layers, each followed by the activation")
    width: int = Field(64, ge=1, le=65536, description="units of each hidden layer")
    weight_init: WeightInit = Field(Choice(name="auto"), description="auto: what suits the activation")
    weight_gain: float = Field(1.0, gt=0, description="multiplies the hidden layers' standard deviation")
    bias_init: BiasInit = Field(Choice(name="zeros"), description="zeros, constant, normal or pytorch_default")
    dtype: Literal["float32", "float64"] = "float32"
    norm: Annotated[str, WithJsonSchema({"enum": list(NORMS)})] = Field(
        "none", description="normalisation before the activation: none, layer or batch"
    )
    residual: bool = Field(False, description="add the layer's input to its output, from the second hidden layer on")
    dropout: DropoutConfig = Field(DropoutConfig(), description="after the activation, in training")

    @field_validator("norm")
    @classmethod
    def _norm(cls, norm: str) -> str:
        return known(norm, "normalisation", NORMS)

    _activation = field_validator("activation")(check_activation)
    _weight_init = field_validator("weight_init")(check_weight_init)
    _bias_init = field_validator("bias_init")(check_bias_init)

    @field_validator("activation")
    @classmethod
    def _per(cls, choice: Choice) -> Choice:
        if "per" in choice.options:
            known(str(choice.options["per"]), "value of 'per'", ["layer", "unit"])
        return choice


class TrainConfig(Section):
    """How it learns."""

    optimizer: Optimizer = Field(Choice(name="adam", options=OPTIMIZERS["adam"].options), description="an update rule")
    learning_rate: float = Field(1e-3, ge=0)
    batch_size: int = Field(64, ge=1, description="rows of a minibatch; epochs are shuffled without replacement")
    steps: int = Field(500, ge=1, le=2**30, description="updates")
    weight_decay: float | None = Field(None, ge=0, description="decoupled; null: the rule's own (adamw 0.01, else 0)")
    decay_activation_parameters: bool = Field(False, description="whether it also pulls on PReLU's alpha and its like")
    schedule: Schedule = Field(
        Choice(name="constant", options=SCHEDULES["constant"]),
        description="constant or cosine (a half period down to 0), each after a linear warm-up of warmup_steps",
    )
    clip_norm: float | None = Field(None, gt=0, description="the most that the norm of all gradients together may be")

    @field_validator("schedule")
    @classmethod
    def _schedule(cls, choice: Choice) -> Choice:
        filled = checked(choice, "schedule", SCHEDULES[known(choice.name, "schedule", SCHEDULES)])
        steps = float(filled.options["warmup_steps"])
        if steps < 0 or not steps.is_integer():
            raise ValueError(f"warmup_steps: expected a whole number ≥ 0, not {show(steps)}")
        return filled

    _optimizer = field_validator("optimizer")(check_optimizer)


class MeasureConfig(Section):
    """What to record, and when."""

    every: int = Field(25, ge=1, description="steps between two records")
    evaluate_every: int = Field(100, ge=1, description="steps between two evaluations; a multiple of every")
    probe_rows: int = Field(256, ge=2, description="training rows on which the per-layer measures are taken")
    probes: Annotated[Any, _probes_schema(MEASURES, PROBE_SETS)] = Field(
        "default", description="default, all, or a list of those words, names and path/to/file.py:function"
    )
    keep_layers: Literal["all", "log", "ends"] = Field("all", description="which layers' rows are stored")

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
        named = (probe.rpartition(":") for probe in listed if ":" in probe)
        return tuple((Path(path), function) for path, _, function in named)


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
