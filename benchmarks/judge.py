"""How often a verdict is wrong, and how often an effect is found: `python -m benchmarks.judge docs/trial.md`.

The judge of the trial is itself tried, over the verdict functions that the trial uses (``experiments/``), on made-up
measurements whose true effect is known. In each repetition every seed of every cell has an outcome drawn on its own;
what differs between two activations, or from zero, is the *truth* that the repetition was made with:

- **nothing**: one function under two names. No claim of a difference may be supported, under any condition.
- **just not**: the truth is δ, where the claim turns from false to true: it may be supported in 5 % of the repetitions.
- **just**: the same repetitions, the claim being true at δ itself: it may be contradicted in 5 %.
- **planted**: an effect of the size that is stated here beside each claim: it is to be found in 80 %.

The interval of the condition least favourable to a claim is to cover the truth in 95 %: it is what a verdict shows,
unless it is inconclusive and other conditions leave it so.

The measurements are made up in ``benchmarks/judged``, a file for each study. The numbers are the same each time; all of
it takes some minutes. ``--only same alphas`` tries the claims of these studies, ``--missing`` those without rows; other
rows are kept. The table stands in `docs/trial.md`, the numbers in `benchmarks/results/judge.csv`, and
`tests/test_judge.py` holds the verdicts to it with fewer repetitions.
"""

import argparse
import zlib
from collections.abc import Callable, Collection
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from actlab.analysis import documents
from actlab.analysis.claims import CONTRADICTED, ONLY_IF, SUPPORTED, Verdict, name_of
from actlab.analysis.conditions import least_favourable
from actlab.analysis.intervals import wilson_bounds
from actlab.analysis.notes import listed
from actlab.analysis.under import Under
from benchmarks.judged import CASES
from benchmarks.judged.made import Case, cells_of, runs_of
from experiments import dying_relu

REPETITIONS = 1_000
NOTHING, AT_DELTA, PLANTED = "nothing", "δ", "planted"
WRONG, MOST_WRONG, FOUND = 0.05, 0.07, 0.8  # of the repetitions; the upper bound of the share that is wrong; at least
RESULTS = Path(__file__).parent / "results" / "judge.csv"
COLUMNS = ["id", "claim", "study", "truth", "value", "repetitions", "supported", "contradicted", "covered"]
LAWS = {name_of(dying_relu.leaky_never_dies)}
"""Claims that one exception contradicts: these have no interval, and no effect to plant."""


def least_of(one: Verdict) -> Verdict | Under:
    """Return what was found under the condition, of all that have a number, that fits a claim least."""
    rows = [row for row in one.under if row.n]
    return least_favourable(one.form, rows) if rows else one


def tried(case: Case, truth: str, repetitions: int = REPETITIONS) -> dict[str, Any]:
    """Ask a verdict function of many made-up studies.

    Args:
        case: the function and its measurements.
        truth: ``NOTHING``, ``AT_DELTA`` or ``PLANTED``.
        repetitions: how many studies.

    Returns:
        a row of ``COLUMNS``: in how many of them the claim was supported (under some condition, at least),
        contradicted, and the interval that fits it least covered the truth.
    """
    name = name_of(case.claim)
    rng = np.random.default_rng(zlib.crc32(f"{name} {truth}".encode()))
    runs = runs_of(case.factors, case.seeds)
    first = case.claim(cells_of(runs, **case.draw(rng, runs, case.planted)))
    value = {NOTHING: case.nothing, AT_DELTA: first.effect, PLANTED: case.planted}[truth]
    assert value is not None
    counts = {"supported": 0, "contradicted": 0, "covered": 0}
    for _ in range(repetitions):
        one = case.claim(cells_of(runs, **case.draw(rng, runs, value)))
        counts["supported"] += one.verdict in (SUPPORTED, ONLY_IF)
        counts["contradicted"] += one.verdict == CONTRADICTED
        least = least_of(one)
        counts["covered"] += not (least.low > value or least.high < value)
    return {
        "id": first.id,
        "claim": name,
        "study": study_of(case),
        "truth": truth,
        "value": value,
        "repetitions": repetitions,
    } | counts


HEADINGS = (
    *("claim", "study", "δ", "nothing there: supported", "just not: supported", "just: contradicted"),
    *("planted", "found", "intervals cover"),
)


