"""What one record holds, as two pure programs: ``measure`` on the probe rows, ``evaluate`` on whole splits."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from actlab.measures import EDGES, LAYER, MEASURES, RUN, named
from actlab.nn import histograms, jacobians, probes, rounding, walk
from actlab.nn.blocks import Function
from actlab.nn.losses import example_accuracy, example_losses
from actlab.nn.training import Numbers, Program, Scratch

Data = Mapping[str, tuple[Array, Array]]
"""{train, validation, test, probe: (x [N, F], y)}."""

Masks = dict[str, Array]
"""{dead_at_init, ever_dead}: [L, (R,) W], which units were dead at step 0, and at any evaluation so far."""


def measure(
    program: Program,
    parameters: Any,
    after: Any,
    scratch: Scratch,
    numbers: Numbers,
    data: Data,
    depth: Array | int,
    activation: Array,
) -> tuple[dict[str, Any], Scratch]:
    """Take every measure of the probe rows, layer by layer on the walk down.

    Args:
        program: the static half of the runs.
        parameters: at the record.
        after: the parameters one step later, for the size of the update.
        scratch: see ``scratch_for``.
        numbers: of all runs.
        data: {train, probe: (x, y)}; the training rows matter to batch normalisation only.
        depth, activation: of all runs.

    Returns:
        {``layers``: {measure: [L, (R)]}, ``histograms``: {name: [L, (R,) bins]}, ``gradients``: {norm: mantissa
        [L, (R)]}, ``exponent`` [L, (R)], ``log2_median``: of the median row's signal, but for the exponent [L, (R)],
        ``rounding``: {name: [L, (R)]}, see ``rounding.spread_and_noise``, where a measure asks for it}, rows beyond
        the depth not set; where they are asked for ``log10``: {measure: [L, (R)]} and ``jacobian``, of
        ``jacobians.of_network``; and the scratch.
    """
    network, over_runs = program.network, program.network.over_runs
    (x_MxF, y), fixed, rows = data["probe"], numbers["fixed"], data["probe"][0].shape[0]
    x, statistics_rows, extra = x_MxF, None, {}
    layers = parameters["layers"]
    if program.spec.block.norm == "batch":  # statistics of the whole training split, at this moment
        statistics_rows = data["train"][0].shape[0]
        x, extra = jnp.concatenate([data["train"][0], x_MxF]), {"statistics": (layers["bias"], layers["bias"])}
    last_h, up = walk.forward(
        network,
        parameters,
        x,
        depth,
        activation,
        fixed,
        lambda *_: {},
        {**scratch["layers"], **extra},
        shared=True,
        statistics_rows=statistics_rows,
        measured=True,
    )
    error = over_runs(signal_at_output(program.spec.task), (2,))(last_h[..., -rows:, :], parameters["readout"], y)
    thresholds = {name: numbers[name] for name in ("weak_threshold", "saturation_low", "saturation_high")}
    own = dict(program.own_measures)
    asked = tuple(name for name in (*probes.PROBES, *own) if name in program.spec.probes)
    changes = "update_ratio" in program.spec.probes
    counted = tuple(name for name in EDGES if name in program.spec.probes)
    of_layers, of_network = (
        tuple(name for name in named("jacobian", per=per) if name in program.spec.probes) for per in (LAYER, RUN)
    )
    floored = any(MEASURES[name].floor for name in asked if name in MEASURES)

    def local(l: Array, pulled: dict[str, Any]) -> dict[str, Any]:
        z, h = walk.at(up["z"], l), walk.at(up["h"], l)
        values = over_runs(partial(probes.measure_layer, asked, own=own))(
            z, h, pulled["u"], pulled["slope"], thresholds
        )
        counts = over_runs(partial(histograms_of, counted))(z, h, pulled["rows"], pulled["exponents"])
        finite = over_runs(probes.all_finite)(z)
        signal = over_runs(partial(probes.signal_norm, rows))(pulled["z"])
        lost = jnp.any(pulled["lost"], axis=-1)
        signal = jnp.where(finite & ~((signal == 0) & lost), signal, jnp.nan)
        if changes:
            ratio = over_runs(relative_change)
            old, new = walk.at(layers["kernel"], l), walk.at(after["layers"]["kernel"], l)
            values["update_ratio"] = jax.lax.cond(
                l == 0,
                lambda: ratio(parameters["input"]["kernel"], after["input"]["kernel"]),
                lambda: ratio(old, new),
            )
        median = over_runs(probes.log2_median_norm)(pulled["rows"], pulled["exponents"], pulled["exponent"])
        median = jnp.where(jnp.isnan(signal) | (jnp.isneginf(median) & lost), jnp.nan, median)
        faint = jnp.any((h == 0) & (pulled["u"] != 0) & ~pulled["flat"], axis=(-2, -1))  # φ itself underflowed
        norms = {"faint": faint, "exponent": pulled["exponent"], "signal_grad_norm": signal, "log2_median": median}
        noise = {}
        if floored:
            size = over_runs(rounding.sizes_of_sums)
            size_of_first = over_runs(rounding.sizes_of_sums, (0,))
            kernel = parameters["input"]["kernel"]
            sizes = jax.lax.cond(
                l == 0,
                lambda: size_of_first(x_MxF, kernel),
                lambda: size(walk.at(up["h"], jnp.maximum(l - 1, 0)), walk.at(layers["kernel"], l)),
            )
            flat_of_units = jnp.all(pulled["flat"], axis=-2)
            terms = jnp.where(l == 0, kernel.shape[-2], program.spec.width)
            noise = over_runs(partial(rounding.spread_and_noise, terms))(sizes, z, h, pulled["steep"], flat_of_units)
            noise["exact"] = jnp.where((l == 0) & jnp.all(x_MxF == x_MxF[:1]), 1.0, noise["exact"])
        more = {}
        if of_layers:
            readout = parameters["readout"]["kernel"]
            norm = over_runs(partial(jacobians.log10_partial_norm, network.options))
            seen = (z, pulled["u"], pulled["slope"], pulled["steep"], pulled["flat"])
            more["log10"] = {
                "partial_jacobian_norm": jax.lax.cond(
                    l + 1 < depth, lambda: norm(*seen, walk.at(layers["kernel"], l + 1)), lambda: norm(*seen, readout)
                )
            }
        return {"layers": values, "histograms": counts, "rounding": noise, **norms, **more}

    weight_norm = partial(probes.weight_norm, rows)

    def weigh(h_below: Array, delta: Array) -> dict[str, Array]:
        return {"weight_grad_norm": over_runs(weight_norm)(h_below, delta)}

    def weigh_first(delta: Array) -> dict[str, Array]:
        return {"weight_grad_norm": over_runs(weight_norm, (0,))(x_MxF, delta)}

    one = jnp.zeros(last_h.shape[:-2], x.dtype)
    wanted = (*asked, "update_ratio") if changes else asked
    stacks = walk.stacks_for(
        {
            "layers": dict.fromkeys(wanted, one),
            "histograms": {name: jnp.zeros((*one.shape, len(EDGES[name]) + 1), jnp.int32) for name in counted},
            "rounding": dict.fromkeys(("noise", "within", "whole", "typical", "exact") if floored else (), one),
            "faint": one.astype(bool),
            "exponent": one.astype(jnp.int32),
            "signal_grad_norm": one,
            "log2_median": one,
            "weight_grad_norm": one,
            **({"log10": dict.fromkeys(of_layers, one)} if of_layers else {}),
        },
        program.spec.depth_bound,
    )
    _, measured = walk.backward(
        network,
        parameters,
        x_MxF,
        up,
        error,
        depth,
        activation,
        fixed,
        local,
        weigh,
        weigh_first,
        walk.put,
        stacks,
        measured=True,
    )
    # A layer whose signal is not known, or not finite, has no known weight gradient either; nor has one that is 0 only
    # because h of the layer below was too small for its dtype, while there is a signal.
    signal, weight = measured["signal_grad_norm"], measured["weight_grad_norm"]
    faint_below = jnp.concatenate([jnp.zeros_like(measured["faint"][:1]), measured["faint"][:-1]])
    unknown = jnp.isnan(signal) | ((weight == 0) & (signal != 0) & faint_below)
    weight = jnp.where(unknown, jnp.nan, weight)
    gradients = {"signal_grad_norm": measured["signal_grad_norm"], "weight_grad_norm": weight}
    record = {name: measured[name] for name in ("layers", "histograms", "rounding", "exponent", "log2_median")} | {
        "gradients": gradients
    }
    if of_layers:
        record["log10"] = measured["log10"]
    if of_network:
        found = jacobians.of_network(network, parameters, x_MxF, up, depth, activation, fixed)
        record["jacobian"] = {name: found[name] for name in of_network}
    return record, {"layers": {name: up[name] for name in scratch["layers"]}}


def scratch_for(program: Program, parameters: Any, rows: int) -> Scratch:
    """Return zeros for what ``measure`` writes besides its record: z and h of each layer, for so many probe rows."""
    bias = parameters["layers"]["bias"]
    blank = jnp.zeros((*bias.shape[:-1], rows, program.spec.width), bias.dtype)
    return {"layers": {"z": blank, "h": blank}}


def histograms_of(
    names: tuple[str, ...], z_MxW: Array, h_MxW: Array, delta_MxW: Array, exponents_M: Array
) -> dict[str, Array]:
    """Count the named histograms of one layer: {name: counts [bins]}."""
    values = {"z_MxW": z_MxW, "h_MxW": h_MxW, "delta_MxW": delta_MxW, "exponents_M": exponents_M}
    return {name: probes.evaluate(getattr(histograms, name), values) for name in names}


def signal_at_output(task: str) -> Callable[[Array, Any, Array], Array]:
    """Return (h, readout, y) -> the gradient of each row's own loss in the last h [M, W]."""

    def of_run(h_MxW: Array, readout: Any, y: Array) -> Array:
        outputs = walk.affine(h_MxW, readout["kernel"], readout["bias"])
        error_MxC = jax.grad(lambda outputs: jnp.sum(example_losses(outputs, y, task)))(outputs)
        return error_MxC @ readout["kernel"].T

    return of_run


