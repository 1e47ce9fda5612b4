"""Every error that actlab raises for its users to catch: where it is defined, when it comes, how the command then ends.

All of them are ``ActlabError``, and can be had from the package itself: ``except actlab.StudyError``. What is wrong in
a request is also a ``ValueError``, what stopped a right one a ``RuntimeError``.
"""

from dataclasses import dataclass

WRONG, INCOMPLETE = 2, 1
"""Exit codes: of a wrong request, and of a run or report that could not be completed."""


class ActlabError(Exception):
    """What actlab says is wrong, in words for whoever asked: the base of all its errors."""

    def _render_traceback_(self) -> list[str]:
        """Say it in a notebook as on the command line, without a traceback: what IPython asks an error for."""
        lines = (
            "".join(one if one.isprintable() else ascii(one)[1:-1] for one in line) for line in str(self).split("\n")
        )
        return ["\n".join([f"{type(self).__name__}: {next(lines)}", *lines])]


@dataclass(frozen=True)
class Known:
    """What is known of a class of errors.

    Attributes:
        module: where it is defined.
        code: the exit code of a command that it ends.
        when: it is raised.
    """

    module: str
    code: int
    when: str


ERRORS: dict[str, Known] = {
    "StudyError": Known(
        "actlab.study.source", WRONG, "a study or an override is wrong; names file, line, key and what was expected"
    ),
    "ClusterError": Known(
        "actlab.engine.cluster.common", WRONG, "a cluster file is wrong, or its cluster out of reach; a `StudyError`"
    ),
    "DataError": Known("actlab.data.table", WRONG, "data cannot be read, or not as they are asked for"),
    "RareClassError": Known("actlab.data.splits", WRONG, "a class has too few rows to be split; a `DataError`"),
    "ActivationError": Known("actlab.activations.base", WRONG, "there is no such activation, or it cannot be used"),
    "FormulaError": Known(
        "actlab.activations.formulas", WRONG, "a text is no formula of an activation; an `ActivationError`"
    ),
    "InitializerError": Known("actlab.nn.initializers", WRONG, "likewise, of an initializer"),
    "OptimizerError": Known("actlab.nn.optimizers", WRONG, "likewise, of an optimizer"),
    "MeasureError": Known("actlab.measures.base", WRONG, "likewise, of a measure"),
    "TheoryError": Known("actlab.theory.errors", WRONG, "theory has no answer to what is asked; gives the reason"),
    "PartError": Known("actlab.analysis.parts", WRONG, "likewise, of a table or figure"),
    "ClaimsError": Known("actlab.analysis.claims", WRONG, "a claims file cannot be read, or holds no claims"),
    "SourceError": Known("actlab.sources.statements", WRONG, "a Python file of the user's cannot be read or run"),
    "UntrustedError": Known(
        "actlab.sources.vetting",
        WRONG,
        "a Python file that a study's folder brings was altered or lies elsewhere; nothing was run; a `SourceError`",
    ),
    "StoreError": Known("actlab.engine.files", WRONG, "a folder is no study's, or is not to be written into"),
    "CompareError": Known(
        "actlab.analysis.compared_runs",
        WRONG,
        "there is no such column, time or preset to compare, or a mean would hide a setting that varies",
    ),
    "WhereError": Known("actlab.where.grammar", WRONG, "runs are asked for by what cannot be asked, as in `--where`"),
    "ListingError": Known("actlab.analysis.listing", WRONG, "runs are to be listed by a column that no run has"),
    "DisagreementError": Known(
        "actlab.engine.agreeing", INCOMPLETE, "folders to be merged hold the same run with different measurements"
    ),
    "DamageError": Known(
        "actlab.engine.files",
        INCOMPLETE,
        "stored parts are damaged: altered, cut short, gone, of another study; a `StoreError`",
    ),
    "RunError": Known("actlab.engine.train_study", INCOMPLETE, "some jobs failed; what the others measured is stored"),
    "WithdrawnError": Known(
        "actlab.engine.setting_aside",
        INCOMPLETE,
        "a request was taken back when asked about; nothing was changed",
    ),
    "ClusterLost": Known(
        "actlab.engine.cluster.common", INCOMPLETE, "a cluster went away while jobs ran; what is finished is stored"
    ),
    "ReportError": Known(
        "actlab.analysis.parts", INCOMPLETE, "a claim, table or figure of the user's failed; all else is written"
    ),
    "OutputError": Known(
        "actlab.outputs", INCOMPLETE, "output cannot be put in its place; what there was is as it was"
    ),
    "LimitError": Known("actlab.limits", INCOMPLETE, "the system gives less than is needed (memory, files, processes)"),
}
"""Class -> what is known of it; the narrower one decides how a command ends."""
