"""How a command says what is wrong, without a traceback."""

import sys
from errno import EACCES, EDQUOT, EINVAL, ELOOP, ENAMETOOLONG, ENOSPC, ENOTDIR, EROFS
from pathlib import Path

from actlab import interrupts, limits
from actlab.cli.advice import advice
from actlab.cli.refused import refusal
from actlab.cli.terminal import err, one_line
from actlab.errors import ERRORS, INCOMPLETE, WRONG
from actlab.naming import message


def imported(code: int) -> tuple[type[Exception], ...]:
    """Pick the errors of an exit code whose modules are imported by now: one that was raised has its own imported."""
    return tuple(
        getattr(sys.modules[one.module], name)
        for name, one in ERRORS.items()
        if one.code == code and hasattr(sys.modules.get(one.module), name)
    )


def report_error(error: Exception) -> int:
    """Say what is wrong with a request, without a traceback; anything unexpected is raised again."""
    if hasattr(error, "exit_code") and hasattr(error, "show"):  # the parser's own: a wrong option or argument
        if type(error).__name__ == "NoArgsIsHelpError":  # `actlab` alone
            error.show()
        else:
            words = sys.argv[1:]
            err.print(message(f"actlab: {named(refusal(error, words, advice(error, words)))}"))
        return int(error.exit_code)
    if interrupts.state.asked is not None and not isinstance(error, imported(INCOMPLETE)):
        return interrupts.INTERRUPTED  # what an import, say, has made of KeyboardInterrupt
    for code in (INCOMPLETE, WRONG):
        if isinstance(error, imported(code)):
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
