"""What the runs that a study has stored so far say, by activation: gradients by layer, and units that died.

For whoever watches a study. Each part is read once, and only a few numbers of each of its runs are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from actlab.measures import LOG10

if TYPE_CHECKING:
    import pyarrow as pa

GRADIENT, DEAD = "signal_grad_norm", "dead_fraction"
LEVELS = "▁▂▃▄▅▆▇█"
PLAIN_LEVELS = "_.-~=+*#"  # where the output has no such letters
LEAST_DECADES = 1.0  # that a picture spans: what is within a tenth is level


@dataclass(frozen=True, slots=True)
class RunSoFar:
    """What is kept of a stored run.

    Attributes:
        run, activation, depth: which it is.
        diverged: whether it did.
        dead: share of dead units at its last evaluation, over all layers; None where that is not known.
        layers: the hidden layers that are kept.
        gradient: log10 of the norm of the backpropagated signal in these, at its last record; None where one of them
            was not measured, or is not finite.
    """

    run: str
    activation: str
    depth: int
    diverged: bool
    dead: float | None
    layers: tuple[int, ...]
    gradient: tuple[float, ...] | None


@dataclass(frozen=True)
class ActivationSoFar:
    """What stored runs of an activation say together.

    Attributes:
        activation: its label.
        runs, diverged: how many are stored, and how many of those diverged.
        dead: mean share of dead units over those that did not diverge; None where it is not known of any.
        depth: of the networks that ``gradient`` is of.
        layers: their hidden layers that are kept.
        gradient: log10 of the norm of the backpropagated signal relative to the last hidden layer, by layer: mean over
            ``gradient_runs`` of these runs, at their last records; empty without any.
        last: mean log10 of the norm in the last hidden layer.
        gradient_runs: how many runs ``gradient`` is the mean of.
    """

    activation: str
    runs: int
    diverged: int
    dead: float | None
    depth: int
    layers: tuple[int, ...] = ()
    gradient: tuple[float, ...] = ()
    last: float | None = None
    gradient_runs: int = 0


def runs_of(rows: pa.Table, prefixes: Mapping[str, Mapping[str, str]] | None = None) -> list[RunSoFar]:
    """Pick of a part's rows what is kept of each run.

    Args:
        rows: of the part.
        prefixes: what stands before labels that would collide, as the manifest has it.
    """
    names = rows.column_names

    def column(name: str) -> list[Any]:
        return rows[name].to_pylist() if name in names else [None] * len(rows)

    before = (prefixes or {}).get("activation", {})
    contents = column("activation_content")
    norms = column(f"layers.{LOG10}{GRADIENT}")
    logged = [norm is not None for norm in norms]
    norms = [one if one is not None else other for one, other in zip(norms, column(f"layers.{GRADIENT}"), strict=True)]
    kept = zip(
        column("run"), column("activation"), column("depth"), column("status"), column("layers.layer"), strict=True
    )
    deaths = column(f"steps.{DEAD}")
    return [
        RunSoFar(
            run,
            before.get(contents[i], "") + activation,
            depth,
            status == "diverged",
            last_known(deaths[i]),
            tuple(layers),
            last_record(norms[i], len(layers), logged[i]),
        )
        for i, (run, activation, depth, status, layers) in enumerate(kept)
    ]


def last_known(values: Sequence[float] | None) -> float | None:
    """Return the last of some values that is a number.

    >>> last_known([0.1, 0.2, float("nan")]), last_known(None)
    (0.2, None)
    """
    return next((float(value) for value in reversed(values or ()) if value == value), None)


def last_record(values: Sequence[float] | None, layers: int, logged: bool) -> tuple[float, ...] | None:
    """Return log10 of a norm by layer, as the last record of a run has it; None where one is not finite."""
    if not values:
        return None
    last = np.asarray(values[-layers:], float)
    with np.errstate(divide="ignore", invalid="ignore"):
        last = last if logged else np.log10(last)
    return tuple(last.tolist()) if np.isfinite(last).all() else None


def by_activation(runs: Iterable[RunSoFar], order: Mapping[str, int] | None = None) -> list[ActivationSoFar]:
    """Put runs together by activation; of gradients, those at the deepest depth of which any activation has a run.

    Args:
        runs: stored ones, each once.
        order: place of each activation in the story.

    >>> one = RunSoFar("a", "relu", 2, False, 0.25, (1, 2), (-3.0, -1.0))
    >>> by_activation([one])[0].gradient, by_activation([one])[0].dead
    ((-2.0, 0.0), 0.25)
    """
    grouped: dict[str, list[RunSoFar]] = {}
    for one in runs:
        grouped.setdefault(one.activation, []).append(one)
    measured = [one.depth for some in grouped.values() for one in some if one.gradient is not None]
    depth = max(measured, default=0)
    place = {name: (order or {}).get(name, 2**31) for name in grouped}
    return [together(name, grouped[name], depth) for name in sorted(grouped, key=lambda name: (place[name], name))]


def together(name: str, runs: Sequence[RunSoFar], depth: int) -> ActivationSoFar:
    """Put runs of one activation together; gradients of those of a depth, with the layers that the first has."""
    dead = [one.dead for one in runs if one.dead is not None and not one.diverged]
    mean = float(np.mean(dead)) if dead else None
    counts = len(runs), sum(one.diverged for one in runs)
    deep = [one for one in runs if one.depth == depth and one.gradient is not None]
    deep = [one for one in deep if one.layers == deep[0].layers]
    if not deep:
        return ActivationSoFar(name, *counts, mean, depth)
    norms = np.array([one.gradient for one in deep], float).mean(axis=0)
    relative = tuple((norms - norms[-1]).round(3).tolist())
    return ActivationSoFar(name, *counts, mean, depth, deep[0].layers, relative, round(float(norms[-1]), 3), len(deep))


def picture(layers: Sequence[int], values: Sequence[float], low: float, high: float, width: int, levels: str) -> str:
    """Draw values by layer as a row of letters, low ones for low values; between kept layers along straight lines.

    Args:
        layers: that have a value, rising.
        values: theirs.
        low, high: what the lowest and the highest letter stand for.
        width: letters at most; one for each layer where there are fewer.
        levels: the letters.

    >>> picture([1, 4], [-3.0, 0.0], -3.0, 0.0, 4, "1234")
    '1234'
    """
    columns = min(width, layers[-1] - layers[0] + 1)
    at = np.linspace(layers[0], layers[-1], columns)
    share = (np.interp(at, layers, values) - low) / max(high - low, LEAST_DECADES)
    return "".join(levels[round(float(np.clip(one, 0.0, 1.0)) * (len(levels) - 1))] for one in share)


def span(activations: Sequence[ActivationSoFar]) -> tuple[float, float]:
    """Choose what the pictures of some activations go from and to, so that they can be compared.

    >>> span([])
    (-1.0, 0.0)
    """
    values = [value for one in activations for value in one.gradient]
    high = max([0.0, *values])
    return min([high - LEAST_DECADES, *values]), high
