"""A user's function is tried in a process of its own first: it may never end, take all memory, or end its process.

What ends here is then loaded and traced where it is needed, as if there had been no trial. What actlab ships is not
tried. The process is started when the first function is met, serves for all of them, and ends with the block.
"""

import faulthandler
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from actlab.processes import collect_rarely, end_with
from actlab.sources.refusing import library_folders
from actlab.sources.statements import SourceError

VARIABLE = "ACTLAB_TRIAL_SECONDS"
SECONDS = 60.0  # that one function may take
START_SECONDS = 120.0  # until the process has imported what the trial needs
MEMORY = 4 * 2**30  # bytes that it may take
LOOK_SECONDS = 0.05
OWN = f"{Path(__file__).parents[1]}{os.sep}"
BOOT = (
    "import sys, json; path = json.loads(sys.argv.pop()); sys.path[:] = path; "
    "from actlab.sources import trial; trial.serve()"
)


class Ended(Exception):
    """The process ended, or had to be ended; the message says why."""

    def __init__(self, why: str, place: str = "") -> None:
        """Keep the file and line of the user's where it stood, if they are known."""
        super().__init__(why)
        self.place = place


class Trials:
    """The process of the blocks that are open, and whether functions are to be tried there."""

    def __init__(self) -> None:
        """No block, no process."""
        self.wanted = self.blocks = 0
        self.child: Child | None = None
        self.lock = threading.Lock()

    @contextmanager
    def block(self, wanted: bool) -> Iterator[None]:
        """Keep the process until the outermost block is left."""
        self.blocks += 1
        self.wanted += wanted
        try:
            yield
        finally:
            self.blocks -= 1
            self.wanted -= wanted
            if not self.blocks:
                self.end()

    def ask(self, task: str, arguments: tuple[Any, ...], first: tuple[str, ...]) -> dict[str, Any]:
        """Have the process do something, and return what it says of it."""
        with self.lock:
            try:
                if self.child is None:
                    self.child = Child()
                return self.child.ask(task, arguments, first)
            except BaseException:
                self.end()
                raise

    def end(self) -> None:
        """End the process, whatever it does."""
        if self.child is not None:
            self.child.end()
        self.child = None


class Child:
    """The process itself: requests and answers are lines of JSON."""

    def __init__(self) -> None:
        """Start it, in a session of its own: a terminal's Ctrl-C is for whoever waits for it."""
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-B", "-c", BOOT, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,  # for the lines where it stands, if it has to be ended
            start_new_session=True,
        )
        self.read = b""

    def ask(self, task: str, arguments: tuple[Any, ...], first: tuple[str, ...]) -> dict[str, Any]:
        """Have it do something, within the time and the memory that there are.

        Raises:
            Ended: it did not.
        """
        limit = seconds()
        request: dict[str, Any] = {
            "task": task,
            "arguments": arguments,
            "environment": dict(os.environ),
            "folder": folder(),
        }
        request |= {"seconds": limit, "first": first}
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # reading will say how it ended
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        self.line(START_SECONDS, f"cannot be tried: Python and its libraries take more than {START_SECONDS:g} seconds")
        text = f"does not end within {limit:g} seconds; {VARIABLE}={10 * limit:g} gives it longer"
        answer = json.loads(self.line(limit, text))
        assert isinstance(answer, dict)
        return answer

    def line(self, limit: float, late: str) -> bytes:
        """Wait for a line.

        Raises:
            Ended: there is none in time, or it took too much memory, or the process is gone.
        """
        assert self.process.stdout is not None
        until, most = time.monotonic() + limit, memory(self.process.pid) + MEMORY
        while b"\n" not in self.read:
            if select.select([self.process.stdout], [], [], LOOK_SECONDS)[0]:
                more = os.read(self.process.stdout.fileno(), 2**16)
                if not more:
                    how = how_it_ended(self.process.wait())
                    raise Ended(how, self.stands())
                self.read += more
            elif self.process.poll() is not None:  # and what it has started holds its pipes
                raise Ended(how_it_ended(self.process.returncode), self.stands())
            elif time.monotonic() > until:
                raise Ended(late, self.stands(ask=True))
            elif memory(self.process.pid) > most:
                raise Ended(f"takes more than {MEMORY / 2**30:g} GB of memory", self.stands(ask=True))
        line, _, self.read = self.read.partition(b"\n")
        return line

    def stands(self, ask: bool = False) -> str:
        """Say at which line of a user's file it stands, or stood when it crashed; empty where that is not known."""
        assert self.process.stderr is not None
        text, until = b"", time.monotonic() + 2.0
        if ask:
            self.process.send_signal(signal.SIGUSR1)
        while time.monotonic() < until and select.select([self.process.stderr], [], [], 0.2)[0]:
            more = os.read(self.process.stderr.fileno(), 2**16)
            text += more
            if not more:
                break
        for file, line in re.findall(r'File "(.*?)", line (\d+) in ', text.decode(errors="replace")):
            if os.path.isfile(file) and not file.startswith((*library_folders(), OWN)):
                return f"{file}, line {line}"
        return ""

    def end(self) -> None:
        """End it and what it started, and wait for that."""
        with suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self.process.wait()


