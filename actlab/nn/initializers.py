"""Weight and bias distributions: what fan-in, fan-out and the activation ask for.

An initializer is two things that live apart. Its *standard deviation* per layer is arithmetic on fan-in, fan-out and
the activation's negative slope, done in plain Python when a study is planned, so that it reaches the compiled program
as a number. Its *distribution* (normal, truncated normal, uniform, orthogonal) shapes the program (see ``draws``).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from actlab import docstrings
from actlab.errors import ActlabError
from actlab.naming import nearest
from actlab.nn.draws import JOINT
from actlab.registry import Registry, options_of

F = TypeVar("F", bound=Callable[..., Any])

DISTRIBUTIONS = ("normal", "truncated_normal", "uniform", "orthogonal", "normalized_columns", "randomized_asymmetric")
"""What a kernel's unit-variance draw may be: see ``draws.draw``."""
BIAS_DISTRIBUTIONS = ("constant", "normal", "uniform")
"""Likewise of biases: see ``draws.draw_biases``."""
ACTIVATION_FACTS = {
    "negative_slope": "φ' at negative z, 0 unless the initializer is the activation's own (``auto``)",
    "second_moment": "E φ(Z)², Z standard normal",
}
"""Options that follow from the activation where a study does not give them."""


class InitializerError(ActlabError, ValueError):
    """An initializer that cannot be used; the message says what to change."""


@dataclass(frozen=True, eq=False)
class Initializer:
    """A weight initialisation: its unit-variance ``distribution`` and its ``std(fan_in, fan_out, **options)``.

    Attributes:
        name: what a study writes.
        distribution: one of ``DISTRIBUTIONS``.
        std: the standard deviation of a layer's weights.
        defaults: the keyword-only arguments of ``std`` that may be left out.
        needed: those that may not; ``ACTIVATION_FACTS`` are filled in.
        from_point: those that no study gives: numbers of a critical point, at which its biases are drawn, too.
        reference: where it comes from.
        summary: one line for lists.
    """

    name: str
    distribution: str
    std: Callable[..., float]
    defaults: Mapping[str, float]
    needed: tuple[str, ...]
    reference: str
    summary: str = ""
    from_point: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """The names of all its options."""
        return (*self.defaults, *self.needed)

    @property
    def draws_biases(self) -> bool:
        """Whether it decides how biases are drawn, too."""
        return bool(self.from_point) or self.distribution in JOINT

    @property
    def to_give(self) -> tuple[str, ...]:
        """Those that a study must give."""
        return () if self.from_point else tuple(name for name in self.needed if name not in ACTIVATION_FACTS)


@dataclass(frozen=True, eq=False)
class BiasInitializer:
    """A bias initialisation: its distribution, and ``moments(fan_in, **options) -> (mean, std)`` of a layer's biases.

    Attributes:
        name: what a study writes.
        distribution: one of ``BIAS_DISTRIBUTIONS``.
        moments: mean and standard deviation of a layer's biases.
        options: the keyword-only arguments of ``moments``, with their defaults.
        reference: where it comes from.
        summary: one line for lists.
    """

    name: str
    distribution: str
    moments: Callable[..., tuple[float, float]]
    options: Mapping[str, float]
    reference: str
    summary: str = ""


def of_fans(one: Initializer | BiasInitializer) -> list[Any]:
    """Return an initializer's defaults and what it gives at a few fans, as plain values."""
    given: list[Any] = [one.distribution]
    for fans in ((16, 16), (16, 32), (33, 16)):
        try:
            if isinstance(one, Initializer):
                given += [dict(one.defaults), one.std(*fans, **{**one.defaults, **dict.fromkeys(one.needed, 0.7)})]
            else:
                given += [dict(one.options), one.moments(fans[0], **one.options)]
        except Exception as error:  # it may refuse these options, or these fans
            given.append(type(error).__name__)
    return given


