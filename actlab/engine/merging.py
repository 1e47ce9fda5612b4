"""Folders of one study, as from two machines, made into one: ``actlab merge``. Runs no code, and alters none of them.

What makes the folders one study, and what their studies ask for together, is decided in ``study.union``, what their
runs say of each other in ``agreeing``. What they brought in ``sources/`` is joined by ``joined_sources``. The merged
folder is made beside where it goes, and renamed once it is whole.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actlab import commands, interrupts
from actlab.engine import agreeing, joined_sources, prediction_files, stages, store, weight_files
from actlab.engine.contents import Contents
from actlab.engine.control import LOCK
from actlab.engine.earlier import left_out_line, pruning, write_earlier
from actlab.engine.files import DamageError, StoreError, write_text
from actlab.engine.manifest import EARLIER_DATA, LATER, MANIFEST, PREDICTIONS, SELECTION, write_manifest
from actlab.engine.planned import write_planned
from actlab.engine.store import Stored
from actlab.later import Later
from actlab.outputs import HIDDEN, OutputError, remove_left
from actlab.sources import COPIES
from actlab.study import settings, union
from actlab.study.yaml_text import dumped

MOST_FOUND = 8
"""Of the studies in a folder that is none itself, how many are named."""

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = Later("pyarrow")


@dataclass(frozen=True)
class Folder:
    """One of the folders that are merged, as it was read.

    Attributes:
        path: as it was named.
        study: its resolved study.
        contents: what it holds.
        predictions: of its networks, by cell.
        begun: how many of its runs were begun and are not finished.
    """

    path: Path
    study: dict[str, Any]
    contents: Contents
    predictions: prediction_files.Rows
    begun: int

    @property
    def manifest(self) -> dict[str, Any]:
        """What its manifest says."""
        return self.contents.manifest


@dataclass(frozen=True)
class Merged:
    """What became of a merge.

    Attributes:
        path: the merged folder.
        runs: how many runs it holds, those aside that its study does not ask for any more.
        missing: how many of the planned ones it does not.
        shared: how many of ``runs`` were in several folders.
        notes: what else a reader should know, a line each.
    """

    path: Path
    runs: int
    missing: int
    shared: int
    notes: tuple[str, ...]


def merge(*folders: str | Path, out: str | Path) -> Merged:
    """Make one folder of several of one study, as from two machines: other seeds, other parts of the matrix.

    Runs that several folders hold must agree in everything that both measured, to the bit; where they were executed may
    differ, and each run keeps its own. The folders stay as they are, and no code of theirs is run. Tables and figures
    are for ``report`` to write.

    Args:
        folders: two or more; of question, report and claims the first one's are taken.
        out: the merged folder, which must be new, or empty.

    Returns:
        what became of it: ``runs``, how many of the planned ones are ``missing``, ``notes``.

    Raises:
        StoreError: they are not of one study, or cannot be read; says which key differs, and the way out.
        DamageError: one of them is damaged.
        StudyError: no study asks for exactly what they hold; says in which key they differ, and the way out. Or, in
            two stages, they selected another value for one cell.
        DisagreementError: runs that several of them hold are not the same; says in what, and by how much.
        OutputError: the merged folder cannot be written; nothing is left of it.

    >>> merge("results/here", "results/there", out="results/both").runs  # doctest: +SKIP
    """
    return merged([Path(path) for path in folders], Path(out))


def merged(folders: Sequence[Path], out: Path) -> Merged:
    """Merge folders: see ``merge``."""
    check_names(folders, out)
    names = [str(path) for path in folders]
    with held(folders):
        read = [read_folder(path) for path in folders]
        files = joined_sources.join([(one.path, one.study, one.manifest) for one in read], out)
        studies = list(zip(names, files.studies, strict=True))
        study = union.joined(studies)
        order = settings.joined([settings.of_manifest(one.manifest) for one in read])
        tables = [joined_table(one) for one in read]
        rows, shared = agreeing.together(names, tables, [one.column for one in order])
        planned = frozenset[str]().union(*(planned_of(one) for one in read))
        earlier = {
            run: why for one in reversed(read) for run, why in one.contents.earlier.items() if run not in planned
        }
        manifest = joined_manifest(read, files, study)
        with made(out) as at:
            (at / "parts").mkdir()
            files.write(at)
            for name, piece in store.pieces([] if rows is None else [rows], order, earlier).items():
                manifest["parts"][f"{name}.parquet"] = store.write_table(at, name, piece)
            about = manifest.pop(PREDICTIONS, {})
            if predicted := prediction_files.joined([one.predictions for one in read]):
                manifest[PREDICTIONS] = about | {"sha256": prediction_files.write(at, predicted)}
            damaged = weight_files.copy(folders, at, out)
            write_planned(at, planned)
            write_earlier(at, earlier)
            write_text(at / "study.yaml", dumped(study))
            write_manifest(at, manifest)
            store.stored_study(at)  # it can be read
    there = set(rows["run"].to_pylist()) if rows is not None else set()
    held_runs = there - earlier.keys()
    left_out = [why for run, why in earlier.items() if run in there]
    begun = [
        f"{one.path}: what is trained of a run that is not finished is not taken along; finish it there first, or it "
        "is trained from its beginning"
        for one in read
        if one.begun
    ]
    kept = [f"{out}: {left_out_line(left_out, 'its study.yaml', pruning(out))}"] if left_out else []
    notes = (*union.notes(studies), *begun, *damaged, *kept)
    return Merged(out, len(held_runs), len(planned - held_runs), len(shared & held_runs), notes)


def check_names(folders: Sequence[Path], out: Path) -> None:
    """Refuse folders that are one, and a place for the merged one that is taken.

    Raises:
        StoreError: they are, or it is.
    """
    if len(folders) < 2:
        inside = sorted(path.parent for one in folders for path in one.glob(f"*/{MANIFEST}"))[:MOST_FOUND]
        those = f", as the studies in it: {' '.join(map(str, inside))}" if len(inside) > 1 else ""
        what = ", ".join(map(str, folders)) or "nothing"
        raise StoreError(f"{what}: one folder cannot be merged; name two or more{those}")
    real = [os.path.realpath(path) for path in folders]
    for i, one in enumerate(real):
        if one in real[:i]:
            raise StoreError(f"{folders[i]}: is named twice; name each folder once")
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise StoreError(f"{out}: holds something already; let --out name a folder that is new, or empty")
    target = Path(os.path.realpath(out))
    for path, place in zip(folders, real, strict=True):
        if target.is_relative_to(place):
            raise StoreError(f"{out}: lies in {path}, which is not altered; let --out name a folder elsewhere")


@contextmanager
def held(folders: Sequence[Path]) -> Iterator[None]:
    """Keep ``run`` and ``report`` from writing into folders while they are read: nothing is written to say so.

    Raises:
        StoreError: one is written at the moment.
    """
    import fcntl

    files = []
    try:
        for folder in folders:
            try:
                file = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:  # no one is at work there, or it cannot be told
                continue
            files.append(file)
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                owner = ""
                with suppress(OSError):
                    owner = f" ({(folder / LOCK).read_text(encoding='utf-8').strip()})"
                raise StoreError(
                    f"{folder}: another `actlab run` or `report` is at work here{owner}. Wait for it to end, or stop it"
                ) from None
        yield
    finally:
        for file in files:
            os.close(file)


def read_folder(path: Path) -> Folder:
    """Read all of a folder, which must be sound.

    Raises:
        DamageError: it is not.
        StoreError: it is no study's.
    """
    stored = Stored(path)
    contents, lines = stored.read(), stored.damage()
    if lines:
        way = f"`{commands.resume(path)}` trains again what is lost; then merge"
        raise DamageError("\n".join([f"{path}: damaged:", *(f"  {line}" for line in lines), f"{way}."]))
    predictions, problem = prediction_files.read(path, contents.manifest)
    if problem:
        raise DamageError(f"{path}: {prediction_files.and_way(path, problem)}; then merge")
    cells = prediction_files.by_cell(predictions)
    return Folder(path, store.stored_study(path), contents, cells, len(store.checkpoints(path)))


def planned_of(folder: Folder) -> frozenset[str]:
    """List the runs that a folder is for; of an earlier version's those that it holds."""
    asked = folder.contents.asked
    return frozenset(folder.contents.runs - folder.contents.earlier.keys()) if asked is None else asked