def relative_change(before: Array, after: Array) -> Array:
    """Compute ‖ΔW‖_F / ‖W‖_F: the update ratio, of what rounding lets through.

    In float32 a weight moves by nothing or by at least 6e-8 of itself, and a vanished gradient moves it by nothing.
    """
    return jnp.linalg.norm(after - before) / jnp.linalg.norm(before)


def evaluate(
    program: Program,
    parameters: Any,
    masks: Masks,
    numbers: Numbers,
    data: Data,
    is_first: Array,
    depth: Array | int,
    activation: Array,
) -> tuple[Masks, dict[str, Any]]:
    """Evaluate losses and accuracies on whole splits, and unit death on the whole training split.

    Returns:
        the masks to carry on, and {``layers``: {death measure: [L, (R)]}, ``network_dead``, and for each split its loss
        and accuracy [(R)]}.
    """
    splits = {name: data[name] for name in ("train", "validation", "test")}
    outputs, seen, finite = forward_splits(
        program, parameters, numbers, {name: x for name, (x, _) in splits.items()}, depth, activation
    )
    dead = seen["dead"]
    layers, network_dead, masks = probes.death_record(
        dead, finite, masks, is_first, outputs.dtype, flat_LxW=seen["flat"]
    )
    if program.spec.block.residual:  # which pass every layer by but the first
        first_dead = jnp.all(dead[0], axis=-1).astype(outputs.dtype)
        network_dead = jnp.where(jnp.isnan(network_dead), jnp.nan, first_dead)
    record: dict[str, Any] = {"layers": layers, "network_dead": network_dead}
    y_N = jnp.concatenate([y for _, y in splits.values()])
    ends = np.cumsum([y.shape[0] for _, y in splits.values()])[:-1]
    for measured, of in (("loss", example_losses), ("accuracy", example_accuracy)):
        by_row = program.network.over_runs(lambda outputs, y, of=of: of(outputs, y, program.spec.task), (1,))(
            outputs, y_N
        )
        by_split = jnp.split(by_row, ends, axis=-1)
        record |= {f"{name}_{measured}": jnp.mean(one, axis=-1) for name, one in zip(splits, by_split, strict=True)}
    return masks, record


