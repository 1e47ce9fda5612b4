"""A trial: studies are trained and numbers computed, one after another; their verdicts make one table and one page.

Here the engine, the story's claims and the analysis meet, which do not know each other.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actlab import commands
from actlab.later import pd
from actlab.trial_parts import MEASURED, NUMBERS, PAGE, part_of, read_json

if TYPE_CHECKING:
    from actlab.analysis.lineage import Link
    from actlab.analysis.verdicts import Part
    from actlab.study.reading import Study
    from actlab.study.trial import Trial

MANIFEST = commands.TRIAL
FILTERED = ("claim", "activation", "verdict")
"""Columns by which the page's table is filtered."""


def default_folder(trial: Trial, quick: bool = False) -> Path:
    """Return the folder that a trial is written into."""
    from actlab.study.trial import QUICK

    return Path("results") / f"{trial.config.trial}{QUICK * quick}"


def is_trial(folder: Path) -> bool:
    """Whether a folder holds a trial's results."""
    return (folder / MANIFEST).is_file()


def is_quick(out: Path) -> bool:
    """Whether a trial's folder holds a quick one."""
    return bool(read_json(out / MANIFEST)["quick"])


@dataclass(frozen=True)
class Share:
    """What a study of a trial will cost.

    Attributes:
        name: of the study.
        runs, to_train: how many it has, and how many of them are not stored yet.
        seconds: that training them takes, about, on all workers.
        lacks: why it cannot be planned here, and what installs what is missing; empty where it can.
    """

    name: str
    runs: int
    to_train: int
    seconds: float
    lacks: str = ""


def lacking(study: Study) -> str:
    """Say which data set of a study needs a package that is not installed, and how to install it; empty where none.

    Args:
        study: from ``actlab.study_of``.
    """
    from actlab import data
    from actlab.study.plan import load_data
    from actlab.study.source import StudyError

    optional = [one for one in data.DATASETS.values() if one.extra]
    for config in dict.fromkeys(cell.data for cell in study.cells):
        if config.name.name in [one.name for one in optional]:
            try:
                load_data(study, config)
            except StudyError as error:
                return str(error)
    return ""


def refuse_lacking(trial: Trial, files: Iterable[Path], quick: bool) -> None:
    """Refuse a trial, before anything is trained, of which some study needs what is not installed.

    Raises:
        StudyError: names each such study, and what to install.
    """
    import actlab
    from actlab.study.source import StudyError

    each = {path.stem: lacking(actlab.study_of(path, trial.overrides(path.stem, quick))) for path in files}
    if lacks := [why for why in each.values() if why]:
        there = [path.stem for path in trial.parts(quick) if not each.get(path.stem)]
        words = ("trial", trial.path.parent, *["--quick"] * quick, "--only")
        rest = f"\n`{commands.typed(*words, there[0])}` decides one of the others without it" if there else ""
        raise StudyError("\n".join(lacks) + rest)


