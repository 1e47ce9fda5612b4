"""Where a study's folder is: its own file tells, and one that was renamed is found beside where it should be."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from actlab.engine.files import StoreError, content_of
from actlab.engine.manifest import nearest_folder
from actlab.engine.part_files import part_names
from actlab.engine.planned import read_planned
from actlab.engine.setting_aside import is_study
from actlab.engine.store import Stored, stored_study, unbegun
from actlab.later import Later

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa, pq = Later("pyarrow"), Later("pyarrow.parquet")

MOST_FOLDERS = 100
"""Beside a study's folder, that are looked into; those changed last come first."""
MOST_PARTS = 50
MOST_BYTES = 2**26
"""Of a folder of an earlier version, which has no list of its runs; and of each."""
MOST_READ = 3
"""Folders of which all is read, to count the runs that are sound."""


def default_folder(config: Path, name: str, overrides: Sequence[str] = ()) -> Path:
    """Return the folder of a study for which no other is given: ``results/<study>``, or that whose own file is run.

    Args:
        config: the YAML file; a study's folder has its own, whatever that folder is called by now.
        name: of the study.
        overrides: one that renames the study asks for another folder.
    """
    renamed = any(one.partition("=")[0].strip() == "study" for one in overrides)
    if config.name == "study.yaml" and not renamed and is_study(config.parent):
        return config.parent
    return Path("results") / name


def studies_in(folder: Path) -> list[Path]:
    """List the studies' folders that a folder is or holds: itself, or by name those in it, without hidden ones.

    Raises:
        StoreError: there is no such folder, it cannot be read, or there is no study.
    """
    if is_study(folder):
        return [folder]
    if not folder.is_dir():
        what = "is a file; a folder is wanted" if folder.exists() else "there is no such folder"
        raise StoreError(f"{folder}: {what}{nearest_folder(folder)}")
    try:
        inside = [folder / name for name in sorted(os.listdir(folder)) if not name.startswith(".")]
    except OSError as error:
        raise StoreError(f"{folder}: cannot be read ({error.strerror})") from None
    studies = [one for one in inside if is_readable_study(one)]
    if not studies:
        needs = "it needs manifest.json and study.yaml"
        raise StoreError(f"{folder}: is not a study's folder ({needs}), and holds none")
    return studies


def is_readable_study(path: Path) -> bool:
    """Whether something is a study's folder that may be looked into."""
    try:
        return path.is_dir() and is_study(path)
    except OSError:
        return False


def elsewhere(folder: Path, runs: Collection[str], name: str) -> str:
    """Say in a line which folder beside a study's holds runs of it, where its own is not there or empty.

    Args:
        folder: the study's, by default.
        runs: those that are planned.
        name: the study's.
    """
    if not runs or not unbegun(folder) or is_study(folder):
        return ""
    wanted = set(runs)
    likely = sorted(
        ((one, len(wanted & listed_runs(one))) for one in folders_beside(folder)), key=lambda pair: -pair[1]
    )
    found = [(one, len(wanted & sound_runs(one))) for one, number in likely[:MOST_READ] if number]
    if not (found := [pair for pair in found if pair[1]]):
        return ""
    best, number = max(found, key=lambda pair: (pair[1], name_of(pair[0]) == name))
    there = f"{folder} holds no run yet, but {best} holds {number} of the {len(wanted)} planned runs"
    quoted, own = shlex.quote(str(best)), shlex.quote(str(folder))
    if name_of(best) == name:
        return f"{there}: `--out {quoted}` uses them"
    return f"{there}: `cp -r {quoted}/. {own}` first, and they are used; {best} stays as it is"


def folders_beside(folder: Path) -> Iterator[Path]:
    """Yield the studies' folders beside one, those changed last first; links are not followed."""
    try:
        with os.scandir(folder.parent) as entries:
            folders = [one for one in entries if one.is_dir(follow_symlinks=False)]
        found = [(one.stat(follow_symlinks=False).st_mtime, one.name) for one in folders]
    except OSError:
        return
    for _, name in sorted(found, reverse=True)[:MOST_FOLDERS]:
        path = folder.parent / name
        if not name.startswith(".") and name != folder.name and is_study(path):
            yield path


def listed_runs(folder: Path) -> set[str]:
    """List the runs that a folder says it is for; of one of an earlier version, those in its parts."""
    try:
        runs = read_planned(folder)
        if runs is not None:
            return set(runs)
        parts = [folder / "parts" / name for name in part_names(folder)[:MOST_PARTS]]
        tables = (pq.read_table(pa.BufferReader(content_of(one, MOST_BYTES)), columns=["run"]) for one in parts)
        return {run for table in tables for run in table["run"].to_pylist()}
    except (OSError, ValueError, LookupError, pa.ArrowException):  # damaged: it is not used in silence, and not found
        return set()


def sound_runs(folder: Path) -> set[str]:
    """List the runs that a folder holds; none where it cannot be read."""
    try:
        return Stored(folder).runs()
    except StoreError:
        return set()


def name_of(folder: Path) -> str:
    """Return the name of the study in a folder; empty where that cannot be read."""
    try:
        return str(stored_study(folder)["study"])
    except StoreError:
        return ""
