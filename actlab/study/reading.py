"""From a YAML file and command-line overrides to a validated study; every error names file, line, key and a way out."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from actlab import jax_settings, sources
from actlab.errors import ActlabError
from actlab.naming import brief, nearest, shortened, show
from actlab.study.fields import Choice, Section
from actlab.study.paths import absolute, resolve_paths
from actlab.study.schema import StudyConfig, SweepConfig
from actlab.study.sections import SECTIONS, SWEPT
from actlab.study.sweep import Cell, Place, expand, put, too_large
from actlab.study.yaml_text import MOST_VALUES, YamlTextError, bounded_load, count_values, read_text

LISTS = ("data.drop", "data.keep", "data.na_values")
"""Keys that are lists: one name stands for a list of it."""
MARKS = (*LISTS, "data.separator", "data.decimal")
"""Keys that may be a bare mark on the command line, also where YAML takes it for one of its own: ``data.decimal=,``."""

MOST_OVERRIDES = 1000
"""On one command line."""
MOST_STEPS = 8
"""Names in a dotted key."""

EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a word",
    "list_type": "a list, as in [2, 10]",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "finite_number": "a finite number",
}


class StudyError(ActlabError, ValueError):
    """A request that cannot be planned: one line or several, each with its place and what was expected."""


@dataclass(frozen=True)
class Source:
    """Where a study's values come from: lines of a file, and overrides on the command line."""

    path: Path
    lines: Mapping[Place, int]
    overridden: Mapping[Place, str]

    def where(self, *place: str | int) -> str:
        """Return ``file:line`` of the innermost part of ``place`` that has one, or the override that set it."""
        for key, text in self.overridden.items():
            if place[: len(key)] == key:
                return f"override {text}"
        for end in range(len(place), 0, -1):
            for key, text in self.overridden.items():
                if key[: max(end, 1)] == place[:end]:
                    return f"override {text}"
            if place[:end] in self.lines:
                return f"{short_path(self.path)}:{self.lines[place[:end]]}"
        return short_path(self.path)


@dataclass(frozen=True)
class Study:
    """A validated study.

    Attributes:
        config: every section, defaults filled in, paths absolute.
        cells: what is to be compared, in order; each is trained once per seed.
        seeds: of weights and batch order.
        source: for error messages.
    """

    config: StudyConfig
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    source: Source = field(repr=False, compare=False)


@jax_settings.pinned()
def read(
    path: str | Path,
    overrides: Sequence[str] = (),
    parts: Mapping[str, Callable[[list[str]], object]] | None = None,
    before_running: Callable[[Mapping[str, Any], Source], None] = lambda raw, source: None,
) -> Study:
    """Read and validate a study.

    Args:
        path: the YAML file.
        overrides: ``key.sub=value`` each; a comma list sweeps (``model.depth=2,10``).
        parts: of ``tables`` and ``figures`` what finds them by their names, or raises ValueError; unchecked without.
        before_running: called with the plain data before any file of the user's is run for them.

    Raises:
        StudyError: with file, line, key, what was expected and the nearest valid name.
    """
    path = Path(path)
    raw, lines = parse(path)
    overridden: dict[Place, str] = {}
    if len(overrides) > MOST_OVERRIDES:
        raise StudyError(f"{len(overrides):,} overrides are given; at most {MOST_OVERRIDES:,} are read")
    raw = resolve_paths(raw, path.parent)
    for text in overrides:
        override(raw, text, overridden)
    source = Source(path, lines, overridden)
    if count_values(raw) > MOST_VALUES:
        raise StudyError(f"{short_path(path)}: has more than {MOST_VALUES:,} keys and values, overrides included")
    check_matrix(raw, source)
    before_running(raw, source)
    config = validate(raw, source)
    if large := too_large(config.sweep):
        place, why = large
        raise StudyError(f"{source.where(*place)}: {'.'.join(map(str, place))}: {why}")
    for name, find in (parts or {}).items():
        try:
            find(getattr(config.report, name) or [])
        except ValueError as error:
            raise StudyError(f"{source.where('report', name)}: report.{name}: {error}") from None
    check_exclude(config.sweep, source)
    sections = {name: raw.get(name) or {} for name in SECTIONS}
    cells = expand(
        sections, config.sweep, lambda place, name, error: StudyError(error_message(source, error, place, name))
    )
    if not cells:
        raise StudyError(f"{source.where('sweep', 'exclude')}: sweep.exclude: leaves no cell to run")
    return Study(config, cells, tuple(config.sweep.seed_list()), source)