def shares(
    trial: Trial, out: Path, quick: bool = False, workers: int | None = None, only: Collection[str] = ()
) -> list[Share]:
    """Plan the studies of a trial, and estimate their time; nothing is trained.

    Args:
        trial, quick, workers, only: as ``run`` takes them.
        out: the trial's folder, where runs may be stored already.

    Raises:
        StudyError, StoreError: see ``actlab.run``.
    """
    import actlab
    from actlab.engine.scheduling import missing_runs
    from actlab.engine.store import Stored
    from actlab.engine.train_study import ExecutionConfig
    from actlab.study import cost

    found = []
    for path in (one for one in trial.parts(quick, only) if one in trial.studies):
        study = actlab.study_of(path, trial.overrides(path.stem, quick))
        if why := lacking(study):
            found.append(Share(path.stem, 0, 0, 0.0, why))
            continue
        stored = Stored(out / path.stem)
        planned, number = ExecutionConfig(workers=workers).plan(study, stored)
        to_come = {run.id for job in planned.later for run in job.runs}
        missing = missing_runs(stored, planned) | to_come
        time = cost.expected((*planned.groups, *planned.later), number, missing)
        found.append(Share(path.stem, len(planned.runs) + len(to_come), len(missing), time.seconds))
    return found


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

    names = [path.stem for path in (*trial.studies, *trial.computed)]
    wanted = trial.parts(quick, tuple(only))
    refuse_lacking(trial, [path for path in wanted if path in trial.studies], quick)
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

    Numbers that the same file made before are kept: only its claims are decided again.

    Raises:
        ClaimsError: the file cannot be used, or has no function ``measure``.
        ReportError: that function fails.
    """
    from actlab import sources
    from actlab.analysis import claims, claims_file
    from actlab.analysis.layout import to_csv
    from actlab.analysis.parts import users_failures
    from actlab.checksums import file_sha256
    from actlab.engine.environment import processor, surroundings
    from actlab.outputs import making

    listed = claims_file.load(path)
    own = {path.name: file_sha256(path)}
    if not (folder / MEASURED).is_file() or read_json(folder / MEASURED).get(sources.COPIES) != own:
        with sources.reading(), sources.contained():
            measure = vars(sources.import_file(path)).get("measure")
        if not callable(measure):
            raise claims.ClaimsError(f"{path}: needs a function `measure`, which gives the numbers as a frame")
        with users_failures("measure"):
            numbers = measure()
        with making(folder, (sources.COPIES,)) as made:
            (made.at / NUMBERS).write_text(to_csv(numbers, "%.17g"), encoding="utf-8", newline="\n")
            (made.at / sources.COPIES).mkdir()
            shutil.copyfile(path, made.at / sources.COPIES / path.name)
            about = {sources.COPIES: own, NUMBERS: file_sha256(made.at / NUMBERS), **surroundings()}
            about["processor"] = processor()  # beside an accelerator: what is computed or timed may be of either
            (made.at / MEASURED).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    decide(folder, listed)


def decide(folder: Path, listed: Iterable[Any]) -> list[Path]:
    """Decide claims on the numbers that a computed part keeps.

    Args:
        folder: the part's.
        listed: its claims.

    Returns:
        the files written.

    Raises:
        DamageError: the numbers are not those that were measured.
    """
    from actlab.analysis import claims
    from actlab.analysis.layout import write_table
    from actlab.checksums import file_sha256
    from actlab.engine.files import DamageError
    from actlab.outputs import making

    path = folder / NUMBERS
    if not path.is_file() or file_sha256(path) != read_json(folder / MEASURED).get(NUMBERS):
        raise DamageError(f"{path}: is not what was measured; remove its folder, and `actlab trial` measures again")
    verdicts = [claims.decided(one, exact_numbers(path)) for one in listed if not isinstance(one, claims.Across)]
    with making(folder, ("tables",)) as made:
        made.outdated = lambda: (folder / "tables").glob("*")
        return [made.final(one) for one in write_table(claims.as_table(verdicts, [], 0, 0), made.at / "tables")]


def exact_numbers(path: Path) -> pd.DataFrame:
    """Read a table of numbers and names to the last bit, which not every version of pandas does by itself."""
    frame = pd.read_csv(path, keep_default_na=False, dtype=str, encoding="utf-8")
    for name in frame:
        for kind in (int, lambda text: float(text or "nan")):
            with suppress(ValueError):
                frame[name] = [kind(text) for text in frame[name]]
                break
    return frame


def report(
    out: Path,
    partial: bool = False,
    own: bool = True,
    trust: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Decide all claims again from what is stored, then write all reports, the table and the page: trains nothing.

    Args:
        out: a trial's folder.
        partial, own, trust, tell: see ``actlab.report``; of every part.

    Returns:
        the files written.

    Raises:
        DamageError, StoreError, UntrustedError, ReportError, OutputError: see ``actlab.report``.
    """
    import actlab
    from actlab import sources
    from actlab.analysis import claims_file
    from actlab.engine.manifest import MANIFEST as OF_STUDY

    paths, parts = [], read_json(out / MANIFEST)["parts"]
    for i, name in enumerate(parts, 1):
        tell(f"[{i}/{len(parts)}] {name}")
        folder = out / name
        if (folder / OF_STUDY).is_file():
            paths += actlab.report(folder, partial=partial, own=own, trust=trust, tell=tell)
        elif own and (folder / MEASURED).is_file():
            way_out = "--trust runs it as it is, --no-claims runs none; `actlab trial` writes it again"
            file = f"{sources.COPIES}/{name}.py"
            files = None if trust else sources.vet(folder, [file], read_json(folder / MEASURED), way_out)
            tell(f"Runs {folder / file} to decide its claims.")
            with sources.only(files):
                paths += decide(folder, claims_file.load(folder / file))
    return [*paths, *write(out)]


