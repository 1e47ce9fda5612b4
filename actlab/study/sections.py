"""The four sections of a study's YAML that make a run: every key, its type, its default and its meaning.

A key is declared here once: what it may hold, what it is to a run (``fields.Key``), and the sentence that the docs have
on it; the order of keys is that in which settings are displayed. What stands for what (``auto``, null) is
``resolve.py``'s.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from actlab import sources
from actlab.measures import PROBE_SETS
from actlab.naming import brief, show
from actlab.nn.blocks import DROPOUTS, NORMS
from actlab.nn.initializers import BIASES, INITIALIZERS
from actlab.nn.optimizers import OPTIMIZERS
from actlab.study.choices import (
    AUTO,
    MEASURES,
    PROBES_SCHEMA,
    SCHEDULES,
    ActivationChoice,
    BiasInit,
    Optimizer,
    Schedule,
    WeightInit,
    check_probe,
    checked_activation,
    checked_weight_init,
    refuse_option_of_others,
    takers,
)
from actlab.study.data_section import DataConfig
from actlab.study.defaults import record_schedule, steps_beyond
from actlab.study.fields import (
    LABEL,
    LARGEST,
    MOST,
    NUMBER,
    STATIC,
    Choice,
    Key,
    Section,
    checked,
    known,
    names_of,
)

MOST_DEPTH = 1000
"""Hidden layers of one network."""


class DropoutConfig(Section):
    """Which share of each hidden layer's units a training step leaves out, and how."""

    rate: Annotated[float, Key(STATIC, column="dropout", spec="", unused=(0.0,))] = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of units left out after the activation, in training only; all rates above 0 share a program",
    )
    kind: Annotated[
        str, names_of(DROPOUTS[1:]), Key(STATIC, column="dropout_kind", spec="", follows=True, unused=("",))
    ] = Field("standard", description="standard, or alpha: the kind that SELU needs")

    @field_validator("kind")
    @classmethod
    def _kind(cls, kind: str) -> str:
        return known(kind, "kind of dropout", DROPOUTS[1:])

    @model_validator(mode="before")
    @classmethod
    def _none_is_of_no_kind(cls, values: Any) -> Any:
        """Drop the kind at rate 0: one cell, where a sweep crosses the two."""
        if isinstance(values, int | float):
            raise ValueError(f"expected a mapping, not {values}; did you mean '{{rate: {values}}}'?")
        if isinstance(values, dict) and values.get("rate", 0.0) == 0 and values.get("kind") in DROPOUTS:
            return {key: value for key, value in values.items() if key != "kind"}
        return values

    @property
    def used(self) -> str:
        """A key of ``DROPOUTS``."""
        return self.kind if self.rate > 0 else "none"

    @property
    def settled(self) -> "DropoutConfig":
        """The same, of no kind where there is no dropout."""
        return self if self.rate > 0 else self.model_copy(update={"kind": ""})


class ModelConfig(Section):
    """The network."""

    activation: Annotated[
        ActivationChoice,
        Key(STATIC, spec="learnable_per", of=lambda choice: str(choice.options.get("per", "layer"))),
    ] = Field(
        Choice(name="relu"),
        description="a name, `{name: ..., parameter: ...}`, or `path/to/file.py:function`; `per: unit` learns its "
        "parameters for each unit, by a program of its own; otherwise all activations of a study share one",
    )
    depth: Annotated[int, Key(NUMBER, problem=True)] = Field(
        10, ge=1, le=MOST_DEPTH, description="hidden layers, each followed by the activation"
    )
    width: Annotated[int, Key(STATIC)] = Field(64, ge=1, le=65536, description="units of each hidden layer")
    weight_init: Annotated[
        WeightInit,
        Key(
            STATIC,
            spec="weight_distribution",
            of=lambda one: INITIALIZERS.find(one.name).distribution,
            written=True,
            whole=True,
        ),
    ] = Field(
        Choice(name=AUTO),
        description="an [initializer](#initializers), with options: `{name: gaussian, sigma_w: 1.5}`, or "
        "`path/to/file.py:function`; auto: the one recommended for the activation",
    )
    weight_gain: Annotated[float, Key(NUMBER)] = Field(
        1.0,
        gt=0,
        le=LARGEST,
        description="multiplies the hidden layers' standard deviation; the readout is always LeCun normal",
    )
    bias_init: Annotated[
        BiasInit,
        Key(
            STATIC,
            spec="bias_distribution",
            of=lambda choice: BIASES.find(choice.name).distribution,
            whole=True,
            follows=True,
        ),
    ] = Field(
        Choice(name="zeros"),
        description="a [bias initializer](#initializers), with options: `{name: normal, std: 0.1}`, or "
        "`path/to/file.py:function`",
    )
    dtype: Annotated[Literal["float32", "float64"], Key(STATIC, unused=("float32",))] = Field(
        "float32", description="of all numbers: float32 or float64"
    )
    norm: Annotated[str, names_of(NORMS), Key(STATIC, spec="block.norm", unused=("none",))] = Field(
        "none", description="none, layer or batch: normalisation before the activation, with a learned scale and shift"
    )
    residual: Annotated[bool, Key(STATIC, spec="block.residual", unused=(False,))] = Field(
        False, description="add a layer's input to its output, from the second hidden layer on"
    )
    dropout: Annotated[DropoutConfig, Key(STATIC, column="", spec="block.dropout", of=lambda dropout: dropout.used)] = (
        Field(DropoutConfig(), description="`{rate: 0.1, kind: standard}` after the activation, in training only")
    )

    @field_validator("norm")
    @classmethod
    def _norm(cls, norm: str) -> str:
        return known(norm, "normalisation", NORMS)

    @field_validator("activation")
    @classmethod
    def _activation(cls, choice: Choice) -> Choice:
        return checked_activation(choice)

    @field_validator("weight_init")
    @classmethod
    def _weight_init(cls, choice: Choice) -> Choice:
        return checked_weight_init(choice)

    @field_validator("bias_init")
    @classmethod
    def _bias_init(cls, choice: Choice) -> Choice:
        options = BIASES.find(choice.name).options
        refuse_option_of_others("bias initializer", choice, options, takers(BIASES))
        return checked(choice, "bias initializer", options)


