"""Where the command ``actlab`` begins and ends: what must stand before anything else is imported, and its exit.

``actlab.cli`` takes a second to import; this takes none.
"""

import os
import sys
from contextlib import suppress

from actlab import interrupts, processes, sinks


def main() -> None:
    """Run the command line in a process of its own, and end the process with the command's exit code."""
    interrupts.stand()
    sinks.stand()
    processes.collect_rarely()
    try:
        from actlab import cli

        cli.main()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt:
        code = interrupts.INTERRUPTED
    except BaseException:
        code = interrupts.INTERRUPTED if interrupts.state.asked else 1
        if not interrupts.state.asked:
            sys.excepthook(*sys.exc_info())
    end(code)


def end(code: int) -> None:
    """Do what Python does when a process ends, and leave: taking all that is loaded apart is of no use to anyone."""
    import atexit

    interrupts.state.over = True  # a signal ends the process at once from here on
    if interrupts.state.asked is not None or code == interrupts.INTERRUPTED:
        code = interrupts.INTERRUPTED
        interrupts.say()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # AttributeError: a user's file has put something there
            stream.flush()
    if code == 0 and sinks.lost and sinks.only_prints(sys.argv[1:]):
        code = 1  # what was asked for was not given
    os._exit(code)
