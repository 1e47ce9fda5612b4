"""actlab: experiments on activation functions, depth and vanishing gradients.

actlab.run("configs/depth.yaml")                 train what is missing, write tables, figures and report
actlab.load("results/depth").layers              every per-layer measurement, as a pandas frame
actlab.compare("results/depth", metric="test_accuracy", by=["activation", "depth"])
actlab.model("3f2a", study="results/depth")      a run's network, as a flax.nnx module
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from os import PathLike
from os.path import expanduser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actlab.errors import ERRORS
from actlab.later import find_parts, import_all
from actlab.later import with_trials as with_trials
from actlab.reporting import TO_REPORT, tell_if_up_to_date, write_report

if TYPE_CHECKING:  # the command line heeds Ctrl-C, and answers --help, before any of these is imported
    import pandas as pd

    from actlab.activations import activation
    from actlab.analysis.parts import figure, table
    from actlab.data import dataset
    from actlab.engine.control import Progress
    from actlab.engine.merging import merge
    from actlab.measures import measure
    from actlab.nn.initializers import bias_initializer, initializer
    from actlab.nn.model import DeepMLP
    from actlab.nn.optimizers import optimizer
    from actlab.results import Results
    from actlab.study.plan import Plan
    from actlab.study.reading import Study

REPORT_WAITS = 60.0  # seconds for which a report waits for whoever else writes into the folder

LATER = {
    "activation": "actlab.activations",
    "bias_initializer": "actlab.nn.initializers",
    "dataset": "actlab.data",
    "figure": "actlab.analysis.parts",
    "initializer": "actlab.nn.initializers",
    "measure": "actlab.measures",
    "merge": "actlab.engine.merging",
    "optimizer": "actlab.nn.optimizers",
    "table": "actlab.analysis.parts",
}
"""Decorators, and what else is imported only when it is asked for; errors likewise."""
LATER |= {name: known.module for name, known in ERRORS.items()} | {"ActlabError": "actlab.errors"}

__all__ = [
    "activation",
    "bias_initializer",
    "compare",
    "dataset",
    "figure",
    "initializer",
    "load",
    "measure",
    "merge",
    "model",
    "optimizer",
    "report",
    "run",
    "table",
]
__all__ += ["ActlabError", *ERRORS]


def __getattr__(name: str) -> Any:
    """Import what is in ``LATER`` from its module."""
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(LATER[name]), name)


def __dir__() -> list[str]:
    """List what there is, imported yet or not."""
    return sorted({*globals(), *__all__})


@with_trials
def run(
    config: str | Path | Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    out: str | Path | None = None,
    executor: str = "local",
    workers: int | None = None,
    fresh: bool = False,
    prune: bool = False,
    reselect: bool = False,
    progress: Callable[[Progress], None] | bool | None = None,
    planned: Callable[[Plan], None] | None = None,
    memory: str | float | None = None,
    scheduler: str | None = None,
    cluster: str | Path | None = None,
    note: Callable[[str], None] = lambda line: None,
    confirm: Callable[[str], bool] | None = None,
) -> Results:
    """Train what a study lacks, then write its tables, figures and report, unless these are there as they would be.

    Args:
        config: the study's YAML file, or a mapping with its keys, whose paths begin in the current folder.
        overrides: ``key.sub=value`` each; a comma list sweeps.
        out: the study's folder; by default ``results/<study>``, and of a study folder's own study.yaml that folder.
        executor: ``local``: worker processes with one thread each; ``dask``: the same on Dask, see docs/cluster.md.
        workers: how many; by default one for each core, or one for all of a machine's accelerators.
        fresh: set the folder aside, beside itself under a name with date and time, and train everything.
        prune: remove stored runs that the study does not ask for any more; they are kept otherwise, and left out.
        reselect: of a study in two stages, select again from its tuning runs; what is stored stays in force otherwise.
        progress: called now and then with how far it has come; docs/study.md has the fields of that record. By default
            a bar in a notebook, and a line where standard error is a terminal; False: nothing.
        planned: called with the plan before it is carried out: it has what was unsure of the data.
        memory: what all workers together may hold, in bytes or as ``"4GB"``; a tenth of it is kept in reserve.
        scheduler: the address of a running Dask scheduler; implies ``dask``.
        cluster: a cluster file, for Slurm; implies ``dask``.
        note: called with a line each on what is damaged in the folder, before it is trained again; on stored runs that
            are left out, or removed; on where the folder was set aside; on another that holds runs of this study; on a
            report that is up to date.
        confirm: called with a question before a folder is set aside; without, that is not asked.

    Returns:
        the results, as ``load`` does.

    Raises:
        StudyError, ClaimsError: the request is wrong, or its cluster out of reach; nothing was trained or written.
        StoreError: the folder is not a study's, or is another's, none of whose runs this one asks for.
        WithdrawnError: ``confirm`` gave no; nothing was changed.
        RunError: some jobs failed; what the others measured is stored.
        ClusterLost: the Dask scheduler went away while jobs ran; what is finished is stored.

    On a machine with accelerators, a plan with functions of your own computes with JAX in this process: start it with
    ``XLA_PYTHON_CLIENT_PREALLOCATE=false``, as the command line does, to leave the workers their memory.

    >>> results = run("configs/quickstart.yaml", ["sweep.seeds=2"], out="/tmp/q")  # doctest: +SKIP
    """
    import threading

    from actlab import notebook

    state: Progress | None = None

    def notice(new: Progress) -> None:
        nonlocal state
        if state is None:  # the workers have their jobs: this process has time to import what the report needs
            names = [*TO_REPORT, "scipy.stats"] if new.jobs > worker_pools.cores() else TO_REPORT
            threading.Thread(target=import_all, args=names).start()
        state = new
        tell(state)

    def follows(**counts: int) -> None:
        tell(control.write_after(folder, state, **counts))

    with notebook.followed(progress) as tell:
        study = study_of(config, overrides)
        from actlab import results
        from actlab.engine import control, train_study, whereabouts, worker_pools

        own = whereabouts.default_folder(study.source.path, study.config.study, overrides)
        folder = own if out is None else Path(expanduser(out))
        file = None if cluster is None else Path(expanduser(cluster))
        execution = train_study.ExecutionConfig(executor, workers, train_study.in_bytes(memory), scheduler, file)
        with worker_pools.Processes() as processes:
            options = (fresh, notice, planned, note, prune, confirm, out is None, reselect, follows)
            with train_study.trained(study, folder, execution, processes, *options) as stored:
                processes.keep(1)
                found = results.of(stored.results())
                if not tell_if_up_to_date(found, note):
                    write_report(found, lambda done, of: follows(written=done, to_write=of), processes)
    return found


def study_of(config: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Study:
    """Read a study as ``run`` does: validated, its tables, figures and claims file known to exist.

    Files of the user's are run for it, once all that can be told without is known to be right. Those of a study's
    folder, whose ``study.yaml`` it is, must be as ``run`` copied them there.

    Raises:
        StudyError, ClaimsError: the request is wrong.
        UntrustedError: a file that the folder brings was altered; nothing was run.
    """
    from actlab import sources
    from actlab.engine import trusting
    from actlab.naming import brief
    from actlab.study.first_look import look
    from actlab.study.reading import read
    from actlab.study.source import StudyError

    parts = {"tables": find_parts("tables", "TABLES"), "figures": find_parts("figures", "FIGURES")}
    if not isinstance(config, Mapping | str | PathLike):
        raise StudyError(f"config: expected the path of a YAML file, or a mapping, not {brief(config)}")
    file = None if isinstance(config, Mapping) else Path(expanduser(config))
    with sources.only(trusting.to_run(file, overrides) if file is not None else None):
        study = read(config, overrides, parts, look)
        if study.config.claims:
            from actlab.analysis import claims_file

            claims_file.load(Path(study.config.claims))  # refused now rather than after hours of training
    return study


def load(folder: str | Path, partial: bool = False) -> Results:
    """Load the frames ``runs``, ``steps`` and ``layers`` of a study's folder, its resolved study and its manifest.

    Args:
        folder: the study's.
        partial: whether to go on without parts that are damaged; ``damage`` of the results names them then.

    Raises:
        DamageError: parts are damaged: altered, cut short, gone, of another study; says which.
        StoreError: the folder is missing, is not a study's, or holds no finished run.

    >>> load("results/depth").runs.columns  # doctest: +SKIP
    """
    from actlab import results
    from actlab.engine import store

    return results.of(store.load(expanduser(folder), partial))


def report(
    folder: str | Path,
    *,
    partial: bool = False,
    own: bool = True,
    trust: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Rewrite every table and figure, and the report, from stored measurements; trains and compiles nothing.

    Files of the user's that hold claims, tables or figures are run: those in the folder's own ``sources/``, as ``run``
    copied them there. A match with the checksums says that nothing was altered since, not who wrote it.

    Args:
        folder: the study's.
        partial: whether to go on without parts that are damaged; the report names them then.
        own: whether such files are run at all; without, the report says what it lacks.
        trust: whether they are run as they are, wherever they lie.
        tell: called with a line on what to know of the parts, and one that names the files before they are run.

    Returns:
        the files written.

    Raises:
        DamageError, StoreError: see ``load``; or another process writes into it for longer than a minute.
        UntrustedError: a file lies elsewhere, or was altered; nothing was run or written.
        ReportError: a claim, table or figure of the user's failed; all else is written.
        OutputError: something stands in the way; what there was is as it was.
    """
    from actlab.engine import control, manifest, worker_pools

    manifest.read_manifest(folder := Path(expanduser(folder)))  # only a study's folder is ever locked
    with control.study_lock(folder, REPORT_WAITS), worker_pools.Processes() as helpers:
        found = load(folder, partial)
        for line in (*found.damage, *found.notes):
            tell(line)
        return write_report(found, lambda done, pages: None, helpers, own, trust, tell)


