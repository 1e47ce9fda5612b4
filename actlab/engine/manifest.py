"""A study's manifest: what ``run`` notes of versions, platform, timings, parts and labels, read back with suspicion.

What today's reading uses is checked, whatever wrote it; what a later version may have added is passed over. Labels and
cells follow from it, so that it has a checksum of itself, too; manifests of earlier versions have none.
"""

import hashlib
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from actlab import commands
from actlab.aliases import close, same
from actlab.engine.files import StoreError, content_of, write_text
from actlab.measures import from_plain
from actlab.naming import brief, message, shortened
from actlab.study.settings import of_manifest
from actlab.study.yaml_text import MOST_DIGITS

MANIFEST = "manifest.json"
CHECKSUM = "checksum"
EARLIER_DATA = "earlier_data"
"""The key of what is known of data that only runs learned from that were planned earlier."""
SELECTION = "selection"
"""The key that holds what a study in two stages has selected (see ``study.stages.Entry``)."""
PREDICTIONS = "predictions"
"""The key of the file of predictions: its SHA-256, and the versions by which they were computed."""
LATER = "later"
"""The key that says how many runs it will ask for once it has selected."""
MOST_BYTES = 2**26
MOST_NEIGHBOURS = 1000

# As in ``activations.base``, whose import takes longer than all of reading (tests/test_folder.py compares them).
MARKERS = "osD^vP<>Xph*d8H|x+"
LINES = ("solid", "dashed", "dotted", "dashdot")

Check = Callable[[Any], bool]


MOST_ABOVE = 3
"""Folders above what is asked for that may be the study's."""


