"""What several studies ask for, as one study that asks for exactly that: their cells and seeds, no more and no fewer.

They are one study where all that they do not sweep is the same. Nothing of the user's is run: studies are taken as
they were resolved, a function by its name.
"""

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from actlab import commands, sources
from actlab.naming import brief, listed
from actlab.study.fields import Choice, Key, Section
from actlab.study.identity import canonical
from actlab.study.reading import StudyError
from actlab.study.schema import SweepConfig
from actlab.study.sections import SECTIONS, SWEPT
from actlab.study.sweep import MOST_CELLS, combinations, put

Study = Mapping[str, Any]
Cell = dict[str, Any]
"""{dotted key: plain value} of the keys that any of the studies sweeps."""
OF_REPORT = ("question", "report", "claims", "measure.keep_weights")
"""Keys of which the first study's are taken."""
MOST_NAMED = 4
"""Folders whose command is written out."""


def joined(studies: Sequence[tuple[str, Study]]) -> dict[str, Any]:
    """Join studies.

    Args:
        studies: where each was read from, and its plain data; of ``OF_REPORT`` the first one's are taken.

    Raises:
        StudyError: they are not one study, or no study asks for exactly what they do; names the key and the way out.
    """
    first, base = studies[0]
    for name, study in studies[1:]:
        if study.get("study") != base.get("study"):
            raise StudyError(
                f"study: {brief(base.get('study'))} in {first} and {brief(study.get('study'))} in {name}: only folders "
                "of one study are merged; `actlab compare` shows several side by side"
            )
    check_select(studies)
    swept = swept_keys([study for _, study in studies])
    asked = [cells_of(study, swept) for _, study in studies]
    check_base(studies, swept)
    cells: dict[str, Cell] = {}
    for own in asked:
        for text, cell in own.items():
            cells.setdefault(text, cell)
    seeds = [SweepConfig.model_validate({"seeds": sweep_of(study).get("seeds", 1)}).seed_list() for _, study in studies]
    together = sorted({seed for own in seeds for seed in own})
    pairs = {(text, seed) for own, some in zip(asked, seeds, strict=True) for text in own for seed in some}
    plain = together if together != list(range(len(together))) else len(together)
    if len(pairs) < len(cells) * len(together):
        each = (f"{listed(own, 8)} in {name}" for (name, _), own in zip(studies, seeds, strict=True))
        lack = [name for (name, _), own in zip(studies, seeds, strict=True) if set(own) != set(together)]
        run = " and ".join(f"`{commands.resume(Path(name), f'sweep.seeds={plain}')}`" for name in lack[:MOST_NAMED])
        raise StudyError(
            f"sweep.seeds: {' and '.join(each)}, of different cells, so that no study asks for exactly these runs; "
            f"let each have all seeds ({run}{' and so on' * (len(lack) > MOST_NAMED)}; they train what is missing), "
            "then merge"
        )
    sweep = joined_sweep([sweep_of(study) for _, study in studies], base, swept, cells)
    select = {"select": sweep_of(base)["select"]} if sweep_of(base).get("select") else {}
    made = {**base, "sweep": {"seeds": plain, **sweep, **select}}
    if "data.name" in sweep.get("matrix", {}):  # the first folder's own may be another that none of its cells has
        made["data"] = {**base["data"], "name": sweep["matrix"]["data.name"][0]}
    return made


def notes(studies: Sequence[tuple[str, Study]]) -> list[str]:
    """Say what of the report's keys is not taken over, a line each: the first study's are."""
    first, base = studies[0]
    return [
        f"{name}: its {key} is another than in {first}, which is taken; name the folder first whose {key} is to stay"
        for name, study in studies[1:]
        for key in OF_REPORT
        if said_of(study, key) != said_of(base, key)
    ]


def said_of(study: Study, key: str) -> str:
    """Write what a study says of a key of a section, or of one that is none, in one spelling."""
    section, _, inner = key.partition(".")
    value = study.get(section)
    if inner:
        value = (value or {}).get(inner)
    return canonical_plain(None if value == "none" else value)


