"""Formulas on the command line: each is written as a file of a function, for as long as it is needed."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from actlab import sources
from actlab.activations import CATALOGUE
from actlab.activations.formulas import FormulaError, in_its_words, read
from actlab.errors import ActlabError


@contextmanager
def function_of(given: str, name: str | None = None) -> Iterator[str]:
    """Give an activation by the name that studies know it by; a formula is written as a file for that, for a while.

    Raises:
        FormulaError: it is none, or none that can be trained.
    """
    word = given.split(":")[0]
    if sources.parse(given) or word in CATALOGUE or word.endswith(".py"):
        yield given
        return
    formula = read(given)
    called = name or formula.name
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", called):
        raise FormulaError(f"--name {called}: expected letters, digits and _")
    with tempfile.TemporaryDirectory(prefix="actlab-formula-") as folder:
        path = Path(folder) / f"{called}.py"
        path.write_text(formula.source(called), encoding="utf-8")
        try:
            yield f"{path}:{called}"
        except ActlabError as error:  # of the file, of which the user knows nothing
            if not str(error).startswith(f"{called}: "):
                raise
            raise FormulaError(in_its_words(f"{given.strip()}{str(error).removeprefix(called)}")) from None


def is_formula(word: str) -> bool:
    """Whether a word is about x, and can be no activation's name, and no file's.

    >>> is_formula("x * tanh(exp(x))"), is_formula("leaky_relu(negative_slope=0.2)"), is_formula("my x/act.py:f")
    (True, False, False)
    """
    return bool(re.search(r"\bx\b", word) and re.search(r"[ ()*+/^-]", word)) and not sources.parse(word)
