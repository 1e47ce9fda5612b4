"""What identifies a run: a hash of what defines it, and of nothing else.

In it are

- the settings **other than at their default**, options of a choice likewise, so that a key that is new and has a
  default changes no run. It follows that a default, once released, is for good: another one would give runs that are
  stored another meaning (a test holds the list). ``auto`` stays ``auto``: it is the name of a rule.
- the seed.
- the content of the data: of a file what it says, read as the study asks (values, classes and texts in their order, no
  column's name: see ``data.Table.content``), of a bundled set its arrays, of a generated one its options and the tokens
  of what draws it (the seed is a key), of what a function of the user's makes the tokens of that function and its rows,
  to six digits: the last ones may differ between processors.
- the tokens of every function of the user's that it calls, with what those import from their own folder (see
  ``actlab.sources.tracing``).

Paths, times and the order of keys are not: two names of one content are one cell. Versions, platform, flags and runs
per call are not either: they move last bits, and are columns of ``runs`` (see ``engine.environment``). The catalogue's
own functions go by their names, as versions do.

What is measured is in it, though no number that is measured depends on what else is: a run is stored with the columns
that were asked for, and without them could not stand for one that has them. ``measure`` at its default is not in it, so
that a measure that is new among the default ones trains nothing again. Whether weights are kept is not in it: they lie
beside what is stored of a run, which is the same with and without them.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from actlab import sources
from actlab.study.columns import FACTS
from actlab.study.fields import Choice, Key, OptionDefaults, Section
from actlab.study.reading import Source, Study, StudyError, of_key
from actlab.study.sections import SECTIONS
from actlab.study.sweep import Cell


def run_id(cell: str, seed: int) -> str:
    """Return a run's name: a hash of its cell's identity and its seed.

    >>> run_id("{}", 0), run_id("{}", 1)
    ('4a87bb9d8043', '32c5831cf458')
    """
    return hashlib.sha256(f"{cell}{seed}".encode()).hexdigest()[:12]


def cell_identities(cells: Sequence[Cell], contents: Mapping[str, str]) -> list[str]:
    """Write what defines each cell, as canonical JSON.

    Args:
        cells: their settings; sections that several share are looked at once.
        contents: for the names of their data and of the user's functions in them, a hash of what they stand for.
    """
    known: dict[int, str] = {}

    def text(section: Section) -> str:
        if id(section) not in known:
            known[id(section)] = canonical(beyond_defaults(section, contents))
        return known[id(section)]

    texts_by_cell = ({name: text(getattr(cell, name)) for name in sorted(SECTIONS)} for cell in cells)
    return [
        "{" + ",".join(f'"{name}":{own}' for name, own in texts.items() if own != "{}") + "}" for texts in texts_by_cell
    ]


def user_functions(cells: Iterable[Cell], source: Source | None = None) -> tuple[dict[str, str], dict[str, Path]]:
    """Find what defines each function of the user's, and the files that they take by path in a study's ``sources/``.

    Args:
        cells: wherever one stands in their settings, as ``path/to/file.py:function``, it is found.
        source: for the place of what is at fault.

    Raises:
        StudyError: a file cannot be read, or two that differ would have the same place in ``sources/``.
    """
    sections = {id(section): section for cell in cells for section in (getattr(cell, name) for name in SECTIONS)}
    texts = dict.fromkeys(word for section in sections.values() for word in words(section))
    named = {word: function for word in texts if (function := sources.parse(word))}
    try:
        return sources.collect(named)
    except sources.SourceError as error:
        about = next((word for word in named if str(error).startswith(f"{word}: ")), "")
        raise StudyError(f"{place_of(about, cells, source)}{error}") from None


def place_of(word: str, cells: Iterable[Cell], source: Source | None) -> str:
    """Say at which key of a study a function of the user's is named, with the file and line; empty without a study."""
    for cell in cells if source is not None and word else ():
        for section in SECTIONS:
            for name, value in getattr(cell, section):
                if word in words(value):
                    key = f"{section}.{name}"
                    return f"{source.where(*of_key(source, key))}: {key}: " if source is not None else ""
    return ""