def canonical_plain(value: Any) -> str:
    """Write plain data in one spelling; what is empty is nothing."""
    return canonical(value) if value not in (None, "", [], {}) else ""


def sweep_of(study: Study) -> Mapping[str, Any]:
    """Return a study's sweep."""
    return study.get("sweep") or {}


def swept_keys(studies: Iterable[Study]) -> list[str]:
    """List the keys that any of some studies sweeps, those of options as what they are options of."""
    keys: dict[str, None] = {}
    for sweep in map(sweep_of, studies):
        for entry in (sweep.get("matrix") or {}, *(sweep.get("include") or ())):
            keys |= dict.fromkeys(".".join(key.split(".")[:2]) for key in entry)
    return list(keys)


def cells_of(study: Study, swept: Sequence[str]) -> dict[str, Cell]:
    """List a study's cells by their canonical text, as far as ``swept`` keys go.

    >>> study = {"sweep": {"matrix": {"model.depth": [2, 10]}}}
    >>> list(cells_of(study, ["model.depth"]).values())
    [{'model.depth': 2}, {'model.depth': 10}]
    """
    sweep = sweep_of(study)
    cells: dict[str, Cell] = {}
    for values in combinations(*(sweep.get(name) or kind() for name, kind in PARTS.items())):
        plain = {name: copy.deepcopy(dict(study.get(name) or {})) for name in SECTIONS}
        for key, value in sorted(values.items(), key=lambda item: item[0].count(".")):
            put(plain[key.split(".")[0]], key.split(".")[1:], copy.deepcopy(value))
        cell = {key: given(plain, *key.split(".")) for key in swept}
        cells.setdefault(text_of(cell), cell)
    return cells


PARTS: dict[str, type] = {"matrix": dict, "exclude": list, "include": list}


def given(study: Study, section: str, key: str) -> Any:
    """Return the plain value of a key, also where a study of an earlier version does not say it."""
    plain = study.get(section) or {}
    if key in plain:
        return plain[key]
    field = SECTIONS[section].model_fields[key]
    return None if field.is_required() else as_plain(field.get_default(call_default_factory=True))


def as_plain(value: Any) -> Any:
    """Return a validated value as it stands in a file."""
    if isinstance(value, Choice):
        return value.plain()
    if isinstance(value, Section):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple) else value


def text_of(cell: Mapping[str, Any]) -> str:
    """Write a cell's values in one spelling, options at their default filled in where those are known."""
    return canonical({key: settled(key, value) for key, value in cell.items()})


def settled(dotted: str, value: Any) -> Any:
    """Return a value as the schema reads it; a function of the user's by its name, with the options that are given.

    >>> settled("model.activation", "leaky_relu") == settled("model.activation", {"name": "leaky_relu"})
    True
    """
    section, _, key = dotted.partition(".")
    name = value.get("name") if isinstance(value, Mapping) else value
    own = [name] if isinstance(name, str) else name if isinstance(name, list) else []
    if any(isinstance(one, str) and sources.parse(one) for one in own):
        return value if not isinstance(value, Mapping) or len(value) > 1 else name
    needed = {"name": "digits"} if section == "data" else {}
    try:
        return as_plain(getattr(SECTIONS[section].model_validate({**needed, key: value}), key))
    except ValidationError:  # only with others, say
        return value


def check_base(studies: Sequence[tuple[str, Study]], swept: Sequence[str]) -> None:
    """Refuse studies that differ in what they do not sweep.

    Raises:
        StudyError: names the key, its values and the way out.
    """
    first, base = studies[0]
    for section, model in SECTIONS.items():
        for key, field in model.model_fields.items():
            dotted = f"{section}.{key}"
            if dotted in swept or any(isinstance(one, Key) and not one.identifies for one in field.metadata):
                continue
            mine = given(base, section, key)
            for name, study in studies[1:]:
                theirs = given(study, section, key)
                if canonical(settled(dotted, mine)) != canonical(settled(dotted, theirs)):
                    raise StudyError(differs(dotted, mine, theirs, first, name))


