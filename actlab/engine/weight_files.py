"""Files of trained weights: one in ``weights/`` for each run batch and step, in the safetensors format, never a pickle.

    weights/<run batch>-<step>.safetensors     arrays <run>/layers.0.weight, ...: see ``nn.weights``

The header says of each run what its arrays' SHA-256 is, and the losses and accuracies that were recorded at that step:
a run's weights are those of its stored row only where these are the same. So a file of another training of a run, on
another machine, is not taken for this one's. What is no such file is left alone.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from actlab import commands
from actlab.engine.files import DamageError, StoreError, write_bytes
from actlab.later import Later
from actlab.naming import MOST_LINE, shortened
from actlab.naming import listed as listing

if TYPE_CHECKING:
    import safetensors
    import safetensors.numpy as st
else:
    safetensors, st = Later("safetensors"), Later("safetensors.numpy")

WEIGHTS = "weights"
NAME = re.compile(r"[0-9a-f]{16}-(\d{1,12})\.safetensors")
ABOUT = "actlab"
"""Under what key the header has what is said of the runs."""

RECORDED = tuple(f"{split}_{name}" for split in ("train", "validation", "test") for name in ("loss", "accuracy"))
"""The numbers of a record that tell a run's weights from those of another training of it."""

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class About:
    """What a file says of a run's weights: the SHA-256 of its arrays, and what was ``RECORDED`` at that step."""

    sha256: str
    numbers: Numbers


@dataclass(frozen=True)
class WeightFile:
    """A file of weights: its path, the step, and what it says of each of its runs."""

    path: Path
    step: int
    runs: Mapping[str, About]


def path_of(folder: Path, batch: str, step: int) -> Path:
    """Where the weights of a run batch lie."""
    return folder / WEIGHTS / f"{batch}-{step}.safetensors"


def step_of(path: Path) -> int:
    """Read the step in a file's name."""
    found = NAME.fullmatch(path.name)
    assert found is not None
    return int(found[1])


def write(
    folder: Path, batch: str, step: int, runs: Mapping[str, tuple[Mapping[str, np.ndarray], Sequence[float]]]
) -> None:
    """Write the weights of some runs whole: under a temporary name, then renamed.

    Git is told to leave the folder alone: weights are large, and trained again from the study's file.

    Args:
        folder: the study's.
        batch: the run batch's name.
        step: at which they were recorded.
        runs: of each its arrays by name, and what was ``RECORDED`` with them.

    Raises:
        StoreError: they cannot be written.
    """
    arrays = {f"{run}/{name}": array for run, (own, _) in runs.items() for name, array in own.items()}
    about = {
        run: {"sha256": digest(run, step, own), "recorded": list(map(float, numbers))}
        for run, (own, numbers) in runs.items()
    }
    said = {"version": version("actlab"), "step": step, "runs": about}
    path = path_of(folder, batch, step)
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path.parent}: cannot be written ({error.strerror or error})") from None
    ignored = path.with_name(".gitignore")
    if not ignored.exists():
        write_bytes(ignored, b"*\n")
    write_bytes(path, st.save(arrays, {ABOUT: json.dumps(said)}))


def digest(run: str, step: int, weights: Mapping[str, np.ndarray]) -> str:
    """Compute the SHA-256 of weights, with their names, shapes and types, their run's name and the step."""
    names = sorted(weights)
    forms = [[name, str(weights[name].dtype), list(weights[name].shape)] for name in names]
    whole = hashlib.sha256(json.dumps([run, step, forms]).encode())
    for name in names:
        whole.update(np.ascontiguousarray(weights[name]).data)
    return whole.hexdigest()


def listed(folder: Path) -> Iterator[WeightFile | Path]:
    """List the files of weights in a study's folder by name; of one that cannot be read its path."""
    try:
        paths = sorted(path for path in (folder / WEIGHTS).iterdir() if NAME.fullmatch(path.name))
    except OSError:
        return
    for path in paths:
        try:
            about = path.stat()
        except OSError:  # it has just gone
            continue
        yield header(path, about.st_ino, about.st_size, about.st_mtime_ns) or path


