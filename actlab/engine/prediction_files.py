"""What theory predicts of a study's networks as they are drawn: ``predictions.parquet`` in its folder, and its frame.

One row for each cell, measure and layer. A cell is what a prediction depends on: runs that differ in their seed, or in
how they are trained, share one. Each cell has one row without a measure before its others, which names its runs, and
says why nothing is predicted of it, where that is so.

The file is written whole, under a temporary name first. It counts where its SHA-256 is the one in the manifest; where
that lists none, since a run was killed before it could note it, by the checksum that the file has itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actlab import commands
from actlab.engine import part_checks
from actlab.engine.files import content_of, write_bytes
from actlab.engine.manifest import MANIFEST, PREDICTIONS
from actlab.engine.part_checks import CHECKSUM, PartError
from actlab.later import Later, pd
from actlab.study.settings import CONTENT, OF_PREDICTION, Setting

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa, pq = Later("pyarrow"), Later("pyarrow.parquet")

FILE = "predictions.parquet"
TYPES = {
    "cell": "string",
    "runs": "string",
    "measure": "string",
    "layer": "int32",
    "value": "double",
    "numerical_error": "float",
    "spread": "float",
    "assumption": "string",
}
"""The columns of the file."""
UNHEARD = ("data.target_loss", "model.dtype", "model.dropout.rate", "model.dropout.kind")
"""Keys of data and model that no prediction depends on."""
FOLLOWING = (*(name + CONTENT for name in ("data", "activation", "weight_init", "bias_init")), "weight_init_used")
"""Columns without a key that tell cells apart."""

Rows = Mapping[str, "pa.Table"]
"""The rows of the file by cell, each cell's first one naming its runs."""


def read(folder: Path, manifest: Mapping[str, Any]) -> tuple[pa.Table | None, str]:
    """Read a folder's predictions: None where there are none; and what is wrong with them, if anything is.

    That is a line to stand beside those on damaged measurements; ``and_way`` adds which command mends it.
    """
    listed = manifest.get(PREDICTIONS, {}).get("sha256")
    try:
        content = content_of(folder / FILE, part_checks.MOST_BYTES)
        return sound(content, listed), ""
    except FileNotFoundError:
        why = f"is gone, which {MANIFEST} lists" if listed else ""
    except PartError as error:
        why = str(error)
    except IsADirectoryError:
        why = "is a folder, which must be moved away"
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:
        why = f"cannot be read ({getattr(error, 'strerror', None) or 'it is no file of predictions'})"
    return None, f"{FILE}, which holds theory's predictions, {why}" if why else ""


def and_way(folder: Path, problem: str) -> str:
    """Add to what is wrong with a folder's predictions which command computes them again.

    >>> and_way(Path("r"), "predictions.parquet is gone")
    'predictions.parquet is gone; `actlab run r/study.yaml --out r` computes them again, without training'
    """
    return f"{problem}; `{commands.resume(folder)}` computes them again, without training"


def sound(content: bytes, listed: str | None) -> pa.Table:
    """Read a file's rows.

    Args:
        content: of the file.
        listed: the SHA-256 that the manifest has of it; None where it has none.

    Raises:
        PartError: they are not what was written.
    """
    if listed not in (None, hashlib.sha256(content).hexdigest()):
        raise PartError(f"was altered or cut short: its SHA-256 is not the one in {MANIFEST}")
    table = part_checks.unpacked(content)
    if {field.name: str(field.type) for field in table.schema} != TYPES:
        raise PartError("has other columns than predictions have")
    table.validate(full=True)
    if (table.schema.metadata or {}).get(CHECKSUM) != part_checks.checksum(table).encode():
        raise PartError("was altered: its rows are not those of its own checksum")
    return table


def write(folder: Path, cells: Rows) -> str:
    """Write the rows of some cells, sorted by these, and return the file's SHA-256.

    Raises:
        StoreError: they cannot be written.
    """
    table = part_checks.with_checksum(pa.concat_tables(cells[cell] for cell in sorted(cells)))
    buffer = pa.BufferOutputStream()
    words = [name for name, kind in TYPES.items() if kind == "string"]
    options = {"compression": "zstd", "compression_level": 19, "write_statistics": False, "store_schema": False}
    plain = table.replace_schema_metadata()
    with pq.ParquetWriter(buffer, plain.schema, use_dictionary=words, write_page_checksum=True, **options) as writer:
        writer.write_table(plain)
        writer.add_key_value_metadata(table.schema.metadata)
    content = buffer.getvalue().to_pybytes()
    with suppress(OSError):  # an empty folder in its place; one that holds anything is left, and in the way
        (folder / FILE).rmdir()
    write_bytes(folder / FILE, content)
    return hashlib.sha256(content).hexdigest()