def check_select(studies: Sequence[tuple[str, Study]]) -> None:
    """Refuse studies that do not tune alike: their cells would be selected by other runs.

    Raises:
        StudyError: names both ways and the way out.
    """

    def rule(study: Study) -> str:
        said = sweep_of(study).get("select")
        return "null" if said is None else f"{{{', '.join(f'{key}: {said[key]}' for key in sorted(said))}}}"

    first, base = studies[0]
    for name, study in studies[1:]:
        if rule(study) != rule(base):
            raise StudyError(
                f"sweep.select: {rule(base)} in {first} and {rule(study)} in {name}, so these are not one study; let "
                "both tune alike (`actlab run` with the same sweep.select trains what is missing), then merge; or "
                "`actlab compare` shows both side by side"
            )


def differs(key: str, mine: Any, theirs: Any, first: str, other: str) -> str:
    """Say that two studies differ in a key that is not swept, and what can be done."""
    what = f"{key}: {brief(mine)} in {first} and {brief(theirs)} in {other}, so these are not one study"
    if key == "data.name":
        what = f"{key}: {first} and {other} were trained on data that hold something else, so these are not one study"
    if key not in SWEPT:
        return f"{what}; `actlab compare` shows both side by side"
    return (
        f"{what}; `actlab compare` shows both side by side, or sweep the key: with `{key}: [...]` under sweep.matrix "
        "in each configuration, and its own value in the list, run each again, which trains nothing, then merge"
    )


def joined_sweep(
    sweeps: Sequence[Mapping[str, Any]], base: Study, swept: Sequence[str], cells: Mapping[str, Cell]
) -> dict[str, Any]:
    """Write matrix, exclude and include that give some cells: as the studies have them, as far as that can be.

    Raises:
        StudyError: too many would have to be excluded.
    """
    several = {
        "matrix": union_of([sweep.get("matrix") or {} for sweep in sweeps]),
        "exclude": unique(entry for sweep in sweeps for entry in sweep.get("exclude") or ()),
        "include": unique(entry for sweep in sweeps for entry in sweep.get("include") or ()),
    }
    alone = {name: sweeps[0].get(name) or kind() for name, kind in PARTS.items()}
    for found in (alone, several):
        if cells_of({**base, "sweep": found}, swept).keys() == cells.keys():
            return {name: value for name, value in found.items() if name != "matrix" or value}
    matrix: dict[str, list[Any]] = {}
    for key in swept:
        by_text: dict[str, Any] = {}
        for cell in cells.values():
            by_text.setdefault(text_of({key: cell[key]}), cell[key])
        matrix[key] = list(by_text.values())
    number = math.prod(len(values) for values in matrix.values())
    if number > MOST_CELLS:
        raise StudyError(
            f"sweep.matrix: of the {number:,} cells that these studies cross together they have {len(cells):,}; one "
            f"study crosses at most {MOST_CELLS:,}, so keep them apart"
        )
    crossed = cells_of({**base, "sweep": {"matrix": matrix}}, swept)
    return {"matrix": matrix, "exclude": [cell for text, cell in crossed.items() if text not in cells], "include": []}


def union_of(matrices: Iterable[Mapping[str, Sequence[Any]]]) -> dict[str, list[Any]]:
    """Join matrices, each value once, as the first has it."""
    found: dict[str, dict[str, Any]] = {}
    for matrix in matrices:
        for key, values in matrix.items():
            for value in values:
                two = ".".join(key.split(".")[:2])
                text = text_of({key: value}) if two == key else canonical(value)
                found.setdefault(key, {}).setdefault(text, value)
    return {key: list(values.values()) for key, values in found.items()}


def unique(entries: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return entries without repetition, in order."""
    return list({canonical(entry): entry for entry in reversed(list(entries))}.values())[::-1]
