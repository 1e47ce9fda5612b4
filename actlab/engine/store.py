"""The result store: a study's folder, its part files, its manifest, and what is read from them.

A part is one Parquet file, written whole under a temporary name and renamed, with one row per run: the run's settings
and final numbers as plain columns, its records as list columns (``steps.*`` [R], ``layers.*`` [R·K] for K kept layers).
A part that was cut short, altered or made by hand is recognised by its checksum in the manifest, by the one that it has
itself, and by what ``part_checks`` asks of it; which parts count is decided in ``contents``. Reading names what is
damaged and stops, or goes on without it where that was asked for; ``run`` trains its runs again.

Reading needs no JAX, and knowing what is there no pandas.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from actlab import commands
from actlab.checksums import file_sha256
from actlab.engine import earlier_sources, part_checks, prediction_files
from actlab.engine.at_work import way_to_train
from actlab.engine.contents import Contents, Part, contents_of
from actlab.engine.control import LOCK
from actlab.engine.earlier import Why, read_earlier, write_earlier
from actlab.engine.files import OWN, DamageError, StoreError, check_room, content_of, write_bytes, write_text, writing
from actlab.engine.frames import explode, histograms_of, in_order, with_stage
from actlab.engine.lacking import lacking, with_empty_columns
from actlab.engine.manifest import MANIFEST, read_manifest, recoverable, write_manifest
from actlab.engine.part_checks import PartError
from actlab.engine.part_files import part_names, read_part
from actlab.engine.planned import PlannedError, read_planned, write_planned
from actlab.engine.results import Results
from actlab.engine.weight_files import WEIGHTS
from actlab.later import Later
from actlab.sources import COPIES
from actlab.study import yaml_text
from actlab.study.selection import of_sweep
from actlab.study.settings import Setting, of_manifest
from actlab.study.stored import read_study

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa, pq = Later("pyarrow"), Later("pyarrow.parquet")

# Keys of older manifests, and what they are called now.
RENAMED_BY_WIDTH = {"runs_per_call_by_width": "lane_by_width", "eval_chunks_by_width": "pieces_by_width"}
# What can change a result's bits, as far as it is software.
VERSIONS = ("actlab", "jax", "jaxlib", "flax", "optax", "numpy", "pandas", "pyarrow", "scikit-learn")
AGAIN = "again"  # how a part's name ends of stored runs that were trained again for their weights, until it is judged
RUNS_IN_PART = 1500  # of a finished study: so many at most are lost with a damaged file
WAYS = {
    False: "{} again what is lost; `--partial` of `actlab report` and `actlab compare` goes on "
    "without it (in Python: partial=True).",
    True: "Nothing else is stored. {} again what is lost.",
}


@cache
def versions() -> dict[str, str]:
    """Look up the installed version of everything that makes a result what it is."""
    return {name: version(name) for name in VERSIONS}


class Stored:
    """What a study's folder holds; each sound part is read from the disk once, however often it is asked for."""

    def __init__(self, folder: str | Path, planned: Collection[str] = ()) -> None:
        """Take a folder, which need not exist; nothing is read yet.

        Args:
            folder: the study's.
            planned: runs that are known to be planned, whatever the folder says: see ``plan_has``.

        Raises:
            StoreError: its name is too long for files in it.
        """
        self.folder = Path(folder)
        check_room(self.folder)
        self.planned = frozenset(planned)
        self.recovers = False  # whether a manifest that was lost is to be written again
        self.known: dict[tuple[str, int, int, int], Part] = {}  # by name, inode, size and time

    def plan_has(self, runs: Iterable[str]) -> None:
        """Take note of the runs of a plan: parts with these belong here, whatever the folder says."""
        self.planned |= frozenset(runs)

    def read(self) -> Contents:
        """Read the manifest, and every sound part that was not read before, and decide which count.

        A run that ends meanwhile merges its parts into one: then the names change under our feet, and we look again.

        Raises:
            StoreError: the folder is not a study's.
        """
        while True:
            manifest, names, stamp = self.manifest(), part_names(self.folder), self.stamp(MANIFEST)
            keys = {name: self.key(name) for name in names}
            self.known = {key: self.known[key] for key in keys.values() if key in self.known}
            found: dict[str, Part | str] = {}
            for name, key in keys.items():
                try:
                    if key not in self.known:
                        self.known[key] = read_part(self.folder, name, manifest)
                    found[name] = self.known[key]
                except PartError as error:
                    found[name] = str(error)
            planned, problem = or_problem(read_planned, self.folder)
            earlier, problem_earlier = or_problem(read_earlier, self.folder)
            if part_names(self.folder) == names and self.stamp(MANIFEST) == stamp:
                return contents_of(manifest, found, planned, self.planned, problem, earlier, problem_earlier)

    def manifest(self) -> dict[str, Any]:
        """Read the manifest; nothing, where it was lost and is about to be written again.

        Raises:
            StoreError: the folder is not a study's.
        """
        return {} if self.recovers and recoverable(self.folder) else read_manifest(self.folder)

    def note(self, name: str, table: pa.Table, sha256: str) -> None:
        """Take note of a part that this process has just written, so that it need not be read."""
        self.known[self.key(name)] = Part(table, sha256)

    def key(self, name: str) -> tuple[str, int, int, int]:
        """Make a key of a part's name and what changes with its content: a part is only ever replaced by a new file."""
        return name, *self.stamp(f"parts/{name}")

    def stamp(self, name: str) -> tuple[int, int, int]:
        """Read of a file what changes with its content."""
        try:
            about = (self.folder / name).stat()
        except OSError:  # it was merged into another
            return 0, 0, 0
        return about.st_ino, about.st_size, about.st_mtime_ns

    def runs(self) -> set[str]:
        """List the runs that the folder holds, those that were planned earlier included; nothing that is damaged.

        Raises:
            StoreError: the folder is not a study's.
        """
        if unbegun(self.folder) and not self.recovers:
            return set()
        return self.read().runs

    def asked(self) -> set[str]:
        """List those of them that the folder is for: without the runs that were planned earlier.

        Raises:
            StoreError: the folder is not a study's.
        """
        runs = self.runs()
        return runs - self.read().left_out.keys() if runs else runs

    def damage(self) -> list[str]:
        """Name what is damaged of what a folder holds of its runs, a line each: nothing where nothing was begun.

        Raises:
            StoreError: the folder is not a study's.
        """
        return [] if unbegun(self.folder) and not self.recovers else self.read().damage_lines()

    def predictions_problem(self) -> str:
        """Say what is wrong with theory's predictions; empty where nothing is, or nothing was begun."""
        return "" if unbegun(self.folder) else prediction_files.read(self.folder, self.read().manifest)[1]

    def call_sizes(self) -> dict[int, tuple[int, int]]:
        """Read how the study was begun, by width: how many runs a call advances, in how many chunks it evaluates.

        Raises:
            StoreError: the folder is not a study's.
        """
        manifest = self.manifest()
        runs, chunks = (manifest.get(name, manifest.get(old, {})) for name, old in RENAMED_BY_WIDTH.items())
        return {int(width): (number, chunks.get(width, 1)) for width, number in runs.items()}

    def results(self, partial: bool = False, predictions: bool = True) -> Results:
        """Make frames of what the folder holds.

        Args:
            partial: whether to go on without what is damaged.
            predictions: whether theory's are needed; else it is a note that they are damaged.

        Raises:
            DamageError: something of it is damaged; says what.
            StoreError: the folder is missing, is not a study's, or holds no finished run.
        """
        contents = self.read()
        theory, problem = prediction_files.read(self.folder, contents.manifest)
        damage = [*contents.damage_lines(), *filter(None, [problem if predictions else ""])]
        notes = [] if predictions or not problem else [prediction_files.and_way(self.folder, problem)]
        tables, left_out = contents.asked_tables(), contents.left_out_lines(self.folder)
        if damage and (not partial or not tables):
            how = "trains" if contents.damage else "trains nothing, and computes"
            way = WAYS[partial].format(f"`{commands.resume(self.folder)}` {how}")
            raise DamageError("\n".join([f"{self.folder}: damaged:", *(f"  {line}" for line in damage), way]))
        if not tables:
            none = f"holds no finished run yet; {way_to_train(self.folder, 'what its study.yaml names')}"
            raise StoreError("\n".join(f"{self.folder}: {line}" for line in (none, *left_out)))
        manifest, study = contents.manifest, stored_study(self.folder)
        rows = in_order(list(tables.values()), of_manifest(manifest))
        runs, steps, layers = explode(rows, manifest.get("label_prefixes", {}))
        runs = with_stage(runs, of_sweep(study))
        without, histograms = lacking(rows, study), histograms_of(rows, layers)
        frames = with_empty_columns(runs, steps, layers, without)
        untrained = tuple(contents.untrained(self.folder))
        about = (*notes, *contents.notes(), *untrained, *left_out), tuple(damage), untrained
        predicted = prediction_files.frame_of(theory, runs, of_manifest(manifest))
        own = self.folder, study, manifest, *frames, histograms, without
        return Results(*own, *about, left_out=contents.left_out, predictions=predicted)


