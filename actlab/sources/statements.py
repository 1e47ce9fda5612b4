"""A Python file as the statements of its top level: what each binds, uses and imports, and its tokens.

Comments, docstrings, blank lines, line breaks inside brackets and the width of an indent are no tokens: whoever changes
them changes nothing that runs. Where an indent begins and ends is kept.
"""

import ast
import io
import json
import stat
import tokenize
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from actlab.errors import ActlabError
from actlab.naming import shortened

Position = tuple[int, int]
"""Line, from 1, and character, from 0."""
Span = tuple[Position, Position]
"""From the first character to the one after the last."""

LEFT_OUT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}
MARKS = {tokenize.NEWLINE: "\n", tokenize.INDENT: "\t", tokenize.DEDENT: "\r"}
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


MOST_BYTES = 2**20
"""So large may a user's file be: what is larger was not written, and takes minutes to read."""


class SourceError(ActlabError, ValueError):
    """A file of the user's that cannot be read, or not be run."""


class Import(NamedTuple):
    """``from <level dots><module> import <names>``, or ``import <module>`` without names."""

    level: int
    module: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Statement:
    """A statement of a file's top level.

    Attributes:
        binds: the names that it gives a meaning.
        uses: every name that stands in it.
        touches: the names in what it calls while the file is run: what it may alter.
        defines: it gives names a meaning, and does nothing else that could be seen.
        is_import: it is an import itself.
        imports: those anywhere in it.
        tokens: what it says.
    """

    binds: frozenset[str]
    uses: frozenset[str]
    touches: frozenset[str]
    defines: bool
    is_import: bool
    imports: tuple[Import, ...]
    tokens: str


def read(path: Path) -> tuple[Statement, ...]:
    """Read the statements of a file.

    Raises:
        SourceError: it is not there, or not Python.
    """
    try:
        require_plain(path)
        return statements(path.read_bytes())
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from None
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise SourceError(f"{path}{line}: is not Python: {shortened(error.msg)}") from None
    except SourceError:
        raise
    except ValueError as error:  # a null byte, or bytes that are no text
        raise SourceError(f"{path}: is not Python: {shortened(str(error))}") from None
    except (RecursionError, MemoryError):  # Python's own parser gives up
        raise SourceError(f"{path}: is nested too deeply for Python; break it into statements") from None


def require_plain(path: Path) -> None:
    """Refuse to read what is no file that a person wrote.

    Raises:
        SourceError: it is a pipe, a device or a folder, or too large.
        OSError: it is not there.
    """
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise SourceError(f"{path}: is no plain file; name a .py file")
    if about.st_size > MOST_BYTES:
        raise SourceError(f"{path}: holds {about.st_size:,} bytes; a .py file may hold {MOST_BYTES:,}")


@lru_cache(maxsize=256)
def statements(content: bytes) -> tuple[Statement, ...]:
    """Parse the statements of a file with this content, without docstrings and what runs under ``__main__`` alone.

    >>> [(s.tokens, sorted(s.binds)) for s in statements(b"x = 1  # one")]
    [('["x", "=", "1"]', ['x'])]
    """
    text = io.TextIOWrapper(io.BytesIO(content), tokenize.detect_encoding(io.BytesIO(content).readline)[0]).read()
    tree = ast.parse(text)
    lines = text.split("\n")
    docstrings = sorted(span(node, lines) for node in docstring_nodes(tree))
    nodes = [node for node in tree.body if span(node, lines) not in docstrings and not is_main(node)]
    spans = [span(node, lines) for node in nodes]
    words: list[list[str]] = [[] for _ in nodes]
    after_docstring = False
    for at, word in tokens(text, lines):
        if within(docstrings, at) is not None:
            after_docstring = True
            continue
        own = within(spans, at)
        ends_another = own is not None and not words[own] and word == MARKS[tokenize.DEDENT]  # what stands before
        if own is not None and not ends_another and not (after_docstring and word in ("\n", ";")):
            words[own].append(word)
        after_docstring = False
    return tuple(statement(node, json.dumps(own, ensure_ascii=False)) for node, own in zip(nodes, words, strict=True))


def within(spans: Sequence[Span], at: Position) -> int | None:
    """Find which of some sorted spans holds a place."""
    i = bisect_right(spans, at, key=lambda span: span[0]) - 1
    return i if i >= 0 and at < spans[i][1] else None


