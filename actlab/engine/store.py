"""The result store: a study's folder, its part files, its manifest, and the three frames that they hold.

A part is one Parquet file, written whole under a temporary name and renamed, with one row a run: the run's settings and
final numbers as plain columns, its records as list columns (``steps.*`` [R], ``layers.*`` [R·K] for K kept layers). A
part that was cut short or altered is recognised by its checksum in the manifest, or, where the program died before it
could write that down, by the file's own page checksums; its runs count as missing.

While a study is trained the same folder says how far each job is, and whether the jobs are to stop: there is no other
channel between a worker and whoever waits for it.

Reading needs no JAX, and knowing what is there no pandas.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from actlab.later import Later, pd

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa, pq = Later("pyarrow"), Later("pyarrow.parquet")

from actlab.measures import EDGES

# Rows of a frame come in the order of these columns, whatever the order in which jobs finished.
ORDER = (
    *("data", "activation_order", "activation", "depth", "width", "weight_init", "weight_gain", "bias_init"),
    *("optimizer", "learning_rate", "weight_decay", "batch_size", "steps", "seed", "run"),
)
# Columns of older parts, and what they are called now.
RENAMED = {"lane": "runs_per_call", "pieces": "eval_chunks"}
RENAMED_BY_WIDTH = {"runs_per_call_by_width": "lane_by_width", "eval_chunks_by_width": "pieces_by_width"}
# What can change a result's bits, as far as it is software.
VERSIONS = ("actlab", "jax", "jaxlib", "flax", "optax", "numpy", "pandas", "pyarrow", "scikit-learn")
RUNS_IN_PART = 1500  # of a finished study: so many at most are lost with a damaged file
OWN = uuid.uuid4().hex[:12]  # in the names of this process's temporary files; ids of processes repeat on a cluster
LOCK = "run.lock"  # names who trains in this folder, while somebody does


class StoreError(ValueError):
    """The folder is not a study's, or cannot be read or written."""


@cache
def versions() -> dict[str, str]:
    """The installed version of everything that makes a result what it is."""
    return {name: version(name) for name in VERSIONS}


@dataclass(frozen=True)
class Results:
    """A study as it was found on disk.

    Attributes:
        path: the study's folder.
        study: the resolved study, as plain data.
        manifest: versions, platform, timings, checksums.
        runs: one row a run.
        steps: one row a run and record.
        layers: one row a run, record and kept hidden layer.
        histograms: one row a run, record, kept hidden layer and bin that is not empty; none where none were asked for.
    """

    path: Path
    study: dict[str, Any]
    manifest: dict[str, Any]
    runs: pd.DataFrame = field(repr=False)
    steps: pd.DataFrame = field(repr=False)
    layers: pd.DataFrame = field(repr=False)
    histograms: pd.DataFrame = field(repr=False, default_factory=lambda: pd.DataFrame())


def load(folder: str | Path) -> Results:
    """Read a study's folder into frames.

    Args:
        folder: for instance ``results/depth``.

    Returns:
        ``Results`` with ``runs``, ``steps`` and ``layers``, all with plain columns and a RangeIndex.

    Raises:
        StoreError: the folder is missing, is not a study's, or holds no finished run.
    """
    folder = Path(folder)
    manifest, tables = read_parts(folder)
    whole = list(tables.values())
    if not whole:
        raise StoreError(f"{folder}: holds no finished run yet; `actlab run` trains what its study.yaml names")
    rows = in_order(whole)
    runs, steps, layers = explode(rows)
    from ruamel.yaml import YAML

    study = YAML(typ="safe", pure=True).load((folder / "study.yaml").read_text(encoding="utf-8"))
    return Results(folder, study, manifest, runs, steps, layers, histograms_of(rows, layers))


def in_order(tables: list[pa.Table]) -> pa.Table:
    """Parts as one table: each run once, in an order that does not depend on how they were cut into jobs."""
    rows = pa.concat_tables(tables, promote_options="permissive")
    keys = rows.select([name for name in ORDER if name in rows.column_names]).to_pandas()
    return rows.take(keys.drop_duplicates("run").sort_values(list(keys), kind="stable").index.to_numpy())


