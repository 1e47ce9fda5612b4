"""The most surprising verdicts of the trial (``actlab.analysis.surprises``), as the README opens with them."""

from pathlib import Path

from actlab.analysis.findings.decided import stored
from actlab.analysis.surprises import lead, sentence, surprising
from actlab.analysis.trial_page import on_itself
from actlab.analysis.verdicts import count
from actlab.naming import counted
from actlab.theory.story import CHAIN, ROWS


def surprises(trial: Path, folder: str) -> str:
    """Write the block.

    Args:
        trial: the trial's folder.
        folder: the same, as the README links it.
    """
    verdicts = stored(trial / "tables" / "claims.csv")
    lines = [f"- {sentence(one, f'{folder}/report.md')}" for one in surprising(verdicts)]
    own = len(on_itself(verdicts, {claim: said for row in ROWS.values() for claim, said in row.claims.items()} | CHAIN))
    taught = f"{counted(len(verdicts) - own, 'verdict')} on what is taught of nine activations"
    itself = f", and {'one' if own == 1 else own} on the trial itself" * bool(own)
    head = f"**{taught}**{itself}, some on the same runs: {count(verdicts)}. {lead(len(lines))}"
    end = f"[All of them]({folder}/report.md), each with its rule, numbers, figure, and the command that reruns it."
    return "\n\n".join([head, "\n".join(lines), end])
