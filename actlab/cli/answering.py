"""``run --json``: one object on standard output once the command has ended, however that was; all else on the other.

A wrong request, with exit code 2, has no object: it is a message on standard error.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actlab import awake, interrupts
from actlab.cli.errors import imported
from actlab.cli.terminal import letters, one_line, say
from actlab.errors import INCOMPLETE, WRONG
from actlab.naming import counted, message

if TYPE_CHECKING:
    import pandas as pd

    from actlab.engine.control import Progress
    from actlab.engine.results import Results
    from actlab.study.plan import Plan


def predicted_cells(predictions: "pd.DataFrame") -> dict[str, int]:
    """Count the cells of which theory predicts something, and those outside it: of them one row says why.

    >>> import pandas as pd
    >>> predicted_cells(pd.DataFrame({"cell": ["a", "a", "b"], "measure": ["vanishing_slope", "correlation", ""]}))
    {'predicted': 1, 'outside_theory': 1}
    """
    if predictions.empty:
        return {"predicted": 0, "outside_theory": 0}
    within = predictions.loc[predictions["measure"] != "", "cell"].nunique()
    return {"predicted": within, "outside_theory": predictions["cell"].nunique() - within}


class Answering:
    """What is known of a run while it is under way, and what it came to."""

    def __init__(self, wanted: bool, config: Path, overrides: Sequence[str], out_dir: Path | None, fresh: bool) -> None:
        """Take what was asked for; nothing is read before it is known to be right."""
        self.wanted, self.fresh = wanted, fresh
        self.asked, self.out_dir, self.begin = (config, overrides), out_dir, awake.seconds()
        self.fields: dict[str, Any] = {"notes": []}
        self.planned: frozenset[str] = frozenset()
        self.later = 0  # runs that follow from what a first stage selects
        self.written = self.current = False  # this object; the report, before the command was given

    def watching(self, progress: "Callable[[Progress], None]") -> "Callable[[Progress], None]":
        """Follow the progress that is shown: what is known at once where the process is ended."""

        def follow(state: "Progress") -> None:
            self.fields["failures"] = list(state.failures.values())
            if "stored" in self.fields:
                missing = self.fields["planned"] - self.fields["stored"]
                done = min(state.runs_done, missing)
                self.fields |= {"trained": done, "missing": missing - done}
            progress(state)

        return follow

    def noting(self, note: Callable[[str], None]) -> Callable[[str], None]:
        """Keep what is told."""

        def keep(line: str) -> None:
            from actlab.engine.report_stamp import UP_TO_DATE

            self.current = self.current or UP_TO_DATE in line
            self.fields["notes"].append(line)
            note(line)

        return keep

    def plan(self, planned: "Plan", tell: "Callable[[Plan, str], None]", also: str) -> None:
        """Take note of a plan that is about to be carried out, and of what is stored of it; then tell of it."""
        tell(planned, also)
        if not self.wanted:
            return
        from actlab.data.look import heading
        from actlab.study import warned

        self.take(planned.runs, self.fresh, sum(len(job.runs) for job in planned.later))
        unsure = [f"{heading(about)}: {text}" for about in planned.data for text in about["unsure"]]
        self.fields["notes"] += [*([also] if also else []), *warned.warnings(planned), *unsure]

    def take(self, runs: Iterable[str], fresh: bool, later: int = 0) -> None:
        """Take note of which runs are planned, and how many are stored; none that are about to be set aside.

        Of a study in two stages, ``later`` runs follow from what the first one selects.
        """
        from actlab.engine import whereabouts
        from actlab.engine.store import Stored

        study = name_of(*self.asked)
        folder = self.out_dir or whereabouts.default_folder(self.asked[0], study, self.asked[1])
        self.planned, self.later = frozenset(runs), later
        there = set() if fresh else Stored(folder).runs()
        missing = len(self.planned - there) + later
        self.fields |= {
            "study": study,
            "folder": str(folder),
            "planned": len(self.planned) + later,
            "stored": len(self.planned & there),
            "left_out": len(there - self.planned),
            "trained": 0,
            "missing": missing,
        }

    def done(self, results: "Results") -> None:
        """Take what a run came to that is done; in words, where no object is wanted."""
        from actlab.analysis.document import unknown_death
        from actlab.analysis.listing import plain_records
        from actlab.analysis.marking import advice
        from actlab.analysis.report import answer, headline_tables

        if not self.wanted:
            self.say_done(results)
            return
        status = results.runs["status"]
        diverged = int((status == "diverged").sum())
        frames = results.runs, results.steps, results.layers, results.predictions
        cells, table, tables = headline_tables(results.study, results.manifest, *frames, results.path)
        found, doubts = answer(cells, tables)
        folder = results.path
        files = [folder / "report.md", folder / "report.html"]
        files += [*sorted((folder / "tables").glob("*")), *sorted((folder / "figures").glob("*"))]
        files += [folder / "predictions.parquet", folder / "study.yaml", folder / "manifest.json"]
        self.fields["notes"] += [one.text for one in unknown_death(results.manifest)]
        self.fields["notes"] += [more] if (more := advice(table.frame, cells.selected, folder)) else []
        self.fields |= {
            "study": results.study["study"],
            "folder": str(folder),
            "trained": self.fields["planned"] - self.fields["stored"],
            "missing": 0,
            "ok": len(status) - diverged,
            "diverged": diverged,
            **predicted_cells(results.predictions),
            "failures": [],
            "headline": {"title": table.title, "note": table.note, "rows": plain_records(table.frame)},
            "found": found,
            "doubts": doubts,
            "files": [str(path) for path in files if path.exists()],
        }

    def say_done(self, results: "Results") -> None:
        """Print what a run came to, and what was written."""
        from actlab.analysis.document import unknown_death
        from actlab.analysis.marking import advice
        from actlab.analysis.report import WIDE, headline_tables, headline_text

        frames = results.runs, results.steps, results.layers, results.predictions
        cells, table, tables = headline_tables(results.study, results.manifest, *frames, results.path)
        say(headline_text(results.study, cells, table, tables, letters(WIDE)))
        for one in unknown_death(results.manifest):
            say(one.text)
        diverged = int((results.runs["status"] == "diverged").sum())
        took, heading = f"{awake.seconds() - self.begin:.0f} s", "There is" if self.current else "Wrote"
        say(f"\n{counted(len(results.runs), 'run')} ({diverged} diverged), {took}. {heading}:")
        pages = [name for name in ("report.html",) if (results.path / name).is_file()]
        others = [name for name in ("predictions.parquet", "weights/") if (results.path / name).exists()]
        for path in ("report.md", *pages, "tables/", "figures/", "parts/", *others, "study.yaml", "manifest.json"):
            say(f"  {one_line(results.path / path)}{'/' if path.endswith('/') else ''}")
        if more := advice(table.frame, cells.selected, results.path):
            say(more)

    def stopped(self, error: BaseException) -> None:
        """Look what is stored after all where a run ended before it was done."""
        from actlab.engine.store import Stored

        if withdrawn := getattr(error, "planned", None):  # the question comes before the plan is told
            with suppress(Exception):
                self.take(withdrawn, fresh=False)
        if "folder" in self.fields:
            with suppress(Exception):
                contents = Stored(self.fields["folder"]).read()
                begun = contents.asked if self.later else None  # what the first stage selected is planned since then
                there = len((self.planned | (begun or frozenset())) & contents.runs)
                stored = self.fields["stored"]
                self.fields |= {"trained": max(there - stored, 0), "missing": self.fields["planned"] - there}
        if not isinstance(error, KeyboardInterrupt):
            self.fields["error"] = message(str(error)) or type(error).__name__

    def text(self, outcome: str, code: int) -> str:
        """Write the object."""
        from actlab.analysis.answers import RunAnswer

        seconds = round(awake.seconds() - self.begin, 3)
        return RunAnswer(**{"outcome": outcome, "exit": code, "seconds": seconds, **self.fields}).text()

    def ended(self) -> None:
        """Write the object where the process is ended as it stands."""
        if not self.written:
            self.written = True
            os.write(1, f"{self.text('interrupted', interrupts.INTERRUPTED)}\n".encode())


@contextmanager
def answering(
    wanted: bool, config: Path, overrides: Sequence[str], out_dir: Path | None, fresh: bool
) -> Iterator[Answering]:
    """Print a run's object once it has ended, if it is wanted; whatever is printed before goes to standard error."""
    answer = Answering(wanted, config, overrides, out_dir, fresh)
    if not wanted:
        yield answer
        return

    def write(outcome: str, code: int) -> None:
        if not answer.written:
            answer.written = True
            say(answer.text(outcome, code))

    with interrupts.will(answer.ended):
        try:
            with redirect_stdout(sys.stderr):
                yield answer
        except KeyboardInterrupt as error:
            answer.stopped(error)
            write("interrupted", interrupts.INTERRUPTED)
            raise
        except Exception as error:
            if interrupts.state.asked is not None:  # what an import, say, has made of KeyboardInterrupt
                write("interrupted", interrupts.INTERRUPTED)
            elif isinstance(error, imported(INCOMPLETE)) or not is_wrong(error):
                answer.stopped(error)
                write("incomplete", 1)
            raise
        if interrupts.state.asked is None:
            write("done", 0)
        else:  # too late for anything to be left undone, and yet the exit code says it
            write("interrupted", interrupts.INTERRUPTED)


def is_wrong(error: Exception) -> bool:
    """Whether an error says that the request was wrong."""
    return isinstance(error, imported(WRONG)) or hasattr(error, "exit_code")


def name_of(config: Path, overrides: Sequence[str]) -> str:
    """Read a study's name: an override's, or the file's."""
    from actlab.study.reading import parse

    own = [text.partition("=")[2].strip() for text in overrides if text.partition("=")[0].strip() == "study"]
    return own[-1] if own else str(parse(config)[0]["study"])