def nearest_folder(folder: Path) -> str:
    """End the message about what is no study's folder: with the one that it lies in, or whose name is nearest."""
    for above in itertools.islice(folder.parents, MOST_ABOVE):
        if above != Path() and (above / MANIFEST).is_file():
            return f"; did you mean '{shortened(str(above))}'?"
    name = folder.stem if folder.suffix in (".yaml", ".yml") else folder.name
    there: dict[str, str] = {}
    for above in (folder.parent, Path("results")):
        for manifest in itertools.islice(above.glob("*/manifest.json"), MOST_NEIGHBOURS) if above.is_dir() else ():
            there.setdefault(manifest.parent.name, str(manifest.parent))
    found = same(name, there) or close(name, there)
    return f"; did you mean '{shortened(there[found])}'?" if found else ""


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a study's folder.

    Returns:
        what it says; without its checksum, where that is right.

    Raises:
        StoreError: there is no such folder, it is not a study's, or its manifest is not one; names file and key.
    """
    if not folder.is_dir():
        what = "is a file; a study's folder is wanted" if folder.exists() else "there is no such folder"
        raise StoreError(f"{folder}: {what}{nearest_folder(folder)}")
    path = folder / MANIFEST
    try:
        text = content_of(path, MOST_BYTES).decode()
        manifest = json.loads(text, object_pairs_hook=once, parse_constant=no_constant, parse_int=whole_number)
    except FileNotFoundError:
        raise StoreError(
            f"{folder}: is not a study's folder (it has no {MANIFEST}){lost(folder) or nearest_folder(folder)}"
        ) from None
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from None
    except RecursionError:
        raise StoreError(f"{path}: is not readable JSON (nested too deep)") from None
    except ValueError as error:  # of JSON, of UTF-8, or of the hooks
        raise StoreError(f"{path}: is not readable JSON ({error})") from None
    if not isinstance(manifest, dict) or not (folder / "study.yaml").exists():
        raise StoreError(f"{folder}: is not a study's folder (it needs {MANIFEST} and study.yaml)")
    check(manifest, path)
    if manifest.get(CHECKSUM) == checksum(manifest):
        del manifest[CHECKSUM]
    return manifest


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest whole, with its checksum."""
    whole = {**manifest, CHECKSUM: checksum(manifest)}
    write_text(folder / MANIFEST, json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def checksum(manifest: Mapping[str, Any]) -> str:
    """Compute the SHA-256 of what a manifest says, its checksum aside."""
    rest = {key: value for key, value in manifest.items() if key != CHECKSUM}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def altered(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest that was read is not as ``run`` wrote it."""
    return CHECKSUM in manifest


def lost(folder: Path) -> str:
    """Say how a manifest is had again that is gone, where what lies beside it shows that there was one."""
    if not recoverable(folder):
        return ""
    return f"; it was lost: `{commands.resume(folder)}` writes it again and keeps what is stored"


def recoverable(folder: Path) -> bool:
    """Whether a folder is a study's that has lost its manifest: only ``run`` writes the other three."""
    from actlab.engine.planned import PLANNED

    others = (folder / "study.yaml", folder / PLANNED)
    return not (folder / MANIFEST).exists() and (folder / "parts").is_dir() and all(path.is_file() for path in others)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a mapping of pairs whose keys all differ."""
    made = dict(pairs)
    if len(made) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {brief(twice)} stands there twice")
    return made


def no_constant(word: str) -> Any:
    """Refuse NaN and infinities, which JSON has not."""
    raise ValueError(f"{word} is no number of JSON")


def whole_number(digits: str) -> int:
    """Read a whole number that is not endless."""
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a whole number of {len(digits):,} digits")
    return int(digits)


def is_text(value: Any) -> bool:
    """Whether it is a text, of characters that can be written."""
    return isinstance(value, str) and not any("\ud800" <= one <= "\udfff" for one in value)


def is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_count(value: Any) -> bool:
    """Whether it is a whole number, and no negative one."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def is_order(value: Any) -> bool:
    """Whether it may be an activation's place in the story."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31


def matches(pattern: str) -> Check:
    """Ask for a text that matches as a whole."""
    return lambda value: is_text(value) and re.fullmatch(pattern, value) is not None


def either(*checks: Check) -> Check:
    """Ask for one of several."""
    return lambda value: any(one(value) for one in checks)


def is_none(value: Any) -> bool:
    """Whether it is null."""
    return value is None


def list_of(one: Check, least: int = 0, most: int | None = None) -> Check:
    """Ask for a list of such values."""
    return lambda value: (
        isinstance(value, list) and least <= len(value) <= (most or len(value)) and all(one(each) for each in value)
    )


def map_of(one: Check, name: Check = is_text) -> Check:
    """Ask for a mapping to such values."""
    return lambda value: isinstance(value, dict) and all(name(key) and one(each) for key, each in value.items())


def record(needed: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Ask for a mapping with some keys, and others if they are there."""

    def right(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and all(key in value and one(value[key]) for key, one in needed.items())
            and all(one(value[key]) for key, one in (optional or {}).items() if key in value)
        )

    return right


def is_look(value: Any) -> bool:
    """Whether it is a colour, a marker and a line as activations' records have them; null or empty for none."""
    return value in (None, []) or (
        list_of(is_text, 3, 3)(value)
        and matches("#[0-9A-Fa-f]{6}")(value[0])
        and value[1] in set(MARKERS)
        and value[2] in LINES
    )


def spans(value: Any) -> bool:
    """Whether a data set's description has what its task asks for: classes, or the range of its target."""
    return bool("classes" in value or "target_range" in value)


BY_WIDTH = map_of(lambda value: is_count(value) and value > 0, matches("[0-9]{1,9}"))
DATA = record(
    {
        "names": list_of(is_text, 1),
        "settings": map_of(lambda value: True),
        "unsure": list_of(is_text),
        "task": is_text,
        "target": either(is_text, is_none),
        "rows": record(dict.fromkeys(("train", "validation", "test"), is_count)),
        "inputs": is_count,
        "columns": map_of(list_of(is_text)),
    },
    {
        "classes": map_of(map_of(is_count)),
        "categories": map_of(map_of(is_count)),
        "target_range": list_of(is_number, 2, 2),
    },
)
STARTED = record(
    {"weight_init": is_text, "slope": is_number},
    {**dict.fromkeys(("sigma_w", "sigma_b", "q"), is_number), "stability": is_text},
)
ACTIVATION = record(
    {"order": is_order},
    {
        **{"family": is_text, "look": is_look, "unknown_death": is_text, "started": list_of(STARTED)},
        **{"formula": is_text, "same_as": map_of(is_text)},
    },
)
RUNS = matches("([0-9a-f]{12}( |$))*")
SELECTED = record({"over": is_text, "by": is_text, "selected": RUNS, "others": RUNS}, {"value": is_text})
KEYS: dict[str, tuple[Check, str]] = {
    "parts": (
        map_of(matches("[0-9a-f]{64}"), matches(r"[^/\x00]+\.parquet")),
        "the name of each part, with the SHA-256 of its file",
    ),
    "versions": (map_of(is_text), "versions by package"),
    **dict.fromkeys(("python", "platform", "device"), (is_text, "a text")),
    "git_revision": (either(is_text, is_none), "a text or null"),
    **dict.fromkeys(("seconds", "training_seconds"), (lambda value: is_number(value) and value >= 0, "a number ≥ 0")),
    **dict.fromkeys(
        ("runs_per_call_by_width", "lane_by_width", "eval_chunks_by_width", "pieces_by_width"),
        (BY_WIDTH, "whole numbers by width"),
    ),
    **dict.fromkeys(
        ("data", EARLIER_DATA),
        (list_of(lambda value: DATA(value) and spans(value)), "a list of what is known of each data set"),
    ),
    "label_prefixes": (map_of(map_of(is_text)), "by column, what stands before labels"),
    "activations": (map_of(ACTIVATION), "by label, a record with family, order and look"),
    SELECTION: (
        map_of(SELECTED, matches("[0-9a-f]{12}")),
        "by cell, a record with over, by, selected and others",
    ),
    PREDICTIONS: (
        record({"sha256": matches("[0-9a-f]{64}")}, {"versions": map_of(is_text)}),
        "a record with sha256 and versions",
    ),
    LATER: (is_count, "a whole number"),
}
"""What the keys hold that reading uses; ``settings`` and ``measures`` are checked where they are read."""


def check(manifest: Mapping[str, Any], path: Path) -> None:
    """Refuse a manifest whose keys hold something else than they should.

    Raises:
        StoreError: names file and key.
    """
    again = "mend it, or take it from a copy"
    for key, (right, expected) in KEYS.items():
        if key in manifest and not right(manifest[key]):
            wrong = brief(manifest[key])
            raise StoreError(f"{path}: {key}: expected {expected}, not {wrong}; {again}")
    try:
        of_manifest(manifest)
        from_plain(manifest.get("measures", {}))
    except ValueError as error:
        raise StoreError(f"{path}: {message(str(error))}; {again}") from None
