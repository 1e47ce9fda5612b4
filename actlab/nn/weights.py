"""A run's weights by name, layer by layer, as they are kept and handed out; and the stacks that training has of them.

    layers.0.weight [F, W], layers.1.weight [W, W], ...   of hidden layer l, from 0: z = h W + b, inputs first
    layers.0.bias [W]
    layers.0.activation.alpha []                          of each learnable parameter; [W] where each unit has its own
    layers.0.norm.scale, layers.0.norm.shift [W]          with a norm; of batch normalisation also mean and var [W]
    readout.weight [W, C], readout.bias [C]

Statistics of batch normalisation are those of the whole training split, as at each record. Needs no JAX.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

OF_NORM = {"none": (), "layer": ("scale", "shift"), "batch": ("scale", "shift", "mean", "var")}
PER_ARRAY = 130  # bytes in a file for an array's name, type, shape and place


def shapes(
    depth: int,
    width: int,
    features: int,
    outputs: int,
    learnable: Sequence[str] = (),
    per_unit: bool = False,
    norm: str = "none",
) -> dict[str, tuple[int, ...]]:
    """List the arrays of a network by name.

    >>> shapes(2, 4, 3, 2, ["alpha"])["layers.1.weight"], len(shapes(2, 4, 3, 2, ["alpha"]))
    ((4, 4), 8)
    """

    def of_layers() -> Iterator[tuple[str, tuple[int, ...]]]:
        for l in range(depth):
            yield f"layers.{l}.weight", (width if l else features, width)
            yield f"layers.{l}.bias", (width,)
            for name in learnable:
                yield f"layers.{l}.activation.{name}", (width,) if per_unit else ()
            for name in OF_NORM[norm]:
                yield f"layers.{l}.norm.{name}", (width,)

    return dict(of_layers()) | {"readout.weight": (width, outputs), "readout.bias": (outputs,)}


def file_bytes(arrays: Mapping[str, tuple[int, ...]], itemsize: int) -> int:
    """Predict what some arrays take in a file.

    >>> file_bytes({"readout.weight": (4, 2), "readout.bias": (2,)}, 4)
    300
    """
    return sum(itemsize * prod(shape) + PER_ARRAY for shape in arrays.values())


def named(
    parameters: Mapping[str, Any],
    depth: int,
    learnable: Sequence[str] = (),
    statistics: Sequence[tuple[np.ndarray, np.ndarray]] = (),
) -> dict[str, np.ndarray]:
    """Name the arrays of one run; padding, of layers and of slots, is left out.

    Args:
        parameters: of one run, as training has them (see ``nn.model.DeepMLP``).
        depth: how many hidden layers the run has.
        learnable: the names of its activation's parameters, in the order of their slots.
        statistics: of batch normalisation, mean and variance of each layer.
    """
    stack = parameters["layers"]
    weights: dict[str, np.ndarray] = {}
    for l in range(depth):
        own = {"weight": stack["kernel"][l] if l else parameters["input"]["kernel"], "bias": stack["bias"][l]}
        own |= {f"activation.{name}": stack["activation"][l][slot] for slot, name in enumerate(learnable)}
        own |= {f"norm.{name}": stack[name][l] for name in ("scale", "shift") if name in stack}
        if statistics:
            own["norm.mean"], own["norm.var"] = statistics[l]
        weights |= {f"layers.{l}.{name}": np.array(array, order="C") for name, array in own.items()}
    ends = {"readout.weight": parameters["readout"]["kernel"], "readout.bias": parameters["readout"]["bias"]}
    return weights | {name: np.array(array, order="C") for name, array in ends.items()}


def are_named(weights: Any) -> bool:
    """Whether weights are by name, rather than in stacks."""
    return isinstance(weights, Mapping) and any(str(name).startswith("layers.") for name in weights)


def stacked(weights: Mapping[str, np.ndarray], learnable: Sequence[str] = ()) -> dict[str, Any]:
    """Invert ``named``, statistics aside: stacks of a run's own depth, row 0 of the kernels zeros.

    Raises:
        KeyError: an array is missing; has its name.
    """
    depth = depth_of(weights)

    def stack(name: str) -> np.ndarray:
        return np.stack([np.asarray(weights[f"layers.{l}.{name}"]) for l in range(depth)])

    first = np.asarray(weights["layers.0.weight"])
    width = first.shape[-1]
    kernels = [np.asarray(weights[f"layers.{l}.weight"]) for l in range(1, depth)]
    layers = {
        "kernel": np.stack([np.zeros((width, width), first.dtype), *kernels]),
        "bias": stack("bias"),
        "activation": np.stack([stack(f"activation.{name}") for name in learnable], axis=1)
        if learnable
        else np.zeros((depth, 0), first.dtype),
    }
    layers |= {name: stack(f"norm.{name}") for name in ("scale", "shift") if f"layers.0.norm.{name}" in weights}
    return {
        "input": {"kernel": first},
        "layers": layers,
        "readout": {"kernel": np.asarray(weights["readout.weight"]), "bias": np.asarray(weights["readout.bias"])},
    }


def statistics_of(weights: Mapping[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return mean and variance of each layer's batch normalisation; none where there is no such thing."""
    if "layers.0.norm.mean" not in weights:
        return []
    return [(weights[f"layers.{l}.norm.mean"], weights[f"layers.{l}.norm.var"]) for l in range(depth_of(weights))]


def depth_of(weights: Mapping[str, Any]) -> int:
    """Return how many hidden layers named weights have."""
    return sum(bool(re.fullmatch(r"layers\.\d+\.weight", str(name))) for name in weights)
