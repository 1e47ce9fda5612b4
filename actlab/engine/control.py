"""What passes through a study's folder while it is trained: who trains, how far it is, whether to stop.

There is no other channel between a worker and whoever waits for it, and a second terminal can look on.

    run.lock                  who trains here
    run.log                   what became of its jobs
    run.progress              how far the study is, from whoever hands out its jobs
    parts/<job>.progress      how far a job is, from its worker
    parts/stop                the jobs are to save what they have and end
"""

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from actlab import interrupts, sinks
from actlab.engine.files import StoreError, content_of, write_text
from actlab.processes import is_alive

LOCK = "run.lock"
PROGRESS = "run.progress"
LOG = "run.log"
MOST_BYTES = 2**24  # of what is said of progress


@dataclass(frozen=True)
class Progress:
    """How far a study has come.

    Attributes:
        share: of its floating-point work.
        runs_done, runs: runs trained to their end, and in all.
        jobs_done, jobs: likewise; a job that is split counts as two.
        failures: {job: message}.
        stopping: it was interrupted, and waits for its workers to save what they have.
        stored, stored_work: runs stored before this command, which ``runs`` does not count; their share of the work.
        predicted, to_predict: cells of which theory's predictions are computed, once all jobs have ended, and in all.
        written, to_write: tables and figures written, once that is done, and in all.
        seconds: since its first job was handed out; those in which it was suspended do not count.
        left: seconds of training that are left; None as long as nothing tells them.
        rate: runs a second, of the seconds in which anything was trained; None before it means anything.
        compiled, programs: programs that some worker has ready, and that its jobs need in all.
        compiling, training: jobs in hand whose workers compile, or train.
    """

    share: float
    runs_done: int
    runs: int
    jobs_done: int
    jobs: int
    failures: Mapping[str, str]
    stopping: bool = False
    written: int = 0
    to_write: int = 0
    seconds: float = 0.0
    left: float | None = None
    rate: float | None = None
    compiled: int = 0
    programs: int = 0
    compiling: int = 0
    training: int = 0
    predicted: int = 0
    to_predict: int = 0
    stored: int = 0
    stored_work: float = 0.0

    @property
    def of_all(self) -> tuple[int, int, float]:
        """How many runs of the study are there by now, how many it has, and which share of all its work is done.

        >>> Progress(0.5, 3, 6, 1, 2, {}, stored=2, stored_work=0.25).of_all
        (5, 8, 0.625)
        """
        work = self.stored_work + (1 - self.stored_work) * self.share
        return self.runs_done + self.stored, self.runs + self.stored, work

    @property
    def phase(self) -> str:
        """What it is at.

        Until anything trains it compiles: also where one worker has each program, and the others do not yet.

        >>> Progress(0.0, 0, 4, 0, 2, {}, compiled=1, programs=4).phase, Progress(1.0, 4, 4, 2, 2, {}).phase
        ('compiling', 'reporting')
        >>> Progress(0.0, 0, 4, 0, 2, {}, compiled=4, programs=4, compiling=2).phase
        'compiling'
        """
        if self.to_write:
            return "writing"
        if self.stopping:
            return "saving"
        if self.to_predict:
            return "predicting"
        if self.jobs_done == self.jobs:
            return "reporting"
        waits = self.compiled < self.programs or self.compiling or not self.share
        return "compiling" if waits and not self.training else "training"


def write_progress(folder: Path, progress: Progress) -> None:
    """Write how far the study has come; what cannot be written ends no training."""
    with suppress(StoreError):
        write_text(folder / PROGRESS, json.dumps(asdict(progress)))


def write_after(folder: Path, progress: Progress | None, **counts: Any) -> Progress:
    """Write how far what follows training is, after what was trained before, and return that."""
    now = replace(progress or Progress(1.0, 0, 0, 0, 0, {}), **counts)
    write_progress(folder, now)
    return now


def read_progress(folder: Path) -> Progress | None:
    """Read how far a study has come that is trained at the moment; None where none is.

    Of a run that was killed the last word stays; what is older than some seconds comes from none that is alive.
    """
    return read_record(folder / PROGRESS, Progress)


Record = TypeVar("Record")