def call(path: Path, name: str, options: Mapping[str, Any], fans: Sequence[Sequence[int]]) -> None:
    """Call an initializer of a user's file at some fans: what a trial does."""
    for fan in fans:
        if len(fan) == 1:
            BIASES.load(path, name).moments(*fan, **options)
        else:
            INITIALIZERS.load(path, name).std(*fan, **options)


INITIALIZERS: Registry[Initializer] = Registry("initializer", InitializerError, gives=of_fans)
BIASES: Registry[BiasInitializer] = Registry("bias initializer", InitializerError, gives=of_fans)


def initializer(
    distribution: str, *, reference: str = "", name: str | None = None, from_point: tuple[str, ...] = ()
) -> Callable[[F], F]:
    """Declare a weight initialisation: decorate ``std(fan_in, fan_out, *, option=default)`` of a layer's weights.

    An option without a default must be given in a study, but for ``ACTIVATION_FACTS``.

    Args:
        distribution: the unit-variance draw, one of ``DISTRIBUTIONS``.
        reference: where it comes from.
        name: of a shipped one, where the function has another; a user's own goes by its function's.
        from_point: of a shipped one: see ``Initializer``.

    Raises:
        InitializerError: there is no such distribution, or the signature is another.

    >>> __name__ = "mine"  # a file of one's own
    >>> @initializer("normal")
    ... def narrow(fan_in, fan_out, *, share=0.5):
    ...     return share / fan_in**0.5
    >>> INITIALIZERS.declared[narrow].defaults
    {'share': 0.5}
    """

    def declare(std: F) -> F:
        called = name or std.__name__
        if distribution not in DISTRIBUTIONS:
            raise InitializerError(f"{called}: no distribution '{distribution}'{nearest(distribution, DISTRIBUTIONS)}")
        defaults, needed = std_options(called, std)
        needed = tuple(one for one in needed if one not in from_point)
        summary = docstrings.summary(std)
        record = Initializer(called, distribution, std, defaults, needed, reference, summary, from_point)
        INITIALIZERS.declare(std, record, called)
        return std

    return declare


def bias_initializer(distribution: str, *, reference: str = "", name: str | None = None) -> Callable[[F], F]:
    """Declare a bias initialisation: decorate ``moments(fan_in, *, option=default)``, the biases' mean and std.

    Args:
        distribution: one of ``BIAS_DISTRIBUTIONS``.
        reference: where it comes from.
        name: of a shipped one, where the function has another; a user's own goes by its function's.

    Raises:
        InitializerError: there is no such distribution, or the signature is another.

    >>> __name__ = "mine"  # a file of one's own
    >>> @bias_initializer("constant")
    ... def lifted(fan_in, *, by=0.01):
    ...     return by, 0.0
    >>> BIASES.declared[lifted].options
    {'by': 0.01}
    """

    def declare(moments: F) -> F:
        called = name or moments.__name__
        if distribution not in BIAS_DISTRIBUTIONS:
            hint = nearest(distribution, BIAS_DISTRIBUTIONS)
            raise InitializerError(f"{called}: no distribution '{distribution}'{hint}")
        options = options_of(called, moments, ("fan_in",), InitializerError)
        if missing := [name for name, default in options.items() if default is None]:
            raise InitializerError(f"{called}: {missing[0]} needs a number as its default")
        numbers = {name: float(default) for name, default in options.items() if default is not None}
        record = BiasInitializer(called, distribution, moments, numbers, reference, docstrings.summary(moments))
        BIASES.declare(moments, record, called)
        return moments

    return declare