def modules_imported(cells: Sequence[Cell], functions: Iterable[str]) -> list[frozenset[str]]:
    """Return the modules that the user's functions in each cell import, those of their own folders aside.

    Args:
        cells: as they are planned.
        functions: the names of all functions of the user's in them.
    """
    traced = {name: sources.trace(*named).modules for name in functions if (named := sources.parse(name))}
    if not any(traced.values()):
        return [frozenset()] * len(cells)
    known: dict[int, frozenset[str]] = {}
    for section in (getattr(cell, name) for cell in cells for name in SECTIONS):
        if id(section) not in known:
            known[id(section)] = frozenset[str]().union(*(traced.get(word, ()) for word in words(section)))
    return [frozenset[str]().union(*(known[id(getattr(cell, name))] for name in SECTIONS)) for cell in cells]


def words(settings: Any) -> Iterator[str]:
    """Yield every text in some settings."""
    if isinstance(settings, str):
        yield settings
    elif isinstance(settings, Mapping | Section):
        for _, inner in settings.items() if isinstance(settings, Mapping) else settings:
            yield from words(inner)
    elif isinstance(settings, list | tuple):
        for inner in settings:
            yield from words(inner)


def beyond_defaults(section: Section, contents: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of a section that are not at their default, as plain data."""
    settings = {}
    for name, field in type(section).model_fields.items():
        if any(isinstance(one, Key) and not one.identifies for one in field.metadata):
            continue
        value = plain(getattr(section, name), field, contents)
        if isinstance(value, list) and any(isinstance(one, Key) and one.unordered for one in field.metadata):
            value = sorted(set(value))
        default = None if field.is_required() else plain(field.get_default(call_default_factory=True), field, contents)
        if field.is_required() or canonical(value) != canonical(default):
            settings[name] = value
    return settings


def plain(value: Any, field: FieldInfo, contents: Mapping[str, str]) -> Any:
    """Return a setting as plain data, names of what has a content replaced by that, options at their default left out.

    Raises:
        TypeError: the field is a choice, and the schema does not say what its options' defaults are.
    """
    if isinstance(value, Choice):
        of = next((extra.of for extra in field.metadata if isinstance(extra, OptionDefaults)), None)
        if of is None:
            raise TypeError(f"'{field.title or value.name}': a choice needs OptionDefaults in its annotation")
        defaults = of(value.name)
        options = {
            key: plain(option, field, contents)
            for key, option in value.options.items()
            if key not in defaults or canonical(option) != canonical(defaults[key])
        }
        name = contents.get(value.name, value.name)
        return {"name": name, "options": options} if options else name
    if isinstance(value, Section):
        return beyond_defaults(value, contents)
    if isinstance(value, str):
        return contents.get(value, value)
    if isinstance(value, list | tuple):
        return [plain(inner, field, contents) for inner in value]
    return value


def canonical(value: Any) -> str:
    """Write plain data as JSON, in one spelling only.

    >>> canonical({"b": 1.0, "a": [1e-3, True]}), canonical({"a": (0.001, True), "b": 1})
    ('{"a":[0.001,true],"b":1}', '{"a":[0.001,true],"b":1}')
    """

    def spelt(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): spelt(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [spelt(inner) for inner in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return json.dumps(spelt(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def check_told_apart(
    study: Study, cell: Cell, labels: Mapping[str, Any], own: str, called: dict[Any, tuple[str, Cell]]
) -> None:
    """Refuse two cells that differ and would be one in every table: two functions of one name, say.

    Args:
        study: for the place of what is at fault.
        cell: the one at hand.
        labels: its columns.
        own: its identity.
        called: identity and cell by what they are called; the one at hand is noted.

    Raises:
        StudyError: there are such two.
    """
    unseen = (*FACTS, "weight_init_used")  # they follow from the activation, and make no cell
    name = tuple(value for key, value in labels.items() if key not in unseen)
    other, before = called.setdefault(name, (own, cell))
    if other == own:
        return
    for section in SECTIONS:
        for key, value in getattr(cell, section):
            then = getattr(getattr(before, section), key)
            if value != then:
                two = [
                    "null" if one is None else one.plain() if isinstance(one, Choice) else one for one in (then, value)
                ]
                raise StudyError(
                    f"{study.source.where(*of_key(study.source, f'{section}.{key}'))}: {section}.{key}: {two[0]} and "
                    f"{two[1]} would be told apart in no table; leave one out, or give it another name"
                )