def read_record(path: Path, kind: type[Record]) -> Record | None:
    """Read a dataclass of plain values from a small file of JSON; None where there is none that makes sense."""
    try:
        said = json.loads(content_of(path, MOST_BYTES), parse_constant=no_constant)
        record = kind(**said)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    hints = get_type_hints(kind)
    return record if all(is_of(value, hints[name]) for name, value in said.items()) else None


def no_constant(word: str) -> Any:
    """Refuse NaN and infinities, which JSON has not."""
    raise ValueError(word)


def is_of(value: Any, hint: Any) -> bool:
    """Whether a value that was read from JSON is of a field's type.

    >>> is_of(1, float | None), is_of("1", float | None), is_of(["a"], Sequence[str])
    (True, False, True)
    """
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return any(isinstance(value, int | float if one is float else get_origin(one) or one) for one in kinds)


def remove_progress(folder: Path) -> None:
    """Remove the file that says how far the study has come."""
    (folder / PROGRESS).unlink(missing_ok=True)


@dataclass(frozen=True)
class Heartbeat:
    """What a job last said of itself.

    Attributes:
        pid: its process.
        training: it is past loading and compiling, so that it looks up between segments.
        runs: how many of its runs are trained; those in hand count in part.
        trained: how many are trained to their end.
        saved: how many checkpoints it has saved.
        resumed: how many of its runs were trained already when it began; one that was begun counts in part.
        compiling: it has programs made, or read from the disk, which its worker did not have.
        ready: the names of those that it has by now.
        what: the job in a few words.
        of: how many runs it has in all.
    """

    pid: int = 0
    training: bool = False
    runs: float = 0.0
    saved: int = 0
    resumed: float = 0.0
    compiling: bool = False
    ready: Sequence[str] = ()
    what: str = ""
    of: int = 0
    trained: int = 0


def write_heartbeat(
    folder: Path,
    job: str,
    training: bool,
    runs: float,
    saved: int,
    resumed: float = 0.0,
    what: str = "",
    of: int = 0,
    trained: int = 0,
) -> None:
    """Write how far this process has come with a job."""
    said = Heartbeat(os.getpid(), training, runs, saved, resumed, what=what, of=of, trained=trained)
    write_text(folder / "parts" / f"{job}.progress", json.dumps(asdict(said)))


def write_compiling(folder: Path, job: str, ready: Sequence[str], what: str, of: int) -> None:
    """Write that this process makes a job's programs, and which it has; what cannot be written ends nothing."""
    said = Heartbeat(os.getpid(), compiling=True, ready=list(ready), what=what, of=of)
    with suppress(StoreError):
        write_text(folder / "parts" / f"{job}.progress", json.dumps(asdict(said)))


def read_heartbeat(folder: Path, job: str) -> Heartbeat:
    """Read what a job last said; nothing yet, where it has not begun."""
    return read_record(folder / "parts" / f"{job}.progress", Heartbeat) or Heartbeat()


def has_begun(folder: Path, job: str) -> bool:
    """Whether a job has said anything of itself."""
    return (folder / "parts" / f"{job}.progress").exists()


def remove_heartbeat(folder: Path, job: str) -> None:
    """Remove what a job said of itself."""
    (folder / "parts" / f"{job}.progress").unlink(missing_ok=True)


def ask_to_stop(folder: Path) -> None:
    """Ask every job of a study to save what it has and end; `touch parts/stop` does it from anywhere."""
    (folder / "parts" / "stop").touch()


def stop_asked(folder: Path) -> bool:
    """Whether the jobs of a study are to end."""
    return (folder / "parts" / "stop").exists()


def lock_owner(folder: Path) -> str | None:
    """Read what the lock says of the process that trains in a study's folder; None where there is none."""
    try:
        return (folder / LOCK).read_text(encoding="utf-8")
    except OSError:
        return None


def tidy(folder: Path, finished: bool) -> None:
    """Remove what an ended run may have left beside the parts; checkpoints too, once everything is finished."""
    traces = [
        "stop",
        "*.progress",
        "*.again",
        "*.tmp",
        ".*.tmp",
        "worker-*.log",
        *(["*.checkpoint"] if finished else []),
    ]
    for path in (path for trace in traces for path in (folder / "parts").glob(trace)):
        path.unlink(missing_ok=True)
    hidden = list(folder.glob(".*.tmp"))
    for below in (folder / "tables", folder / "figures", folder / "sources", folder / "weights"):
        hidden += below.rglob(".*.tmp") if not below.is_symlink() else []
    for path in (*hidden, folder / PROGRESS):
        path.unlink(missing_ok=True)