def tables_of(frame: pd.DataFrame) -> dict[str, Callable[[], str]]:
    """Write the shares of each claim, with their intervals over the repetitions, for ``documents.rewrite``.

    Below the table stand the studies some of whose claims have no rows yet.
    """
    rows = []
    for (study, claim), some in frame.groupby(["study", "claim"], sort=False):
        id = some["id"].iloc[0]
        by = some.set_index("truth")
        if not {AT_DELTA, PLANTED} <= set(by.index):  # of a trial that was interrupted
            continue
        of_nothing = share(by, NOTHING, "supported") if NOTHING in by.index else "–"
        delta, planted = (f"{float(by['value'][truth]):.3g}".replace("-", "−") for truth in (AT_DELTA, PLANTED))
        wrong = (share(by, AT_DELTA, "supported"), share(by, AT_DELTA, "contradicted"))
        covered = f"{some['covered'].sum() / some['repetitions'].sum():.3f}"
        shares = (delta, of_nothing, *wrong, planted, share(by, PLANTED, "supported"), covered)
        rows.append((f"{id} `{claim}`", str(study), *shares))
    there = set(zip(frame["study"], frame["claim"], frame["truth"], strict=True))
    lacking = dict.fromkeys(study_of(case) for case, truth in EVERY if key_of(case, truth) not in there)
    note = f"\n\nNot all tried yet: the claims of {listed([f'`{name}`' for name in lacking])}." if lacking else ""
    return {"judge": lambda: documents.markdown_table(HEADINGS, rows) + note}


def share(by: pd.DataFrame, truth: str, what: str) -> str:
    """Write the share of repetitions, with Wilson's interval."""
    n = np.array([by.loc[truth, "repetitions"]])
    p = by.loc[truth, what] / n
    (low,), (high,) = wilson_bounds(p, n, 0.95)
    return f"{p[0]:.3f} [{low:.3f}, {high:.3f}]"


def main(page: Path, only: Collection[str] = (), missing: bool = False) -> None:
    """Try verdict functions, store the counts of each as they come, and write their table into a page.

    Args:
        page: the page.
        only: names of studies: those whose claims are tried; none: all are.
        missing: whether only what has no row yet is tried. Stored rows of what is not tried are kept.
    """
    there = stored()
    asked = [
        i for i, (case, _) in enumerate(EVERY) if (not only or study_of(case) in only) and not (missing and i in there)
    ]
    new: dict[int, dict[str, Any]] = {}
    with ProcessPoolExecutor(2) as pool:
        for i, row in zip(asked, pool.map(row_of, asked), strict=True):
            new[i] = row
            rows = stored() | new
            frame = pd.DataFrame([rows[j] for j in sorted(rows)], columns=COLUMNS)
            frame.to_csv(RESULTS, index=False, lineterminator="\n")
    text = page.read_text(encoding="utf-8")
    page.write_text(documents.rewrite(text, tables_of(pd.read_csv(RESULTS))), encoding="utf-8", newline="\n")


def stored() -> dict[int, dict[str, Any]]:
    """Read the stored rows of today's cases, by their numbers among all."""
    frame = pd.read_csv(RESULTS)
    records: list[dict[str, Any]] = frame.to_dict("records")  # type: ignore[assignment]
    by_key = {(row["study"], row["claim"], row["truth"]): row for row in records}
    keys = {i: key_of(*one) for i, one in enumerate(EVERY)}
    return {i: by_key[key] for i, key in keys.items() if key in by_key}


def key_of(case: Case, truth: str) -> tuple[str, str, str]:
    """Name a row: studies may have claims of one name."""
    return study_of(case), name_of(case.claim), truth


def study_of(case: Case) -> str:
    """Name the study of a claim: the file of ``experiments`` that it is in."""
    return case.claim.__module__.rpartition(".")[2]


def truths(case: Case) -> list[str]:
    """List the truths that a claim is tried with."""
    return [AT_DELTA, PLANTED] if case.nothing is None else [NOTHING, AT_DELTA, PLANTED]


EVERY = [(case, truth) for case in CASES for truth in truths(case)]


def row_of(number: int) -> dict[str, Any]:
    """Try one case with one truth, by its number among all."""
    case, truth = EVERY[number]
    return tried(case, truth, REPETITIONS if truth != PLANTED else REPETITIONS // 4)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, help="the page that has the table")
    studies = sorted({study_of(case) for case in CASES})
    parser.add_argument("--only", nargs="+", choices=studies, default=(), metavar="STUDY", help=", ".join(studies))
    parser.add_argument("--missing", action="store_true", help="try only what has no row yet")
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    main(given.page, given.only, given.missing)
