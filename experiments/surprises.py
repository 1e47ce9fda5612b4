"""The most surprising verdicts of the trial (``actlab.analysis.surprises``), as the README opens with them."""

from pathlib import Path

from actlab.analysis.findings.decided import stored
from actlab.analysis.surprises import lead, sentence, surprising
from actlab.analysis.verdicts import count
from actlab.naming import counted


def surprises(trial: Path, folder: str) -> str:
    """Write the block.

    Args:
        trial: the trial's folder.
        folder: the same, as the README links it.
    """
    verdicts = stored(trial / "tables" / "claims.csv")
    lines = [f"- {sentence(one, f'{folder}/report.md')}" for one in surprising(verdicts)]
    head = (
        f"**{counted(len(verdicts), 'verdict')} on what is taught of nine activations**, some on the same runs: "
        f"{count(verdicts)}. {lead(len(lines))}"
    )
    end = f"[All of them]({folder}/report.md), each with its rule, numbers, figure, and the command that reruns it."
    return "\n\n".join([head, "\n".join(lines), end])
