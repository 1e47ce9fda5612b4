"""From a YAML file and command-line overrides to a validated study; every error names file, line, key and a way out."""

import itertools
import os
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from actlab import jax_settings, near_functions, sources
from actlab.aliases import close, same
from actlab.naming import brief, nearest, shortened, show
from actlab.study.advice import (
    CHOSEN,
    LISTS,
    also,
    below,
    flow,
    instead,
    several,
)
from actlab.study.defaults import TogetherError
from actlab.study.fields import Choice, Section
from actlab.study.flat_options import unknown
from actlab.study.in_python import CONFIG, plain_data
from actlab.study.matrix import check_matrix, no_entry, options_apart
from actlab.study.overrides import check_words, override
from actlab.study.paths import PathError, resolve_paths
from actlab.study.schema import OneRuleError, StudyConfig, SweepConfig
from actlab.study.sections import SECTIONS, SWEPT
from actlab.study.source import Place, Source, StudyError, as_key, of_key, short_path
from actlab.study.sweep import Cell, expand, too_large
from actlab.study.yaml_text import MOST_VALUES, YamlTextError, bounded_load, count_values, read_text

__all__ = ["Place", "Source", "Study", "StudyError", "of_key", "read", "resolved_yaml", "short_path"]

FIRST_KEYS = {"data": "name", "model": "activation", "train": "optimizer", "sweep": "seeds", "report": "tables"}
"""Of each section: what is meant where one value stands in its place."""

AS_IN = {
    "data": "name: digits",
    "model": "activation: relu, depth: 10",
    "train": "learning_rate: 0.001, steps: 500",
    "measure": "every: 25",
    "sweep": "seeds: 5",
    "report": "tables: [performance]",
}
"""What a section looks like."""

ROWS = (".csv", ".tsv", ".parquet", ".npz")
"""Endings of files that are no study."""

MOST_NEIGHBOURS = 1000
"""Files of a folder that are looked at for one of a near name."""

EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a word",
    "list_type": "a list, as in [2, 10]",
    "tuple_type": "a list, as in [a, b]",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "finite_number": "a finite number",
}


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
    given: str | Path | Mapping[str, Any],
    overrides: Sequence[str] = (),
    parts: Mapping[str, Callable[[list[str]], object]] | None = None,
    before_running: Callable[[Mapping[str, Any], Source], None] = lambda raw, source: None,
) -> Study:
    """Read and validate a study.

    Args:
        given: the YAML file, or a mapping with its keys, whose paths begin in the current folder.
        overrides: ``key.sub=value`` each; a comma list sweeps (``model.depth=2,10``).
        parts: of ``tables`` and ``figures`` what finds them by their names, or raises ValueError; unchecked without.
        before_running: called with the plain data before any file of the user's is run for them.

    Raises:
        StudyError: with file, line, key, what was expected and the nearest valid name.
    """
    path = CONFIG if isinstance(given, Mapping) else Path(os.path.expanduser(given))
    near_functions.looked_in.set((Path(), path.parent))  # for overrides: for the file it is the other way round
    overrides = [overrides] if isinstance(overrides, str) else overrides
    raw, lines = (plain_data(given), {}) if isinstance(given, Mapping) else parse(path)
    overridden: dict[Place, str] = {}
    check_words(overrides)
    try:
        raw = resolve_paths(raw, path.parent)
    except PathError as error:
        source = Source(path, lines, {})
        raise StudyError(f"{source.where(*of_key(source, error.key))}: {error.key}: {error}") from None
    for text in overrides:
        override(raw, text, overridden)
    near_functions.looked_in.set((path.parent, Path()))
    source = Source(path, lines, overridden, raw["sweep"] if isinstance(raw.get("sweep"), dict) else {}, raw)
    if count_values(raw) > MOST_VALUES:
        raise StudyError(f"{short_path(path)}: has more than {MOST_VALUES:,} keys and values, overrides included")
    check_matrix(raw, source)
    before_running(raw, source)
    config = validate(raw, source)
    if large := too_large(config.sweep):
        place, why = large
        raise StudyError(f"{source.where(*place)}: {'.'.join(map(str, place))}: {why}")
    own = {named[1] for one in config.report.figures or () if (named := sources.parse(one))}
    titled = [name for name in config.report.titles if name not in own]
    asked = {"tables": config.report.tables or [], "figures": config.report.figures or [], "titles": titled}
    for name in asked if parts else ():
        try:
            (parts or {})["figures" if name == "titles" else name](asked[name])
        except ValueError as error:
            raise StudyError(f"{source.where('report', name)}: report.{name}: {error}") from None
    check_exclude(config.sweep, source)
    sections = {name: raw.get(name) or {} for name in SECTIONS}
    cells = expand(
        sections,
        config.sweep,
        lambda place, name, error: way_out(source, config, place, error_message(source, error, place, name)),
    )
    if not cells:
        raise StudyError(f"{source.where('sweep', 'exclude')}: sweep.exclude: leaves no cell to run")
    return Study(config, cells, tuple(config.sweep.seed_list()), source)


