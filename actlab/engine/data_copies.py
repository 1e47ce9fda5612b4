"""The user's data files that a study's folder brings along, so that a copy of the folder can be extended elsewhere.

``run`` copies small ones to ``sources/``, and the resolved study names the copies. Of others the folder knows what they
were called and what they held: in a copied folder they are asked for by name, and what is given is held against that.
"""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actlab import commands, data
from actlab.checksums import file_sha256
from actlab.engine import earlier_sources, store
from actlab.engine.manifest import EARLIER_DATA, MANIFEST, read_manifest
from actlab.engine.store import Stored
from actlab.naming import MOST_LINE, as_yaml, in_units, listed, shortened
from actlab.notation import in_one_word
from actlab.sources import COPIES
from actlab.study import labels
from actlab.study.plan import Plan
from actlab.study.reading import Study, StudyError, of_key, short_path

MOST_BYTES = 4_000_000
"""Of all data files together that a folder gets copies of, the smallest first."""
LEAVE_OUT = "data.copy=false leaves them out"
# Keys of ``data`` that change nothing of what a file is read as.
OF_ROWS = ("name", "copy", "seed", "standardize", "train_rows", "label_noise", "target_loss")


@dataclass(frozen=True)
class Copies:
    """What becomes of a study's data files.

    Attributes:
        files: those that are copied, by their path in ``sources/``.
        names: of each of them, by its own path, how the resolved study calls it.
        left: the size of those that are too large, by their name.
        stale: copies of earlier runs, by their path in ``sources/``, that are to be left out from now on.
        copied: whether data are copied at all; if not, ``files`` are those that the study names in ``sources/`` itself.
        given: what is typed to name these where they come from.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    left: Mapping[str, int] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    copied: bool = True
    given: str = ""

    def line(self, folder: Path, before: Mapping[str, Any]) -> str:
        """Say what of the data a folder holds now, where that is new; empty where it is not.

        Args:
            folder: the study's.
            before: its manifest, as it was.
        """
        seen = {name for one in before.get("data", ()) for name in one["names"]}
        new = [place for place, path in self.files.items() if not is_same(folder / COPIES / place, path)]
        left = [f"{name} ({in_units(size)})" for name, size in self.left.items() if new or name not in seen]
        if not self.copied:
            return "; ".join(self.lines_of_none(folder))
        sizes = {place: os.path.getsize(path) for place, path in self.files.items()}
        here = listed([f"{place} ({in_units(size)})" for place, size in sizes.items()])
        limit = (
            f"at most {MOST_BYTES / 1e6:g} MB of data are copied, and who extends a copy of the folder is asked for it"
        )
        if new:
            but = f"; without {listed(left)}: {limit}" if left else ""
            return f"{folder / COPIES} now holds the data, {here}: who gets the folder gets them; {LEAVE_OUT}{but}"
        return f"{folder} is without {listed(left)}: {limit}" if left else ""

    def lines_of_none(self, folder: Path) -> list[str]:
        """Say what becomes of copies where data are not to be copied: what is removed, and what stays."""
        here, gone, stays = folder / COPIES, [*self.stale], [*self.files]
        removed = f"{'is' if len(gone) == 1 else 'are'} removed"
        only, it = ("is the only copy", "it") if len(stays) == 1 else ("are the only copies", "them")
        said = [
            f"{listed(gone)} {removed} from {here}: data.copy is false",
            f"{listed(stays)} in {here} {only} that this study names, and kept though data.copy is false; {self.given} "
            f"removes {it}",
        ]
        return [line for line, which in zip(said, (gone, stays), strict=True) if which]


def is_same(copy: Path, path: Path) -> bool:
    """Whether a file is there and has the content of another."""
    return copy.is_file() and file_sha256(copy) == file_sha256(path)


def own_folder(study: Study) -> Path | None:
    """Return the folder of results whose own ``study.yaml`` a study was read from; None where it was another file."""
    path = study.source.path
    return path.parent if path.name == "study.yaml" and path.with_name(MANIFEST).is_file() else None


def data_files(study: Study) -> dict[str, bool]:
    """List the paths of a study's data files, and whether they may be copied."""
    sections = (cell.data for cell in study.cells)
    return {one.name.name: one.copy for one in sections if data.is_file(one.name.name)}


def is_given(study: Study) -> bool:
    """Whether the data are named on the command line."""
    return bool({("data", "name"), ("sweep", "matrix", "data.name")} & set(study.source.overridden))


def require(study: Study, typed: bool = True) -> None:
    """See to it that the data files of a folder of results are there, and those in its ``sources/`` as they were.

    Args:
        study: as it was read.
        typed: whether overrides are given with what was asked for; else they are with a whole command.

    Raises:
        StudyError: one is not; says how to give it.
        StoreError: the folder's manifest cannot be read.
    """
    folder = own_folder(study)
    if folder is None:
        return
    checksums = read_manifest(folder).get(COPIES)
    place = study.source.where(*of_key(study.source, "data.name"))
    copies = Path(os.path.realpath(folder)) / COPIES
    files = data_files(study)
    for name in files:
        path = Path(name)
        kept = path.is_relative_to(copies) and isinstance(checksums, Mapping)
        noted = checksums.get(path.relative_to(copies).as_posix()) if kept and checksums else None
        if noted is not None and path.is_file() and file_sha256(path) != noted:
            raise StudyError(
                f"{place}: data.name: {short_path(path)}: was altered since `actlab run` wrote it; take it from "
                f"another copy of the folder, or give the data: {argument(study, {name}, typed)}"
            )
    missing = {name for name in files if not os.path.lexists(name)}
    if missing and not is_given(study):
        names = listed(shortened(Path(name).name, MOST_LINE) for name in sorted(missing))
        told = f"{place}: data.name: {names}, which this study learns from, is not in its folder"
        if names_elsewhere(study):
            there = listed((short_path(Path(name)) for name in sorted(missing)), longest=MOST_LINE)
            raise StudyError(f"{told}; put it at {there}")
        raise StudyError(
            f"{told}; give it by its path: {argument(study, missing, typed)} (it is held against what the stored runs "
            "were trained on)"
        )


