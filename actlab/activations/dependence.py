"""Which elements of its arguments each element of a function's result may depend on, read from its program.

Nothing is computed: a traced program is walked from its beginning to its end, and every intermediate array carries a
mask of what each of its elements was made of, whatever the values. So a softmax that only shows at large z is found at
once, and a maximum over alternatives that lie along an axis of their own is no dependence on other elements of z.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from actlab.later import jax

Shape = tuple[int, ...]
Mask = np.ndarray | None
"""[labels, *shape of an array]: whether each element may depend on what has each label; None where on nothing."""

WORDS = """
abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt ceil clamp conj
convert_element_type copy copy_p cos cosh digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt igamma
igammac imag integer_pow is_finite le lgamma log log1p logistic lt max min mul ne neg nextafter not
optimization_barrier or polygamma population_count pow real reduce_precision regularized_incomplete_beta rem
round rsqrt select_n shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt square
stop_gradient sub tan tanh xor
"""
ELEMENTWISE = frozenset(WORDS.split())
REDUCTIONS = ("argmax", "argmin", *(f"reduce_{of}" for of in ("sum", "max", "min", "prod", "and", "or", "xor")))
RUNNING = ("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp")
MOST_TURNS = 64


@dataclass(frozen=True)
class Mixed:
    """Two elements that a function mixes: one of the result, and one of an argument that it should not depend on."""

    result: tuple[int, ...]
    label: int


def mixed(
    function: Callable[..., Any], shapes: Sequence[Any], labels: Sequence[Mask], wanted: np.ndarray
) -> Mixed | None:
    """Find an element of some result that depends on what has another label than its own.

    None where there is none, and where the program does something that this walk does not know: it then cannot tell.

    Args:
        function: of arrays; its results have the shape of ``wanted``.
        shapes: of its arguments, with their dtypes.
        labels: of each argument's elements, whole numbers; None where a dependence on it does not count.
        wanted: the label of each element of the results.

    >>> z, own = jax.ShapeDtypeStruct((3,), "float32"), np.arange(3)
    >>> mixed(lambda z: z * z.mean(), [z], [own], own)
    Mixed(result=(0,), label=1)
    >>> mixed(lambda z: jax.numpy.stack([z, 0.1 * z]).max(axis=0), [z], [own], own)
    """
    closed = jax.make_jaxpr(function)(*shapes)
    number = int(wanted.max()) + 1
    marks = [None if own is None else np.arange(number).reshape(-1, *[1] * own.ndim) == own for own in labels]
    walk = Walk(number)
    results = walk.through(closed.jaxpr, marks)
    if walk.unsure:
        return None
    for result in results:
        if result is not None:
            other = result & (np.arange(number).reshape(-1, *[1] * wanted.ndim) != wanted)
            if other.any():
                at = tuple(int(i) for i in np.argwhere(other.any(axis=0))[0])
                return Mixed(at, int(np.flatnonzero(other[(slice(None), *at)])[0]))
    return None


class Walk:
    """A walk through a program, with masks in the place of values."""

    def __init__(self, number: int) -> None:
        """Begin with nothing that is not known."""
        self.number = number
        self.unsure = False

    def through(self, jaxpr: Any, marks: Sequence[Mask]) -> list[Mask]:
        """Return the masks of a program's results, from those of its arguments."""
        known: dict[Any, Mask] = dict(zip(jaxpr.invars, marks, strict=True))

        def of(variable: Any) -> Mask:
            return None if hasattr(variable, "val") else known.get(variable)  # a literal, or a constant

        for equation in jaxpr.eqns:
            given = [of(variable) for variable in equation.invars]
            if any(mask is not None for mask in given):
                known.update(zip(equation.outvars, self.after(equation, given), strict=True))
        return [of(variable) for variable in jaxpr.outvars]

    def after(self, equation: Any, given: list[Mask]) -> list[Mask]:
        """Return the masks of what one equation gives."""
        name, how = equation.primitive.name, equation.params
        shapes = [variable.aval.shape for variable in equation.outvars]
        inner = next((how[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in how), None)
        if name == "cond":
            branches = [self.through(branch.jaxpr, given[1:]) for branch in how["branches"]]
            return [self.union([given[0], *masks], shape) for shape, *masks in zip(shapes, *branches, strict=True)]
        if name == "while":
            return self.repeated(how, given)
        if name == "scan":
            results = self.scanned(equation, given)
        elif inner is not None:
            results = self.through(getattr(inner, "jaxpr", inner), given)
        elif name == "optimization_barrier":
            results = given
        elif name in ELEMENTWISE:
            results = [self.union(given, shapes[0])]
        else:
            results = self.moved(equation, given, shapes)
        if results is not None:
            return results
        self.unsure = True
        return [self.filled(self.anything(given), shape) for shape in shapes]

    def moved(self, equation: Any, given: list[Mask], shapes: list[Shape]) -> list[Mask] | None:
        """``after`` of what moves elements, or reduces axes; None where it is not known."""
        name, how, one, shape = equation.primitive.name, equation.params, given[0], shapes[0]
        sizes = [variable.aval.shape for variable in equation.invars]
        if name == "sort":
            along = [self.filled(mask, own) for mask, own in zip(given, sizes, strict=True)]
            every = reduce(np.logical_or, along).any(axis=how["dimension"] + 1, keepdims=True)
            return [np.broadcast_to(every, (self.number, *own)) for own in shapes]
        if name == "concatenate":
            parts = [self.filled(mask, own) for mask, own in zip(given, sizes, strict=True)]
            return [np.concatenate(parts, axis=how["dimension"] + 1)]
        if name == "dot_general":
            return [self.contracted(given, sizes, how["dimension_numbers"], shape)]
        if name == "gather" and one is None:
            picked, offset = self.filled(given[1], sizes[1]).any(axis=-1), how["dimension_numbers"].offset_dims
            kept = [1 if i in offset else size for i, size in enumerate(shape)]
            return [np.broadcast_to(picked.reshape(self.number, *kept), (self.number, *shape))]
        if name == "dynamic_slice" and one is None:
            return [self.filled(self.anything(given), shape)]
        if one is None or any(mask is not None for mask in given[1:]):
            return None
        if name == "split":
            return list(np.split(one, np.cumsum(how["sizes"])[:-1], axis=how["axis"] + 1))
        simple = rearranged(name, how, one, shape)
        return None if simple is None else [simple]

    def repeated(self, how: Any, given: list[Mask]) -> list[Mask]:
        """``after`` of a loop: what it carries may be made of all that it was ever made of."""
        for_test, for_body = how["cond_nconsts"], how["body_nconsts"]
        test, body = given[:for_test], given[for_test : for_test + for_body]
        carried = given[for_test + for_body :]
        shapes = [variable.aval.shape for variable in how["body_jaxpr"].jaxpr.outvars]
        for _ in range(MOST_TURNS):
            after = self.through(how["body_jaxpr"].jaxpr, [*body, *carried])
            more = [self.union(both, shape) for shape, *both in zip(shapes, carried, after, strict=True)]
            if all(same(one, other) for one, other in zip(carried, more, strict=True)):
                break
            carried = more
        else:
            self.unsure = True
        # A loop that ends when all elements are done may give each what it would get alone.
        self.unsure |= self.through(how["cond_jaxpr"].jaxpr, [*test, *carried])[0] is not None
        return carried

    def scanned(self, equation: Any, given: list[Mask]) -> list[Mask] | None:
        """``after`` of a scan, turn by turn; None where there are too many."""
        how, body = equation.params, equation.params["jaxpr"].jaxpr
        shapes = [variable.aval.shape for variable in equation.outvars]
        # What has one axis more outside than in a turn is cut in slices, or stacked of them; JAX says so otherwise in
        # each of its versions.
        same_size = lambda outer, inner: len(outer.aval.shape) == len(inner.aval.shape)
        whole = sum(map(same_size, equation.invars, body.invars))
        number = sum(map(same_size, equation.outvars, body.outvars))
        first, carried, slices = given[: whole - number], given[whole - number : whole], given[whole:]
        if how["length"] > MOST_TURNS:
            return None
        turns = range(how["length"])
        rows: dict[int, list[Mask]] = {}
        for turn in reversed(turns) if how["reverse"] else turns:
            own = [None if mask is None else mask[:, turn] for mask in slices]
            after = self.through(body, [*first, *carried, *own])
            carried, rows[turn] = after[:number], after[number:]
        stacked = [
            np.stack([self.filled(rows[turn][place], shape[1:]) for turn in turns], axis=1) if turns else None
            for place, shape in enumerate(shapes[number:])
        ]
        return [*carried, *stacked]

    def contracted(self, given: list[Mask], sizes: list[Shape], how: Any, shape: Shape) -> np.ndarray:
        """``after`` of a product of two arrays: batch axes, then free ones of the one and of the other."""
        (contract, batch), total = how, np.zeros((self.number, *shape), bool)
        for side, mask in enumerate(given):
            if mask is None:
                continue
            free = [axis for axis in range(len(sizes[side])) if axis not in (*contract[side], *batch[side])]
            left = np.asarray(mask.any(axis=tuple(axis + 1 for axis in contract[side]), keepdims=True))
            left = left.transpose(0, *(axis + 1 for axis in (*batch[side], *free, *contract[side])))
            left = left.reshape(left.shape[: 1 + len(batch[side]) + len(free)])
            others = len(shape) - len(batch[side]) - len(free)
            at = 1 + len(batch[side]) + (0 if side else len(free))
            total |= np.expand_dims(left, tuple(range(at, at + others)))
        return total

    def anything(self, given: Sequence[Mask]) -> Mask:
        """Return what any element of some arrays may depend on, as the mask of a scalar."""
        own = [np.asarray(mask.reshape(self.number, -1).any(axis=1)) for mask in given if mask is not None]
        return reduce(np.logical_or, own) if own else None

    def union(self, masks: Sequence[Mask], shape: Shape) -> Mask:
        """Return what one of several arrays of a shape, or scalars, may depend on."""
        own = [self.filled(mask, shape) for mask in masks if mask is not None]
        return reduce(np.logical_or, own) if own else None

    def filled(self, mask: Mask, shape: Shape) -> np.ndarray:
        """Return a mask of a shape, from one of it or of a scalar."""
        if mask is None:
            return np.zeros((self.number, *shape), bool)
        full = mask if mask.ndim == len(shape) + 1 else mask.reshape(self.number, *[1] * len(shape))
        return np.broadcast_to(full, (self.number, *shape))


def same(one: Mask, other: Mask) -> bool:
    """Whether two masks are equal."""
    return one is other or (one is not None and other is not None and np.array_equal(one, other))


def rearranged(name: str, how: Any, one: np.ndarray, shape: Shape) -> Mask:
    """Return the mask of what moves or reduces the elements of one array; None where that is not known."""
    labels = one.shape[0]
    if name in REDUCTIONS:
        return np.asarray(one.any(axis=tuple(axis + 1 for axis in how["axes"])))
    if name in RUNNING:
        axis = how["axis"] + 1
        turned = np.flip(one, axis) if how["reverse"] else one
        total = np.logical_or.accumulate(turned, axis=axis)
        return np.asarray(np.flip(total, axis) if how["reverse"] else total)
    if name in ("reshape", "squeeze", "expand_dims"):
        return one.reshape(labels, *shape)
    if name == "transpose":
        return one.transpose(0, *(axis + 1 for axis in how["permutation"]))
    if name == "broadcast_in_dim":
        sizes = dict(zip(how["broadcast_dimensions"], one.shape[1:], strict=True))
        return np.broadcast_to(one.reshape(labels, *(sizes.get(i, 1) for i in range(len(shape)))), (labels, *shape))
    if name == "slice":
        steps = how["strides"] or [1] * len(shape)
        cut = zip(how["start_indices"], how["limit_indices"], steps, strict=True)
        return one[(slice(None), *(slice(*ends) for ends in cut))]
    if name == "rev":
        return np.flip(one, tuple(axis + 1 for axis in how["dimensions"]))
    return None