def parse(path: Path) -> tuple[dict[str, Any], dict[Place, int]]:
    """Parse a YAML 1.2 file as plain data, and the line of every key and list item in it.

    Raises:
        StudyError: there is no such file, or it is no YAML that is understood.
    """
    if path.suffix.lower() in ROWS and path.is_file():
        raise StudyError(f"{short_path(path)}: holds rows, and is no study's file; {_of_rows(path)}")
    try:
        raw, node = bounded_load(read_text(path, short_path(path)), short_path(path))
    except FileNotFoundError:
        raise StudyError(f"{short_path(path)}: no such file{_neighbours(path)}") from None
    except YamlTextError as error:
        raise StudyError(f"{error}{_neighbours(path) if path.is_dir() else ''}") from None
    if not isinstance(raw, dict):
        raise StudyError(f"{short_path(path)}:1: expected a mapping with the keys study, data, model, ...")
    return raw, dict(places(node)) if node else {}


def _of_rows(path: Path) -> str:
    """Name the study beside a file of rows that bears its name, else the command that writes one."""
    study = path.with_suffix(".yaml")
    if study.is_file():
        return f"did you mean '{shortened(str(study))}'?"
    name = re.sub(r"[^a-z0-9_-]+", "_", path.stem.lower()).strip("_") or "mine"
    return f"did you mean `actlab {shlex.join(['new', name, '--data', shortened(str(path), 200)])}`?"


def _neighbours(path: Path) -> str:
    """Name the study's file that is nearest a path, beside it or in ``configs``; of a folder, the one in it."""
    if path.is_dir():
        inside = path / "study.yaml"
        return f"; did you mean '{shortened(str(inside))}'?" if inside.is_file() else ""
    folders = dict.fromkeys([path.parent, path.parent / "configs", Path("configs"), Path()])
    files = {
        str(one): one
        for folder in folders
        if folder.is_dir()
        for one in itertools.chain(
            sorted(folder.glob("*.yaml"))[:MOST_NEIGHBOURS], sorted(folder.glob("*.yml"))[:MOST_NEIGHBOURS]
        )
    }
    for name in files:  # the same but for its folder or its ending
        if files[name].stem == (path.stem if path.suffix in (".yaml", ".yml") else path.name):
            return f"; did you mean '{shortened(name)}'?"
    by_stem = {one.stem: name for name, one in files.items()}
    found = close(path.stem, by_stem)
    return f"; did you mean '{shortened(by_stem[found])}'?" if found else ""


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


