"""The names that completion offers, as a small file: to look them up in the records would import NumPy at every TAB.

``index.json`` holds what the records say, and a test holds it to them; ``make index`` writes it again.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_suffix(".json")


def load() -> dict[str, Any]:
    """Load the index as it was written."""
    index: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return index


def made() -> dict[str, Any]:
    """Make the index from the records.

    Returns:
        ``keys``: of a study's file, {dotted key: {``help``, and where it has one ``default`` (as one types it) and
            ``values``: names, or {name: {option: default}}}}; ``metrics`` and ``groups``: columns that a comparison
            takes; ``settings``: {column: key that it comes from, or ""}; ``presets``; ``lists``: {key that holds a
            list: names}.
    """
    from actlab.analysis.compare import GROUPS, PRESETS
    from actlab.analysis.figures import FIGURES
    from actlab.analysis.tables import TABLES
    from actlab.measures import MEASURES, PROBE_SETS
    from actlab.study.choices import MEASURES as PROBED
    from actlab.study.columns import settings

    lists = {
        "measure.probes": [*PROBE_SETS, *PROBED],
        "report.tables": [*TABLES],
        "report.figures": [*FIGURES],
    }
    return {
        "keys": {key: about for key, about in keys().items() if key not in lists} | {key: {} for key in lists},
        "lists": lists,
        "settings": {one.column: one.key for one in settings()},
        "metrics": [*MEASURES],
        "groups": [*(one.column for one in settings()), "layer", "study", "seed", *GROUPS],
        "presets": [*PRESETS],
    }


def keys() -> dict[str, dict[str, Any]]:
    """Return what completion says of every key that an override may set."""
    from actlab.study.advice import section_at
    from actlab.study.json_schema import options_by_name, shown_default
    from actlab.study.schema import StudyConfig
    from actlab.study.sections import CHOICES

    plain = StudyConfig.model_json_schema()
    listed: dict[str, dict[str, Any]] = {}

    def within(model: Any, way: tuple[str, ...]) -> None:
        for name, field in model.model_fields.items():
            place = (*way, name)
            key, inner = ".".join(place), section_at(place)
            if inner is not None and key not in CHOICES:
                within(inner, place)
                continue
            about: dict[str, Any] = {}
            if key in CHOICES:
                about["values"] = options_by_name(key)
            elif words := words_of(plain["$defs"][model.__name__] if way else plain, name):
                about["values"] = words
            if (default := shown_default(field)) is not None:
                about["default"] = default
            listed[key] = about

    within(StudyConfig, ())
    return listed


def words_of(section: Mapping[str, Any], name: str) -> list[str]:
    """List the words that a key of a section may be."""
    stated = section["properties"][name]
    words: list[str] = []
    for one in (stated, *stated.get("anyOf", ())):
        words += [word for word in one.get("enum", [one["const"]] if "const" in one else []) if isinstance(word, str)]
        words += ["true", "false"] if one.get("type") == "boolean" else []
        words += ["null"] if one.get("type") == "null" and words else []
    return words


def write(path: Path = PATH) -> None:
    """Write the index."""
    path.write_text(json.dumps(made(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:]))
