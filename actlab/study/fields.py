"""What a key of the YAML may hold, and what it is to a run: what the sections of ``sections.py`` are made of."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, WithJsonSchema, field_validator

from actlab import sources
from actlab.aliases import close, same
from actlab.docstrings import docstring
from actlab.naming import brief, nearest, show
from actlab.notation import Option, split_options

USER_FUNCTION = r"^.+\.py:[A-Za-z_][A-Za-z0-9_]*$"
"""How a user's own function is named; for editors."""

MOST = 2**30
"""Of whole numbers that count: steps, rows, and what comes every so many of them."""
LARGEST = 1e30
"""Of other numbers, either sign: single precision ends at 3.4e38, and what is computed of them comes after."""

A_VALUE = "expected a number, a word, true or false"
"""Of an option that is not given by layer."""

STATIC, NUMBER, LABEL = "static", "number", "label"
"""What a key is to a run: its program (or the shapes of its data); an argument of that; neither."""


class Section(BaseModel):
    """A mapping in the YAML: unknown keys, wrong types, infinities and NaN are refused; values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def __init_subclass__(cls, **options: Any) -> None:
        """Keep the docstring, which is in the JSON Schema."""
        super().__init_subclass__(**options)
        cls.__doc__ = docstring(cls)


@dataclass(frozen=True)
class Key:
    """What a key is to a run: part of its annotation, which every key of a run's four sections has.

    Attributes:
        role: ``static``: some of its values change the compiled program, or the shapes of the data that it runs on;
            ``number``: it is only an argument; ``label``: what is trained does not know it.
        column: of the frame ``runs``; by default the key's own name, and empty where it has none.
        spec: which field of ``ProgramSpec`` it decides, where that has another name (``block.norm``: of its block);
            empty where it decides none.
        of: from the key's settled value to that field's.
        display: from the key's value to that of its column; choices have labels of their own.
        written: whether the column has what the study says, rather than what that stands for.
        problem: whether it changes the problem, not the answer to it: the best cell is sought within one value of each.
        follows: whether other keys mostly decide it: it makes cells only where they do not.
        whole: whether its label has the options at their default, too.
        unordered: whether a list of it is a set: in another order it is the same.
        reported: whether a report lists it even where it does not vary.
        unused: the value at which a report leaves it out all the same.
        identifies: whether it is part of a run's identity: not where nothing of a stored run is another without it.
    """

    role: str
    column: str | None = None
    spec: str | None = None
    of: Callable[[Any], Any] = lambda value: value
    display: Callable[[Any], Any] = lambda value: value
    written: bool = False
    problem: bool = False
    follows: bool = False
    whole: bool = False
    unordered: bool = False
    reported: bool = True
    unused: tuple[Any, ...] = ()
    identifies: bool = True

    @property
    def shapes_program(self) -> bool:
        """Whether it decides a field of ``ProgramSpec``."""
        return self.spec != "" and (self.role == STATIC or self.spec is not None)


@dataclass(frozen=True)
class OptionDefaults:
    """Part of the type of a key that holds a ``Choice``: what each option is where a study says nothing of it.

    Attributes:
        of: from the choice's name to its options that have a default.
    """

    of: Callable[[str], Mapping[str, Any]]


class Choice(Section):
    """A name with options: ``he_normal``, or ``{name: gaussian, sigma_w: 1.5}``; several numbers are one a layer."""

    name: str
    options: dict[str, Option] = {}

    @field_validator("options", mode="before")
    @classmethod
    def _plain_values(cls, options: Any) -> Any:
        """Say in one line what an option may be: of a union, pydantic has a line for each of its types."""
        if not isinstance(options, dict):
            return options
        for key, value in options.items():
            by_layer = isinstance(value, list | tuple) and all(type(one) in (int, float) for one in value)
            if not isinstance(value, str | bool | int | float) and not by_layer:
                raise ValueError(f"option {brief(key)}: {A_VALUE}, not {brief(value)}")
            for one in value if by_layer else (value,):
                if isinstance(one, int | float) and not abs(one) <= LARGEST:
                    raise ValueError(f"option {brief(key)}: expected a number of at most {LARGEST:g}, not {brief(one)}")
        return {
            key: tuple(map(float, value)) if isinstance(value, list | tuple) else value
            for key, value in options.items()
        }

    def __hash__(self) -> int:
        """Hash name and options, whatever the order of these: a section that holds a choice may be a key."""
        return hash((self.name, frozenset(self.options.items())))

    def label(self, defaults: Mapping[str, Any]) -> str:
        """Return the name, with the options that differ from ``defaults``: ``leaky_relu(negative_slope=0.2)``."""
        own = [f"{key}={show(value)}" for key, value in sorted(self.options.items()) if defaults.get(key) != value]
        return f"{self.name}({', '.join(own)})" if own else self.name

    def plain(self) -> Any:
        """Return the choice as it stands in a YAML file."""
        options = {key: list(value) if isinstance(value, tuple) else value for key, value in self.options.items()}
        return {"name": self.name, **options} if options else self.name

    def number(self, option: str) -> float:
        """Return an option that is one number; of those by layer there is none.

        Raises:
            TypeError: it is something else.

        >>> Choice(name="leaky_relu", options={"negative_slope": 0.2}).number("negative_slope")
        0.2
        """
        value = self.options[option]
        if isinstance(value, str | tuple):
            raise TypeError(f"{self.name}: {option}: expected one number, not {brief(value)}")
        return float(value)

    @property
    def numbers(self) -> dict[str, float]:
        """The options that are numbers."""
        return {key: value for key, value in self.options.items() if type(value) is float}

    @property
    def switches(self) -> tuple[tuple[str, bool], ...]:
        """The options that are true or false, in the order of their names."""
        return tuple((key, value) for key, value in sorted(self.options.items()) if isinstance(value, bool))


def display_name(name: str) -> str:
    """Return a name as tables have it: of a user's function its own, of a data file the file's.

    >>> display_name("digits"), display_name("data/rows.csv"), display_name("mine.py:moons")
    ('digits', 'rows.csv', 'moons')
    """
    if named := sources.parse(name):
        return named[1]
    return Path(name).name


def split_name(value: Any) -> Any:
    """Return ``name``, ``name:option=value`` or ``{name: ..., option: ...}`` as ``{name, options}``.

    Raises:
        ValueError: a mapping has no name, a word has something else after a colon, or an option is given twice.

    >>> split_name("cosine:warmup_steps=10"), split_name({"name": "prelu:alpha=0.1", "per": "unit"})
    ({'name': 'cosine', 'options': {'warmup_steps': 10.0}}, {'name': 'prelu', 'options': {'alpha': 0.1, 'per': 'unit'}})
    """
    if isinstance(value, Choice):
        return value
    if isinstance(value, str):
        name, options = split_options(value)
        return {"name": name, **({"options": options} if options else {})}
    if isinstance(value, dict) and set(value) == {"name", "options"} and isinstance(value["options"], dict):
        return value
    if not isinstance(value, dict):
        raise ValueError(f"expected a name, or a mapping with a name and its options, not {brief(value)}")
    if "name" not in value:
        raise ValueError("expected a mapping with the key 'name'")
    name, given = split_options(value["name"]) if isinstance(value["name"], str) else (value["name"], {})
    options = {key: option for key, option in value.items() if key != "name"}
    if twice := next((key for key in options if key in given), None):
        raise ValueError(f"{brief(value['name'])}: gives {brief(twice)}, and so does the mapping")
    return {"name": name, "options": {**given, **options}}


def spelled_out(value: Any) -> Any:
    """Return a name with options in one word as the mapping that it is short for; anything else as it is.

    What it does not understand is left for ``split_name`` to refuse, where its place is known.

    >>> spelled_out("leaky_relu:negative_slope=0.2"), spelled_out("relu"), spelled_out(3)
    ({'name': 'leaky_relu', 'negative_slope': 0.2}, 'relu', 3)
    """
    try:
        plain = split_name(value) if isinstance(value, str) or (isinstance(value, dict) and "name" in value) else {}
    except ValueError:
        return value
    return {"name": plain["name"], **plain["options"]} if isinstance(plain, dict) and plain.get("options") else value


def checked(choice: Choice, kind: str, defaults: Mapping[str, Option]) -> Choice:
    """Fill a choice's options from ``defaults``; an unknown option, or one of another type, is refused."""
    for key, value in choice.options.items():
        if key not in defaults:
            near = same(key, defaults) or close(key, defaults)
            others = f"; its options are {', '.join(defaults)}" if defaults else " (it takes none)"
            hint = f"; did you mean '{near}'?" if near else others
            raise ValueError(f"{kind} {brief(choice.name)} has no option {brief(key)}{hint}")
        if isinstance(value, tuple):
            raise ValueError(f"option {brief(key)}: {A_VALUE}, not {brief(list(value))}")
        wanted = type(defaults[key])
        if isinstance(value, bool) != (wanted is bool) or isinstance(value, str) != (wanted is str):
            name = {bool: "true or false", str: "a word"}.get(wanted, "a number")
            raise ValueError(f"option {brief(key)} of {kind} {brief(choice.name)} must be {name}, not {brief(value)}")
    filled = {**defaults, **choice.options}
    return Choice(
        name=choice.name,
        options={key: float(value) if type(value) is int else value for key, value in filled.items()},
    )


def known(name: str, kind: str, valid: Iterable[str]) -> str:
    """Return ``name`` itself where it is valid; else raise with the nearest valid one."""
    if name not in (names := list(valid)):
        raise ValueError(f"unknown {kind} {brief(name)}{nearest(name, names)}")
    return name


def names_of(kinds: Iterable[str]) -> WithJsonSchema:
    """Describe for editors: one of some words."""
    return WithJsonSchema({"enum": list(kinds)})
