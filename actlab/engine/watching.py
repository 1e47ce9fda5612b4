"""A study seen from another terminal: what its folder says of the run that is at work there. Nothing is locked.

Files come and go meanwhile: parts are merged, progress is removed. What is gone between two looks is none.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from actlab.engine import control
from actlab.engine.at_work import SILENT, age, owner_of
from actlab.engine.control import LOG, PROGRESS, Progress
from actlab.engine.files import StoreError
from actlab.engine.manifest import LATER, MANIFEST, read_manifest
from actlab.engine.part_checks import PartError
from actlab.engine.part_files import part_names, read_part
from actlab.engine.planned import PLANNED, PlannedError, read_planned

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
MOST_JOBS = 200  # heartbeats that are read
LOG_TAIL = 2**16  # bytes at the end of a log


@dataclass(frozen=True)
class JobSeen:
    """A job that a worker has: what it is, how far, and what it is at (``begun``, ``compiling`` or ``training``)."""

    job: str
    what: str
    phase: str
    runs: float
    of: int


@dataclass(frozen=True)
class Sight(Generic[T]):
    """What a look at a folder shows.

    Attributes:
        state: ``beginning`` (no run is planned yet, or not handed out), ``compiling``, ``training``, ``saving``,
            ``reporting``, ``writing``; ``silent`` (whoever is at work has said nothing for a while); ``stopped``,
            ``killed`` (no one is at work, and runs are missing); ``finished``.
        owner: what the lock says of whoever is, or was, at work; empty without.
        silence: seconds since the run last said how far it is.
        planned: how many runs are planned, those of a second stage included; None where that is not known.
        stored: how many of those are stored.
        others: how many runs are stored that are not planned.
        progress: what the run says; None where no run trains.
        jobs: those in hand.
        failures: of the run at work, or of the last one.
        damage: {part or file: what is wrong with it}.
        unread: how many parts are still to be read.
        runs: what was made of each stored run's row, planned ones only.
        manifest: as it was read.
    """

    state: str
    owner: str = ""
    silence: float = 0.0
    planned: int | None = None
    stored: int = 0
    others: int = 0
    progress: Progress | None = None
    jobs: tuple[JobSeen, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)
    damage: Mapping[str, str] = field(default_factory=dict)
    unread: int = 0
    runs: tuple[T, ...] = ()
    manifest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to wait for."""
        return self.state in ("finished", "stopped", "killed")


