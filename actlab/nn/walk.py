"""The walk over the layers, forward and backward, that training, measuring and evaluating share.

Hidden layers live in a stack: arrays with a leading layer axis, as long as the deepest network of a study, of which a
run uses the first ``depth`` rows. Depth is a number: the loops stop there, and no row beyond is read or written. Which
activation a network has is a number too: a branch. So one compiled program serves every depth and activation, and what
one run computes depends on neither what else it could have served.

Within one loop each stack is either only read or only written (or read and written at the same row, by one formula):
only then XLA works in place. A loop that reads and writes a stack otherwise copies all of it at every turn.

Runs that go together share depth and activation; their axis comes after that of layers. A single run has no such axis.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from actlab.nn.blocks import Function, Options, argument, argument_slope, batch_statistics, block, slope_and_loss

Stacks = dict[str, Any]
"""Arrays with a leading layer axis, in any tree."""


@dataclass(frozen=True)
class Network:
    """What the walk needs to know of a program.

    Attributes:
        functions: the activations, a branch each.
        options: what else a block has.
        runs: how many runs go together.
    """

    functions: tuple[Function, ...]
    options: Options
    runs: int

    def over_runs(self, function: Callable[..., Any], shared: tuple[int, ...] = ()) -> Callable[..., Any]:
        """Turn a function of one run into one of all, but for arguments at the places ``shared``, without a run axis.

        A single run is not vmapped: batched matrix products of one are slower than plain ones.
        """
        if self.runs == 1:
            return function

        def of_all(*arguments: Any) -> Any:
            axes = tuple(None if place in shared else 0 for place in range(len(arguments)))
            return jax.vmap(function, in_axes=axes)(*arguments)

        return of_all


def at(stacks: Any, l: Array) -> Any:
    """Read row l of each stack.

    Its index is l itself here and in ``put``, not l or L + l by its sign: only then XLA sees that a row is read where
    it is written, and spares a copy.
    """
    return jax.tree.map(
        lambda stack: jax.lax.dynamic_index_in_dim(stack, l, 0, keepdims=False, allow_negative_indices=False), stacks
    )


def put(stacks: Any, rows: Any, l: Array) -> Any:
    """Return the stacks with row l replaced."""
    return jax.tree.map(
        lambda stack, row: jax.lax.dynamic_update_index_in_dim(stack, row, l, 0, allow_negative_indices=False),
        stacks,
        rows,
    )


def replace_row(function: Callable[..., Any], stacks: Any, l: Array, *others: Any) -> Any:
    """Return the stacks with row l replaced by a function of it and of the same row of other stacks.

    On slices of length 1, without a reshape in between: XLA then computes the row where it lies.
    """

    def row(stack: Array) -> Array:
        return jax.lax.dynamic_slice_in_dim(stack, l, 1, allow_negative_indices=False)

    def write(stack: Array, row: Array) -> Array:
        return jax.lax.dynamic_update_slice_in_dim(stack, row, l, 0, allow_negative_indices=False)

    rows = jax.vmap(function)(*jax.tree.map(row, (stacks, *others)))
    return jax.tree.map(write, stacks, rows)


def stacks_for(row: Any, bound: int) -> Any:
    """Return zeros in which such rows fit, one for each of ``bound`` layers."""
    return jax.tree.map(lambda a: jnp.zeros((bound, *a.shape), a.dtype), row)


def branch(activation: Array, branches: list[Callable[..., Any]], *operands: Any) -> Any:
    """Call ``lax.switch``, but never with a single branch: XLA would inline that, and fuse and round it differently."""

    def never(*operands: Any) -> Any:
        return jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(branches[0], *operands))

    return jax.lax.switch(activation, [*branches, never], *operands)


def of_layer(dropout: tuple[Array, Array] | None, l: Array) -> tuple[Array, Array] | None:
    """Turn a step's dropout key and rate into those of a layer."""
    return None if dropout is None else (jax.random.fold_in(dropout[0], l), dropout[1])


def beside_kernels(parameters: Any) -> Stacks:
    """Return the stacks of the hidden layers but for the kernels: small."""
    return {name: stack for name, stack in parameters["layers"].items() if name != "kernel"}


