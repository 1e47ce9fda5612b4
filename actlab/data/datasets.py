"""Data sets as functions with records, and the decorator that writes them: shipped ones, and a user's own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np

from actlab import docstrings
from actlab.data.table import TASKS, DataError, Table
from actlab.naming import nearest
from actlab.registry import Registry

F = TypeVar("F", bound=Callable[[], Any])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set that a function makes.

    Attributes:
        name: what a study writes.
        load: makes it, always the same: a ``Table``, or arrays x [N, F] and y [N].
        task: ``classification``, ``regression``, or ``auto``: as y says.
        target_loss: the stated target: nats, or mean squared error in units of the training targets' variance; None: a
            quarter of the best constant predictor's loss.
        reference: where it comes from.
        summary: one line for lists.
    """

    name: str
    load: Callable[[], Table | tuple[np.ndarray, np.ndarray]]
    task: str = "auto"
    target_loss: float | None = None
    reference: str = ""
    summary: str = ""


def own_dataset(function: Any, name: str, declared: Dataset | None) -> Dataset:
    """Return the record of a user's function, which need not be decorated."""
    return declared or Dataset(name, function, summary=docstrings.summary(function))


DATASETS: Registry[Dataset] = Registry("data set", DataError, own_dataset, may_read=True)
"""Name -> record."""


@overload
def dataset(function: F, /) -> F: ...
@overload
def dataset(
    *, task: str = ..., target_loss: float | None = ..., reference: str = ..., name: str | None = ...
) -> Callable[[F], F]: ...
def dataset(
    function: F | None = None,
    /,
    *,
    task: str = "auto",
    target_loss: float | None = None,
    reference: str = "",
    name: str | None = None,
) -> F | Callable[[F], F]:
    """Declare a data set: decorate the function that makes it.

    It takes no arguments and gives the same rows whenever it is called: what it draws, it draws from a seed of its own.

    Args:
        function: the function, where nothing else is said of it.
        task: ``classification``, ``regression`` or ``auto``: text and integers in y are labels, floats are quantities.
        target_loss: the loss that counts as learned (see ``Dataset``).
        reference: where it comes from.
        name: of a shipped one, where the function has another; a user's own goes by its function's.

    Raises:
        DataError: there is no such task, or the target is not positive.

    >>> __name__ = "mine"  # a file of one's own
    >>> @dataset(task="regression")
    ... def line():
    ...     x = np.linspace(-1.0, 1.0, 50)[:, None]
    ...     return x, 2.0 * x[:, 0]
    >>> DATASETS.declared[line].name
    'line'
    """
    if task not in TASKS:
        raise DataError(f"unknown task '{task}'{nearest(task, TASKS)}")
    if target_loss is not None and not target_loss > 0:
        raise DataError(f"target_loss must be a positive number, found {target_loss}")

    def declare(function: F) -> F:
        called = name or function.__name__
        DATASETS.declare(
            function, Dataset(called, function, task, target_loss, reference, docstrings.summary(function)), called
        )
        return function

    return declare if function is None else declare(function)