def parse(path: Path) -> tuple[dict[str, Any], dict[Place, int]]:
    """Parse a YAML 1.2 file as plain data, and the line of every key and list item in it.

    Raises:
        StudyError: there is no such file, or it is no YAML that is understood.
    """
    try:
        raw, node = bounded_load(read_text(path, short_path(path)), short_path(path))
    except FileNotFoundError:
        raise StudyError(f"{short_path(path)}: no such file{_neighbours(path)}") from None
    except YamlTextError as error:
        raise StudyError(str(error)) from None
    if not isinstance(raw, dict):
        raise StudyError(f"{short_path(path)}:1: expected a mapping with the keys study, data, model, ...")
    return raw, dict(places(node)) if node else {}


def _neighbours(path: Path) -> str:
    names = sorted(p.name for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
    return nearest(path.name, names) if names else ""


def places(node: Node, place: Place = ()) -> Iterable[tuple[Place, int]]:
    """Yield the line, from 1, of every key and list item below a YAML node."""
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield (*place, key.value), key.start_mark.line + 1
            yield from places(value, (*place, key.value))
    elif isinstance(node, SequenceNode):
        for i, item in enumerate(node.value):
            yield (*place, i), item.start_mark.line + 1
            yield from places(item, (*place, i))


def override(raw: dict[str, Any], text: str, overridden: dict[Place, str]) -> None:
    """Apply one ``key.sub=value`` to the plain data of a study.

    Raises:
        StudyError: it is no override, or names a key that no study has.
    """
    key, equals, value = text.partition("=")
    keys, text = key.strip().split("."), shortened(text)
    if not equals or not all(keys) or len(keys) > MOST_STEPS:
        raise StudyError(f"override {text}: expected key.sub=value, as in model.depth=2,10,20")
    dotted = ".".join(keys)
    try:
        marks = dotted in MARKS and re.fullmatch(r"[^\w\s\[\]{}\"']+", value.strip())
        values = [value.strip()] if marks else bounded_load(f"[{value}]", "")[0]
    except YamlTextError as error:
        why = str(error).removeprefix(":1: ")
        raise StudyError(f"override {text}: '{shortened(value)}' is not a YAML value ({why})") from None
    if not values:
        raise StudyError(f"override {text}: expected a value after '='")
    if dotted in LISTS and len(values) > 1 and not all(one is None or isinstance(one, list) for one in values):
        raise StudyError(
            f"override {text}: {dotted}=[{shortened(value)}] is one list; a comma list sweeps, and is one of lists: "
            "[a],[b]"
        )
    swept = ".".join(keys[:2]) in SWEPT
    values = [absolute(dotted, one, Path.cwd()) for one in values]
    if raw.get("sweep") is None:
        raw.pop("sweep", None)
    sweep = raw.get("sweep", {})
    matrix = sweep.get("matrix") if isinstance(sweep, dict) else None
    if swept and len(values) > 1 and isinstance(sweep, dict) and isinstance(matrix, dict | None):  # else refused below
        raw["sweep"] = sweep | {"matrix": (matrix or {}) | {dotted: values}}
        overridden[("sweep", "matrix", dotted)] = text
        return
    if isinstance(matrix, dict) and dotted in matrix:  # it stays a key of the cells, so that exclude still finds it
        matrix[dotted] = values
        overridden[("sweep", "matrix", dotted)] = text
        return
    top, *rest = keys
    if not rest:
        if top not in StudyConfig.model_fields:
            raise StudyError(f"override {text}: unknown key {brief(top)}{nearest(top, StudyConfig.model_fields)}")
        raw[top] = values if len(values) > 1 else values[0]
    else:
        if not isinstance(raw.get(top), dict):
            raw[top] = {}
        put(raw[top], rest, values if len(values) > 1 else values[0])
    overridden[tuple(keys)] = text


def check_matrix(raw: Mapping[str, Any], source: Source) -> None:
    """Refuse a sweep whose matrix is not {known key: list of different values}.

    Raises:
        StudyError: it is not.
    """
    sweep = raw.get("sweep")
    if not isinstance(sweep, dict) or "matrix" not in sweep:
        return
    matrix = sweep["matrix"]
    if not isinstance(matrix, dict) or not matrix:
        raise StudyError(
            f"{source.where('sweep', 'matrix')}: sweep.matrix: expected keys with lists of values, as in "
            "model.depth: [2, 10]; leave it out for a single cell"
        )
    for key, values in matrix.items():
        place = f"{source.where('sweep', 'matrix', key)}: sweep.matrix: "
        if ".".join(str(key).split(".")[:2]) not in SWEPT:
            raise StudyError(f"{place}unknown key {brief(key)}{nearest(key, SWEPT)}")
        if not isinstance(values, list):
            raise StudyError(f"{place}{key}: expected a list of values, as in [{brief(values)}], not {brief(values)}")
        if not values:
            raise StudyError(f"{place}{key}: is an empty list; give it values, or leave the key out")
        if len({repr(value) for value in values}) < len(values):
            raise StudyError(f"{place}{key}: names a value twice")
    for name in ("exclude", "include"):
        for i, values in enumerate(sweep.get(name) or [] if isinstance(sweep.get(name), list | None) else []):
            for key in values if isinstance(values, dict) else ():
                if ".".join(str(key).split(".")[:2]) not in SWEPT:
                    place = source.where("sweep", name, i, key)
                    raise StudyError(f"{place}: sweep.{name}: unknown key {brief(key)}{nearest(key, SWEPT)}")


def check_exclude(sweep: SweepConfig, source: Source) -> None:
    """Refuse an exclude entry that fits no cell of the file's own matrix: a misspelt value would pass unnoticed.

    Raises:
        StudyError: there is one.
    """
    if any(place[:2] == ("sweep", "matrix") for place in source.overridden):
        return  # overrides may well leave nothing to exclude
    for i, entry in enumerate(sweep.exclude):
        for key, value in entry.items():
            place = f"{source.where('sweep', 'exclude', i, key)}: sweep.exclude: {key}"
            if key not in sweep.matrix:
                raise StudyError(f"{place}: is not a key of the matrix{nearest(key, sweep.matrix)}")
            if value not in sweep.matrix[key]:
                listed = [str(one) for one in sweep.matrix[key]]
                raise StudyError(f"{place}: {brief(value)} is not in the matrix{nearest(value, listed)}")


def validate(raw: Mapping[str, Any], source: Source) -> StudyConfig:
    """Validate the plain data as a frozen, typed study.

    Raises:
        StudyError: naming each mistake.
    """
    for name in (*SECTIONS, "sweep", "report"):
        if name in raw and raw[name] is None:
            raise StudyError(f"{source.where(name)}: {name}: is empty; give it keys, or leave it out")
    try:
        return StudyConfig.model_validate(dict(raw))
    except ValidationError as error:
        raise StudyError(error_message(source, error)) from None


def of_key(source: Source, key: str) -> Place:
    """Return the place of a dotted key: in the sweep if it is swept, else in its section."""
    swept: Place = ("sweep", "matrix", key)
    return swept if swept in source.lines or swept in source.overridden else tuple(key.split("."))


def error_message(
    source: Source,
    error: ValidationError,
    at: Place | None = None,
    section: str | None = None,
    some: Sequence[Mapping[str, Any]] | None = None,
) -> str:
    """Write a validation error in words, one line per mistake.

    Args:
        source: names the places.
        error: pydantic's.
        at: the place of a swept or included value that is at fault; else the places are the error's own.
        section: where the error is from that alone.
        some: those of its mistakes that are meant; all by default.
    """
    lines = []
    for one in error.errors() if some is None else some:
        within = (section,) if section else ()
        *way, last = one["loc"] or ("",)
        unknown = (last,) if one["type"] == "extra_forbidden" else ()  # whatever its name
        way = way if unknown else [*way, last]
        place = (*within, *(part for part in way if part not in ("options", "function-before", "")), *unknown)
        key = ".".join(str(part) for part in place)
        at_line = source.where(*(at if at is not None else place))
        if at is not None:
            key = next((str(part) for part in at if isinstance(part, str) and "." in part), key)
        lines.append(f"{at_line}: {key}: {reason(one, place)}" if key else f"{at_line}: {reason(one, place)}")
    most = 8
    hidden = [f"... and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join(list(dict.fromkeys(lines))[:most] + hidden)


def reason(one: Mapping[str, Any], place: Place) -> str:
    """Say what is wrong with one value, and what was expected."""
    kind, value = one["type"], one["input"]
    if kind == "extra_forbidden":
        model = section_at(place[:-1])
        return f"unknown key{nearest(str(place[-1]), model.model_fields) if model else ''}"
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(one["ctx"]["error"])
    if kind == "literal_error":
        choices = one["ctx"]["expected"].replace("'", "")
        return f"expected {choices}, not {brief(value)}"
    if kind == "string_pattern_mismatch":
        return f"expected only a-z, 0-9, _ and -, not {brief(value)}"
    bounds = {"greater_than": ">", "greater_than_equal": "≥", "less_than": "<", "less_than_equal": "≤"}
    if kind in bounds:
        bound = next(iter(one["ctx"].values()))
        return f"expected a number {bounds[kind]} {show(bound)}, not {brief(value)}"
    return f"expected {EXPECTED.get(kind, one['msg'])}, not {brief(value)}"


def section_at(place: Sequence[str | int]) -> type[Section] | None:
    """Return the section of a study's file that stands at a place, None where there is none.

    >>> section_at(("model", "dropout")).__name__, section_at(("model", "depth"))
    ('DropoutConfig', None)
    """
    section: type[Section] | None = StudyConfig
    for step in place:
        field = section.model_fields.get(str(step)) if section else None
        kinds = [field.annotation, *get_args(field.annotation)] if field else []
        section = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)
    return section


def short_path(path: Path) -> str:
    """Shorten a path: relative to the current directory where it lies below it."""
    try:
        return str(Path(os.path.realpath(path)).relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def resolved_yaml(config: StudyConfig, folder: Path) -> dict[str, Any]:
    """Return the study as plain data, enough to rerun: defaults filled in, paths relative to ``folder``.

    Users' functions and claims files are named by their copies in ``sources/``.
    """

    def plain(value: Any, key: str = "") -> Any:
        if isinstance(value, Section):
            value = value.plain() if isinstance(value, Choice) else value.model_dump()
        if isinstance(value, dict):
            return {name: plain(inner, f"{key}.{name}".lstrip(".")) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [plain(inner, key) for inner in value]
        if isinstance(value, str) and (named := sources.parse(value)):
            return f"sources/{named[0].name}:{named[1]}"
        is_path = key == "data.name" and isinstance(value, str) and os.path.isabs(value)
        return os.path.relpath(value, folder.resolve()) if is_path else value

    sections = {name: plain(dict(getattr(config, name)), name) for name in SECTIONS}
    sweep = config.sweep
    swept: dict[str, Any] = {"seeds": sweep.seeds}
    if sweep.matrix:
        swept["matrix"] = plain(sweep.matrix)
    swept |= {name: plain(getattr(sweep, name)) for name in ("exclude", "include")}
    top = {"study": config.study, "question": config.question}
    claims = {"claims": f"sources/{Path(config.claims).name}"} if config.claims else {}
    return {**top, **sections, "sweep": swept, "report": plain(config.report.model_dump()), **claims}
