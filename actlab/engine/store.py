"""The result store: a study's folder, its part files, its manifest, and what is read from them.

A part is one Parquet file, written whole under a temporary name and renamed, with one row per run: the run's settings
and final numbers as plain columns, its records as list columns (``steps.*`` [R], ``layers.*`` [R·K] for K kept layers).
A part that was cut short or altered is recognised by its checksum in the manifest, or, where the program died before it
could write that down, by the file's own page checksums; its runs count as missing.

Reading needs no JAX, and knowing what is there no pandas.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actlab.checksums import file_sha256
from actlab.engine.control import LOCK
from actlab.engine.files import OWN, StoreError, write_text, writing
from actlab.engine.frames import explode, histograms_of, in_order
from actlab.engine.lacking import lacking, with_empty_columns
from actlab.later import Later, pd
from actlab.study.settings import of_manifest

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa, pq = Later("pyarrow"), Later("pyarrow.parquet")

# Columns of older parts, and what they are called now.
RENAMED = {"lane": "runs_per_call", "pieces": "eval_chunks"}
RENAMED_BY_WIDTH = {"runs_per_call_by_width": "lane_by_width", "eval_chunks_by_width": "pieces_by_width"}
# What can change a result's bits, as far as it is software.
VERSIONS = ("actlab", "jax", "jaxlib", "flax", "optax", "numpy", "pandas", "pyarrow", "scikit-learn")
RUNS_IN_PART = 1500  # of a finished study: so many at most are lost with a damaged file


@cache
def versions() -> dict[str, str]:
    """Look up the installed version of everything that makes a result what it is."""
    return {name: version(name) for name in VERSIONS}


@dataclass(frozen=True)
class Results:
    """A study as it was read from the disk.

    Attributes:
        path: the study's folder.
        study: the resolved study, as plain data.
        manifest: versions, platform, timings, checksums.
        runs: one row per run.
        steps: one row per run and record.
        layers: one row per run, record and kept hidden layer.
        histograms: one row per run, record, kept hidden layer and bin that is not empty; empty where none were asked.
        lacking: {measure: runs} of what the study asks for and runs were stored before it was measured; NaN there.
    """

    path: Path
    study: dict[str, Any]
    manifest: dict[str, Any]
    runs: pd.DataFrame = field(repr=False)
    steps: pd.DataFrame = field(repr=False)
    layers: pd.DataFrame = field(repr=False)
    histograms: pd.DataFrame = field(repr=False, default_factory=lambda: pd.DataFrame())
    lacking: dict[str, int] = field(repr=False, default_factory=dict)


class Stored:
    """What a study's folder holds; each sound part is read from the disk once, however often it is asked for."""

    def __init__(self, folder: str | Path) -> None:
        """Take a folder, which need not exist; nothing is read yet."""
        self.folder = Path(folder)
        self.known: dict[tuple[str, int, int, int], pa.Table] = {}  # by name, inode, size and time

    def read(self) -> tuple[dict[str, Any], dict[str, pa.Table]]:
        """Read the manifest, and every sound part that was not read before: {part name: rows}.

        A run that ends meanwhile merges its parts into one: then the names change under our feet, and we look again.

        Raises:
            StoreError: the folder is not a study's.
        """
        while True:
            manifest, names = read_manifest(self.folder), part_names(self.folder)
            keys = {name: self.key(name) for name in names}
            self.known = {key: self.known[key] for key in keys.values() if key in self.known}
            for name, key in keys.items():
                if key not in self.known and (table := read_part(self.folder, name, manifest)) is not None:
                    self.known[key] = table
            if part_names(self.folder) == names:
                return manifest, {name: self.known[key] for name, key in keys.items() if key in self.known}

    def note(self, name: str, table: pa.Table) -> None:
        """Take note of a part that this process has just written, so that it need not be read."""
        self.known[self.key(name)] = table

    def key(self, name: str) -> tuple[str, int, int, int]:
        """Make a key of a part's name and what changes with its content: a part is only ever replaced by a new file."""
        try:
            about = (self.folder / "parts" / name).stat()
        except OSError:  # it was merged into another
            return name, 0, 0, 0
        return name, about.st_ino, about.st_size, about.st_mtime_ns

    def runs(self) -> set[str]:
        """List the runs that the folder holds: none where nothing was begun.

        Raises:
            StoreError: the folder is not a study's.
        """
        if unbegun(self.folder):
            return set()
        return {run for table in self.read()[1].values() for run in table["run"].to_pylist()}

    def call_sizes(self) -> dict[int, tuple[int, int]]:
        """Read how the study was begun, by width: how many runs a call advances, in how many chunks it evaluates.

        Raises:
            StoreError: the folder is not a study's.
        """
        manifest = read_manifest(self.folder)
        runs, chunks = (manifest.get(name, manifest.get(old, {})) for name, old in RENAMED_BY_WIDTH.items())
        return {int(width): (number, chunks.get(width, 1)) for width, number in runs.items()}

    def results(self) -> Results:
        """Make frames of what the folder holds.

        Raises:
            StoreError: the folder is missing, is not a study's, or holds no finished run.
        """
        manifest, tables = self.read()
        if not tables:
            raise StoreError(f"{self.folder}: holds no finished run yet; `actlab run` trains what its study.yaml names")
        rows = in_order(list(tables.values()), of_manifest(manifest))
        runs, steps, layers = explode(rows, manifest.get("label_prefixes", {}))
        from ruamel.yaml import YAML

        study = YAML(typ="safe", pure=True).load((self.folder / "study.yaml").read_text(encoding="utf-8"))
        without, histograms = lacking(rows, study), histograms_of(rows, layers)
        frames = with_empty_columns(runs, steps, layers, without)
        return Results(self.folder, study, manifest, *frames, histograms, without)


