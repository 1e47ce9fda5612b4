"""What several folders of one study brought in their ``sources/``, joined: functions, claims and data under one name.

A function is another where its tokens are (see ``actlab.sources.tracing``), data where they hold something else: both
are told without running anything. What is the same under two names goes by the first; two data files of one name get
that of their folder before theirs; two functions of one name in files that differ are refused.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from actlab import data, sources
from actlab.engine import earlier_sources
from actlab.engine.earlier_sources import DATA_SUFFIXES
from actlab.engine.files import DamageError, StoreError, content_of
from actlab.engine.manifest import EARLIER_DATA
from actlab.naming import MOST_LINE, listed, shortened
from actlab.outputs import is_link_inside
from actlab.sources import COPIES
from actlab.study import labels, union
from actlab.study.columns import short
from actlab.study.fields import Choice
from actlab.study.sections import SECTIONS, run_keys

MOST_BYTES = 2**26
"""Of a file in ``sources/``."""
IDENTIFYING = ("data", "model", "train", "measure", "sweep")
"""Where in a study a function is named that its runs are known by."""


@dataclass(frozen=True)
class Brought:
    """A folder, its study, its manifest, and what lies in its ``sources/``."""

    path: Path
    study: dict[str, Any]
    manifest: dict[str, Any]
    files: dict[str, bytes]


@dataclass(frozen=True)
class Joined:
    """The sources of a merged folder.

    Attributes:
        files: by their path in ``sources/``.
        studies: the folders' studies, with what is the same in them under the same name.
        data: what is known of each data set.
        earlier: likewise, of those that only runs learned from that were planned earlier.
        digests: of each function that the studies name.
        contents: of each data file that they name, hashes of what it holds.
    """

    files: dict[str, bytes]
    studies: list[dict[str, Any]]
    data: list[dict[str, Any]]
    earlier: list[dict[str, Any]]
    digests: dict[str, str]
    contents: dict[str, tuple[str, ...]]

    def checksums(self) -> dict[str, str]:
        """Return the SHA-256 of each file, as a manifest has them."""
        return {place: hashlib.sha256(content).hexdigest() for place, content in sorted(self.files.items())}

    def write(self, folder: Path) -> None:
        """Write them into a folder's ``sources/``."""
        for place, content in self.files.items():
            path = folder / COPIES / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def prefixes(self, study: Mapping[str, Any]) -> dict[str, dict[str, str]]:
        """Choose what stands before labels that would collide in a study that asks for all of it."""
        named = [("data", name, content) for name, contents in self.contents.items() for content in contents]
        for section, key, about in run_keys():
            field = SECTIONS[section].model_fields.get(key)
            if field is None or field.annotation is not Choice or about.column == "":
                continue
            for value in values_of(study, section, key):
                name = value.get("name") if isinstance(value, Mapping) else value
                if isinstance(name, str):
                    named.append((about.column or key, name, short(self.digests.get(name, ""))))
        return labels.prefixes(named)


def values_of(study: Mapping[str, Any], section: str, key: str) -> Iterator[Any]:
    """Yield the values that a study gives a key: its own, those of its matrix, and those of ``include``."""
    sweep, dotted = study.get("sweep") or {}, f"{section}.{key}"
    swept = (sweep.get("matrix") or {}).get(dotted)
    yield from [(study.get(section) or {}).get(key)] if swept is None else swept
    yield from (entry[dotted] for entry in sweep.get("include") or () if dotted in entry)


def join(folders: Sequence[tuple[Path, dict[str, Any], dict[str, Any]]], out: Path) -> Joined:
    """Join what folders brought.

    Args:
        folders: path, study and manifest of each.
        out: where the merged folder is to be: what is not copied is named from there.

    Raises:
        StoreError: two functions of one name differ, or a file cannot be read.
        DamageError: a file is not as ``run`` wrote it.
    """
    brought = [Brought(*one, files_in(*one)) for one in folders]
    digests = [digests_of(one) for one in brought]
    final: dict[tuple[str, str], str] = {}  # (function, digest): its name
    names: list[dict[str, str]] = []  # of each folder: what its names become
    for one in digests:
        names.append({word: final.setdefault((word.rpartition(":")[2], digest), word) for word, digest in one.items()})
    files = python_files(brought, digests, names)
    contents: dict[str, tuple[str, ...]] = {}
    add_data(brought, out, files, names, contents)
    add_earlier(brought, files)
    now = joined_data(brought, names, contents)
    then = [about for one in brought for about in one.manifest.get(EARLIER_DATA, ())]
    return Joined(
        files,
        [replaced(one.study, name) for one, name in zip(brought, names, strict=True)],
        now,
        earlier_sources.data_of({EARLIER_DATA: then}, now),
        {name[word]: digest for one, name in zip(digests, names, strict=True) for word, digest in one.items()},
        contents,
    )


