"""What makes a part one: its size, its columns and their types, the lengths of its lists, and its own checksum.

A part may have been cut short, altered, or made by hand. Everything that reading takes for granted is asked for here,
before any of it is read: a part that is not sound is named with what is wrong with it, and its runs do not count.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from actlab.engine.planned import RUN
from actlab.later import Later
from actlab.measures import EDGES, MEASURES
from actlab.study.settings import CONTENT, ENVIRONMENT

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
else:
    pa, pc, pq = Later("pyarrow"), Later("pyarrow.compute"), Later("pyarrow.parquet")

MOST_BYTES = 2**30  # of a file: the committed studies have 1 MB for 900 runs
MOST_ROWS = 100_000
MOST_COLUMNS = 5_000
MOST_VALUES = 2**28  # of all columns together, what is repeated counted as often as it stands there: 2 GiB
MOST_UNPACKED = 2**32  # bytes

CHECKSUM = b"actlab.checksum"
"""Under what name a part's file has the checksum of its own content."""

STEPS, LAYERS, WEIGHTS = "steps.step", "layers.layer", "layers.weights"
FRAMES = ("steps.", "layers.", "histograms.")
TEXT, WHOLE, NUMBER, TRUTH = "text", "a whole number", "a number", "true or false"
NUMBERS, PLACES = "a list of numbers", "a list of whole numbers"
NEEDED = {
    "run": TEXT,
    "seed": WHOLE,
    "data": TEXT,
    "activation": TEXT,
    "depth": WHOLE,
    "width": WHOLE,
    "weight_init": TEXT,
    "optimizer": TEXT,
    "learning_rate": NUMBER,
    "batch_size": WHOLE,
    "steps": WHOLE,
    "status": TEXT,
    "diverged_step": NUMBER,
    **{f"{split}_{name}": NUMBER for split in ("train", "validation", "test") for name in ("loss", "accuracy")},
    "steps_to_target": NUMBER,
    "target_reached": TRUTH,
    "trained": TRUTH,
    "target_loss": NUMBER,
    "constant_loss": NUMBER,
    STEPS: PLACES,
    LAYERS: PLACES,
    **{f"steps.{split}_{name}": NUMBERS for split in ("train", "validation", "test") for name in ("loss", "accuracy")},
}
"""What every version of actlab has written into every part, and no row is without."""

KNOWN = {
    **dict.fromkeys(("data_seed", "train_rows", "activation_order", "freeze_layers"), WHOLE),
    **dict.fromkeys(("every", "evaluate_every", "probe_rows"), WHOLE),
    **dict.fromkeys(
        ("weight_gain", "dropout", "clip_norm", "weight_decay", "runs_per_call", "eval_chunks", "label_noise"), NUMBER
    ),
    **{name: NUMBER for name, one in MEASURES.items() if one.per == "run"},
    **dict.fromkeys(("task", "dtype", "bias_init", "norm", "schedule", "learned", "learnable_per"), TEXT),
    **dict.fromkeys(("weight_init_used", "activation_name", "activation_family", *ENVIRONMENT[:-2]), TEXT),
    **dict.fromkeys(("standardize", "residual"), TRUTH),
    **dict.fromkeys(("decay_activation_parameters", "learn_activation_parameters"), TRUTH),
    WEIGHTS: PLACES,
}
"""What some versions have written, or a study without it leaves out."""

NO_MEASURES = {"run", "step", *KNOWN, *NEEDED} - {*MEASURES}
"""What no column of ``steps`` or ``layers`` is named: columns of ``runs`` are joined to those."""


class PartError(ValueError):
    """A part is not sound; says what is wrong, to stand after the file's name."""


def sound(content: bytes) -> pa.Table:
    """Read a part's rows, if it is one.

    Args:
        content: of its file.

    Raises:
        PartError: it is not; says why.
    """
    try:
        table = unpacked(content)
        check_columns(table)
        check_rows(table)
        check_lists(table)
        expected = (table.schema.metadata or {}).get(CHECKSUM)
        if expected is not None and expected.decode("ascii", "replace") != checksum(table):
            raise PartError("was altered: its rows are not those of its own checksum")
        return table
    except PartError:
        raise
    except UnicodeDecodeError:
        raise PartError("has a name or a text that is not UTF-8") from None
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError, MemoryError) as error:
        said = " ".join(str(error).split())[:200]
        raise PartError(f"cannot be read as a part ({said or type(error).__name__})") from None


