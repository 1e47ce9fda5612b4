"""The report of a study that was read: the engine's frames handed to the analysis, and what may be run for it.

Neither room knows the other; here, and in ``actlab.results``, they meet.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from actlab.later import import_all

if TYPE_CHECKING:
    from actlab.analysis.cells import Cells
    from actlab.engine.results import Results
    from actlab.engine.worker_pools import Processes

RUNS_TO_SHARE = 30  # figures of fewer are drawn before another process has begun to help
# What takes a second to import, and every report needs. Only times to a target may need ``scipy.stats``, which is more.
TO_REPORT = ("pyarrow.parquet", "actlab.analysis.report", "actlab.analysis.panels", "scipy.special")


def tell_if_up_to_date(results: Results, tell: Callable[[str], None]) -> bool:
    """Tell of a study that was just run that its report is there as it would be written now; say whether it is."""
    from actlab import commands
    from actlab.engine import report_stamp

    folder = results.path
    if report_stamp.is_current(folder, str(results.study.get("study", ""))):
        again = f"`{commands.typed('report', folder)}` draws it all the same"
        tell(f"{folder / 'report.md'}: {report_stamp.UP_TO_DATE}: nothing that it is made from has changed; {again}")
        return True
    return False


def write_report(
    results: Results,
    progress: Callable[[int, int], None],
    helpers: Processes,
    own: bool = True,
    trust: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Write what ``report`` does, of what was read already.

    Args:
        results: the study's.
        progress: called with how many pictures are drawn, and of how many.
        helpers: where a process that draws too is ready, or is opened.
        own, trust, tell: see ``report``.

    Raises:
        UntrustedError, ReportError, OutputError, DamageError: see ``report``.
    """
    from actlab import sources
    from actlab.analysis import report as writing
    from actlab.engine import report_stamp, store, trusting, worker_pools
    from actlab.engine.files import DamageError, StoreError

    name, asked = str(results.study.get("study", "")), set[str]()
    report_stamp.remove(results.path)  # whatever becomes of this one
    files = trusting.to_report(results, trust, tell) if own else None
    drawn = (results.study.get("report") or {}).get("figures") != []
    shared = drawn and worker_pools.cores() > 1 and len(results.runs) >= RUNS_TO_SHARE
    helper = helpers.open() if shared else None
    if helper is not None:
        helper.submit(import_all, *TO_REPORT)  # while the tables are made

    def find(name: str) -> Cells | None:
        try:
            it = store.load(results.path.absolute().parent / name)
        except DamageError:  # not "not at hand"
            raise
        except StoreError:
            return None
        return writing.study_cells(it.study, it.manifest, it.runs, it.steps, it.layers, it.lacking, it.predictions)

    about = (results.path, results.study, results.manifest, results.runs, results.steps, results.layers)
    with sources.only(files):
        more = (results.lacking, own, incomplete(results), results.predictions, results.histograms)
        paths = writing.write(*about, progress, helper, report_stamp.recording(find, asked), *more)
    if own and not trust and not results.damage:  # as ``run`` would write it
        report_stamp.write(results.path, name, paths, asked)
    return paths


def incomplete(results: Results) -> list[str]:
    """Say, as Markdown, which parts are left out since they are damaged, and that planned runs are not there."""
    from actlab.analysis.escaping import plain

    left_out = [f"Left out, since it is damaged: {plain(line)}." for line in results.damage]
    here = "`actlab run study.yaml --out .` in this folder trains what is missing"  # wherever the report is read
    return [*left_out, *(f"{line.partition(';')[0]}; {here}." for line in results.untrained)]
