"""What Dask loads beside the nannies of a local cluster: they and their workers end when the study's process does."""

import os
import threading
import time
from typing import Any

from actlab.engine.cluster.local import kill_all_but_trackers


def dask_setup(nanny: Any) -> None:
    """Watch the process that started this one."""
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()


def end_with(parent: int) -> None:
    """Kill this session, which ``cluster.local`` made for the workers alone, when a process is gone.

    Asked to close, or left by its nanny, a worker would first finish what it is compiling or training.
    """
    while os.getppid() == parent:
        time.sleep(0.5)
    kill_all_but_trackers(os.getpgid(0))
