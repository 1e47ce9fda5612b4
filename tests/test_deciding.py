"""The function that decides a claim is found in its file, for every claim of the trial."""

import json
from pathlib import Path

import pandas as pd

from actlab.analysis.deciding import deciding

TRIAL = Path(__file__).parents[1] / "results" / "claims"


def test_every_claim_of_a_file_leads_to_its_function():
    about = json.loads((TRIAL / "trial.json").read_text())
    for part in about["parts"]:
        (source,) = (path for path in (TRIAL / part / "sources").glob("*.py") if path.stem in (part, "dying_relu"))
        ids = pd.read_csv(TRIAL / part / "tables" / "claims.csv")["id"]
        text = source.read_text(encoding="utf-8")
        found = deciding(text, ids)
        assert set(found) == set(ids), part
        for id, (name, line) in found.items():
            assert text.splitlines()[line - 1].startswith(f"def {name}("), id


def test_an_id_that_stands_elsewhere_is_not_taken_for_its_rule():
    source = 'def see(cells):\n    """As M1."""\n    text = "M1"\n\n\ndef wins(cells):\n    return judge("M1", 1)\n'
    assert deciding(source, ["M1"]) == {"M1": ("wins", 6)}
    assert deciding(source, ["M2"]) == {}
