"""What reading must know of the settings in the frame ``runs``: plain records, written into a study's manifest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

CONTENT = "_content"
"""How a column of ``runs`` ends that holds the hash of what another one names; empty for what actlab ships."""

Prefixes = Mapping[str, Mapping[str, str]]
"""{column: {hash of the content: what stands before its label}}."""

ENVIRONMENT = (
    "actlab",
    "jax",
    "jaxlib",
    "optax",
    "numpy",
    "platform",
    "flags",
    "packages",
    "runs_per_call",
    "eval_chunks",
)
"""Where a run was executed: no part of its identity, so that runs of one cell may differ in it."""

OF_PREDICTION = ("measure", "layer", "value", "numerical_error", "spread", "assumption")
"""The last columns of the frame ``predictions``; before them stand ``cell`` and the settings that make one."""


@dataclass(frozen=True)
class Setting:
    """A column of ``runs`` that is a setting.

    Attributes:
        column: its name.
        key: of the YAML, dotted; empty where the column follows from others.
        follows: whether other settings mostly decide it: it makes cells only where they do not.
        problem: whether it changes the problem, not the answer to it: the best cell is sought within one value of each.
        reported: whether a report lists it even where it does not vary.
        unused: the value at which a report leaves it out all the same; empty where there is none.
    """

    column: str
    key: str = ""
    follows: bool = False
    problem: bool = False
    reported: bool = True
    unused: tuple[Any, ...] = ()


DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Setting) if field.name != "column"}


def to_plain(settings: Iterable[Setting]) -> list[dict[str, Any]]:
    """Write settings as plain JSON, in the order of display, without what is at its default.

    >>> to_plain([Setting("depth", "model.depth", problem=True)])
    [{'column': 'depth', 'key': 'model.depth', 'problem': True}]
    """
    return [
        {
            name: list(fact) if isinstance(fact, tuple) else fact
            for name, fact in asdict(one).items()
            if name not in DEFAULTS or fact != DEFAULTS[name]
        }
        for one in settings
    ]


def from_plain(plain: Any) -> tuple[Setting, ...]:
    """Read settings from what ``to_plain`` wrote; what a later version may have added to them is passed over.

    Raises:
        ValueError: it is something else.

    >>> from_plain([{"column": "depth", "problem": True, "of_tomorrow": 1}])[0].problem
    True
    """
    if not isinstance(plain, list) or not all(
        isinstance(one, Mapping) and isinstance(one.get("column"), str) for one in plain
    ):
        raise ValueError(f"settings: expected a list of records with a column each, not {plain!r}")

    def known(name: str, fact: Any) -> Any:
        wanted = list if isinstance(DEFAULTS[name], tuple) else type(DEFAULTS[name])
        if not isinstance(fact, wanted) or (wanted is list and any(isinstance(one, list | Mapping) for one in fact)):
            raise ValueError(f"settings: {name}: cannot be {fact!r}")
        return tuple(fact) if wanted is list else fact

    return tuple(
        Setting(one["column"], **{name: known(name, one[name]) for name in DEFAULTS if name in one}) for one in plain
    )


def of_manifest(manifest: Mapping[str, Any]) -> tuple[Setting, ...]:
    """Return the settings of a study, as its manifest has them.

    Raises:
        ValueError: they are not readable.
    """
    return from_plain(manifest["settings"]) if "settings" in manifest else UNSTATED


def joined(several: Iterable[Sequence[Setting]]) -> tuple[Setting, ...]:
    """Join the settings of several studies: each column once, as the first has it."""
    first: dict[str, Setting] = {}
    for settings in several:
        for one in settings:
            first.setdefault(one.column, one)
    return tuple(first.values())


# Of studies whose manifest says nothing of settings, since it was written before manifests did: frozen.
UNSTATED = (
    Setting("data", "data.name", problem=True),
    Setting("data_seed", "data.seed", problem=True, unused=(0,)),
    Setting("standardize", "data.standardize", problem=True, unused=(True,)),
    Setting("train_rows", "data.train_rows", follows=True, problem=True),
    Setting("task", "data.task", follows=True, problem=True),
    Setting("activation", "model.activation"),
    Setting("depth", "model.depth", problem=True),
    Setting("width", "model.width"),
    Setting("weight_init", "model.weight_init"),
    Setting("weight_gain", "model.weight_gain"),
    Setting("bias_init", "model.bias_init"),
    Setting("dtype", "model.dtype", unused=("float32",)),
    Setting("norm", "model.norm", unused=("none",)),
    Setting("residual", "model.residual", unused=(False,)),
    Setting("dropout", "model.dropout.rate", unused=(0.0,)),
    Setting("dropout_kind", "model.dropout.kind", follows=True, unused=("",)),
    Setting("optimizer", "train.optimizer"),
    Setting("learning_rate", "train.learning_rate"),
    Setting("schedule", "train.schedule", unused=("constant",)),
    Setting("batch_size", "train.batch_size"),
    Setting("steps", "train.steps"),
    Setting("clip_norm", "train.clip_norm", unused=(None,)),
    Setting("weight_decay", "train.weight_decay", follows=True),
    Setting("decay_activation_parameters", "train.decay_activation_parameters", unused=(False,)),
    Setting("every", "measure.every", follows=True, reported=False),
    Setting("evaluate_every", "measure.evaluate_every", follows=True, reported=False),
    Setting("probe_rows", "measure.probe_rows", follows=True, reported=False),
    Setting("data_content", follows=True, reported=False),
    Setting("learnable_per", follows=True, reported=False),
    Setting("weight_init_used", follows=True, reported=False),
)
