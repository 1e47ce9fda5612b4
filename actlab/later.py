"""Modules that are imported when something of them is first asked for: a command waits only for what it uses.

    pd = Later("pandas")

stands for ``import pandas as pd`` at the top of a file. Whoever reads the names in a file, as ``actlab list`` does, or
plans with what it says of itself, need not wait for the library that its functions use. JAX takes a second, pandas half
of one, Matplotlib with SciPy two. (Python 3.15 has lazy imports of its own, PEP 810.)
"""

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Later(ModuleType):
    """A module by name, imported on first use.

    >>> ast = Later("ast")
    >>> ast.literal_eval("[2, 10]")
    [2, 10]
    """

    def __getattr__(self, name: str) -> Any:
        """Return what the module has under a name, and keep it for the next time."""
        if name.startswith("__"):  # not needed, but doctest and inspect go looking for them everywhere
            raise AttributeError(name)
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        """Unpickle as the module itself."""
        return import_module, (self.__name__,)


def import_all(*modules: str) -> None:
    """Import modules, so that they are there when they are needed."""
    for name in modules:
        import_module(name)


def with_trials(function: Callable[P, R]) -> Callable[P, R]:
    """Have users' functions tried in a process of their own while a function is called (see ``sources.trial``)."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        from actlab import sources

        with sources.trying():
            return function(*args, **kwargs)

    return called


if TYPE_CHECKING:
    import jax
    import jax.numpy as jnp
    import pandas as pd
    from jax import Array
    from jax.typing import ArrayLike
else:
    jax, jnp, pd = Later("jax"), Later("jax.numpy"), Later("pandas")
    Array = ArrayLike = Any  # for signatures, which are read by people and mypy

__all__ = ["Array", "ArrayLike", "Later", "find_parts", "import_all", "jax", "jnp", "pd", "with_trials"]


def find_parts(room: str, registry: str) -> Callable[[list[str]], object]:
    """Give what finds tables or figures by their names; where they are made is imported only if any are asked for."""

    def find(names: list[str]) -> object:
        chosen = import_module("actlab.analysis.parts").chosen
        return chosen(getattr(import_module(f"actlab.analysis.{room}"), registry), names)

    return lambda names: find(names) if names else None
