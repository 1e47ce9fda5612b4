"""Print what is installed here in another version than a constraints file says for this Python."""

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
    if line and not line.startswith("#"):
        pin = Requirement(line)
        try:
            found = version(pin.name)
        except PackageNotFoundError:
            continue
        if (pin.marker is None or pin.marker.evaluate()) and not pin.specifier.contains(found):
            print(f"{pin.name}=={found}", end=" ")
