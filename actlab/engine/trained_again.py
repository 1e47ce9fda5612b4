"""Stored runs that were trained again for their weights: what becomes of the rows that this gave once more.

Trained with the same versions on the same machine, they are the rows that are stored, to the bit, and are dropped.
Where they differ (another version, another device), the new ones take the place of the old: the weights are theirs.
Until that is judged they lie in ``parts/*.again``, which nothing reads as a part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from actlab.engine import part_checks
from actlab.engine.files import content_of
from actlab.engine.manifest import write_manifest
from actlab.engine.part_checks import contradict
from actlab.engine.store import Stored, write_table

if TYPE_CHECKING:
    import pyarrow as pa


def replace_rows(stored: Stored, names: Iterable[str]) -> int:
    """Hold the rows in some files of runs that were trained again against those that are stored.

    Killed in between, it leaves the old rows beside the new ones, of which reading names those that are not listed.

    Returns:
        how many rows took another's place.
    """
    folder, replaced = stored.folder, 0
    for name in names:
        path = folder / "parts" / name
        replaced += put(stored, part_checks.sound(content_of(path, part_checks.MOST_BYTES)))
        path.unlink(missing_ok=True)
    return replaced


def put(stored: Stored, new: pa.Table) -> int:
    """Put rows in the place of those of the same runs that are stored, where they differ; returns how many did."""
    contents, folder = stored.read(), stored.folder
    runs = new["run"].to_pylist()
    parts, outdated, taken = dict(contents.checksums), [], set()
    for name, table in contents.tables.items():
        there = table["run"].to_pylist()
        other = {run for run in set(there) & set(runs) if contradict(table, new, {run})}
        if other:
            outdated.append(name)
            taken |= other
            rest = [i for i, run in enumerate(there) if run not in other]
            del parts[name]
            parts |= written(stored, table.take(rest)) if rest else {}
    if taken:
        parts |= written(stored, new.take([i for i, run in enumerate(runs) if run in taken]))
        write_manifest(folder, {**contents.manifest, "parts": parts})
        for name in set(outdated) - set(parts):
            (folder / "parts" / name).unlink(missing_ok=True)
    return len(taken)


def written(stored: Stored, table: pa.Table) -> Mapping[str, str]:
    """Write rows as a part that is named after what they hold: {its file: SHA-256}."""
    name = hashlib.sha256(f"again {part_checks.checksum(table)}".encode()).hexdigest()[:16]
    sha256 = write_table(stored.folder, name, table)
    return {f"{name}.parquet": sha256}
