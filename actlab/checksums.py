"""The checksum of a file: of data, of results, of a user's code. Below all rooms."""

import hashlib
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Compute the SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
