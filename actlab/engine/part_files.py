"""The files of parts: which there are, what one holds, and how a damaged one is put out of the way."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from actlab.engine import part_checks
from actlab.engine.contents import Part
from actlab.engine.files import StoreError, content_of
from actlab.engine.part_checks import PartError
from actlab.naming import MOST_LINE, shortened

# Columns of older parts, and what they are called now.
RENAMED = {"lane": "runs_per_call", "pieces": "eval_chunks"}
ASIDE = "aside"  # how the name of a damaged part ends, once a run has set it aside


def set_aside(folder: Path, damage: Iterable[str]) -> list[str]:
    """Rename damaged parts, so that nothing reads them, and nothing overwrites what may be wanted from them.

    Returns:
        what they are called now, in the same order; empty for one that is gone.
    """
    called = []
    for name in damage:
        path = folder / name
        number, target = 0, path.with_name(f"{path.name}.{ASIDE}")
        while os.path.lexists(target):
            number += 1
            target = path.with_name(f"{path.name}.{number}.{ASIDE}")
        if os.path.lexists(path):
            path.rename(target)
            called.append(f"parts/{shortened(target.name, MOST_LINE)}")
        else:
            called.append("")
    return called


def part_names(folder: Path) -> list[str]:
    """List the names of the parts in a study's folder, sorted.

    Raises:
        StoreError: their folder cannot be read.
    """
    try:
        return sorted(name for name in os.listdir(folder / "parts") if name.endswith(".parquet"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"{folder / 'parts'}: cannot be read ({error.strerror})") from None


def read_part(folder: Path, name: str, manifest: Mapping[str, Any]) -> Part:
    """Read one part.

    Raises:
        PartError: it is not what was written, or no part at all; says what is wrong with it.
    """
    try:
        content = content_of(folder / "parts" / name, part_checks.MOST_BYTES)
    except OSError as error:
        raise PartError(f"cannot be read ({error.strerror})") from None
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != manifest.get("parts", {}).get(name, sha256):
        raise PartError("was altered or cut short: its SHA-256 is not the one in manifest.json")
    table = part_checks.sound(content)
    renamed = table.rename_columns([RENAMED.get(column, column) for column in table.column_names])
    return Part(renamed.replace_schema_metadata(table.schema.metadata), sha256)
