"""What a table may say of outcomes: nothing of those runs alone that happened to get there."""

import math
import re

import numpy as np
import pandas as pd
import pytest

from actlab.analysis import report
from actlab.analysis.tables import TABLES
from tests.synthetic import frames
from tests.typed import typed

FEW = frames(("relu", "elu"), (2, 5), (1e-3,), seeds=2)


def test_a_table_that_there_is_no_more_is_refused_in_a_study_and_left_out_of_a_stored_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text("study: s\ndata: {name: iris}\nreport:\n  tables: [performance, ranks]\n")
    code, _, err = typed(capsys, "plan", "s.yaml")
    assert code == 2
    assert "s.yaml:4: report.tables: there is no table 'ranks' any more" in " ".join(err.split())
    assert "take it out of the list" in err
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "ranks.csv").write_text("of an earlier version")
    wanted = {"study": "s", "report": {"tables": ["performance", "ranks"], "figures": []}}
    report.write(tmp_path, wanted, {}, *FEW)
    assert "There is no table `ranks` any more: mean ranks over the settings" in (tmp_path / "report.md").read_text()
    assert {path.stem for path in (tmp_path / "tables").iterdir()} == {"performance"}
