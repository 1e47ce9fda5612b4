"""The arrays of an .npz file: what its headers say is looked at before anything is unpacked."""

import math
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from actlab.data.limits import COLUMNS, require_bytes, require_names, require_values
from actlab.data.table import DataError
from actlab.naming import shortened

MOST_ARRAYS = 10_000
HEADER_BYTES = 10_000  # as many as NumPy reads
KINDS = {"O": "Python objects", "V": "bytes without a type, or records", "c": "complex numbers"}
END = b"PK\x05\x06"


def names_in(path: Path) -> list[str]:
    """List the arrays of a file.

    Raises:
        DataError: there are too many.
        OSError, ValueError, zipfile.BadZipFile, ...: it is none.
    """
    if path.stat().st_size == 0:
        raise DataError(f"{path}: expected arrays x and y, found an empty file")
    with path.open("rb") as file:
        number = members(file)
    if number > MOST_ARRAYS:
        raise DataError(f"{path}: holds {number:,} arrays; actlab reads at most {MOST_ARRAYS:,}")
    with zipfile.ZipFile(path) as archive:
        names = [one.filename.removesuffix(".npy") for one in archive.infolist()]
    require_names(names, path)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{path}: two arrays are named {twice[0]!r}; expected different names")
    return names


def members(file: BinaryIO) -> int:
    """Count what an archive may list, by the size of its list, of which ``zipfile`` reads no more.

    Raises:
        zipfile.BadZipFile: it has no list.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - 2**16 - 22 - 76))
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or at + 22 > len(tail):
        raise zipfile.BadZipFile("File is not a zip file")
    number, listed = struct.unpack("<HI", tail[at + 10 : at + 16])
    if 0xFFFF_FFFF in (listed,) or number == 0xFFFF:  # then it stands before, in 64 bits
        large = tail.rfind(b"PK\x06\x06", 0, at)
        if large >= 0 and large + 48 <= len(tail):
            number, listed = struct.unpack("<QQ", tail[large + 32 : large + 48])
    return max(int(number), int(listed) // 1000)  # an entry has 46 bytes, a name and what is added to it


def array(path: Path, name: str, numbers: bool) -> np.ndarray:
    """Read one array.

    Args:
        path: the file.
        name: of the array.
        numbers: whether it may hold nothing else.

    Raises:
        DataError: it holds something else, or too much.
        OSError, ValueError, zipfile.BadZipFile, ...: it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        info = next(one for one in archive.infolist() if one.filename.removesuffix(".npy") == name)
        label = shortened(f"array {name!r}", 60)
        with archive.open(info) as stream:
            shape, dtype, begin = header(stream, path, label)
        check(shape, dtype, numbers, path, label)
        size = begin + math.prod(shape) * dtype.itemsize
        if size != info.file_size:
            raise DataError(
                f"{path}: {label} is damaged: its header says {shape} of {dtype}, {size:,} bytes, and it has "
                f"{info.file_size:,}"
            )
        with archive.open(info) as stream:
            return np.asarray(npy.read_array(stream, allow_pickle=False))


def header(stream: Any, path: Path, label: str) -> tuple[tuple[int, ...], np.dtype, int]:
    """Read shape and type of an array, and where its values begin.

    Raises:
        DataError: there is no such header.
    """
    begin = stream.read(12)
    if begin[:6] != npy.MAGIC_PREFIX or len(begin) < 12:
        raise DataError(f"{path}: {label} is no array that NumPy wrote; expected np.savez(file, x=..., y=...)")
    long = begin[6] > 1
    size = int.from_bytes(begin[8 : 12 if long else 10], "little")
    if size > HEADER_BYTES:
        raise DataError(f"{path}: {label} has a header of {size:,} bytes; expected numbers or text")
    stream.seek(0)
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{path}: {label} holds {KINDS['V']}; expected numbers or text")
    try:
        read = npy.read_array_header_2_0 if long else npy.read_array_header_1_0
        shape, _, dtype = read(stream, max_header_size=HEADER_BYTES)
    except Exception:  # NumPy's, of Python's parser, of the parser of types
        raise DataError(f"{path}: {label} has a damaged header; expected np.savez(file, x=..., y=...)") from None
    return shape, dtype, (12 if long else 10) + size


def check(shape: tuple[int, ...], dtype: np.dtype, numbers: bool, path: Path, label: str) -> None:
    """Refuse an array by what its header says.

    Raises:
        DataError: it holds something else, or too much.
    """
    if dtype.kind in KINDS or dtype.fields or (numbers and dtype.kind not in "fiub"):
        held = f"an array of {KINDS[dtype.kind]}" if dtype.kind in KINDS else f"{dtype}"
        expected = "numbers" if numbers else "numbers or text"
        raise DataError(f"{path}: {label} holds {held}; expected {expected}")
    if any(one < 0 for one in shape):
        raise DataError(f"{path}: {label} is damaged: its header says shape {shape}")
    rows, columns = (shape[0] if shape else 1), math.prod(shape[1:])
    if len(shape) <= 2 or columns > COLUMNS:
        require_values(rows, columns, f"{path}: {label}")
    require_values(rows * columns, 1, f"{path}: {label}")
    require_bytes(math.prod(shape) * dtype.itemsize, path, label)
