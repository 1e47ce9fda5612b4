"""Defaults that follow from other settings: what a study does not say never refuses what it says.

A key that a study leaves out is at its default, unless what the study says of another key does not go with that. Then
it is settled here, and is from then on as if it had been written: equal numbers are equal runs (see ``identity``). A
default that does go with the rest is never touched, so that no run changes its name.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from actlab.naming import listed
from actlab.study.fields import Section

if TYPE_CHECKING:
    from actlab.study.schema import StudyConfig
    from actlab.study.sweep import Cell

MOST_RECORDS = 100_000
"""Of one run."""

S = TypeVar("S", bound=Section)

FOLLOWING = ("train.batch_size", "train.steps", "measure.every", "measure.evaluate_every")
"""The keys whose default may follow from another."""


TOGETHER = ("every", "evaluate_every")
"""Of them, those that must go together."""


class TogetherError(ValueError):
    """Keys of one section that do not go together: their names in it, and the one to change, to what, from what."""

    def __init__(self, why: str, keys: tuple[str, ...], change: tuple[str, Any, Any]) -> None:
        """Note the keys."""
        super().__init__(why)
        self.keys, self.change = keys, change


def settled(section: S, **values: Any) -> S:
    """Return a section with values in place of defaults; they count as not written.

    >>> from actlab.study.sections import TrainConfig
    >>> one = settled(TrainConfig(), batch_size=20)
    >>> one.batch_size, one.model_fields_set
    (20, set())
    """
    copy = section.model_copy()
    copy.__dict__.update(values)  # a field that is set in any other way counts as written
    return copy


def record_schedule(every: int, evaluate_every: int, written: Iterable[str]) -> tuple[int, int]:
    """Settle how often is recorded and evaluated: the latter is a multiple of the former.

    Args:
        every: steps between two records.
        evaluate_every: steps between two evaluations.
        written: which of the two a study says.

    Raises:
        TogetherError: it says both, and they do not go together.

    >>> record_schedule(500, 100, ["every"]), record_schedule(25, 10, ["evaluate_every"]), record_schedule(25, 100, [])
    ((500, 500), (10, 10), (25, 100))
    """
    if evaluate_every % every == 0:
        return every, evaluate_every
    if "evaluate_every" not in written:
        return every, nearest_multiple(evaluate_every, every)
    if "every" not in written:
        return nearest_divisor(every, evaluate_every), evaluate_every
    raise TogetherError(
        f"evaluate_every ({evaluate_every}) must be a multiple of every ({every})",
        ("evaluate_every", "every"),
        ("evaluate_every", nearest_multiple(evaluate_every, every), evaluate_every),
    )


def nearest_multiple(number: int, of: int) -> int:
    """Return the multiple that is nearest a number, from the first on.

    >>> nearest_multiple(100, 30), nearest_multiple(100, 500)
    (90, 500)
    """
    return max(round(number / of), 1) * of


def nearest_divisor(number: int, of: int, least: int = 1) -> int:
    """Return the divisor that is nearest a number, as a ratio; the whole itself where all are below ``least``.

    >>> nearest_divisor(25, 10), nearest_divisor(25, 60), nearest_divisor(25, 101), nearest_divisor(25, 2**30)
    (10, 30, 101, 32)
    """
    low = [one for one in range(1, math.isqrt(of) + 1) if of % one == 0]
    divisors = [one for one in {*low, *(of // one for one in low)} if one >= least] or [of]
    return min(divisors, key=lambda one: (abs(math.log(one / number)), one))


def steps_beyond(warmup_steps: float, steps: int) -> int:
    """Settle a number of steps that a study does not say: twice a warm-up that would not end within it.

    >>> steps_beyond(100, 500), steps_beyond(1000, 500)
    (500, 2000)
    """
    return steps if warmup_steps < steps else 2 * int(warmup_steps)


def follow_steps(cell: "Cell") -> "Cell":
    """Settle how often is recorded in so many steps: no more often than is kept."""
    measure, steps = cell.measure, cell.train.steps
    written = measure.model_fields_set
    if steps // measure.every <= MOST_RECORDS or "every" in written:
        return cell
    least = math.ceil(steps / MOST_RECORDS)
    if "evaluate_every" in written:
        every, evaluate_every = nearest_divisor(least, measure.evaluate_every, least), measure.evaluate_every
    else:
        every = math.ceil(least / measure.every) * measure.every  # a multiple of the default one
        evaluate_every = nearest_multiple(max(measure.evaluate_every, every), every)
    return replace(cell, measure=settled(measure, every=every, evaluate_every=evaluate_every))


def follow_rows(cell: "Cell", training_rows: int) -> "Cell":
    """Settle the rows of a minibatch: no more than there are to train on."""
    if cell.train.batch_size <= training_rows or "batch_size" in cell.train.model_fields_set:
        return cell
    return replace(cell, train=settled(cell.train, batch_size=max(training_rows, 1)))


def followed(config: "StudyConfig", labels: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Name the keys of ``FOLLOWING`` that a resolved study leaves out, so that they follow what it is run with next.

    Those are the ones that it does not say and that followed what it does; of how often is recorded and evaluated also
    the one that did not, for it would stand against an override of the other.

    Args:
        config: the study.
        labels: of its runs: their columns.
    """
    found: dict[str, None] = {}
    left = [key for key in FOLLOWING if key not in config.sweep.matrix]
    for one in labels:
        for key in left:
            section, _, name = key.partition(".")
            own = getattr(config, section)
            default = type(own).model_fields[name].default
            if name not in own.model_fields_set and (name in TOGETHER or {one[name], getattr(own, name)} != {default}):
                found[key] = None
    return tuple(found)


def say_followed(config: "StudyConfig", labels: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which defaults followed what a study says, and what they are.

    Args:
        config: the study.
        labels: of its runs: their columns.
    """
    lines = []
    for key in FOLLOWING:
        section, _, name = key.partition(".")
        own = getattr(config, section)
        default = type(own).model_fields[name].default
        values = sorted({one[name] for one in labels})
        if name not in own.model_fields_set and key not in config.sweep.matrix and values != [default]:
            others = listed(f"{value:,}" for value in values if value != default)
            some = " in some runs" if default in values else ""
            lines.append(f"{key} is {others} rather than {default:,}{some}: it follows from what the study says")
    return lines