def affine(h_BxI: Array, kernel_IxO: Array, bias_O: Array) -> Array:
    """Compute h W + b.

    >>> affine(jnp.ones((1, 2)), jnp.ones((2, 1)), jnp.array([0.5]))
    Array([[2.5]], dtype=float32)
    """
    return h_BxI @ kernel_IxO + bias_O[None]


def weight_gradient(h_BxI: Array, delta_BxO: Array) -> Array:
    """Compute hᵀ δ, the gradient of the weights [I, O], from h turned first.

    XLA would rather have the matrix product turn it, which on a processor is a tenth slower.
    """
    return jax.lax.optimization_barrier(h_BxI.T) @ delta_BxO


def forward(
    network: Network,
    parameters: Any,
    x: Array,
    depth: Array | int,
    activation: Array,
    fixed: Array,
    observe: Callable[..., Any],
    stacks: Stacks,
    *,
    shared: bool = False,
    statistics_rows: int | None = None,
    measured: bool = False,
    dropout: tuple[Array, Array] | None = None,
) -> tuple[Array, Stacks]:
    """Walk up: h of the last hidden layer [(R,) B, W], and what was stored of each layer.

    Args:
        network: the static half.
        parameters: {input: {kernel}, layers: {kernel, bias, activation, ...}, readout}; the input's kernel [F, W] is
            the first layer's, whose row among the stacked kernels is not used.
        x: inputs [(R,) B, F].
        depth, activation: numbers, the same for all runs.
        fixed: activation parameters that are not learned [(R,) Q].
        observe: (function, u, layer, fixed) -> a tree to store of a layer and run; u is φ's argument.
        stacks: where things are stored: what ``observe`` returns, and if they are there ``z`` and ``h`` [L, (R,) B, W],
            and ``statistics``.
        shared: x has no run axis.
        statistics_rows: batch normalisation takes its statistics from so many of the first rows, and keeps them, and z
            and h of the other rows only; by default, as in training, it takes them from all rows.
        measured: take φ as measures do, without cancellation.
        dropout: a key and a rate of each run; off without them.
    """
    small = beside_kernels(parameters)
    product = network.over_runs(jnp.matmul)
    product_of_inputs = network.over_runs(jnp.matmul, (0,) if shared else ())
    skipped = statistics_rows or 0

    def up(function: Function) -> Callable[..., Any]:
        def of_run(
            pre_BxW: Array, below_BxW: Any, layer: Any, fixed: Array, noise: Any, l: Array
        ) -> tuple[Array, dict[str, Any]]:
            z_BxW = pre_BxW + layer["bias"][None]
            statistics = None if statistics_rows is None else batch_statistics(z_BxW[:statistics_rows])
            more: dict[str, Any] = {"statistics": statistics, "dropout": of_layer(noise, l)}
            h_BxW = block(function, network.options, z_BxW, below_BxW, layer, fixed, **more)
            row = observe(function, argument(network.options, z_BxW, layer, statistics), layer, fixed)
            return h_BxW, row | ({} if statistics is None else {"statistics": statistics})

        return lambda pre, below, l: network.over_runs(of_run, (5,))(pre, below, at(small, l), fixed, dropout, l)

    branches = [up(function.measured if measured else function) for function in network.functions]

    def layer(l: Array, carry: tuple[Array, Stacks]) -> tuple[Array, Stacks]:
        h, stacks = carry
        pre = jax.lax.cond(
            l == 0,
            lambda: product_of_inputs(x, parameters["input"]["kernel"]),
            lambda: product(h, at(parameters["layers"]["kernel"], l)),
        )
        below = jnp.where(l == 0, 0.0, h) if network.options.residual else h
        h, row = branch(activation, branches, pre, below, l)
        row |= {"h": h[..., skipped:, :]} if "h" in stacks else {}
        # z is added up here once more, in the pass that stores it: one pass less than storing what a branch returns.
        row |= {"z": pre[..., skipped:, :] + at(small["bias"], l)[..., None, :]} if "z" in stacks else {}
        return h, put(stacks, row, l)

    rows = x.shape[-2]
    run_axis = () if network.runs == 1 else (network.runs,)
    nothing = jnp.zeros((*run_axis, rows, parameters["layers"]["bias"].shape[-1]), x.dtype)
    return jax.lax.fori_loop(0, depth, layer, (nothing, stacks))