def forward_splits(
    program: Program,
    parameters: Any,
    numbers: Numbers,
    splits: Mapping[str, Array],
    depth: Array | int,
    activation: Array,
) -> tuple[Array, dict[str, Array], Array]:
    """Compute outputs of all splits [(R,) N, C], what was seen of the training split's units; finite layers [L, (R)].

    Seen was {``flat``: whether φ is flat for all rows, ``dead``: whether it is one number besides}, [L, (R,) W].

    All splits go in one forward pass, or each in ``eval_chunks``, so that only a part of its rows is in hand at a time.
    Batch normalisation takes its statistics from the training rows of that pass, so it is never chunked.
    """
    network = program.network
    layer = parameters["layers"]["bias"]
    batch_norm = program.spec.block.norm == "batch"

    def pass_over(x_NxF: Array, rows: int, whole: bool) -> tuple[Array, dict[str, Array]]:
        """Compute outputs, and what is seen of the first ``rows`` of the inputs; of the whole split who is dead."""

        def observe(function: Function, u_NxW: Array, layer: Any, fixed: Array) -> dict[str, Array]:
            # Of all rows, as the block computes it: XLA then computes it once.
            phi_NxW = function.phi(u_NxW, **function.parameters(layer["activation"], fixed))[:rows]
            u_NxW = u_NxW[:rows]
            flat_W = jnp.all(function.is_flat(u_NxW, layer["activation"], fixed), axis=0)
            low_W, high_W = jnp.min(phi_NxW, axis=0), jnp.max(phi_NxW, axis=0)
            of_phi = {"dead": flat_W & probes.same(low_W, high_W)} if whole else {"low": low_W, "high": high_W}
            return {"flat": flat_W, **of_phi, "finite": probes.all_finite(u_NxW)}

        nothing = jnp.zeros(layer.shape, bool)
        stacks: dict[str, Any] = {"flat": nothing, "finite": jnp.ones(layer.shape[:-1], bool)}
        stacks |= {"dead": nothing} if whole else {"low": layer, "high": layer}
        stacks |= {"statistics": (layer, layer)} if batch_norm else {}
        h, observed = walk.forward(
            network,
            parameters,
            x_NxF,
            depth,
            activation,
            numbers["fixed"],
            observe,
            stacks,
            shared=True,
            statistics_rows=rows if batch_norm else None,
        )
        readout = parameters["readout"]
        outputs = network.over_runs(walk.affine)(h, readout["kernel"], readout["bias"])
        return outputs, {name: observed[name] for name in stacks if name != "statistics"}

    if program.spec.eval_chunks == 1 or batch_norm:
        outputs, seen = pass_over(jnp.concatenate(list(splits.values())), splits["train"].shape[0], whole=True)
        return outputs, seen, seen.pop("finite")
    passes = {
        name: in_chunks(lambda x: pass_over(x, x.shape[0], whole=False), x_NxF, program.spec.eval_chunks)
        for name, x_NxF in splits.items()
    }
    seen = passes["train"][1]
    seen["dead"] = seen["flat"] & probes.same(seen.pop("low"), seen.pop("high"))
    return jnp.concatenate([outputs for outputs, _ in passes.values()], axis=-2), seen, seen.pop("finite")