def joined_table(folder: Folder) -> pa.Table | None:
    """Join the parts of a folder into one table; None where there are none."""
    tables = list(folder.contents.tables.values())
    return pa.concat_tables(tables, promote_options="permissive") if tables else None


def joined_manifest(
    folders: Sequence[Folder], files: joined_sources.Joined, study: Mapping[str, Any]
) -> dict[str, Any]:
    """Write one manifest of several: of where runs were executed the first folder's, for each run has its own."""
    manifests = [one.manifest for one in folders]
    manifest = {key: value for one in reversed(manifests) for key, value in one.items()}
    manifest["parts"] = {}
    for name in ("seconds", "training_seconds"):
        manifest[name] = round(sum(one.get(name, 0.0) for one in manifests), 3)
    for name in ("versions", "measures", "runs_per_call_by_width", "eval_chunks_by_width"):
        if any(name in one for one in manifests):
            manifest[name] = {key: value for one in reversed(manifests) for key, value in one.get(name, {}).items()}
    manifest["settings"] = settings.to_plain(settings.joined([settings.of_manifest(one) for one in manifests]))
    manifest["data"] = files.data
    manifest.pop(EARLIER_DATA, None)
    if files.earlier:
        manifest[EARLIER_DATA] = files.earlier
    manifest["label_prefixes"] = prefixes = files.prefixes(study)
    manifest["activations"] = {}
    for one in folders:
        for table in one.contents.tables.values():
            for label, new in relabelled(table, one.manifest.get("label_prefixes", {}), prefixes).items():
                if label in one.manifest.get("activations", {}):
                    manifest["activations"].setdefault(new, one.manifest["activations"][label])
        for label, about in one.manifest.get("activations", {}).items():
            if not one.contents.tables:
                manifest["activations"].setdefault(label, about)
    manifest[COPIES] = files.checksums()
    manifest.pop(SELECTION, None)
    manifest.pop(LATER, None)
    if selection := stages.joined([(str(one.path), one.manifest.get(SELECTION, {})) for one in folders]):
        manifest[SELECTION] = selection
    if later := stages.still_to_select(study, selection):
        manifest[LATER] = later
    return manifest