TRIALS = Trials()


def trying() -> Any:
    """Have users' functions tried in a process of its own, as long as a block lasts."""
    return TRIALS.block(wanted=True)


def keeping() -> Any:
    """Keep that process for several blocks."""
    return TRIALS.block(wanted=False)


def end_trials() -> None:
    """End the process, unless a block keeps it for others: it would hold memory while runs are trained."""
    if TRIALS.blocks == TRIALS.wanted:
        TRIALS.end()


def tried(task: str, path: Path, *arguments: Any, first: tuple[str, ...] = ()) -> bool:
    """Try something of a user's file in a process of its own, if a block asks for that.

    Args:
        task: ``module:function`` of actlab's, that is called with the rest.
        path: the file.
        arguments: plain values.
        first: modules that are to be imported before its time begins.

    Returns:
        whether it went well there; where no block asks, or where it cannot be said in words, whoever calls finds out.

    Raises:
        SourceError: it was refused there; it does not end, takes too much memory, or ends the process.
    """
    if not TRIALS.wanted:
        return False
    try:
        answer = TRIALS.ask(task, (str(path.absolute()), *arguments), first)
    except Ended as ended:
        raise SourceError(f"{ended.place or path}: {ended} (it was tried in a process of its own)") from None
    if problem := answer.get("problem"):
        raise SourceError(problem)
    return not answer.get("fails")


def seconds() -> float:
    """Read how long a trial may take.

    Raises:
        SourceError: the variable of the environment says no time.
    """
    said = os.environ.get(VARIABLE, "")
    try:
        given = float(said or SECONDS)
    except ValueError:
        given = 0.0
    if not 0 < given < 1e6:
        raise SourceError(f"{VARIABLE}: expected a number of seconds, not {said!r}")
    return given


def folder() -> str:
    """Return the current folder; empty where it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def memory(pid: int) -> int:
    """Return the bytes that a process holds, 0 where that is not known."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def how_it_ended(code: int) -> str:
    """Say how a process ended.

    >>> how_it_ended(3), how_it_ended(-11)
    ('ends the process that runs it, with exit code 3', 'crashes the process that runs it (SIGSEGV)')
    """
    if code >= 0:
        return f"ends the process that runs it, with exit code {code}"
    return f"crashes the process that runs it ({signal.Signals(-code).name})"


def serve() -> None:
    """Do what is asked for, line by line, until there is no more to do."""
    parent = os.getppid()
    collect_rarely()
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked, answers, trouble = os.dup(0), os.dup(1), os.dup(2)
    faulthandler.register(signal.SIGUSR1, file=trouble)
    faulthandler.enable(file=trouble)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    with os.fdopen(asked, "rb") as requests:
        for line in requests:
            request = json.loads(line)
            os.environ.clear()
            os.environ.update(request["environment"])
            with suppress(OSError):
                os.chdir(request["folder"])
            module, _, name = request["task"].partition(":")
            task = getattr(import_module(module), name)
            for needed in request["first"]:
                import_module(needed)
            os.write(answers, b"begun\n")
            signal.alarm(int(request["seconds"]) + 60)  # should whoever asks be gone, and Python's own threads stand
            answer = outcome(task, request["arguments"])
            signal.alarm(0)
            os.write(answers, json.dumps(answer).encode() + b"\n")
    os._exit(0)


def outcome(task: Any, arguments: list[Any]) -> dict[str, str]:
    """Call something, and say what came of it: nothing, an error, or the wish to end the process."""
    from actlab.sources.running import failure

    try:
        task(Path(arguments[0]), *arguments[1:])
    except ValueError as error:  # a refusal in words, as all of actlab's are
        return {"problem": str(error)}
    except Exception as error:
        return {"fails": type(error).__name__}
    except BaseException as error:
        return {"problem": failure(error)}
    return {}