TOGETHER: Mapping[str, Callable[[Array, Array], Array]] = {
    "flat": jnp.logical_and,
    "finite": jnp.logical_and,
    "low": jnp.minimum,
    "high": jnp.maximum,
}
"""How what was seen of some rows and of others is put together."""


def in_chunks(
    forward: Callable[[Array], tuple[Array, dict[str, Array]]], x_NxF: Array, chunks: int
) -> tuple[Array, dict[str, Array]]:
    """Pass forward over some rows after the others: outputs [..., N, C], and what all chunks observed ``TOGETHER``.

    The last chunk begins early enough to be as long as the others: the rows that it shares change nothing.

    >>> in_chunks(lambda x: (2 * x, {"low": jnp.min(x)}), jnp.array([[1.0], [2.0], [3.0]]), 2)
    (Array([[2.],
           [4.],
           [6.]], dtype=float32), {'low': Array(1., dtype=float32)})
    """
    rows = x_NxF.shape[0]
    length = -(-rows // chunks)

    def chunk(carry: tuple[Array, Any], i: Array) -> tuple[tuple[Array, Any], None]:
        outputs, seen = carry
        begin = jnp.minimum(i * length, rows - length)
        of_chunk, seen_in_chunk = forward(jax.lax.dynamic_slice_in_dim(x_NxF, begin, length))
        outputs = jax.lax.dynamic_update_slice_in_dim(outputs, of_chunk, begin, outputs.ndim - 2)
        return (outputs, {name: TOGETHER[name](seen[name], one) for name, one in seen_in_chunk.items()}), None

    like, seen = jax.eval_shape(forward, jax.ShapeDtypeStruct((length, *x_NxF.shape[1:]), x_NxF.dtype))
    nothing = jnp.zeros((*like.shape[:-2], rows, like.shape[-1]), like.dtype)
    blank = {"flat": True, "finite": True, "low": jnp.inf, "high": -jnp.inf}
    unseen = {name: jnp.full(a.shape, blank[name], a.dtype) for name, a in seen.items()}
    return jax.lax.scan(chunk, (nothing, unseen), jnp.arange(chunks))[0]
