"""A trial: studies are trained and numbers computed, one after another; their verdicts make one table and one page.

Here the engine, the story's claims and the analysis meet, which do not know each other.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actlab.analysis.verdicts import Part
    from actlab.study.trial import Trial

MANIFEST, NUMBERS, PAGE = "trial.json", "measured.csv", "report.html"
FILTERED = ("claim", "activation", "verdict")
"""Columns by which the page's table is filtered."""
QUICK = "_quick"
"""What the folder of a quick trial ends with: it never stands where the full one does."""


def default_folder(trial: Trial, quick: bool = False) -> Path:
    """Return the folder that a trial is written into."""
    return Path("results") / f"{trial.config.trial}{QUICK * quick}"


def is_quick(out: Path) -> bool:
    """Whether a trial's folder holds a quick one."""
    return bool(json.loads((out / MANIFEST).read_text(encoding="utf-8"))["quick"])


def run(
    trial: Trial,
    out: Path,
    quick: bool = False,
    only: Iterable[str] = (),
    followed: Callable[[str, int, int], AbstractContextManager[Any]] = lambda name, done, of: nullcontext(False),
    **how: Any,
) -> list[Path]:
    """Train every study of a trial that lacks something, compute what is computed, and write all verdicts.

    Args:
        trial: from ``study.trial.read``.
        out: its folder; each study has one of its own below.
        quick: with the overrides that make every study small.
        only: the names of some of its parts; all by default.
        followed: called with the name of a part, how many were done before it, and of how many; gives, for as
            long as that takes, what is called with its progress (see ``actlab.run``).
        how: further arguments of ``actlab.run``, as ``workers``.

    Returns:
        the files written last: the table and the page.

    Raises:
        StudyError, RunError, ...: see ``actlab.run``; what was trained is stored, and the same call goes on.
    """
    import actlab

    files = (*trial.studies, *trial.computed)
    names = [path.stem for path in files]
    wanted = [path for path in files if path.stem in (set(only) or names)]
    out.mkdir(parents=True, exist_ok=True)
    about = {"config": trial.config.model_dump(), "quick": quick, "parts": names, "of": str(trial.path.parent)}
    (out / MANIFEST).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    for done, path in enumerate(wanted):
        with followed(path.stem, done, len(wanted)) as progress:
            if path in trial.studies:
                overrides = trial.overrides(path.stem, quick)
                actlab.run(path, overrides, out=out / path.stem, progress=progress, **how)
            else:
                compute(path, out / path.stem)
    return write(out)


def compute(path: Path, folder: Path) -> None:
    """Compute or measure what a file's claims are on, store the numbers, and decide the claims.

    Raises:
        ClaimsError: the file cannot be used, or has no function ``measure``.
        ReportError: that function fails.
    """
    from actlab import sources
    from actlab.analysis import claims
    from actlab.analysis.layout import to_csv, write_table
    from actlab.analysis.parts import users_failures
    from actlab.outputs import making

    listed = claims.load(path)
    with sources.reading(), sources.contained():
        measure = vars(sources.import_file(path)).get("measure")
    if not callable(measure):
        raise claims.ClaimsError(f"{path}: needs a function `measure`, which gives the numbers as a frame")
    with users_failures("measure"):
        numbers = measure()
    verdicts = [claims.decided(one, numbers) for one in listed if not isinstance(one, claims.Across)]
    with making(folder, ("tables", sources.COPIES)) as made:
        (made.at / NUMBERS).write_text(to_csv(numbers, "%.17g"), encoding="utf-8", newline="\n")
        (made.at / sources.COPIES).mkdir()
        shutil.copyfile(path, made.at / sources.COPIES / path.name)
        write_table(claims.as_table(verdicts, [], 0, 0), made.at / "tables")


def write(out: Path) -> list[Path]:
    """Write the table of all verdicts and its page, from what is stored.

    Args:
        out: a trial's folder.

    Returns:
        the files written.
    """
    from actlab.analysis import verdicts
    from actlab.analysis.layout import write_table
    from actlab.analysis.pages.document import html
    from actlab.analysis.pages.shell import html_page
    from actlab.analysis.sections import markdown
    from actlab.outputs import making
    from actlab.theory.story import CHAIN, ROWS

    about = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    parts = [part for name in about["parts"] if (part := part_of(out / name, about)) is not None]
    claims = {claim: said for row in ROWS.values() for claim, said in row.claims.items()} | CHAIN
    names = {claim: row.name for row in ROWS.values() for claim in row.claims}
    table = verdicts.table(parts, claims, about["quick"])
    title = about["config"]["question"] or "All claims and their verdicts"
    with making(out, ("tables",)) as made:
        paths = write_table(table, made.at / "tables")
        page = made.at / "report.md"
        sections = verdicts.page(title, table, parts, claims, names)
        page.write_text(markdown(sections), encoding="utf-8", newline="\n")
        text = html_page(about["config"]["trial"], html(sections, out, FILTERED), scripts=("keep.js", "tables.js"))
        (made.at / PAGE).write_text(text, encoding="utf-8", newline="\n")
    return [made.final(path) for path in (*paths, page, made.at / PAGE)]


def part_of(folder: Path, about: Mapping[str, Any]) -> Part | None:
    """Read a part of a trial; None of one that was not run."""
    from actlab.analysis import verdicts
    from actlab.study.yaml_text import bounded_load

    found = verdicts.read(folder)
    if not found:
        return None
    path = folder / "study.yaml"
    study, _ = bounded_load(path.read_text(encoding="utf-8"), str(path)) if path.is_file() else ({}, None)
    rule = str(study.get("claims") or f"sources/{folder.name}.py")
    scope = verdicts.scope_of(study) if study else ""
    figures = frozenset(one.stem for one in (folder / "figures").glob("*.png"))
    return verdicts.Part(folder.name, scope, rule, verdicts.again(Path(about["of"]), folder.name), found, figures)
