"""Data sets as functions with records, and the decorator that writes them: shipped ones, and a user's own.

A function may take options, keyword-only and each with a default, and a keyword-only ``seed``, which is ``data.seed``.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar, overload

import numpy as np

from actlab import docstrings
from actlab.aliases import close, same
from actlab.data.table import TASKS, DataError, Table
from actlab.naming import brief, nearest, show
from actlab.registry import Registry

F = TypeVar("F", bound=Callable[..., Any])
Option = float | bool
Bounds = Mapping[str, tuple[float, float]]
NONE: Mapping[str, Any] = MappingProxyType({})
SEED = "seed"
"""The argument by which a function gets ``data.seed``."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set that a function makes.

    Attributes:
        name: what a study writes.
        load: makes it, with the same options and seed always the same: a ``Table``, or arrays x [N, F] and y [N].
        task: ``classification``, ``regression``, or ``auto``: as y says.
        target_loss: the stated target: nats, or mean squared error in units of the training targets' variance; None: a
            quarter of the best constant predictor's loss.
        reference: where it comes from: a paper, or what it was generated after.
        summary: one line for lists.
        options: its function's options with their defaults: a whole number where the default is one.
        bounds: the smallest and the largest value of options.
        seeded: whether ``data.seed`` decides its rows, and not only how they are split.
        generated: whether actlab's own code draws its rows, so that the tokens of that are what it is known by.
        made_of: other data sets of actlab's that its rows are made of.
        licence: of its rows.
        rows, inputs, classes: how many there are, with the options at their defaults; of regression no classes.
        chance: the share of the rows that have the most frequent class, likewise; of regression 0.
        extra: of actlab's optional packages the one that it needs (``pip install "actlab[extra]"``); empty: none.
        cached: whether its rows come over the network when they are first asked for, and from a cache from then on.
    """

    name: str
    load: Callable[..., Table | tuple[np.ndarray, np.ndarray]]
    task: str = "auto"
    target_loss: float | None = None
    reference: str = ""
    summary: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)
    bounds: Bounds = field(default_factory=dict)
    seeded: bool = False
    generated: bool = False
    made_of: tuple[str, ...] = ()
    licence: str = ""
    rows: int = 0
    inputs: int = 0
    classes: int = 0
    chance: float = 0.0
    extra: str = ""
    cached: bool = False

    @property
    def shape(self) -> str:
        """Rows, inputs and classes in words, with the options at their defaults; empty where they are not stated."""
        of = f", {self.classes} classes" if self.classes else ""
        return f"{self.rows} × {self.inputs}{of}" if self.rows else ""

    @property
    def chance_level(self) -> str:
        """What scores who always says the most frequent class, or the mean; empty where it is not stated."""
        if not self.rows:
            return ""
        return f"accuracy {show(self.chance)}" if self.classes else "R² 0"

    def make(self, options: Mapping[str, Any] = NONE, seed: int = 0) -> Any:
        """Call the function.

        Args:
            options: those that are given; the others are at their defaults.
            seed: ``data.seed``.

        Raises:
            DataError: an option is wrong, or a package is not installed that it needs.
        """
        settled = settled_options(self, options)
        whole = {key for key, default in self.options.items() if type(default) is int}
        given = {key: int(value) if key in whole else value for key, value in settled.items()}
        try:
            return self.load(**given, **({SEED: seed} if self.seeded else {}))
        except ModuleNotFoundError as error:
            if not self.extra:
                raise
            raise DataError(
                f"{self.name}: needs {error.name}, which is not installed; pip install 'actlab[{self.extra}]'"
            ) from None


def settled_options(record: Dataset, given: Mapping[str, Any]) -> dict[str, float | bool]:
    """Check the options of a data set, and fill in the others.

    Raises:
        DataError: there is no such option, or it cannot have that value; names the nearest, or what is expected.

    >>> settled_options(Dataset("grid", lambda *, rows=9: None, options={"rows": 9}, bounds={"rows": (1, 99)}), {})
    {'rows': 9.0}
    """
    options = record.options
    for key, value in given.items():
        if key not in options:
            near = same(key, options) or close(key, options)
            others = f"; its options are {', '.join(options)}" if options else " (it takes none)"
            hint = f"; did you mean '{near}'?" if near else others
            raise DataError(f"data set {brief(record.name)} has no option {brief(key)}{hint}")
        default, about = options[key], f"option {brief(key)} of data set {brief(record.name)}"
        if isinstance(value, bool) != isinstance(default, bool) or not isinstance(value, int | float):
            kind = "true or false" if isinstance(default, bool) else "a number"
            raise DataError(f"{about} must be {kind}, not {brief(value)}")
        if isinstance(default, bool):
            continue
        if type(default) is int and not float(value).is_integer():
            raise DataError(f"{about} must be a whole number, not {show(value)}")
        low, high = record.bounds.get(key, (-np.inf, np.inf))
        if not low <= value <= high:
            raise DataError(f"{about} must be between {show(low)} and {show(high)}, not {show(value)}")
    filled = {**options, **given}
    return {key: value if isinstance(value, bool) else float(value) for key, value in filled.items()}


def options_in(function: Any, name: str) -> tuple[dict[str, Option], bool]:
    """Read from a function's signature its options with their defaults, and whether it takes a seed.

    Raises:
        DataError: a keyword-only argument has no default. One that is neither a number nor a truth value is no option.

    >>> def grid(*, rows=9, noise=0.1, seed): ...
    >>> options_in(grid, "grid")
    ({'rows': 9, 'noise': 0.1}, True)
    """
    try:
        arguments = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # no function: calling it will say so
        return {}, False
    own = {one.name: one.default for one in arguments if one.kind is one.KEYWORD_ONLY}
    seeded = own.pop(SEED, None) is not None
    for key, default in own.items():
        if default is inspect.Parameter.empty:
            raise DataError(f"{name}: option {key} needs a default, as in *, {key}=1.0")
        if key in ("name", "options"):
            raise DataError(f"{name}: an option cannot be called {key}; rename it")
    own = {key: default for key, default in own.items() if isinstance(default, int | float)}  # the others stay
    return own, seeded


def own_dataset(function: Any, name: str, declared: Dataset | None) -> Dataset:
    """Return the record of a user's function, which need not be decorated."""
    if declared is not None:
        return declared
    options, seeded = options_in(function, name)
    return Dataset(name, function, summary=docstrings.summary(function), options=options, seeded=seeded)