def relabelled(
    table: pa.Table, before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """Return the activations' labels in a folder, and what they are in the merged one."""
    names = table["activation"].to_pylist()
    column = "activation_content"
    contents = table[column].to_pylist() if column in table.column_names else [None] * len(names)
    return {
        before.get("activation", {}).get(content or "", "") + name: after.get("activation", {}).get(content or "", "")
        + name
        for name, content in dict.fromkeys(zip(names, contents, strict=True))
    }


@contextmanager
def made(out: Path) -> Iterator[Path]:
    """Make a folder beside where it goes, and put it there once it is whole; nothing is left where that fails.

    Raises:
        OutputError: it cannot be written.
    """
    missing = [one for one in out.absolute().parents if not one.exists()]
    at: Path | None = None

    def clear() -> None:
        if at is not None:
            shutil.rmtree(at, ignore_errors=True)
        for one in missing:
            with suppress(OSError):
                one.rmdir()

    try:
        with interrupts.will(clear):
            out.absolute().parent.mkdir(parents=True, exist_ok=True)
            remove_left(out.absolute().parent)
            prefix = f"{HIDDEN}{socket.gethostname()}-{os.getpid()}-"
            at = Path(tempfile.mkdtemp(prefix=prefix, dir=out.absolute().parent))
            yield at
            at.chmod(0o777 & ~umask())
            at.replace(out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror or error})") from error
    finally:
        clear()


def umask() -> int:
    """Return what new folders are kept from allowing."""
    before = os.umask(0o022)
    os.umask(before)
    return before
