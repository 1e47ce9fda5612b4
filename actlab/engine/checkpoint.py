"""Where a run batch stands in the middle of its training, on disk: arrays and a checksum, never a pickle.

A checkpoint is the SHA-256 of what follows it, then NumPy's npz: a header, the leaves of the state, and the leaves of
the records so far. It appears under its name only when it is whole. One that is damaged, or was written for other runs,
another program, another version or another device, is as good as none: its run batch begins from scratch.
"""

import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from actlab.engine import store
from actlab.engine.files import OWN, writing

DIGEST = 64  # hexadecimal digits of a SHA-256
LAYOUT = "layers before runs"  # of a state's stacks: where both are as many, shapes alone would not tell


@dataclass(frozen=True)
class Snapshot:
    """A run batch between two segments.

    Attributes:
        recorded: how many rows of its schedule are recorded.
        step: the next step to take; below the end of the last recorded row where that row was cut.
        state: see ``nn.training.State`` and ``nn.programs``.
        records: what each segment recorded, in order, leaves [runs, rows, ...].
    """

    recorded: int
    step: int
    state: Any
    records: tuple[Any, ...]

    def joined(self) -> Any:
        """All records as one tree, leaves [runs, R, ...]."""
        return jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *self.records)


def path_of(folder: Path, batch: str) -> Path:
    """Where a run batch's checkpoint lies."""
    return folder / "parts" / f"{batch}.checkpoint"


def identity(*facts: Any) -> str:
    """Hash everything that must be the same for a checkpoint to be of use.

    >>> identity("run", 1) == identity("run", 1), identity("run", 1) == identity("run", 2)
    (True, False)
    """
    return hashlib.sha256(repr((facts, LAYOUT, sorted(store.versions().items()))).encode()).hexdigest()


def save(path: Path, name: str, snapshot: Snapshot) -> None:
    """Write a snapshot that has recorded something, under the identity ``name``.

    Raises:
        StoreError: it cannot be written.
    """
    tree = (snapshot.state, snapshot.joined())
    header = np.array([name, str(jax.tree.structure(tree))])
    position = np.array([snapshot.recorded, snapshot.step])
    temporary = path.with_suffix(f".{OWN}.tmp")
    with writing(path, temporary):
        with temporary.open("wb+") as file:
            file.write(b" " * DIGEST)
            np.savez(file, header, position, *(np.asarray(leaf) for leaf in jax.tree.leaves(tree)))
            digest = digest_of(file)
            file.seek(0)
            file.write(digest)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


def load(path: Path, name: str, state: Any, records: Any) -> Snapshot | None:
    """Read the snapshot that was saved under the identity ``name``; None where there is none that can be trusted.

    Args:
        path: see ``path_of``.
        name: see ``identity``.
        state: a state of the same program: its structure, shapes and types are required of what is read.
        records: likewise, whatever their number of rows.
    """
    if not path.is_file():  # a pipe would be waited for
        return None
    try:
        with path.open("rb") as file:
            if file.read(DIGEST) != digest_of(file):
                return None
            file.seek(DIGEST)
            with np.load(file, allow_pickle=False) as arrays:
                (saved_name, structure), (recorded, step), *leaves = (
                    arrays[f"arr_{i}"] for i in range(len(arrays.files))
                )
    except OSError:
        return None
    like = (state, records)
    if saved_name != name or structure != str(jax.tree.structure(like)):
        return None
    if not fits(leaves, jax.tree.leaves(state), jax.tree.leaves(records), int(recorded)):
        return None
    state, records = jax.tree.unflatten(jax.tree.structure(like), leaves)
    return Snapshot(int(recorded), int(step), state, (records,))


def fits(leaves: Sequence[np.ndarray], state: Sequence[Any], records: Sequence[Any], recorded: int) -> bool:
    """Whether arrays have the shapes and types of a state's leaves, then of records with ``recorded`` rows."""
    shapes = [leaf.shape for leaf in state] + [(leaf.shape[0], recorded, *leaf.shape[2:]) for leaf in records]
    kinds = [leaf.dtype for leaf in (*state, *records)]
    return [leaf.shape for leaf in leaves] == shapes and [leaf.dtype for leaf in leaves] == kinds


def digest_of(file: io.BufferedIOBase) -> bytes:
    """Compute the SHA-256, in hexadecimal, of what follows the digest's own place in a file."""
    file.seek(DIGEST)
    return hashlib.file_digest(file, "sha256").hexdigest().encode()
