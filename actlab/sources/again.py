"""A user's file is run a second time where all that a run's identity does not hold is another.

What a file reads of the environment, the clock, its own place or a generator without a seed would give other numbers
under one name: whoever compares the two functions sees it. What other threads see stays as it is.
"""

import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import get_ident
from typing import Any

from actlab.sources.running import FOLLOWED, MAIN, failure, import_file
from actlab.sources.statements import SourceError
from actlab.sources.tracing import trace

KEPT = ("PATH", "HOME")
LATER = 98_765.4321  # seconds: more than a day
SEED = 761_943


def hold_to_second_run(path: Path, name: str, function: Any, values: Callable[[Any], Any]) -> None:
    """Hold a function against itself, its file run once more.

    Args:
        path: its file.
        name: its name in it.
        function: as it was loaded.
        values: (function) -> what it gives, in plain values that are written out in full.

    Raises:
        SourceError: the two differ, or the file fails when it is run again.
    """
    first, problem = repr(values(function)), "gives other values"
    try:
        with run_again(path, name) as second:
            same = repr(values(second)) == first
    except Exception as error:
        same, problem = False, f"fails ({failure(error)})"
    if not same:
        raise SourceError(
            f"{name}: {problem} when its file is run again: it reads the environment, the clock or its own place, or "
            "draws without a seed; write the number into the file"
        )


@contextmanager
def run_again(path: Path, name: str) -> Iterator[Any]:
    """Run a copy of a file, with those of its folder that it imports, and yield a function of it, to be called inside.

    Raises:
        SourceError: see ``running.import_file``.
    """
    package = ""
    with TemporaryDirectory(prefix="again_") as folder, elsewhere():
        for place, file in trace(path).files.items():
            copy = Path(folder, place)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        try:
            module = import_file(Path(folder, path.name))
            package = module.__name__.partition(".")[0]
            yield getattr(module, name)
        finally:
            for loaded in [loaded for loaded in sys.modules if package and loaded.partition(".")[0] == package]:
                del sys.modules[loaded]
            MAIN.pop(package, None)
            FOLLOWED.pop(package, None)


@contextmanager
def elsewhere() -> Iterator[None]:
    """Have another environment, time and state of the global generators in this thread for a while."""
    with ExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        random.seed(SEED)
        if "numpy" in sys.modules:
            generator = sys.modules["numpy"].random
            stack.callback(generator.set_state, generator.get_state())
            generator.seed(SEED)
        changes: list[tuple[Any, str, Any]] = [
            (os, "environ", Environment()),
            (time, "time", shifted(time.time, LATER)),
            (time, "time_ns", shifted(time.time_ns, int(LATER * 1e9))),
            (sys, "argv", sys.argv[:1]),
        ]
        for holder, name, other in changes:
            stack.callback(setattr, holder, name, getattr(holder, name))
            setattr(holder, name, other)
        yield


def shifted(clock: Callable[[], Any], by: Any) -> Callable[[], Any]:
    """Return a clock that is ahead in this thread."""
    thread = get_ident()
    return lambda: clock() + (by if get_ident() == thread else 0)


class Environment(MutableMapping[str, str]):
    """The variables of the environment; in the thread that made it only ``KEPT``, and what is set."""

    def __init__(self) -> None:
        """Begin with what is kept."""
        self.thread, self.real = get_ident(), os.environ
        self.own = {name: self.real[name] for name in KEPT if name in self.real}

    @property
    def variables(self) -> MutableMapping[str, str]:
        """Those that the calling thread sees."""
        return self.own if get_ident() == self.thread else self.real

    def __getitem__(self, name: str) -> str:
        """Return a variable's value."""
        return self.variables[name]

    def __setitem__(self, name: str, value: str) -> None:
        """Set a variable."""
        self.variables[name] = value

    def __delitem__(self, name: str) -> None:
        """Remove a variable."""
        del self.variables[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self.variables)

    def __len__(self) -> int:
        """Count them."""
        return len(self.variables)

    def copy(self) -> dict[str, str]:
        """Return them as a dictionary."""
        return dict(self.variables)