def load(folder: str | Path) -> Results:
    """Read a study's folder, for instance ``results/depth``, into frames: see ``Stored.results``."""
    return Stored(folder).results()


def write_part(folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write runs as one part and return the file's SHA-256.

    Columns that a run lacks are null in its row. The file appears under its name only when it is whole.

    Raises:
        StoreError: it cannot be written.
    """
    names = list(dict.fromkeys(column for row in rows for column in row))
    return write_table(
        folder, name, pa.table({column: pa.array([row.get(column) for row in rows]) for column in names})
    )


def write_table(folder: Path, name: str, table: pa.Table) -> str:
    """Write one part whole, under a temporary name first; returns its SHA-256."""
    path = folder / "parts" / f"{name}.parquet"
    temporary = path.with_suffix(f".{OWN}.tmp")
    words = [field.name for field in table.schema if pa.types.is_string(field.type)]
    with writing(path, temporary):
        # Statistics and the Arrow schema would be most of a small part.
        pq.write_table(
            table,
            temporary,
            compression="zstd",
            compression_level=19,
            use_dictionary=words,
            write_statistics=False,
            store_schema=False,
            write_page_checksum=True,
        )
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        return file_sha256(path)


def compact(stored: Stored) -> None:
    """Merge a finished study's parts: a tenth of the size, and the same bytes however it was cut into jobs.

    Killed in between, it leaves runs in two parts, of which reading takes the first.
    """
    folder = stored.folder
    manifest, tables = stored.read()
    names = part_names(folder)
    rows = in_order(list(tables.values()), of_manifest(manifest))
    merged = {}
    for begin in range(0, len(rows), RUNS_IN_PART):
        piece = rows.slice(begin, RUNS_IN_PART)
        merged[hashlib.sha256("".join(piece["run"].to_pylist()).encode()).hexdigest()[:16]] = piece
    if names == sorted(f"{name}.parquet" for name in merged):
        return
    manifest["parts"] = {f"{name}.parquet": write_table(folder, name, piece) for name, piece in merged.items()}
    for name, piece in merged.items():
        stored.note(f"{name}.parquet", piece)
    write_manifest(folder, manifest)
    for name in set(names) - set(manifest["parts"]):
        (folder / "parts" / name).unlink(missing_ok=True)


def part_names(folder: Path) -> list[str]:
    """List the names of the parts in a study's folder, sorted."""
    return sorted(path.name for path in (folder / "parts").glob("*.parquet"))


def read_part(folder: Path, name: str, manifest: Mapping[str, Any]) -> pa.Table | None:
    """Read one part's rows; None where the file is not what was written."""
    expected = manifest.get("parts", {}).get(name)
    try:
        content = (folder / "parts" / name).read_bytes()
        if expected is not None and hashlib.sha256(content).hexdigest() != expected:
            return None
        table = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True).read()
        return table.rename_columns([RENAMED.get(column, column) for column in table.column_names])
    except (pa.ArrowException, OSError):
        return None


def checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints of runs that were begun and are not finished."""
    return list((folder / "parts").glob("*.checkpoint"))


def unbegun(folder: Path) -> bool:
    """Whether nothing was stored here yet: no folder, an empty one, or one whose run was killed before its manifest."""
    if not folder.is_dir():
        return not folder.exists()
    return not any(folder.iterdir()) or ((folder / LOCK).exists() and not (folder / "manifest.json").exists())


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a study's folder.

    Raises:
        StoreError: there is no such folder, or it is not a study's.
    """
    if not folder.is_dir():
        raise StoreError(f"{folder}: there is no such folder")
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{folder}: is not a study's folder (it has no manifest.json)") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{folder / 'manifest.json'}: is not readable JSON ({error})") from None
    if not isinstance(manifest, dict) or not (folder / "study.yaml").is_file():
        raise StoreError(f"{folder}: is not a study's folder (it needs manifest.json and study.yaml)")
    return manifest


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest whole."""
    write_text(folder / "manifest.json", json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def create(folder: Path, study_yaml: str, sources: Mapping[str, Path], manifest: Mapping[str, Any]) -> None:
    """Make or refresh a study's folder: its parts folder, resolved study, copied sources and manifest.

    Args:
        folder: the study's.
        study_yaml: the resolved study.
        sources: the files to copy, by their path in ``sources/``.
        manifest: see ``write_manifest``.
    """
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    for place, source in sources.items():
        target = folder / "sources" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or not target.samefile(source):
            temporary = target.with_name(f".{target.name}.{OWN}.tmp")
            with writing(target, temporary):
                shutil.copyfile(source, temporary)
                temporary.replace(target)
    write_text(folder / "study.yaml", study_yaml)
    write_manifest(folder, manifest)


def remove_results(folder: Path) -> None:
    """Forget everything that was measured: the parts, and what was made of them (``--fresh``)."""
    for name in ("parts", "tables", "figures", "sources"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("report.md", "manifest.json", "study.yaml"):
        (folder / name).unlink(missing_ok=True)