def names_elsewhere(study: Study) -> bool:
    """Whether entries of ``exclude`` or ``include`` name data, which an override would not reach."""
    sweep = study.config.sweep
    return any("data.name" in entry for entry in (*sweep.exclude, *sweep.include))


def argument(study: Study, asked: set[str], typed: bool = True) -> str:
    """Write the override that names all of a study's data, with a path to be filled in for those that are asked for.

    Where nothing is typed that it could follow, within the command that notes where they are.
    """
    swept = study.config.sweep.matrix.get("data.name", [study.config.data.name.plain()])
    named = [in_one_word(one) for one in swept]
    paths = [f"/path/to/{Path(one).name}" if one in asked else short_path(Path(one)) for one in named]
    plain = [one if not set(one) & set(",[]{}\"'#:") else as_yaml(one) for one in paths]
    override = f"data.name={','.join(plain)}"
    if not typed and (folder := own_folder(study)) is not None:
        return f"`{commands.resume(folder, override)}`"
    return shlex.quote(override) if " " in override else override


def manifest_of(stored: Stored, fresh: bool = False) -> dict[str, Any]:
    """Read the manifest of what is stored already: empty where nothing is, or it is to be forgotten."""
    return {} if fresh or store.unbegun(stored.folder) else stored.manifest()


def known_names(manifest: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """List the names that data went by, those of its tables first, by what they hold."""
    return {one["content"]: tuple(one["names"]) for one in manifest.get("data", ()) if "content" in one}


def check_given(study: Study, planned: Plan, stored: Stored, manifest: Mapping[str, Any]) -> None:
    """Refuse other data than the stored runs of a folder were trained on, where its own ``study.yaml`` is run.

    Files that are read in another way than before are not compared: they are other data by intent.

    Raises:
        StudyError: a file holds something else; says both ways out.
    """
    folder = own_folder(study)
    if folder is None or os.path.realpath(folder) != os.path.realpath(stored.folder):
        return
    changed = [way[-1] for way in study.source.overridden if way[0] == "data" or str(way[-1]).startswith("data.")]
    if any(str(key).removeprefix("data.") not in OF_ROWS for key in changed):
        return
    known = known_names(manifest)
    earlier = {one.get("content") for one in manifest.get(EARLIER_DATA, ())}  # may be put back, and need not be
    held = {content: names for content, names in known.items() if data.is_file(names[0])}
    now = {content for contents in planned.data_contents.values() for content in contents}
    gone = [names[0] for content, names in held.items() if content not in now]
    other = [name for name, contents in planned.data_contents.items() if not set(contents) & (known.keys() | earlier)]
    if gone and other:
        place = study.source.where(*of_key(study.source, "data.name"))
        raise StudyError(
            f"{place}: data.name: {short_path(Path(other[0]))} is not what the stored runs of {stored.folder} were "
            f"trained on: it holds something else than {shortened(gone[0], MOST_LINE)} did. Give that file, or train "
            "on this one in a folder of its own, by --out"
        )


def copies_of(study: Study, planned: Plan, folder: Path, manifest: Mapping[str, Any]) -> Copies:
    """Decide which of a study's data files its folder gets copies of, and where they lie there.

    Their names in ``sources/`` have as much of the paths as tells files of one name apart, so that labels stay the
    same whether a study is run from its originals or from the copies.

    Raises:
        StudyError: a file cannot be looked at.
    """
    inside = Path(os.path.realpath(folder)) / COPIES
    called = {name: planned.data_names.get(name, name) for name in data_files(study)}
    places = labels.told_apart(called.values())
    files: dict[str, Path] = {}
    names: dict[str, str] = {}
    left: dict[str, int] = {}
    room = MOST_BYTES
    try:
        sizes = {name: os.path.getsize(os.path.expanduser(name)) for name in called}
    except OSError as error:
        raise StudyError(f"{error.filename}: cannot be read ({error.strerror})") from None
    for name in sorted(sizes, key=lambda name: (not Path(name).is_relative_to(inside), sizes[name], name)):
        size, path = sizes[name], Path(name)
        if path.is_relative_to(inside):  # it is the folder's own, and there may be no other
            place, copied = path.relative_to(inside).as_posix(), True
        else:
            place, copied = places[called[name]].lstrip("/"), data_files(study)[name] and size <= room
            above = Path(called[name]).parent.name
            if "/" not in place and above not in ("", COPIES) and "data.name" in study.config.sweep.matrix:
                place = f"{above}/{place}"  # where several machines have a file each, they may have one name
            if data_files(study)[name] and not copied:
                left[place] = size
        if copied:
            room -= size
            files.setdefault(place, Path(os.path.expanduser(name)))
            names[name] = f"{COPIES}/{place}"
    copied = study.config.data.copy
    given = ""
    if not copied and files:
        given = argument(study, {name for name in called if Path(name).is_relative_to(inside)})
        given = "naming the original in it" if names_elsewhere(study) else f"`{given}`, with the original's path,"
    stale = earlier_sources.behind(manifest, files, copied)
    return Copies(files, names, left, stale, copied, given)