def compare(
    *folders: str | Path,
    metric: str | None = None,
    by: str | Sequence[str] = ("activation", "depth"),
    where: str | Sequence[str] = (),
    over: str | Sequence[str] = (),
    select: str | None = "study",
    against: str | None = None,
    at: str | int = "final",
    preset: str | None = None,
    partial: bool = False,
) -> pd.DataFrame:
    """Make one comparison table over one or several studies: mean, 95 % interval, n and number diverged in each group.

    A setting that varies and is neither in ``by``, fixed by ``where``, averaged by ``over`` nor selected by the study's
    own rule is an error: no mean hides it.

    Args:
        folders: studies' folders.
        metric: a column of ``runs``, ``steps`` or ``layers``; layer measures are averaged over hidden layers unless
            ``layer`` is in ``by``. ``dead_fraction`` without either.
        by: the columns that make the groups: a list, or names with commas between.
        where: which runs, as ``"activation=relu,depth=10.."``.
        over: settings that are averaged on purpose, within each seed: a list, or names with commas between.
        select: ``study``: each study's own rule chooses, unless its key is named above; ``none``, None: nothing does.
        against: an activation's label: differences of all others from it, by pairs of one seed, instead of means.
        at: ``final``, ``init``, ``max`` (over records) or a recorded step.
        preset: ``dying`` for born, died, revived, ever dead and weak side by side.
        partial: whether to go on without parts that are damaged; ``attrs["notes"]`` of the table names them then.

    Raises:
        CompareError: there is no such column, time, preset or activation, or a mean would hide a setting that varies.
        WhereError: a condition cannot be read, or names a key or value of no study.
        DamageError, StoreError: see ``load``.

    >>> compare("results/depth", metric="test_accuracy", where="depth=20..", against="relu")  # doctest: +SKIP
    """
    from actlab.analysis.compare import compare_results
    from actlab.engine import store

    results = [store.load(expanduser(folder), partial, predictions=False) for folder in folders]
    asked = {"metric": metric, "at": at, "preset": preset, "select": select or "none", "against": against}
    return compare_results(list(map(str, folders)), results, by, where, over, **asked)