class TrainConfig(Section):
    """How it learns."""

    optimizer: Annotated[Optimizer, Key(STATIC, spec="optimizer_switches", of=lambda choice: choice.switches)] = Field(
        Choice(name="adam", options={**OPTIMIZERS["adam"].options}),
        description="an [optimizer](#optimizers), with options: `{name: adam, b1: 0.9}`, or `path/to/file.py:function`",
    )
    learning_rate: Annotated[float, Key(NUMBER)] = Field(1e-3, ge=0, le=LARGEST, description="at its peak")
    schedule: Annotated[Schedule, Key(NUMBER, unused=("constant",))] = Field(
        Choice(name="constant", options=SCHEDULES["constant"]),
        description="of the learning rate: constant or cosine (half a period, down to 0 at the last step), with "
        "options: `{name: cosine, warmup_steps: 100}` rises linearly first",
    )
    batch_size: Annotated[int, Key(STATIC)] = Field(
        64,
        ge=1,
        le=MOST,
        description="rows of a minibatch; epochs are shuffled without replacement, an incomplete last batch is dropped",
    )
    steps: Annotated[int, Key(NUMBER)] = Field(
        500, ge=0, le=MOST, description="updates; 0: networks are measured as they were drawn, and not trained"
    )
    clip_norm: Annotated[float | None, Key(STATIC, spec="clip", of=lambda norm: norm is not None, unused=(None,))] = (
        Field(
            None,
            gt=0,
            le=LARGEST,
            description="the most that the norm of all gradients together may be: larger ones are scaled down to "
            "it; null: no limit",
        )
    )
    weight_decay: Annotated[float | None, Key(NUMBER, follows=True)] = Field(
        None, ge=0, le=LARGEST, description="decoupled; null: the optimizer's own (adamw 0.01, else 0); spares biases"
    )
    decay_activation_parameters: Annotated[bool, Key(STATIC, unused=(False,))] = Field(
        False, description="whether weight decay also pulls on learnable activation parameters"
    )
    learn_activation_parameters: Annotated[bool, Key(STATIC, unused=(True,))] = Field(
        True,
        description="whether training changes learnable activation parameters; false holds them as they begin, and "
        "decay then spares them, too",
    )
    freeze_layers: Annotated[int, Key(STATIC, spec="freeze", of=lambda layers: layers > 0, unused=(0,))] = Field(
        0,
        ge=0,
        le=MOST_DEPTH,
        description="the first so many hidden layers keep weights, biases, activation and normalisation parameters as "
        "they were drawn; see [frozen layers](#frozen-layers). All numbers above 0 share a program",
    )

    @field_validator("schedule")
    @classmethod
    def _schedule(cls, choice: Choice) -> Choice:
        filled = checked(choice, "schedule", SCHEDULES[known(choice.name, "schedule", SCHEDULES)])
        steps = filled.number("warmup_steps")
        if steps < 0 or not steps.is_integer():
            raise ValueError(f"warmup_steps: expected a whole number ≥ 0, not {show(steps)}")
        return filled

    @field_validator("optimizer")
    @classmethod
    def _optimizer(cls, choice: Choice) -> Choice:
        options = OPTIMIZERS.find(choice.name).options
        refuse_option_of_others("optimizer", choice, options, takers(OPTIMIZERS))
        return checked(choice, "optimizer", options)

    @model_validator(mode="after")
    def _ends_its_warmup(self) -> "TrainConfig":
        if "steps" not in self.model_fields_set:
            self.__dict__.update(steps=steps_beyond(self.schedule.number("warmup_steps"), self.steps))
        return self