def explode(rows: pa.Table) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Split one-row-a-run parts into the frames ``runs``, ``steps`` and ``layers``."""
    lists = [name for name in rows.column_names if name.startswith(("steps.", "layers.", "histograms."))]
    runs = one_name(rows.drop_columns(lists).to_pandas())
    steps_of_run, layers_of_run = rows["steps.step"].to_pylist(), rows["layers.layer"].to_pylist()
    records = np.array([len(steps) for steps in steps_of_run])
    kept = np.array([len(layers) for layers in layers_of_run])
    names = runs["run"].to_numpy()
    steps = {"run": np.repeat(names, records), "step": np.concatenate(steps_of_run)}
    layers = {
        "run": np.repeat(names, records * kept),
        "step": np.concatenate([np.repeat(steps, k) for steps, k in zip(steps_of_run, kept, strict=True)]),
        "layer": np.concatenate([np.tile(layers, r) for layers, r in zip(layers_of_run, records, strict=True)]),
    }
    for name in lists:
        frame, column = name.split(".", 1)
        if frame != "histograms" and name not in ("steps.step", "layers.layer"):
            lengths = records if frame == "steps" else records * kept
            (steps if frame == "steps" else layers)[column] = flat(rows[name], lengths)
    return runs, pd.DataFrame(steps), pd.DataFrame(layers)


def histograms_of(rows: pa.Table, layers: pd.DataFrame) -> pd.DataFrame:
    """The counts of bins that are not empty: run, step, layer, of, bin, count.

    Args:
        rows: parts, with columns ``histograms.*`` of flat counts [R·K·bins], null for a run without.
        layers: the frame, whose rows of a run are its records and kept layers in the same order.
    """
    places = layers[["run", "step", "layer"]]
    first_of_run = {run: group.index[0] for run, group in places.groupby("run", sort=False)}
    frames = []
    for name in (name for name in rows.column_names if name.startswith("histograms.")):
        of = name.partition(".")[2]
        for run, flat_counts in zip(rows["run"].to_pylist(), rows[name].combine_chunks(), strict=True):
            if not flat_counts.is_valid:
                continue
            counts = np.asarray(flat_counts.values).reshape(-1, len(EDGES[of]) + 1)
            row, bins = np.nonzero(counts)
            found = places.iloc[first_of_run[run] + row].reset_index(drop=True)
            frames.append(found.assign(of=of, bin=bins, count=counts[row, bins]))
    columns = ["run", "step", "layer", "of", "bin", "count"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def one_name(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs, with data of one content under one name: a file that was renamed between two calls is one setting."""
    if "data_content" in runs:
        runs["data"] = runs.groupby("data_content")["data"].transform("min").fillna(runs["data"])
    return runs


def flat(column: pa.ChunkedArray, lengths: np.ndarray) -> np.ndarray:
    """A list column end to end; NaN for a run of another job that lacks it (no learned alpha, say)."""
    if column.null_count == 0:
        return column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.concatenate(
        [
            np.full(length, np.nan) if values is None else np.asarray(values)
            for values, length in zip(column.to_pylist(), lengths, strict=True)
        ]
    )


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
        return checksum(path)


@contextmanager
def writing(path: Path, temporary: Path) -> Iterator[None]:
    """Around writing a file by way of another name: the other name is gone afterwards, whatever happened.

    Raises:
        StoreError: the file cannot be written; says which, and why.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def compact(folder: Path) -> None:
    """Merge a finished study's parts: a tenth of the size, and the same bytes however it was cut into jobs.

    Killed in between, it leaves runs in two parts, of which reading takes the first.
    """
    manifest, tables = read_parts(folder)
    names = part_names(folder)
    rows = in_order(list(tables.values()))
    merged = {}
    for begin in range(0, len(rows), RUNS_IN_PART):
        piece = rows.slice(begin, RUNS_IN_PART)
        merged[hashlib.sha256("".join(piece["run"].to_pylist()).encode()).hexdigest()[:16]] = piece
    if names == sorted(f"{name}.parquet" for name in merged):
        return
    manifest["parts"] = {f"{name}.parquet": write_table(folder, name, piece) for name, piece in merged.items()}
    write_manifest(folder, manifest)
    for name in set(names) - set(manifest["parts"]):
        (folder / "parts" / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class Heartbeat:
    """What a job last said of itself.

    Attributes:
        pid: its process.
        training: it is past loading and compiling, so that it looks up between segments.
        runs: how many of its runs are trained; the one in hand counts in part.
        saved: how many checkpoints it has saved.
    """

    pid: int = 0
    training: bool = False
    runs: float = 0.0
    saved: int = 0


def write_heartbeat(folder: Path, job: str, training: bool, runs: float, saved: int) -> None:
    """Say how far this process has come with a job."""
    write_text(folder / "parts" / f"{job}.progress", json.dumps(asdict(Heartbeat(os.getpid(), training, runs, saved))))


def read_heartbeat(folder: Path, job: str) -> Heartbeat:
    """What a job last said; nothing yet, where it has not begun."""
    try:
        return Heartbeat(**json.loads((folder / "parts" / f"{job}.progress").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Heartbeat()


def remove_heartbeat(folder: Path, job: str) -> None:
    """Remove what a job said of itself."""
    (folder / "parts" / f"{job}.progress").unlink(missing_ok=True)


def ask_to_stop(folder: Path) -> None:
    """Ask every job of a study to save what it has and end; `touch parts/stop` does it from anywhere."""
    (folder / "parts" / "stop").touch()


def stop_asked(folder: Path) -> bool:
    """Whether the jobs of a study are to end."""
    return (folder / "parts" / "stop").exists()


def lock_owner(folder: Path) -> str | None:
    """What the lock says of the process that trains in a study's folder; None where there is none."""
    try:
        return (folder / LOCK).read_text(encoding="utf-8")
    except OSError:
        return None