def std_options(called: str, std: Callable[..., float]) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return the options of a standard deviation: those with a default, and the names of those without."""
    options = options_of(called, std, ("fan_in", "fan_out"), InitializerError)
    given = {name: float(default) for name, default in options.items() if default is not None}
    return given, tuple(name for name in options if name not in given)


@initializer("uniform", reference="He et al. 2015, arXiv:1502.01852", name="he_uniform")
@initializer("truncated_normal", reference="He et al. 2015, arXiv:1502.01852", name="he_truncated_normal")
@initializer("normal", reference="He et al. 2015, arXiv:1502.01852", name="he_normal")
def he(fan_in: int, fan_out: int, *, negative_slope: float = 0.0) -> float:
    """Std that keeps E z² through rectified layers: √(2 / ((1 + a²)·fan_in)), a the activation's negative slope.

    >>> round(he(50, 50), 6)
    0.2

    Reference: He et al. 2015, arXiv:1502.01852.
    """
    return math.sqrt(2.0 / ((1.0 + negative_slope**2) * fan_in))


@initializer("uniform", reference="LeCun et al. 1998, Efficient BackProp", name="lecun_uniform")
@initializer("truncated_normal", reference="LeCun et al. 1998, Efficient BackProp", name="lecun_truncated_normal")
@initializer("normal", reference="LeCun et al. 1998, Efficient BackProp", name="lecun_normal")
def lecun(fan_in: int, fan_out: int) -> float:
    """Std that keeps the variance through linear layers: √(1 / fan_in).

    >>> lecun(64, 10)
    0.125

    Reference: LeCun et al. 1998, Efficient BackProp; SELU's condition in Klambauer et al. 2017, arXiv:1706.02515.
    """
    return math.sqrt(1.0 / fan_in)


@initializer("uniform", reference="Glorot & Bengio 2010, AISTATS", name="glorot_uniform")
@initializer("truncated_normal", reference="Glorot & Bengio 2010, AISTATS", name="glorot_truncated_normal")
@initializer("normal", reference="Glorot & Bengio 2010, AISTATS", name="glorot_normal")
def glorot(fan_in: int, fan_out: int) -> float:
    """Std that compromises between the forward and the backward pass: √(2 / (fan_in + fan_out)).

    >>> glorot(100, 100)
    0.1

    Reference: Glorot & Bengio 2010, AISTATS.
    """
    return math.sqrt(2.0 / (fan_in + fan_out))


@initializer("orthogonal", reference="Saxe et al. 2014, arXiv:1312.6120")
def orthogonal(fan_in: int, fan_out: int) -> float:
    """Entry std of a (semi-)orthogonal kernel, whose shorter side is orthonormal: √(1 / max(fan_in, fan_out)).

    >>> orthogonal(64, 64)
    0.125

    Reference: Saxe et al. 2014, arXiv:1312.6120.
    """
    return math.sqrt(1.0 / max(fan_in, fan_out))


@initializer("uniform", reference="PyTorch, torch.nn.Linear")
def pytorch_default(fan_in: int, fan_out: int) -> float:
    """Std of PyTorch's default for a linear layer, uniform on ±1/√fan_in: √(1 / (3·fan_in)).

    >>> round(pytorch_default(3, 3), 6)
    0.333333

    Reference: PyTorch, torch.nn.Linear (kaiming_uniform with a = √5).
    """
    return math.sqrt(1.0 / (3.0 * fan_in))


@initializer("normal", reference="Poole et al. 2016, arXiv:1606.05340")
def gaussian(fan_in: int, fan_out: int, *, sigma_w: float) -> float:
    """Std of mean-field theory's parametrisation: σ_w / √fan_in.

    >>> gaussian(64, 64, sigma_w=1.5)
    0.1875

    Reference: Poole et al. 2016, arXiv:1606.05340.
    """
    return sigma_w / math.sqrt(fan_in)


@initializer("normal", reference="Klambauer et al. 2017, arXiv:1706.02515, generalised")
def variance_preserving(fan_in: int, fan_out: int, *, second_moment: float) -> float:
    """Std for which E z² = 1 is a fixed point of the forward pass: 1 / √(fan_in · E φ(Z)²), Z standard normal.

    Equal to He's for ReLU and to LeCun's for SELU; for every other activation it is what those two are for theirs.

    >>> variance_preserving(50, 50, second_moment=0.5) == he(50, 50)
    True

    Raises:
        ValueError: φ is 0 for every standard normal Z, and no weights preserve a variance.

    Reference: He et al. 2015, arXiv:1502.01852, with the second moment computed for the activation at hand.
    """
    if not 0.0 < second_moment < math.inf:
        raise ValueError(
            f"variance_preserving needs an activation with E φ(Z)² > 0, not {second_moment:g}; name another initializer"
        )
    return 1.0 / math.sqrt(fan_in * second_moment)


@initializer("normalized_columns", reference="MATLAB's randnc; Dhariwal et al. 2017, OpenAI Baselines, normc")
def normalized_columns(fan_in: int, fan_out: int) -> float:
    """Entry std of a kernel whose columns, the weights of one unit each, have norm 1: √(1 / fan_in).

    A column's direction is uniform on the sphere. ``weight_gain: 1.414`` makes E z² what it is under He, without the
    spread of the columns' norms.

    >>> normalized_columns(64, 10)
    0.125

    Reference: MATLAB's randnc; Dhariwal et al. 2017, OpenAI Baselines, normc.
    """
    return math.sqrt(1.0 / fan_in)


@initializer("randomized_asymmetric", reference="Lu et al. 2019, arXiv:1903.06733")
def randomized_asymmetric(fan_in: int, fan_out: int, *, sigma_w: float = 0.6007) -> float:
    """Std σ_w / √fan_in of all of a unit's weights and bias but one, which is Beta(2, 1): fewer networks are born dead.

    Which one is drawn uniformly, for each unit, from its fan_in weights and its bias; it is positive, and no gain
    scales it. The paper's σ_w = 0.6007 goes with this Beta: activations of rectified layers do not explode with depth.

    >>> randomized_asymmetric(64, 64, sigma_w=0.8)
    0.1

    Reference: Lu et al. 2019, arXiv:1903.06733.
    """
    return sigma_w / math.sqrt(fan_in)


@initializer("normal", reference="Schoenholz et al. 2017, arXiv:1611.01232", from_point=("sigma_w",))
def critical(fan_in: int, fan_out: int, *, q: float, sigma_w: float) -> float:
    """Std σ_w / √fan_in at a critical point, where gradients keep their size and E z² = q; draws the biases, too.

    There χ₁ = σ_w²·E φ'(√q Z)² = 1 and q = σ_w²·E φ(√q Z)² + σ_b²; the first layer is scaled by the data, to that q.

    >>> critical(64, 64, q=1.0, sigma_w=1.5)
    0.1875

    Reference: Schoenholz et al. 2017, arXiv:1611.01232.
    """
    return sigma_w / math.sqrt(fan_in)


@bias_initializer("constant", reference="common practice")
def zeros(fan_in: int) -> tuple[float, float]:
    """No bias at the start."""
    return 0.0, 0.0


@bias_initializer("constant", reference="common practice")
def constant(fan_in: int, *, value: float = 0.1) -> tuple[float, float]:
    """The same bias for all units."""
    return value, 0.0


@bias_initializer("normal", reference="Poole et al. 2016, arXiv:1606.05340")
def normal(fan_in: int, *, mean: float = 0.0, std: float = 0.1) -> tuple[float, float]:
    """Normal biases: σ_b of mean-field theory is ``std``."""
    return mean, std


@bias_initializer("uniform", reference="PyTorch, torch.nn.Linear", name="pytorch_default")
def pytorch_default_bias(fan_in: int) -> tuple[float, float]:
    """PyTorch's default for a linear layer, uniform on ±1/√fan_in: its std is √(1 / (3·fan_in))."""
    return 0.0, math.sqrt(1.0 / (3.0 * fan_in))


@bias_initializer("normal", reference="Lu et al. 2019, arXiv:1903.06733", name="randomized_asymmetric")
def randomized_asymmetric_bias(fan_in: int) -> tuple[float, float]:
    """Drawn with the weights by the initializer of that name alone: these are the biases that are not Beta(2, 1)."""
    return 0.0, 0.6007 / math.sqrt(fan_in)
