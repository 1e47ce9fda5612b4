"""What a user's file sets for the whole process as it is run is undone: it would alter what the others compute.

``jax.config.update("jax_enable_x64", True)`` stands at the top of many files. A study says itself which type it
computes with, and its runs would depend on what else a worker has run.
"""

import locale
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from actlab import jax_settings
from actlab.compiler_flags import SAFE, with_flag

NUMPY = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}


@contextmanager
def undone() -> Iterator[None]:
    """Run a user's file, and have JAX, NumPy, Matplotlib and Python itself as they were."""
    numbers, path = locale.setlocale(locale.LC_NUMERIC), list(sys.path)
    with ExitStack() as stack:
        stack.enter_context(jax_settings.pinned())
        stack.enter_context(warnings.catch_warnings())
        if "numpy" in sys.modules:
            stack.enter_context(sys.modules["numpy"].errstate())
        else:
            stack.callback(lambda: "numpy" in sys.modules and sys.modules["numpy"].seterr(**NUMPY))
        if "matplotlib" in sys.modules:
            stack.enter_context(sys.modules["matplotlib"].rc_context())
        stack.callback(locale.setlocale, locale.LC_NUMERIC, numbers)
        stack.callback(sys.path.__setitem__, slice(None), path)
        stack.callback(restore_environment, dict(os.environ))
        yield


def restore_environment(before: dict[str, str]) -> None:
    """Have the variables as they were, but for the flag that actlab sets where a file imports what computes."""
    is_set = SAFE in os.environ.get("XLA_FLAGS", "").split()
    for name in {name for name, _ in os.environ.items() ^ before.items()}:
        if name in before:
            os.environ[name] = before[name]
        else:
            del os.environ[name]
    if is_set:
        os.environ["XLA_FLAGS"] = with_flag(before.get("XLA_FLAGS", ""))
