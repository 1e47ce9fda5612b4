"""What counts of the parts that lie in a study's folder, what is damaged, and what is to be said of both.

What the manifest lists, with the checksum of its file, wins. A part that it does not list, since a run was killed
before it could note that, counts where it has its own checksum, its runs are planned here, and it contradicts nothing.
Of what counts, the runs that were planned here earlier and are not any more are kept, and not read (see ``earlier``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actlab.engine.at_work import way_to_train
from actlab.engine.earlier import EARLIER, Why, left_out_line, pruning
from actlab.engine.manifest import LATER, MANIFEST, altered
from actlab.engine.part_checks import contradict, has_checksum, of_runs, unlike
from actlab.engine.planned import PLANNED
from actlab.naming import MOST_LINE, counted, shortened

if TYPE_CHECKING:
    import pyarrow as pa

MOST_LINES = 5


@dataclass(frozen=True)
class Part:
    """A sound part.

    Attributes:
        table: its rows.
        sha256: of its file.
    """

    table: pa.Table
    sha256: str


@dataclass(frozen=True)
class Contents:
    """What a study's folder holds.

    Attributes:
        manifest: as it was read.
        tables: {part: rows} of what counts, each run once.
        checksums: {part: SHA-256 of its file}, likewise.
        damage: {part or file: what is wrong with it}.
        unlisted: those of ``tables`` that the manifest does not list.
        spare: parts that the manifest does not list, and all of whose runs it lists elsewhere, with the same content.
        planned: the runs that the folder is for; None where that is not known.
        asked: those of them that the folder names itself; None where it does not.
        earlier: the runs that it was for once, and why it is not any more.
    """

    manifest: dict[str, Any]
    tables: dict[str, pa.Table]
    checksums: dict[str, str]
    damage: dict[str, str]
    unlisted: tuple[str, ...]
    spare: tuple[str, ...]
    planned: frozenset[str] | None
    asked: frozenset[str] | None = None
    earlier: Mapping[str, Why] = field(default_factory=dict)

    @property
    def runs(self) -> set[str]:
        """The runs that count, those that were planned earlier included."""
        return {run for table in self.tables.values() for run in table["run"].to_pylist()}

    @property
    def left_out(self) -> dict[str, Why]:
        """The stored runs that the folder was for once and is not any more, and why."""
        return {run: self.earlier.get(run, {}) for run in sorted(self.runs) if not self.is_asked(run)}

    def is_asked(self, run: str) -> bool:
        """Whether the folder is for a run."""
        return run not in self.earlier if self.asked is None else run in self.asked

    def asked_tables(self) -> dict[str, pa.Table]:
        """Return the rows of the runs that the folder is for, by part."""
        runs = {run for run in self.runs if self.is_asked(run)}
        asked = {name: of_runs(table, runs) for name, table in self.tables.items()}
        return {name: table for name, table in asked.items() if len(table)}

    def left_out_lines(self, folder: Path) -> list[str]:
        """Say which stored runs are not read, if any."""
        left_out = self.left_out
        return [left_out_line(left_out.values(), "its study.yaml", pruning(folder))] if left_out else []

    @property
    def missing(self) -> int:
        """How many planned runs are not stored, those included that a study will ask for once it has selected."""
        return len((self.planned or frozenset()) - self.runs) + self.later

    @property
    def later(self) -> int:
        """How many runs a study in two stages will ask for besides those that are planned."""
        return int(self.manifest.get(LATER, 0)) if self.planned else 0

    def damage_lines(self) -> list[str]:
        """Name what is damaged, a line each."""
        lines = [f"{shortened(name, MOST_LINE)} {why}" for name, why in self.damage.items()]
        return [*lines[:MOST_LINES], *([f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else [])]

    def notes(self) -> list[str]:
        """Say what else a reader should know: parts that the manifest does not list."""
        said = []
        if self.unlisted:
            others = len(self.unlisted) - 1
            names = f"{shortened(self.unlisted[0], MOST_LINE)}{f' and {others} more' if others else ''}"
            said.append(
                f"{names}: not listed in manifest.json (a run ended before it could note that); "
                "of runs that are planned here, with its own checksum, and so it counts"
            )
        return said

    def untrained(self, folder: Path) -> list[str]:
        """Say how many of the planned runs are not stored, if any, and how they come about."""
        if not self.missing or self.planned is None:
            return []
        why = "lost, or not trained yet" if self.damage else "not trained yet"
        verb = "is" if self.missing == 1 else "are"
        number = f"{self.missing} of {counted(len(self.planned) + self.later, 'planned run')} {verb} {why}"
        return [f"{number}; {way_to_train(folder, 'it' if self.missing == 1 else 'them')}"]


def contents_of(
    manifest: dict[str, Any],
    parts: Mapping[str, Part | str],
    planned: frozenset[str] | None,
    others: frozenset[str] = frozenset(),
    problem: str = "",
    earlier: Mapping[str, Why] | None = None,
    problem_earlier: str = "",
) -> Contents:
    """Decide which parts count.

    Args:
        manifest: as it was read.
        parts: of each file in ``parts/`` its rows, or what is wrong with it.
        planned: the runs that the folder is for, as it says itself; None where it does not.
        others: runs that are known to be planned besides, from a plan.
        problem: what is wrong with the list of planned runs.
        earlier: the runs that the folder was for once.
        problem_earlier: what is wrong with the list of those.
    """
    asked, known = planned, None if planned is None and not others else (planned or frozenset()) | others
    if earlier:
        planned = None if planned is None else planned.union(earlier)
        others = others.union(earlier) if others else others
    listed = as_named(manifest.get("parts", {}), parts)
    damage = {name: why for name, why in ((PLANNED, problem), (EARLIER, problem_earlier)) if why}
    if altered(manifest):
        damage[MANIFEST] = "was altered since it was written"
    names = sorted({*parts, *listed}, key=lambda name: (name not in listed, name))
    tables: dict[str, pa.Table] = {}
    unlisted: list[str] = []
    spare: list[str] = []
    of_run: dict[str, str] = {}  # in which part each run is
    first_of: dict[pa.Schema, str] = {}  # a part for each set of columns: a study that is trained has hundreds of parts
    for name in names:
        part = parts.get(name, "is gone, which manifest.json lists")
        why = part if isinstance(part, str) else ""
        if isinstance(part, Part):
            mine = None if problem_earlier and name in listed else planned  # it may be of a run that was planned once
            columns = part.table.schema.remove_metadata()
            why = why_not(name, part, listed.get(name), mine, others)
            if not why and columns not in first_of:
                why = why_unlike(part.table, {other: tables[other] for other in first_of.values()})
        if why or isinstance(part, str):
            damage[f"parts/{name}"] = why
            continue
        runs = part.table["run"].to_pylist()
        by_part: dict[str, set[str]] = {}
        for run in runs:
            if run in of_run:
                by_part.setdefault(of_run[run], set()).add(run)
        against = [other for other, both in by_part.items() if contradict(part.table, table_of(parts, other), both)]
        if against:
            damage[f"parts/{name}"] = f"contradicts {shortened(against[0], MOST_LINE)} on runs that both have"
            for other in against:
                if (other in listed) == (name in listed):  # neither is more to be trusted
                    damage[f"parts/{other}"] = f"contradicts {shortened(name, MOST_LINE)} on runs that both have"
            continue
        new = [i for i, run in enumerate(runs) if run not in of_run]
        if name not in listed:
            (unlisted if new else spare).append(name)
        if new:
            tables[name] = part.table if len(new) == len(runs) else part.table.take(new)
            first_of.setdefault(columns, name)
        of_run |= {run: name for run in runs if run not in of_run}
    tables = {name: table for name, table in tables.items() if f"parts/{name}" not in damage}
    checksums = {name: part.sha256 for name, part in parts.items() if isinstance(part, Part) and name in tables}
    new_parts = tuple(one for one in unlisted if one in tables)
    return Contents(manifest, tables, checksums, damage, new_parts, tuple(spare), known, asked, earlier or {})


def as_named(listed: Mapping[str, str], parts: Mapping[str, Part | str]) -> dict[str, str]:
    """Return the manifest's checksums by the names that files have now: one that was renamed is the same part."""
    gone = {sha256: name for name, sha256 in listed.items() if name not in parts}
    found = {name: part.sha256 for name, part in parts.items() if isinstance(part, Part) and part.sha256 in gone}
    renamed = {gone[sha256] for sha256 in found.values()}
    return {name: sha256 for name, sha256 in listed.items() if name not in renamed} | found