class Watch(Generic[T]):
    """A folder, looked at again and again; each part is read once."""

    def __init__(self, folder: Path, reduce: Callable[[pa.Table, Mapping[str, Any]], Iterable[tuple[str, T]]]) -> None:
        """Take a folder; nothing is read yet.

        Args:
            folder: the study's.
            reduce: makes (run, what is kept of it) of each row of a part, given the manifest.
        """
        self.folder = folder
        self.reduce = reduce
        self.parts: dict[tuple[str, int, int, int], dict[str, T] | str] = {}
        self.planned: tuple[object, frozenset[str] | None, str] = (None, None, "")
        self.listed: tuple[object, dict[str, Any]] = (None, {})

    def look(self, seconds: float = float("inf")) -> Sight[T]:
        """Look at it now.

        Args:
            seconds: after which no more parts are read at this look.

        Raises:
            StoreError: there is no such folder, or it is not a study's.
        """
        owner, is_alive_there = owner_of(self.folder)
        manifest = self.manifest(begins=is_alive_there is not None)
        if manifest is None:
            return Sight("beginning" if is_alive_there is not False else "killed", owner)
        planned, problem = self.read_planned()
        found, damage, unread = self.take_parts(manifest, seconds)
        if problem:
            damage[PLANNED] = problem
        kept = {run: one for run, one in found.items() if planned is None or run in planned}
        progress, silence = control.read_progress(self.folder), age(self.folder / PROGRESS)
        later = manifest.get(LATER, 0)
        missing = None if planned is None else len(planned) + later - len(kept)
        at_work = is_alive_there is not None and is_alive_there
        state = self.state(at_work, progress, silence, missing, is_alive_there is False)
        seen = state not in ("finished", "stopped", "killed")
        return Sight(
            state,
            owner,
            silence,
            None if planned is None else len(planned) + later,
            len(kept),
            len(found) - len(kept),
            progress if seen else None,
            self.jobs() if seen else (),
            (progress.failures if progress is not None else {}) if seen else self.failures(),
            damage,
            unread,
            tuple(kept.values()),
            manifest,
        )

    def state(self, at_work: bool, progress: Progress | None, silence: float, missing: int | None, killed: bool) -> str:
        """Name what a study is at."""
        if not at_work:
            if missing == 0 or (missing is None and (self.folder / "report.md").is_file()):
                return "finished"  # folders of earlier versions do not say what was planned
            return "killed" if killed else "stopped"
        if progress is None:
            return "reporting" if missing == 0 else "beginning"
        return "silent" if silence > SILENT else progress.phase

    def manifest(self, begins: bool) -> dict[str, Any] | None:
        """Read the manifest, if it has changed; None where there is none yet.

        Raises:
            StoreError: there will be none: it is no study's folder.
        """
        if not self.folder.is_dir():
            read_manifest(self.folder)  # says so
        stamp = self.stamp(MANIFEST)
        if stamp is None and begins:
            return None
        if stamp is None or self.listed[0] != stamp:
            self.listed = (stamp, read_manifest(self.folder))
        return self.listed[1]

    def read_planned(self) -> tuple[frozenset[str] | None, str]:
        """Read the list of planned runs, if it has changed; also what is wrong with it."""
        stamp = self.stamp(PLANNED)
        if self.planned[0] != stamp or stamp is None:
            try:
                self.planned = (stamp, read_planned(self.folder), "")
            except PlannedError as error:
                self.planned = (stamp, None, str(error))
        return self.planned[1:]

    def take_parts(self, manifest: Mapping[str, Any], seconds: float) -> tuple[dict[str, T], dict[str, str], int]:
        """Read the parts that were not read before; returns {run: what is kept}, damage, and how many are unread."""
        until = time.monotonic() + seconds
        names = part_names(self.folder)
        keys = {name: key for name in names if (key := self.stamp(f"parts/{name}")) is not None}
        self.parts = {(name, *key): one for name, key in keys.items() if (one := self.parts.get((name, *key)))}
        unread = 0
        for name, key in keys.items():
            if (name, *key) in self.parts:
                continue
            if time.monotonic() > until:
                unread += 1
            elif (read := self.read(name, manifest)) is not None:
                self.parts[(name, *key)] = read
        found: dict[str, T] = {}
        damage = {}
        for (name, *_), one in self.parts.items():
            if isinstance(one, str):
                damage[f"parts/{name}"] = one
            else:
                found |= one
        return found, damage, unread

    def read(self, name: str, manifest: Mapping[str, Any]) -> dict[str, T] | str | None:
        """Read one part; a text says what is wrong with it. None for one that was merged into another meanwhile."""
        try:
            return dict(self.reduce(read_part(self.folder, name, manifest).table, manifest))
        except PartError as error:
            problem = str(error)
        try:  # a part may have been written again since the manifest was read
            return dict(self.reduce(read_part(self.folder, name, read_manifest(self.folder)).table, manifest))
        except (PartError, StoreError):
            return problem if os.path.lexists(self.folder / "parts" / name) else None

    def jobs(self) -> tuple[JobSeen, ...]:
        """Read what the jobs in hand say of themselves."""
        seen = []
        with suppress(OSError):
            for path in sorted((self.folder / "parts").glob("*.progress"))[:MOST_JOBS]:
                beat = control.read_heartbeat(self.folder, path.stem)
                phase = "training" if beat.training else "compiling" if beat.compiling else "begun"
                if beat.pid:
                    seen.append(JobSeen(path.stem, beat.what, phase, round(beat.runs, 2), beat.of))
        return tuple(seen)

    def failures(self) -> dict[str, str]:
        """Read from the log which jobs of the last run failed."""
        text = ""
        if (self.folder / LOG).is_file():  # a pipe would be waited for
            with suppress(OSError), (self.folder / LOG).open("rb") as file:
                file.seek(max(os.fstat(file.fileno()).st_size - LOG_TAIL, 0))
                text = file.read(LOG_TAIL).decode("utf-8", "replace")
        last = re.split(r"^[-0-9]{10} [:0-9]{8} \d+ runs? in \d+ jobs?$", text, flags=re.MULTILINE)[-1]
        return dict(re.findall(r"^[-0-9]{10} [:0-9]{8} job ([0-9a-f]+): failed: (.*)$", last, flags=re.MULTILINE))

    def stamp(self, name: str) -> tuple[int, int, int] | None:
        """Read of a file what changes with its content; None where there is none."""
        try:
            about = (self.folder / name).stat()
        except OSError:
            return None
        return about.st_ino, about.st_size, about.st_mtime_ns