def rows_of(cell: str, why_not: str, predicted: Iterable[tuple[Any, ...]]) -> pa.Table:
    """Make the rows of a cell, whose runs are still to be named.

    Args:
        cell: its name.
        why_not: why nothing is predicted of it, if nothing is.
        predicted: what stands in the columns ``OF_PREDICTION``, for each prediction.
    """
    first = (cell, "", "", 0, float("nan"), float("nan"), float("nan"), why_not)
    rows = [first, *((cell, None, *one) for one in predicted)]
    columns = zip(TYPES.items(), zip(*rows, strict=True), strict=True)
    return pa.table({name: pa.array(values, kind_of(kind)) for (name, kind), values in columns})


def kind_of(kind: str) -> pa.DataType:
    """Return a type by its name."""
    return pa.float32() if kind == "float" else pa.float64() if kind == "double" else pa.type_for_alias(kind)


def of_runs(rows: pa.Table, runs: Iterable[str]) -> pa.Table:
    """Return the rows of a cell, as those of some runs."""
    names: list[str | None] = [" ".join(sorted(runs)), *([None] * (len(rows) - 1))]
    return rows.set_column(1, "runs", pa.array(names, pa.string()))


def by_cell(table: pa.Table | None) -> dict[str, pa.Table]:
    """Cut a file's rows into those of each cell."""
    if table is None:
        return {}
    first = [i for i, measure in enumerate(table["measure"].to_pylist()) if measure == ""]
    ends = [*first[1:], len(table)]
    cells = table["cell"].take(pa.array(first, pa.int64())).to_pylist()
    return {cell: table.slice(begin, end - begin) for cell, begin, end in zip(cells, first, ends, strict=True)}


def why_not(rows: pa.Table) -> str:
    """Say why nothing is predicted of a cell; empty where something is."""
    return str(rows["assumption"][0].as_py())


def runs_of(rows: pa.Table) -> list[str]:
    """List the runs of a cell."""
    return str(rows["runs"][0].as_py()).split()


def only(cells: Rows, wanted: Collection[str]) -> dict[str, pa.Table]:
    """Return the rows of those cells that some of these runs are of, as those of these runs."""
    own = {cell: [run for run in runs_of(rows) if run in wanted] for cell, rows in cells.items()}
    return {cell: of_runs(cells[cell], runs) for cell, runs in own.items() if runs}


def joined(several: Sequence[Rows]) -> dict[str, pa.Table]:
    """Join what several folders hold: of each cell the first one's predictions, as those of all its runs."""
    first = {cell: rows for one in reversed(several) for cell, rows in one.items()}
    runs = {cell: {run for one in several if cell in one for run in runs_of(one[cell])} for cell in first}
    return {cell: of_runs(rows, runs[cell]) for cell, rows in first.items()}


def frame_of(table: pa.Table | None, runs: pd.DataFrame, settings: Sequence[Setting]) -> pd.DataFrame:
    """Make the frame ``predictions`` of the cells of some runs, with the settings that make one as ``runs`` has them.

    Args:
        table: the file's rows; None where there are none.
        runs: the frame.
        settings: the columns of ``runs`` that are settings, in the order of display; those without a value are left
            out.
    """
    keys = [one.column for one in settings if matters(one) and one.column in runs and runs[one.column].notna().any()]
    cells = by_cell(table)
    of_run = {run: cell for cell, rows in cells.items() for run in runs_of(rows)}
    made = runs[keys].assign(cell=runs["run"].map(of_run)).dropna(subset=["cell"]).drop_duplicates()
    if table is None or made.empty:
        return pd.DataFrame(columns=["cell", *keys, *OF_PREDICTION])
    rows = table.drop_columns(["runs"]).to_pandas()
    rows = rows[(rows["measure"] != "") | (rows["assumption"] != "")]
    # In float32 the square of a spread of 1e-24 is nothing.
    rows = rows.astype({name: float for name, kind in TYPES.items() if kind == "float"})
    return made[["cell", *keys]].merge(rows, on="cell").reset_index(drop=True)


def matters(setting: Setting) -> bool:
    """Whether predictions depend on a setting."""
    of_network = setting.key.startswith(("data.", "model.")) and setting.key not in UNHEARD
    return of_network or setting.key == "measure.probe_rows" or setting.column in FOLLOWING


def of_frame(predictions: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the frame that are of some runs."""
    if predictions.empty:
        return predictions
    keys = [name for name in predictions if name not in ("cell", *OF_PREDICTION)]
    return predictions.merge(runs[keys].drop_duplicates(), on=keys).reset_index(drop=True)