def log(folder: Path, text: str) -> None:
    """Append a line with the time to a study's log."""
    with (folder / LOG).open("a", encoding="utf-8") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")


def log_dropped_output(folder: Path) -> None:
    """Note in a study's log that output of its command was dropped, if any was and it was not noted before."""
    with suppress(OSError):
        while sinks.unsaid:
            log(folder, sinks.unsaid[0])
            sinks.unsaid.pop(0)


def forget_killed(owner: str) -> None:
    """Remove the semaphores of a run that was killed with all of its processes: no one else is left to do it.

    Args:
        owner: what the run had written into the lock.
    """
    said = re.match(r"process (\d+) on (\S+),", owner)
    if said and said[2] == socket.gethostname() and not is_alive(said[1]):
        for path in Path("/dev/shm").glob(f"sem.loky-{said[1]}-*"):
            with suppress(OSError):
                path.unlink()


def inode(path: Path) -> int | None:
    """Return what tells a file from another of its name; None where there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


@contextmanager
def study_lock(folder: Path, wait: float = 0.0) -> Iterator[None]:
    """Keep a study's folder for this run or report alone. The lock ends with this process, however that ends.

    Args:
        folder: the study's.
        wait: for how many seconds whoever holds it is waited for.

    Raises:
        StoreError: another one holds it (says which), or it cannot be written.
    """
    from filelock import FileLock, Timeout

    path = folder / LOCK
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        if path.is_symlink():
            raise StoreError(f"{path}: is a link, and what it leads to is not written; remove the link")
        Path(os.path.realpath(folder)).mkdir(parents=True, exist_ok=True)  # also where a link leads to nothing yet
        owner = lock_owner(folder) or ""  # who takes the lock empties it
        lock = FileLock(path, timeout=wait, poll_interval=0.1)
        lock.acquire()
        held = inode(path)
    except Timeout:
        waited = f" and did not end within {wait:.0f} s" if wait else ""
        with suppress(OSError):
            raise StoreError(
                f"{folder}: another `actlab run` or `report` is at work here{waited} "
                f"({path.read_text(encoding='utf-8').strip()}). "
                f"Wait for it to end{'' if wait else ', or give this study another --out'}."
            ) from None
        raise StoreError(f"{folder}: another `actlab run` or `report` has just been at work here; try again") from None
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror})") from None

    def leave() -> None:
        if inode(path) != held:  # the folder was renamed, or another's lock is there by now
            lock.release()
            return
        # It stays where a study was begun and has no manifest yet: a sign that what lies there is no one else's.
        if (folder / "manifest.json").exists() or not any(other != path for other in folder.iterdir()):
            path.unlink(missing_ok=True)
        lock.release()
        for one in made:  # where nothing came of it, nothing is left
            with suppress(OSError):
                one.rmdir()

    try:
        with interrupts.will(leave):
            forget_killed(owner)
            with suppress(OSError):  # a full disk is for whoever writes next to tell
                now = time.strftime("%Y-%m-%d %H:%M:%S")
                path.write_text(f"process {os.getpid()} on {socket.gethostname()}, since {now}\n", encoding="utf-8")
            yield
    finally:
        leave()


@contextmanager
def interruptible(folder: Path) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP ask the workers to save and stop; a second signal leaves at once.

    Only Python's own handlers, and the command line's, are replaced: a program that handles its signals itself keeps
    doing so, and one that ignores a hang-up (``nohup``) is not stopped by it.

    Raises:
        KeyboardInterrupt: a signal came, also where it came too late for anyone to be asked.
    """
    came = False

    def ask(number: int, frame: Any) -> None:
        nonlocal came
        if came or stop_asked(folder):
            interrupts.hurry(number, frame)
            return
        came = True
        interrupts.note(number)
        try:
            ask_to_stop(folder)
        except OSError:
            interrupts.hurry(number, frame)

    replaced = {}
    with interrupts.saving():
        if threading.current_thread() is threading.main_thread():
            for number in interrupts.NUMBERS:
                if interrupts.replaceable(number):
                    replaced[number] = signal.signal(number, ask)
        try:
            yield
        finally:
            for number, handler in replaced.items():
                signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt
