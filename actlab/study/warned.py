"""What a plan does as it was asked to, and yet may not have been meant: said before it is carried out."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from actlab.naming import counted
from actlab.study import started

if TYPE_CHECKING:
    from actlab.study.plan import Plan


def warnings(planned: "Plan") -> list[str]:
    """List what is to be said of a plan: a line each."""
    rates = (float(one.labels["learning_rate"]) for one in planned.runs.values())
    return [*started.warnings(planned.started), *nothing_learned(rates)]


def nothing_learned(rates: Iterable[float]) -> list[str]:
    """Say that runs at a rate of 0 learn nothing: a control where it is meant, a decimal comma where it is not.

    >>> nothing_learned([0.1, 0.01])
    []
    >>> nothing_learned([0.0, 5.0, 0.0])[0].partition(":")[0]
    'train.learning_rate is 0 in 2 of 3 runs'
    """
    rates = list(rates)
    if not (number := sum(rate == 0 for rate in rates)):
        return []
    return [
        f"train.learning_rate is 0 in {number} of {counted(len(rates), 'run')}: weights stay as they are drawn, "
        "which serves as a control; decimals are written with a point, 0.5, for 0,5 is two values"
    ]
