"""How a command says what is wrong, without a traceback."""

import io
import sys
from collections.abc import Mapping
from errno import EACCES, EDQUOT, EINVAL, ELOOP, ENAMETOOLONG, ENOSPC, ENOTDIR, EROFS
from pathlib import Path

from actlab import interrupts, limits
from actlab.cli.terminal import err, one_line
from actlab.naming import message

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
    "actlab.engine.setting_aside": "WithdrawnError",
    "actlab.engine.cluster": "ClusterLost",
    "actlab.engine.files": "DamageError",
    "actlab.analysis.parts": "ReportError",
    "actlab.outputs": "OutputError",
    "actlab.limits": "LimitError",
}


def imported(kinds: Mapping[str, str]) -> tuple[type[Exception], ...]:
    """Pick those of some errors, {module: name}, whose modules are imported by now."""
    return tuple(getattr(sys.modules[module], name) for module, name in kinds.items() if module in sys.modules)


def report_error(error: Exception) -> int:
    """Say what is wrong with a request, without a traceback; anything unexpected is raised again."""
    if hasattr(error, "exit_code") and hasattr(error, "show"):  # the parser's own: a wrong option or argument
        shown = io.StringIO()
        error.show(shown)
        err.print(message(named(shown.getvalue().rstrip("\n"))))
        return int(error.exit_code)
    if interrupts.state.asked is not None and not isinstance(error, imported(INCOMPLETE)):
        return interrupts.INTERRUPTED  # what an import, say, has made of KeyboardInterrupt
    for code, kinds in ((1, INCOMPLETE), (2, WRONG)):
        if isinstance(error, imported(kinds)):
            text = str(error).replace(f"{Path.cwd()}/", "")  # paths below the current folder are known to be there
            err.print(message(f"actlab: {named(text)}"))
            return code
    if explained := limits.explained(error):
        err.print(f"actlab: {explained}")
        return 1
    if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT, EROFS, EACCES):  # met by a report, say
        err.print(f"actlab: {one_line(error.filename or 'a file')}: cannot be written ({error.strerror})")
        return 1
    if isinstance(error, OSError) and error.errno in (ENAMETOOLONG, ELOOP, ENOTDIR, EINVAL):  # of a name in the request
        err.print(message(f"actlab: {error.filename}: is no path ({error.strerror})"))
        return 2
    if isinstance(error, UnicodeEncodeError) and error.encoding == sys.getfilesystemencoding() != "utf-8":
        name, has = one_line(error.object), "does not have all letters of that name"
        err.print(f"actlab: {name}: {error.encoding}, the encoding of names of files here, {has}; set PYTHONUTF8=1")
        return 2
    raise error


def named(text: str) -> str:
    r"""Write a message in which each word of the command stands on one line: a name with a newline is no two lines."""
    for word in sys.argv[1:]:
        if "\n" in word or "\t" in word:
            text = text.replace(word, one_line(word))
    return text
