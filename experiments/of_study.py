"""What the findings say of any study: its size and training, and what became of its claims."""

from collections.abc import Callable, Sequence

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import DOUBT, EXACTLY, INCONCLUSIVE, ONLY_IF, SUPPORTED, Verdict, claimed
from actlab.analysis.conditions import found_at, qualified, where_none
from actlab.analysis.documents import markdown_table
from actlab.analysis.intervals import FEWEST, Interval
from actlab.analysis.layout import number
from actlab.analysis.notes import listed
from actlab.analysis.report import study_cells
from actlab.engine.results import Results
from experiments import depth
from experiments.phrases import say, span_of

OWN_CLAIMS = (
    "Claims of this study (`results/{study}`), decided on its own runs. Where an id stands in [the trial's table]"
    "(results/claims/report.md) too, that is another claim, on other runs, with a verdict of its own:"
)
"""What stands before a study's table of claims, lest it be taken for the trial's."""


def cells_of(results: Results) -> Cells:
    """Build a study's cells by its own rule."""
    frames = results.runs, results.steps, results.layers
    return study_cells(results.study, results.manifest, *frames, results.lacking, results.predictions)


def setup(cells: Cells, results: Results) -> str:
    """Say what a study is: its data, size, training, runs, and what its rates were selected by."""
    runs = results.runs
    parts = [
        ", ".join(map(str, runs["data"].unique())),
        f"width {span_of(runs['width'])}",
        *(["not trained"] if cells.untrained else trained_by(runs)),
        f"{len(runs):,} runs of which {int((runs['status'] != 'ok').sum()) or 'none'} "
        + ("have no finite loss" if cells.untrained else "diverged"),
    ]
    if cells.select is not None:
        rule = depth.rates_from(cells).removeprefix("each at its ").partition(", ")
        seeds = rule[2].removeprefix("selected on ")
        parts.append(f"{rule[0].removeprefix('selected ')} selected on {seeds} by validation loss")
    return "; ".join(parts)


def trained_by(runs: pd.DataFrame) -> list[str]:
    """Say by what, and for how long, networks are trained."""
    steps = f"{span_of(runs['steps'])} step{'s' * bool(runs['steps'].max() > 1)}"
    return [listed([str(name) for name in runs["optimizer"].unique()]), steps]


def verdicts(claims: Sequence[Callable[[Cells], Verdict]], cells: Cells, study: str) -> str:
    """Say what became of each claim, with what was claimed and measured."""
    lines, open_ones = [], []
    for one in (claim(cells) for claim in claims):
        whose = f"`{one.activation}`: " * bool(one.activation)
        if one.n == 0:
            open_ones.append(f"{one.id} ({whose}{one.statement}; {one.evidence})")
            continue
        only = f": {found_at(one.under, SUPPORTED)}" if one.verdict == ONLY_IF else ""
        if one.verdict == INCONCLUSIVE and found_at(one.under, SUPPORTED):  # not of the least favourable alone
            only = f" {one.condition}"
        least = one.evidence.partition("; least favourable: ")[2].partition(DOUBT)[0].partition(" (")[0]
        at = f"{least}: " if least and least in one.condition else ""
        lines.append(
            [
                one.id,
                f"{whose}{one.statement}",
                claimed(one),
                f"{at}{measured(one)}{where_none(one)}",
                f"{one.verdict}{only or qualified(one)}",
            ]
        )
    table = markdown_table(["claim", "said", "bound", "measured", "verdict"], lines)
    asked = f" Not decided: {'; '.join(open_ones)}." * bool(open_ones)
    return (
        f"{OWN_CLAIMS.format(study=study)}\n\n{table}\n\n"
        f"[What each number is](results/{study}/tables/claims.md), and those of all conditions: of a claim "
        "under several the least favourable stands here (of an open one among those that leave it open, if these have "
        f"a number), with an interval that holds for all of them at once.{asked}"
    )


def measured(one: Verdict) -> str:
    """Write what was measured of a claim: the estimate with its interval; of a law how many values, and their range."""
    if one.form == EXACTLY:
        return f"{number(one.low)} to {number(one.high)} in {one.n:,} runs"
    found = Interval(one.estimate, one.low, one.high, one.n, one.method, one.estimate, one.estimate, one.estimate)
    if not found.known and 1 < one.n < FEWEST:  # of which the range is not known here
        return f"{number(one.estimate)} (n = {one.n}, too few for an interval)"
    return say(found)