def way_out(source: Source, config: StudyConfig, place: Place, message: str) -> StudyError:
    """Make the error about a swept value: where it is an option that only some choices take, with how it is swept."""
    key = str(place[2]) if place[:2] == ("sweep", "matrix") and len(place) > 2 else ""
    if key.count(".") != 2:
        return StudyError(message)
    section, name, _ = key.split(".")
    base = getattr(getattr(config, section), name, None)
    if not isinstance(base, Choice):
        return StudyError(message)
    apart = options_apart(key, config.sweep.matrix, base.name)
    if not apart:
        return StudyError(message)
    chosen, message = f"{section}.{name}", message.split("; did you mean")[0]
    if source.override_of(*place):
        return StudyError(f"{message}; in its place, did you mean '{chosen}={apart[1:-1]}'?")
    return StudyError(f"{message}; write `{chosen}: {apart}` in place of '{key}' below 'sweep.matrix:'")


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
        key = as_key(place)
        at_line = source.where(*(at if at is not None else place))
        if at is not None:
            key = next((str(part) for part in at if isinstance(part, str) and "." in part), key)
        why = reason(one, place, source.override_of(*(at if at is not None else place)), source.sweep, source.raw)
        together = one.get("ctx", {}).get("error")
        if isinstance(together, TogetherError):
            changed, value, old = together.change
            fault = source.at_fault(*(f"{key}.{name}" for name in together.keys))
            at_line = source.where(*fault)
            why += f"; {also(source, fault, f'{key}.{changed}', value, old)}"
        if isinstance(together, OneRuleError):
            key, at_line = together.keys[0], source.where(*source.at_fault(*together.keys))
        lines.append(f"{at_line}: {key}: {why}" if key else f"{at_line}: {why}")
    most = 8
    hidden = [f"... and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join(list(dict.fromkeys(lines))[:most] + hidden)


def reason(
    one: Mapping[str, Any],
    place: Place,
    override: str = "",
    sweep: Mapping[str, Any] | None = None,
    raw: Mapping[str, Any] | None = None,
) -> str:
    """Say what is wrong with one value, what was expected, and the way out where it can be told.

    Args:
        one: pydantic's.
        place: of the value, or of the key that is unknown.
        override: that set it, if one did.
        sweep: the study's.
        raw: the plain data of it.
    """
    kind, value = one["type"], one["input"]
    if kind == "extra_forbidden":
        return unknown(place, value, raw or {})
    if kind == "missing":
        return "is missing"
    dotted = ".".join(str(part) for part in place)
    if dotted in SWEPT and dotted not in LISTS and isinstance(value, list) and value:
        return several(dotted, value, override)
    if kind in ("list_type", "dict_type") and place[:2] in (("sweep", "exclude"), ("sweep", "include")):
        return no_entry(place, value, (sweep or {}).get("matrix"))
    if isinstance(value, str) and kind == "model_type" and value.lower() in ("none", "off", "no", "nothing"):
        return f"expected a mapping, or null, not {brief(value)}; did you mean 'null'?"
    if value is None and kind.endswith("_type") and dotted.count(".") == 1:
        return f"expected {EXPECTED.get(kind, 'a value')}; leave it out, or give it a value"
    if kind in ("model_type", "dict_type") and dotted in AS_IN:
        first = f"{dotted}.{FIRST_KEYS[dotted]}" if dotted in FIRST_KEYS else ""
        whole = isinstance(value, int) and not isinstance(value, bool)
        known = CHOSEN.get(first)
        named = isinstance(value, str) and (known is None or value in known or any(one in value for one in "./:"))
        if first and (whole if dotted == "sweep" else named):
            way = f"did you mean '{first}={flow(value)}'?" if override else below(first, value)
            return f"expected a mapping, not {brief(value)}; {way}"
        return f"expected a mapping, as in {dotted}: {{{AS_IN[dotted]}}}, not {brief(value)}"
    if kind == "value_error":
        return str(one["ctx"]["error"])
    if kind == "literal_error":
        valid = one["ctx"]["expected"].replace("'", "")
        words = re.split(", | or ", valid)
        found = (same(value, words) or close(value, words, 0.75)) if isinstance(value, str) else None
        return f"expected {valid}, not {brief(value)}" + (f"; did you mean '{found}'?" if found else "")
    if kind == "string_pattern_mismatch":
        return f"expected only a-z, 0-9, _ and -, not {brief(value)}{instead(kind, value)}"
    bounds = {"greater_than": ">", "greater_than_equal": "≥", "less_than": "<", "less_than_equal": "≤"}
    if kind in bounds:
        bound = next(iter(one["ctx"].values()))
        return f"expected a number {bounds[kind]} {show(bound)}, not {brief(value)}"
    return f"expected {EXPECTED.get(kind, one['msg'])}, not {brief(value)}{instead(kind, value)}"


def resolved_yaml(
    config: StudyConfig, folder: Path, copies: Mapping[str, str] | None = None, left_out: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the study as plain data, enough to rerun: defaults filled in, paths relative to ``folder``.

    Users' functions and claims files are named by their copies in ``sources/``, and so are data files.

    Args:
        config: the study.
        folder: where the file is to lie.
        copies: where in it the copies of data files are, by the files' paths.
        left_out: dotted keys that the study does not say and that follow from others (see ``defaults``).
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
        return ((copies or {}).get(value) or os.path.relpath(value, folder.resolve())) if is_path else value

    sections = {name: plain(dict(getattr(config, name)), name) for name in SECTIONS}
    for section, _, name in (key.partition(".") for key in left_out):
        del sections[section][name]
    sweep = config.sweep
    swept: dict[str, Any] = {"seeds": sweep.seeds}
    if sweep.matrix:
        swept["matrix"] = plain(sweep.matrix)
    swept |= {name: plain(getattr(sweep, name)) for name in ("exclude", "include")}
    if sweep.select is not None:
        swept["select"] = sweep.select.model_dump()
    top = {"study": config.study, "question": config.question}
    claims = {"claims": f"sources/{Path(config.claims).name}"} if config.claims else {}
    return {**top, **sections, "sweep": swept, "report": plain(config.report.model_dump()), **claims}