@lru_cache(maxsize=2**16)
def header(path: Path, inode: int, size: int, time: int) -> WeightFile | None:
    """Read what a file says of itself, once while it stays as it is; None where it is no file of weights.

    Its length is held against its header: one that was cut short is none.
    """
    try:
        if not path.is_file():  # a pipe would be waited for
            return None
        with safetensors.safe_open(path, framework="numpy") as file:
            said = json.loads((file.metadata() or {})[ABOUT])
        runs = {run: About(one["sha256"], tuple(map(float, one["recorded"]))) for run, one in said["runs"].items()}
        step = step_of(path)
    except (OSError, safetensors.SafetensorError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return WeightFile(path, step, runs) if said["step"] == step else None


def remove_others(folder: Path, runs: Collection[str]) -> None:
    """Remove the files that hold the weights of none of some runs.

    Raises:
        StoreError: one cannot be removed.
    """
    for file in listed(folder):
        if isinstance(file, WeightFile) and not file.runs.keys() & set(runs):
            try:
                file.path.unlink(missing_ok=True)
            except OSError as error:
                raise StoreError(f"{file.path}: cannot be removed ({error.strerror})") from None


def copy(folders: Iterable[Path], to: Path, out: Path) -> list[str]:
    """Copy the weights of several folders into another one; of files of one name the first that is as it was written.

    Args:
        folders: from which they are copied.
        to: the other one.
        out: what that will be called.

    Returns:
        what a reader should know, a line each: of a file that no folder has as it was written, one is taken as it is
        where it can be read.
    """
    by_name: dict[str, list[WeightFile | Path]] = {}
    for folder in folders:
        for file in listed(folder):
            by_name.setdefault((file.path if isinstance(file, WeightFile) else file).name, []).append(file)
    told = []
    again = f"`{commands.resume(out)}` trains its runs again"
    for name, found in sorted(by_name.items()):
        files = [file for file in found if isinstance(file, WeightFile)]
        sound = next(filter(is_sound, files), None)
        target = to / WEIGHTS / name
        if not files:
            told.append(f"{listing(found, 4, MOST_LINE)}: cut short or altered, and left behind; {again}")
            continue
        target.parent.mkdir(exist_ok=True)
        (target.parent / ".gitignore").write_bytes(b"*\n")
        shutil.copyfile((sound or files[0]).path, target)
        if sound is None:
            them = listing([str(file.path) for file in files], 4, MOST_LINE)
            told.append(
                f"{them}: was altered: the weights of a run in it are not those of its checksum; taken as it is: "
                f"remove {out / WEIGHTS / name}, and {again}"
            )
    return told


def is_sound(file: WeightFile) -> bool:
    """Whether the weights of every run in a file are those of its checksum; the file is read for it."""
    try:
        for run, about in file.runs.items():
            read(file.path, run, file.step, about)
    except DamageError:
        return False
    return True


def same(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two records have the same numbers, NaN at the same places.

    >>> same((1.0, math.nan), (1.0, math.nan)), same((1.0, 2.0), (1.0, math.nan))
    (True, False)
    """
    return len(one) == len(other) and all(
        a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(one, other, strict=True)
    )


def kept(files: Iterable[WeightFile | Path]) -> dict[tuple[str, int], list[tuple[Path, About]]]:
    """Sort what files have by run and step."""
    found: dict[tuple[str, int], list[tuple[Path, About]]] = {}
    for file in files:
        if isinstance(file, WeightFile):
            for run, about in file.runs.items():
                found.setdefault((run, file.step), []).append((file.path, about))
    return found


def read(path: Path, run: str, step: int, about: About) -> dict[str, np.ndarray]:
    """Read a run's weights by name.

    Raises:
        DamageError: they are not what was written.
    """
    again = f"remove it, and `{commands.resume(path.parent.parent)}` trains its runs again"
    place = shortened(str(path), MOST_LINE)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            own = [name for name in file.keys() if name.startswith(f"{run}/")]  # noqa: SIM118
            weights = {name.removeprefix(f"{run}/"): file.get_tensor(name) for name in own}
    except (OSError, safetensors.SafetensorError, ValueError, TypeError) as error:
        raise DamageError(f"{place}: cannot be read ({shortened(str(error))}); {again}") from None
    if digest(run, step, weights) != about.sha256:
        raise DamageError(f"{place}: was altered: the weights of run {run} are not those of its checksum; {again}")
    return {name: weights[name] for name in sorted(weights, key=place_of)}


def place_of(name: str) -> tuple[Any, ...]:
    """Sort names as a network has its arrays: layer by layer, weights and biases before the rest, the readout last.

    >>> sorted(["readout.bias", "layers.10.bias", "layers.2.norm.mean", "layers.2.weight"], key=place_of)
    ['layers.2.weight', 'layers.2.norm.mean', 'layers.10.bias', 'readout.bias']
    """
    part, *own = name.split(".")
    layer = int(own.pop(0)) if part == "layers" and own and own[0].isdecimal() else math.inf
    return layer, own != ["weight"], own != ["bias"], name