def files_in(path: Path, study: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """Read the files in a folder's ``sources/`` that ``run`` copied there; a copy of data may have been taken out.

    Raises:
        StoreError: one cannot be read.
        DamageError: one was altered, or is gone.
    """
    folder, noted = path / COPIES, manifest.get(COPIES)
    if not isinstance(noted, Mapping):  # of a folder of an earlier version
        found = (one for one in folder.rglob("*") if one.is_file()) if folder.is_dir() else ()
        noted = {one.relative_to(folder).as_posix(): None for one in found}
    files = {}
    for place, checksum in noted.items():
        file, parts = folder / place, Path(place).parts
        if not parts or Path(place).is_absolute() or ".." in parts or is_link_inside(path, file):
            raise StoreError(f"{shortened(str(file), MOST_LINE)}: lies outside the study's own {COPIES}/, or is a link")
        try:
            content = content_of(file, MOST_BYTES)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and place.lower().endswith(DATA_SUFFIXES):
                continue
            raise DamageError(f"{file}: cannot be read ({error.strerror}); take it from a copy of the folder") from None
        if checksum is not None and hashlib.sha256(content).hexdigest() != checksum:
            raise DamageError(f"{file}: was altered since `actlab run` wrote it; take it from a copy of the folder")
        files[place] = content
    return files


def words(node: Any) -> Iterator[str]:
    """Yield every text in plain data."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping | list):
        for inner in node.values() if isinstance(node, Mapping) else node:
            yield from words(inner)


def replaced(node: Any, names: Mapping[str, str]) -> Any:
    """Return plain data with other names in it."""
    if isinstance(node, str):
        return names.get(node, node)
    if isinstance(node, Mapping):
        return {key: replaced(value, names) for key, value in node.items()}
    return [replaced(value, names) for value in node] if isinstance(node, list) else node


def digests_of(one: Brought) -> dict[str, str]:
    """Trace the functions that a folder's runs are known by: {name in its study: digest}.

    Raises:
        StoreError: a file is not among those that it brought, or is no Python.
    """
    found = {}
    for word in dict.fromkeys(words([one.study.get(key) for key in IDENTIFYING])):
        named = sources.parse(word)
        if named is None:
            continue
        if named[0].parts[:1] != (COPIES,) or Path(*named[0].parts[1:]).as_posix() not in one.files:
            raise StoreError(f"{one.path / named[0]}: is not among the files that `actlab run` copied to {COPIES}/")
        try:
            found[word] = sources.trace(one.path / named[0], named[1]).digest
        except sources.SourceError as error:
            raise StoreError(f"{word}: {error}") from None
    return found


def python_files(
    brought: Sequence[Brought], digests: Sequence[Mapping[str, str]], names: Sequence[Mapping[str, str]]
) -> dict[str, bytes]:
    """Choose of each Python file a version with which every function is what it was in its own folder.

    Claims, tables and figures are the first folder's.

    Raises:
        StoreError: there is none.
    """
    own = [{place: content for place, content in one.files.items() if place.endswith(".py")} for one in brought]
    wanted = [(name[word], digest) for one, name in zip(digests, names, strict=True) for word, digest in one.items()]
    asked = {"report": brought[0].study.get("report"), "claims": brought[0].study.get("claims")}
    reported = [str(Path(*Path(word).parts[1:])) for word in sources.named_in(asked)]
    wrong = ""
    for i in range(len(own)):
        chosen = {place: content for one in reversed([own[i], *own]) for place, content in one.items()}
        wrong = wrong or different(chosen, wanted)
        if not different(chosen, wanted) and all(chosen.get(place) == own[0].get(place) for place in reported):
            return chosen
    which = wrong or listed(reported)
    file = which.rpartition(":")[0] or which
    where = listed([str(one.path) for one in brought if file.removeprefix(f"{COPIES}/") in one.files])
    raise StoreError(
        f"{file}: is another in {where}{f', and so is what {which} does' if wrong else ''}; rename one of the files, "
        "let its own configuration name it so, run that again (it trains nothing), then merge"
    )


def different(files: Mapping[str, bytes], wanted: Sequence[tuple[str, str]]) -> str:
    """Name a function that would be another with some files than it was; empty where there is none."""
    with TemporaryDirectory(prefix="merge_") as folder:
        for place, content in files.items():
            path = Path(folder, COPIES, place)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for word, digest in wanted:
            file, _, function = word.rpartition(":")
            try:
                if sources.trace(Path(folder, file), function).digest != digest:
                    return word
            except sources.SourceError:
                return word
    return ""


def contents_in(one: Brought, name: str) -> tuple[str, ...]:
    """Return hashes of what a data file held that a folder's study names, as its manifest has them."""
    parts = labels.path_parts(os.path.normpath(name))
    fits: dict[int, list[str]] = {}
    for about in one.manifest.get("data", ()):
        for called in about["names"]:
            tail = labels.path_parts(called)
            if parts[-len(tail) :] == tail and about.get("content"):
                fits.setdefault(len(tail), []).append(about["content"])
    return tuple(dict.fromkeys(fits[max(fits)])) if fits else ()


def add_data(
    brought: Sequence[Brought],
    out: Path,
    files: dict[str, bytes],
    names: Sequence[dict[str, str]],
    contents: dict[str, tuple[str, ...]],
) -> None:
    """Give each data file one name: files that hold the same have that of a copy, if there is one.

    Args:
        brought: the folders.
        out: the merged one.
        files: gets the copies.
        names: gets the names, for each folder.
        contents: gets what they hold.

    Raises:
        StoreError: two files that hold different data have one name.
    """
    found = [
        (one, own, word, contents_in(one, word))
        for one, own in zip(brought, names, strict=True)
        for word in data_words(one.study)
    ]
    for one, own, word, holds in sorted(found, key=lambda each: not is_copy(each[0], each[2])):  # copies first
        final = next((name for name, held in contents.items() if set(held) & set(holds)), None)
        if final is None and is_copy(one, word):
            place = Path(*Path(word).parts[1:]).as_posix()
            if place in files:
                place = f"{one.path.absolute().name}/{place}"
            if place in files:
                raise StoreError(f"{one.path / word}: another folder has other data of that name; rename this folder")
            files[place] = one.files[Path(*Path(word).parts[1:]).as_posix()]
            final = f"{COPIES}/{place}"
        elif final is None:
            real = os.path.realpath(one.path / word)
            final = os.path.relpath(real, os.path.realpath(out))
        own[word] = final
        contents[final] = tuple(dict.fromkeys((*contents.get(final, ()), *holds)))


def add_earlier(brought: Sequence[Brought], files: dict[str, bytes]) -> None:
    """Take along copies of data that no study names any more: runs that are left out may be asked for again."""
    held = set(files.values())
    for one in brought:
        for place, content in one.files.items():
            if place.lower().endswith(DATA_SUFFIXES) and content not in held:
                free = (name for name in (place, f"{one.path.absolute().name}/{place}") if name not in files)
                if (name := next(free, None)) is not None:
                    files[name] = content
                    held.add(content)


def is_copy(one: Brought, word: str) -> bool:
    """Whether a name is that of a copy in a folder's ``sources/``."""
    parts = Path(word).parts
    return parts[:1] == (COPIES,) and Path(*parts[1:]).as_posix() in one.files


def data_words(study: Mapping[str, Any]) -> list[str]:
    """List the data files that a study's cells learn from, as it names them."""
    named = (cell["data.name"] for cell in union.cells_of(study, ["data.name"]).values())
    return [name for name in dict.fromkeys(named) if isinstance(name, str) and data.is_file(name)]


def joined_data(
    brought: Sequence[Brought], names: Sequence[Mapping[str, str]], contents: Mapping[str, tuple[str, ...]]
) -> list[dict[str, Any]]:
    """Join what manifests know of data, each once, by all the names that it goes by."""
    told = labels.told_apart(contents)
    called = {content: told[name].removeprefix(f"{COPIES}/") for name, held in contents.items() for content in held}
    seen: list[dict[str, Any]] = []
    for about in (about for one in brought for about in one.manifest.get("data", ())):
        same = next((one for one in seen if {**one, "names": 0} == {**about, "names": 0}), None)
        if same is None:
            same = {**about, "names": [called[about["content"]]] if about.get("content") in called else []}
            seen.append(same)
        clash = [name for name, content in ((called[c], c) for c in called) if content != about.get("content")]
        same["names"] = list(dict.fromkeys([*same["names"], *(one for one in about["names"] if one not in clash)]))
    return seen
