"""Text as a terminal may show it: names come from strangers too, and none moves the cursor or ends a command.

Whatever a command prints goes through ``say``, or through ``out`` and ``err``, which change no text: rich would make
pictures of ``:smile:``, leave out ``[red]``, and fail for ``[/]``.
"""

import atexit
import codecs
import os
import re
import sys
import textwrap
from collections.abc import Iterable
from typing import Any, NoReturn

from rich.console import Console, ConsoleDimensions

# Control characters other than tab and newline; what turns the direction of writing, so that one name passes for
# another; other ends of lines; halves of characters, which no encoding has.
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
ESCAPE = "actlab.escape"
NARROWEST = 40
GLUE = "\x00"  # in place of a space that no line is broken at; texts that are printed have none
ERASE = "\r\x1b[2K"  # the line that the cursor is in


def escaped(text: str) -> str:
    r"""Write every character as JSON does: whatever is replaced in a document of JSON, it stays one.

    >>> escaped("\x1bφ"), escaped("😀")
    ('\\u001b\\u03c6', '\\ud83d\\ude00')
    """
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def printable(text: str) -> str:
    r"""Escape what a terminal would not show but do.

    >>> print(printable("\x1b[31mred:\n  as said"))
    \u001b[31mred:
      as said
    """
    return HIDDEN.sub(lambda match: escaped(match[0]), text)


def one_line(text: object) -> str:
    r"""Escape ends of lines as well: a name is no two lines.

    >>> print(one_line("a\nb"))
    a\u000ab
    """
    return re.sub("[\t\n]", lambda match: escaped(match[0]), printable(str(text)))


class PlainConsole(Console):
    """A console that shows text as it is, to the letter, and lays out only what is no text: tables, bars.

    Where a line is ``live``, drawn again and again where the cursor is, a text takes its place, and it comes below.
    """

    live = False

    def __init__(self, **options: Any) -> None:
        """Take rich's options; none of them lets text mean anything."""
        super().__init__(**options, markup=False, emoji=False, highlight=False)

    @property
    def size(self) -> ConsoleDimensions:
        """The terminal's size, but no less than a table needs: ``COLUMNS=0`` would show nothing at all."""
        found = super().size
        return ConsoleDimensions(max(found.width, NARROWEST), max(found.height, 1))

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size

    def print(self, *objects: Any, **options: Any) -> None:
        """Print texts as they are, without breaking lines, and whatever else as rich does."""
        if all(isinstance(one, str) for one in objects):
            erased = ERASE if PlainConsole.live and self.is_terminal else ""
            print(erased + printable(" ".join(objects)), file=self.file, flush=True)
        else:
            super().print(*objects, **{**options, "markup": False, "emoji": False, "highlight": False})


out, err = PlainConsole(), PlainConsole(stderr=True)


def say(text: object = "") -> None:
    """Print a text on standard output, to the letter: CSV and JSON are for programs."""
    out.print(str(text))


def letters(most: int) -> int:
    """Return how many letters a line has room for: ``most`` where standard output is no terminal."""
    return min(out.size.width, most) if out.is_terminal else most


def prose(text: object) -> None:
    """Print a text for people: on a terminal its sentences are broken between words, to the letter anywhere else."""
    say(broken(str(text), out.size.width) if out.is_terminal else text)


def broken(text: str, width: int) -> str:
    """Break lines between words where they are longer than a width; rows of tables and what is to be copied stay whole.

    What is to be copied stands between backticks: a sentence around it is broken, unless it is little beside it.

    >>> print(broken("  rows      1797: 1079 training, 359 test\\n| a | b |\\nrun `actlab run mine.yaml`", 30))
      rows      1797: 1079
                training, 359 test
    | a | b |
    run `actlab run mine.yaml`
    >>> print(broken("the same command, `actlab run mine.yaml`, resumes", 30))
    the same command,
    `actlab run mine.yaml`,
    resumes
    """
    lines = []
    for line in text.split("\n"):
        spans = re.findall("`[^`]*`", line)
        whole = max(map(len, spans), default=0) > width > len(line) - sum(map(len, spans))
        if len(line) <= width or line.startswith("|") or whole:
            lines.append(line)
            continue
        head = re.match(r" *(\S+ {2,})?", line)
        assert head is not None  # it may be empty
        hanging = " " * min(len(head[0]), width // 2)
        line = re.sub("`[^`]*`", lambda match: match[0].replace(" ", GLUE), line)
        wrapped = textwrap.wrap(line, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)
        lines += [one.replace(GLUE, " ") for one in wrapped]
    return "\n".join(lines)


def prepare() -> None:
    """Have what a terminal or a pipe cannot show replaced, rather than end a command that has done its work."""
    codecs.register_error(ESCAPE, replaced)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # None where it was closed before the command began
            stream.reconfigure(errors=ESCAPE)


def leave(code: int) -> NoReturn:
    """End the command with its exit code, also where ``PYTHONINSPECT`` would have Python stay, and show a traceback."""
    if sys.flags.inspect:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(code)
    sys.exit(code)


def undecoded(words: Iterable[str]) -> str:
    """Return the first word of a command that is no text, but bytes that Python could not read; empty without one.

    >>> undecoded(["report", "results"]), len(undecoded(["report", f"results{chr(0xDCFF)}"]))
    ('', 8)
    """
    return next((word for word in words if re.search("[\ud800-\udfff]", word)), "")


def replaced(error: UnicodeError) -> tuple[str, int]:
    """Answer Python's question of what to write for what an encoding does not have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return escaped(error.object[error.start : error.end]), error.end