def write(out: Path) -> list[Path]:
    """Write the table of all verdicts and its page, from what is stored.

    Args:
        out: a trial's folder.

    Returns:
        the files written.
    """
    from actlab.analysis import lineage, redrawn, style, trial_page, verdict_figures, verdicts
    from actlab.analysis.layout import write_table
    from actlab.analysis.pages.document import html
    from actlab.analysis.pages.shell import html_page
    from actlab.analysis.sections import markdown
    from actlab.analysis.verdicts import FIGURES
    from actlab.outputs import making
    from actlab.study.trial import LINEAGE
    from actlab.theory.story import CHAIN, ROWS

    about = read_json(out / MANIFEST)
    parts = [part for name in about["parts"] if (part := part_of(out / name, about)) is not None]
    claims = {claim: said for row in ROWS.values() for claim, said in row.claims.items()} | CHAIN
    names = {claim: row.name for row in ROWS.values() for claim in row.claims}
    chain = lineage.links(about["config"].get("lineage", []), [one for part in parts for one in part.verdicts])
    if any(not one.beside for one in chain):
        parts.append(decide_chain(out / LINEAGE, chain, about))
    table = verdicts.table(parts, claims, about["quick"])
    title = about["config"]["question"] or "All claims and their verdicts"
    named = verdicts.figures_of(parts)
    by_id = {(part.name, one.id): one for part in parts for one in part.verdicts}
    with making(out, (FIGURES,)) as made:  # first: a page shows what is in its place
        saved = [style.save(verdict_figures.draw(by_id[key]), made.at / FIGURES / name) for key, name in named.items()]
        saved += [style.save(one, made.at / FIGURES / name) for name, one in redrawn.figures(parts, named, out)]
        made.outdated = lambda: [one for one in (out / FIGURES).glob("*") if one.suffix in (".png", ".svg")]
    drawn = [made.final(path) for paths in saved for path in paths]
    with making(out, ("tables",)) as made:
        paths = write_table(table, made.at / "tables")
        page = made.at / "report.md"
        of_chain = lineage.table(chain) if chain else None
        about_page = (title, table, parts, claims, names, named, of_chain, about["quick"])
        page.write_text(markdown(trial_page.page(*about_page)), encoding="utf-8", newline="\n")
        body = html(trial_page.page(*about_page, kind="html"), out, FILTERED)
        text = html_page(title, body, scripts=("keep.js", "tables.js"))
        (made.at / PAGE).write_text(text, encoding="utf-8", newline="\n")
    return [*drawn, *(made.final(path) for path in (*paths, page, made.at / PAGE))]


def decide_chain(folder: Path, chain: Sequence[Link], about: Mapping[str, Any]) -> Part:
    """Decide what is said of the chain from the verdicts on its links, and write it as any part of a trial has it.

    Args:
        folder: the chain's own.
        chain: its links.
        about: what the trial keeps of itself; it is the rule, too.
    """
    from actlab.analysis import claims, lineage, verdicts
    from actlab.analysis.layout import write_table
    from actlab.outputs import making
    from actlab.theory.story import CHAIN

    one = lineage.judge_chain("C1", CHAIN["C1"], chain)
    with making(folder, ("tables",)) as made:
        for table in (claims.as_table([one], [], 0, 0), lineage.table(chain)):
            write_table(table, made.at / "tables")
    again = commands.typed("trial", Path(about["of"]), *(["--quick"] if about["quick"] else []))
    said = ("the links between this trial's verdicts", f"../{MANIFEST}", again, (one,))
    return verdicts.Part(folder.name, *said, how=lineage.RULE, measured="tables/lineage.csv")