def unpacked(content: bytes) -> pa.Table:
    """Unpack a Parquet file that says of itself that it is not too large.

    Raises:
        PartError: it is.
    """
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    about = file.metadata
    if about.num_rows == 0:
        raise PartError("has no rows")
    columns = [about.row_group(i).column(j) for i in range(about.num_row_groups) for j in range(about.num_columns)]
    sizes = {
        "rows": (about.num_rows, MOST_ROWS),
        "columns": (about.num_columns, MOST_COLUMNS),
        "values": (sum(max(one.num_values, 0) for one in columns), MOST_VALUES),
        "bytes unpacked": (sum(max(one.total_uncompressed_size, 0) for one in columns), MOST_UNPACKED),
    }
    for what, (size, most) in sizes.items():
        if size > most:
            raise PartError(f"has {size:,} {what}; a part has at most {most:,}")
    return file.read(use_threads=False)


def check_columns(table: pa.Table) -> None:
    """Refuse columns that are missing, there twice, or of types that no part has.

    Raises:
        PartError: they are.
    """
    names = table.column_names
    if len(set(names)) < len(names):
        raise PartError(f"has the column {twice(names)!r} twice")
    for name in NEEDED:
        if name not in names:
            raise PartError(f"lacks the column {name!r}")
    for name, kind in {**KNOWN, **NEEDED}.items():
        if name in names and not fits(table.schema.field(name).type, kind, name in NEEDED):
            raise PartError(f"column {name!r} is of {table.schema.field(name).type}; expected {kind}")
    for name in names:
        frame, _, inner = name.rpartition(".")
        if (
            not inner.isidentifier()
            or f"{frame}." not in (".", *FRAMES)
            or (frame and inner in NO_MEASURES and name != STEPS)
        ):
            raise PartError(f"has a column {name[:80]!r}, which no part has")
        column = table.schema.field(name).type
        if name.startswith(FRAMES) != (kind_of(column) == NUMBERS) and not pa.types.is_null(column):
            raise PartError(f"column {name!r} cannot be of {column}")
        if kind_of(column) is None:
            raise PartError(f"column {name!r} is of {column}, which no column of a part is")
        if name.startswith("histograms.") and name.partition(".")[2] not in EDGES:
            raise PartError(f"column {name!r} is no histogram")


def twice(names: list[str]) -> str:
    """Pick a name that is there more than once."""
    return Counter(names).most_common(1)[0][0]


def fits(column: pa.DataType, kind: str, needed: bool) -> bool:
    """Whether a column is of a kind: whole numbers are numbers, and one that is not needed may be empty."""
    if kind == PLACES:
        return kind_of(column) == NUMBERS and pa.types.is_integer(column.value_type)
    of = kind_of(column)
    return of == kind or (kind == NUMBER and of == WHOLE) or (of == "" and not needed)


def kind_of(column: pa.DataType) -> str | None:
    """Name the kind of a column's values; None where no part has such, empty where it has nothing but nulls.

    >>> kind_of(pa.int32()), kind_of(pa.list_(pa.float32())), kind_of(pa.binary())
    ('a whole number', 'a list of numbers', None)
    """
    if pa.types.is_null(column):
        return ""
    if pa.types.is_string(column):
        return TEXT
    if pa.types.is_boolean(column):
        return TRUTH
    if pa.types.is_integer(column):
        return WHOLE
    if pa.types.is_float32(column) or pa.types.is_float64(column):
        return NUMBER
    if pa.types.is_list(column) and kind_of(column.value_type) in (WHOLE, NUMBER):
        return NUMBERS
    return None


def check_rows(table: pa.Table) -> None:
    """Refuse rows that are no runs: without a name of their own, without what every run has.

    Raises:
        PartError: some are.
    """
    table.validate(full=True)  # texts are UTF-8, lists lie within their values
    for name in NEEDED:
        if table[name].null_count:
            raise PartError(f"column {name!r} has no value for some runs")
    runs = table["run"].to_pylist()
    for run in runs:
        if not RUN.fullmatch(run):
            raise PartError(f"has a run named {run[:40]!r}, which no run is")
    if len(set(runs)) < len(runs):
        raise PartError(f"has the run {twice(runs)} twice")
    if wrong := set(table["status"].to_pylist()) - {"ok", "diverged"}:
        raise PartError(f"has a run of status {min(wrong)[:40]!r}; expected ok or diverged")
    for name, least in {"depth": 1, "width": 1, "batch_size": 1, "steps": 0}.items():
        if pc.min(table[name]).as_py() < least:
            raise PartError(f"column {name!r} has a number below {least}")


