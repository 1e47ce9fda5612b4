"""Strictness for every test: silent rank promotion is an error (set before JAX is imported; workers inherit it)."""

import os

os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
os.environ.setdefault("MPLBACKEND", "agg")


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=3, help="how often tests/test_crash.py kills a run [default: 3]")
