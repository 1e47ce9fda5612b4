"""The user's own Python files: what one of their functions is made of, which files that takes, and how they are run.

Whatever a study names as ``path/to/file.py:function`` goes through here. Needs no JAX, and nothing else of actlab's.
"""

from actlab.sources.again import hold_to_second_run
from actlab.sources.containing import contained
from actlab.sources.installed import packages
from actlab.sources.refusing import reading
from actlab.sources.running import blames_user, failure, first_line, import_file, load_function
from actlab.sources.statements import SourceError
from actlab.sources.tracing import Traced, collect, fingerprint, parse, same, trace
from actlab.sources.trial import end_trials, keeping, tried, trying
from actlab.sources.vetting import COPIES, UntrustedError, named_in, only, vet

__all__ = [
    "COPIES",
    "SourceError",
    "Traced",
    "UntrustedError",
    "blames_user",
    "collect",
    "contained",
    "end_trials",
    "failure",
    "fingerprint",
    "first_line",
    "hold_to_second_run",
    "import_file",
    "keeping",
    "load_function",
    "named_in",
    "only",
    "packages",
    "parse",
    "reading",
    "same",
    "trace",
    "tried",
    "trying",
    "vet",
]
