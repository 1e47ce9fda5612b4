"""How a command says what is wrong, without a traceback."""

import sys
from collections.abc import Mapping
from errno import EACCES, EDQUOT, ENOSPC, EROFS
from pathlib import Path

from actlab import interrupts, limits
from actlab.cli.output import err

# Errors by name: one that was raised has its module imported, and the others should cost no time.
WRONG = {
    "actlab.study.reading": "StudyError",
    "actlab.engine.files": "StoreError",
    "actlab.data": "DataError",
    "actlab.activations": "ActivationError",
    "actlab.analysis.claims": "ClaimsError",
    "actlab.analysis.compare": "CompareError",
    "actlab.analysis.parts": "PartError",
    "actlab.measures": "MeasureError",
    "actlab.sources": "SourceError",
}
INCOMPLETE = {
    "actlab.engine.train_study": "RunError",
    "actlab.engine.cluster": "ClusterLost",
    "actlab.analysis.parts": "ReportError",
    "actlab.limits": "LimitError",
}


def imported(kinds: Mapping[str, str]) -> tuple[type[Exception], ...]:
    """Pick those of some errors, {module: name}, whose modules are imported by now."""
    return tuple(getattr(sys.modules[module], name) for module, name in kinds.items() if module in sys.modules)


def report_error(error: Exception) -> int:
    """Say what is wrong with a request, without a traceback; anything unexpected is raised again."""
    if hasattr(error, "exit_code") and hasattr(error, "show"):  # the parser's own: a wrong option or argument
        error.show()
        return int(error.exit_code)
    if interrupts.state.asked is not None and not isinstance(error, imported(INCOMPLETE)):
        return interrupts.INTERRUPTED  # what an import, say, has made of KeyboardInterrupt
    for code, kinds in ((1, INCOMPLETE), (2, WRONG)):
        if isinstance(error, imported(kinds)):
            message = str(error).replace(f"{Path.cwd()}/", "")  # paths below the current folder are known to be there
            err.print(f"actlab: {message}", markup=False, highlight=False, soft_wrap=True)
            return code
    if explained := limits.explained(error):
        err.print(f"actlab: {explained}", markup=False, highlight=False, soft_wrap=True)
        return 1
    if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT, EROFS, EACCES):  # met by a report, say
        err.print(f"actlab: {error.filename or 'a file'}: cannot be written ({error.strerror})", markup=False)
        return 1
    raise error