def tidy(folder: Path, finished: bool) -> None:
    """Remove what an ended run may have left beside the parts; checkpoints too, once everything is finished."""
    traces = ["stop", "*.progress", "*.tmp", ".*.tmp", "worker-*.log", *(["*.checkpoint"] if finished else [])]
    for path in (path for trace in traces for path in (folder / "parts").glob(trace)):
        path.unlink(missing_ok=True)
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def part_names(folder: Path) -> list[str]:
    """The names of the parts in a study's folder, sorted."""
    return sorted(path.name for path in (folder / "parts").glob("*.parquet"))


def read_parts(folder: Path) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """The manifest and every sound part: {part name: rows}.

    A run that ends meanwhile merges its parts into one: then the names change under our feet, and we look again.
    """
    while True:
        manifest, names = read_manifest(folder), part_names(folder)
        tables = {name: read_part(folder, name, manifest) for name in names}
        if part_names(folder) == names:
            return manifest, {name: table for name, table in tables.items() if table is not None}


def read_part(folder: Path, name: str, manifest: Mapping[str, Any]) -> pa.Table | None:
    """One part's rows, or None where the file is not what was written."""
    path = folder / "parts" / name
    expected = manifest.get("parts", {}).get(name)
    try:
        if expected is not None and checksum(path) != expected:
            return None
        table = pq.ParquetFile(path, page_checksum_verification=True).read()
        return table.rename_columns([RENAMED.get(column, column) for column in table.column_names])
    except (pa.ArrowException, OSError):
        return None


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of runs that were begun and are not finished."""
    return list((folder / "parts").glob("*.checkpoint"))


def stored_runs(folder: Path) -> dict[str, list[str]]:
    """The runs that each sound part holds: {part name: [run]}. Unsound parts are not in it."""
    return {name: table["run"].to_pylist() for name, table in read_parts(folder)[1].items()}


def count_runs(folder: Path) -> int | None:
    """How many runs the parts of a study's folder say they hold; None where it is not a study's, or a part is unsound.

    Only the ends of the files are read, and no checksum taken.
    """
    try:
        read_manifest(folder)
        return sum(pq.read_metadata(folder / "parts" / name).num_rows for name in part_names(folder))
    except (StoreError, pa.ArrowException, OSError):
        return None


def call_sizes(folder: Path) -> dict[int, tuple[int, int]]:
    """As a study was begun, by width: how many runs a call advances, in how many chunks it evaluates.

    Raises:
        StoreError: the folder is not a study's.
    """
    manifest = read_manifest(folder)
    runs, chunks = (manifest.get(name, manifest.get(old, {})) for name, old in RENAMED_BY_WIDTH.items())
    return {int(width): (number, chunks.get(width, 1)) for width, number in runs.items()}


def unbegun(folder: Path) -> bool:
    """Whether nothing was stored here yet: no folder, an empty one, or one whose run was killed before its manifest."""
    if not folder.is_dir():
        return not folder.exists()
    return not any(folder.iterdir()) or ((folder / LOCK).exists() and not (folder / "manifest.json").exists())


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a study's folder.

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


def write_text(path: Path, text: str) -> None:
    """Write a text file whole: under a temporary name, then renamed.

    Raises:
        StoreError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{OWN}.tmp")
    with writing(path, temporary):
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)


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
            shutil.copyfile(source, target)
    write_text(folder / "study.yaml", study_yaml)
    write_manifest(folder, manifest)


def remove_results(folder: Path) -> None:
    """Forget everything that was measured: the parts, and what was made of them (``--fresh``)."""
    for name in ("parts", "tables", "figures", "sources"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("report.md", "manifest.json", "study.yaml"):
        (folder / name).unlink(missing_ok=True)


def checksum(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