DATASETS: Registry[Dataset] = Registry("data set", DataError, own_dataset, may_read=True)
"""Name -> record."""


@overload
def dataset(function: F, /) -> F: ...
@overload
def dataset(
    *,
    task: str = ...,
    target_loss: float | None = ...,
    reference: str = ...,
    name: str | None = ...,
    bounds: Bounds = ...,
    licence: str = ...,
    shape: tuple[int, int, int] = ...,
    chance: float = ...,
    generated: bool = ...,
    made_of: tuple[str, ...] = ...,
    extra: str = ...,
    cached: bool = ...,
) -> Callable[[F], F]: ...
def dataset(
    function: F | None = None,
    /,
    *,
    task: str = "auto",
    target_loss: float | None = None,
    reference: str = "",
    name: str | None = None,
    bounds: Bounds = NONE,
    licence: str = "",
    shape: tuple[int, int, int] = (0, 0, 0),
    chance: float = 0.0,
    generated: bool = False,
    made_of: tuple[str, ...] = (),
    extra: str = "",
    cached: bool = False,
) -> F | Callable[[F], F]:
    """Declare a data set: decorate the function that makes it.

    With the same options and seed it gives the same rows whenever it is called: what it draws, it draws from ``seed``,
    or from a seed of its own. Keyword-only arguments are options of the set, ``seed`` is ``data.seed``.

    Args:
        function: the function, where nothing else is said of it.
        task: ``classification``, ``regression`` or ``auto``: text and integers in y are labels, floats are quantities.
        target_loss: the loss that counts as learned (see ``Dataset``).
        reference: where it comes from.
        name: of a shipped one, where the function has another; a user's own goes by its function's.
        bounds: the smallest and the largest value of options.
        licence: of its rows.
        shape: how many rows, inputs and classes there are, with options at their defaults.
        chance: the share of the rows that have the most frequent class, likewise.
        generated, made_of, extra, cached: see ``Dataset``.

    Raises:
        DataError: there is no such task, the target is not positive, or an option has no default.

    >>> __name__ = "mine"  # a file of one's own
    >>> @dataset(task="regression", bounds={"slope": (-10, 10)})  # data.name: mine.py:line:slope=3
    ... def line(*, slope=2.0, seed):
    ...     x = np.random.default_rng(seed).uniform(-1.0, 1.0, (50, 1))
    ...     return x, slope * x[:, 0]
    >>> DATASETS.declared[line].options, DATASETS.declared[line].seeded
    ({'slope': 2.0}, True)
    """
    if task not in TASKS:
        raise DataError(f"unknown task '{task}'{nearest(task, TASKS)}")
    if target_loss is not None and not target_loss > 0:
        raise DataError(f"target_loss must be a positive number, found {target_loss}")

    def declare(function: F) -> F:
        called = name or function.__name__
        options, seeded = options_in(function, called)
        if stray := next((key for key in bounds if key not in options), None):
            raise DataError(f"{called}: has bounds of {stray}, which is no option of it{nearest(stray, options)}")
        rows, inputs, classes = shape
        record = Dataset(
            name=called,
            load=function,
            task=task,
            target_loss=target_loss,
            reference=reference,
            summary=docstrings.summary(function),
            options=options,
            bounds=dict(bounds),
            seeded=seeded,
            generated=generated,
            made_of=made_of,
            licence=licence,
            rows=rows,
            inputs=inputs,
            classes=classes,
            chance=chance,
            extra=extra,
            cached=cached,
        )
        DATASETS.declare(function, record, called)
        return function

    return declare if function is None else declare(function)
