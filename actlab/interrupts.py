"""Ctrl-C while a command runs: one line and exit code 130, at whatever moment, within two seconds.

An exception alone does not do that. Whatever Python calls in passing drops it (a finaliser, JAX's callback of the
garbage collector), an import makes an ``ImportError`` of it, C++ that has called Python ends the process over it, and
a library that computes for minutes does not look. So a signal is noted before anything is raised; nothing is raised
while JAX is at work; a thread looks whether the exception arrives, asks again, and at last ends the process itself.

This is for the command line, whose process is actlab's own. A program that imports actlab keeps its handlers.
"""

import _thread
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

INTERRUPTED = 130
PATIENCE = 1.3  # seconds that unwinding may take, before the process is ended as it stands
AGAIN = 0.05  # seconds between two looks
# Hang-up: a terminal was closed, a connection has dropped. One that is ignored (``nohup``, ``&`` in a script) stays so.
NUMBERS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
NOT_WITHIN = tuple(f"{os.sep}{name}{os.sep}" for name in ("jax", "jaxlib"))
RESUMES = " What is finished is kept: the same command resumes from there."
STORED = " {} stored, others as far as they got: the same command resumes from there."


class State:
    """What is known of the interruption of this process."""

    stands = False  # this process is a command's
    asked: signal.Signals | None = None  # the first signal that asked to end at once
    saving = False  # workers are training: a first signal asks them to save, and is not for us
    began = False  # something was trained, or might have been
    tell: int | None = None  # a pipe to the thread that watches
    stored = ""  # how many runs of the study are, once its workers have ended: "8 of 12 runs are"
    over = False  # the command has ended: there is nothing left to unwind


state = State()
wills: list[Callable[[], object]] = []
said = _thread.allocate_lock()


def stand() -> None:
    """Handle signals from now on; only Python's own handlers are replaced."""
    state.stands = True
    for number in NUMBERS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, heed)
    before = sys.unraisablehook

    def unraisable(lost: "sys.UnraisableHookArgs") -> None:
        if not isinstance(lost.exc_value, KeyboardInterrupt):  # that one is asked for again
            before(lost)

    sys.unraisablehook = unraisable
    if os.name != "posix":  # there, only a socket would wake a thread; the exception must do
        return
    heard, tell = os.pipe()
    os.set_blocking(tell, False)
    state.tell = tell
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    _thread.start_new_thread(watch, (heard, _thread.get_ident()))


def replaceable(number: int) -> bool:
    """Whether a signal is handled by Python's default or by us, so that a study in training may handle it instead."""
    return signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler, heed)


def heed(number: int, frame: FrameType | None) -> None:
    """Note a signal, and raise ``KeyboardInterrupt`` unless it is on its way already, or would do harm here."""
    note(number)
    if state.over:
        end()
    if not (is_leaving() or (state.stands and is_within_c(frame))):
        raise KeyboardInterrupt


def note(number: int) -> None:
    """Note that a command was interrupted, whatever becomes of the exception that says so."""
    if state.stands and state.asked is None:
        state.asked = signal.Signals(number)


def look() -> None:
    """Raise ``KeyboardInterrupt`` where an earlier one was lost."""
    if state.asked is not None:
        raise KeyboardInterrupt


@contextmanager
def saving() -> Iterator[None]:
    """Leave signals to a study in training, whose workers are asked to save; see ``hurry``."""
    look()
    state.saving = state.began = True
    try:
        yield
    finally:
        state.saving = False


def hurry(number: int, frame: FrameType | None) -> None:
    """End at once, as by a first signal at any other time: the workers get no more time to save."""
    state.saving = False
    if state.tell is not None:
        with suppress(OSError):
            os.write(state.tell, bytes([number]))
    heed(number, frame)


def is_leaving() -> bool:
    """Whether ``KeyboardInterrupt`` is being handled, as by a ``finally`` clause: another would break that off."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def is_within_c(frame: FrameType | None) -> bool:
    """Whether C may have called the Python that is running, and not be ready for an exception.

    So it is in JAX at work, and in a module in C that is being imported: both have ended in a crash.
    """
    is_module = False
    while frame is not None:
        code = frame.f_code
        is_module |= code.co_name == "<module>"
        if code.co_qualname.startswith("ExtensionFileLoader."):
            return True
        if not is_module and any(name in code.co_filename for name in NOT_WITHIN):
            return True
        frame = frame.f_back
    return False


def watch(heard: int, main: int) -> None:
    """See to it, in a thread, that a signal ends this process.

    The system tells of a signal even while a library computes and Python cannot handle it.
    """
    while os.read(heard, 1)[0] not in NUMBERS or state.saving:
        pass
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        time.sleep(AGAIN)
        if state.asked is not None and not state.over:
            signal.pthread_kill(main, state.asked)  # in earnest: it ends a system call that waits, too
    end()


@contextmanager
def blocked() -> Iterator[None]:
    """Start processes that no signal of ours reaches, whenever it comes: whoever starts them ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def will(action: Callable[[], object]) -> Iterator[None]:
    """Have something done also where the process must be ended without unwinding this ``with`` block."""
    wills.append(action)
    try:
        yield
    finally:
        with suppress(ValueError):
            wills.remove(action)


def say() -> None:
    """Say that the command was interrupted: one line, once."""
    if not said.acquire(blocking=False):
        return
    how = "" if state.asked is None or state.asked == signal.SIGINT else f" by {state.asked.name}"
    kept = STORED.format(state.stored) if state.stored else RESUMES if state.began else ""
    with suppress(OSError):
        os.write(2, f"\nInterrupted{how}.{kept}\n".encode())


def end() -> None:
    """End this process as it stands, after what others have asked for in that case."""
    say()
    while wills:
        with suppress(BaseException):
            wills.pop()()
    os._exit(INTERRUPTED)
