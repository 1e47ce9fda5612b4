"""Data files of every odd kind, and damaged ones by the thousand: a sentence each, at once, no more."""

import argparse
import gzip
import io
import os
import struct
import sys
import warnings
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from actlab import data
from actlab.data import limits

ROWS = 60
X = np.random.default_rng(0).normal(size=ROWS)
KINDS = np.array(["p", "q"])[np.arange(ROWS) % 2]
TEXT = "a,b,y\n" + "".join(f"{i * 1.5},{i * i % 7},{'pq'[i % 2]}\n" for i in range(ROWS))


def npy(array):
    file = io.BytesIO()
    np.lib.format.write_array(file, array)
    return file.getvalue()


def header(shape, kind="<f8"):
    file = io.BytesIO()
    np.lib.format.write_array_header_2_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue()


def npz(x=npy(X[:, None]), y=npy(KINDS), **others):  # noqa: B008
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {"x": x, "y": y, **others}.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def claiming(size, shape):
    """Arrays whose list says, of x, that it has so many bytes; there are few."""
    content = npz(header(shape) + bytes(64))
    at = content.index(b"PK\x01\x02") + 24
    return content[:at] + struct.pack("<I", size) + content[at + 4 :]


def parquet(**columns):
    file = io.BytesIO()
    pq.write_table(pa.table({"a": X, **columns}), file)
    return file.getvalue()


def repeated(rows, groups, **columns):
    """Write the same rows again and again: little on the disk, much in memory."""
    same = pa.array(np.zeros(rows, np.int32))
    table = pa.table({name: pa.DictionaryArray.from_arrays(same, [value]) for name, value in columns.items()})
    file = io.BytesIO()
    with pq.ParquetWriter(file, table.schema, store_schema=False) as writer:  # to a reader they are plain columns
        for _ in range(groups):
            writer.write_table(table)
    return file.getvalue()


def with_line(line):
    return TEXT.replace("\n", f"\n{line}\n", 1).encode()


BAD_TEXT = pa.Array.from_buffers(
    pa.string(), ROWS, [None, pa.py_buffer(np.arange(ROWS + 1, dtype=np.int32)), pa.py_buffer(b"\xff\xfe" * ROWS)]
)
GOOD = npz()

