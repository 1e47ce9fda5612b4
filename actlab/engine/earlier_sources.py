"""Files in a study's ``sources/`` that today's plan does not name: of runs that were planned once, or data left behind.

The manifest keeps the checksum of each, and what is known of its data, while the folder keeps runs that were planned
earlier: what is put back is held against what was there, as if it had never been taken out. ``--prune`` removes both.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from actlab.checksums import file_sha256
from actlab.engine.files import StoreError
from actlab.engine.manifest import EARLIER_DATA, read_manifest, write_manifest
from actlab.outputs import is_link_inside
from actlab.sources import COPIES

DATA_SUFFIXES = (".csv", ".tsv", ".npz", ".parquet")


def checksums_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of each file that ``run`` copied to ``sources/``; none of a folder of an earlier version."""
    noted = manifest.get(COPIES)
    return {str(place): str(one) for place, one in noted.items()} if isinstance(noted, Mapping) else {}


def is_own(folder: Path, place: str) -> bool:
    """Whether a place lies in a folder's own ``sources/``, by no link: of others nothing is kept or removed."""
    parts = Path(place).parts
    inside = bool(parts) and not Path(place).is_absolute() and ".." not in parts
    return inside and not is_link_inside(folder, folder / COPIES / place)


def still_there(folder: Path, before: Mapping[str, Any], now: Collection[str]) -> dict[str, str]:
    """List the checksums that stay beside those of the files that a plan names.

    Args:
        folder: the study's.
        before: its manifest, as it was.
        now: the places of those files.
    """
    return {
        place: checksum
        for place, checksum in checksums_of(before).items()
        if place not in now and is_own(folder, place) and (folder / COPIES / place).is_file()
    }


def data_of(before: Mapping[str, Any], now: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List what is known of data that a plan does not learn from any more, and did before."""
    known = [{**one, "names": 0} for one in now]
    found: list[dict[str, Any]] = []
    for one in (*before.get("data", ()), *before.get(EARLIER_DATA, ())):
        if {**one, "names": 0} not in known:
            known.append({**one, "names": 0})
            found.append(dict(one))
    return found


def behind(before: Mapping[str, Any], files: Mapping[str, Path], copied: bool) -> tuple[str, ...]:
    """List copies of data that are not to stay: all but those of today's, or those that lie elsewhere by now.

    Args:
        before: the manifest, as it was.
        files: those that the folder is to have copies of.
        copied: whether data are copied at all.
    """
    had = {place: one for place, one in checksums_of(before).items() if place.lower().endswith(DATA_SUFFIXES)}
    left = {place: one for place, one in had.items() if place not in files}
    if not copied or not left:
        return tuple(left)
    now = {file_sha256(path) for place, path in files.items() if place.lower().endswith(DATA_SUFFIXES)}
    return tuple(place for place, one in left.items() if one in now)


def remove(folder: Path, places: Iterable[str]) -> None:
    """Remove files from ``sources/``, then what the manifest says of them.

    Raises:
        StoreError: one cannot be removed.
    """
    own = [place for place in places if is_own(folder, place)]
    for place in own:
        path = folder / COPIES / place
        try:
            path.unlink(missing_ok=True)
            for above in path.parents:
                if above == folder / COPIES or not above.is_dir() or any(above.iterdir()):
                    break
                above.rmdir()
        except OSError as error:
            raise StoreError(f"{path}: cannot be removed ({error.strerror})") from None
    manifest = read_manifest(folder)
    noted = checksums_of(manifest)
    if noted.keys() & set(own):
        manifest[COPIES] = {place: one for place, one in noted.items() if place not in own}
        write_manifest(folder, manifest)


def prune(folder: Path, before: Mapping[str, Any], now: Collection[str]) -> None:
    """Remove what only runs needed that are removed, and what is known of their data; never a file that was altered.

    Args:
        folder: the study's.
        before: its manifest, as it was before this run.
        now: the places of the files that its plan names.
    """
    others = {place: one for place, one in checksums_of(before).items() if place not in now and is_own(folder, place)}
    paths = {place: folder / COPIES / place for place in others}
    remove(folder, [place for place, path in paths.items() if path.is_file() and file_sha256(path) == others[place]])
    manifest = read_manifest(folder)
    noted = {place: one for place, one in checksums_of(manifest).items() if place in now}
    if noted != manifest.get(COPIES) or EARLIER_DATA in manifest:
        manifest[COPIES] = noted
        manifest.pop(EARLIER_DATA, None)
        write_manifest(folder, manifest)
