"""Claims on trial: a study's own file turns result frames into verdicts, each with a number and its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from actlab import sources
from actlab.analysis.layout import Table, number
from actlab.analysis.stats import Interval
from actlab.later import pd

SUPPORTED, CONTRADICTED, INCONCLUSIVE, ONLY_IF = "supported", "contradicted", "inconclusive", "true only if"


class ClaimsError(ValueError):
    """A claims file that cannot be used."""


@dataclass(frozen=True)
class Verdict:
    """What an experiment says of a claim.

    Attributes:
        claim: its short name, as R3.
        said: the claim, as it is usually made.
        measured: what the number is, with its unit.
        number: mean, interval, n and method.
        verdict: ``supported``, ``contradicted``, ``inconclusive`` or ``true only if``.
        condition: what follows "only if", as measured.
    """

    claim: str
    said: str
    measured: str
    number: Interval
    verdict: str
    condition: str = ""


Claim = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame], Verdict]


def below(number: Interval, bound: float) -> str:
    """The verdict on "the number is below the bound", by its whole interval.

    >>> below(Interval(0.1, 0.0, 0.2, 5, "Student t"), 0.3), below(Interval(0.1, 0.0, 0.2, 5, "Student t"), 0.1)
    ('supported', 'inconclusive')
    """
    if number.high < bound:
        return SUPPORTED
    return CONTRADICTED if number.low >= bound else INCONCLUSIVE


def above(number: Interval, bound: float) -> str:
    """The verdict on "the number is above the bound", by its whole interval.

    >>> above(Interval(0.1, 0.0, 0.2, 5, "Student t"), 0.3)
    'contradicted'
    """
    if number.low > bound:
        return SUPPORTED
    return CONTRADICTED if number.high <= bound else INCONCLUSIVE


def load(path: Path) -> tuple[Claim, ...]:
    """The functions that a study's file lists in ``CLAIMS``.

    Raises:
        ClaimsError: there is no such file, it does not run, or it lists nothing.
    """
    if not path.is_file():
        raise ClaimsError(f"{path}: there is no such claims file")
    try:
        module = sources.import_file(path)
    except sources.SourceError as error:
        raise ClaimsError(str(error)) from error.__cause__
    claims = tuple(getattr(module, "CLAIMS", ()))
    if not claims:
        raise ClaimsError(f"{path}: needs CLAIMS, a list of functions of (runs, steps, layers) that return a Verdict")
    return claims


def decide(claims: Iterable[Claim], runs: pd.DataFrame, steps: pd.DataFrame, layers: pd.DataFrame) -> Table:
    """Every claim's verdict, as a table."""
    rows = []
    for claim in claims:
        row = asdict(claim(runs, steps, layers))
        rows.append({**row, **row.pop("number")})
    columns = ["claim", "said", "measured", "mean", "low", "high", "n", "method", "verdict", "condition"]
    frame = pd.DataFrame(rows, columns=columns)
    wide = pd.DataFrame(
        {
            **{name: frame[name] for name in ("claim", "said", "measured")},
            "number": [
                f"{number(row['mean'])} [{number(row['low'])}, {number(row['high'])}], n = {row['n']}" for row in rows
            ],
            "verdict": [f"**{row['verdict']}** {row['condition']}".strip() for row in rows],
        }
    )
    note = (
        "A claim is supported, or contradicted, where the whole 95 % interval lies on one side of the bound that the "
        "study's claims file states; else it is inconclusive. "
        f"{int((runs['status'] != 'ok').sum())} of the study's {len(runs)} runs diverged."
    )
    return Table("claims", "Claims", note, frame, wide)