def backward(
    network: Network,
    parameters: Any,
    x: Array,
    stored: Stacks,
    dh: Array,
    depth: Array | int,
    activation: Array,
    fixed: Array,
    local: Callable[..., Any],
    weigh: Callable[[Array, Array], Any],
    weigh_first: Callable[[Array], Any],
    store: Callable[[Stacks, Any, Array], Stacks],
    stacks: Stacks,
    *,
    measured: bool = False,
    dropout: tuple[Array, Array] | None = None,
) -> tuple[Array, Stacks]:
    """Walk down from dh, the gradient in h of the last hidden layer: δ of the first layer, and what was stored.

    Args:
        network, parameters, x, depth, activation, fixed, dropout: as of ``forward``.
        stored: what ``forward`` stored: z, h, and the statistics of batch normalisation where they are fixed.
        dh: gradient in the last h [(R,) B, W].
        local: (l, pulled) -> a tree to store of a layer; ``pulled`` holds z's gradient δ as ``z``, the gradients of the
            layer's own parameters as ``layer``, and if ``measured`` also ``u``, ``slope`` φ'(u), ``steep`` ∂h/∂z,
            ``flat`` [(R,) B, W] (whether u lies in the flat set), ``exponent``, ``rows``
            with ``exponents`` [(R,) B] (δ of each row by a power of its own), and ``lost`` [(R,) B]: whether a row's
            signal was lost in this layer or one above (see ``slope_and_loss``), and is 0 for that reason if it is.
            ``layer`` is of no use then.
        weigh: (h below, δ) -> what to store that needs both, of layers 2..L; ``weigh_first``: of δ, for layer 1.
        store: (stacks, what ``local`` and ``weigh`` return together, l) -> stacks; ``put``, to store them as they are.
        stacks: where things are stored.
        measured: divide each row of δ by a power of two after each layer, carried as an integer, so that it cannot
            underflow: a vjp is linear. In float32 a sigmoid network of depth 100 has no gradients from layer 41 down,
            and a row may lose in every layer what another keeps. What ``local`` and ``weigh`` get as δ has one power
            for all rows, that of the largest.
    """
    small = beside_kernels(parameters)
    fixed_statistics = "statistics" in stored

    def down(function: Function) -> Callable[..., Any]:
        def of_run(
            z_BxW: Array, dh_BxW: Array, layer: Any, fixed: Array, noise: Any, statistics: Any, l: Array
        ) -> dict[str, Any]:
            more: dict[str, Any] = {"statistics": statistics, "dropout": of_layer(noise, l)}

            def up(z_BxW: Array, below_BxW: Array, layer: Any) -> Array:
                return block(function, network.options, z_BxW, below_BxW, layer, fixed, **more)

            _, pull = jax.vjp(up, z_BxW, jnp.zeros_like(z_BxW), layer)
            dz_BxW, dbelow_BxW, dlayer = pull(dh_BxW)
            pulled = {"z": dz_BxW, "layer": {name: d for name, d in dlayer.items() if name != "bias"}}
            pulled |= {"below": dbelow_BxW} if network.options.residual else {}
            if measured:
                u_BxW = argument(network.options, z_BxW, layer, statistics)
                slope_BxW, lost_B, flat_BxW = slope_and_loss(function, u_BxW, layer, fixed, dh_BxW, dz_BxW)
                steep_BxW = slope_BxW * argument_slope(network.options, z_BxW, layer, statistics)
                pulled |= {"u": u_BxW, "slope": slope_BxW, "steep": steep_BxW, "lost": lost_B, "flat": flat_BxW}
                pulled["z"] = jnp.where(lost_B[:, None], 0.0, dz_BxW)
            return pulled

        def of_all(dh: Array, l: Array) -> dict[str, Any]:
            z, statistics = at(stored["z"], l), at(stored["statistics"], l) if fixed_statistics else None
            return network.over_runs(of_run, (6,))(z, dh, at(small, l), fixed, dropout, statistics, l)

        return of_all

    branches = [down(function.measured if measured else function) for function in network.functions]
    product_with_transpose = network.over_runs(lambda dz, kernel: dz @ kernel.T)

    def layer(i: Array, carry: tuple[Array, Array, Any, Stacks]) -> tuple[Array, Array, Any, Stacks]:
        dh, _, passed, stacks = carry
        l = depth - 1 - i
        pulled = branch(activation, branches, dh, l)
        if measured:
            signals = {name: pulled[name] for name in ("z", "below") if name in pulled}
            rescaled, exponents = network.over_runs(rescale)(signals, passed["exponents"])
            together, exponent = network.over_runs(in_one_scale)(rescaled["z"], exponents)
            passed = {"exponents": exponents, "lost": passed["lost"] | pulled["lost"]}
            pulled |= passed | rescaled | {"rows": rescaled["z"], "z": together, "exponent": exponent}
        dz = pulled["z"]

        def of_upper() -> tuple[Any, Array]:
            dh = product_with_transpose(pulled.get("rows", dz), at(parameters["layers"]["kernel"], l))
            return weigh(at(stored["h"], l - 1), dz), dh + pulled["below"] if network.options.residual else dh

        weighed, dh = jax.lax.cond(l > 0, of_upper, lambda: (weigh_first(dz), jnp.zeros_like(dh)))
        return dh, dz, passed, store(stacks, local(l, pulled) | weighed, l)

    of_rows = dh.shape[:-1]
    passed = {"exponents": jnp.zeros(of_rows, jnp.int32), "lost": jnp.zeros(of_rows, bool)} if measured else {}
    _, dz, _, stacks = jax.lax.fori_loop(0, depth, layer, (dh, jnp.zeros_like(dh), passed, stacks))
    return dz, stacks


