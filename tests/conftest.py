"""Strictness for every test: silent rank promotion is an error (set before JAX is imported, so that workers inherit it)."""

import os

os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
os.environ.setdefault("MPLBACKEND", "agg")
