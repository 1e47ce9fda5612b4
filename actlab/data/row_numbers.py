"""Which columns number the rows: what writers of tables add, and what nothing should be learned from.

Rows are often sorted by what is to be predicted: then their number predicts it, on noise too.
"""

import re
import unicodedata

import numpy as np

WRITTEN = re.compile(r"Unnamed: \d+([._]\w+)*|__index_level_\d+__|level_\d+|\.\.\.\d+")
"""Names that only writers of tables give: pandas, readr."""
LIKE_ID = re.compile(r"(?i:.*[\s_.-])?(?i:id)|.*[a-z0-9]I[dD]|(?i:id)[\s_.-].*|X|V1")
"""Names that end in id, and those that R gives a column without a name."""
AGAIN = re.compile(r"\.\d+$")
"""What pandas and R add to a name that is there already."""


def plain_name(name: str) -> str:
    """Return a name in lower case, without accents, what separates words, and what is added to a name that recurs.

    >>> plain_name("Row_Names"), plain_name("N\u00famero"), plain_name("index.1"), plain_name("#")
    ('rownames', 'numero', 'index', '')
    """
    letters = unicodedata.normalize("NFKD", AGAIN.sub("", name.strip())).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


COUNTERS = frozenset(
    plain_name(word)
    for word in """
    index idx ids ident identifier key pk uid guid rid oid gid fid objectid featureid ogcfid row rows rowno rownr rownum
    rownumber rowname rownames rowindex rowid rn column1 line lineno linenumber no nr num number counter obs obsno obsnr
    obsnum obsnumber obsid observation case caseno casenr casenum casenumber caseid sample sampleno samplenum
    samplenumber sampleid record recordno recordnum recordnumber recordid instance item itemno entry serial serialno
    serialnumber sno slno srno seq seqno sequence subject subjectno subjectnumber subjectid subj participant
    participantno participantnumber participantid patient patientno patientid respondent respondentid customer
    customerid userid eventid proband lfd lfdnr laufendenummer nummer fall fallnr fallnummer zeile zeilennr
    zeilennummer ligne numéro indice índice índex identifiant identificador indexcolumn csvindex
    """.split()  # noqa: SIM905 - a list of a hundred quoted words is no easier to read
)
"""Names of columns that number rows, as ``plain_name`` has them."""


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
    own = AGAIN.sub("", unicodedata.normalize("NFKC", name).strip())
    return plain_name(name) in COUNTERS or own == "#" or LIKE_ID.fullmatch(own) is not None


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


def step_of(values: np.ndarray) -> float:
    """Return by how much whole numbers grow from each row to the next, 0 where that is not always the same.

    >>> step_of(np.arange(5.0)), step_of(np.array([9.0, 6.0, np.nan, 0.0])), step_of(np.array([1.0, 2.0, 4.0]))
    (1.0, -3.0, 0.0)
    """
    rows = np.flatnonzero(np.isfinite(values))
    there = values[rows]
    if len(there) < 3 or np.any(there != np.round(there)):
        return 0.0
    steps = np.diff(there) / np.diff(rows)
    return float(steps[0]) if np.all(steps == steps[0]) else 0.0


def has_each_once(values: np.ndarray) -> bool:
    """Whether a column has each of so many consecutive whole numbers once, in whatever order.

    >>> has_each_once(np.array([3.0, 1.0, 2.0])), has_each_once(np.array([3.0, 1.0, 4.0]))
    (True, False)
    """
    ordered = np.sort(values)
    return len(values) > 2 and bool(np.all(np.diff(ordered) == 1) and ordered[0] == np.round(ordered[0]))