class MeasureConfig(Section):
    """What to record, and when."""

    every: Annotated[int, Key(NUMBER, follows=True, reported=False)] = Field(
        25, ge=1, le=MOST, description="steps between two records; step 0 and the last are always recorded"
    )
    evaluate_every: Annotated[int, Key(NUMBER, follows=True, reported=False)] = Field(
        100,
        ge=1,
        le=MOST,
        description="steps between two evaluations of whole splits and unit death; a multiple of `every`",
    )
    probe_rows: Annotated[int, Key(STATIC, spec="", follows=True, reported=False)] = Field(
        256, ge=2, le=MOST, description="training rows on which per-layer measures are taken"
    )
    probes: Annotated[Any, PROBES_SCHEMA, Key(STATIC, column="", spec="", unordered=True)] = Field(
        "default",
        description="default; all adds what is measured on request, but for histograms and Jacobians; or a list of "
        "these words, [names](measures.md) and `path/to/file.py:function`",
    )
    keep_layers: Annotated[Literal["all", "log", "ends"], Key(LABEL, column="")] = Field(
        "all",
        description="all; log (1, 2, 4, ..., last) or ends store fewer rows; means over layers are always over all",
    )

    keep_weights: Annotated[
        Literal["none", "final", "records"],
        WithJsonSchema({"enum": ["none", "final", "records", None, False]}),
        Key(LABEL, column="", spec="", reported=False, identifies=False),
    ] = Field(
        "none",
        description="trained [weights](#trained-weights), in `weights/`: none, also as null or false; final, those at "
        "each run's end; records, those at every record. Runs that are stored without are trained again for them",
    )

    @field_validator("keep_weights", mode="before")
    @classmethod
    def _keep_weights(cls, which: Any) -> Any:
        if which is True:
            raise ValueError("expected none, final (those at the end) or records (at every record), not true")
        return "none" if which is None or which is False else which

    @field_validator("probes")
    @classmethod
    def _probes(cls, probes: Any) -> Any:
        if isinstance(probes, str):
            if probes in PROBE_SETS:
                return probes
            probes = [probes]
        if not isinstance(probes, list | tuple) or not probes:
            raise ValueError(f"expected default, all, or a list of probes, not {brief(probes)}")
        names = [check_probe(probe) for probe in probes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"names the probe {brief(name)} twice")
        return tuple(probes)

    @model_validator(mode="after")
    def _aligned(self) -> "MeasureConfig":
        every, evaluate_every = record_schedule(self.every, self.evaluate_every, self.model_fields_set)
        self.__dict__.update(every=every, evaluate_every=evaluate_every)  # which does not count as written
        return self

    def names(self) -> tuple[str, ...]:
        """Return the measures asked for, in the order of their columns, the user's own last."""
        listed = (self.probes,) if isinstance(self.probes, str) else self.probes
        asked = {name for probe in listed for name in PROBE_SETS.get(probe, (probe,))}
        return (*(name for name in MEASURES if name in asked), *(function for _, function in self.own()))

    def own(self) -> tuple[tuple[Path, str], ...]:
        """Return file and function of each measure of the user's own."""
        listed = () if isinstance(self.probes, str) else self.probes
        return tuple(named for probe in listed if (named := sources.parse(probe)))


__all__ = [
    "CHOICES",
    "SECTIONS",
    "SWEPT",
    "DataConfig",
    "MeasureConfig",
    "ModelConfig",
    "TrainConfig",
    "run_keys",
    "value_at",
]

SECTIONS: dict[str, type[Section]] = {
    "data": DataConfig,
    "model": ModelConfig,
    "train": TrainConfig,
    "measure": MeasureConfig,
}
CHOICES = tuple(
    f"{section}.{key}"
    for section, model in SECTIONS.items()
    for key, field in model.model_fields.items()
    if field.annotation is Choice
)
"""The keys that hold a name with options."""
SWEPT = tuple(
    f"{section}.{key}"
    for section in ("data", "model", "train")
    for key, field in SECTIONS[section].model_fields.items()
    if not any(isinstance(one, Key) and not one.identifies for one in field.metadata)
)


def run_keys() -> Iterator[tuple[str, str, Key]]:
    """Yield every key of a run's sections, as (section, ``key`` or ``key.key``, its ``Key``), in display order."""

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


def value_at(section: Section, way: str) -> Any:
    """The value of ``key`` or ``key.key`` in a section.

    >>> value_at(ModelConfig(), "dropout.rate")
    0.0
    """
    value: Any = section
    for step in way.split("."):
        value = getattr(value, step)
    return value
