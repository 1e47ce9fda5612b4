"""The columns of a Parquet file: its footer is looked at before anything is unpacked."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from actlab.data.limits import BYTES, LETTERS, require_bytes, require_values
from actlab.data.sheet import require_unique, tidy
from actlab.data.table import DataError
from actlab.sources import first_line

FOOTER_BYTES = 2**26
ROWS = 2**16  # read at a time
MAGIC = b"PAR1"


def table(path: Path, drop: Sequence[str]) -> tuple[Any, list[str]]:
    """Read a file's columns, but for those that a study leaves out; also the names of all.

    Raises:
        DataError: it holds what is no column of numbers or text, or too much.
        Exception: pyarrow's own, which have no base in common: it is damaged.
    """
    import pyarrow
    import pyarrow.parquet as parquet

    require_footer(path)
    with parquet.ParquetFile(path) as file:
        schema, about = file.schema_arrow, file.metadata
        require_values(about.num_rows, len(schema.names), path)
        names = [name for name in schema.names if tidy(name) not in drop]
        require_unique([tidy(name) for name in schema.names], path)
        for name in names:
            require_flat(name, schema.field(name).type, path)
        texts = [name for name in names if is_text(schema.field(name).type)]
        require_bytes(unpacked(about, names), path, "what it holds")
    pieces, held = [], 0
    with parquet.ParquetFile(path, read_dictionary=texts, page_checksum_verification=True) as file:
        for batch in file.iter_batches(batch_size=ROWS, columns=names):
            held += size(batch, texts, path)
            require_bytes(held, path, "what it holds")
            pieces.append(batch)
    read = pyarrow.Table.from_batches(pieces) if pieces else schema.empty_table().select(names)
    for name in texts if pieces else ():
        place = read.schema.get_field_index(name)
        read = read.set_column(place, schema.field(name), read.column(place).cast(schema.field(name).type))
    return read.replace_schema_metadata(schema.metadata), schema.names


def require_footer(path: Path) -> None:
    """Refuse a file that has no footer, or one of a size that no table has.

    Raises:
        DataError: see above.
    """
    with path.open("rb") as file:
        begin = file.read(4)
        end = file.seek(max(0, os.fstat(file.fileno()).st_size - 8))
        tail = file.read(8)
    if begin != MAGIC or tail[4:] != MAGIC or end < 4:
        raise DataError(f"{path}: cannot be read as .parquet: it is no Parquet file, or its end is missing")
    if (footer := int.from_bytes(tail[:4], "little")) > min(FOOTER_BYTES, end):
        raise DataError(f"{path}: cannot be read as .parquet: its footer has {footer:,} bytes, which no table needs")


def is_text(kind: Any) -> bool:
    """Whether a column holds text or bytes, of any length."""
    import pyarrow.types as types

    kinds = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    return any(is_kind(kind) for is_kind in kinds)


def require_flat(name: str, kind: Any, path: Path) -> None:
    """Refuse a column whose values are lists, records or the like: how much they hold stands in no footer.

    Raises:
        DataError: naming the column.
    """
    import pyarrow.types as types

    held = kind.value_type if types.is_dictionary(kind) else kind
    if types.is_nested(held):
        raise DataError(
            f"{path}: column {name!r}, row 1: expected a number or text, found {kind}; data.drop leaves the column out"
        )


def unpacked(about: Any, names: Sequence[str]) -> int:
    """Add up what a footer says that some columns take."""
    groups = [about.row_group(i) for i in range(about.num_row_groups)]
    total = sum(max(group.total_byte_size, 0) for group in groups)
    if total <= BYTES:
        return total
    chunks = [group.column(i) for group in groups for i in range(group.num_columns)]
    return sum(max(one.total_uncompressed_size, 0) for one in chunks if one.path_in_schema in names)


def size(batch: Any, texts: Sequence[str], path: Path) -> int:
    """Count the bytes that rows take once their texts are written out.

    Raises:
        DataError: a text is too long.
    """
    import pyarrow
    from pyarrow import compute

    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            column.validate(full=True)
        except pyarrow.ArrowInvalid as error:
            raise DataError(f"{path}: column {name!r} is damaged: {first_line(error)}") from None
    total = batch.nbytes
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if not (pyarrow.types.is_dictionary(column.type) and is_text(column.type.value_type)):
            continue
        lengths = compute.binary_length(column.dictionary)
        longest = compute.max(lengths).as_py() or 0
        if longest > LETTERS:
            raise DataError(
                f"{path}: column {name!r} has a value of {longest:,} bytes; a text may have {LETTERS:,}; data.drop "
                "leaves the column out"
            )
        if name in texts:  # which will be written out
            total += compute.sum(compute.take(lengths, column.indices)).as_py() or 0
    return int(min(total, BYTES + 1))


def with_missing(stored: Any) -> Any:
    """Return the type of pandas' that keeps integers and truth values what they are beside missing ones."""
    import pyarrow.types as types

    if types.is_boolean(stored):
        return pd.BooleanDtype()
    return pd.Series([], dtype=stored.to_pandas_dtype()).convert_dtypes().dtype if types.is_integer(stored) else None
