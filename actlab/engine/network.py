"""A run's network to take away, as a flax.nnx module: of given weights, or as the run begins."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from pydantic import ValidationError

from actlab import activations, jax_settings, sources
from actlab.engine import kept, loading, run_batch, trusting
from actlab.engine.planned_runs import find_run
from actlab.engine.results import Results
from actlab.naming import nearest
from actlab.nn.blocks import Function, Options
from actlab.nn.model import DeepMLP
from actlab.nn.programs import turned
from actlab.nn.weights import are_named, depth_of, shapes, stacked, statistics_of
from actlab.notation import option_value
from actlab.study.fields import spelled_out
from actlab.study.plan import block_of
from actlab.study.reading import StudyError, parse, reason
from actlab.study.sections import ModelConfig
from actlab.study.source import as_key

# The columns of ``runs`` that make a network, its weights apart.
SETTINGS = ("activation", "depth", "width", "norm", "residual", "dropout", "dropout_kind")
# Weights and their axes: F inputs, W units, C outputs, L layers, P learnable parameters (of units' own [L, P, W]).
AXES = {
    "input.kernel": "FW",
    "layers.kernel": "LWW",
    "layers.bias": "LW",
    "layers.activation": "LP",
    "layers.scale": "LW",
    "layers.shift": "LW",
    "readout.kernel": "WC",
    "readout.bias": "C",
}
OF_NORM = ("layers.scale", "layers.shift")


def check_names(settings: Iterable[str]) -> None:
    """Refuse settings that no network has.

    Raises:
        StudyError: names the nearest one that there is.
    """
    for name in settings:
        if name not in SETTINGS:
            raise StudyError(f"model: no setting '{name}'{nearest(name, SETTINGS)}")


def of_settings(settings: Mapping[str, Any], weights: Mapping[str, Any]) -> DeepMLP:
    """Build the network of some settings and weights: see ``actlab.model``.

    Raises:
        StudyError: there is none.
    """
    known = {name: plain(value) for name, value in settings.items() if name in SETTINGS}
    known = {name: value for name, value in known.items() if value is not None}
    choice = parsed(known.pop("activation", "relu"))
    if sources.parse(choice["name"]) or settings.get("activation_order") == 0:
        raise StudyError(
            f"activation: {choice['name']} is a function of the user's, and those are taken from a study's folder "
            "alone: actlab.model(run, weights, study=folder)"
        )
    rate, kind = known.pop("dropout", 0.0), known.pop("dropout_kind", None) or "standard"
    dropout = rate if isinstance(rate, Mapping) else {"rate": rate, "kind": kind}
    try:
        config = ModelConfig.model_validate({**known, "activation": choice, "dropout": dropout})
    except ValidationError as error:
        lines = [f"{as_key(one['loc'])}: {reason(one, one['loc'])}" for one in error.errors()]
        raise StudyError("\n".join(lines)) from None
    function = loading.function_of(activations.CATALOGUE.find(config.activation.name))
    options = block_of(config)
    fixed = {name: config.activation.number(name) for name in function.fixed}
    return assembled(weights, known.get("depth"), known.get("width"), function, fixed, options, config.dropout.rate)


def trained(results: Results, run: Any, step: int | None, trust: bool) -> DeepMLP:
    """Build the network of a stored run of its kept weights: see ``Results.model``.

    One with an activation of the catalogue's needs neither the study's data nor its plan.
    """
    name = kept.name_of(results, run)
    weights = kept.weights(results, name, step)
    row: dict[str, Any] = {str(key): value for key, value in results.runs[results.runs["run"] == name].iloc[0].items()}
    if row.get("activation_order") != 0 and parsed(row["activation"])["name"] in activations.CATALOGUE:
        return of_settings(row, weights)
    return of_run(results.path, name, weights, trust, stored=True)


@jax_settings.pinned()
def of_run(
    folder: Path, name: str, weights: Mapping[str, Any] | None, trust: bool = False, stored: bool = False
) -> DeepMLP:
    """Build the network of a study's run: see ``actlab.model``.

    Args:
        folder: the study's.
        name: the run's, or how that begins.
        weights: of the run; without them, those that it begins with.
        trust: whether files of the user's are run although they are not what ``run`` copied to ``sources/``.
        stored: whether it is known to be stored.

    Raises:
        StudyError: the study has no such run, or the weights are not of its network.
        UntrustedError: a file of the user's was altered, or lies elsewhere.
    """
    file = folder / "study.yaml"
    if not file.is_file():
        raise StudyError(f"{folder}: not a study's folder (it has no study.yaml)")
    study = parse(file)[0]
    with sources.only(trusting.to_model(folder, study, trust)):
        return of_trusted_run(folder, name, weights, stored)


def of_trusted_run(folder: Path, name: str, weights: Mapping[str, Any] | None, stored: bool) -> DeepMLP:
    """Build the network of a study's run, whose files may be run."""
    group, run = find_run(folder, name, stored)
    shape = group.shape
    function = loading.functions_of(shape, folder / "sources")[group.activation]
    options = shape.spec.block
    own = group.depth, shape.spec.width, function, run.numbers["fixed"], options, run.numbers["dropout_rate"]
    if weights is not None:
        return assembled(weights, *own)
    with jax.enable_x64(shape.spec.dtype == "float64"):
        batch = run_batch.RunBatch(group, (run,), folder, wanted=("start",))  # as a worker begins
        begun = turned(batch.begin().state["training"]["parameters"], group.shape.spec.runs_per_call)
        begun = jax.tree.map(lambda leaf: leaf[0], begun)
        network = assembled(begun, *own)
        network.take_statistics(batch.data["train"][0])
    return network