def table_of(parts: Mapping[str, Part | str], name: str) -> pa.Table:
    """The rows of a sound part."""
    part = parts[name]
    assert isinstance(part, Part)
    return part.table


def why_not(name: str, part: Part, listed: str | None, planned: frozenset[str] | None, others: frozenset[str]) -> str:
    """Say why a part does not count, by itself; empty where it does.

    Args:
        name: of its file.
        part: what that holds.
        listed: the SHA-256 that the manifest has for it; None where it is not listed.
        planned, others: see ``contents_of``.
    """
    if listed is not None and part.sha256 != listed:
        return "was altered: its SHA-256 is not the one in manifest.json"
    if listed is None and planned is None and not others:
        return (
            f"is not listed in manifest.json, and no {PLANNED} says whether its runs belong here: a run of the "
            "study finds out, and trains nothing that is there"
        )
    if planned is not None or (listed is None and others):
        foreign = set(part.table["run"].to_pylist()) - (planned or frozenset()) - others
        if foreign:
            return f"holds runs of another study ({len(foreign)} of {len(part.table)}: {min(foreign)}, ...)"
    if listed is None and planned is not None and not has_checksum(part.table):
        return "is not listed in manifest.json and has no checksum of its own, as every part of this folder has"
    return ""


def why_unlike(table: pa.Table, tables: Mapping[str, pa.Table]) -> str:
    """Say which column of a part is of another kind than in those before; empty where none is."""
    for name, other in tables.items():
        if column := unlike(table, other):
            return f"has a column {column!r} of another type than {shortened(name, MOST_LINE)} has"
    return ""
