"""A notebook executed in a folder of its own: ``python -m tests.notebooks docs/first_study.ipynb`` writes it again.

What is written holds no time, no path and no version: the same measurements give the same bytes.
"""

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

SECONDS = 300
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
IMAGES = ("image/png", "image/svg+xml")


def executed(path: Path) -> nbformat.NotebookNode:
    """Execute a notebook in an empty folder, from its first cell to its last; an error ends it."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory(prefix="actlab-notebook-") as folder:
        work = Path(folder) / "work"
        work.mkdir()
        os.environ |= {"IPYTHONDIR": f"{folder}/ipython", "JUPYTER_RUNTIME_DIR": f"{folder}/runtime"}
        os.environ |= {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        resources = {"metadata": {"path": str(work)}}
        NotebookClient(
            notebook, timeout=SECONDS, kernel_name="python3", resources=resources, record_timing=False
        ).execute()
    return cleaned(notebook)


def cleaned(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Leave out what another machine, or another day, would have otherwise."""
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number}"
        cell.metadata = nbformat.from_dict({})
    return notebook


def outputs(notebook: nbformat.NotebookNode) -> list[list[dict[str, str]]]:
    """List what each cell shows: texts without their numbers, of which a processor decides the last digits."""
    shown = []
    for cell in notebook.cells:
        each = []
        for output in cell.get("outputs", ()):
            data = dict(output.get("data") or {"text/plain": output.get("text", "")})
            if any(kind in data for kind in IMAGES):
                data = dict.fromkeys(data, "a picture")
            each.append({kind: masked(text) for kind, text in data.items()})
        shown.append(each)
    return shown


def masked(text: str) -> str:
    """Put a sign in the place of each number, and leave out how columns are filled up.

    >>> masked("relu   0.91 [0.9, 1.0], 2.1e-05"), masked("0.1 ---- x")
    ('relu # [#, #], #', '# - x')
    """
    return re.sub(r" +", " ", re.sub(r"-{2,}", "-", re.sub(r"[−-]?\d[\d.]*(e[+-]?\d+)?", "#", text)))


def main() -> None:
    """Execute a notebook, and write it, by default in its place."""
    words = argparse.ArgumentParser(description=main.__doc__)
    words.add_argument("path", type=Path)
    words.add_argument("--out", type=Path)
    asked = words.parse_args()
    nbformat.write(executed(asked.path), asked.out or asked.path)


if __name__ == "__main__":
    sys.exit(main())