def assembled(
    weights: Mapping[str, Any],
    depth: int | None,
    width: int | None,
    function: Function,
    fixed: Mapping[str, float],
    options: Options,
    rate: float,
) -> DeepMLP:
    """Build the module, in evaluation mode, of weights that are held against what they are to be the weights of.

    Args:
        weights: as of ``DeepMLP``, or by name; of depth or width None, it is theirs.
        depth, width, function, fixed, options, rate: the network's.

    Raises:
        StudyError: they are of another network.
    """
    statistics = []
    if are_named(weights):
        statistics, weights = statistics_of(weights), in_stacks(weights, function, options)
    check(weights, depth, width, function, options)
    with jax.enable_x64(np.asarray(weights["input"]["kernel"]).dtype == "float64"):
        parameters = jax.tree.map(jnp.asarray, weights)
        layers = depth or len(parameters["layers"]["bias"])
        network = DeepMLP(parameters, layers, function, fixed, options, rate)
        for layer, (mean, var) in zip(network.hidden, statistics, strict=False):
            layer.norm.mean[...], layer.norm.var[...] = jnp.asarray(mean), jnp.asarray(var)
            layer.has_statistics = True
    network.eval()
    return network


def in_stacks(weights: Mapping[str, Any], function: Function, options: Options) -> dict[str, Any]:
    """Turn weights by name, as ``results.weights`` gives them, into the stacks that training has.

    Raises:
        StudyError: they are of another network.
    """
    depth = depth_of(weights)
    names = shapes(depth, 1, 1, 1, function.learnable, norm=options.norm)
    for name in [*names, *weights]:
        if name not in weights or name not in names:
            lack = "lack" if name in names else "have"
            raise StudyError(
                f"weights: {lack} {name}; with norm: {options.norm} those of {depth} hidden layers are "
                f"{', '.join(shapes(1, 1, 1, 1, function.learnable, norm=options.norm))} and likewise up to layer "
                f"{depth - 1}"
            )
    try:
        return stacked(weights, function.learnable)
    except (ValueError, IndexError) as error:
        raise StudyError(f"weights: arrays of hidden layers are of different shapes ({error})") from None


def check(
    weights: Mapping[str, Any], depth: int | None, width: int | None, function: Function, options: Options
) -> None:
    """Refuse weights that are not of such a network: missing or superfluous arrays, and wrong shapes.

    Raises:
        StudyError: they are not.
    """
    shapes = {
        f"{part}.{name}": np.shape(array)
        for part, arrays in (weights.items() if isinstance(weights, Mapping) else ())
        for name, array in (arrays.items() if isinstance(arrays, Mapping) else ())
    }
    axes = {name: letters for name, letters in AXES.items() if options.norm != "none" or name not in OF_NORM}
    for name in [*axes, *shapes]:
        if name not in shapes or name not in axes:
            lack = "lack" if name in axes else "have"
            raise StudyError(f"weights: {lack} {name}; with norm: {options.norm} they are {', '.join(axes)}")
    sizes = {
        "F": shapes["input.kernel"][0] if shapes["input.kernel"] else 1,
        "W": width or (shapes["input.kernel"] or (1,))[-1],
        "C": (shapes["readout.bias"] or (1,))[-1],
        "L": depth or (shapes["layers.bias"] or (1,))[0],
        "P": len(function.learnable),
    }
    for name, letters in axes.items():
        shape = shapes[name]
        letters = letters + "W" if name == "layers.activation" and len(shape) == 3 else letters
        wrong = [
            letter
            for letter, size in zip(letters, shape, strict=False)
            if (size < sizes[letter] if letter in "LP" else size != sizes[letter])
        ]
        if wrong or len(shape) != len(letters):
            meant = ", ".join(
                f"{letter} {'≥' if letter in 'LP' else '='} {sizes[letter]}" for letter in sorted({*letters})
            )
            raise StudyError(f"weights: {name} has shape {shape}, expected [{', '.join(letters)}] with {meant}")


def parsed(activation: Any) -> dict[str, Any]:
    """Read an activation's name and parameters from its label in ``runs`` or as a study's file has it.

    >>> parsed("leaky_relu(negative_slope=0.2)"), parsed("prelu:per=unit"), parsed("relu")
    ({'name': 'leaky_relu', 'negative_slope': 0.2}, {'name': 'prelu', 'per': 'unit'}, {'name': 'relu'})
    """
    if isinstance(activation, Mapping):
        return {"name": "relu", **activation}
    if isinstance(mapping := spelled_out(activation), Mapping):
        return dict(mapping)
    name, options = re.fullmatch(r"([^(]*)(?:\((.*)\))?", str(activation), re.DOTALL).groups()  # type: ignore[union-attr]
    pairs = [one.partition("=") for one in (options or "").split(", ") if one]
    return {"name": name, **{key: option_value(value) for key, _, value in pairs}}


def plain(value: Any) -> Any:
    """Turn a cell of a frame into a Python value; None where it is missing.

    >>> plain(np.int64(3)), plain(float("nan")), plain("relu"), plain({"rate": 0.1})
    (3, None, 'relu', {'rate': 0.1})
    """
    if isinstance(value, Mapping):
        return value
    value = value.item() if isinstance(value, np.generic) else value
    return None if pd.isna(value) else value
