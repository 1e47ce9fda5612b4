"""Strictness for every test: silent rank promotion is an error (set before JAX is imported; workers inherit it)."""

import os
import signal
import tempfile
from functools import wraps

import pytest

from actlab import compiler_flags
from actlab.engine.devices import has_accelerator

# Not left to the first room that is imported: a test file may compute something before.
compiler_flags.ensure()
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
if has_accelerator():  # as in actlab's workers (``jax_settings.exact_products``)
    os.environ.setdefault("JAX_DEFAULT_MATMUL_PRECISION", "highest")
os.environ.setdefault("MPLBACKEND", "agg")
# Programs compiled by an earlier state of the code, or by a user, have no part in a test.
# One folder for all processes that test: what one of them compiled, the others find.
if "PYTEST_XDIST_WORKER" not in os.environ:
    CACHE = tempfile.TemporaryDirectory(prefix="actlab-tests-")
    os.environ["XDG_CACHE_HOME"] = CACHE.name
# A shell that starts the tests in the background, or ``nohup``, has them ignore Ctrl-C or a hang-up, and so would every
# run that they interrupt.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def one_trial_process():
    """Users' files are tried in a process of their own, which imports JAX: one for all tests, not one for each."""
    from actlab import sources

    with sources.keeping():
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_is_predicted():
    """Studies that tests run are without theory's predictions, which take longer than they do."""
    from actlab.engine import predicting, prediction_files

    @wraps(predicting.computed)
    def nothing(cells, folder, processes, tell, done, most):
        done |= {name: prediction_files.rows_of(name, "", ()) for name in cells}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predicting, "computed", nothing)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_page_is_made():
    """Studies that tests report on are without their page, which takes longer than they do."""
    from actlab.analysis import report

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "write_report", lambda *_: [])
        yield


@pytest.fixture
def undrawn(monkeypatch):
    """Reports have the numbers that their pictures are drawn from, and no pictures: most of what a report takes."""
    from actlab.analysis.figures import writing
    from actlab.engine import worker_pools

    monkeypatch.setattr(writing, "write_page", lambda *_: [])
    monkeypatch.setattr(worker_pools, "cores", lambda: 1)  # no process helps to draw


def pytest_addoption(parser):
    parser.addoption(
        "--kills", type=int, default=3, help="how often tests/test_crash.py kills a run, with --thorough [default: 3]"
    )
    parser.addoption("--tries", type=int, default=4, help="of each kind in tests/test_folder_fuzz.py [default: 4]")
    parser.addoption(
        "--interrupts", type=int, default=2, help="how many commands tests/test_interrupts.py interrupts [default: 2]"
    )
    parser.addoption(
        "--thorough",
        action="store_true",
        help="also what is marked thorough: further combinations of what is tested without it, and twice as long",
    )


def pytest_configure(config):
    config.addinivalue_line("markers", "thorough: a further combination, tested with --thorough alone")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("thorough"):
        left_out = [item for item in items if item.get_closest_marker("thorough")]
        items[:] = [item for item in items if not item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left_out)