def rescale(signals: dict[str, Array], exponents_B: Array) -> tuple[dict[str, Array], Array]:
    """Move each row's magnitude into a binary exponent: (δ·2^−e, exponent + e) with max|δ|·2^−e in [½, 1).

    >>> rescale({"z": jnp.array([[6.0], [0.25]])}, jnp.zeros(2, jnp.int32))
    ({'z': Array([[0.75],
           [0.5 ]], dtype=float32)}, Array([ 3, -1], dtype=int32))
    """
    largest_B = jnp.max(jnp.stack([jnp.max(jnp.abs(signal), axis=1) for signal in signals.values()]), axis=0)
    _, shift_B = jnp.frexp(largest_B)
    return {name: times_power(signal, -shift_B) for name, signal in signals.items()}, exponents_B + shift_B


def in_one_scale(signal_BxW: Array, exponents_B: Array) -> tuple[Array, Array]:
    """Give all rows the largest row's exponent: (δ, exponent); what is below 1e-38 of the largest is 0 then.

    >>> in_one_scale(jnp.array([[0.75], [0.5], [0.0]]), jnp.array([3, -1, 9]))
    (Array([[0.75   ],
           [0.03125],
           [0.     ]], dtype=float32), Array(3, dtype=int32))
    """
    none = jnp.iinfo(exponents_B.dtype).min
    some_B = jnp.any(signal_BxW != 0, axis=1)
    largest = jnp.max(jnp.where(some_B, exponents_B, none))
    exponent = jnp.where(largest == none, jnp.max(exponents_B), largest)
    return times_power(signal_BxW, jnp.minimum(exponents_B - exponent, 0)), exponent


def times_power(signal_BxW: Array, exponents_B: Array) -> Array:
    """Multiply each row by a power of two, which itself may be beyond the dtype: its two halves are not."""
    half_B = exponents_B // 2
    one = jnp.ones((), signal_BxW.dtype)
    low_B, high_B = jnp.ldexp(one, half_B), jnp.ldexp(one, exponents_B - half_B)
    return signal_BxW * low_B[:, None] * high_B[:, None]


def per_layer(depth: Array | int, stacks: Stacks, of: Callable[[Array], Any], first: int | Array = 0) -> Stacks:
    """Return the stacks with row l set to ``of(l)``, for each layer in use."""
    return jax.lax.fori_loop(first, depth, lambda l, stacks: put(stacks, of(l), l), stacks)
