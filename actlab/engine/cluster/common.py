"""What the ways to a Dask cluster share: their errors, their limits, and Dask itself, imported when it is asked for."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from actlab import naming
from actlab.engine.worker_pools import WORKER_ENVIRONMENT
from actlab.errors import ActlabError
from actlab.study.reading import StudyError

LIMITS = {name: value for name, value in WORKER_ENVIRONMENT.items() if not name.startswith("LOKY_")}
REACH = 5  # seconds in which a running scheduler must answer
LOOK = 2  # seconds between two looks at whether there are workers
PATIENCE = 120  # seconds without any until a study is stopped that waits for them
WORDS = 200  # letters of someone else's text that a message quotes
# Dask serves pages about itself all the same: on all networks, and on a port that may be taken, unless set otherwise.
NO_DASHBOARD = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
NO_PAGES = ("--no-dashboard", "--dashboard-address", "127.0.0.1:0")


class ClusterError(StudyError):
    """The cluster that was asked for cannot be used as it is; nothing was trained."""


class ClusterLost(ActlabError, RuntimeError):
    """The scheduler, or all its workers, went away while jobs ran; what is finished is stored."""


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


@contextmanager
def ended_when_deserted(
    client: Any, whose: str, way_out: str, has_ended: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Close the client, on which the study waits, once there has been no worker for ``PATIENCE`` seconds.

    Dask itself would wait for ever: new workers could come. A nanny has its worker back in a few seconds.

    Args:
        client: of the scheduler whose workers are meant.
        whose: the workers, in words.
        way_out: what the user can do, in words.
        has_ended: whether none can come any more: then nothing is waited for.

    Raises:
        ClusterLost: so it was; says why.
    """
    why: list[str] = []
    over = threading.Event()

    def watch() -> None:
        last = time.monotonic()
        while not over.wait(LOOK):
            ended = has_ended()
            if has_workers(client) and not ended:
                last = time.monotonic()
            elif ended or time.monotonic() - last > PATIENCE:
                since = "ended" if ended else f"been gone for {PATIENCE / 60:g} minutes"
                why.append(
                    f"all workers of {whose} have {since}; what is finished is kept: "
                    f"{way_out}, and the same command resumes from there"
                )
                client.close()
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    except ClusterLost:
        if why:
            raise ClusterLost(why[0]) from None
        raise
    finally:
        over.set()
        thread.join(REACH)


def has_workers(client: Any) -> bool:
    """Whether a scheduler has any; taken to be so where it does not say, which the client itself finds out."""
    try:
        return bool(client.scheduler_info()["workers"])
    except Exception:
        return True


def shortened(text: object) -> str:
    """Quote someone else's text: its first line, and not too much of that.

    >>> shortened("no\\nmore"), len(shortened("x" * 1000)) <= WORDS
    ('no', True)
    """
    line = str(text).strip().partition("\n")[0] or (type(text).__name__ if text else "nothing")
    return naming.shortened(line, WORDS)