def or_problem(read: Callable[[Path], Any], folder: Path) -> tuple[Any, str]:
    """Read one of a folder's lists of runs; None, and what is wrong with it, where it is not what was written."""
    try:
        return read(folder), ""
    except PlannedError as error:
        return None, str(error)


def stored_study(folder: Path) -> dict[str, Any]:
    """Read a folder's resolved study, validated as a plan's file is.

    Raises:
        StoreError: it is not one; names file and key.
    """
    path = folder / "study.yaml"
    try:
        content = content_of(path, yaml_text.MOST_BYTES)
        return read_study(content.decode(), path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise StoreError(f"{path}: cannot be read (it is not UTF-8)") from None
    except ValueError as error:
        raise StoreError(str(error)) from None


def load(folder: str | Path, partial: bool = False, predictions: bool = True) -> Results:
    """Read a study's folder, for instance ``results/depth``, into frames: see ``Stored.results``."""
    return Stored(folder).results(partial, predictions)


def write_part(folder: Path, name: str, rows: Sequence[Mapping[str, Any]], ending: str = "parquet") -> str:
    """Write runs as one part and return the file's SHA-256.

    Columns that a run lacks are null in its row. The file appears under its name only when it is whole.

    Raises:
        StoreError: it cannot be written.
    """
    names = list(dict.fromkeys(column for row in rows for column in row))
    return write_table(
        folder, name, pa.table({column: pa.array([row.get(column) for row in rows]) for column in names}), ending
    )


def write_table(folder: Path, name: str, table: pa.Table, ending: str = "parquet") -> str:
    """Write one part whole, under a temporary name first; returns its SHA-256."""
    path = folder / "parts" / f"{name}.{ending}"
    temporary = path.with_suffix(f".{OWN}.tmp")
    words = [field.name for field in table.schema if pa.types.is_string(field.type)]
    table = part_checks.with_checksum(table)
    with writing(path, temporary):
        # Statistics and the Arrow schema would be most of a small part.
        with pq.ParquetWriter(
            temporary,
            table.schema.remove_metadata(),
            compression="zstd",
            compression_level=19,
            use_dictionary=words,
            write_statistics=False,
            store_schema=False,
            write_page_checksum=True,
        ) as writer:
            writer.write_table(table.replace_schema_metadata())
            writer.add_key_value_metadata(table.schema.metadata)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        return file_sha256(path)


def compact(stored: Stored, prune: bool = False) -> None:
    """Merge a finished study's parts: a tenth of the size, and the same bytes however it was cut into jobs.

    Runs that the study does not ask for any more get parts of their own. Killed in between, it leaves runs in two
    parts, of which reading takes the one that the manifest lists.

    Args:
        stored: what the folder holds.
        prune: whether runs that the study does not ask for are left out for good: nothing else is removed.
    """
    folder, contents = stored.folder, stored.read()
    manifest, names = contents.manifest, part_names(folder)
    tables = contents.asked_tables() if prune else contents.tables
    merged = pieces(list(tables.values()), of_manifest(manifest), contents.left_out)
    if names != sorted(f"{name}.parquet" for name in merged) or names != sorted(manifest.get("parts", {})):
        manifest["parts"] = {f"{name}.parquet": write_table(folder, name, piece) for name, piece in merged.items()}
        for name, piece in merged.items():
            stored.note(f"{name}.parquet", piece, manifest["parts"][f"{name}.parquet"])
        write_manifest(folder, manifest)
        for name in {*contents.tables, *contents.spare} - set(manifest["parts"]):  # never what could not be read
            (folder / "parts" / name).unlink(missing_ok=True)
    if prune:  # last: until then, what is still there is told from another study's
        write_earlier(folder, {})


def pieces(tables: Sequence[pa.Table], order: Sequence[Setting], left_out: Collection[str] = ()) -> dict[str, pa.Table]:
    """Cut the runs of a finished study into parts, by the names of these: always the same for the same runs.

    Args:
        tables: of the runs, each of which is in one of them.
        order: the settings by which they are sorted.
        left_out: those that the study does not ask for: they have parts of their own.
    """
    cut = {}
    runs = {run for table in tables for run in table["run"].to_pylist()}
    for own in (runs - set(left_out), runs & set(left_out)):
        if some := [of for table in tables if len(of := part_checks.of_runs(table, own))]:
            rows = in_order(some, order)
            for begin in range(0, len(rows), RUNS_IN_PART):
                piece = rows.slice(begin, RUNS_IN_PART)
                cut[hashlib.sha256("".join(piece["run"].to_pylist()).encode()).hexdigest()[:16]] = piece
    return cut


def checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints of runs that were begun and are not finished."""
    return list((folder / "parts").glob("*.checkpoint"))


def unbegun(folder: Path) -> bool:
    """Whether nothing was stored here yet: no folder, an empty one, or one whose run was killed before its manifest."""
    if not folder.is_dir():
        return not folder.exists()
    return not any(folder.iterdir()) or ((folder / LOCK).exists() and not (folder / MANIFEST).exists())


def create(
    folder: Path,
    study_yaml: str,
    sources: Mapping[str, Path],
    manifest: Mapping[str, Any],
    runs: Iterable[str],
    earlier: Mapping[str, Why] = MappingProxyType({}),
) -> None:
    """Make or refresh a study's folder: its parts folder, resolved study, copied sources, planned runs and manifest.

    Args:
        folder: the study's.
        study_yaml: the resolved study.
        sources: the files to copy, by their path in ``sources/``.
        manifest: see ``write_manifest``; of ``sources`` what it said before, which runs planned earlier may need.
        runs: those that are planned.
        earlier: those that were and are not any more, and why.
    """
    refuse_links(folder)
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    checksums = {}
    for place, source in sources.items():
        content, target = source.read_bytes(), folder / COPIES / place
        for one in (target, *target.parents):
            if one.is_symlink() and one != folder and folder in one.parents:
                one.unlink()  # the link alone: what it leads to is not ours
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file() or target.read_bytes() != content:
            write_bytes(target, content)
        checksums[place] = hashlib.sha256(content).hexdigest()
    before, _ = or_problem(read_earlier, folder)
    if new := {run: why for run, why in earlier.items() if run not in (before or {})}:
        write_earlier(folder, {**(before or {}), **new})  # first: a run that is in both lists is planned
    write_planned(folder, runs)
    write_earlier(folder, earlier)
    write_text(folder / "study.yaml", study_yaml)
    kept = earlier_sources.still_there(folder, manifest, sources.keys()) if earlier else {}
    write_manifest(folder, {**manifest, COPIES: {**kept, **checksums}})


def refuse_links(folder: Path) -> None:
    """Refuse a folder whose own folders or logs lead out of it: they are written, and cleared, and read.

    Raises:
        StoreError: one does; says which.
    """
    for name in ("parts", WEIGHTS, COPIES, "tables", "figures", LOCK, "run.log"):
        if (folder / name).is_symlink():
            raise StoreError(f"{folder / name}: is a link, and what it leads to is not written; remove the link")
