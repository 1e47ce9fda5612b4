"""The command line, called in this process as a shell calls it."""

import pytest

from actlab import cli


def typed(capsys, *words):
    """Return what a command ends with: its exit code, what it printed, and what it complained of."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["actlab", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
    printed = capsys.readouterr()
    return end.value.code, printed.out, printed.err