def model(
    run: str | Mapping[str, Any] | pd.Series | None = None,
    weights: Mapping[str, Any] | None = None,
    *,
    study: Results | str | Path | None = None,
    trust: bool = False,
    **settings: Any,
) -> DeepMLP:
    """Build the network of one run, as a flax.nnx module in evaluation mode: to read, to inspect, to take away.

    Without ``weights`` it is the network that a run of a study begins with, drawn again from the run's seed, to the bit
    (batch normalisation has the statistics of the training split). ``load(folder).model(run)`` gives the trained one.

    Args:
        run: in ``study``, a run's name or how that begins, or its row of ``results.runs``; without a study such a row,
            or any mapping with its columns ``activation`` (as its label, or as in a study's file), ``depth``,
            ``width``, ``norm``, ``residual``, ``dropout`` and ``dropout_kind``: what is missing is at its default.
        weights: of one run, by name as ``load(folder).weights(run)`` has them, or as training has them: {input: {kernel
            [F, W]}, layers: {kernel [L, W, W] (row 0 is not used), bias [L, W], activation [L, P] or [L, P, W], and
            with a norm scale and shift [L, W]}, readout: {kernel [W, C], bias [C]}}; L is the depth or more. Float64
            ones need ``jax.enable_x64``, before and after.
        study: results, or their folder: its data, and the user's own activations from its unaltered ``sources/`` alone.
        trust: whether they are run although they were altered, or lie elsewhere.
        **settings: columns as above, one by one, in place of or beyond those in ``run``.

    Returns:
        ``DeepMLP``: ``network(x)`` are the outputs of standardised inputs x [B, F], such as
        ``actlab.data.load("iris").test.x``.

    Raises:
        StudyError: a setting is wrong, the weights are not of that network, or the study has no such run.
        UntrustedError: a file of the user's was altered, or lies elsewhere; nothing was run.

    >>> network = model("3f2a", study="results/depth")  # doctest: +SKIP
    >>> network = model(activation="tanh", depth=3, norm="layer", weights=weights)  # doctest: +SKIP
    """
    from actlab.engine import network
    from actlab.study.reading import StudyError

    network.check_names(settings)
    if study is not None:
        if run is None or settings:
            raise StudyError("model: a run of a study has its settings; give the run, and no others")
        folder = Path(expanduser(study)) if isinstance(study, str | Path) else study.path
        return network.of_run(folder, run if isinstance(run, str) else str(run.get("run")), weights, trust)
    if isinstance(run, str) or weights is None:
        raise StudyError("model: without a study, settings and weights; with study=results, the run")
    return network.of_settings({**dict(run if run is not None else {}), **settings}, weights)
