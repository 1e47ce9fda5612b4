"""Which columns number the rows: what writers of tables add, and what nothing should be learned from.

Rows are often sorted by what is to be predicted: then their number predicts it, on noise too.
"""

import re
import unicodedata

import numpy as np

WRITTEN = re.compile(r"Unnamed: \d+([._]\w+)*|__index_level_\d+__|level_\d+|\.\.\.\d+")
"""Names that only writers of tables give: pandas, readr."""
LIKE_ID = re.compile(r"(?i:.*[\s_.-])?(?i:id)|.*[a-z0-9]I[dD]|(?i:id)[\s_.-].*|X(\.\d+)?|V1")
"""Names that end in id, and those that R gives a column without a name."""
COUNTERS = frozenset(
    """
    index idx ids ident identifier key pk uid guid rid row rows rowno rownr rownum rownumber rowname rownames rowindex
    rowid rn line lineno linenumber no nr num number counter obs obsno obsnr observation case caseno casenumber sample
    sampleno samplenumber record recordno recordnumber instance item itemno entry serial serialno serialnumber sno slno
    srno seq seqno sequence lfd lfdnr laufendenummer nummer zeile zeilennr zeilennummer ligne numéro numero indice
    indexcolumn #
    """.split()  # noqa: SIM905 - a list of a hundred quoted words is no easier to read
)
"""Names of columns that number rows, in lower case and without what separates words."""


def is_written(name: str) -> bool:
    """Whether only a writer of tables gives a name: a frame's index, written as a column.

    >>> is_written("Unnamed: 0"), is_written("__index_level_0__"), is_written("id")
    (True, True, False)
    """
    return WRITTEN.fullmatch(name) is not None


def is_counter(name: str) -> bool:
    """Whether a name is one of those under which columns number rows.

    >>> [name for name in ("Row.Names", "PassengerId", "lfd. Nr.", "X", "x", "humid", "width") if is_counter(name)]
    ['Row.Names', 'PassengerId', 'lfd. Nr.', 'X']
    """
    plain = re.sub(r"[\s_.:-]", "", unicodedata.normalize("NFKC", name).casefold())
    return plain in COUNTERS or LIKE_ID.fullmatch(name) is not None


def numbers_rows(name: str, values: np.ndarray) -> bool:
    """Whether a column numbers the rows: under such a name, another whole number in each, or counts that begin again.

    Args:
        name: the column's.
        values: float64 [N], NaN where there is none.

    >>> numbers_rows("id", np.array([3.0, 1.0, 2.0])), numbers_rows("id", np.array([1.0, 1.0, 2.0]))
    (True, False)
    >>> numbers_rows("index", np.tile(np.arange(20.0), 3)), numbers_rows("weight", np.arange(20.0))
    (True, False)
    """
    there = values[np.isfinite(values)]
    if is_written(name):
        return True
    if not is_counter(name) or len(there) < 3 or np.any(there != np.round(there)):
        return False
    if len(np.unique(there)) == len(there):
        return True
    steps = np.diff(there)
    again = there[1:] == there[0]  # frames put one after another
    return bool(np.all((steps == 1) | again) and len(there) >= 5 * (again.sum() + 1))


def counts_in_order(values: np.ndarray) -> bool:
    """Whether a column counts the rows one by one, under whatever name.

    >>> counts_in_order(np.arange(5.0)), counts_in_order(np.array([1.0, 2.0, 4.0]))
    (True, False)
    """
    return len(values) > 2 and bool(np.all(np.diff(values) == 1)) and bool(np.all(values == np.round(values)))
