"""What the ways to a Dask cluster share: their errors, their limits, and Dask itself, imported when it is asked for."""

import signal
import threading
from importlib import import_module
from typing import Any

from actlab.engine.worker_pools import WORKER_ENVIRONMENT
from actlab.study.reading import StudyError

LIMITS = {name: value for name, value in WORKER_ENVIRONMENT.items() if not name.startswith("LOKY_")}
REACH = 5  # seconds in which a running scheduler must answer
# Dask serves pages about itself all the same: on all networks, and on a port that may be taken, unless set otherwise.
NO_DASHBOARD = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
NO_PAGES = ("--no-dashboard", "--dashboard-address", "127.0.0.1:0")


class ClusterError(StudyError):
    """The cluster that was asked for cannot be used as it is; nothing was trained."""


class ClusterLost(RuntimeError):
    """The scheduler went away while jobs ran; what is finished is stored."""


def imported(name: str) -> Any:
    """Import a module of Dask's, which the extra ``cluster`` installs; the handler of Ctrl-C stays what it was.

    Raises:
        ClusterError: it is not installed.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        return import_module(name)
    except ImportError as error:
        raise ClusterError(
            f"running on Dask needs more than actlab itself ({error}): pip install 'actlab[cluster]'"
        ) from None
    finally:  # dask_jobqueue replaces it on import, for a use of its own
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)