def statement(node: ast.stmt, words: str) -> Statement:
    """Describe what a statement of the top level does, as far as it can be seen without running it."""
    names = [inner for inner in ast.walk(node) if isinstance(inner, ast.Name)]
    binds = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    defines = isinstance(node, DEFINITIONS)
    if isinstance(node, DEFINITIONS):
        binds = {node.name}
    elif isinstance(node, ast.Import):
        binds = {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        defines = True
    elif isinstance(node, ast.ImportFrom):
        binds = {alias.asname or alias.name for alias in node.names}
        defines = "*" not in binds and node.module != "__future__"
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        parts = [inner for target in targets for inner in ast.walk(target)]
        defines = not any(isinstance(part, ast.Attribute | ast.Subscript) for part in parts)
    touched = (inner.id for called in calls(node) for inner in ast.walk(called) if isinstance(inner, ast.Name))
    return Statement(
        binds=frozenset(binds),
        uses=frozenset(name.id for name in names),
        touches=frozenset(touched),
        defines=defines,
        is_import=isinstance(node, ast.Import | ast.ImportFrom),
        imports=imports(node),
        tokens=words,
    )


def calls(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is called when a statement is executed; of a function the decorators and defaults, not its body.

    A base class is called too: it may look at every class made of it.
    """
    if isinstance(node, DEFINITIONS):
        yield from node.decorator_list
        if isinstance(node, ast.ClassDef):
            yield from [*node.bases, *node.keywords]
            for inner in node.body:
                yield from calls(inner)
        else:
            for default in [*node.args.defaults, *node.args.kw_defaults]:
                yield from calls(default) if default is not None else ()
    else:
        yield from (inner for inner in ast.walk(node) if isinstance(inner, ast.Call))


def imports(node: ast.AST) -> tuple[Import, ...]:
    """Collect every import in a statement, those inside functions too."""
    collected = []
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            collected += [Import(0, alias.name, ()) for alias in inner.names]
        elif isinstance(inner, ast.ImportFrom):
            collected.append(Import(inner.level, inner.module or "", tuple(alias.name for alias in inner.names)))
    return tuple(collected)


def is_main(node: ast.stmt) -> bool:
    """Whether a statement is ``if __name__ == "__main__":``, which is false here."""
    if not isinstance(node, ast.If) or node.orelse or not isinstance(node.test, ast.Compare):
        return False
    return ast.unparse(node.test) in ("__name__ == '__main__'", "'__main__' == __name__")


def docstring_nodes(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the docstrings of a file and of everything defined in it."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, *DEFINITIONS)) and ast.get_docstring(node, clean=False) is not None:
            yield node.body[0]


def span(node: ast.stmt, lines: list[str]) -> Span:
    """Return where a statement begins and ends; ``ast`` counts bytes, ``tokenize`` characters."""

    def place(line: int, column: int) -> Position:
        return line, len(lines[line - 1].encode()[:column].decode())

    end = place(node.end_lineno or node.lineno, node.end_col_offset or 0)
    if isinstance(node, DEFINITIONS) and node.decorator_list:
        return (node.decorator_list[0].lineno, 0), end
    return place(node.lineno, node.col_offset), end


def tokens(text: str, lines: list[str]) -> Iterator[tuple[Position, str]]:
    """Yield the tokens that mean something, each with its place; an f-string is one, as before Python 3.12."""
    depth, begin = 0, (1, 0)
    for kind, word, start, end, _ in tokenize.generate_tokens(io.StringIO(text).readline):
        name = tokenize.tok_name[kind]
        if name in ("FSTRING_START", "TSTRING_START"):
            begin = begin if depth else start
            depth += 1
        elif name in ("FSTRING_END", "TSTRING_END"):
            depth -= 1
            if not depth:
                yield begin, between(lines, begin, end)
        elif not depth and kind not in LEFT_OUT:
            yield start, MARKS.get(kind, word)


def between(lines: list[str], begin: Position, end: Position) -> str:
    """Return the text from one place to another.

    >>> between(["ab", "cd"], (1, 1), (2, 1))
    'b\\nc'
    """
    (first, left), (last, right) = begin, end
    if first == last:
        return lines[first - 1][left:right]
    return "\n".join([lines[first - 1][left:], *lines[first : last - 1], lines[last - 1][:right]])