def check_lists(table: pa.Table) -> None:
    """Refuse lists that are not as long as the run's records, kept layers and bins ask for, or have gaps.

    Raises:
        PartError: some are.
    """
    records, kept = lengths(table[STEPS]), lengths(table[LAYERS])
    for name, sizes in ((STEPS, records), (LAYERS, kept)):
        if sizes.min() < 1:
            raise PartError(f"column {name!r} is an empty list for some runs")
        flat, ends = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False), np.cumsum(sizes)
        rising = np.diff(flat) > 0
        rising[ends[:-1] - 1] = True  # from one run to the next
        if not rising.all() or (flat < (1 if name == LAYERS else 0)).any():
            raise PartError(f"column {name!r} does not rise from one entry to the next")
        most = table["depth"] if name == LAYERS else table["steps"]
        if (flat[ends - 1] > most.to_numpy()).any():
            raise PartError(f"column {name!r} goes beyond the run's {'depth' if name == LAYERS else 'steps'}")
    for name in table.column_names:
        column = table[name]
        if not name.startswith(FRAMES) or pa.types.is_null(column.type):
            continue
        expected = records if name.startswith("steps.") else records * kept
        if name in (LAYERS, WEIGHTS):
            expected = kept
        elif name.startswith("histograms."):
            expected = expected * (len(EDGES[name.partition(".")[2]]) + 1)
        there = column.is_valid().to_numpy()
        if (lengths(column)[there] != expected[there]).any():
            run = table["run"][int(np.flatnonzero(there & (lengths(column) != expected))[0])]
            raise PartError(f"column {name!r} of run {run} is not as long as its records and layers ask for")
        if column.combine_chunks().flatten().null_count:
            raise PartError(f"column {name!r} has lists with gaps")


def lengths(column: pa.ChunkedArray) -> np.ndarray:
    """Lengths of a column's lists; 0 for none."""
    return pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)


def checksum(table: pa.Table) -> str:
    """Compute the SHA-256 of what rows hold: of columns by name, with every number as a float64.

    Neither the order of columns, nor those that have no value, nor the precision in which a number is stored count: the
    same rows have the same checksum in whatever part they lie.
    """
    digest = hashlib.sha256()
    for name in sorted(table.column_names):
        column = table[name].combine_chunks()
        if column.null_count == len(column):
            continue
        kind = kind_of(column.type)
        digest.update(json.dumps([name, TEXT if kind == TEXT else NUMBERS if kind == NUMBERS else NUMBER]).encode())
        if kind == TEXT:
            digest.update(json.dumps(column.to_pylist()).encode())
            continue
        digest.update(np.packbits(column.is_valid().to_numpy(zero_copy_only=False)).tobytes())
        if kind == NUMBERS:
            digest.update(lengths(pa.chunked_array([column])).tobytes())
            column = column.flatten()
        numbers = np.asarray(column.drop_null().to_numpy(zero_copy_only=False), dtype=np.float64)
        digest.update(np.where(np.isnan(numbers), np.nan, numbers).tobytes())
    return digest.hexdigest()


def with_checksum(table: pa.Table) -> pa.Table:
    """Note a table's checksum among what its file says of itself."""
    return table.replace_schema_metadata({CHECKSUM: checksum(table).encode()})


def has_checksum(table: pa.Table) -> bool:
    """Whether a part has its own checksum: those of earlier versions have none."""
    return CHECKSUM in (table.schema.metadata or {})


def unlike(one: pa.Table, other: pa.Table) -> str:
    """Name a column that two parts have in different kinds; empty where there is none."""
    for name in one.column_names:
        if name in other.column_names:
            kinds = {kind_of(table.schema.field(name).type) for table in (one, other)} - {""}
            if len(kinds - {WHOLE, NUMBER}) + bool(kinds & {WHOLE, NUMBER}) > 1:
                return name
    return ""


def contradict(one: pa.Table, other: pa.Table, runs: set[str]) -> bool:
    """Whether two parts say different things of some runs that both have."""

    def rows(table: pa.Table) -> Any:
        places = {run: i for i, run in enumerate(table["run"].to_pylist())}
        return table.take([places[run] for run in sorted(runs)])

    return checksum(rows(one)) != checksum(rows(other))


def of_runs(table: pa.Table, runs: set[str]) -> pa.Table:
    """Return a part's rows of some runs, as a part would be that never had the others: columns of theirs alone go.

    Args:
        table: of the part.
        runs: which; others than those that it has count nothing.
    """
    rows = [i for i, run in enumerate(table["run"].to_pylist()) if run in runs]
    if len(rows) in (0, len(table)):
        return table.slice(0, len(rows))
    chosen = table.take(pa.array(rows, pa.int64()))
    for i in reversed(range(chosen.num_columns)):
        name, column = chosen.column_names[i], chosen.column(i)
        if column.null_count < len(column):
            continue
        if name.startswith(FRAMES) or name.endswith(CONTENT):  # what these runs have not is no column of a part
            chosen = chosen.remove_column(i)
        else:
            chosen = chosen.set_column(i, name, pa.nulls(len(column)))
    return chosen