# name: (content, what the message must say)
REFUSED = {
    "void.npz": (lambda: npz(y=npy(np.zeros(ROWS, "V4"))), "bytes without a type, or records"),
    "records.npz": (lambda: npz(y=npy(np.zeros(ROWS, [("a", "f4"), ("b", "i4")]))), "records"),
    "records_x.npz": (lambda: npz(x=npy(np.zeros((ROWS, 2), [("a", "f4")]))), "records"),
    "complex.npz": (lambda: npz(y=npy(np.ones(ROWS) * 1j)), "complex numbers"),
    "objects.npz": (lambda: npz(y=npy_of_objects()), "Python objects"),
    "surrogates.npz": (lambda: npz(y=npy(np.array(["p", "\ud800"] * 30))), "letters that Unicode does not have"),
    "long.npz": (lambda: npz(x=header((10**12,))), "1,000,000,000,000 rows"),
    "wide.npz": (lambda: npz(x=header((6, 10**6))), "1,000,000 columns"),
    "huge.npz": (lambda: npz(x=header((10**30, 3))), "at most 250,000,000 values"),
    "deep.npz": (lambda: npz(x=header((9, 9, 10**9))), "at most"),
    "empty_items.npz": (lambda: npz(y=header((10**12,), "|S0")), "1,000,000,000,000 rows"),
    "long_labels.npz": (lambda: npz(y=header((ROWS,), "<U200000000")), "once it is unpacked"),
    "negative.npz": (lambda: npz(x=header((-1, 3))), "damaged"),
    "brackets.npz": (lambda: npz(x=b"\x93NUMPY\x01\x00v\x00" + b"[" * 117 + b"\n"), "damaged header"),
    "long_header.npz": (lambda: npz(x=b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b"[" * 99), "header of 2,147,483,647"),
    "cut_array.npz": (lambda: npz(x=npy(X[:, None])[:-8]), "damaged: its header says"),
    "more_than_said.npz": (lambda: npz(x=npy(X[:, None]) + bytes(10**6)), "damaged: its header says"),
    "lying_list.npz": (lambda: claiming(8 * 10**8 + 128, (10**8, 1)), "cannot be read as .npz"),
    "magic.npz": (lambda: npz(x=b"not an array"), "no array that NumPy wrote"),
    "nested.npz": (lambda: npz(x=GOOD), "no array that NumPy wrote"),
    "empty_array.npz": (lambda: npz(x=b""), "no array that NumPy wrote"),
    "many.npz": (lambda: npz(**{f"a{i}": b"" for i in range(10_001)}), "actlab reads at most 10,000"),
    "long_name.npz": (lambda: npz(**{"a" * 60_000: b""}), "a name of 60,000 letters"),
    "text.npz": (lambda: b"hello", "not a zip file"),
    "empty.npz": (lambda: b"", "an empty file"),
    "cut.npz": (lambda: GOOD[: len(GOOD) // 2], "cannot be read as .npz"),
    "lists.parquet": (lambda: parquet(b=[[1, 2]] * ROWS, y=KINDS), "data.drop leaves the column out"),
    "records.parquet": (lambda: parquet(y=[{"a": 1}] * ROWS), "found struct<a: int64>"),
    "maps.parquet": (lambda: parquet(y=pa.array([[("a", 1)]] * ROWS, pa.map_(pa.string(), pa.int64()))), "found map<"),
    "bytes.parquet": (lambda: parquet(b=pa.array([b"x\xff"] * ROWS), y=KINDS), "data.drop leaves the column out"),
    "no_text.parquet": (lambda: parquet(y=BAD_TEXT), "column 'y' is damaged"),
    "long.parquet": (lambda: repeated(2**20, 1, **{f"c{i}": 0.0 for i in range(250)}), "at most 250,000,000 values"),
    "long_text.parquet": (lambda: repeated(1000, 4, a=0.0, s="z" * 10**6, y="p"), "a value of 1,000,000 bytes"),
    "much_text.parquet": (lambda: repeated(2**15, 3, a=0.0, s="z" * 10**5, y="p"), "once it is unpacked"),
    "name.parquet": (lambda: parquet(**{"b" * 1001: X, "y": KINDS}), "a name of 1,001 letters"),
    "footer.parquet": (lambda: parquet(y=KINDS)[:-8] + b"\xff\xff\xff\x7fPAR1", "its footer has 2,147,483,647 bytes"),
    "cut.parquet": (lambda: parquet(y=KINDS)[:-9], "it is no Parquet file, or its end is missing"),
    "text.parquet": (lambda: TEXT.encode(), "it is no Parquet file"),
    "field.csv": (lambda: with_line("1,2," + "z" * 200_000), "a value has more than 131,072 letters"),
    "open_field.csv": (lambda: with_line('1,2,"' + "z\n" * 200_000), "is a quotation mark left open?"),
    "open.csv": (lambda: with_line('1,2,"p'), "a quotation mark is left open"),
    "open_head.csv": (lambda: b'"' + TEXT.encode(), "expected columns separated by commas"),
    "zero.csv": (lambda: with_line("1,\0,p"), "zero bytes"),
    "line.csv": (lambda: with_line("7" * (limits.LINE_LETTERS + 1)), "line 2: has more than 16,777,216 letters"),
    "wide.csv": (lambda: b"," * 10**6, "1,000,001 columns"),
    "gzip.csv": (lambda: gzip.compress(TEXT.encode()), "it is gzip, not text"),
    "zip.csv": (lambda: GOOD, "it is zip"),
    "name.csv": (lambda: TEXT.replace("b", "b" * 5000, 1).encode(), "a name of 5,000 letters"),
    "label.csv": (lambda: with_line("1,2," + "z" * 50_000), "at least 3 rows of each class"),
    "twice.csv": (lambda: TEXT.replace("b", "a", 1).encode(), "two columns are named 'a'"),
    "nameless.csv": (lambda: TEXT.replace("b", "", 1).encode(), "column 2 has no name"),
}


def npy_of_objects():
    file = io.BytesIO()
    np.lib.format.write_array(file, np.array([{}] * ROWS, object), allow_pickle=True)
    return file.getvalue()


def refused(path, **options):
    """What is said of a file: in one line, in one screen."""
    with pytest.raises(data.DataError) as caught:
        data.load(str(path), **options)
    text = str(caught.value)
    assert "\n" not in text, text
    assert len(text) < 1000, text
    return text.replace(str(path.parent), "")


def test_odd_files_are_refused_by_what_their_headers_say(tmp_path):
    for name, (make, said) in REFUSED.items():
        path = tmp_path / name
        path.write_bytes(make())
        assert said in refused(path), name
        path.unlink()


def test_what_is_no_plain_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.npz").mkdir()
    for name, target in {"zero.csv": "/dev/zero", "loop.csv": "loop.csv", "nowhere.npz": "nothing.npz"}.items():
        (tmp_path / name).symlink_to(target)
    for name in ("sparse.csv", "sparse.npz", "sparse.parquet"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(20 * 2**30)
        assert "holds 21,474,836,480 bytes; actlab reads at most" in refused(tmp_path / name)
    assert "found a pipe" in refused(tmp_path / "pipe.csv")
    assert "found a folder" in refused(tmp_path / "folder.npz")
    assert "found a device" in refused(tmp_path / "zero.csv")
    assert "symbolic links" in refused(tmp_path / "loop.csv")
    assert "No such file" in refused(tmp_path / "nowhere.npz")
    assert "no such file" in refused(tmp_path / f"{'n' * 5000}.csv")
    assert "no such file" in refused(tmp_path / "a\0b.csv")
    assert "no such file" in refused(tmp_path / "~no-such-user" / "rows.csv")


def test_what_is_not_used_is_not_read(tmp_path):
    """A column that a study leaves out may hold anything, and so may an array that is neither x nor y."""
    path = tmp_path / "rows.parquet"
    path.write_bytes(parquet(b=[[1, 2]] * ROWS, s=["z" * 10**6] * ROWS, y=KINDS))
    assert data.load(str(path), drop=("b", "s")).features == ("a",)
    path = tmp_path / "rows.npz"
    path.write_bytes(npz(more=npy_of_objects(), most=header((10**12,))))
    assert data.load(str(path)).features == ("x0",)


def test_bytes_are_labels_and_decoded(tmp_path):
    path = tmp_path / "rows.npz"
    path.write_bytes(npz(y=npy(np.array(["é".encode(), b"q"] * 30))))
    assert data.load(str(path)).classes == ("q", "é")
    path.write_bytes(npz(y=npy(np.array([b"\xff", b"q"] * 30))))
    assert data.load(str(path)).classes == ("q", "\ufffd")


def mutated(content, draw, fragments):
    """Damage bytes as disks, editors and enemies do: flip, cut, repeat, put in, put in what other files hold."""
    content = bytearray(content)
    for _ in range(int(draw.integers(1, 4))):
        at, size = int(draw.integers(len(content) + 1)), int(draw.integers(1, 40))
        match int(draw.integers(6)):
            case 0 if content:
                content[min(at, len(content) - 1)] ^= 1 << int(draw.integers(8))
            case 1:
                del content[at : at + size]
            case 2:
                content[at:at] = content[at : at + size] * int(draw.integers(1, 5))
            case 3:
                content[at:at] = draw.bytes(size)
            case 4:
                piece = fragments[int(draw.integers(len(fragments)))]
                content[at : at + (len(piece) if draw.integers(2) else 0)] = piece
            case 5:
                content[at : at + 4] = b"\xff\xff\xff\x7f"
    return bytes(content)


TEXT_PIECES = [
    b'"',
    b"\0",
    b"\xff",
    b",",
    b"\n",
    b"\r",
    b'""',
    b"'",
    b"1e999",
    b"nan",
    b"NA",
    b"-",
    b"\xef\xbb\xbf",
    b";",
]
TEXT_PIECES += [
    b"9" * 400,
    b"sep=;\n",
    b"\t",
    "é".encode(),
    "\u200b".encode(),
    b"0x1F",
    b"2020-01-01",
    b"=1+1",
    b"\x1b[31m",
]
PIECES = [b"PK\x05\x06", b"PK\x01\x02", b"PAR1", b"\x93NUMPY", bytes(8), b"\xff" * 8, b"'descr': '|O'", b"(10**9, 1)"]
OPTIONS = [
    {},
    {"categorical": "one_hot", "missing": "mean"},
    {"header": False, "categorical": "one_hot", "missing": "drop_rows"},
]
SEEDS = {
    "rows.csv": (TEXT.encode(), TEXT_PIECES),
    "rows.tsv": (TEXT.replace(",", "\t").encode(), TEXT_PIECES),
    "rows.npz": (npz(), PIECES),
    "rows.parquet": (parquet(b=np.arange(ROWS), y=KINDS), PIECES),
}


def fuzz(folder, tries, seed=0):
    """Load so many damaged files of each kind; returns how many were read, how many were refused."""
    counts = {}
    for name, (content, fragments) in SEEDS.items():
        draw, read = np.random.default_rng([seed, *name.encode()]), 0
        path = folder / name
        for number in range(tries):
            path.write_bytes(mutated(content, draw, fragments))
            options = [
                {},
                {"categorical": "one_hot", "missing": "mean"},
                {"header": False, "categorical": "one_hot", "missing": "drop_rows"},
            ][number % 3]
            options = options if name.endswith("sv") else {}
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    data.load(str(path), **options)
                read += 1
            except data.DataError as error:
                text = str(error)
            except BaseException as error:
                raise AssertionError(f"{name}, seed {seed}, try {number}: {type(error).__name__}: {error}") from error
            assert len(text) < 1000, (name, number)
            assert "\n" not in text, (name, number)
        counts[name] = (read, tries - read)
    return counts


def test_damaged_files_are_read_or_refused(tmp_path):
    for name, (read, refusals) in fuzz(tmp_path, 60).items():
        assert refusals > 10, name
        assert read + refusals == 60


if __name__ == "__main__":  # python tests/test_odd_data.py 2000: as many of each kind, and another seed
    from pathlib import Path
    from tempfile import TemporaryDirectory

    asked = argparse.ArgumentParser()
    asked.add_argument("tries", type=int)
    asked.add_argument("seed", type=int, nargs="?", default=1)
    given = asked.parse_args()
    with TemporaryDirectory() as place:
        for kind, (taken, left) in fuzz(Path(place), given.tries, given.seed).items():
            sys.stdout.write(f"{kind}: {taken + left} tries, {taken} read, {left} refused\n")
