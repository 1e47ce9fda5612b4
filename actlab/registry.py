"""What a study names: activations, optimizers, data sets, tables and so on, each a function with its record.

A decorator writes the record next to the function. What the package declares has its place in a registry, under its
name; what a user's file declares, by the same decorator, is found under ``path/to/file.py:function``.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from actlab import near_functions, sources
from actlab.naming import brief

R = TypeVar("R")
OWN_PACKAGE = f"{__package__}."
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


withheld: ContextVar[bool] = ContextVar("withheld", default=False)
"""Whether files of the user's are not to be run for now: all that can be told without is to be right first."""


class Withheld(ValueError):
    """A function of the user's that was asked for while none is run."""


REGISTRIES: list["Registry[Any]"] = []
"""All of them."""


class Registry(Mapping[str, R], Generic[R]):
    """Records by name, in the order in which they were declared.

    >>> planets: Registry[str] = Registry("planet", ValueError)
    >>> planets.find("venus")
    Traceback (most recent call last):
    ValueError: unknown planet 'venus'; there is none
    """

    def __init__(
        self,
        kind: str,
        error: type[ValueError],
        own: Callable[[Any, str, R | None], R | None] | None = None,
        may_read: bool = False,
        gives: Callable[[R], Any] | None = None,
    ) -> None:
        """Begin empty.

        Args:
            kind: what it holds, in the singular, for error messages.
            error: what to raise.
            own: (function, name, what a decorator declared of it or None) -> the record of a user's function, None
                where it must be declared; by default what was declared.
            may_read: whether a user's file may read other files (see ``sources.reading``).
            gives: what a record gives, in plain values, if a user's is to be held against itself as it is loaded.
        """
        self.kind, self.error, self.own, self.may_read = kind, error, own, may_read
        self.room = str(sys._getframe(1).f_globals.get("__name__"))  # where a trial finds it
        computes = self.room.startswith((f"{OWN_PACKAGE}activations", f"{OWN_PACKAGE}nn"))
        self.needs = (self.room, *(("jax",) if computes else ()))
        self.gives = gives
        self.records: dict[str, R] = {}
        self.declared: dict[Any, R] = {}
        self.loaded: dict[tuple[Path, str, str], R] = {}
        REGISTRIES.append(self)

    def declare(self, function: Any, record: R, name: str) -> None:
        """Note a function's record; what the package itself declares is in the registry from then on."""
        self.declared[function] = record
        if str(getattr(function, "__module__", "")).startswith(OWN_PACKAGE):
            if name in self.records:
                raise self.error(f"there is another {self.kind} '{name}'")
            self.records[name] = record

    def find(self, name: str) -> R:
        """Look up a name, or load ``path/to/file.py:function``.

        Raises:
            ValueError: of the registry's own kind: there is no such name, file or function, the file cannot be
                imported (with the cause and line), or the function is not declared.
        """
        if named := sources.parse(name):
            if withheld.get():
                raise Withheld(f"{name}: is not run yet")
            return self.load(*named)
        if name not in self.records:
            raise self.error(f"unknown {self.kind} {brief(name)}{near_functions.hint(name, self.kind, self.records)}")
        return self.records[name]

    def load(self, path: Path, name: str, planned: bool = False) -> R:
        """Load the record of a function in a user's file, which is run once for each content of what it takes.

        Args:
            path: the file.
            name: the function's in it.
            planned: whether a plan has held it against itself.

        Raises:
            ValueError: see ``find``.
        """
        key = (path, name, sources.fingerprint(path))
        if key not in self.loaded:
            try:
                planned = (
                    sources.tried(f"{__name__}:load", path, self.room, self.kind, name, first=self.needs) or planned
                )
                with sources.reading(self.may_read):
                    function = sources.load_function(path, name)
            except sources.SourceError as error:
                raise self.error(str(error)) from error.__cause__
            declared = self.declared.get(function)
            record = self.own(function, name, declared) if self.own else declared
            if record is None:
                others = [one.kind for one in REGISTRIES if function in one.declared]
                what = f"is declared as {' and '.join(others)}" if others else "says nothing of itself"
                decorator = self.kind.replace(" ", "_")
                raise self.error(f"{path}: '{name}' {what}; decorate it with @actlab.{decorator}")
            self.loaded[key] = record
            try:
                if self.gives is not None and not planned:
                    self.hold_to_second_run(record, self.gives)
            except ValueError:
                del self.loaded[key]
                raise
        return self.loaded[key]

    def hold_to_second_run(self, record: R, values: Callable[[R], Any], declare: Callable[[Any], Any] = id) -> None:
        """Hold a record from a file against itself, its file run once more; one that the package ships passes.

        Args:
            record: from ``find``.
            values: what it gives, in plain values.
            declare: declares a function that the file does not.

        Raises:
            ValueError: of the registry's own kind: the two differ, or the file fails when it is run again.
        """
        found = self.place_of(record)
        if found is None:
            return
        before = [set(one.declared) for one in REGISTRIES]

        def values_of(function: Any) -> Any:
            if function is record:
                return values(record)
            if function not in self.declared:
                declare(function)
            return values(self.declared[function])

        try:
            with sources.reading(self.may_read):
                sources.hold_to_second_run(*found, record, values_of)
        except sources.SourceError as error:
            raise self.error(str(error)) from None
        finally:
            for one, known in zip(REGISTRIES, before, strict=True):
                for function in set(one.declared) - known:
                    del one.declared[function]

    def place_of(self, record: R) -> tuple[Path, str] | None:
        """Return the file that a record was loaded from, and the function's name in it; None of a shipped one."""
        return next((key[:2] for key, one in self.loaded.items() if one is record), None)

    def __getitem__(self, name: str) -> R:
        """Return the record of a shipped name."""
        return self.records[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the shipped names."""
        return iter(self.records)

    def __len__(self) -> int:
        """Count the shipped names."""
        return len(self.records)


def load(path: Path, room: str, kind: str, name: str) -> None:
    """Load a function of a user's file into the registry that a module has of its kind: what a trial does."""
    import_module(room)
    next(one for one in REGISTRIES if one.kind == kind).load(path, name)


def options_of(
    name: str, function: Callable[..., Any], positional: tuple[str, ...], error: type[ValueError]
) -> dict[str, float | bool | None]:
    """Read the options of a function from its signature: keyword-only arguments, with their defaults, None without one.

    Args:
        name: what the function is called in an error.
        function: ``function(*positional, *, option=default)``.
        positional: what its other arguments are, in their order, whatever it calls them.
        error: what to raise.

    Raises:
        ValueError: of the given kind: the signature is another, or a default is neither a number nor a truth value.

    >>> options_of("f", lambda z, *, alpha=0.25, beta: z, ("z",), ValueError)
    {'alpha': 0.25, 'beta': None}
    """
    arguments = list(inspect.signature(function).parameters.values())
    first, others = arguments[: len(positional)], arguments[len(positional) :]
    if len(first) < len(positional) or any(one.kind not in POSITIONAL for one in first):
        raise error(f"{name}: expected a function {name}({', '.join(positional)}, *, option=1.0)")
    names = [one.name for one in first]
    if names != list(positional) and sorted(names) == sorted(positional):
        raise error(f"{name}: takes ({', '.join(names)}); expected the order ({', '.join(positional)})")
    stars = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    plain = [one for one in others if one.kind not in stars]
    as_options = [one.name if one.default is one.empty else f"{one.name}={brief(one.default)}" for one in plain]
    for one in others:
        if one.kind is not one.KEYWORD_ONLY:
            raise error(
                f"{name}: {one.name} must be keyword-only: {name}({', '.join([*positional, '*', *as_options])})"
            )
        if one.default is not one.empty and not isinstance(one.default, int | float):
            raise error(f"{name}: {one.name} needs a number as its default, or True or False, not {brief(one.default)}")
    return {one.name: None if one.default is one.empty else one.default for one in others}
